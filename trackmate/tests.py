"""The installation self-test: `manage.py test trackmate` inside a project that uses trackmate.

It runs with that project's settings, URLs and middleware, and reports what is missing.
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.core.checks import run_checks
from django.db import models
from django.http import HttpRequest
from django.test import TestCase, override_settings
from django.urls import NoReverseMatch, get_script_prefix, reverse

from trackmate.checks.project import MIDDLEWARE
from trackmate.conf import get_settings, given_settings
from trackmate.enums import ActionType, Source
from trackmate.models import ActivityLog

NO_URLS = 'path("trackmate/", include("trackmate.urls")) is missing in the URLs'


def _everything() -> dict[str, Any]:
    """Return the project's settings, with everything recorded, and stored at once."""
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
    }


class InstallationTests(TestCase):
    """What every project needs."""

    databases = "__all__"

    def test_the_app_is_set_up_without_a_warning(self) -> None:
        """`manage.py check` reports nothing about trackmate."""
        found = [check for check in run_checks() if (check.id or "").startswith("trackmate.")]
        self.assertEqual([str(check) for check in found], [])

    def test_the_middleware_is_in_place(self) -> None:
        """It is in MIDDLEWARE, once."""
        if not get_settings().TRACK_REQUESTS:
            self.skipTest('TRACKMATE["TRACK_REQUESTS"] is off, which needs no middleware')
        number = list(settings.MIDDLEWARE).count(MIDDLEWARE)
        self.assertEqual(number, 1, f"{MIDDLEWARE!r} must be in MIDDLEWARE once, and first")

    def test_recording_is_switched_on(self) -> None:
        """Otherwise nothing is recorded outside of these tests."""
        if not get_settings().ENABLED:
            self.skipTest('TRACKMATE["ENABLED"] is False: with these settings nothing is recorded')

    def test_the_dashboard_has_an_address(self) -> None:
        """The URLs are included."""
        try:
            reverse("trackmate:index")
        except NoReverseMatch:
            self.fail(NO_URLS)

    def test_the_tables_are_there(self) -> None:
        """`migrate` was run for the database of the log."""
        for model in apps.get_app_config("trackmate").get_models():
            with self.subTest(model=model.__name__):
                model._default_manager.using(get_settings().DATABASE).exists()


@override_settings(TRACKMATE=_everything())
class RecordingTests(TestCase):
    """What is recorded, and what is not."""

    databases = "__all__"

    def setUp(self) -> None:
        """Make a secret and a path that occur nowhere else."""
        self.secret = token_hex(16)
        self.path = f"/trackmate-self-test-{token_hex(4)}/"
        self.client.raise_request_exception = False

    def test_a_request_becomes_a_row(self) -> None:
        """Even one for a path that does not exist."""
        if MIDDLEWARE not in settings.MIDDLEWARE:
            self.skipTest("the middleware is missing; another test reports that")
        answer = self.client.get(self.path, secure=True)
        # Below a prefix (FORCE_SCRIPT_NAME) the row has the prefix too.
        row = self.rows().get(path__endswith=self.path)
        self.assertEqual((row.method, row.status_code), ("GET", answer.status_code))

    def test_a_failed_login_becomes_a_row(self) -> None:
        """By the project's authentication backends."""
        name = get_user_model().USERNAME_FIELD
        credentials = {name: self.path, "password": self.secret}
        self.assertIsNone(authenticate(HttpRequest(), **credentials))
        row = self.rows().filter(source=Source.AUTH)[0]
        self.assertEqual((row.action_type, row.actor_id), (ActionType.LOGIN_FAILED, None))

    def test_a_planted_secret_becomes_no_row(self) -> None:
        """Neither from a query, nor from a body, nor from credentials."""
        body = {"password": self.secret, "nested": [{"api_key": self.secret}]}
        path = f"{self.path}?token={self.secret}"
        self.client.post(path, body, content_type="application/json", secure=True)
        authenticate(HttpRequest(), username=self.path, password=self.secret)
        rows = [vars(row) for row in self.rows()]
        self.assertTrue(rows)
        self.assertNotIn(self.secret, repr(rows))

    def test_an_anonymous_visitor_is_turned_away(self) -> None:
        """The dashboard shows nothing to people who are not logged in."""
        try:
            address = reverse("trackmate:index")
        except NoReverseMatch:
            self.skipTest(NO_URLS)
        # The test client sends paths without the site's prefix.
        address = "/" + address.removeprefix(get_script_prefix())
        answer = self.client.get(address, secure=True)
        self.assertIn(answer.status_code, (301, 302, 401, 403, 404))

    def rows(self) -> models.QuerySet[ActivityLog]:
        """Return the rows in the database of the log."""
        return ActivityLog.objects.using(get_settings().DATABASE).all()
