"""Activities as a file: exactly those that a list asks for, row by row and never all at once."""

from __future__ import annotations

import csv
import json
from codecs import BOM_UTF8
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder

from trackmate.clock import aware
from trackmate.selectors import PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trackmate.models import ActivityLog

COLUMNS = (
    "id",
    "action_time",
    "recorded_at",
    "source",
    "action_type",
    "action",
    "status",
    "status_code",
    "execution_time",
    "actor_id",
    "actor_label",
    "ip_address",
    "user_agent",
    "session_hash",
    "method",
    "path",
    "route",
    "request_id",
    "object_type",
    "object_id",
    "object_repr",
    "remarks",
    "extra",
    *PAYLOAD,
)
"""What a file holds; `object_type` is the label of the model, as in "shop.order"."""

TIMES = frozenset({"action_time", "recorded_at"})

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def columns(*, with_payload: bool) -> tuple[str, ...]:
    """Return the columns that a person may take out."""
    return COLUMNS if with_payload else tuple(name for name in COLUMNS if name not in PAYLOAD)


def write_ndjson(rows: Iterable[ActivityLog], names: Sequence[str]) -> Iterator[bytes]:
    """Write one JSON object a line."""
    for row in rows:
        text = json.dumps(values(row, names), ensure_ascii=False, cls=DjangoJSONEncoder)
        yield f"{text}\n".encode(errors="replace")


def write_csv(rows: Iterable[ActivityLog], names: Sequence[str]) -> Iterator[bytes]:
    """Write comma-separated values (RFC 4180) that no spreadsheet takes for formulas."""
    writer = csv.writer(_Line())
    yield writer.writerow(names)
    for row in rows:
        cells = [harmless(cell(value)) for value in values(row, names).values()]
        yield writer.writerow(cells)


def write_marked_csv(rows: Iterable[ActivityLog], names: Sequence[str]) -> Iterator[bytes]:
    """Write the same behind a byte order mark, which tells Excel that it is UTF-8."""
    yield BOM_UTF8
    yield from write_csv(rows, names)


def values(row: ActivityLog, names: Sequence[str]) -> dict[str, Any]:
    """Return what a row holds under some names, times in ISO 8601."""
    found = {}
    for name in names:
        value = getattr(row, name)
        found[name] = aware(value).isoformat() if name in TIMES and value else value
    found["id"] = str(row.pk)
    return found


def cell(value: Any) -> Any:
    """Return a value as what a table takes: a number, or a text."""
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, cls=DjangoJSONEncoder)
    return str(value)


def harmless(value: Any) -> Any:
    """Return a cell that is no formula, whatever blanks it begins with."""
    if isinstance(value, str) and (
        value.startswith(STARTS_A_FORMULA) or value.lstrip().startswith(STARTS_A_FORMULA)
    ):
        return f"'{value}"
    return value


class _Line:
    """What a csv.writer writes to: it gives each line back."""

    def write(self, text: str) -> bytes:
        return text.encode(errors="replace")
