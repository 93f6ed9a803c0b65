"""The circuit breaker between the threads of a process and the database of the log.

As long as it is closed, activities are stored at once, by one thread at a time. A thread that finds
another one waiting for the database does not wait with it, and once a write has failed nobody asks
the database until a probe finds that it stores rows again. Each schema has a state of its own: a
tenant whose table is missing keeps no other one from being stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from trackmate.processes import at_fork

MAX_WAIT = 0.05
"""Seconds that a thread waits for the write of another one."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
"""Seconds between two probes; each pause is twice the one before."""

OPEN = "the database failed a moment ago"
BUSY = "the database keeps another thread waiting"


@dataclass(slots=True)
class Failure:
    """What is known of a schema whose circuit is open."""

    is_responding: bool
    """Whether the server answered, if only with an error."""
    pause: float = FIRST_PAUSE
    probe_at: float = 0.0


class Circuit:
    """Says whether the database may be asked now."""

    def __init__(self) -> None:
        self._reset()
        at_fork(self._reset)

    def _reset(self) -> None:
        self._lock = Lock()
        self._busy_since = float("inf")
        self._failures: dict[str, Failure] = {}

    @contextmanager
    def enter(self, schema: str) -> Iterator[str]:
        """Enter to write. Yield why that is not possible now, or "" if it is."""
        if schema in self._failures:
            yield OPEN
        elif not self._acquire():
            yield BUSY
        else:
            self._busy_since = monotonic()
            try:
                # It may have been opened while this thread waited.
                yield OPEN if schema in self._failures else ""
            finally:
                self._busy_since = float("inf")
                self._lock.release()

    def _acquire(self) -> bool:
        if self._lock.acquire(blocking=False):
            return True
        is_stuck = monotonic() - self._busy_since >= MAX_WAIT
        return not is_stuck and self._lock.acquire(timeout=MAX_WAIT)

    def open(self, schema: str, *, is_responding: bool) -> None:
        """Let nobody write to a schema until a probe has succeeded."""
        self._failures[schema] = Failure(is_responding, probe_at=monotonic() + FIRST_PAUSE)

    def close(self, schema: str) -> None:
        """Let everybody write to it again."""
        self._failures.pop(schema, None)

    def is_open(self, schema: str) -> bool:
        """Return True if nobody may write to a schema."""
        return schema in self._failures

    def is_responding(self, schema: str) -> bool:
        """Return True unless the server was silent when it was asked last."""
        failure = self._failures.get(schema)
        return failure is None or failure.is_responding

    def probe_failed(self, schema: str) -> None:
        """Wait longer before the next probe."""
        if failure := self._failures.get(schema):
            failure.pause = min(failure.pause * 2, LONGEST_PAUSE)
            failure.probe_at = monotonic() + failure.pause

    @property
    def has_failures(self) -> bool:
        """Whether a circuit is open."""
        return bool(self._failures)

    def due(self) -> list[str]:
        """Return the schemas whose time for a probe has come."""
        now, failures = monotonic(), self._failures.copy()
        return [schema for schema, failure in failures.items() if failure.probe_at <= now]

    def next_probe(self) -> float:
        """Return the seconds until the next probe; infinite if every circuit is closed."""
        times = [failure.probe_at for failure in self._failures.copy().values()]
        return max(0.0, min(times) - monotonic()) if times else float("inf")
