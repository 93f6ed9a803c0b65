"""The stats of a time range and of the previous one, from rollups as far as these are there."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import Error, transaction

from trackmate import selectors
from trackmate.dashboard.db.results import query_timeout, run_query
from trackmate.dashboard.db.statement_timeout import StatementTimeoutError, lock_timeout
from trackmate.diagnostics import summarize_error
from trackmate.selectors import RollupSet

if TYPE_CHECKING:
    from trackmate.dashboard.time_ranges import TimeRange
    from trackmate.selectors import PeriodStats, Rows

logger = logging.getLogger("trackmate")

BUILD_SECONDS = 0.15
"""How long a page builds missing rollups; later pages and `trackmate_rollup` build the rest."""

LOCK_MILLISECONDS = 100
"""How long it waits for another writer of a SQLite file; recording has precedence."""


def load_periods(rows: Rows, time_range: TimeRange) -> tuple[PeriodStats, PeriodStats]:
    """Return the stats of the previous time range and of the range itself.

    `rows` are not limited to either.
    """
    start, end = time_range.bounds()
    times = (start - (end - start), time_range.start, time_range.end)

    def load() -> RollupSet:
        return run_query(lambda: selectors.rollups_for(rows, *times)).value or RollupSet()

    found = load()
    if found.missing and _build(rows.db, found):
        found = load()
    before, now = selectors.periods(rows, *times, rollups=found.rollups)
    return before, now


def _build(alias: str, found: RollupSet) -> int:
    """Build missing rollups, and return how many were stored."""
    if not transaction.get_autocommit(using=alias):
        return 0
    try:
        with lock_timeout(alias, milliseconds=LOCK_MILLISECONDS):
            return selectors.build_rollups(
                alias, found.missing, seconds=BUILD_SECONDS, guard=query_timeout
            )
    except (StatementTimeoutError, Error) as error:
        # A read-only database, for example.
        logger.debug("The dashboard could not build rollups: %s", summarize_error(error))
    except Exception as error:  # noqa: BLE001 (the page is right without rollups)
        logger.error("The dashboard could not build rollups: %s", summarize_error(error))
    return 0
