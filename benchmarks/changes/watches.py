"""What is noted of a section of code: its time, its calls, or its queries and what is recorded."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter_ns, process_time_ns
from typing import Any, Protocol

from django.db import connection


class Watch(Protocol):
    def __call__(self, section: str) -> AbstractContextManager[None]: ...


class Stopwatch:
    """Takes the time of sections, in nanoseconds: what passed, and what the process computed."""

    def __init__(self) -> None:
        self.times: dict[str, list[tuple[int, int]]] = defaultdict(list)

    def __call__(self, section: str) -> AbstractContextManager[None]:
        return _Timed(self.times[section])


class _Timed(AbstractContextManager):
    __slots__ = ("_computed", "_started", "_times")

    def __init__(self, times: list[tuple[int, int]]) -> None:
        self._times = times

    def __enter__(self) -> None:
        self._computed = process_time_ns()
        self._started = perf_counter_ns()

    def __exit__(self, *error: object) -> None:
        ended = perf_counter_ns()
        self._times.append((ended - self._started, process_time_ns() - self._computed))


class CallCounter:
    """Counts the function calls of sections, Python's and C's: work that no noise changes."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}

    @contextmanager
    def __call__(self, section: str) -> Iterator[None]:
        calls = 0
        outer = sys.getprofile()

        def note(frame: Any, event: str, function: Any) -> None:
            nonlocal calls
            calls += event in {"call", "c_call"}
            if outer is not None:
                outer(frame, event, function)

        sys.setprofile(note)
        try:
            yield
        finally:
            sys.setprofile(outer)
        self.calls[section] = calls


class Observer:
    """Counts the queries of sections, and the rows that the log has more afterwards."""

    def __init__(self, count_rows: Callable[[], int]) -> None:
        self.seen: dict[str, dict[str, Any]] = {}
        self._count_rows = count_rows
        self._is_counting = False

    @contextmanager
    def __call__(self, section: str) -> Iterator[None]:
        queries = []

        def note(execute: Any, sql: str, *rest: Any) -> Any:
            if not self._is_counting:
                queries.append(sql)
            return execute(sql, *rest)

        before = self._rows()
        with connection.execute_wrapper(note):
            yield
        self.seen[section] = {"queries": len(queries), "rows": self._rows() - before}

    def _rows(self) -> int:
        """Count without counting that query for a section around this one."""
        self._is_counting = True
        try:
            return self._count_rows()
        finally:
            self._is_counting = False
