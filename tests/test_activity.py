"""The one noun: an activity as plain data."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

from tests.shop.models import Country, Invoice, Order, RushOrder
from trackmate.activity import Activity, Target, describe_actor, safe_str
from trackmate.clock import datetime_of
from trackmate.enums import Source, Status

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
KEY = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Unnameable:
    pk = 7

    def __str__(self):
        raise ValueError("no name")


def full(**values):
    """Return an activity with something in every field."""
    return Activity.at(
        NOON,
        source=Source.REQUEST,
        action="orders/",
        action_type="Create",
        status=Status.FAILED,
        status_code=500,
        execution_time=0.25,
        actor_id=7,
        actor_label="alice",
        ip_address="192.0.2.7",
        user_agent="curl/8",
        session_hash="ab" * 16,
        method="POST",
        path="/orders/",
        route="orders/",
        request_id="r-1",
        target=Target(model="shop.order", object_id="7", object_repr="Order 7"),
        remarks="twice",
        data={"a": [1, None, True]},
        response={"b": 2},
        changes={"c": [1, 2]},
        extra={"query": "d=4"},
    ).replace(**values)


def test_an_activity_cannot_be_changed():
    with pytest.raises(AttributeError):
        full().action = "another"


def test_a_changed_copy_leaves_the_original():
    first = full()
    second = first.replace(action="another")
    assert (first.action, second.action, second.id) == ("orders/", "another", first.id)


def test_an_activity_of_now_carries_one_moment():
    activity = Activity.now()
    assert datetime_of(activity.id) == activity.action_time


@pytest.mark.parametrize("activity", [full(), Activity.at(NOON), full(target=None)])
def test_an_activity_survives_a_line_of_json(activity):
    line = json.dumps(activity.to_dict())
    assert Activity.from_dict(json.loads(line)) == activity


def test_a_key_that_is_no_number_travels_as_text():
    line = json.dumps(full(actor_id=KEY).to_dict())
    assert Activity.from_dict(json.loads(line)).actor_id == str(KEY)


def test_what_is_empty_does_not_travel():
    assert set(Activity.at(NOON).to_dict()) == {"id", "action_time", "source", "status"}


@pytest.mark.parametrize("value", [0, False, [], {}])
def test_what_is_little_travels_all_the_same(value):
    activity = full(data=value)
    assert Activity.from_dict(activity.to_dict()).data == value


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ({}, KeyError),
        ({"id": "x", "action_time": NOON.isoformat()}, ValueError),
        ({"id": KEY.hex, "action_time": "noon"}, ValueError),
        ({"id": KEY.hex, "action_time": NOON.isoformat(), "target": {"a": 1}}, TypeError),
    ],
)
def test_other_data_is_no_activity(line, error):
    with pytest.raises(error):
        Activity.from_dict(line)


def test_what_a_newer_version_added_is_left_out():
    line = {"id": KEY.hex, "action_time": NOON.isoformat(), "action": "a", "colour": "red"}
    assert Activity.from_dict(line).action == "a"


@pytest.mark.parametrize(
    ("instance", "target"),
    [
        (
            Order(pk=7, number="7"),
            Target(model="shop.order", object_id="7", object_repr="Order 7"),
        ),
        (
            Invoice(pk=KEY),
            Target(model="shop.invoice", object_id=str(KEY), object_repr=f"Invoice {KEY}"),
        ),
        (
            Country(pk="pl"),
            Target(model="shop.country", object_id="pl", object_repr="Country object (pl)"),
        ),
        (
            RushOrder(pk=7, number="7"),
            Target(model="shop.order", object_id="7", object_repr="Order 7"),
        ),
        (Order(number="new"), Target(model="shop.order", object_id="", object_repr="Order new")),
    ],
    ids=["number", "uuid", "text", "proxy", "unsaved"],
)
def test_a_target_names_a_model_instance(instance, target):
    assert Target.from_instance(instance) == target


def test_an_actor_is_a_user_or_a_name():
    user = get_user_model()(pk=7, username="alice")
    assert describe_actor(user) == (7, "alice")
    assert describe_actor("cron:nightly") == (None, "cron:nightly")
    assert describe_actor(AnonymousUser()) == (None, "")


@dataclass
class Ticket:
    """What a token stands for where no user is fetched for it."""

    pk: str

    def get_username(self):
        return "alice"


def test_an_actor_may_be_what_knows_the_key_of_a_user():
    key = get_user_model()._meta.pk.to_python(7)
    assert describe_actor(Ticket(pk=str(key))) == (key, "alice")
    assert describe_actor(Ticket(pk="kiosk")) == (None, "alice")


def test_the_key_of_something_else_is_not_taken_for_a_users():
    assert describe_actor(Order(pk=7, number="7")) == (None, "Order 7")


def test_a_thing_that_cannot_say_its_name_is_named_by_its_type():
    assert safe_str(Unnameable()) == "Unnameable (7)"
    assert describe_actor(Unnameable())[1] == "Unnameable (7)"


# --- ACTOR_LABEL -----------------------------------------------------------------------------


def by_address(user):
    return user.email


def failing(user):
    raise RuntimeError("no name")


@pytest.mark.parametrize(
    ("label_of", "label"),
    [
        (None, "alice"),
        (by_address, "alice@example.com"),
        ("tests.test_activity.by_address", "alice@example.com"),
        (lambda user: "", "alice"),
        (lambda user: 7, "7"),
        (failing, "alice"),
    ],
)
def test_a_user_is_named_as_the_project_wants(configure, label_of, label):
    configure(ACTOR_LABEL=label_of)
    user = get_user_model()(pk=7, username="alice", email="alice@example.com")
    assert describe_actor(user) == (7, label)
    assert Target.from_instance(user).object_repr == label
    assert describe_actor("cron:nightly") == (None, "cron:nightly")


@pytest.mark.django_db
def test_the_account_of_a_failed_login_has_the_same_name(client, activities, configure):
    configure(ACTOR_LABEL=by_address)
    get_user_model().objects.create_user("alice", "alice@example.com", "correct horse")
    for password in ("wrong", "correct horse"):
        client.post("/sign-in/", {"username": "alice", "password": password})
    failed, succeeded = activities
    assert failed.target.object_repr == succeeded.actor_label == "alice@example.com"
