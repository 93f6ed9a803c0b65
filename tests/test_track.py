"""`track()` and `tracking()`: in a request and outside of one, sync and async."""

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.test import AsyncClient

from tests.shop.models import Order
from trackmate import ActionType, bind, track, tracking
from trackmate.activity import Target
from trackmate.clock import datetime_of
from trackmate.diagnostics import counts
from trackmate.models import ActivityLog

ROOT = Path(__file__).parent.parent
transactional = pytest.mark.django_db(transaction=True)


class UnreadableError(Exception):
    def __str__(self):
        raise ValueError("no text")


def actions(activities):
    return [activity.action for activity in activities]


def only(activities):
    (activity,) = activities
    return activity


# --- as a call -------------------------------------------------------------------------------


def test_a_call_is_recorded_at_once(activities):
    track("report.exported")
    activity = only(activities)
    assert (activity.action, activity.source, activity.status) == (
        "report.exported",
        "custom",
        "Success",
    )
    assert activity.execution_time is None
    assert datetime_of(activity.id) == activity.action_time


def test_a_call_keeps_all_it_is_given(activities):
    track(
        "order.exported",
        action_type=ActionType.READ,
        content_object=Order(pk=7, number="A-7"),
        remarks="as asked",
        status="Failed",
        data={"rows": 1200},
        changes={"number": ["A-6", "A-7"]},
        extra={"format": "csv"},
        actor="cron:nightly",
    )
    activity = only(activities)
    assert (activity.action_type, activity.remarks, activity.status) == (
        "Read",
        "as asked",
        "Failed",
    )
    assert activity.target == Target(model="shop.order", object_id="7", object_repr="Order A-7")
    assert (activity.data, activity.extra) == ({"rows": 1200}, {"format": "csv"})
    assert activity.changes == {"number": ["A-6", "A-7"]}
    assert activity.actor_label == "cron:nightly"


def test_the_actor_may_be_a_user(activities):
    track("order.exported", actor=get_user_model()(pk=7, username="alice"))
    assert (only(activities).actor_id, only(activities).actor_label) == (7, "alice")


@pytest.mark.parametrize("data", [7, "text", [1, 2], {"a": {"b": None}}, True])
def test_data_may_be_anything_that_is_json(activities, data):
    track("a", data=data)
    assert only(activities).data == data


def test_data_is_kept_as_it_was_then(activities):
    data = {"rows": [1]}
    track("a", data=data)
    data["rows"].append(2)
    assert only(activities).data == {"rows": [1]}


def test_secrets_in_data_are_masked(activities):
    data = {"password": "hunter2", "note": "card 4111 1111 1111 1111"}
    track("a", data=data)
    assert only(activities).data == {"password": "[redacted]", "note": "card [redacted]"}
    assert data["password"] == "hunter2"


def test_a_call_returns_nothing():
    assert track("a") is None


@pytest.mark.parametrize("verb", [track, tracking])
def test_an_action_is_required(verb):
    with pytest.raises(TypeError):
        verb()


@pytest.mark.parametrize("verb", [track, tracking])
def test_options_have_to_be_named(verb):
    with pytest.raises(TypeError):
        verb("a", "Read")


def test_both_take_the_same_options():
    track_parameters, tracking_parameters = (
        list(inspect.signature(verb).parameters.values()) for verb in (track, tracking)
    )
    assert track_parameters == tracking_parameters


def test_an_object_that_cannot_be_described_costs_neither_the_host_nor_the_activity(activities):
    track("a", content_object="no model instance")
    assert counts["failed"] == 1
    assert [(each.action, each.target) for each in activities] == [("a", None)]


# --- around a block --------------------------------------------------------------------------


def test_a_block_is_timed_and_recorded_at_its_end(activities):
    with tracking("orders.synced") as activity:
        assert activities == []
        activity.data = {"orders": 3}
        activity.remarks = "all of them"
    recorded = only(activities)
    assert (recorded.data, recorded.remarks) == ({"orders": 3}, "all of them")
    assert 0 <= recorded.execution_time < 60
    assert recorded.status == "Success"


def test_a_block_may_turn_out_otherwise(activities):
    with tracking("orders.synced") as activity:
        activity.status = "Failed"
        activity.content_object = Order(pk=7)
        activity.action_type = "Sync"
    recorded = only(activities)
    assert (recorded.status, recorded.action_type) == ("Failed", "Sync")
    assert recorded.target.object_id == "7"


def test_a_block_that_raises_is_failed_and_the_error_goes_on(activities):
    error = RuntimeError("no connection")
    with pytest.raises(RuntimeError) as caught, tracking("orders.synced", extra={"try": 1}):
        raise error
    assert caught.value is error
    recorded = only(activities)
    assert recorded.status == "Failed"
    assert recorded.extra["try"] == 1
    assert recorded.extra["exception"]["message"] == "no connection"
    assert recorded.extra["exception"]["place"].startswith(__file__)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, UnreadableError])
def test_a_block_is_recorded_whatever_it_raises(activities, error):
    with pytest.raises(error), tracking("orders.synced"):
        raise error
    assert only(activities).extra["exception"]["type"] == error.__qualname__


def test_blocks_nest(activities):
    with tracking("outer"), tracking("inner"):
        track("innermost")
    assert actions(activities) == ["innermost", "inner", "outer"]


def test_a_block_that_is_prepared_begins_when_it_is_entered(activities):
    prepared = tracking("orders.synced")
    track("before")
    with prepared:
        pass
    first, second = activities
    assert (first.action, second.action) == ("before", "orders.synced")
    assert first.id < second.id


def test_without_a_with_statement_nothing_is_recorded(activities):
    tracking("orders.synced")
    assert activities == []


def test_what_is_bound_holds_for_blocks(activities):
    with bind(actor="cron:nightly", job="sync"), tracking("orders.synced"):
        pass
    recorded = only(activities)
    assert (recorded.actor_label, recorded.extra) == ("cron:nightly", {"job": "sync"})


# --- in a request ----------------------------------------------------------------------------


def test_in_a_request_everything_has_its_id_and_client(client, activities):
    client.get("/tracked/everything/", headers={"user-agent": "curl/8"})
    request, *others = activities
    assert sorted(actions(others)) == ["order.export", "order.exported", "price.computed"]
    assert {activity.request_id for activity in activities} == {request.id.hex}
    assert {activity.user_agent for activity in activities} == {"curl/8"}


def test_what_is_bound_in_a_request_wins(client, activities):
    client.get("/tracked/bound/")
    request, opened = activities
    assert (request.actor_label, opened.actor_label) == ("", "kiosk:3")
    assert opened.extra == {"shop": "Lodz"}


def test_what_is_suppressed_in_a_request_is_not_recorded(client, activities):
    client.get("/tracked/suppressed/")
    assert actions(activities) == ["tracked/suppressed/"]


@transactional
@pytest.mark.usefixtures("thread_connections")
def test_in_an_async_view_blocks_calls_and_functions_belong_to_the_request(activities):
    order = Order.objects.create(number="A-7")
    asyncio.run(AsyncClient().get("/tracked/async-everything/"))
    request, *others = activities
    assert actions(others) == ["order.exported", "price.awaited", "price.asked", "order.export"]
    assert others[2].target == Target.from_instance(order)
    assert {activity.request_id for activity in others} == {request.id.hex}


# --- in an event loop outside any request ----------------------------------------------------


async def sync_orders(error=None):
    async with tracking("orders.synced") as activity:
        activity.data = {"orders": 3}
        if error is not None:
            raise error


def test_an_async_block_is_recorded_at_its_end(activities):
    asyncio.run(sync_orders())
    assert (only(activities).action, only(activities).data) == ("orders.synced", {"orders": 3})


@pytest.mark.parametrize("extra", ["text", ["a"], 5])
def test_an_error_goes_on_whatever_is_extra(activities, extra):
    with pytest.raises(RuntimeError), tracking("orders.synced", extra=extra):
        raise RuntimeError
    assert only(activities).extra["extra"] == extra


def test_an_async_block_that_raises_is_failed_and_the_error_goes_on(activities):
    error = RuntimeError("no connection")
    with pytest.raises(RuntimeError) as caught:
        asyncio.run(sync_orders(error))
    assert caught.value is error
    assert only(activities).status == "Failed"


async def call():
    track("a")


async def block():
    with tracking("a"):
        await asyncio.sleep(0)


async def async_block():
    async with tracking("a"):
        await asyncio.sleep(0)


@transactional
@pytest.mark.usefixtures("thread_connections")
@pytest.mark.parametrize("work", [call, block, async_block])
def test_after_the_loop_the_row_is_there(work):
    asyncio.run(work())
    assert ActivityLog.objects.get().action == "a"


@transactional
@pytest.mark.usefixtures("thread_connections")
def test_many_tasks_at_once_keep_their_own_actor():
    async def work(number):
        with bind(actor=f"worker:{number}"):
            async with tracking(f"job.{number}"):
                await asyncio.sleep(0)

    async def everyone():
        await asyncio.gather(*(work(number) for number in range(20)))

    asyncio.run(everyone())
    pairs = ActivityLog.objects.values_list("action", "actor_label")
    assert sorted(pairs) == sorted((f"job.{n}", f"worker:{n}") for n in range(20))


@transactional
def test_outside_a_request_a_call_is_a_row_at_once(django_assert_num_queries):
    track("warm")
    with django_assert_num_queries(1):
        track("stock.counted", data={"items": 3})
    assert ActivityLog.objects.get(action="stock.counted").data == {"items": 3}


def test_a_call_at_exit_is_not_lost():
    script = (
        "import django; django.setup()\n"
        "from trackmate import track\n"
        "import logging; logging.basicConfig(level='INFO', format='%(message)s')\n"
        "import atexit; atexit.register(track, 'program.ended')\n"
    )
    settings = "tests.console_settings"
    command = [sys.executable, "-c", script]
    environment = {"DJANGO_SETTINGS_MODULE": settings, "PATH": ""}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert '"action": "program.ended"' in done.stderr
