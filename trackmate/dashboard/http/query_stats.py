"""How many queries a page made, and how long it took."""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from django.db import connections
from django.utils.translation import ngettext

from trackmate.dashboard.formatting import format_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class QueryStats:
    """Queries and time since the request started."""

    def __init__(self) -> None:
        self.queries = 0
        self._started = perf_counter()

    @property
    def milliseconds(self) -> int:
        """Time so far."""
        return round((perf_counter() - self._started) * 1000)

    @property
    def text(self) -> str:
        """Both, as text."""
        text = ngettext(
            "%(queries)s query, %(time)s ms",
            "%(queries)s queries, %(time)s ms",
            self.queries,
        )
        return text % {
            "queries": format_number(self.queries),
            "time": format_number(self.milliseconds),
        }

    def count(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,  # noqa: FBT001 (Django passes it so)
        context: Any,
    ) -> Any:
        """Run a query, counted."""
        self.queries += 1
        return execute(sql, params, many, context)


@contextmanager
def count_queries(alias: str) -> Iterator[QueryStats]:
    """Count the queries to the log's database inside the block."""
    stats = QueryStats()
    with connections[alias].execute_wrapper(stats.count):
        yield stats
