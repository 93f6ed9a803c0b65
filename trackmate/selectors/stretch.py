"""Figures of a stretch of time from its rows, each by one query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trackmate.clock import aware, lowest_uuid7
from trackmate.enums import ActionType, Status
from trackmate.selectors import counts
from trackmate.selectors.pages import newest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from trackmate.enums import Source
    from trackmate.models import ActivityLog
    from trackmate.selectors.counts import Bucket, Figure, Summary, Top
    from trackmate.selectors.pages import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The rows from one moment to another, counted in different ways, each by one query."""

    every: Rows
    """The same rows, but of any time."""
    start: datetime
    end: datetime | None
    """None for no end."""

    @property
    def rows(self) -> Rows:
        """The rows themselves."""
        rows = self.every.filter(pk__gte=lowest_uuid7(aware(self.start)))
        return rows if self.end is None else rows.filter(pk__lt=lowest_uuid7(aware(self.end)))

    def summary(self) -> Summary:
        """Return the rows' figures."""
        return counts.summary(self.rows)

    def latencies(self) -> tuple[int, ...]:
        """Count the rows by execution time, as `selectors.latencies()` does."""
        return counts.latencies(self.rows)

    def histogram(self, bounds: Sequence[datetime]) -> tuple[Bucket, ...]:
        """Count rows of any time between each two neighbours of `bounds`."""
        return counts.histogram(self.every, bounds)

    def newest_failures(self, number: int) -> tuple[ActivityLog, ...]:
        """Return the newest rows that failed, so many of them."""
        return newest(self.rows.filter(status=Status.FAILED), number)

    def facets(self, *columns: str) -> dict[str, tuple[Top, ...]]:
        """Return how often each value of some columns with few of them occurs."""
        return counts.facets(self.rows, *columns)

    def having(self, tops: tuple[Top, ...], *columns: str) -> dict[tuple[Any, ...], int]:
        """Count the rows that have the values of one of `tops`, which lead in these columns."""
        return counts.having(self.rows, tops, *columns)

    def actors(self) -> tuple[Top, ...]:
        """Return who did most."""
        return counts.top(self.rows, "actor", "actor_label")

    def routes(self, *, by: Figure = "count", source: Source | None = None) -> tuple[Top, ...]:
        """Return which routes lead in a figure, of all sources or of one."""
        rows = self.rows if source is None else self.rows.filter(source=source)
        return counts.top(rows, "route", by=by)

    def addresses(self) -> tuple[Top, ...]:
        """Return from where most came."""
        return counts.top(self.rows, "ip_address")

    def refused(self) -> tuple[Top, ...]:
        """Return from where most logins failed."""
        refused = self.rows.filter(action_type=ActionType.LOGIN_FAILED, status=Status.FAILED)
        return counts.top(refused, "ip_address", by="failed")
