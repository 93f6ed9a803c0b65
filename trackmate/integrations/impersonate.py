"""django-impersonate: who acts as the user of a request."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from impersonate import views
from impersonate.signals import session_begin, session_end

from trackmate.activity import describe_actor
from trackmate.capture.actors import impersonator_finders, request_user
from trackmate.capture.events.impersonation import Person, record_begin, record_end, watch_attempts
from trackmate.pipeline import never_raise


def install() -> None:
    """Connect the signals, and watch the view for attempts that are refused: no signal is sent.

    This comes before the project's URLs are read, which refer to the view.
    """
    if _find in impersonator_finders:
        return
    session_begin.connect(_on_begin, dispatch_uid="trackmate.impersonate")
    session_end.connect(_on_end, dispatch_uid="trackmate.impersonate")
    views.impersonate = watch_attempts(views.impersonate, _account_key)
    impersonator_finders.append(_find)


def _find(request: HttpRequest) -> Person | None:
    # Not the attribute of the request alone: one with a token has another user.
    if getattr(request_user(request), "is_impersonate", False) is not True:
        return None
    person = getattr(request, "impersonator", None)
    return None if person is None else describe_actor(person)


@never_raise
def _on_begin(
    *, request: HttpRequest, impersonator: Any, impersonating: Any, **_kwargs: Any
) -> None:
    record_begin(request, describe_actor(impersonator), impersonating)


@never_raise
def _on_end(*, request: HttpRequest, impersonator: Any, impersonating: Any, **_kwargs: Any) -> None:
    record_end(request, describe_actor(impersonator), impersonating)


def _account_key(_request: HttpRequest, uid: str, *_args: Any, **_kwargs: Any) -> str:
    return uid
