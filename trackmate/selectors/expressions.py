"""Expressions that the counts are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import F, Func, IntegerField

if TYPE_CHECKING:
    from collections.abc import Sequence


class Place(Func):
    """How many of some ascending bounds a column's value is not below.

    It is compared with the bound between these, half of the remaining ones at a time, which every
    database does alike and quickly; functions that truncate times are neither.
    """

    def __init__(self, column: str, bounds: Sequence[Any]) -> None:
        super().__init__(F(column), output_field=IntegerField())
        self.bounds = tuple(bounds)

    def as_sql(self, compiler: Any, connection: Any, *_args: Any, **_context: Any) -> Any:
        """Return the comparisons, written at once: as expressions of Django's they take longer to
        write than the database takes to count."""
        column = self.get_source_expressions()[0]
        text, _params = compiler.compile(column)
        field = column.output_field
        values = [field.get_db_prep_value(bound, connection) for bound in self.bounds]
        params: list[Any] = []

        def place(first: int, last: int) -> str:
            if first == last:
                return str(first)
            middle = (first + last) // 2
            params.append(values[middle])
            return (
                f"CASE WHEN {text} < %s THEN {place(first, middle)}"
                f" ELSE {place(middle + 1, last)} END"
            )

        return place(0, len(values)), params


class Unindexed(Func):
    """A column whose index is of no use here: rows are chosen by their time.

    SQLite knows no statistics, takes any index that gives it groups in order, and then reads all
    of it.
    """

    arity = 1

    def as_sql(self, compiler: Any, connection: Any, *_args: Any, **_context: Any) -> Any:
        """Return the column itself."""
        return compiler.compile(self.get_source_expressions()[0])

    def as_sqlite(self, compiler: Any, connection: Any, *_args: Any, **_context: Any) -> Any:
        """Return the column with a sign that changes nothing, as SQLite's manual advises."""
        text, params = self.as_sql(compiler, connection)
        return f"+{text}", params
