"""The actor of a request, determined when it ends, without changing its session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user, get_user_model
from django.db import router
from django.http import HttpRequest
from django.utils.functional import LazyObject, empty

from trackmate.activity import as_plain_str, describe_actor
from trackmate.conf import get_settings, load_dotted
from trackmate.db.time_limits import limit_time
from trackmate.db.transactions import no_queries, protected_transactions
from trackmate.pipeline import never_raise
from trackmate.redaction.text import keyed_hash

ImpersonatorFinder = Callable[[HttpRequest], tuple[Any, str] | None]

impersonator_finders: list[ImpersonatorFinder] = []
"""Functions of integrations that return key and label of whoever acts as the request's user."""


_READ = "_trackmate_read"
"""The request's attribute for the session and the user that were read when it had ended."""


class ReadOnlySession(dict[str, Any]):
    """A copy of a session for `get_user()`, which may renew or flush the session.

    When a request ends, the client cannot get a new cookie, and would be logged out.
    """

    def flush(self) -> None:
        """Do nothing."""

    cycle_key = flush


@never_raise
def request_actor(
    request: HttpRequest,
    fallback: tuple[Any, str] | None,
    *,
    find_user: Callable[[HttpRequest], Any] | None = None,
) -> tuple[Any, str]:
    """Return the actor's key and label: of the user, else `fallback`, else of the token's user."""
    user = (find_user or request_user)(request)
    if user is not None and user.is_authenticated:
        return describe_actor(user)
    if fallback is not None:
        return fallback
    # What Ninja's authenticator returned: a user, an object with a user, or the token itself, which
    # must not be stored.
    auth = getattr(request, "auth", None)
    for candidate in (auth, getattr(auth, "user", None)):
        if isinstance(candidate, get_user_model()):
            return describe_actor(candidate)
    return None, ""


@never_raise
def request_impersonator(request: HttpRequest, actor_id: Any) -> dict[str, Any]:
    """Return the fields of an activity for the user who acts as the request's actor, if any."""
    if actor_id is None:
        return {}
    for find in impersonator_finders:
        if (found := find(request)) is not None and found[0] != actor_id:
            return {"impersonator_id": found[0], "impersonator_label": found[1]}
    return {}


@never_raise
def request_tenant(request: HttpRequest) -> str:
    """Return the tenant of a request that has ended, or ""."""
    return tenant_of(request)


def tenant_of(request: HttpRequest) -> str:
    """Return the same, or raise what `TENANT` raises."""
    if (hook := get_settings().TENANT) is None:
        return ""
    with protected_transactions():
        return as_plain_str(load_dotted(hook)(request))


def tenant_without_query(request: HttpRequest) -> str:
    """Return the tenant of a running request, or "" if `TENANT` fails or needs a query for it."""
    session = request.__dict__.get("session")
    was_accessed = getattr(session, "accessed", None)
    try:
        with no_queries():
            return tenant_of(request)
    except Exception:  # noqa: BLE001 (a project's code, which may run too early)
        return ""
    finally:
        if was_accessed is False:
            # The response must not vary on cookies because of this.
            session.accessed = False  # type: ignore[union-attr]


def request_user(request: HttpRequest) -> Any:
    """Return the request's user or None, with a query only if nobody has read the session."""
    attributes = request.__dict__
    user = attributes.get("user")
    loaded = loaded_user(request)
    if loaded is not None or not isinstance(user, LazyObject) or "_acached_user" in attributes:
        return loaded
    if _READ in attributes:
        return attributes[_READ][1]
    if not request.COOKIES and "HTTP_AUTHORIZATION" not in request.META:
        return None
    if "session" in attributes and settings.SESSION_COOKIE_NAME in request.COOKIES:
        with limit_time(router.db_for_read(get_user_model()), get_settings().WRITE_TIMEOUT):
            session = _read_session(attributes["session"])
            found = get_user(SimpleNamespace(session=session))  # type: ignore[arg-type]
        attributes[_READ] = session, found
        return found
    return user


def loaded_user(request: HttpRequest) -> Any:
    """Return the request's user, or None if nobody has read it; without a query."""
    user = loaded_value(request.__dict__.get("user"))
    return request.__dict__.get("_acached_user") if user is None else user


def loaded_value(value: Any) -> Any:
    """Return what a lazy object has loaded, or None if it has not; anything else as it is."""
    if not isinstance(value, LazyObject):
        return value
    return None if value._wrapped is empty else value._wrapped


def read_session(request: HttpRequest) -> Mapping[str, Any]:
    """Return the data of the request's session if they have been read; no query is made."""
    attributes = request.__dict__
    if _READ in attributes:
        session: ReadOnlySession = attributes[_READ][0]
        return session
    return getattr(attributes.get("session"), "__dict__", {}).get("_session_cache") or {}


@never_raise
def hash_session(request: HttpRequest) -> str:
    """Return the keyed hash of the session key, or "" if the session was not read."""
    session = request.__dict__.get("session")
    key = getattr(session, "session_key", None)
    # An unread session has whatever key the client has sent.
    if not key or "_session_cache" not in session.__dict__:
        return ""
    return keyed_hash(key, "session")


def _read_session(session: Any) -> ReadOnlySession:
    if "_session_cache" in session.__dict__:
        return ReadOnlySession(session._session_cache)
    # Not on the session itself: if it does not exist, Django would delete the client's cookie.
    return ReadOnlySession(type(session)(session.session_key).items())
