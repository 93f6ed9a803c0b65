"""The stretches of time that a page counts, with the rollups that there are or that it makes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import Error, transaction

from trackmate import selectors
from trackmate.dashboard.answers import answer, within_budget
from trackmate.dashboard.budget import BudgetExceededError, lock_budget
from trackmate.dashboard.charts import span
from trackmate.diagnostics import summarize_error
from trackmate.selectors import Rolled

if TYPE_CHECKING:
    from datetime import datetime

    from trackmate.dashboard.windows import Window
    from trackmate.selectors import Rows, Stretch

logger = logging.getLogger("trackmate")

FILL_SECONDS = 0.15
"""How long a page goes on to roll up what is missing; the rest is for the next page, and for
`manage.py trackmate_rollup`."""

LOCK_MILLISECONDS = 100
"""How long it waits for whoever writes to a SQLite file, where recording comes first."""


def stretches(rows: Rows, window: Window) -> tuple[Stretch, Stretch]:
    """Return the range of the same length before a range of time, and the range itself.

    `rows` are not limited to either.
    """
    start, end = span(window)
    moments = (start - (end - start), window.start, window.end)
    before, now = selectors.stretches(rows, *moments, rolled=_rolled(rows, moments))
    return before, now


def _rolled(rows: Rows, moments: tuple[datetime, datetime, datetime | None]) -> Rolled:
    # Where there are no rollups to be had, the rows themselves have the answer.
    found = answer(lambda: selectors.rolled(rows, *moments)).value or Rolled()
    if _fill(rows.db, found):
        return answer(lambda: selectors.rolled(rows, *moments)).value or Rolled()
    return found


def _fill(alias: str, found: Rolled) -> int:
    if not (found.missing or found.unsummed) or not transaction.get_autocommit(using=alias):
        return 0
    try:
        with lock_budget(alias, milliseconds=LOCK_MILLISECONDS):
            return selectors.fill(alias, found, seconds=FILL_SECONDS, guard=within_budget)
    except (BudgetExceededError, Error) as error:
        # A database that is only for reading, for example.
        logger.debug("The dashboard could not roll up the log: %s", summarize_error(error))
        return 0
