"""`manage.py test trackmate` in a host project: it passes, or says what is not in place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MIDDLEWARE = "trackmate.middleware.TrackmateMiddleware"
SETTINGS = "from tests.settings import *\nTRACKMATE = {{'SPOOL_DIR': {spool!r}}}\n"


@pytest.fixture
def self_test(tmp_path):
    """Run the self-test in a project with more settings: `self_test("DEBUG = True")`."""

    def run(*lines):
        text = SETTINGS.format(spool=str(tmp_path / "spool")) + "\n".join(lines)
        (tmp_path / "host_settings.py").write_text(text)
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
            "DJANGO_SETTINGS_MODULE": "host_settings",
            "TRACKMATE_TEST_DATABASE": "sqlite",
        }
        command = [sys.executable, "-W", "error", "-m", "django", "test", "trackmate"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_a_project_that_follows_the_readme_passes(self_test):
    done = self_test()
    assert done.returncode == 0, done.stderr
    assert "\nOK\n" in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "TRACKMATE = {'ENABLED': False}",
        "TRACKMATE = {'EXCLUDE_PATHS': ['/'], 'SAMPLE_RATE': 0.0, 'TRACK_AUTH': False}",
        "TRACKMATE = {'BACKEND': 'trackmate.backends.console.ConsoleBackend'}",
        "TRACKMATE = {'WRITE': 'before_response', 'IP_MODE': 'hashed'}",
        "TRACKMATE = {'TRACK_REQUESTS': False}\n"
        f"MIDDLEWARE = [each for each in MIDDLEWARE if each != {MIDDLEWARE!r}]",
        "SECURE_SSL_REDIRECT = True",
        "AUTH_USER_MODEL = 'shop.UUIDUser'",
        "TRACKMATE = {'DATABASE': 'apart'}\n"
        "DATABASE_ROUTERS = ['trackmate.routers.TrackmateRouter']",
    ],
)
def test_it_passes_whatever_a_project_has_chosen(self_test, line):
    done = self_test(line)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            f"MIDDLEWARE = [name for name in MIDDLEWARE if name != {MIDDLEWARE!r}]",
            ["FAIL: test_the_middleware_is_in_place"],
        ),
        (f"MIDDLEWARE = [{MIDDLEWARE!r}, *MIDDLEWARE]", ["FAIL: test_the_middleware_is_in_place"]),
        (
            "ROOT_URLCONF = 'django.contrib.auth.urls'",
            ["FAIL: test_the_dashboard_has_an_address", "trackmate.W005"],
        ),
        ("TRACKMATE = {'ENABLE': True}", ["trackmate.E001", "Did you mean 'ENABLED'?"]),
    ],
)
def test_it_says_what_is_not_in_place(self_test, line, said):
    done = self_test(line)
    assert done.returncode == 1
    assert [text for text in said if text not in done.stderr] == []
