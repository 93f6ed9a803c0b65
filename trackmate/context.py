"""What surrounds the code that runs: the scope of a request, what is bound, what is suppressed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from functools import cached_property
from time import perf_counter
from typing import Any, TypeVar, overload
from uuid import UUID

from django.http import HttpRequest

from trackmate.activity import Activity, actor_of
from trackmate.blocks import Block
from trackmate.clock import uuid7
from trackmate.redaction import FoundSecrets, Redactor, redactor_of

Enrichment = Callable[[Activity], Activity | None]
F = TypeVar("F", bound=Callable[..., Any])


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


def current_scope() -> Scope | None:
    """Return the scope of the request that runs here, if one does."""
    return _scope.get()


def enter(scope: Scope) -> Token[Scope | None]:
    """Make `scope` the current one; hand the token to `leave()`."""
    return _scope.set(scope)


def leave(token: Token[Scope | None]) -> None:
    """Restore what was current before `enter()`."""
    with contextlib.suppress(ValueError):  # of a coroutine that is closed in another context
        _scope.reset(token)


class bind(Block):  # noqa: N801 (used as a verb, like contextlib.suppress)
    """Name, for everything recorded inside the block, its actor, its request id and extra facts.

    `actor` is a user, or the name of an actor that is no user; other keywords go to `extra`.
    Blocks nest; the inner one wins. As a decorator it works on functions, sync and async, and on
    generators of both kinds.

    >>> with bind(actor="cron:nightly", job="invoices"):
    ...     send_invoices()
    """

    def __init__(self, *, actor: Any = None, request_id: str | None = None, **extra: Any) -> None:
        super().__init__()
        self._values: dict[str, Any] = {"extra": extra} if extra else {}
        if actor is not None:
            self._values["actor_id"], self._values["actor_label"] = actor_of(actor)
        if request_id is not None:
            self._values["request_id"] = request_id

    def __enter__(self) -> None:
        scope = _scope.get()
        if scope is not None and "request_id" in self._values:
            # It is the id of the whole request, whenever the project comes to know it.
            scope.request_id = self._values["request_id"]
        super().__enter__()


def _bound() -> dict[str, Any]:
    """Return what is bound here, by name; inner blocks win."""
    values: dict[str, Any] = {}
    for block in bind.entered():
        extra = {**values.get("extra", {}), **block._values.get("extra", {})}
        values = {**values, **block._values}
        if extra:
            values["extra"] = extra
    return values


class Suppression(Block):
    """A block in which nothing is recorded."""


@overload
def suppress() -> Suppression: ...
@overload
def suppress(function: F, /) -> F: ...


def suppress(function: Any = None, /) -> Any:
    """Record nothing of what happens inside the block, or inside the function it decorates.

    As a decorator, bare or called, it works on functions, sync and async, and on generators of
    both kinds.

    >>> with suppress():
    ...     rebuild_everything()
    """
    return Suppression() if function is None else Suppression()(function)


def is_suppressed() -> bool:
    """Return True if the code that runs is inside `suppress()`."""
    return bool(Suppression.entered())


def stamp(activity: Activity) -> Activity:
    """Return `activity` with what is bound here and with the id of the request it belongs to."""
    bound, scope = _bound(), _scope.get()
    if not bound and scope is None:
        return activity
    values = {
        name: value
        for name, value in bound.items()
        if name != "extra" and not getattr(activity, name)
    }
    if activity.actor_label:
        # An activity that names its actor does not get half of another one.
        values.pop("actor_id", None)
    if "extra" in bound:
        values["extra"] = {**bound["extra"], **(activity.extra or {})}
    if scope is not None and not activity.request_id and "request_id" not in values:
        values["request_id"] = scope.request_id
    return activity.with_(**values)
