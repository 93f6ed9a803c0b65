"""Transactions of the project's, which nothing of ours breaks, ends or slows down."""

from contextlib import suppress
from threading import Thread

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from tests.shop.models import Country, Order
from trackmate import track, tracker, tracking
from trackmate.db.transactions import QueryNotAllowedError, no_queries, protected_transactions
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def fail_in_sql(*_args, **_kwargs):
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nowhere_at_all")


def fail_in_an_atomic_block(*_args, **_kwargs):
    with transaction.atomic():
        fail_in_sql()


def write_and_fail(*_args, **_kwargs):
    Country.objects.create(code="written")
    fail_in_sql()


def fail_without_a_query(*_args, **_kwargs):
    with transaction.atomic(savepoint=False):
        raise ValueError


FAILURES = [fail_in_sql, fail_in_an_atomic_block, write_and_fail, fail_without_a_query]


def hide_a_failure_in_sql(*_args, **_kwargs):
    with suppress(DatabaseError):
        fail_in_sql()
    return "hidden"


def hide_a_failure_without_a_query(*_args, **_kwargs):
    with suppress(ValueError):
        fail_without_a_query()
    return "hidden"


def hide_a_failure_after_a_query(*_args, **_kwargs):
    Country.objects.exists()
    return hide_a_failure_without_a_query()


named = pytest.mark.parametrize("fail", FAILURES, ids=lambda fail: fail.__name__)


@pytest.fixture
def order():
    return Order.objects.create(number="1")


@named
def test_an_object_that_cannot_say_its_name_breaks_no_transaction(order, monkeypatch, fail):
    monkeypatch.setattr(Order, "__str__", fail)
    with transaction.atomic():
        Country.objects.create(code="before")
        track("order.seen", content_object=order)
        Country.objects.create(code="after")
    assert set(Country.objects.values_list("code", flat=True)) == {"before", "after"}
    assert ActivityLog.objects.get().object_repr == f"Order ({order.pk})"


@pytest.mark.parametrize(
    "hide",
    [hide_a_failure_in_sql, hide_a_failure_without_a_query, hide_a_failure_after_a_query],
    ids=lambda hide: hide.__name__,
)
def test_a_failure_that_is_hidden_breaks_no_transaction_either(order, monkeypatch, hide):
    monkeypatch.setattr(Order, "__str__", hide)
    with transaction.atomic():
        Country.objects.create(code="before")
        with tracking("order.seen", content_object=order):
            pass
        Country.objects.create(code="after")
    assert set(Country.objects.values_list("code", flat=True)) == {"before", "after"}
    assert ActivityLog.objects.get().object_repr == "hidden"


@pytest.mark.parametrize("is_first", [True, False])
def test_what_fails_leaves_nothing_to_do_on_commit(is_first):
    done = []
    with transaction.atomic():
        transaction.on_commit(lambda: done.append("theirs"))
        with suppress(ZeroDivisionError), protected_transactions():
            if not is_first:
                Country.objects.exists()
            transaction.on_commit(lambda: done.append("undone"))
            raise ZeroDivisionError
        transaction.on_commit(lambda: done.append("theirs, too"))
    assert done == ["theirs", "theirs, too"]


@named
@pytest.mark.parametrize("option", ["content_object", "remarks", "data", "status"])
def test_a_callable_of_a_decorator_breaks_no_transaction(fail, option):
    @tracker(**{option: fail})
    def view(_request):
        return HttpResponse()

    with transaction.atomic():
        Country.objects.create(code="before")
        view(RequestFactory().get("/"))
        Country.objects.create(code="after")
    assert set(Country.objects.values_list("code", flat=True)) == {"before", "after"}
    assert ActivityLog.objects.count() == 1


@named
def test_a_processor_breaks_no_transaction(configure, fail):
    configure(PROCESSORS=[fail])
    with transaction.atomic():
        Country.objects.create(code="before")
        track("order.seen")
        Country.objects.create(code="after")
    assert set(Country.objects.values_list("code", flat=True)) == {"before", "after"}
    assert ActivityLog.objects.count() == 1


@pytest.mark.parametrize(
    "fail",
    [
        fail_in_sql,
        # Django makes no savepoints on SQLite then; a statement that fails breaks nothing there.
        pytest.param(write_and_fail, marks=pytest.mark.only_on("postgresql", "mysql")),
    ],
)
def test_a_failure_without_autocommit_breaks_nothing_either(order, monkeypatch, fail):
    monkeypatch.setattr(Order, "__str__", fail)
    transaction.set_autocommit(False)
    try:
        Country.objects.create(code="before")
        track("order.seen", content_object=order)
        Country.objects.create(code="after")
        transaction.commit()
        assert set(Country.objects.values_list("code", flat=True)) == {"before", "after"}
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


def test_code_without_a_query_costs_none(order, django_assert_num_queries):
    with transaction.atomic(), django_assert_num_queries(0), protected_transactions():
        str(order)


def test_outside_of_a_transaction_nothing_is_added(django_assert_num_queries):
    with django_assert_num_queries(1), protected_transactions():
        Order.objects.exists()


def test_what_succeeds_stays():
    with transaction.atomic(), protected_transactions():
        Country.objects.create(code="kept")
    assert Country.objects.filter(code="kept").exists()


def test_a_failure_inside_a_protected_block_goes_on_its_way():
    with transaction.atomic():
        with pytest.raises(DatabaseError), protected_transactions():
            write_and_fail()
        assert not Country.objects.exists()


# --- blocks without queries ------------------------------------------------------------------


def test_a_refused_query_is_not_counted_as_one():
    with CaptureQueriesContext(connection) as context, no_queries():
        for query in (Order.objects.count, lambda: list(Order.objects.iterator())):
            with pytest.raises(QueryNotAllowedError):
                query()
    assert len(context) == 0


def test_blocks_without_queries_may_be_nested():
    with no_queries():
        with no_queries():
            pass
        with pytest.raises(QueryNotAllowedError):
            Order.objects.count()
    assert Order.objects.count() == 0


def test_another_thread_that_shares_the_connection_may_query():
    shared, counted = connections["default"], []

    def count():
        connections["default"] = shared
        counted.append(Order.objects.count())

    shared.inc_thread_sharing()
    with no_queries():
        thread = Thread(target=count)
        thread.start()
        thread.join()
    shared.dec_thread_sharing()
    assert counted == [0]
