"""The person behind a request, and the way to what is kept for each in the log's database."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.auth import get_user_model
from django.db import Error, connections, transaction

from trackmate.conf import get_settings
from trackmate.dashboard import access

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from django.http import HttpRequest

logger = logging.getLogger("trackmate")

Found = TypeVar("Found")


def key_of(request: HttpRequest) -> Any:
    """Return the primary key of the user, or None for somebody who is no user of this project."""
    user = access.user_of(request)
    return user.pk if isinstance(user, get_user_model()) else None


def alias() -> str:
    """Return the database that keeps it."""
    return get_settings().DATABASE


def read(find: Callable[[], Found], *, otherwise: Found) -> Found:
    """Read what is kept; a page goes on without it where that fails, and the site's log says why.

    That is so between an upgrade and its `migrate`, for example.
    """
    try:
        with _apart():
            return find()
    except Error:
        logger.exception("The dashboard could not read what it keeps for people")
        return otherwise


def _apart() -> AbstractContextManager[Any]:
    """Keep a failure out of the project's own transaction, if there is one."""
    if connections[alias()].in_atomic_block:
        return transaction.atomic(using=alias())
    return nullcontext()
