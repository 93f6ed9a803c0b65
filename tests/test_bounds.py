"""Conditions in such words that a database searches the index that was made for them."""

from uuid import UUID

import pytest
from django.db import connection
from django.db.models import F, Q

from tests.rows import UNKNOWN, activities
from trackmate import selectors
from trackmate.models import ActivityLog
from trackmate.selectors.bounds import oldest_first, tightened

LOW, MIDDLE, HIGH = (UUID(int=number) for number in (1, 2, 3))


def bounds(rows):
    """What has to hold of a row."""
    conditions = rows.query.where.children
    return {(each.lookup_name, each.rhs) for each in conditions}


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ([Q(pk__gte=LOW), Q(pk__gt=MIDDLE)], {("gt", MIDDLE)}),
        ([Q(pk__gt=MIDDLE), Q(pk__gte=LOW)], {("gt", MIDDLE)}),
        ([Q(pk__gte=MIDDLE), Q(pk__gt=LOW)], {("gte", MIDDLE)}),
        ([Q(pk__gte=MIDDLE), Q(pk__gt=MIDDLE)], {("gt", MIDDLE)}),
        ([Q(pk__lt=HIGH), Q(pk__lt=MIDDLE)], {("lt", MIDDLE)}),
        ([Q(pk__lte=MIDDLE), Q(pk__lt=MIDDLE)], {("lt", MIDDLE)}),
        (
            [Q(pk__gte=LOW) & Q(pk__lt=HIGH), Q(pk__lt=MIDDLE)],
            {("gte", LOW), ("lt", MIDDLE)},
        ),
        ([Q(pk__gt=LOW), Q(status="Failed")], {("exact", "Failed"), ("gt", LOW)}),
        ([Q(pk__gt=LOW), Q(execution_time__gt=1.0)], {("gt", 1.0), ("gt", LOW)}),
        ([], set()),
    ],
)
def test_the_tighter_condition_stays(asked, kept):
    assert bounds(tightened(ActivityLog.objects.filter(*asked))) == kept


@pytest.mark.parametrize(
    "rule",
    [
        Q(extra__level__gte=3),
        Q(action_time__date__gte="2026-01-01"),
        Q(action_time__year__gte=2026),
        Q(actor__logentry__pk__lt=30),
        Q(content_type__permission__pk__gt=10),
        Q(pk__gte=ActivityLog.objects.order_by("pk").values("pk")[:1]),
    ],
)
def test_a_rule_of_the_project_stays_whatever_it_compares(rule):
    rows = ActivityLog.objects.filter(rule)
    asked = rows.filter(pk__gt=MIDDLE, pk__lt=HIGH)
    assert str(tightened(asked).query) == str(asked.query)
    assert str(tightened(asked.filter(pk__gt=LOW)).query) == str(asked.query)


def test_conditions_that_need_not_hold_stay():
    rows = ActivityLog.objects.filter(Q(pk__gt=MIDDLE) | Q(status="Failed"), pk__gt=LOW)
    assert str(tightened(rows).query) == str(rows.query)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "read",
    [
        lambda rows: selectors.page(rows, after=MIDDLE),
        lambda rows: selectors.page(rows, before=MIDDLE),
        lambda rows: selectors.tick(rows, since=MIDDLE),
        lambda rows: selectors.neighbours(rows, MIDDLE),
        lambda rows: list(selectors.stream(rows, 1)),
    ],
)
def test_no_statement_says_an_end_twice(read, django_assert_max_num_queries):
    rows = ActivityLog.objects.filter(pk__gte=LOW, pk__lt=HIGH)
    with django_assert_max_num_queries(2) as captured:
        read(rows)
    for query in captured.captured_queries:
        where = query["sql"].partition("WHERE")[2].partition("ORDER BY")[0]
        assert where.count(">") <= 1
        assert where.count("<") <= 1


# The oldest of rows that have something in common


@pytest.mark.parametrize(
    ("asked", "column", "value"),
    [
        (Q(ip_address="10.0.0.1"), "ip_address", "10.0.0.1"),
        (Q(route="orders/"), "route", "orders/"),
        (Q(actor_id=UNKNOWN), "actor_id", UNKNOWN),
        (Q(status="Failed") & Q(route="orders/"), "route", "orders/"),
    ],
)
def test_the_oldest_is_looked_up_in_the_index_of_what_is_shared(asked, column, value):
    rows = oldest_first(ActivityLog.objects.filter(asked))
    assert {("gte", value), ("lte", value)} <= bounds(rows)
    assert ("exact", value) not in bounds(rows)
    assert rows.query.order_by == (column, "pk")


@pytest.mark.parametrize(
    "asked",
    [
        Q(),
        Q(remarks="x"),
        Q(status="Failed"),
        Q(route="a") | Q(route="b"),
        Q(route=F("action")),
        Q(actor__pk__in=[UNKNOWN]),
        ~Q(route="a"),
    ],
)
def test_the_oldest_is_else_the_first_of_all(asked):
    rows = ActivityLog.objects.filter(asked)
    assert str(oldest_first(rows).query) == str(rows.order_by("pk").query)


@pytest.mark.django_db
@pytest.mark.only_on("postgresql")
def test_the_oldest_of_many_is_no_matter_of_reading_the_whole_log():
    activities(300, ip_address="10.9.9.9", step=60)
    activities(2_700, ip_address="10.0.0.1", step=0.01)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {ActivityLog._meta.db_table}")
    rows = ActivityLog.objects.filter(ip_address="10.0.0.1")
    assert "trackmate_address" in oldest_first(rows)[:1].explain()
    assert "trackmate_address" not in rows.order_by("pk")[:1].explain()
