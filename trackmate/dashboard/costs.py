"""What a page costs: it says so itself, at its foot."""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from django.db import connections
from django.utils.translation import ngettext

from trackmate.dashboard.texts import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Cost:
    """Queries and time since the page began."""

    def __init__(self) -> None:
        self.queries = 0
        self._started = perf_counter()

    @property
    def milliseconds(self) -> int:
        """Time so far."""
        return round((perf_counter() - self._started) * 1000)

    @property
    def text(self) -> str:
        """Both, in words."""
        said = ngettext(
            "%(queries)s query of the log's database, %(time)s ms",
            "%(queries)s queries of the log's database, %(time)s ms",
            self.queries,
        )
        return said % {"queries": number(self.queries), "time": number(self.milliseconds)}

    def count(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,  # noqa: FBT001 (Django hands it over so)
        context: Any,
    ) -> Any:
        """Run a query, counted."""
        self.queries += 1
        return execute(sql, params, many, context)


@contextmanager
def counted(alias: str) -> Iterator[Cost]:
    """Count the queries to the log's database inside the block."""
    cost = Cost()
    with connections[alias].execute_wrapper(cost.count):
        yield cost
