"""django-loginas: who is logged in as another user.

It sends no signals. Its session has the signed key of whoever was logged in before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin.utils import unquote
from django.contrib.auth import SESSION_KEY
from django.core.signing import BadSignature
from django.http import HttpRequest
from loginas import settings as loginas_settings
from loginas import utils, views

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
    remembered_person,
    watch_attempts,
)
from trackmate.pipeline import never_raise


def install() -> None:
    """Wrap the functions that log in as a user and back; there is no signal for it.

    The view is wrapped before the project's URLs are read, which refer to it.
    """
    if _find in impersonator_finders:
        return
    utils.login_as = views.login_as = _watch_login(utils.login_as)
    utils.restore_original_login = _watch_restore(utils.restore_original_login)
    views.restore_original_login = utils.restore_original_login
    views.user_login = watch_attempts(views.user_login, _account_key)
    impersonator_finders.append(_find)


def _find(request: HttpRequest) -> Person | None:
    return _find_in(impersonated_session(request))


def _find_in(session: Any) -> Person | None:
    signed = session.get(loginas_settings.USER_SESSION_FLAG)
    if not isinstance(signed, str):
        # Back as an account that another person had logged in as.
        return remembered_person(session, session.get(SESSION_KEY))
    try:
        # However old it is: only the way back has a time limit.
        return find_person(session, utils.signer.unsign(signed))
    except BadSignature:
        return None


def _watch_login(login_as: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(login_as)
    def watched(user: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        before = _describe_before(request)
        result = login_as(user, request, *args, **kwargs)
        if before is not None:
            _on_login(request, user, before, *args, **kwargs)
        return result

    return watched


def _watch_restore(restore: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(restore)
    def watched(request: HttpRequest) -> Any:
        before = _describe_before(request)
        result = restore(request)
        if before is not None:
            _on_restore(request, before)
        return result

    return watched


@never_raise
def _describe_before(request: HttpRequest) -> tuple[Any, Person | None] | None:
    """Return the user, and the person who acts as that user; None for an anonymous one."""
    user = request.user
    return (user, _find_in(request.session)) if user.is_authenticated else None


@never_raise
def _on_login(
    request: HttpRequest,
    account: Any,
    before: tuple[Any, Person | None],
    store_original_user: bool = True,  # noqa: FBT001, FBT002 (as of loginas)
    reason: str = "",
) -> None:
    user, person = before
    person = person or describe_actor(user)
    forget_event("auth.login", account)
    record_begin(request, person, account, reason=reason)
    if store_original_user:
        remember_person(request.session, person, user.pk)


@never_raise
def _on_restore(request: HttpRequest, before: tuple[Any, Person | None]) -> None:
    account, person = before
    user = request.user
    if person is None or not user.is_authenticated:
        # Logged out, and not back: that is what has been recorded.
        return
    forget_event("auth.logout", account)
    forget_event("auth.login", user)
    record_end(request, person, account)
    if user.pk != person[0]:
        remember_person(request.session, person, user.pk)


def _account_key(_request: HttpRequest, user_id: str, *_args: Any, **_kwargs: Any) -> str:
    return unquote(user_id)
