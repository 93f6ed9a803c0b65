"""The formats of an export."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from trackmate.dashboard.exports.writers import write_csv, write_marked_csv, write_ndjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from trackmate.models import ActivityLog

    Write = Callable[[Iterable[ActivityLog], Sequence[str]], Iterator[bytes]]


class Format(NamedTuple):
    """A file format."""

    label: Any
    media_type: str
    extension: str
    write: Write


CSV = "text/csv; charset=utf-8"


@cache
def formats() -> dict[str, Format]:
    """Return the available formats, by their names in URLs."""
    found = {
        "csv": Format(_("CSV"), CSV, "csv", write_csv),
        # Without the mark, Excel assumes an older encoding.
        "csv-bom": Format(_("CSV for Excel"), CSV, "csv", write_marked_csv),
        "ndjson": Format(_("NDJSON"), "application/x-ndjson", "ndjson", write_ndjson),
    }
    if find_spec("xlsxwriter"):
        from trackmate.dashboard.exports.xlsx import MEDIA_TYPE, write_xlsx  # noqa: PLC0415 (an extra)

        found["xlsx"] = Format(_("Excel"), MEDIA_TYPE, "xlsx", write_xlsx)
    return found
