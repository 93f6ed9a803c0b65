"""Asking the log: every read keeps the time budget, and a read that fails becomes a state."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.db import Error

from trackmate.conf import get_settings
from trackmate.dashboard.budget import BudgetExceededError, time_budget

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

logger = logging.getLogger("trackmate")


class State(StrEnum):
    """What a list has to say; each has a template of its own."""

    ROWS = "rows"
    EMPTY = "empty"
    NO_MATCH = "no_match"
    INVALID = "invalid"
    TOO_SLOW = "too_slow"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a read found, or why it found nothing."""

    value: Any = None
    state: State | None = None

    @property
    def is_too_slow(self) -> bool:
        """Say whether the database stopped looking."""
        return self.state == State.TOO_SLOW


def answer(find: Callable[[], Any]) -> Answer:
    """Look for something within the time budget; one part that fails does not take the page."""
    try:
        with within_budget():
            return Answer(value=find())
    except (BudgetExceededError, Error) as error:
        return Answer(state=failure(error))


def within_budget() -> AbstractContextManager[None]:
    """Return the guard for every read of the log."""
    settings = get_settings()
    return time_budget(settings.DATABASE, milliseconds=settings.QUERY_TIMEOUT)


def failure(error: Exception) -> State:
    """Return the state that tells of a failed read, and leave the reason to the site's own log."""
    if isinstance(error, BudgetExceededError):
        return State.TOO_SLOW
    logger.error("The dashboard could not read the log: %s", error, exc_info=error)
    return State.UNAVAILABLE
