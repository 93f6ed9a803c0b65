"""What surrounds the code that runs: the scope of a request, what is bound, what is suppressed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from functools import cached_property
from time import perf_counter
from types import TracebackType
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from trackmate.activity import Activity, actor_of
from trackmate.clock import uuid7
from trackmate.redaction import FoundSecrets, Redactor, redactor_of

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
    itself: Activity | None = None
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
        self.secrets = FoundSecrets()
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
        return redactor_of(self.request, found=self.secrets)


_scope: ContextVar[Scope | None] = ContextVar("trackmate_scope", default=None)
_bound: ContextVar[dict[str, Any] | None] = ContextVar("trackmate_bound", default=None)
_suppressed: ContextVar[bool] = ContextVar("trackmate_suppressed", default=False)


def current_scope() -> Scope | None:
    """Return the scope of the request that runs here, if one does."""
    return _scope.get()


def enter(scope: Scope) -> Token[Scope | None]:
    """Make `scope` the current one; hand the token to `leave()`."""
    return _scope.set(scope)


def leave(token: Token[Scope | None]) -> None:
    """Restore what was current before `enter()`."""
    _scope.reset(token)


@contextmanager
def suppress() -> Iterator[None]:
    """Record nothing of what happens inside the block, or inside the function it decorates.

    >>> with suppress():
    ...     rebuild_everything()
    """
    token = _suppressed.set(True)
    try:
        yield
    finally:
        _suppressed.reset(token)


def is_suppressed() -> bool:
    """Say whether the code that runs is inside `suppress()`."""
    return _suppressed.get()


class bind:  # noqa: N801 (used as a verb, like contextlib.suppress)
    """Name, for everything recorded inside the block, its actor, its request id and extra facts.

    `actor` is a user, or the name of an actor that is no user; other keywords go to `extra`.
    Blocks nest; the inner one wins.

    >>> with bind(actor="cron:nightly", job="invoices"):
    ...     send_invoices()
    """

    def __init__(self, *, actor: Any = None, request_id: str | None = None, **extra: Any) -> None:
        self._values: dict[str, Any] = {"extra": extra} if extra else {}
        if actor is not None:
            self._values["actor_id"], self._values["actor_label"] = actor_of(actor)
        if request_id is not None:
            self._values["request_id"] = request_id
        self._tokens: list[Token[dict[str, Any] | None]] = []

    def __enter__(self) -> None:
        scope = _scope.get()
        if scope is not None and "request_id" in self._values:
            # It is the id of the whole request, whenever the project comes to know it.
            scope.request_id = self._values["request_id"]
        outer = _bound.get() or {}
        extra = {**outer.get("extra", {}), **self._values.get("extra", {})}
        values = {**outer, **self._values}
        self._tokens.append(_bound.set({**values, "extra": extra} if extra else values))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _bound.reset(self._tokens.pop())


def stamp(activity: Activity) -> Activity:
    """Return `activity` with what is bound here and with the id of the request it belongs to."""
    bound, scope = _bound.get(), _scope.get()
    if bound is None and scope is None:
        return activity
    values = {
        name: value
        for name, value in (bound or {}).items()
        if name != "extra" and not getattr(activity, name)
    }
    if activity.actor_label:
        # An activity that names its actor does not get half of another one.
        values.pop("actor_id", None)
    if bound and "extra" in bound:
        values["extra"] = {**bound["extra"], **(activity.extra or {})}
    if scope is not None and not activity.request_id and "request_id" not in values:
        values["request_id"] = scope.request_id
    return activity.with_(**values)
