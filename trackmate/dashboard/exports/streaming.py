"""Streams an export to the client, under WSGI and ASGI."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header

from trackmate import selectors
from trackmate.clock import aware
from trackmate.conf import get_settings
from trackmate.dashboard.db.results import current_timeout
from trackmate.dashboard.db.statement_timeout import statement_timeout
from trackmate.dashboard.exports.formats import formats
from trackmate.dashboard.exports.writers import export_columns, payload_needed
from trackmate.dashboard.http.permissions import may_see, may_see_payload
from trackmate.selectors import PAYLOAD
from trackmate.signals import activities_exported

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator
    from datetime import datetime

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from trackmate.dashboard.search.filters import ActivityFilters
    from trackmate.models import ActivityLog


BLOCK = 32 * 1024
"""Bytes that are sent at once."""


@dataclass(slots=True)
class Export:
    """One export: its filters, and how many rows have been sent."""

    request: HttpRequest
    filters: ActivityFilters
    format: str
    started: datetime = field(default_factory=lambda: aware(timezone.now()), init=False)
    rows: int = field(default=0, init=False)
    is_complete: bool = field(default=False, init=False)

    def response(self) -> HttpResponseBase:
        """Return the file, whose rows are read while it is sent.

        Raise an error if not even the first one can be read.
        """
        file_format = formats()[self.format]
        name = (
            f"activities-{timezone.localtime(self.started):%Y%m%d-%H%M%S}.{file_format.extension}"
        )
        disposition = content_disposition_header(as_attachment=True, filename=name) or ""
        headers = {"Content-Disposition": disposition}
        if self.request.method == "HEAD":
            return HttpResponse(content_type=file_format.media_type, headers=headers)
        with_payload = may_see_payload(self.request)
        visible = partial(may_see, self.request)
        needed = PAYLOAD if with_payload else payload_needed(visible)
        rows = _started(self._rows(without=tuple(name for name in PAYLOAD if name not in needed)))
        names = export_columns(visible, with_payload=with_payload)
        blocks = _in_blocks(self._content(file_format.write(rows, names)))
        # Django would read a plain iterator to its end before an ASGI server gets the first byte.
        content = _async_blocks(blocks) if isinstance(self.request, ASGIRequest) else blocks
        return StreamingHttpResponse(content, content_type=file_format.media_type, headers=headers)

    def _content(self, lines: Iterator[bytes]) -> Generator[bytes]:
        try:
            yield from lines
        finally:
            # Also when the client disconnects: the rows have been sent.
            self._send_signal()

    def _rows(self, without: tuple[str, ...]) -> Iterator[ActivityLog]:
        settings = get_settings()
        limit = settings.EXPORT_MAX_ROWS
        # Rows are read after the view has returned, and with it an extended timeout.
        guard = partial(statement_timeout, settings.DATABASE, milliseconds=current_timeout())
        # One more than may be sent, to know if that is all.
        rows = selectors.stream(
            self.filters.filter_any_time(self.filters.queryset),
            limit + 1,
            within=self.filters.time_range.keys,
            without=without,
            guard=guard,
        )
        for row in rows:
            if self.rows == limit:
                return
            self.rows += 1
            yield row
        self.is_complete = True

    def _send_signal(self) -> None:
        time_range = self.filters.time_range
        activities_exported.send_robust(
            sender=type(self),
            request=self.request,
            filters={**self.filters.params, **self.filters.page.fixed_filters},
            since=None if time_range.is_unlimited else time_range.start,
            until=time_range.end or self.started,
            format=self.format,
            rows=self.rows,
            is_complete=self.is_complete,
        )


def _started(rows: Iterator[ActivityLog]) -> Iterator[ActivityLog]:
    """Return the rows once the first one has been read, so that an error is not too late."""
    first = next(rows, None)
    return rows if first is None else chain([first], rows)


def _in_blocks(lines: Generator[bytes]) -> Generator[bytes]:
    """Join lines: for a server each piece that it sends is slower than writing the line."""
    block = bytearray()
    with closing(lines):
        for line in lines:
            block += line
            if len(block) >= BLOCK:
                yield bytes(block)
                block.clear()
        yield bytes(block)


async def _async_blocks(blocks: Generator[bytes]) -> AsyncIterator[bytes]:
    try:
        while (block := await sync_to_async(_next)(blocks)) is not None:
            yield block
    finally:
        await sync_to_async(blocks.close)()


def _next(blocks: Generator[bytes]) -> bytes | None:
    return next(blocks, None)
