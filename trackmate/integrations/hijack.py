"""django-hijack: who has hijacked the account of whom.

Its session has the keys of everybody on the way, the person first.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from hijack.signals import hijack_ended, hijack_started
from hijack.views import AcquireUserView

from trackmate.activity import describe_actor
from trackmate.capture.actors import impersonator_finders
from trackmate.capture.events.impersonation import (
    Person,
    find_person,
    forget_event,
    impersonated_session,
    record_begin,
    record_end,
    remember_person,
    watch_attempts,
)
from trackmate.pipeline import never_raise

HISTORY = "hijack_history"


def install() -> None:
    """Connect the signals, and watch the view for attempts that are refused: no signal is sent."""
    if _find in impersonator_finders:
        return
    hijack_started.connect(_on_started, dispatch_uid="trackmate.hijack")
    hijack_ended.connect(_on_ended, dispatch_uid="trackmate.hijack")
    AcquireUserView.dispatch = watch_attempts(AcquireUserView.dispatch, _account_key)
    impersonator_finders.append(_find)


def _find(request: HttpRequest) -> Person | None:
    session = impersonated_session(request)
    history = session.get(HISTORY)
    return find_person(session, history[0]) if history else None


@never_raise
def _on_started(*, request: HttpRequest, hijacker: Any, hijacked: Any, **_kwargs: Any) -> None:
    person = _person(request, hijacker, request.session[HISTORY][:-1])
    forget_event("auth.login", hijacked)
    record_begin(request, person, hijacked)
    remember_person(request.session, person)


@never_raise
def _on_ended(*, request: HttpRequest, hijacker: Any, hijacked: Any, **_kwargs: Any) -> None:
    history = request.session[HISTORY]
    person = _person(request, hijacker, history)
    forget_event("auth.login", hijacker)
    record_end(request, person, hijacked)
    if history:
        remember_person(request.session, person)


def _person(request: HttpRequest, hijacker: Any, before: list[str]) -> Person:
    """Return the person: the hijacker, unless somebody else acts as the hijacker."""
    found = find_person(request.session, before[0]) if before else None
    return found or describe_actor(hijacker)


def _account_key(_view: Any, request: HttpRequest, *_args: Any, **_kwargs: Any) -> str | None:
    return request.POST.get("user_pk")
