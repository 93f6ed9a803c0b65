"""The settings, a typed and documented object that is never read at import.

A project writes `TRACKMATE = {"NAME": value}` in its settings module; every name is optional.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

SETTING = "TRACKMATE"

Result = TypeVar("Result")

Dotted = str | Callable[..., Any]
"""A callable, or the dotted path of one."""

DEFAULT_PROCESSORS = (
    "trackmate.processors.exclude",
    "trackmate.processors.sample",
    "trackmate.processors.enrich",
    "trackmate.processors.redact",
    "trackmate.processors.clean",
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The keys of `TRACKMATE`, with their types, defaults and documentation."""

    ENABLED: bool = True
    """Record at all. With `False` nothing is recorded; the dashboard and the admin stay."""

    DATABASE: str = "default"
    """Alias of the database that keeps the rows. Another one than "default" needs
    `"trackmate.routers.TrackmateRouter"` in `DATABASE_ROUTERS`."""

    BACKEND: str = "trackmate.backends.database.DatabaseBackend"
    """Dotted path of the backend that takes the activities."""

    BACKEND_OPTIONS: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the backend."""

    WRITE: Literal["on_close", "before_response"] = "on_close"
    """When a request's activities are sent: when its response closes, so that the visitor never
    waits, or before the response is handed over, so that no answer leaves without its row."""

    WRITE_TIMEOUT: float = 1.0
    """Longest time that anybody waits for the log, in seconds: for a connection, a pool, a lock and
    a statement together. What is not stored by then waits in the spool."""

    PROCESSORS: Sequence[Dotted] = DEFAULT_PROCESSORS
    """The processors that each activity passes, in order."""

    SPOOL_DIR: str | Path | None = None
    """Directory of the segment files that keep what the database refuses. It should be on a local
    disk and survive a reboot; unset, it is a directory below the system's temporary one."""

    TRACK_REQUESTS: bool = True
    """Record each request that passes the middleware."""

    TRACK_AUTH: bool = True
    """Record logins, logouts, failed logins, and what happens to accounts: passwords, rights,
    groups, e-mail addresses and second factors."""

    TRACK_COMMANDS: bool | Sequence[str] = True
    """Record the commands of `manage.py` that use a database; a list of names narrows it. Those
    about the schema, such as `migrate`, are recorded only if they are named. Commands that serve,
    test or open a shell, and trackmate's own, are never recorded."""

    TRACK_TASKS: bool | Sequence[str] = True
    """Record each run of a background task, success and failure; a list of names narrows it. What a
    task records itself always has the actor and the request id of whoever started it."""

    MODELS: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The models whose changes are recorded: labels ("shop.Order", or "shop.*" for all of an app),
    each with the keyword arguments of `register()`."""

    INTEGRATIONS: Sequence[str] | None = None
    """The integrations with other packages to use, by name. Unset: those with every package that is
    installed."""

    EXCLUDE_PATHS: Sequence[str | re.Pattern[str]] = ()
    """Requests that are not recorded: path prefixes (beginning with "/"), route names such as
    "health" or "shop:health", application namespaces such as "shop", or compiled patterns, which
    are searched in the path. A path is written as in the URLconf, without a prefix that the site
    is below (`FORCE_SCRIPT_NAME`). Logins, logouts, failed logins and what a project records itself
    are never excluded."""

    INCLUDE_PATHS: Sequence[str | re.Pattern[str]] = ()
    """When not empty, only requests that match one of these are recorded; same forms."""

    EXCLUDE_METHODS: Sequence[str] = ()
    """HTTP methods that are not recorded, for example `["HEAD", "OPTIONS"]`."""

    EXCLUDE_AGENTS: Sequence[str | re.Pattern[str]] = ()
    """User agents whose requests are not recorded, such as health checks and bots: parts of the
    header without regard to case ("kube-probe/", "Googlebot"), or compiled patterns, which are
    searched in it. Any client can send any user agent, so this is only for anonymous requests that
    read and do not fail."""

    SAMPLE_RATE: float = 1.0
    """Share of successful requests to record, from 0.0 to 1.0. Failures, logins, model changes
    and custom activities are always recorded."""

    CAPTURE_DATA: bool = True
    """Keep the request's data, redacted."""

    CAPTURE_RESPONSE: bool = False
    """Keep the response's data, redacted, where it is JSON, plain or compressed by gzip or
    deflate."""

    CAPTURE_HEADERS: Sequence[str] = ("Referer",)
    """Request headers to keep; no other header is stored."""

    MAX_BODY_BYTES: int = 65_536
    """Longest request or response body to read, in bytes."""

    REDACT_KEYS: Sequence[str] = ()
    """More names whose values are masked, beside the built-in ones; whole words of a name,
    without regard to case: "pesel" masks `pesel`, `user_pesel` and `userPesel`."""

    REDACT_PATTERNS: Sequence[str | re.Pattern[str]] = ()
    """More patterns to mask wherever they occur in a text."""

    REDACT_EXEMPT: Sequence[str] = ()
    """Names whose values are no secret here, though the built-in vocabulary masks them: "session"
    spares `session` and `form-0-session`, but neither `session_key` nor `auth_session`."""

    TRUSTED_PROXY_COUNT: int = 0
    """How many proxies of yours stand before the application. The client's address is read that
    many places from the right of `X-Forwarded-For`; with 0 the header is not believed."""

    CLIENT_IP: Dotted | None = None
    """A callable `(request) -> str | None`, or its dotted path, that names the client's address."""

    IP_MODE: Literal["full", "truncated", "hashed", "none"] = "full"
    """How an address is kept: as it is; without its last 8 (IPv4) or 80 (IPv6) bits; as a keyed
    hash, itself in the form of a private IPv6 address (`fd00::/8`); or not at all."""

    ACTOR_LABEL: Dotted | None = None
    """A callable `(user) -> str`, or its dotted path, that names a user in the log. Unset: the user
    name."""

    TENANT: Dotted | None = None
    """A callable `(request) -> str | None`, or its dotted path, that names the tenant of a request
    when it ends."""

    REQUEST_ID_HEADER: str | None = None
    """The header with the id of a request, such as "X-Request-ID". One that a request comes with
    is taken if it is valid, and the id is sent back with the response. Unset: ids are made here,
    and responses are not changed."""

    TRACE_URL: str | None = None
    """The address of a trace in the project's tracing tool, with `{trace_id}` in it."""

    REASON_HEADER: str | None = None
    """The request header, such as "X-Reason", in which clients say why they do something."""

    REASON_FIELD: str | None = None
    """The form field or JSON key in which clients say why they do something."""

    FAILED_LOGIN_IDENTIFIER: Literal["known", "hashed", "full", "none"] = "known"
    """How the identifier of a failed login is kept: in clear if it names an existing user, else
    as a keyed hash (people type passwords there); always hashed; always in clear; or not at all."""

    DASHBOARD_ACCESS: Dotted | None = None
    """A callable `(request) -> bool`, or its dotted path, that says who may open the dashboard.
    Unset: active staff members."""

    DASHBOARD_QUERYSET: Dotted | None = None
    """A callable `(request, queryset) -> queryset`, or its dotted path, that limits the rows
    which a person sees, in the dashboard and in the admin."""

    DASHBOARD_WINDOW: int = 86_400
    """Default time range of the dashboard, in seconds."""

    DASHBOARD_REFRESH: int = 5
    """Seconds between two checks of the live dashboard for new activity; 0 turns them off."""

    DIMENSIONS: Sequence[str] = ()
    """More things to search, show and count activities by: dotted paths of
    `trackmate.dashboard.dimensions.Dimension` instances."""

    TABLE_COLUMNS: Sequence[Dotted] = ()
    """More columns for the lists of the dashboard: callables `(row, request)`, or their dotted
    paths, that return what a cell shows."""

    DETAIL_PANELS: Sequence[Dotted] = ()
    """More panels for the page of an activity: callables `(row, request)`, or their dotted paths,
    that return a title and the content, or None."""

    UNDO: bool = False
    """Let people put back what a recorded change of an object has changed. They need the permission
    `trackmate.undo_change`, and the model's own."""

    EXPORT_MAX_ROWS: int = 100_000
    """Most activities that one export holds, the newest first."""

    QUERY_TIMEOUT: int = 1_000
    """Longest time a dashboard query may take, in milliseconds, where the database can stop one
    (PostgreSQL, MariaDB, MySQL, SQLite); 0 turns it off."""


_caches: list[Callable[[], None]] = []


def per_settings(build: Callable[[], Result]) -> Callable[[], Result]:
    """Cache the result of `build` until a setting changes."""
    cached = cache(build)
    _caches.append(cached.cache_clear)
    return cached


@per_settings
def get_settings() -> Settings:
    """Return the settings. Invalid ones have their defaults; `manage.py check` reports them."""
    given = given_settings()
    hints = setting_types()
    return Settings(
        **{
            name: given[name]
            for name in hints
            if name in given and accepts(given[name], hints[name])
        }
    )


@cache
def load_dotted(dotted: Dotted) -> Callable[..., Any]:
    """Return the callable that a setting names. Raise ImportError if there is none."""
    imported: Callable[..., Any] = import_string(dotted) if isinstance(dotted, str) else dotted
    return imported


def given_settings() -> Mapping[str, Any]:
    """Return the project's settings, unchecked."""
    given = getattr(django_settings, SETTING, {})
    return given if isinstance(given, Mapping) else {}


@cache
def setting_types() -> dict[str, Any]:
    """Return each setting's name with its type."""
    return get_type_hints(Settings)


def default_of(name: str) -> Any:
    """Return the default of a setting."""
    return getattr(Settings(), name)


def suggestion_for(name: str) -> str | None:
    """Return the most similar setting to a misspelled `name`, or None."""
    close = difflib.get_close_matches(name.upper(), [f.name for f in fields(Settings)], n=1)
    return close[0] if close else None


def accepts(value: object, hint: Any) -> bool:
    """Return True if `value` is valid for a type annotation."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(accepts(value, option) for option in arguments)
    if origin is Literal:
        return value in arguments
    if origin in (Sequence, Collection):
        return isinstance(value, (list, tuple, set, frozenset)) and all(
            accepts(item, arguments[0]) for item in value
        )
    if origin is Callable:
        return callable(value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


def is_under_test() -> bool:
    """Return True if `setup_test_environment()` was called, as Django's test runner does."""
    utilities = sys.modules.get("django.test.utils")
    return hasattr(getattr(utilities, "_TestState", None), "saved_data")


def _clear_caches(**_kwargs: Any) -> None:
    for clear in _caches:
        clear()


# For any setting, since some caches depend on STATIC_URL or SECRET_KEY.
setting_changed.connect(_clear_caches, dispatch_uid="trackmate.conf")
