"""The circuit breaker between the threads of a process and the database of the log.

While it is closed, threads write one at a time, and a thread does not wait for another one that is
stuck. When a write fails the circuit opens, and nobody queries the database until a probe succeeds.
Each schema has a circuit of its own, so that one tenant without a table does not affect others.
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
"""Seconds between two probes; each pause is twice the previous one."""

OPEN = "the database has just failed"
BUSY = "another thread is waiting for the database"


@dataclass(slots=True)
class Failure:
    """The state of an open circuit."""

    is_responding: bool
    """Whether the server responded, even with an error."""
    pause: float = FIRST_PAUSE
    probe_at: float = 0.0


class Circuit:
    """Decides whether the database may be queried now."""

    def __init__(self) -> None:
        self._reset()
        at_fork(self._reset)

    def _reset(self) -> None:
        self._lock = Lock()
        self._busy_since = float("inf")
        self._failures: dict[str, Failure] = {}

    @contextmanager
    def enter(self, schema: str) -> Iterator[str]:
        """Get permission to write: yield "", or the reason why it is denied."""
        if schema in self._failures:
            yield OPEN
        elif not self._acquire():
            yield BUSY
        else:
            self._busy_since = monotonic()
            try:
                # It may have opened while this thread was waiting.
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
        """Deny writes to a schema until a probe succeeds."""
        self._failures[schema] = Failure(is_responding, probe_at=monotonic() + FIRST_PAUSE)

    def close(self, schema: str) -> None:
        self._failures.pop(schema, None)

    def is_open(self, schema: str) -> bool:
        return schema in self._failures

    def is_responding(self, schema: str) -> bool:
        """Return False if the server has not responded to the last query."""
        failure = self._failures.get(schema)
        return failure is None or failure.is_responding

    def probe_failed(self, schema: str) -> None:
        """Double the pause before the next probe."""
        if failure := self._failures.get(schema):
            failure.pause = min(failure.pause * 2, LONGEST_PAUSE)
            failure.probe_at = monotonic() + failure.pause

    @property
    def has_failures(self) -> bool:
        return bool(self._failures)

    def due(self) -> list[str]:
        """Return the schemas to probe now."""
        now, failures = monotonic(), self._failures.copy()
        return [schema for schema, failure in failures.items() if failure.probe_at <= now]

    def next_probe(self) -> float:
        """Return the seconds until the next probe, infinite if all circuits are closed."""
        times = [failure.probe_at for failure in self._failures.copy().values()]
        return max(0.0, min(times) - monotonic()) if times else float("inf")
