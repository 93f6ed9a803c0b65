"""Conditions put in such words that a database searches the index that was made for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db import connections
from django.db.models import Q
from django.db.models.expressions import Col
from django.db.models.lookups import (
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
)
from django.db.models.sql.where import AND

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from trackmate.models import ActivityLog

Row = TypeVar("Row")

LOWER = (GreaterThanOrEqual, GreaterThan)
UPPER = (LessThanOrEqual, LessThan)
"""The strict one last: of two conditions with the same key, it is the tighter one."""


def tightened(rows: QuerySet[ActivityLog, Row]) -> QuerySet[ActivityLog, Row]:
    """Return the same rows, with one condition at most on either end of their keys.

    SQLite searches an index by the first condition on it that it finds, and reads all rows between
    that one and a second, tighter one.
    """
    found = rows.all()
    where = found.query.where
    if where.connector != AND:
        # A rule of the project's, of which any part may hold.
        return found
    conditions = [each for each in where.children if _is_on_key(each, found)]
    lower = [each for each in conditions if isinstance(each, LOWER)]
    upper = [each for each in conditions if isinstance(each, UPPER)]
    tightest = [
        max(lower, key=lambda each: (each.rhs, isinstance(each, GreaterThan)), default=None),
        min(upper, key=lambda each: (each.rhs, not isinstance(each, LessThan)), default=None),
    ]
    idle = {id(each) for each in (*lower, *upper)} - {id(each) for each in tightest}
    where.children = [each for each in where.children if id(each) not in idle]
    return found


def oldest_first(rows: QuerySet[ActivityLog, Row], about: Q) -> QuerySet[ActivityLog, Row]:
    """Return the rows about something, the oldest first.

    PostgreSQL takes a value that many rows have to be everywhere, and looks for the oldest of them
    from the log's beginning on: through all of it, for an address that began to call today. A
    range of that one value, in the order of its own index, leaves it no such choice.
    """
    match about.negated, about.children:
        case False, [(("actor_id" | "route" | "ip_address") as name, value)] if _plans_so(rows):
            ends = {f"{name}__gte": value, f"{name}__lte": value}
            return rows.filter(**ends).order_by(name, "pk")
    return rows.filter(about).order_by("pk")


def _plans_so(rows: QuerySet[Any, Any]) -> bool:
    # The others take the index of an equation, and would not take it for a range.
    return connections[rows.db].vendor == "postgresql"


def _is_on_key(condition: Any, rows: QuerySet[Any, Any]) -> bool:
    """Say whether a condition compares a row's own key, and no other table's, with a known one."""
    column = getattr(condition, "lhs", None)
    return (
        isinstance(column, Col)
        and column.target is rows.model._meta.pk
        and column.alias == rows.query.base_table
        and isinstance(condition.rhs, UUID)
    )
