"""Asking the log: every read keeps the time budget, and a read that fails becomes a state."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.db import Error

from trackmate.conf import get_settings
from trackmate.dashboard.budget import BudgetExceededError, time_budget
from trackmate.diagnostics import summarize_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

PATIENCE = 10
"""How many times its budget a read gets when somebody says that he will wait."""

_patience = ContextVar("trackmate_patience", default=1)

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


def within_budget(milliseconds: int | None = None) -> AbstractContextManager[None]:
    """Return the guard for every read of the log; without a number, with the budget of now."""
    limit = budget() if milliseconds is None else milliseconds
    return time_budget(get_settings().DATABASE, milliseconds=limit)


def budget() -> int:
    """Return how many milliseconds a read may take."""
    return get_settings().QUERY_TIMEOUT * _patience.get()


@contextmanager
def patience(*, is_asked: bool) -> Iterator[None]:
    """Give reads in this block more time, if somebody asks for it."""
    token = _patience.set(PATIENCE if is_asked else 1)
    try:
        yield
    finally:
        _patience.reset(token)


def failure(error: Exception) -> State:
    """Return the state that tells of a failed read, and leave the reason to the site's own log."""
    if isinstance(error, BudgetExceededError):
        return State.TOO_SLOW
    logger.error("The dashboard could not read the log: %s", summarize_error(error))
    return State.UNAVAILABLE
