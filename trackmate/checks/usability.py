"""Checks of what settings name: whether it can be imported, compiled and used."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from trackmate.backends.base import BaseBackend
from trackmate.conf import SETTING, default_of, get_settings
from trackmate.dashboard.dimensions import BUILT_IN, RESERVED, Dimension
from trackmate.integrations import INTEGRATIONS
from trackmate.models import ActivityLog
from trackmate.pipeline import get_backend

BROKEN = (ImportError, TypeError, AttributeError, ValueError)
"""What importing a project's code can raise."""

_HEADER = re.compile("[A-Za-z0-9][A-Za-z0-9-]{0,63}")


def check_usability() -> Iterable[CheckMessage]:
    """Yield what settings name and trackmate cannot use."""
    yield from _check_loading()
    yield from _check_headers()
    yield from _check_trace_url()
    yield from _check_integrations()
    yield from _check_lists_of_names()
    yield from _check_dimensions()


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


def _unusable(name: str, value: object, reason: object, hint: str | None = None) -> CheckMessage:
    message = f"{SETTING}[{name!r}] cannot use {value!r}: {reason}"
    return Error(message, hint=hint, id="trackmate.E004")
