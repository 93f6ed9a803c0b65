"""Points in time by which a database has to answer."""

from __future__ import annotations

from time import monotonic

from django.db import OperationalError


class DeadlineExceededError(OperationalError):
    """A database did not answer in time; its connection is closed."""


class Deadline:
    """A point in time on a clock that never jumps."""

    __slots__ = ("_end", "was_missed")

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds
        self.was_missed = False
        """Whether something was given up."""

    def remaining(self) -> float:
        """Return the seconds that are left. Raise DeadlineExceededError if none are."""
        seconds = self._end - monotonic()
        if seconds <= 0:
            self.was_missed = True
            raise DeadlineExceededError("the database did not answer in time")
        return seconds
