"""Dropping requests: `exclude()` by the settings, `sample()` at random."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from django.conf import settings as django_settings

from trackmate.activity import Activity
from trackmate.conf import get_settings, per_settings
from trackmate.context.scope import Scope, current_scope
from trackmate.enums import SAFE_METHODS, Source, Status

Rule = str | re.Pattern[str]

MAX_PATH, MAX_AGENT = 2_048, 512
"""Characters of a path and of a user agent that the project's patterns are matched against."""


def exclude(activity: Activity) -> Activity | None:
    """Drop requests that the settings exclude. Other activities are never excluded."""
    if activity.source != Source.REQUEST:
        return activity
    scope = current_scope()
    # As in the URLconf: not masked, and without the script name.
    path = scope.request.path_info if scope else activity.path
    if is_excluded(activity.method, path, scope) or _has_excluded_agent(activity):
        return None
    return activity


def is_excluded(method: str, path: str, scope: Scope | None = None) -> bool:
    """Return True if the settings exclude a request, as far as its route is known."""
    settings, path = get_settings(), path[:MAX_PATH]
    if not settings.TRACK_REQUESTS or path.startswith(_ignored_paths()):
        return True
    if method in settings.EXCLUDE_METHODS:
        return True
    match = scope and scope.request.resolver_match
    names = (match.view_name, *match.app_names) if match else ()
    if "trackmate" in names or _matches(settings.EXCLUDE_PATHS, path, names):
        return True
    return bool(settings.INCLUDE_PATHS) and not _matches(settings.INCLUDE_PATHS, path, names)


def _matches(rules: Sequence[Rule], path: str, names: Sequence[str]) -> bool:
    return any(
        (path.startswith(rule) if rule.startswith("/") else rule in names)
        if isinstance(rule, str)
        else rule.search(path) is not None
        for rule in rules
    )


def _has_excluded_agent(activity: Activity) -> bool:
    """Return True for a request of a health check or a bot, as far as it can be believed.

    Nobody can hide with a user agent: what people do, changes and failures are always recorded.
    """
    rules = get_settings().EXCLUDE_AGENTS
    return (
        bool(rules and activity.user_agent)
        and activity.method in SAFE_METHODS
        and activity.status != Status.FAILED
        and not activity.has_actor
        and _names_agent(rules, activity.user_agent[:MAX_AGENT])
    )


def _names_agent(rules: Sequence[Rule], agent: str) -> bool:
    lowered = agent.lower()
    return any(
        bool(rule) and rule.lower() in lowered
        if isinstance(rule, str)
        else rule.search(agent) is not None
        for rule in rules
    )


@per_settings
def _ignored_paths() -> tuple[str, ...]:
    # Unset, Django returns the root of the site, which would exclude everything.
    names = ("STATIC_URL", "MEDIA_URL")
    urls = [getattr(django_settings._wrapped, name, None) for name in names]
    paths = (_without_prefix(url) for url in urls if url and url != "/")
    return ("/favicon.ico", *filter(None, paths))


def _without_prefix(url: str) -> str:
    """Return the path of a URL without the script name, or "" if it is not below it."""
    if url.startswith(("//", "http:", "https:")):
        return ""
    prefix = (django_settings.FORCE_SCRIPT_NAME or "").rstrip("/") + "/"
    if url.startswith("/") and not url.startswith(prefix):
        return ""
    return "/" + url.removeprefix(prefix)


def sample(activity: Activity) -> Activity | None:
    """Drop all but `SAMPLE_RATE` of the successful requests."""
    rate = get_settings().SAMPLE_RATE
    if rate >= 1 or activity.source != Source.REQUEST or activity.status == Status.FAILED:
        return activity
    return activity if random.random() < rate else None  # noqa: S311 (not a secret)
