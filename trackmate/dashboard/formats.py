"""The formats of an export: name, media type and writer of each."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from trackmate.dashboard.export import write_csv, write_marked_csv, write_ndjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from trackmate.models import ActivityLog

    Write = Callable[[Iterable[ActivityLog], Sequence[str]], Iterator[bytes]]


@cache
def formats() -> dict[str, tuple[Any, str, Write]]:
    """Return the formats that can be written: name, media type and writer of each."""
    found: dict[str, tuple[Any, str, Write]] = {
        "csv": (_("CSV"), "text/csv; charset=utf-8", write_csv),
        # Excel takes a file without the mark for one in an older encoding.
        "csv-bom": (_("CSV for Excel"), "text/csv; charset=utf-8", write_marked_csv),
        "ndjson": (_("NDJSON"), "application/x-ndjson", write_ndjson),
    }
    if find_spec("xlsxwriter"):
        from trackmate.dashboard.excel import MEDIA_TYPE, write_xlsx  # noqa: PLC0415 (an extra)

        found["xlsx"] = (_("Excel"), MEDIA_TYPE, write_xlsx)
    return found


def ending_of(name: str) -> str:
    """Return how the name of a file in a format ends."""
    return name.partition("-")[0]
