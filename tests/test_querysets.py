"""The questions that people ask of the log."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model

from tests.shop.models import Invoice, Order
from trackmate.models import FAILED, ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.users, pytest.mark.django_db]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def log(action, **values):
    return ActivityLog.objects.create(action=action, **values)


def actions(rows):
    return [row.action for row in rows]


@pytest.fixture
def alice():
    return get_user_model().objects.create_user("alice")


@pytest.fixture
def bob():
    return get_user_model().objects.create_user("bob")


def test_what_did_this_person_do(alice, bob):
    log("hers", actor=alice)
    log("his", actor=bob)
    log("nobody's")
    assert actions(ActivityLog.objects.by(alice)) == ["hers"]
    assert actions(ActivityLog.objects.by(bob.pk)) == ["his"]


def test_what_did_an_actor_of_this_name_do(alice):
    log("nightly", actor_label="cron:nightly")
    log("hers", actor=alice)
    assert actions(ActivityLog.objects.by_label("cron:nightly")) == ["nightly"]
    assert actions(ActivityLog.objects.by_label("alice")) == ["hers"]


def test_what_happened_to_this_object():
    order, other, invoice = Order.objects.create(), Order.objects.create(), Invoice.objects.create()
    log("placed", content_object=order)
    log("other", content_object=other)
    log("billed", content_object=invoice)
    assert actions(ActivityLog.objects.on(order)) == ["placed"]
    assert actions(ActivityLog.objects.on(invoice)) == ["billed"]


def test_what_failed():
    log("good")
    log("bad", status=FAILED)
    assert actions(ActivityLog.objects.failed()) == ["bad"]


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (NOON, None, ["after", "noon"]),
        (None, NOON, ["before"]),
        (NOON, NOON + MICROSECOND, ["noon"]),
        (None, None, ["after", "noon", "before"]),
        (NOON + 5 * MICROSECOND, NOON, []),
    ],
)
def test_what_happened_between_two_moments(start, end, found):
    log("noon", action_time=NOON)
    log("before", action_time=NOON - MICROSECOND)
    log("after", action_time=NOON + MICROSECOND)
    assert actions(ActivityLog.objects.between(start, end).newest_first()) == found


def test_a_naive_bound_is_one_of_the_current_time_zone():
    log("noon", action_time=NOON)
    in_berlin = datetime(2026, 3, 1, 13)  # noqa: DTZ001
    assert ActivityLog.objects.between(in_berlin).exists()
    assert not ActivityLog.objects.between(in_berlin + MICROSECOND).exists()


def test_what_else_did_the_same_request_do():
    log("request", request_id="one")
    log("login", request_id="one")
    log("another", request_id="two")
    assert set(actions(ActivityLog.objects.of_request("one"))) == {"request", "login"}


def test_what_has_no_request_and_no_name_is_of_none():
    log("of.a.command")
    assert not ActivityLog.objects.of_request("")
    assert not ActivityLog.objects.by_label("")


def test_the_questions_can_be_combined(alice):
    log("old", actor=alice, status=FAILED, action_time=NOON - timedelta(days=1))
    log("new", actor=alice, status=FAILED, action_time=NOON)
    log("fine", actor=alice, action_time=NOON)
    assert actions(ActivityLog.objects.by(alice).failed().between(NOON)) == ["new"]


def test_newest_comes_first_by_the_clock_and_not_by_the_insert():
    log("second", action_time=NOON + MICROSECOND)
    log("first", action_time=NOON)
    assert actions(ActivityLog.objects.newest_first()) == ["second", "first"]
