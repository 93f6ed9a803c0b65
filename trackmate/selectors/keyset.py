"""Keyset pagination: ranges of keys, sort orders, and the rows that follow a given row.

Rows with equal values are newest first, and rows without a value are last, in both directions. So
each row has one position, and a page can start after any of them without counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID

from django.db.models import F, Q, QuerySet

from trackmate.clock import aware, lowest_uuid7
from trackmate.models import ActivityLog

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models.expressions import OrderBy

Row = TypeVar("Row")
Rows = QuerySet[ActivityLog]

CLOCK = "pk"
_LAST = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class KeyRange:
    """A range of primary keys, which is a time range: `first` included, `end` excluded.

    A query gets at most one bound on either side. SQLite searches an index by the first bound that
    it finds, and reads all rows between that one and a second, tighter one.
    """

    first: UUID | None = None
    end: UUID | None = None

    @classmethod
    def of_times(cls, start: datetime | None, end: datetime | None) -> Self:
        """Return the keys from one time (included) to another (excluded)."""
        first, last = (None if each is None else lowest_uuid7(aware(each)) for each in (start, end))
        return cls(first, last)

    @classmethod
    def before(cls, key: UUID) -> Self:
        """Return the keys lower than `key`."""
        return cls(end=key)

    @classmethod
    def after(cls, key: UUID) -> Self:
        """Return the keys higher than `key`."""
        return cls(first=UUID(int=min(key.int + 1, _LAST.int)))

    def intersect(self, other: KeyRange) -> KeyRange:
        """Return the keys in both ranges."""
        firsts = [each for each in (self.first, other.first) if each is not None]
        ends = [each for each in (self.end, other.end) if each is not None]
        return KeyRange(max(firsts, default=None), min(ends, default=None))

    @property
    def condition(self) -> Q:
        """The range as a condition."""
        bounds = {"pk__gte": self.first, "pk__lt": self.end}
        return Q(**{name: key for name, key in bounds.items() if key is not None})

    def filter(self, rows: QuerySet[ActivityLog, Row]) -> QuerySet[ActivityLog, Row]:
        """Return the rows in this range."""
        return rows.filter(self.condition)


ALL_KEYS = KeyRange()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The column by which rows are sorted, and the direction."""

    column: str = CLOCK
    is_descending: bool = True

    def sort(self, rows: Rows, *, backwards: bool = False) -> Rows:
        """Sort rows; `backwards` from the last to the first."""
        if self.column == CLOCK:
            return rows.order_by("-pk" if self.is_descending != backwards else "pk")
        return rows.order_by(self._by_value(backwards=backwards), "pk" if backwards else "-pk")

    def seek(
        self, rows: Rows, keys: KeyRange, cursor: UUID, among: Rows, *, backwards: bool = False
    ) -> Rows:
        """Return the rows in a range of keys that follow the row `cursor`, which is looked up in
        `among`; all of the range if that row is gone."""
        if self.column == CLOCK:
            is_lower = self.is_descending != backwards
            beyond = KeyRange.before(cursor) if is_lower else KeyRange.after(cursor)
            return keys.intersect(beyond).filter(rows)
        found = among.filter(pk=cursor).values_list(self.column, flat=True)[:1]
        rows = keys.filter(rows)
        return rows.filter(self._follows(cursor, found[0], backwards=backwards)) if found else rows

    def _by_value(self, *, backwards: bool) -> OrderBy:
        value = F(self.column)
        if self.is_descending != backwards:
            return value.desc(nulls_first=True) if backwards else value.desc(nulls_last=True)
        return value.asc(nulls_first=True) if backwards else value.asc(nulls_last=True)

    def _follows(self, cursor: UUID, value: Any, *, backwards: bool) -> Q:
        nothing = Q(**{f"{self.column}__isnull": True})
        is_next = Q(pk__gt=cursor) if backwards else Q(pk__lt=cursor)
        if value is None:
            return ~nothing | (nothing & is_next) if backwards else nothing & is_next
        is_lower = self.is_descending != backwards
        beyond = Q(**{f"{self.column}__{'lt' if is_lower else 'gt'}": value})
        same = Q(**{self.column: value}) & is_next
        return beyond | same if backwards else beyond | same | nothing


NEWEST_FIRST = Order()
