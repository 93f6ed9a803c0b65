"""Checks of what a project needs besides its settings: middleware, URLs, users, a database."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 (Django's own name)
from django.db import connections
from django.urls import NoReverseMatch, reverse

from trackmate.conf import SETTING, get_settings
from trackmate.dashboard.http import login

MIDDLEWARE = "trackmate.middleware.TrackmateMiddleware"
ROUTER = "trackmate.routers.TrackmateRouter"


def check_project() -> Iterable[CheckMessage]:
    """Yield what is wrong with the middleware, the URLs, the user model and the database."""
    yield from _check_middleware()
    yield from _check_urls()
    yield from _check_database()


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
