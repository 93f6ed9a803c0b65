"""Writers of export files: row by row, never all rows in memory."""

from __future__ import annotations

import csv
import json
from codecs import BOM_UTF8
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder

from trackmate.clock import aware
from trackmate.dashboard.dimensions import dimensions
from trackmate.selectors import PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from trackmate.dashboard.dimensions import Dimension
    from trackmate.models import ActivityLog

TIME_FIELDS = frozenset({"action_time", "recorded_at"})

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def export_columns(may_see: Callable[[Dimension], bool], *, with_payload: bool) -> tuple[str, ...]:
    """Return the columns of a file: those of the dimensions that a person may see, then the rest.

    `object_type` is the label of the model, as in "shop.order".
    """
    visible = filter(may_see, dimensions().values())
    names = (name for dimension in visible for name in dimension.export_fields or ())
    payload = PAYLOAD if with_payload else ()
    return tuple(dict.fromkeys(("id", *names, "remarks", "extra", *payload)))


def payload_needed(may_see: Callable[[Dimension], bool]) -> set[str]:
    """Return the payload fields that the dimensions which a person may see are read from."""
    visible = (each for each in dimensions().values() if each.export_fields and may_see(each))
    return {name for each in visible for name in each.fields} & {*PAYLOAD}


def write_ndjson(rows: Iterable[ActivityLog], names: Sequence[str]) -> Iterator[bytes]:
    """Write one JSON object a line."""
    for row in rows:
        text = json.dumps(values(row, names), ensure_ascii=False, cls=DjangoJSONEncoder)
        yield f"{text}\n".encode(errors="replace")


def write_csv(rows: Iterable[ActivityLog], names: Sequence[str]) -> Iterator[bytes]:
    """Write comma-separated values (RFC 4180), none of which a spreadsheet takes for a formula."""
    writer = csv.writer(_Line())
    yield writer.writerow(names)
    for row in rows:
        cells = [escape_formula(cell(value)) for value in values(row, names).values()]
        yield writer.writerow(cells)


def write_marked_csv(rows: Iterable[ActivityLog], names: Sequence[str]) -> Iterator[bytes]:
    """Write the same after a byte order mark, by which Excel recognizes UTF-8."""
    yield BOM_UTF8
    yield from write_csv(rows, names)


def values(row: ActivityLog, names: Sequence[str]) -> dict[str, Any]:
    """Return the values of a row by column, times in ISO 8601."""
    found = {}
    for name in names:
        custom = None if hasattr(row, name) else dimensions()[name]
        value = custom.value_of(row) if custom else getattr(row, name)
        found[name] = aware(value).isoformat() if name in TIME_FIELDS and value else value
    found["id"] = str(row.pk)
    return found


def cell(value: Any) -> Any:
    """Return a value as a number or a text."""
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, cls=DjangoJSONEncoder)
    return str(value)


def escape_formula(value: Any) -> Any:
    """Return a cell that is not a formula, with or without blanks in front."""
    if isinstance(value, str) and (
        value.startswith(FORMULA_STARTS) or value.lstrip().startswith(FORMULA_STARTS)
    ):
        return f"'{value}"
    return value


class _Line:
    """A file for `csv.writer` that returns each line."""

    def write(self, text: str) -> bytes:
        return text.encode(errors="replace")
