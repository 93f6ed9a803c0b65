"""Integrations with other packages, each in a module of its own.

A module is imported only if its package is installed and `INTEGRATIONS` allows it. Its `install()`
connects signals, and wraps what the package has no signal for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any

from django.apps import apps
from django.core.signals import request_started

from trackmate.conf import get_settings
from trackmate.pipeline import never_raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """An integration: the module of the same name in this package."""

    name: str
    package: str
    """The app or package that has to be installed, as it is imported."""
    needs_app: bool = True
    """Whether it has to be in `INSTALLED_APPS`."""
    at_start: bool = True
    """Whether it is installed with the apps, or with the first request: what imports views then
    finds all apps ready."""

    @property
    def is_available(self) -> bool:
        """Return True if the package is installed."""
        return apps.is_installed(self.package) if self.needs_app else can_import(self.package)


def can_import(name: str) -> bool:
    """Return True if a package or module is there, without importing it."""
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


INTEGRATIONS: tuple[Integration, ...] = (
    Integration(name="passwords", package="django.contrib.auth"),
    Integration(name="hijack", package="hijack"),
    Integration(name="impersonate", package="impersonate"),
    Integration(name="loginas", package="loginas"),
    Integration(name="admin", package="django.contrib.admin"),
    Integration(name="wagtail", package="wagtail"),
    Integration(name="authtoken", package="rest_framework.authtoken", at_start=False),
    Integration(
        name="simplejwt", package="rest_framework_simplejwt", needs_app=False, at_start=False
    ),
    Integration(name="knox", package="knox", at_start=False),
    Integration(name="dj_rest_auth", package="dj_rest_auth", at_start=False),
    Integration(name="oauth2_provider", package="oauth2_provider", at_start=False),
    Integration(name="ninja_jwt", package="ninja_jwt", needs_app=False, at_start=False),
    Integration(name="graphql_graphene", package="graphene_django", at_start=False),
    Integration(name="graphql_strawberry", package="strawberry", needs_app=False, at_start=False),
    Integration(name="graphql_ariadne", package="ariadne", needs_app=False, at_start=False),
    Integration(name="generic_views", package="django.views", needs_app=False),
    Integration(name="rest_framework", package="rest_framework", at_start=False),
    Integration(name="ninja", package="ninja", needs_app=False, at_start=False),
    Integration(name="accounts", package="django.contrib.auth"),
    Integration(name="password_resets", package="django.contrib.auth", at_start=False),
    Integration(name="allauth", package="allauth.account", at_start=False),
    Integration(name="otp", package="django_otp"),
    Integration(name="axes", package="axes"),
    Integration(name="commands", package="django.core", needs_app=False),
    Integration(name="celery", package="celery", needs_app=False),
    Integration(name="rq", package="rq", needs_app=False),
    Integration(name="dramatiq", package="dramatiq", needs_app=False),
    Integration(name="django_tasks", package="django", needs_app=False),
    Integration(name="channels", package="channels", needs_app=False),
)
"""All integrations, in the order in which they are installed."""

_installed: set[str] = set()
_lock = Lock()


def install(*, at_start: bool) -> None:
    """Install what is available and allowed, once."""
    allowed = get_settings().INTEGRATIONS
    with _lock:
        for each in INTEGRATIONS:
            if each.at_start is at_start and each.name not in _installed:
                _installed.add(each.name)
                if (allowed is None or each.name in allowed) and each.is_available:
                    _install(each.name)


@never_raise
def _install(name: str) -> None:
    import_module(f"{__name__}.{name}").install()


def install_with_first_request() -> None:
    """Install the others as soon as a request begins."""
    request_started.connect(_on_first_request, dispatch_uid="trackmate.integrations")


def _on_first_request(**_kwargs: Any) -> None:
    install(at_start=False)
    request_started.disconnect(dispatch_uid="trackmate.integrations")
