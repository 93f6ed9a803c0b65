"""The triggers of the table of a model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Field, Model

from trackmate.registry import Registration
from trackmate.triggers.columns import TriggerColumn, key_as_text, name_of, type_of
from trackmate.triggers.conversions import Place
from trackmate.triggers.functions import (
    ROWS,
    Trigger,
    for_each_statement,
    function_body,
    present_rows,
)
from trackmate.triggers.names import PREFIX, VERBS, fit_name, literal, quote

TABLE_NAMES = [f"{PREFIX}{each}" for each in (*VERBS, "truncate")]
"""The names of the triggers that a table can have."""

_MAX_ARGUMENTS = 90
"""PostgreSQL's functions take 100."""


class ModelTable:
    """The table of a registered model; a parent's columns are recorded of the parent."""

    def __init__(self, registration: Registration, place: Place) -> None:
        self.model: type[Model] = registration.model
        self.place = place
        meta: Any = self.model._meta
        self.table: str = meta.db_table
        self.columns = [
            TriggerColumn.of(field, registration, place)
            for field in registration.fields
            # Those that are computed when they are read are in no row.
            if field in meta.local_concrete_fields and getattr(field, "db_persist", True)
        ]
        self.keys: Sequence[Field[Any, Any]] = meta.pk_fields

    def trigger(self, statement: str) -> Trigger:
        """Return the trigger for INSERT, UPDATE or DELETE."""
        rows = self._updated_rows() if statement == "update" else self._whole_rows(statement)
        return Trigger(
            table=self.table,
            name=f"{PREFIX}{statement}",
            event=f"AFTER {statement.upper()}",
            options=for_each_statement(statement),
            function=fit_name(f"{PREFIX}{statement}_{self.table}"),
            body=function_body(self.model, rows, self.place),
        )

    def truncate_trigger(self) -> Trigger:
        """Return the trigger for TRUNCATE, which records that it was done, and no more."""
        extra = literal(json.dumps({"bulk": True, "table": self.table, "verb": "TRUNCATE"}))
        rows = (
            "SELECT 'delete'::text AS verb, NULL::text AS key, NULL::text AS changes,"
            f" {extra}::jsonb AS extra"
            # Not where a test empties all tables, the log's among them.
            f" WHERE EXISTS (SELECT FROM {self.place.log})"
        )
        return Trigger(
            table=self.table,
            name=f"{PREFIX}truncate",
            event="AFTER TRUNCATE",
            options="FOR EACH STATEMENT",
            function=fit_name(f"{PREFIX}truncate_{self.table}"),
            body=function_body(self.model, rows, self.place),
        )

    def _whole_rows(self, statement: str) -> str:
        """Return the query for rows that were inserted or deleted."""
        old, new = ROWS[statement]
        before, after = ("", "null,") if statement == "delete" else ("null,", "")
        end = ",null]" if after else "]"
        changes = [
            f"{literal(f'{json.dumps(each.name)}:[{before}')} || {each.to_json(each.of_row('r'))}"
            f" || {literal(end)}"
            for each in self.columns
        ]
        return f"""
        SELECT {literal(VERBS[statement])} AS verb, {self._key("r")} AS key,
            {_joined(changes)} AS changes, NULL::jsonb AS extra
        FROM {self._rows(old or new, "r")} WHERE {self._key("r")} IS NOT NULL
    """

    def _updated_rows(self) -> str:
        """Return the query for the rows that an UPDATE has changed.

        If it has changed a key, an object is gone, and there is a new one.
        """
        pairs = " AND ".join(f"o.{name} = n.{name}" for name in self._key_names())
        first = self._key_names()[0]
        is_changed = " OR ".join(
            each.differs(each.of_row("o"), each.of_row("n"))
            for each in self.columns
            if not each.is_silent
        )
        # The join of all rows rules out nested loops, which the plan for a few rows would have.
        return f"""
        SELECT
            CASE WHEN o.{first} IS NULL THEN 'create' WHEN n.{first} IS NULL THEN 'delete'
                ELSE 'update' END AS verb,
            coalesce({self._key("n")}, {self._key("o")}) AS key,
            {_joined(map(self._difference, self.columns))} AS changes, NULL::jsonb AS extra
        FROM {self._rows("old_rows", "o")} FULL JOIN {self._rows("new_rows", "n")} ON {pairs}
        WHERE (o.{first} IS NOT NULL OR n.{first} IS NOT NULL)
            AND ({is_changed or "false"} OR o.{first} IS NULL OR n.{first} IS NULL)
    """

    def _difference(self, column: TriggerColumn) -> str:
        """Return SQL for the JSON text of a column's change, or NULL if there is none."""
        old, new = column.of_row("o"), column.of_row("n")
        name = literal(f"{json.dumps(column.name)}:[")
        pair = column.to_json_pair(old, new)
        return f"CASE WHEN {column.differs(old, new)} THEN {name} || {pair} || ']' END"

    def _rows(self, table: str, alias: str) -> str:
        types = {each.column: each.type for each in self.columns}
        types |= {name_of(each): type_of(each, self.place.connection) for each in self.keys}
        return present_rows(table, alias, types)

    def _key_names(self) -> list[str]:
        return [quote(name_of(each)) for each in self.keys]

    def _key(self, row: str) -> str:
        texts = [
            key_as_text(each, f"{row}.{quote(name_of(each))}", self.place) for each in self.keys
        ]
        return texts[0] if len(texts) == 1 else f"jsonb_build_array({', '.join(texts)})::text"


def _joined(texts: Iterable[str]) -> str:
    """Return SQL for texts with commas between them, without those that are NULL."""
    parts = list(texts)
    while len(parts) > 1:
        chunks = [parts[at : at + _MAX_ARGUMENTS] for at in range(0, len(parts), _MAX_ARGUMENTS)]
        parts = [f"nullif(concat_ws(',', {', '.join(chunk)}), '')" for chunk in chunks]
    return parts[0] if parts else "NULL::text"
