"""Expressions for counting rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import F, Func, IntegerField

if TYPE_CHECKING:
    from collections.abc import Sequence


class BucketIndex(Func):
    """The number of ascending bounds that a column's value has reached.

    A binary search in SQL. All databases run it alike and fast, unlike functions that truncate
    times.
    """

    def __init__(self, column: str, bounds: Sequence[Any]) -> None:
        super().__init__(F(column), output_field=IntegerField())
        self.bounds = tuple(bounds)

    def as_sql(self, compiler: Any, connection: Any, *_args: Any, **_context: Any) -> Any:
        """Return nested CASE expressions, as text: compiling expressions of Django for them would
        take longer than the query."""
        column = self.get_source_expressions()[0]
        text, _params = compiler.compile(column)
        field = column.output_field
        values = [field.get_db_prep_value(bound, connection) for bound in self.bounds]
        params: list[Any] = []

        def search(first: int, last: int) -> str:
            if first == last:
                return str(first)
            middle = (first + last) // 2
            params.append(values[middle])
            return (
                f"CASE WHEN {text} < %s THEN {search(first, middle)}"
                f" ELSE {search(middle + 1, last)} END"
            )

        return search(0, len(values)), params


class WithoutIndex(Func):
    """A column that the database reads without its index, since the rows are found by time.

    SQLite has no statistics: it takes any index that groups rows, and reads all of it.
    """

    arity = 1

    def as_sql(self, compiler: Any, connection: Any, *_args: Any, **_context: Any) -> Any:
        """Return the column."""
        return compiler.compile(self.get_source_expressions()[0])

    def as_sqlite(self, compiler: Any, connection: Any, *_args: Any, **_context: Any) -> Any:
        """Return the column with a unary "+", as SQLite's manual recommends."""
        text, params = self.as_sql(compiler, connection)
        return f"+{text}", params
