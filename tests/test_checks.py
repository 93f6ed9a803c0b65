"""What `manage.py check` says of a project's settings, each id with what brings it up."""

import os
import re
from functools import partial

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.core.checks import Error, Warning, run_checks  # noqa: A004
from django.urls import include, path, reverse_lazy
from django.utils.translation import override

from trackmate.backends.dummy import DummyBackend
from trackmate.checks import check_trackmate
from trackmate.dashboard.http.login import login_url

MIDDLEWARE = "trackmate.middleware.TrackmateMiddleware"
BARE_URLS = "django.contrib.auth.urls"


def only():
    """Return the one message that there is."""
    (found,) = check_trackmate()
    return found


def test_a_project_that_follows_the_readme_hears_nothing():
    assert check_trackmate() == []


@pytest.mark.django_db(databases=["default", "apart"])
def test_the_checks_are_part_of_manage_check(configure):
    configure(ENABLE=True)
    assert "trackmate.E001" in [found.id for found in run_checks()]


def test_a_misspelled_setting_is_reported_with_the_one_that_is_meant(configure):
    configure(EXCLUDED_PATHS=["/health/"])
    found = only()
    assert found.id == "trackmate.E001"
    assert "'EXCLUDED_PATHS'" in found.msg
    assert found.hint == "Did you mean 'EXCLUDE_PATHS'?"


def test_an_unheard_of_setting_is_reported_without_a_guess(configure):
    configure(XYZZY=True)
    assert only().id == "trackmate.E001"
    assert "mean" not in only().hint


def test_settings_that_are_no_dictionary_are_reported(settings):
    settings.TRACKMATE = ["ENABLED"]
    assert only().id == "trackmate.E001"
    assert "['ENABLED']" in only().msg


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("SAMPLE_RATE", "half", "float"),
        ("ENABLED", "yes", "bool"),
        ("EXCLUDE_PATHS", "/health/", "Sequence[str | Pattern[str]]"),
        ("WRITE", "later", "Literal['on_close', 'before_response']"),
        ("SPOOL_DIR", 3, "str | Path | None"),
    ],
)
def test_a_value_of_a_wrong_type_is_reported_with_the_right_one(configure, name, value, wanted):
    configure(**{name: value})
    assert only().id == "trackmate.E002"
    assert f"{name!r}" in only().msg
    assert repr(value) in only().msg
    assert wanted in only().hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAMPLE_RATE", 1.5),
        ("SAMPLE_RATE", -0.1),
        ("MAX_BODY_BYTES", -1),
        ("TRUSTED_PROXY_COUNT", -1),
        ("DASHBOARD_REFRESH", -5),
        ("DASHBOARD_WINDOW", 0),
        ("QUERY_TIMEOUT", -1),
    ],
)
def test_a_number_out_of_range_is_reported(configure, name, value):
    configure(**{name: value})
    assert only().id == "trackmate.E002"
    assert f"['{name}'] cannot be {value}" in only().msg


def test_a_database_that_does_not_exist_is_reported(configure):
    configure(DATABASE="elsewhere")
    assert only().id == "trackmate.E003"
    assert "'elsewhere'" in only().msg


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKEND", "trackmate.backends.nothing.Backend"),
        ("BACKEND", "tests.shop.models.Order"),
        ("BACKEND", "console"),
        ("BACKEND_OPTIONS", {"unheard": "of"}),
        ("PROCESSORS", ["trackmate.processors.nothing"]),
        ("REDACT_PATTERNS", ["("]),
        ("CLIENT_IP", "tests.shop.nothing"),
        ("DASHBOARD_ACCESS", "tests.shop.nothing"),
        ("DASHBOARD_QUERYSET", "tests.nothing.at_all"),
        ("DETAIL_PANELS", ["tests.shop.views.index", "tests.nothing.at_all"]),
        ("TABLE_COLUMNS", [partial(print)]),
        ("ACTOR_LABEL", "tests.shop.nothing"),
        ("TENANT", "tests.nothing.at_all"),
        ("INTEGRATIONS", ["passwords", "unheard-of"]),
        ("TRACK_COMMANDS", ["migrate", " "]),
        ("TRACK_TASKS", ["shop.tasks.send "]),
        ("EXCLUDE_AGENTS", ["kube-probe/", ""]),
        ("EXCLUDE_AGENTS", [re.compile(b"Googlebot")]),
        ("REQUEST_ID_HEADER", "X-Request-ID\r\nSet-Cookie"),
        ("REASON_HEADER", "X Reason"),
        ("TRACE_URL", "https://traces.example.com/"),
        ("TRACE_URL", "javascript:alert({trace_id})"),
        ("TRACE_URL", "//traces.example.com/{trace_id}"),
    ],
)
def test_what_cannot_be_loaded_is_reported(configure, name, value):
    configure(**{name: value})
    assert only().id == "trackmate.E004"
    assert isinstance(only(), Error)
    wrong = value[-1] if isinstance(value, list) else value
    assert only().msg.startswith(f"TRACKMATE[{name!r}] cannot use {wrong!r}: ")


class Broken(DummyBackend):
    """A backend that fails where its parameter says."""

    def __init__(self, where):
        super().__init__()
        if where == "options":
            raise AttributeError("no such attribute")

    def check(self):
        raise AttributeError("no such attribute")


@pytest.mark.parametrize(
    ("where", "said"),
    [("options", "TRACKMATE['BACKEND_OPTIONS'] cannot"), ("check", "TRACKMATE['BACKEND'] cannot")],
)
def test_a_backend_that_fails_is_reported(configure, where, said):
    configure(BACKEND=f"{__name__}.Broken", BACKEND_OPTIONS={"where": where})
    assert only().id == "trackmate.E004"
    assert only().msg.startswith(said)
    assert "no such attribute" in only().msg


def test_a_module_that_fails_is_reported(configure, monkeypatch, tmp_path):
    (tmp_path / "fails_at_import.py").write_text("None.attribute")
    monkeypatch.syspath_prepend(tmp_path)
    configure(PROCESSORS=["fails_at_import.processor"])
    assert only().id == "trackmate.E004"
    assert "'fails_at_import.processor'" in only().msg


def test_what_can_be_loaded_is_not(configure):
    configure(CLIENT_IP="tests.shop.views.index", DASHBOARD_ACCESS=lambda request: True)
    configure(REDACT_PATTERNS=["PL[0-9]+", re.compile("x")])
    configure(ACTOR_LABEL="tests.shop.views.index", TENANT=lambda request: "acme")
    configure(INTEGRATIONS=["passwords"], TRACK_COMMANDS=["migrate"], TRACK_TASKS=False)
    configure(EXCLUDE_AGENTS=["kube-probe/", re.compile("bot")])
    configure(REQUEST_ID_HEADER="X-Request-ID", REASON_HEADER="X-Reason")
    configure(TRACE_URL="http://localhost:16686/trace/{trace_id}")
    assert check_trackmate() == []


def test_a_misspelled_integration_is_reported_with_the_one_that_is_meant(configure):
    configure(INTEGRATIONS=["password"])
    assert only().hint == "Did you mean 'passwords'?"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("TRACKMATE_EXCLUDED_PATH", "EXCLUDE_PATHS"),
        ("TRACKMATE_LOG_LOGIN_ACTIVITIES", "TRACK_AUTH"),
        ("TRACKMATE_EXCLUDE_PATHS", "TRACKMATE = {'EXCLUDE_PATHS': ...}"),
        ("TRACKMATES", "Use TRACKMATE instead."),
    ],
)
def test_a_setting_beside_the_dictionary_is_reported_with_its_place_in_it(settings, old, new):
    setattr(settings, old, [])
    assert only().id == "trackmate.W001"
    assert old in only().msg
    assert new in only().hint


def test_a_setting_of_the_project_may_begin_with_the_same_word(settings):
    settings.TRACKMATE_REPORTS_EMAIL = "log@example.org"
    assert check_trackmate() == []


def test_a_missing_middleware_is_reported(settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != MIDDLEWARE]
    assert only().id == "trackmate.W002"
    assert isinstance(only(), Warning)


@pytest.mark.parametrize("wish", [{"TRACK_REQUESTS": False}, {"ENABLED": False}])
def test_a_middleware_that_is_not_wanted_may_be_missing(settings, configure, wish):
    settings.MIDDLEWARE = []
    configure(**wish)
    assert check_trackmate() == []


def test_a_middleware_that_is_there_twice_is_reported(settings):
    settings.MIDDLEWARE = [MIDDLEWARE, *settings.MIDDLEWARE]
    assert only().id == "trackmate.W003"
    assert "2 times" in only().msg


def test_a_middleware_that_is_not_first_is_reported(settings):
    first = "django.middleware.security.SecurityMiddleware"
    settings.MIDDLEWARE = [first, *settings.MIDDLEWARE]
    assert only().id == "trackmate.W007"
    assert first in only().msg


def test_a_spool_directory_that_is_a_file_is_reported(configure, tmp_path):
    path = tmp_path / "file"
    path.touch()
    configure(SPOOL_DIR=path)
    assert only().id == "trackmate.W004"
    assert str(path) in only().msg


def test_a_spool_directory_that_cannot_be_written_is_reported(monkeypatch):
    # Where the tests run as root, no permission keeps them out.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert only().id == "trackmate.W004"
    assert "no permission" in only().msg


def test_the_backend_in_force_adds_what_it_has_to_say(configure, monkeypatch):
    said = Warning("The moon is full.", id="moon.W001")
    monkeypatch.setattr(DummyBackend, "check", lambda self: [said])
    configure(BACKEND="trackmate.backends.dummy.DummyBackend")
    assert check_trackmate() == [said]


def test_urls_that_are_not_included_are_reported(settings):
    settings.ROOT_URLCONF = BARE_URLS
    assert only().id == "trackmate.W005"
    assert "trackmate.urls" in only().hint


class WithoutLogin:
    urlpatterns = (path("trackmate/", include("trackmate.urls")),)


@pytest.mark.parametrize(
    ("url", "led_to"),
    [
        ("/nowhere/", "/nowhere/"),
        ("login", "/accounts/login/"),
        (None, "/accounts/login/"),
        (reverse_lazy("login"), "/accounts/login/"),
    ],
)
def test_a_login_page_that_is_not_there_is_reported(settings, configure, url, led_to):
    settings.ROOT_URLCONF, settings.LOGIN_URL = WithoutLogin, url
    assert only().id == "trackmate.W008"
    assert led_to in only().msg
    configure(DASHBOARD_ACCESS=lambda request: True)
    assert check_trackmate() == []


class InLanguages:
    urlpatterns = (
        path("trackmate/", include("trackmate.urls")),
        *i18n_patterns(path("in/", LoginView.as_view(), name="login")),
    )


class AnyAddress:
    urlpatterns = (
        path("admin/", admin.site.urls),
        path("trackmate/", include("trackmate.urls")),
        *i18n_patterns(path("<path:page>/", LoginView.as_view())),
    )


def test_a_site_that_takes_any_address_in_a_language_has_the_admins_login(settings):
    settings.ROOT_URLCONF = AnyAddress
    assert login_url() == "/admin/login/"


@pytest.mark.parametrize(
    ("urls", "url"),
    [
        (WithoutLogin, "/trackmate/"),
        (WithoutLogin, "trackmate:index"),
        (WithoutLogin, "https://login.example/"),
        (InLanguages, "login"),
        (InLanguages, "/in/"),
        (InLanguages, "/in"),
        (InLanguages, "/de/in/"),
    ],
)
def test_a_login_page_can_be_anywhere(settings, urls, url):
    settings.ROOT_URLCONF, settings.LOGIN_URL = urls, url
    assert check_trackmate() == []
    with override(None):
        assert check_trackmate() == []


def test_a_second_database_without_the_router_is_reported(settings, configure):
    configure(DATABASE="apart")
    assert only().id == "trackmate.W006"
    settings.DATABASE_ROUTERS = ["trackmate.routers.TrackmateRouter"]
    assert check_trackmate() == []
