"""The scope of a request: what is collected while it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from functools import cached_property
from time import perf_counter
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from trackmate.activity import Activity
from trackmate.clock import uuid7
from trackmate.redaction import KnownSecrets, Redactor, redactor_for_request

Enrichment = Callable[[Activity], Activity | None]


class Scope:
    """One request while it runs, and everything that was recorded in it.

    Every visitor waits until there is one, so what few requests set is kept in the class.
    """

    exception: BaseException | None = None
    """What the view raised and nobody handled."""
    actor: tuple[Any, str] | None = None
    """Key and label of who logged out, since the request ends as an anonymous one."""
    capture_data: bool | None = None
    capture_response: bool | None = None
    """What a decorated view wants in place of the settings."""
    request_activity: Activity | None = None
    """The request's own activity, once the request has ended."""
    closed: bool = False
    """Whether the request has ended and nothing more can be collected."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        """The request, whose user is read at the end."""
        self.action_time = datetime.now(UTC)
        """When it began."""
        self.started = perf_counter()
        """The same on a clock that never jumps, in seconds."""
        self.activities: list[Activity] = []
        """What was collected: logins, custom actions, decorated functions, model changes."""
        self.enrichments: list[Enrichment] = []
        """What decorated views add to the request's own activity, evaluated at the end."""
        self.secrets = KnownSecrets()
        """Values that were masked in it; they are masked in its free texts too."""

    @cached_property
    def request_id(self) -> str:
        """What ties together everything that the request did; the key of its own row in hex."""
        return self.id.hex

    @cached_property
    def id(self) -> UUID:
        """Key of the request's own row."""
        return uuid7(self.action_time)

    @cached_property
    def redactor(self) -> Redactor:
        """What masks the secrets of this request; to be used once its route is known."""
        return redactor_for_request(self.request, known_secrets=self.secrets)


_scope: ContextVar[Scope | None] = ContextVar("trackmate_scope", default=None)


def current_scope() -> Scope | None:
    """Return the scope of the request that runs here, if one does."""
    return _scope.get()


def enter_scope(scope: Scope) -> Token[Scope | None]:
    """Make `scope` the current one; hand the token to `leave()`."""
    return _scope.set(scope)


def leave_scope(token: Token[Scope | None]) -> None:
    """Restore what was current before `enter()`."""
    with contextlib.suppress(ValueError):  # of a coroutine that is closed in another context
        _scope.reset(token)
