"""Ranges of keys: each end said once.

SQLite searches an index by the first condition on it that it finds, and reads all rows between
that one and a second, tighter one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models.lookups import (
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    lower, upper = _on_keys(where.children, LOWER), _on_keys(where.children, UPPER)
    tightest = [
        max(lower, key=lambda each: (each.rhs, isinstance(each, GreaterThan)), default=None),
        min(upper, key=lambda each: (each.rhs, not isinstance(each, LessThan)), default=None),
    ]
    idle = {id(each) for each in (*lower, *upper)} - {id(each) for each in tightest}
    where.children = [each for each in where.children if id(each) not in idle]
    return found


def _on_keys(conditions: Sequence[Any], kinds: tuple[type[Any], ...]) -> list[Any]:
    """Return those of some conditions that all have to hold which bound the key on one end."""
    return [each for each in conditions if isinstance(each, kinds) and each.lhs.target.primary_key]
