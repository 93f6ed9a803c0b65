"""The triggers of the table of a many-to-many relation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Field, ManyToManyRel

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
from trackmate.triggers.names import PREFIX, fit_name, literal, quote

MAX_TARGETS = 1_000
"""Objects that one change lists."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a many-to-many relation, as a registered model has it."""

    registration: Registration
    name: str
    """The name of the field, or of the accessor on the other side."""
    table: str
    owner: Field[Any, Any]
    """The foreign key to the model."""
    other: Field[Any, Any]
    """The one to the model on the other side."""

    def trigger_name(self, statement: str) -> str:
        """Return the name of the trigger for INSERT, UPDATE or DELETE."""
        return fit_name(f"{PREFIX}m2m_{statement}_{self.name}")

    def trigger(self, statement: str, place: Place) -> Trigger:
        """Return that trigger."""
        rows = self._rows(statement, place)
        return Trigger(
            table=self.table,
            name=self.trigger_name(statement),
            event=f"AFTER {statement.upper()}",
            options=for_each_statement(statement),
            function=fit_name(f"{PREFIX}m2m_{statement}_{self.name}_{self.table}"),
            body=function_body(self.registration.model, rows, place),
        )

    def _rows(self, statement: str, place: Place) -> str:
        """Return the query for the objects whose relations a statement has changed."""
        columns = (name_of(self.owner), name_of(self.other))
        types = {
            name_of(each): type_of(each, place.connection) for each in (self.owner, self.other)
        }
        names = f"r.{quote(columns[0])} AS owner, r.{quote(columns[1])} AS other"
        sides = " UNION ALL ".join(
            f"SELECT {names}, {sign} AS sign FROM {present_rows(rows, 'r', types)}"
            for rows, sign in zip(ROWS[statement], (-1, 1), strict=True)
            if rows
        )
        value = TriggerColumn.of(self.other, self.registration, place).to_json("other")
        head = literal(f'{json.dumps(self.name)}:{{"added":')
        middle = literal(',"removed":')
        return f"""
        SELECT 'update'::text AS verb,
            {key_as_text(self.owner, "owner", place)} AS key,
            {head} || {_listed(value, "sign > 0")} || {middle} || {_listed(value, "sign < 0")}
                || '}}' AS changes,
            NULL::jsonb AS extra
        FROM (
            SELECT owner, other, sum(sign) AS sign FROM ({sides}) AS _tm_sides
            GROUP BY owner, other HAVING sum(sign) <> 0
        ) AS _tm_net WHERE owner IS NOT NULL AND other IS NOT NULL GROUP BY owner
    """


def sides_of(registration: Registration) -> Iterator[Side]:
    """Yield the recorded many-to-many relations of a model; those of a parent are the parent's."""
    meta = registration.model._meta
    for field in meta.local_many_to_many:
        if registration.records_m2m(field.name):
            owner, other = _foreign_keys(field)
            yield Side(registration, field.name, field.m2m_db_table(), owner, other)
    relations: list[Any] = [
        each
        for each in meta.related_objects
        # `related_objects` has those of parents as well.
        if isinstance(each, ManyToManyRel) and each.model is registration.model
    ]
    for relation in relations:
        field = relation.field
        name = relation.get_accessor_name()
        if name and registration.records_m2m(name):
            owner, other = _foreign_keys(field)
            yield Side(registration, name, field.m2m_db_table(), other, owner)


def _foreign_keys(field: Any) -> tuple[Any, Any]:
    through = field.remote_field.through._meta
    return (
        through.get_field(field.m2m_field_name()),
        through.get_field(field.m2m_reverse_field_name()),
    )


def _listed(value: str, condition: str) -> str:
    """Return SQL for the JSON text of a list of related objects, cut if it is long."""
    values = f"array_agg({value} ORDER BY other) FILTER (WHERE {condition})"
    missing = f"count(*) FILTER (WHERE {condition}) - {MAX_TARGETS}"
    return (
        f"'[' || coalesce(array_to_string(({values})[1:{MAX_TARGETS}], ','), '')"
        f" || CASE WHEN {missing} > 0 THEN ',\"[' || {missing} || ' more]\"' ELSE '' END || ']'"
    )
