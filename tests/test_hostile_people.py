"""People and things that go away, have odd keys, or never were: their rows stay and stay linked."""

from pathlib import Path

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.contrib.contenttypes.models import ContentType

from tests.shop.models import Country, Invoice, Order
from trackmate import bind, diagnostics, track
from trackmate.models import LOGIN, LOGIN_FAILED, LOGOUT, ActivityLog

pytest_plugins = ["tests.hostile.fixtures"]
pytestmark = [pytest.mark.database, pytest.mark.users]

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def surroundings(db, hostile):
    yield
    assert not diagnostics.counts
    ContentType.objects.clear_cache()


# --- what goes away --------------------------------------------------------------------------


def test_the_rows_of_a_deleted_user_stay_with_their_label(client, alice):
    client.force_login(alice)
    client.get("/who/")
    key = alice.pk
    alice.delete()
    rows = ActivityLog.objects.by(key)
    assert {(row.action, row.actor_label) for row in rows} == {
        ("auth.login", "alice"),
        ("who.asked", "alice"),
        ("who/", "alice"),
    }


def test_a_user_deleted_within_the_request_is_still_its_actor(client, alice, monkeypatch):
    client.force_login(alice)
    key = alice.pk

    def leave(**_kwargs):
        get_user_model().objects.filter(pk=key).delete()

    user_logged_out.connect(leave)
    client.get("/who/")
    leave()
    client.get("/who/")
    user_logged_out.disconnect(leave)
    labels = ActivityLog.objects.filter(action="who/").order_by("id")
    assert list(labels.values_list("actor_label", flat=True)) == ["alice", ""]


@pytest.mark.parametrize("model", [Order, Invoice, Country])
def test_the_rows_of_a_deleted_object_stay_with_their_label(model):
    thing = model.objects.create()
    key, text = thing.pk, str(thing)
    track("thing.seen", content_object=thing)
    thing.delete()
    row = ActivityLog.objects.get()
    assert (row.object_id, row.object_repr, row.content_object) == (str(key), text, None)


def test_the_rows_of_a_deleted_content_type_stay_with_their_label():
    track("order.seen", content_object=Order.objects.create(number="7"))
    kind = ContentType.objects.get_for_model(Order)
    key = kind.pk
    kind.delete()
    ContentType.objects.clear_cache()
    row = ActivityLog.objects.get()
    assert (row.content_type_id, row.object_repr) == (key, "Order 7")


def test_an_activity_on_a_model_without_content_type_is_stored():
    ContentType.objects.filter(app_label="shop").delete()
    ContentType.objects.clear_cache()
    track("order.seen", content_object=Order.objects.create(number="7"))
    row = ActivityLog.objects.get()
    assert (row.content_type_id, row.object_repr) == (None, "Order 7")


# --- keys of any kind ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Order, {"number": "1"}),
        (Order, {"pk": 2**31 - 1, "number": "1"}),
        (Invoice, {}),
        (Country, {"code": "PL"}),
        (Country, {"code": "a/b c%ł'\"🐙"}),
        (Country, {"code": "007"}),
    ],
)
def test_an_object_with_any_kind_of_key_is_linked(model, values):
    thing = model.objects.create(**values)
    track("thing.seen", content_object=thing)
    row = ActivityLog.objects.get()
    assert row.content_object == thing
    assert list(ActivityLog.objects.on(thing)) == [row]


def test_an_object_that_was_never_saved_is_named():
    track("order.drafted", content_object=Order(number="draft"))
    assert ActivityLog.objects.get().object_repr == "Order draft"


def test_a_user_with_the_projects_kind_of_key_is_linked(client, alice):
    client.force_login(alice)
    client.get("/who/")
    track("by.hand", actor=alice, content_object=alice)
    assert {row.actor for row in ActivityLog.objects.all()} == {alice}
    assert ActivityLog.objects.get(action="by.hand").content_object == alice


class Account:
    """An actor that is no user of the project, with a key of its own."""

    pk = "not a key of users"
    is_anonymous = False

    def __str__(self):
        return "service account"


def test_an_actor_that_is_no_user_is_named_and_not_linked():
    with bind(actor=Account()):
        track("nightly.run")
    row = ActivityLog.objects.get()
    assert (row.actor_id, row.actor_label) == (None, "service account")


def test_an_instance_of_another_model_does_not_name_the_user_with_its_key(alice):
    track("order.placed", actor=Order(pk=alice.pk, number="7"))
    row = ActivityLog.objects.get()
    assert (row.actor_id, row.actor_label) == (None, "Order 7")


def test_what_knows_the_key_of_a_user_is_linked(alice):
    ticket = Account()
    ticket.pk = str(alice.pk)
    track("order.placed", actor=ticket)
    assert ActivityLog.objects.get().actor == alice


# --- logins of all sorts ---------------------------------------------------------------------


def test_a_failed_login_without_a_request_is_recorded():
    assert authenticate(username="nobody", password="x") is None
    row = ActivityLog.objects.get()
    assert (row.action_type, row.ip_address, row.method) == (LOGIN_FAILED, None, "")


@pytest.mark.parametrize(
    "credentials",
    [
        {},
        None,
        {"username": None},
        {"username": 7},
        {"username": "x" * 300},
        {"username": "a\0b\ud800\r\n"},
        {"username": ["a", {"b": object()}]},
        {"email": "a@example.org"},
        {"token": "********"},
    ],
)
@pytest.mark.parametrize("identifier", ["known", "hashed", "full", "none"])
def test_a_failed_login_with_any_credentials_is_recorded(hostile, credentials, identifier):
    hostile(FAILED_LOGIN_IDENTIFIER=identifier)
    user_login_failed.send(__name__, credentials=credentials, request=None)
    row = ActivityLog.objects.get()
    assert row.action_type == LOGIN_FAILED
    assert row.actor_label == ""
    assert len(row.object_repr) <= 255


def test_a_user_name_of_300_characters_is_recorded(client):
    client.post("/log-in/", {"username": "x" * 300, "password": "y"})
    row = ActivityLog.objects.get()
    assert (row.action_type, row.actor_label) == (LOGIN_FAILED, "")
    assert row.object_id == row.object_repr
    assert row.object_repr.startswith("sha256:")


def test_a_login_and_a_logout_without_a_request_are_recorded(alice):
    user_logged_in.send(type(alice), request=None, user=alice)
    user_logged_out.send(type(alice), request=None, user=alice)
    rows = ActivityLog.objects.order_by("id")
    assert [(row.action_type, row.actor) for row in rows] == [(LOGIN, alice), (LOGOUT, alice)]


def test_a_signal_without_anything_is_no_error():
    user_logged_out.send(None, request=None, user=None)
    user_login_failed.send(None)
    assert ActivityLog.objects.filter(action_type=LOGIN_FAILED).count() == 1


FAILED_ADMIN = ("auth.login", LOGIN_FAILED, "", "admin")


@pytest.mark.parametrize("login", [True, False])
def test_the_admin_records_who_came_and_who_did_not(client, admin_user, login):
    password = "password" if login else "wrong"
    client.post("/admin/login/", {"username": "admin", "password": password, "next": "/admin/"})
    row = ActivityLog.objects.get()
    seen = (row.action, row.action_type, row.actor_label, row.object_repr)
    assert seen == (("auth.login", LOGIN, "admin", "") if login else FAILED_ADMIN)
