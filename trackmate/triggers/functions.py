"""The functions that triggers call, as SQL: each writes rows of the log from a query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from trackmate.activity import label_of
from trackmate.enums import ActionType, Source, Status
from trackmate.models import ActivityLog
from trackmate.redaction.known_secrets import MASK
from trackmate.triggers.columns import name_of, type_of
from trackmate.triggers.conversions import Place
from trackmate.triggers.names import CONTEXT, HOUR, MARK, literal, quote
from trackmate.triggers.secrets import is_secret_name

ROWS = {"insert": ("", "new_rows"), "update": ("old_rows", "new_rows"), "delete": ("old_rows", "")}
"""The transition tables of each kind of statement: the rows before it and after it."""

_OF_CONTEXT = frozenset(
    {
        "actor_id", "actor_label", "impersonator_id", "impersonator_label", "tenant", "ip_address",
        "user_agent", "session_hash", "method", "path", "route", "request_id", "trace_id", "reason",
        "extra",
    }
)  # fmt: skip
"""The columns of the log that come from the context."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger of a table, and its function."""

    table: str
    name: str
    event: str
    """As SQL: "AFTER INSERT"."""
    function: str
    body: str
    """The source of the function."""
    options: str
    kind: str = "TRIGGER"

    def create(self, schema: str, table: str) -> Iterator[str]:
        """Yield the statements that create it for a table, or replace one that is there."""
        tag = "$trackmate$"
        while tag in self.body:
            tag = f"{tag[:-1]}_$"
        function, on = quote(schema, self.function), quote(schema, table)
        yield (
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql"
            f" AS {tag}{self.body}{tag}"
        )
        # A constraint trigger cannot be replaced.
        yield f"DROP TRIGGER IF EXISTS {quote(self.name)} ON {on}"
        yield (
            f"CREATE {self.kind} {quote(self.name)} {self.event} ON {on} {self.options}"
            f" EXECUTE FUNCTION {function}()"
        )


def for_each_statement(statement: str) -> str:
    """Return the options of a trigger for INSERT, UPDATE or DELETE."""
    old, new = ROWS[statement]
    tables = (f"OLD TABLE AS {old}" if old else "", f"NEW TABLE AS {new}" if new else "")
    return f"REFERENCING {' '.join(filter(None, tables))} FOR EACH STATEMENT"


def present_rows(table: str, alias: str, types: Mapping[str, str]) -> str:
    """Return SQL for a transition table, in which columns that are gone by now are NULL.

    Otherwise every write would fail from the migration that renames or drops a column until the
    triggers are installed again. A name that the table does not have is that of the outer row.
    """
    missing = ", ".join(f"NULL::{kind} AS {quote(name)}" for name, kind in types.items())
    present = ", ".join(f"{quote(name)}::{kind} AS {quote(name)}" for name, kind in types.items())
    return f"""(
        SELECT _tm_row.* FROM (SELECT {missing}) AS _tm_missing
        CROSS JOIN LATERAL (SELECT {present} FROM {table}) AS _tm_row
    ) AS {alias}"""


def function_body(model: type[Model], rows: str, place: Place) -> str:
    """Return the source of a function that writes a row of the log for each of some rows.

    Those have `verb`, `key`, the text of the JSON of `changes` without its braces, and `extra`.
    """
    columns = _columns(model, place)
    types = {
        field.attname: type_of(field, place.connection)
        for field in ActivityLog._meta.concrete_fields
        if field.attname in _OF_CONTEXT
    }
    context = ", ".join(f"{quote(name)} {kind}" for name, kind in types.items())
    return f"""
#variable_conflict use_column
DECLARE
    _tm_context jsonb := coalesce(nullif(current_setting('{CONTEXT}', true), ''), '{{}}');
    _tm_now timestamptz := clock_timestamp();
    _tm_us bigint := extract(epoch FROM _tm_now) * 1000000;
    -- UUID version 7, as clock.py makes it
    _tm_id text := lpad(to_hex(_tm_us / 1000), 12, '0') || '7'
        || lpad(to_hex(_tm_us % 1000 * 4096 / 1000), 3, '0');
    _tm_hour text := _tm_us / 3600000000;
BEGIN
    IF _tm_context ? 'off' THEN
        RETURN NULL;
    END IF;
    IF current_setting('{HOUR}', true) IS DISTINCT FROM _tm_hour THEN
        PERFORM set_config('{HOUR}', _tm_hour, true), set_config('{MARK}', 'on', true);
    END IF;
    INSERT INTO {place.log} ({", ".join(map(quote, columns))})
    SELECT {", ".join(columns.values())}
    -- OFFSET: so that nothing is computed for each of its uses
    FROM ({rows} OFFSET 0) AS r
    CROSS JOIN jsonb_to_record(_tm_context) AS c({context});
    RETURN NULL;
END
"""


def _columns(model: type[Model], place: Place) -> dict[str, str]:
    """Return the columns of the log, each with SQL for its value."""
    label, name = label_of(model), model.__name__
    app_label, model_name = label.split(".")
    named = literal(f"{name} (") + " || r.key || ')'"
    values = {
        "id": "(_tm_id || substr(gen_random_uuid()::text, 20))::uuid",
        "action_time": "_tm_now",
        "recorded_at": "_tm_now",
        "source": literal(Source.MODEL.value),
        "action": f"left({literal(f'{label}.')} || r.verb, 255)",
        "action_type": f"CASE r.verb WHEN 'create' THEN {literal(ActionType.CREATE.value)}"
        f" WHEN 'update' THEN {literal(ActionType.UPDATE.value)}"
        f" ELSE {literal(ActionType.DELETE.value)} END",
        "status": literal(Status.SUCCESS.value),
        "content_type_id": "CASE WHEN r.key IS NOT NULL THEN (SELECT id FROM"
        f" {place.content_types} WHERE app_label = {literal(app_label)}"
        f" AND model = {literal(model_name)}) END",
        "object_id": "left(r.key, 255)",
        "object_repr": literal(MASK)
        if is_secret_name(model_name)
        else f"coalesce(left({named}, 255), '')",
        "changes": "CASE WHEN r.changes <> '' THEN ('{' || r.changes || '}')::jsonb END",
        "extra": "nullif(coalesce(c.extra, '{}') || coalesce(r.extra, '{}'), '{}')",
    }
    return {
        name_of(field): values.get(field.attname) or _default(field)
        for field in ActivityLog._meta.concrete_fields
    }


def _default(field: Any) -> str:
    value = f"c.{quote(field.attname)}" if field.attname in _OF_CONTEXT else "NULL"
    return value if field.null else f"coalesce({value}, '')"
