"""Ranges of keys: each end said once.

SQLite searches an index by the first condition on it that it finds, and reads all rows between
that one and a second, tighter one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db.models.expressions import Col
from django.db.models.lookups import (
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
    """Return the same rows, with one condition at most on either end of their keys."""
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


def _is_on_key(condition: Any, rows: QuerySet[Any, Any]) -> bool:
    """Say whether a condition compares a row's own key, and no other table's, with a known one."""
    column = getattr(condition, "lhs", None)
    return (
        isinstance(column, Col)
        and column.target is rows.model._meta.pk
        and column.alias == rows.query.base_table
        and isinstance(condition.rhs, UUID)
    )
