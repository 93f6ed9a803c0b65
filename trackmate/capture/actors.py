"""Who made a request, read at its end and without a trace in its session."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user, get_user_model
from django.db import router
from django.http import HttpRequest
from django.utils.functional import LazyObject, empty

from trackmate.activity import describe_actor
from trackmate.conf import get_settings
from trackmate.db.time_limits import limit_time
from trackmate.pipeline import never_raise
from trackmate.redaction import keyed_hash


class ReadOnlySession(dict[str, Any]):
    """A copy of a session for `get_user()`, which renews or ends some sessions as it reads them.

    At the end of a request the client could not be told of that any more, and would be logged out.
    """

    def cycle_key(self) -> None:
        """Leave the session's key as it is."""

    def flush(self) -> None:
        """Leave the session where it is."""


@never_raise
def request_actor(request: HttpRequest, fallback: tuple[Any, str] | None) -> tuple[Any, str]:
    """Return key and label of the actor: a user, else `fallback`, else what a token stands for."""
    user = request_user(request)
    if user is not None and user.is_authenticated:
        return describe_actor(user)
    if fallback is not None:
        return fallback
    # Ninja leaves there what its authenticator returned: a user, something of a user's, or the
    # bare token, which must not be stored.
    ticket = getattr(request, "auth", None)
    if ticket is None:
        return None, ""
    for candidate in (ticket, getattr(ticket, "user", None)):
        if isinstance(candidate, get_user_model()):
            return describe_actor(candidate)
    return None, ""


def request_user(request: HttpRequest) -> Any:
    """Return the request's user, or None; a query is made only for a session nobody has read."""
    attributes = request.__dict__
    user = attributes.get("user")
    if not isinstance(user, LazyObject):
        return user
    if user._wrapped is not empty:
        # Each look at a lazy object is a call in Python.
        return user._wrapped
    if "_acached_user" in attributes:
        return attributes["_acached_user"]
    if not request.COOKIES and "HTTP_AUTHORIZATION" not in request.META:
        return None
    if "session" in attributes and settings.SESSION_COOKIE_NAME in request.COOKIES:
        with limit_time(router.db_for_read(get_user_model()), get_settings().WRITE_TIMEOUT):
            return get_user(SimpleNamespace(session=_read_session(attributes["session"])))  # type: ignore[arg-type]
    return user


@never_raise
def hash_session(request: HttpRequest) -> str:
    """Return the keyed hash of the session's key, or "" if there is none or nobody has read it."""
    session = request.__dict__.get("session")
    key = getattr(session, "session_key", None)
    # Until it is read, the key is just what the client claims.
    if not key or "_session_cache" not in session.__dict__:
        return ""
    return keyed_hash(key, "session")


def _read_session(session: Any) -> ReadOnlySession:
    if "_session_cache" in session.__dict__:
        return ReadOnlySession(session._session_cache)
    # Loading an unknown session empties it, and Django would then tell the client so.
    return ReadOnlySession(type(session)(session.session_key).items())
