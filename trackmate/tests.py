"""The installation self-test: `manage.py test trackmate` inside a project that uses trackmate.

It runs against that project's own settings, URLs and middleware, and says what is not in place.
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.core.checks import run_checks
from django.db import connections
from django.http import HttpRequest
from django.test import TestCase, override_settings
from django.urls import NoReverseMatch, reverse

from trackmate.checks import MIDDLEWARE
from trackmate.conf import get_settings, given_settings
from trackmate.enums import ActionType, Source
from trackmate.models import ActivityLog


def _everything(**settings: Any) -> dict[str, Any]:
    """Return the project's settings, but written at once and to the database, nothing left out."""
    return {
        **given_settings(),
        "ENABLED": True,
        "BACKEND": "trackmate.backends.database.DatabaseBackend",
        "BACKEND_OPTIONS": {},
        "SAMPLE_RATE": 1.0,
        "EXCLUDE_PATHS": (),
        "INCLUDE_PATHS": (),
        "EXCLUDE_METHODS": (),
        "TRACK_REQUESTS": True,
        "TRACK_AUTH": True,
        "CAPTURE_DATA": True,
        **settings,
    }


class InstallationTests(TestCase):
    """What has to hold in every project."""

    databases = frozenset(connections)

    def test_the_app_is_set_up_without_a_warning(self) -> None:
        """`manage.py check` has nothing to say of trackmate."""
        found = [check for check in run_checks() if (check.id or "").startswith("trackmate.")]
        self.assertEqual([str(check) for check in found], [])

    def test_the_middleware_is_in_place(self) -> None:
        """It stands in MIDDLEWARE, once."""
        self.assertEqual(list(settings.MIDDLEWARE).count(MIDDLEWARE), 1)

    def test_the_dashboard_has_an_address(self) -> None:
        """The URLs are included."""
        try:
            reverse("trackmate:index")
        except NoReverseMatch:
            self.fail('path("trackmate/", include("trackmate.urls")) is missing in the URLs')

    def test_the_table_is_there(self) -> None:
        """`migrate` was run for the database that keeps the log."""
        self.assertFalse(ActivityLog.objects.using(get_settings().DATABASE).exists())


@override_settings(TRACKMATE=_everything())
class RecordingTests(TestCase):
    """What is recorded, and what is not."""

    databases = frozenset(connections)

    def rows(self, **filters: Any) -> list[ActivityLog]:
        """Return the rows that match, newest first."""
        return list(ActivityLog.objects.using(get_settings().DATABASE).filter(**filters))
