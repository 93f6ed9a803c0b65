"""Queries of the dashboard: each has a timeout, and one that fails is a state and not an error."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import Error

from trackmate.conf import get_settings
from trackmate.dashboard.db.statement_timeout import StatementTimeoutError, statement_timeout
from trackmate.db.transactions import protected_transactions
from trackmate.diagnostics import summarize_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

Data = TypeVar("Data")

EXTENDED_FACTOR = 10
"""By how much the timeout is longer for those who search without the limit."""

_factor = ContextVar("trackmate_timeout_factor", default=1)

logger = logging.getLogger("trackmate")


class ListState(StrEnum):
    """What a list shows; each state has a template."""

    ROWS = "rows"
    EMPTY = "empty"
    NO_MATCH = "no_match"
    INVALID = "invalid"
    TOO_SLOW = "too_slow"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """What a query returned, or why it did not."""

    value: Any = None
    state: ListState | None = None

    @property
    def is_too_slow(self) -> bool:
        """Return True if the query was stopped."""
        return self.state == ListState.TOO_SLOW


def run_query(query: Callable[[], Any], *, timeout: int | None = None) -> QueryResult:
    """Return the result of a query, run with a timeout in milliseconds.

    Whatever it raises is logged and becomes a state, so that one part that fails does not take the
    page with it.
    """
    try:
        with query_timeout(timeout):
            return QueryResult(value=query())
    except Exception as error:  # noqa: BLE001 (the rest of the page is still of use)
        return QueryResult(state=failure(error))


def read_user_data(read: Callable[[], Data]) -> Data | None:
    """Read what is stored for a user, or return None and log the error: the page does without it.

    That happens between an upgrade and its `migrate`, for example.
    """
    try:
        with protected_transactions():
            return read()
    except Error as error:
        logger.error("The dashboard could not read a user's data: %s", summarize_error(error))
        return None


def query_timeout(milliseconds: int | None = None) -> AbstractContextManager[None]:
    """Return the context in which queries are stopped after some milliseconds, or after as many as
    the setting allows."""
    limit = current_timeout()
    if milliseconds is not None:
        limit = min(milliseconds, limit) if limit else milliseconds
    return statement_timeout(get_settings().DATABASE, milliseconds=limit)


def current_timeout() -> int:
    """Return how many milliseconds a query may take; 0 for no limit."""
    return get_settings().QUERY_TIMEOUT * _factor.get()


@contextmanager
def extended_timeout(*, is_extended: bool) -> Iterator[None]:
    """Give the queries in this block more time."""
    token = _factor.set(EXTENDED_FACTOR if is_extended else 1)
    try:
        yield
    finally:
        _factor.reset(token)


def failure(error: Exception) -> ListState:
    """Return the state for a query that failed; the reason is logged."""
    if isinstance(error, StatementTimeoutError):
        return ListState.TOO_SLOW
    logger.error("The dashboard could not read the log: %s", summarize_error(error))
    return ListState.UNAVAILABLE
