"""Checks of the names, types and ranges of settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 (Django's own name)

from trackmate.conf import (
    SETTING,
    accepts,
    get_settings,
    given_settings,
    setting_types,
    suggestion_for,
)

FLAT_NAMES = {
    "TRACKMATE_EXCLUDED_PATH": "EXCLUDE_PATHS",
    "TRACKMATE_LOG_LOGIN_ACTIVITIES": "TRACK_AUTH",
}
"""Settings of version 0.3, with their names now."""


def check_settings() -> Iterable[CheckMessage]:
    """Yield what is wrong with settings as they are written."""
    yield from _check_names()
    yield from _check_types()
    yield from _check_ranges()
    yield from _check_flat_names()


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
