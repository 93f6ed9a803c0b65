"""System checks: what `manage.py check` reports about a project's trackmate settings."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 (Django's own name)
from django.db import connections
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from trackmate.backends.base import BaseBackend
from trackmate.conf import (
    SETTING,
    accepts,
    default_of,
    get_settings,
    given_settings,
    setting_types,
    suggestion_for,
)
from trackmate.dashboard.dimensions import BUILT_IN, RESERVED, Dimension
from trackmate.dashboard.http import login
from trackmate.integrations import INTEGRATIONS
from trackmate.models import ActivityLog
from trackmate.pipeline import get_backend

MIDDLEWARE = "trackmate.middleware.TrackmateMiddleware"
ROUTER = "trackmate.routers.TrackmateRouter"

BROKEN = (ImportError, TypeError, AttributeError, ValueError)
"""What importing a project's code can raise."""

_HEADER = re.compile("[A-Za-z0-9][A-Za-z0-9-]{0,63}")

FLAT_NAMES = {
    "TRACKMATE_EXCLUDED_PATH": "EXCLUDE_PATHS",
    "TRACKMATE_LOG_LOGIN_ACTIVITIES": "TRACK_AUTH",
}
"""Settings of version 0.3, with their names now."""


def check_trackmate(**_kwargs: Any) -> list[CheckMessage]:
    """Return everything that is wrong with the project's settings, middleware and URLs."""
    return [
        *_check_names(),
        *_check_types(),
        *_check_ranges(),
        *_check_flat_names(),
        *_check_middleware(),
        *_check_urls(),
        *_check_database(),
        *_check_loading(),
        *_check_headers(),
        *_check_trace_url(),
        *_check_integrations(),
        *_check_lists_of_names(),
        *_check_dimensions(),
    ]


def _check_names() -> Iterable[CheckMessage]:
    given = getattr(settings, SETTING, {})
    if not isinstance(given, Mapping):
        yield Error(f"{SETTING} must be a dictionary, not {given!r}.", id="trackmate.E001")
        return
    for name in given:
        if name not in setting_types():
            close = suggestion_for(str(name))
            yield Error(
                f"{SETTING} has no setting {name!r}.",
                hint=f"Did you mean {close!r}?" if close else "See the list of settings.",
                id="trackmate.E001",
            )


def _check_types() -> Iterable[CheckMessage]:
    for name, hint in setting_types().items():
        given = given_settings()
        if name in given and not accepts(given[name], hint):
            yield Error(
                f"{SETTING}[{name!r}] cannot be {given[name]!r}; the default is used.",
                hint=f"Use a value of the type {_format_type(hint)}.",
                id="trackmate.E002",
            )


def _format_type(hint: Any) -> str:
    text = hint.__name__ if isinstance(hint, type) else str(hint)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text)


def _check_ranges() -> Iterable[CheckMessage]:
    found = get_settings()
    if not 0 <= found.SAMPLE_RATE <= 1:
        yield _out_of_range("SAMPLE_RATE", found.SAMPLE_RATE, "from 0.0 to 1.0")
    for name in ("MAX_BODY_BYTES", "TRUSTED_PROXY_COUNT", "DASHBOARD_REFRESH", "QUERY_TIMEOUT"):
        if getattr(found, name) < 0:
            yield _out_of_range(name, getattr(found, name), "of 0 or more")
    for name in ("DASHBOARD_WINDOW", "EXPORT_MAX_ROWS"):
        if getattr(found, name) <= 0:
            yield _out_of_range(name, getattr(found, name), "of 1 or more")


def _out_of_range(name: str, value: object, wanted: str) -> CheckMessage:
    return Error(
        f"{SETTING}[{name!r}] cannot be {value!r}.",
        hint=f"Use a number {wanted}.",
        id="trackmate.E002",
    )


def _check_flat_names() -> Iterable[CheckMessage]:
    for name in dir(settings):
        if name.startswith(SETTING) and name != SETTING and (new := _replacement_for(name)):
            yield Warning(
                f"The setting {name} is not read.",
                hint=f"Use {new} instead.",
                id="trackmate.W001",
            )


def _replacement_for(name: str) -> str:
    """Return what replaces a setting outside of the dictionary; "" for one of a project that only
    begins like ours."""
    key = FLAT_NAMES.get(name, name.removeprefix(f"{SETTING}_"))
    if key in setting_types():
        return f"{SETTING} = {{{key!r}: ...}}"
    return "" if "_" in name else SETTING


def _check_middleware() -> Iterable[CheckMessage]:
    listed = list(settings.MIDDLEWARE)
    number = listed.count(MIDDLEWARE)
    if number == 0 and get_settings().TRACK_REQUESTS and get_settings().ENABLED:
        yield Warning(
            "No request is recorded: the middleware is missing.",
            hint=f"Put {MIDDLEWARE!r} first in MIDDLEWARE, or set TRACK_REQUESTS to False.",
            id="trackmate.W002",
        )
    if number > 1:
        yield Warning(
            f"MIDDLEWARE lists {MIDDLEWARE!r} {number} times.",
            hint="Keep the first one.",
            id="trackmate.W003",
        )
    if number and listed[0] != MIDDLEWARE:
        yield Warning(
            f"{listed[0]!r} is before the middleware: its own responses, such as a "
            "redirect to HTTPS, are not recorded.",
            hint=f"Put {MIDDLEWARE!r} first in MIDDLEWARE, or silence this check if that is "
            "intended.",
            id="trackmate.W007",
        )


def _check_urls() -> Iterable[CheckMessage]:
    if not getattr(settings, "ROOT_URLCONF", None):
        # A project of workers and commands has no pages.
        return
    try:
        reverse("trackmate:index")
    except NoReverseMatch:
        yield Warning(
            "The dashboard cannot be reached: its URLs are not included.",
            hint='Add path("trackmate/", include("trackmate.urls")) to the root URLconf.',
            id="trackmate.W005",
        )
        return
    yield from _check_login_page()
    yield from _check_user_model()


def _check_login_page() -> Iterable[CheckMessage]:
    if get_settings().DASHBOARD_ACCESS is not None:
        return
    url = login.login_url()
    if not login.is_page(url):
        yield Warning(
            f"Anonymous visitors of the dashboard are redirected to {url}, where there is no page.",
            hint="Set LOGIN_URL to a page of yours, or include the admin's URLs; "
            "silence this check if a server in front of Django has that page.",
            id="trackmate.W008",
        )


def _check_user_model() -> Iterable[CheckMessage]:
    """Report what the dashboard needs and this project's user model does not have."""
    model = get_user_model()
    if get_settings().DASHBOARD_ACCESS is None and not hasattr(model, "is_staff"):
        yield Warning(
            f"Nobody may open the dashboard: {model._meta.label} has no `is_staff`.",
            hint=f"Set {SETTING}['DASHBOARD_ACCESS'].",
            id="trackmate.W009",
        )
    if not hasattr(model, "has_perm"):
        yield Warning(
            f"Nobody may see request data or take exports: {model._meta.label} has no `has_perm`.",
            hint="Inherit from PermissionsMixin, or add a method has_perm(name), or "
            "silence this check if that is intended.",
            id="trackmate.W010",
        )


def _check_database() -> Iterable[CheckMessage]:
    alias = get_settings().DATABASE
    if alias not in connections.databases:
        yield Error(
            f"{SETTING}['DATABASE'] names {alias!r}, which is not in DATABASES.",
            id="trackmate.E003",
        )
    elif alias != "default" and ROUTER not in settings.DATABASE_ROUTERS:
        yield Warning(
            f"The log is in the database {alias!r}, but migrate would not create its tables there.",
            hint=f"Add {ROUTER!r} to DATABASE_ROUTERS.",
            id="trackmate.W006",
        )


def _check_loading() -> Iterable[CheckMessage]:
    """Import dotted paths and compile patterns: a running site would do without them."""
    found = get_settings()
    for name in ("ACTOR_LABEL", "CLIENT_IP", "DASHBOARD_ACCESS", "DASHBOARD_QUERYSET", "TENANT"):
        yield from _check_path(name, getattr(found, name))
    for name in ("PROCESSORS", "TABLE_COLUMNS", "DETAIL_PANELS"):
        for path in getattr(found, name):
            yield from _check_path(name, path)
    for column in found.TABLE_COLUMNS:
        if not isinstance(column, str) and not hasattr(column, "__name__"):
            yield _unusable("TABLE_COLUMNS", column, "it has no __name__, which names the column")
    for pattern in found.REDACT_PATTERNS:
        try:
            re.compile(pattern)
        except re.error as error:
            yield _unusable("REDACT_PATTERNS", pattern, error)
    yield from _check_backend()


def _check_headers() -> Iterable[CheckMessage]:
    found = get_settings()
    for name in ("REQUEST_ID_HEADER", "REASON_HEADER"):
        header = getattr(found, name)
        if header is not None and not _HEADER.fullmatch(header):
            hint = 'Use a name of letters, digits and hyphens, such as "X-Request-ID".'
            yield _unusable(name, header, "it cannot be the name of a header", hint)


def _check_trace_url() -> Iterable[CheckMessage]:
    url = get_settings().TRACE_URL
    if url is None:
        return
    hint = 'For example "https://traces.example.com/trace/{trace_id}".'
    if "{trace_id}" not in url:
        yield _unusable("TRACE_URL", url, "it has no {trace_id}", hint)
    if not re.match("https?://[^/{]", url):
        yield _unusable("TRACE_URL", url, "it is not an address of http or https", hint)


def _check_integrations() -> Iterable[CheckMessage]:
    known = [each.name for each in INTEGRATIONS]
    for name in get_settings().INTEGRATIONS or ():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(known)}."
            yield _unusable("INTEGRATIONS", name, "there is no such integration", hint)


def _check_lists_of_names() -> Iterable[CheckMessage]:
    """Report what would record, or exclude, everything or nothing."""
    found = get_settings()
    for name in ("TRACK_COMMANDS", "TRACK_TASKS"):
        names = getattr(found, name)
        for each in names if not isinstance(names, bool) else ():
            if not each.strip() or each != each.strip():
                yield _unusable(name, each, "it is blank, or has blanks around it")
    for agent in found.EXCLUDE_AGENTS:
        if isinstance(agent, str) and not agent.strip():
            yield _unusable("EXCLUDE_AGENTS", agent, "it is blank, which is in every user agent")
        elif not isinstance(agent, str) and isinstance(agent.pattern, bytes):
            yield _unusable("EXCLUDE_AGENTS", agent, "it searches bytes, not text")


def _check_dimensions() -> Iterable[CheckMessage]:
    names, keys = {*BUILT_IN}, {key for each in BUILT_IN.values() for key in each.keys}
    for path in get_settings().DIMENSIONS:
        try:
            dimension: Any = import_string(path)
        except BROKEN as error:
            yield _unusable("DIMENSIONS", path, error)
            continue
        if not isinstance(dimension, Dimension):
            yield _unusable("DIMENSIONS", path, "it is not a Dimension")
            continue
        for name in dict.fromkeys((dimension.name, *dimension.keys)):
            if not re.fullmatch("[A-Za-z_]+", name):
                yield _wrong_name(path, name, "has other characters than letters and _")
        for name in sorted({dimension.name} & names | {*dimension.keys} & keys):
            yield _wrong_name(path, name, "is taken by another dimension")
        is_reserved = dimension.name in RESERVED or hasattr(ActivityLog, dimension.name)
        if is_reserved and dimension.name not in names:
            yield _wrong_name(path, dimension.name, "is reserved")
        names.add(dimension.name)
        keys.update(dimension.keys)


def _wrong_name(path: str, name: str, reason: str) -> CheckMessage:
    return Error(
        f"{SETTING}['DIMENSIONS']: the name {name!r} of {path!r} {reason}.",
        hint="Give the dimension another `name` and other `keys`.",
        id="trackmate.E005",
    )


def _check_path(name: str, path: object) -> Iterable[CheckMessage]:
    try:
        import_string(path) if isinstance(path, str) else None
    except BROKEN as error:
        yield _unusable(name, path, error)


def _check_backend() -> Iterable[CheckMessage]:
    found = get_settings()
    hint = f"Use a dotted path, such as {default_of('BACKEND')!r}."
    try:
        backend_class: Any = import_string(found.BACKEND)
    except BROKEN as error:
        yield _unusable("BACKEND", found.BACKEND, error, hint)
        return
    if not (isinstance(backend_class, type) and issubclass(backend_class, BaseBackend)):
        yield _unusable("BACKEND", found.BACKEND, "it is not a BaseBackend", hint)
        return
    try:
        backend = get_backend()
    except BROKEN as error:
        yield _unusable("BACKEND_OPTIONS", found.BACKEND_OPTIONS, error)
        return
    try:
        yield from backend.check()
    except BROKEN as error:
        yield _unusable("BACKEND", found.BACKEND, error)


def _unusable(name: str, value: object, reason: object, hint: str | None = None) -> CheckMessage:
    message = f"{SETTING}[{name!r}] cannot use {value!r}: {reason}"
    return Error(message, hint=hint, id="trackmate.E004")
