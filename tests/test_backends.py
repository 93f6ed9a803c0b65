"""The backends: what all of them promise, and what the database backend does beyond that."""

import gc
import json
import logging
import uuid
from datetime import UTC, datetime, timedelta
from threading import Thread
from weakref import ref

import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.shop.models import Country, Invoice, Order
from trackmate.activity import Activity, Target
from trackmate.backends import locmem
from trackmate.backends.base import BaseBackend
from trackmate.backends.console import ConsoleBackend
from trackmate.backends.database import DatabaseBackend
from trackmate.backends.dummy import DummyBackend
from trackmate.backends.inserts import _statement, can_insert, insert, insert_missing
from trackmate.enums import Source, Status
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.users]

transactional = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
ACTIONS = ["a", "b", "c"]


def acts(*actions, **values):
    return [Activity.now(action=action, **values) for action in actions]


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
        actor_id=user_key(),
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
        data={"a": [1, None, True, 0.5], "zażółć": "😀"},
        response=["b"],
        changes={"c": [1, 2]},
        extra={"query": "d=4"},
    ).replace(**values)


def user_key():
    return uuid.UUID(int=7) if isinstance(get_user_model()._meta.pk, models.UUIDField) else 7


# --- the contract of all ---------------------------------------------------------------------


def kept_by_the_database(caplog):
    return list(ActivityLog.objects.order_by("pk").values_list("action", flat=True))


def kept_by_the_console(caplog):
    return [json.loads(record.message)["action"] for record in caplog.records]


def kept_in_memory(caplog):
    return [activity.action for activity in locmem.outbox]


BACKENDS = [
    (DatabaseBackend, kept_by_the_database),
    (ConsoleBackend, kept_by_the_console),
    (locmem.LocmemBackend, kept_in_memory),
    (DummyBackend, None),
]


@pytest.fixture(params=BACKENDS, ids=lambda pair: pair[0].__name__)
def kind(request, monkeypatch, caplog, transactional_db):
    caplog.set_level(logging.INFO, logger="trackmate")
    monkeypatch.setattr(locmem, "outbox", [])
    return request.param


@pytest.fixture
def backend(kind):
    return kind[0]()


@pytest.fixture
def kept(kind, caplog):
    """Return what the backend has kept, or what was sent where it keeps nothing."""
    look = kind[1]
    return lambda sent: sent if look is None else look(caplog)


def test_every_backend_is_of_the_one_family(backend):
    assert isinstance(backend, BaseBackend)
    assert isinstance(backend.blocks, bool)


def test_every_backend_takes_activities_in_order(backend, kept):
    backend.send(acts("a", "b"))
    backend.send(acts("c"))
    assert kept(ACTIONS) == ACTIONS


def test_every_backend_takes_an_activity_with_everything_in_it(backend, kept):
    backend.send([full()])
    assert kept(["orders/"]) == ["orders/"]


def test_every_backend_takes_an_activity_with_nothing_in_it(backend, kept):
    backend.send([Activity.now(action="-")])
    assert kept(["-"]) == ["-"]


def test_every_backend_takes_no_activities(backend, kept):
    backend.send([])
    assert kept([]) == []


def test_every_backend_can_be_flushed_when_nothing_waits(backend):
    assert backend.flush() == 0
    assert backend.flush(timeout=0.5) == 0


def test_every_backend_works_on_after_it_was_closed(backend, kept):
    backend.send(acts("a"))
    backend.close()
    backend.close()
    backend.send(acts("b"))
    assert kept(["a", "b"]) == ["a", "b"]


def test_every_backend_has_nothing_to_say_of_good_surroundings(backend):
    assert backend.check() == []


def test_every_backend_serves_several_threads(backend, kept, thread_connections):
    def work(name):
        for number in range(5):
            backend.send(acts(f"{name}{number}"))

    expected = [f"{name}{number}" for name in "ab" for number in range(5)]
    threads = [Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kept(expected)) == expected


@transactional
def test_a_statement_refers_to_no_connection_of_the_thread_that_compiled_it():
    """Another thread must not use it, and nobody would ever close it."""
    compiled_with = []

    def compile_and_end():
        DatabaseBackend().send(acts("a"))
        compiled_with.append(ref(connections["default"]))
        BaseDatabaseWrapper.close(connections["default"])  # SQLite's own leaves one in memory open

    _statement.cache_clear()
    thread = Thread(target=compile_and_end)
    thread.start()
    thread.join()
    gc.collect()
    assert [connection() for connection in compiled_with] == [None]
    DatabaseBackend().send(acts("b"))
    assert ActivityLog.objects.count() == 2


def test_a_console_line_is_ascii_and_one_line(caplog):
    caplog.set_level(logging.INFO, logger="trackmate")
    ConsoleBackend().send([Activity.now(remarks="one\ntwo\x1b[31m zażółć \u2028")])
    assert caplog.records[0].message.isascii()
    assert caplog.records[0].message.isprintable()


# --- rows ------------------------------------------------------------------------------------


@transactional
def test_a_row_holds_all_that_the_activity_held():
    activity = full()
    DatabaseBackend().send([activity])
    row = ActivityLog.objects.get()
    same = [name for name in Activity.__slots__ if name != "target"]
    assert {name: getattr(row, name) for name in same} == {
        name: getattr(activity, name) for name in same
    }
    assert (row.object_id, row.object_repr) == ("7", "Order 7")
    assert row.content_type == ContentType.objects.get_for_model(Order)
    assert row.recorded_at > row.action_time


@transactional
def test_an_empty_activity_is_a_row_of_empty_columns():
    DatabaseBackend().send([Activity.now()])
    row = ActivityLog.objects.get()
    empty = (row.data, row.response, row.changes, row.extra, row.actor_id, row.object_id)
    assert empty == (None,) * 6
    assert ActivityLog.objects.filter(data__isnull=True, extra__isnull=True).exists()


@transactional
@pytest.mark.parametrize("thing", [Order(pk=7), Invoice(pk=uuid.UUID(int=7)), Country(pk="pl")])
def test_a_row_links_to_objects_with_any_kind_of_key(thing):
    thing.save()
    DatabaseBackend().send([Activity.now(target=Target.from_instance(thing))])
    assert ActivityLog.objects.get().content_object == thing


@transactional
@pytest.mark.parametrize("model", ["shop.gone", "gone.order", "order", ""])
def test_a_row_of_an_object_whose_model_is_gone_keeps_its_name(model):
    target = Target(model=model, object_id="7", object_repr="Order 7")
    DatabaseBackend().send([Activity.now(target=target)])
    row = ActivityLog.objects.get()
    assert (row.content_type, row.object_id, row.object_repr) == (None, "7", "Order 7")


@transactional
def test_a_key_that_travelled_as_text_links_to_its_user():
    user = get_user_model().objects.create_user("alice")
    DatabaseBackend().send([Activity.now(actor_id=str(user.pk))])
    assert ActivityLog.objects.get().actor == user


@transactional
@pytest.mark.parametrize("use_tz", [True, False])
def test_a_row_has_its_time_with_and_without_time_zones(settings, use_tz):
    settings.USE_TZ = use_tz
    DatabaseBackend().send([Activity.at(NOON)])
    in_berlin = NOON.replace(tzinfo=None) + timedelta(hours=1)
    assert ActivityLog.objects.get().action_time == (NOON if use_tz else in_berlin)


# --- one INSERT ------------------------------------------------------------------------------


@transactional
def test_many_activities_are_one_insert(django_assert_num_queries):
    backend = DatabaseBackend()
    backend.send(acts("warm"))
    with django_assert_num_queries(1):
        backend.send(acts(*ACTIONS))


@transactional
def test_a_target_costs_no_query_of_its_own_once_its_type_is_known(django_assert_num_queries):
    target = Target(model="shop.order", object_id="7")
    DatabaseBackend().send(acts("warm", target=target))
    with django_assert_num_queries(1):
        DatabaseBackend().send(acts("a", target=target))


@transactional
def test_very_many_activities_are_stored_all_or_none():
    activities = acts(*map(str, range(1200)))
    with pytest.raises((ValueError, ValidationError), match="kiosk"):
        insert([*activities, Activity.now(actor_id="kiosk")], "default")
    assert not ActivityLog.objects.exists()
    insert(activities, "default")
    assert ActivityLog.objects.count() == 1200


@transactional
def test_rows_are_written_within_a_transaction_that_is_open():
    with transaction.atomic():
        DatabaseBackend().send(acts("kept"))
    with transaction.atomic():
        DatabaseBackend().send(acts("undone"))
        transaction.set_rollback(True)
    assert ActivityLog.objects.get().action == "kept"


@transactional
def test_a_refusal_does_not_break_a_transaction_that_is_open():
    (twice,) = acts("a")
    with transaction.atomic():
        Order.objects.create(number="before")
        DatabaseBackend().send([twice])
        DatabaseBackend().send([twice])
        Order.objects.create(number="after")
    assert Order.objects.count() == 2
    assert ActivityLog.objects.count() == 1


@transactional
def test_what_is_there_already_is_not_stored_again():
    a, b, c = acts(*ACTIONS)
    insert([a], "default")
    assert insert_missing([a, b, b, c], "default") == 2
    assert insert_missing([a, b, c], "default") == 0
    assert sorted(ActivityLog.objects.values_list("action", flat=True)) == ACTIONS


@transactional
def test_a_probe_leaves_nothing_behind():
    assert can_insert("default", NOON)
    assert not ActivityLog.objects.exists()
