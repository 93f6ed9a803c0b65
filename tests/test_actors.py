"""Who made a request: known at its end, whatever way the project authenticates."""

import asyncio
import re

import pytest
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.test import AsyncClient
from rest_framework.authtoken.models import Token
from rest_framework_simplejwt.tokens import AccessToken

from trackmate.redaction.text import keyed_hash

pytestmark = [pytest.mark.database, pytest.mark.users, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def alice():
    return get_user_model().objects.create_user("alice", password="correct horse")


@pytest.fixture
def alices(client, alice):
    """Return a client that alice is logged in with."""
    client.force_login(alice)
    return client


def requests(activities):
    return [activity for activity in activities if activity.source == "request"]


def only(activities):
    (activity,) = requests(activities)
    return activity


def actor(activity):
    return activity.actor_id, activity.actor_label


def ask(path, *, cookies=None, **headers):
    """Ask as an ASGI server would."""
    client = AsyncClient()
    client.cookies = cookies if cookies is not None else client.cookies
    return asyncio.run(client.get(path, headers=headers))


@pytest.mark.parametrize("path", ["/", "/whoami/", "/async/", "/async/whoami/"])
def test_a_request_of_nobody_has_no_actor(client, activities, path):
    client.get(path)
    assert actor(only(activities)) == (None, "")


@pytest.mark.parametrize("path", ["/", "/whoami/", "/async/", "/async/whoami/", "/nowhere/"])
def test_a_session_tells_the_actor_whether_or_not_the_view_asks(alices, alice, activities, path):
    alices.get(path)
    assert actor(only(activities)) == (alice.pk, "alice")


@pytest.mark.usefixtures("thread_connections")
@pytest.mark.parametrize("path", ["/", "/whoami/", "/async/", "/async/whoami/"])
def test_a_session_tells_the_actor_over_asgi(alices, alice, activities, path):
    ask(path, cookies=alices.cookies)
    assert actor(only(activities)) == (alice.pk, "alice")


def test_a_token_of_rest_framework_tells_the_actor(client, alice, activities):
    token = Token.objects.create(user=alice)
    client.get("/drf/me/", headers={"Authorization": f"Token {token.key}"})
    assert actor(only(activities)) == (alice.pk, "alice")


def test_a_json_web_token_tells_the_actor(client, alice, activities):
    token = AccessToken.for_user(alice)
    assert client.get("/drf/me/", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert actor(only(activities)) == (alice.pk, "alice")


def test_a_token_that_is_refused_tells_none(client, activities):
    answer = client.get("/drf/me/", headers={"Authorization": "Token wrong"})
    assert answer.status_code in (401, 403)
    assert actor(only(activities)) == (None, "")


def test_ninjas_bearer_tells_the_actor(client, alice, activities):
    assert client.get("/ninja/me", headers={"Authorization": "Bearer alice"}).status_code == 200
    assert actor(only(activities)) == (alice.pk, "alice")


@pytest.mark.usefixtures("thread_connections")
def test_ninjas_async_bearer_tells_the_actor(alice, activities):
    assert ask("/ninja/async-me", Authorization="Bearer alice").status_code == 200
    assert actor(only(activities)) == (alice.pk, "alice")


def test_a_bare_token_is_never_stored(client, activities):
    client.get("/ninja/bare", headers={"Authorization": "Bearer hunter2-hunter2"})
    assert actor(only(activities)) == (None, "")
    assert "hunter2" not in repr(activities)


def test_a_ticket_that_belongs_to_a_user_tells_the_actor(client, alice, activities):
    token = Token.objects.create(user=alice)
    client.get("/ninja/ticket", headers={"Authorization": f"Bearer {token.key}"})
    assert actor(only(activities)) == (alice.pk, "alice")


def test_a_login_is_an_act_of_who_logged_in(client, alice, activities):
    client.post("/sign-in/", {"username": "alice", "password": "correct horse"})
    assert [actor(activity) for activity in activities] == [(alice.pk, "alice")]


def test_a_logout_is_an_act_of_who_logged_out(alices, alice, activities):
    alices.post("/sign-out/")
    (logout,) = activities
    assert (logout.path, logout.action) == ("/sign-out/", "auth.logout")
    assert actor(logout) == (alice.pk, "alice")


def test_a_failed_login_is_an_act_of_nobody(client, alice, activities):
    client.post("/sign-in/", {"username": "alice", "password": "wrong"})
    (failed,) = activities
    assert actor(failed) == (None, "")
    assert failed.target.object_repr == "alice"


def test_what_is_tracked_in_a_request_is_an_act_of_who_made_it(alices, alice, activities):
    alices.get("/tracked/everything/")
    assert {actor(activity) for activity in activities} == {(alice.pk, "alice")}


# --- the session -----------------------------------------------------------------------------


def test_a_session_is_kept_as_a_keyed_hash(alices, activities):
    key = alices.session.session_key
    alices.get("/whoami/")
    activity = only(activities)
    assert activity.session_hash == keyed_hash(key, "session")
    assert re.fullmatch("[0-9a-f]{32}", activity.session_hash)
    assert key not in repr(activities)


def test_a_session_that_the_view_has_read_tells_the_actor(alices, alice, activities):
    assert alices.get("/look-at-session/").content == b"3"
    assert actor(only(activities)) == (alice.pk, "alice")
    assert only(activities).session_hash


def test_the_same_session_has_the_same_hash(alices, activities):
    alices.get("/whoami/")
    alices.get("/whoami/")
    first, second = requests(activities)
    assert first.session_hash == second.session_hash


def test_a_session_that_is_only_claimed_is_not_taken_for_one(client, activities):
    client.cookies["sessionid"] = "x" * 32
    client.get("/")
    assert actor(only(activities)) == (None, "")
    assert only(activities).session_hash == ""


def test_the_session_of_a_user_that_is_gone_tells_no_actor(alices, alice, activities):
    alice.delete()
    alices.get("/whoami/")
    assert actor(only(activities)) == (None, "")


def test_a_look_at_the_session_neither_renews_nor_ends_it(alices, activities, settings):
    before = Session.objects.get()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    answer = alices.get("/")
    assert "sessionid" not in answer.cookies
    assert Session.objects.get().pk == before.pk


def test_a_session_that_became_void_is_not_ended_by_us(alices, alice, activities):
    alice.set_password("another")
    alice.save()
    alices.get("/")
    assert actor(only(activities)) == (None, "")
    assert Session.objects.get().get_decoded()[SESSION_KEY] == str(alice.pk)


def test_a_look_at_the_session_does_not_make_the_answer_vary(alices, activities):
    answer = alices.get("/")
    assert "Vary" not in answer.headers
    assert len(requests(activities)) == 1


def test_a_project_without_sessions_has_requests_without_actors(client, activities, settings):
    settings.MIDDLEWARE = ["trackmate.middleware.TrackmateMiddleware"]
    client.get("/")
    assert actor(only(activities)) == (None, "")
