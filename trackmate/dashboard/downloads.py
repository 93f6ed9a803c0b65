"""An export on its way to the client, under WSGI and ASGI alike."""

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
from trackmate.dashboard import windows
from trackmate.dashboard.access import may_see_payload
from trackmate.dashboard.answers import budget, within_budget
from trackmate.dashboard.export import columns
from trackmate.dashboard.formats import formats
from trackmate.dashboard.listing import set_filters
from trackmate.selectors import PAYLOAD
from trackmate.signals import activities_exported

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator
    from datetime import datetime

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from trackmate.dashboard.filters import ActivityFilters
    from trackmate.dashboard.places import Place
    from trackmate.models import ActivityLog


BLOCK = 32 * 1024
"""Bytes that go out at once."""


@dataclass(slots=True)
class Download:
    """One export: what is asked, and how many rows have gone out."""

    request: HttpRequest
    filters: ActivityFilters
    place: Place
    format: str
    begun: datetime = field(default_factory=lambda: aware(timezone.now()), init=False)
    rows: int = field(default=0, init=False)
    is_complete: bool = field(default=False, init=False)

    def response(self) -> HttpResponseBase:
        """Return the file, whose rows are read while it is sent.

        Raise BudgetExceededError or DatabaseError where not even the first of them can be read.
        """
        kind = formats()[self.format]
        name = f"activities-{timezone.localtime(self.begun):%Y%m%d-%H%M%S}.{kind.extension}"
        disposition = content_disposition_header(as_attachment=True, filename=name) or ""
        headers = {"Content-Disposition": disposition}
        if self.request.method == "HEAD":
            return HttpResponse(content_type=kind.media_type, headers=headers)
        with_payload = may_see_payload(self.request)
        rows = _begun(self._rows(without=() if with_payload else PAYLOAD))
        blocks = _in_blocks(self._content(kind.write(rows, columns(with_payload=with_payload))))
        # Django would read a plain iterator to its end before an ASGI server gets the first byte.
        content = _stepwise(blocks) if isinstance(self.request, ASGIRequest) else blocks
        return StreamingHttpResponse(content, content_type=kind.media_type, headers=headers)

    def _content(self, lines: Iterator[bytes]) -> Generator[bytes]:
        try:
            yield from lines
        finally:
            # Also when the client hangs up: what has gone out has gone out.
            self._tell()

    def _rows(self, without: tuple[str, ...]) -> Iterator[ActivityLog]:
        limit = get_settings().EXPORT_MAX_ROWS
        # Who will wait does so for every part of the file, when the page has long been answered.
        guard = partial(within_budget, budget())
        # One more than may go out, to know whether that is all.
        rows = selectors.stream(self.filters.qs, limit + 1, without=without, guard=guard)
        for row in rows:
            if self.rows == limit:
                return
            self.rows += 1
            yield row
        self.is_complete = True

    def _tell(self) -> None:
        window = self.filters.window
        activities_exported.send_robust(
            sender=type(self),
            request=self.request,
            filters={**set_filters(self.filters), **self.place.settled},
            since=None if window.start == windows.BEGINNING else window.start,
            until=window.end or self.begun,
            format=self.format,
            rows=self.rows,
            is_complete=self.is_complete,
        )


def _begun(rows: Iterator[ActivityLog]) -> Iterator[ActivityLog]:
    """Return rows of which the first has been read: an answer is not begun for nothing."""
    first = next(rows, None)
    return rows if first is None else chain([first], rows)


def _in_blocks(lines: Generator[bytes]) -> Generator[bytes]:
    """Join lines, since each piece that a server sends costs it more than the line did us."""
    block = bytearray()
    with closing(lines):
        for line in lines:
            block += line
            if len(block) >= BLOCK:
                yield bytes(block)
                block.clear()
        yield bytes(block)


async def _stepwise(blocks: Generator[bytes]) -> AsyncIterator[bytes]:
    try:
        while (block := await sync_to_async(_next)(blocks)) is not None:
            yield block
    finally:
        await sync_to_async(blocks.close)()


def _next(blocks: Generator[bytes]) -> bytes | None:
    return next(blocks, None)
