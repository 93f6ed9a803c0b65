"""Conditions put in such words that a database searches the index that was made for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db.models.expressions import Col
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
)

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


def oldest_first(rows: QuerySet[ActivityLog, Row]) -> QuerySet[ActivityLog, Row]:
    """Return the same rows, the oldest first, by the index of what they have in common.

    PostgreSQL takes a value that many rows have to be everywhere, and looks for the oldest of them
    from the log's beginning on: through all of it, for an address that began to call today. An
    order by that column too would not help, since an equation makes it idle; a range does not.
    """
    found = rows.all()
    where = found.query.where
    conditions: list[Any] = [each for each in where.children if _is_indexed(each, found)]
    if not conditions:
        return found.order_by("pk")
    *_others, shared = conditions
    column = shared.lhs
    ends = [column.get_lookup(name)(column, shared.rhs) for name in ("gte", "lte")]
    where.children = [each for each in where.children if each is not shared] + ends
    return found.order_by(column.target.attname, "pk")


def _is_indexed(condition: Any, rows: QuerySet[Any, Any]) -> bool:
    """Say whether a condition wants a known value in a column with which an index begins, and
    which has the row's key next."""
    column = getattr(condition, "lhs", None)
    indexes = (index.fields for index in rows.model._meta.indexes)
    begun = {first for first, *rest in indexes if rest == [rows.model._meta.pk.name]}
    return (
        isinstance(condition, Exact)
        and isinstance(column, Col)
        and column.alias == rows.query.base_table
        and column.target.name in begun
        and not hasattr(condition.rhs, "resolve_expression")
    )


def _is_on_key(condition: Any, rows: QuerySet[Any, Any]) -> bool:
    """Say whether a condition compares a row's own key, and no other table's, with a known one."""
    column = getattr(condition, "lhs", None)
    return (
        isinstance(column, Col)
        and column.target is rows.model._meta.pk
        and column.alias == rows.query.base_table
        and isinstance(condition.rhs, UUID)
    )
