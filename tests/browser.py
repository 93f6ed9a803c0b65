"""Fixtures of the tests that look at the dashboard with a browser."""

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client, override_settings

from tests.factories import person


@pytest.fixture(scope="session")
def static_root(tmp_path_factory):
    """Collect the static files as a project does."""
    root = tmp_path_factory.mktemp("static")
    apps = [*settings.INSTALLED_APPS, "django.contrib.staticfiles"]
    with override_settings(INSTALLED_APPS=apps, STATIC_ROOT=root):
        call_command("collectstatic", interactive=False, verbosity=0)
    return root


@pytest.fixture
def quick(settings, static_root):
    """Look for news each second, and record nothing of what the browser asks for."""
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_REFRESH": 1}
    settings.STATIC_ROOT = static_root


@pytest.fixture
def log_in(live_server):
    """Give a page the session of a user."""

    def give(page, user):
        client = Client()
        client.force_login(user)
        session = client.cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        return page

    return give


@pytest.fixture
def visit(live_server, log_in):
    """Log a page in as staff and open an address."""
    user = person("staff", "view_payload", is_staff=True)

    def go(page, address="/trackmate/activity/"):
        log_in(page, user).goto(live_server.url + address)
        return page

    return go
