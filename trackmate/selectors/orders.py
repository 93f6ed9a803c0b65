"""How rows are sorted, and where the next page of them goes on.

Rows with the same value stand newest first, and rows without one come last, whichever way the
column runs; so every row has its place, and a page can go on behind any of them without counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import F, Q, QuerySet

from trackmate.selectors.bounds import tightened

if TYPE_CHECKING:
    from django.db.models.expressions import OrderBy

    from trackmate.models import ActivityLog

    Rows = QuerySet[ActivityLog]

CLOCK = "pk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The column by which rows are sorted, and the way it runs."""

    column: str = CLOCK
    is_descending: bool = True

    def sort(self, rows: Rows, *, backwards: bool = False) -> Rows:
        """Sort rows; `backwards` from the last one to the first."""
        if self.column == CLOCK:
            return rows.order_by("-pk" if self.is_descending != backwards else "pk")
        return rows.order_by(self._by_value(backwards=backwards), "pk" if backwards else "-pk")

    def behind(self, rows: Rows, cursor: UUID, among: Rows, *, backwards: bool = False) -> Rows:
        """Keep the rows that follow the row `cursor`, which is looked up `among` others; all of
        them if it is gone."""
        if self.column == CLOCK:
            is_lower = self.is_descending != backwards
            return tightened(rows.filter(**{"pk__lt" if is_lower else "pk__gt": cursor}))
        found = among.filter(pk=cursor).values_list(self.column, flat=True)[:1]
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
