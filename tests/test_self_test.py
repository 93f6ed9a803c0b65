"""`manage.py test trackmate` in a host project: it passes, or says what is not in place."""

import pytest

from tests.projects import Project

MIDDLEWARE = "trackmate.middleware.TrackmateMiddleware"
MANIFEST = """
STATIC_ROOT = BASE_DIR / "nowhere"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
    },
}
INSTALLED_APPS.append("django.contrib.staticfiles")
"""


@pytest.fixture
def self_test(tmp_path):
    """Run the self-test in a project with more settings: `self_test("DEBUG = True")`."""

    def run(*lines):
        return Project(tmp_path, *lines).run("-m", "django", "test", "trackmate")

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
        "FORCE_SCRIPT_NAME = '/below/a/prefix'",
        MANIFEST,
        f"{MANIFEST}\nFORCE_SCRIPT_NAME = '/below/'\nSTATIC_URL = 'https://files.example/static/'",
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
