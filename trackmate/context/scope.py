"""The scope of a request: collects activities while the request runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from functools import cached_property
from threading import Lock
from time import perf_counter
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from trackmate.activity import Activity
from trackmate.clock import uuid7
from trackmate.db.commitments import Commitment
from trackmate.redaction.known_secrets import KnownSecrets
from trackmate.redaction.redactor import Redactor, redactor_for_request

Enrichment = Callable[[Activity], Activity | None]
DescribeOutcome = Callable[[Activity, HttpResponseBase | None], Activity]
RecordAtEnd = Callable[[Activity], None]


class Scope:
    """A running request, and everything that was recorded during it."""

    exception: BaseException | None = None
    """An exception that was not handled."""
    actor: tuple[Any, str] | None = None
    """Key and label of the user who has logged out in this request, or whose token it has."""
    capture_data: bool | None = None
    capture_response: bool | None = None
    """What `tracker` sets in place of the settings."""
    checked_account: Any = None
    """The user whose password was checked last."""
    failed_login_action: str = "auth.login"
    """The name of the next failed login: "auth.lockout" for one that locks its account."""
    describe_outcome: DescribeOutcome | None = None
    """Describes the request as the framework of its view knows it, called when it ends."""
    token_request: RecordAtEnd | None = None
    """Records what became of a request for a token, when it ends."""
    admin: Any = None
    """What Django's admin saved, or was asked for, while the request ran."""
    received_id: str = ""
    """The id that the request came with, if it is accepted."""
    trace_id: str = ""
    """The trace that the request is a part of."""
    request_activity: Activity | None = None
    """The activity of the request itself, once the request has ended."""
    closed: bool = False
    """True once the request has ended."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        """The request. Its user is read when it ends."""
        self.action_time = datetime.now(UTC)
        """When it started."""
        self.started = perf_counter()
        """The same on the monotonic clock, in seconds."""
        self.activities: list[Activity] = []
        """Logins, custom actions and decorated functions during the request."""
        self.enrichments: list[Enrichment] = []
        """Functions that change the activity of the request, called when it ends."""
        self.commitments: dict[UUID, Commitment] = {}
        """By activity id: whether what it describes has been rolled back."""
        self.bound: dict[str, Any] = {}
        """Values that `bind()` sets for the row of the request."""
        self.secrets = KnownSecrets()
        """Values that were masked, to be masked in free texts as well."""
        self._lock = Lock()

    # Threads of the view may record while the request ends.

    def add(self, activity: Activity) -> bool:
        """Collect an activity, or return False if the request has ended."""
        with self._lock:
            if not self.closed:
                self.activities.append(activity)
            return not self.closed

    def change(self, function: Callable[[Sequence[Activity]], Iterable[Activity]]) -> None:
        """Replace the activities by those that a function returns for them."""
        with self._lock:
            self.activities[:] = function(self.activities)

    def close(self, request_activity: Activity | None) -> list[Activity]:
        """End the request, and return its activities; later ones get the values of its own."""
        with self._lock:
            self.request_activity = request_activity
            self.closed = True
            return self.activities

    @cached_property
    def request_id(self) -> str:
        """Shared by all activities of the request: what it came with, or the key of its row."""
        return self.received_id or self.id.hex

    @cached_property
    def id(self) -> UUID:
        """Primary key of the request's row."""
        return uuid7(self.action_time)

    @cached_property
    def redactor(self) -> Redactor:
        """The redactor for this request. Use it once the route is known."""
        return redactor_for_request(self.request, known_secrets=self.secrets)


_scope: ContextVar[Scope | None] = ContextVar("trackmate_scope", default=None)


def current_scope() -> Scope | None:
    """Return the scope of the current request, or None."""
    return _scope.get()


def enter_scope(scope: Scope) -> Token[Scope | None]:
    """Make `scope` the current one. Pass the token to `leave_scope()`."""
    return _scope.set(scope)


def leave_scope(token: Token[Scope | None]) -> None:
    """Restore the previous scope."""
    with contextlib.suppress(ValueError):  # a coroutine closed in another context
        _scope.reset(token)
