"""Logins, logouts and failed logins, with and without a request."""

import asyncio

import pytest
from django.contrib.auth import authenticate, get_user_model, login, logout, user_login_failed
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.db import connection
from django.http import HttpResponse
from django.test import AsyncClient, RequestFactory
from django.test.utils import CaptureQueriesContext

from trackmate import bind
from trackmate.activity import Target
from trackmate.diagnostics import counts
from trackmate.middleware import TrackmateMiddleware
from trackmate.redaction.text import keyed_hash

pytestmark = [pytest.mark.database, pytest.mark.users, pytest.mark.django_db]

HASH = "sha256:" + "0" * 32


@pytest.fixture
def alice():
    return get_user_model().objects.create_user("alice", "a@example.com", "correct horse")


@pytest.fixture
def bare_request():
    """A request that no middleware has seen."""
    request = RequestFactory().post("/login/", headers={"user-agent": "curl/8"})
    request.session = SessionStore()
    return request


def fail(username="alice", **credentials):
    assert authenticate(None, username=username, password="wrong", **credentials) is None


def hashed(identifier):
    return f"sha256:{keyed_hash(identifier, 'identifier')}"


def account(user):
    return Target(model=user._meta.label_lower, object_id=str(user.pk), object_repr="alice")


def name_of(activity):
    """Return the name that the account of a failed login has in the log."""
    assert (activity.actor_id, activity.actor_label) == (None, "")
    return activity.target.object_repr if activity.target else None


def only(activities):
    (activity,) = activities
    return activity


def test_a_login_through_a_view_is_the_row_of_its_request(client, alice, activities):
    client.post("/sign-in/", {"username": "alice", "password": "correct horse"})
    activity = only(activities)
    assert (activity.source, activity.action) == ("auth", "auth.login")
    assert (activity.action_type, activity.status) == ("Login", "Success")
    assert (activity.actor_id, activity.actor_label) == (alice.pk, "alice")
    assert (activity.path, activity.ip_address) == ("/sign-in/", "127.0.0.1")
    assert (activity.method, activity.status_code, activity.route) == ("POST", 200, "sign-in/")
    assert activity.data == {"username": "alice", "password": "[redacted]"}
    assert activity.execution_time > 0


def test_a_failed_login_through_a_view_is_the_row_of_its_request(client, alice, activities):
    client.post("/sign-in/", {"username": "alice", "password": "wrong"})
    activity = only(activities)
    assert (activity.source, activity.action) == ("auth", "auth.login")
    assert (activity.action_type, activity.status) == ("Login Failed", "Failed")
    assert (activity.actor_id, activity.actor_label) == (None, "")
    assert activity.target == account(alice)
    assert activity.data == {"username": "alice", "password": "[redacted]"}
    assert "wrong" not in repr(activities)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("thread_connections")
@pytest.mark.parametrize(("password", "kind"), [("correct horse", "Login"), ("x", "Login Failed")])
def test_an_async_login_is_recorded(alice, activities, password, kind):
    credentials = {"username": "alice", "password": password}
    asyncio.run(AsyncClient().post("/async/sign-in/", credentials))
    assert only(activities).action_type == kind


def test_a_login_without_the_middleware_tells_where_it_came_from(bare_request, alice, activities):
    login(bare_request, alice, "django.contrib.auth.backends.ModelBackend")
    activity = only(activities)
    assert (activity.actor_id, activity.actor_label) == (alice.pk, "alice")
    assert (activity.ip_address, activity.user_agent) == ("127.0.0.1", "curl/8")
    assert (activity.method, activity.path) == ("POST", "/login/")


def test_a_logout_without_the_middleware_is_recorded(bare_request, alice, activities):
    bare_request.user = alice
    logout(bare_request)
    activity = only(activities)
    assert (activity.action, activity.action_type) == ("auth.logout", "Logout")
    assert activity.actor_label == "alice"


def test_nobody_logs_out(bare_request, activities):
    logout(bare_request)
    assert activities == []


def test_a_failed_login_without_a_request_is_recorded(alice, activities):
    fail()
    activity = only(activities)
    assert (activity.action_type, name_of(activity)) == ("Login Failed", "alice")
    assert (activity.path, activity.ip_address) == ("", None)


@pytest.mark.parametrize("credentials", [None, {}, {"token": "x"}])
def test_a_failed_login_of_a_backend_without_names_is_recorded(activities, credentials):
    user_login_failed.send(__name__, credentials=credentials, request=None)
    assert name_of(only(activities)) is None


# --- how the identifier is kept --------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "typed", "label"),
    [
        ("known", "alice", "alice"),
        ("known", "correct horse", hashed("correct horse")),
        ("hashed", "alice", hashed("alice")),
        ("full", "correct horse", "correct horse"),
        ("full", "alice", "alice"),
        ("none", "alice", None),
    ],
)
def test_an_identifier_is_kept_as_the_settings_say(
    alice, activities, configure, mode, typed, label
):
    configure(FAILED_LOGIN_IDENTIFIER=mode)
    fail(typed)
    assert name_of(only(activities)) == label


def test_a_failed_login_names_the_account_that_was_tried(alice, activities):
    fail("alice")
    assert only(activities).target == account(alice)


def test_an_unknown_account_can_be_found_by_its_hash(activities):
    fail("mallory")
    target = only(activities).target
    assert target.object_id == target.object_repr == hashed("mallory")
    assert target.model == get_user_model()._meta.label_lower


@pytest.mark.parametrize("mode", ["hashed", "none"])
def test_an_account_is_not_looked_up_where_it_would_not_be_named(
    alice, activities, configure, django_assert_num_queries, mode
):
    configure(FAILED_LOGIN_IDENTIFIER=mode)
    with django_assert_num_queries(0):
        user_login_failed.send(__name__, credentials={"username": "alice"}, request=None)
    assert name_of(only(activities)) != "alice"


def test_an_identifier_is_known_or_not_by_one_query(alice, activities, django_assert_num_queries):
    with django_assert_num_queries(3):  # one, between savepoint and release
        user_login_failed.send(__name__, credentials={"username": "alice"}, request=None)
    assert name_of(only(activities)) == "alice"


def test_an_account_whose_password_was_checked_is_not_looked_up_again(client, alice, activities):
    with CaptureQueriesContext(connection) as queries:
        client.post("/sign-in/", {"username": "alice", "password": "wrong"})
    assert only(activities).target == account(alice)
    assert len([each for each in queries if "shop_" in each["sql"] or "auth" in each["sql"]]) == 1


def test_the_last_account_that_was_tried_is_not_taken_for_the_next(client, alice, activities):
    client.post("/sign-in/twice/", {"username": "alice", "password": "wrong"})
    assert sorted(name_of(each) for each in activities) == ["alice", hashed("mallory")]


def log_in(request):
    authenticate(request, username="alice", password="correct horse")


def confirm(request):
    request.user.check_password("wrong")


@pytest.mark.parametrize("act", [log_in, confirm])
def test_an_account_of_another_act_is_not_taken_for_the_one_that_failed(alice, activities, act):
    def view(request):
        request.user = alice
        act(request)
        fail("nobody")
        return HttpResponse()

    request = RequestFactory().post("/tokens/")
    TrackmateMiddleware(view)(request)
    request.close()
    assert [each.target.object_repr for each in activities] == [hashed("nobody")]


def test_an_account_is_found_by_whatever_a_backend_finds_it(client, alice, activities, settings):
    settings.AUTHENTICATION_BACKENDS = ["tests.shop.backends.CardBackend"]
    client.post("/sign-in/card/", {"card": "4711", "password": "wrong"})
    assert only(activities).target == account(alice)


def test_the_same_identifier_has_the_same_hash_however_it_is_written(activities):
    for typed in ("Mallory", "mallory", "MALLORY", "trudy"):
        fail(typed)
    labels = [name_of(activity) for activity in activities]
    assert labels[0] == labels[1] == labels[2] != labels[3]


def test_a_hash_depends_on_the_projects_key(settings):
    before = hashed("mallory")
    settings.SECRET_KEY = "another"
    assert hashed("mallory") != before


@pytest.mark.parametrize("mode", ["known", "hashed", "full", "none"])
@pytest.mark.parametrize("typed", ["x" * 300, "x\x00y", "\ud800", "ł" * 300], ids=ascii)
def test_an_identifier_of_any_kind_is_recorded(activities, configure, mode, typed):
    configure(FAILED_LOGIN_IDENTIFIER=mode)
    user_login_failed.send(__name__, credentials={"username": typed}, request=None)
    assert len(name_of(only(activities)) or "") <= 255
    assert counts == {}


def test_an_email_is_an_identifier_too(activities, configure):
    configure(FAILED_LOGIN_IDENTIFIER="full")
    user_login_failed.send(__name__, credentials={"email": "a@example.com"}, request=None)
    assert name_of(only(activities)) == "a@example.com"


# --- when nothing is wanted ------------------------------------------------------------------


@pytest.mark.parametrize("wish", [{"TRACK_AUTH": False}, {"ENABLED": False}])
def test_authentication_can_be_left_out(bare_request, alice, activities, configure, wish):
    configure(**wish)
    login(bare_request, alice, "django.contrib.auth.backends.ModelBackend")
    bare_request.user = alice
    logout(bare_request)
    fail()
    assert activities == []


def test_without_requests_logins_are_recorded_all_the_same(client, alice, activities, configure):
    configure(TRACK_REQUESTS=False)
    client.post("/sign-in/", {"username": "alice", "password": "correct horse"})
    assert [activity.action for activity in activities] == ["auth.login"]


def test_a_failed_login_in_a_command_is_not_an_act_of_who_is_bound(activities):
    with bind(actor="cron:nightly"):
        fail("mallory")
    assert name_of(only(activities)) == hashed("mallory")
