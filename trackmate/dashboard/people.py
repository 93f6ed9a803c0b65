"""The person behind a request, and the way to what is kept for each in the log's database."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.contrib.auth import get_user_model
from django.db import Error, connections
from django.db.models import Expression, Model

from trackmate.conf import get_settings
from trackmate.dashboard import access
from trackmate.db.transactions import protected_transactions
from trackmate.diagnostics import summarize_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.db.models import QuerySet
    from django.http import HttpRequest

logger = logging.getLogger("trackmate")

Found = TypeVar("Found")
Row = TypeVar("Row", bound=Model)


def key_of(request: HttpRequest) -> Any:
    """Return the primary key of the user, or None for somebody who is no user of this project."""
    user = access.user_of(request)
    return user.pk if isinstance(user, get_user_model()) else None


def alias() -> str:
    """Return the database that keeps it."""
    return get_settings().DATABASE


class Owner(Expression):
    """Stands in a query where the key of a person will."""

    def as_sql(self, _compiler: Any, _connection: Any) -> tuple[str, Any]:
        return "%s", [self]


class Belongings(Generic[Row]):
    """The rows of a model that belong to a person, by a query that is compiled once.

    Every page asks it, and Django takes several times as long to compile it as to run it.
    """

    def __init__(self, model: type[Row], find: Callable[[QuerySet[Row], Owner], QuerySet[Row]]):
        self.model = model
        self.find = find
        self.compiled: dict[str, tuple[str, Sequence[Any]]] = {}
        """For each database."""

    def of(self, key: Any) -> list[Row]:
        """Return those of the person with a key."""
        database, field = alias(), get_user_model()._meta.pk
        every = self.model._base_manager.using(database)
        if database not in self.compiled:
            found = self.find(every, Owner(output_field=field))
            self.compiled[database] = found.query.get_compiler(database).as_sql()
        statement, parameters = self.compiled[database]
        value = field.get_db_prep_value(key, connections[database])
        values = [value if isinstance(each, Owner) else each for each in parameters]
        return list(every.raw(statement, values))


def read(find: Callable[[], Found]) -> Found | None:
    """Read what is kept; a page goes on without it where that fails, and the site's log says why.

    That is so between an upgrade and its `migrate`, for example.
    """
    try:
        with protected_transactions():
            return find()
    except Error as error:
        logger.error(
            "The dashboard could not read what it keeps for people: %s", summarize_error(error)
        )
        return None
