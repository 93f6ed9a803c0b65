"""Activities as an Excel file; it needs the extra `xlsx`."""

from __future__ import annotations

from itertools import islice
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from xlsxwriter import Workbook

from trackmate.dashboard.exports.writers import cell, escape_formula, values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trackmate.models import ActivityLog

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHEET_ROWS = 1_048_575
MAX_CHARACTERS = 32_767
"""Limits of the format: rows below the heading, and characters of a cell."""
CHUNK_SIZE = 64 * 1024

# Rows are written to a temporary file as they come; a text stays a text.
OPTIONS = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}


def write_xlsx(rows: Iterable[ActivityLog], names: Sequence[str]) -> Iterator[bytes]:
    """Write a workbook with one sheet; the first byte comes when all rows are in it."""
    with TemporaryFile() as file:
        with Workbook(file, OPTIONS) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, names, book.add_format({"bold": True}))
            sheet.freeze_panes(1, 0)
            for number, row in enumerate(islice(rows, SHEET_ROWS), start=1):
                cells = [escape_formula(cell(value)) for value in values(row, names).values()]
                sheet.write_row(number, 0, [_truncate(each) for each in cells])
        file.seek(0)
        while block := file.read(CHUNK_SIZE):
            yield block


def _truncate(value: object) -> object:
    return value[:MAX_CHARACTERS] if isinstance(value, str) else value
