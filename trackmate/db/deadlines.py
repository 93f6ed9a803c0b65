"""Deadlines for database operations."""

from __future__ import annotations

from time import monotonic

from django.db import OperationalError


class DeadlineExceededError(OperationalError):
    """The database did not respond in time; its connection is closed."""


class Deadline:
    """A point in time on the monotonic clock."""

    __slots__ = ("_end", "was_missed")

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds
        self.was_missed = False
        """True once an operation was given up."""

    def remaining(self) -> float:
        """Return the remaining seconds. Raise DeadlineExceededError if there are none."""
        seconds = self._end - monotonic()
        if seconds <= 0:
            self.was_missed = True
            raise DeadlineExceededError("the database did not answer in time")
        return seconds
