"""Ranges of keys, and queries that use the index made for them."""

import re
from functools import reduce
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from tests.factories import UNKNOWN, activities, activity
from tests.urls_under_test import log_queries
from trackmate import selectors
from trackmate.models import ActivityLog
from trackmate.selectors import KeyRange
from trackmate.selectors.index_hints import oldest_first

pytestmark = pytest.mark.database

LOW, MIDDLE, HIGH, HIGHEST = (UUID(int=number) for number in (1, 2, 3, 2**128 - 1))


@pytest.mark.parametrize(
    ("ranges", "bounds"),
    [
        ([KeyRange(LOW), KeyRange.after(LOW)], {"pk__gte": MIDDLE}),
        ([KeyRange(MIDDLE), KeyRange.after(LOW)], {"pk__gte": MIDDLE}),
        ([KeyRange(end=HIGH), KeyRange.before(MIDDLE)], {"pk__lt": MIDDLE}),
        ([KeyRange(LOW, HIGH), KeyRange.before(MIDDLE)], {"pk__gte": LOW, "pk__lt": MIDDLE}),
        ([KeyRange(LOW), KeyRange(end=HIGH)], {"pk__gte": LOW, "pk__lt": HIGH}),
        ([KeyRange.of_times(None, None), KeyRange()], {}),
        ([KeyRange.after(HIGHEST)], {"pk__gte": HIGHEST}),
    ],
)
def test_an_intersection_has_the_tighter_bound_on_each_side(ranges, bounds):
    both = reduce(KeyRange.intersect, ranges)
    assert dict(both.condition.children) == bounds
    assert reduce(KeyRange.intersect, reversed(ranges)) == both


@pytest.mark.django_db
@pytest.mark.parametrize(
    "read",
    [
        lambda rows, within: selectors.page(rows, within=within, after=MIDDLE),
        lambda rows, within: selectors.page(rows, within=within, before=MIDDLE),
        lambda rows, within: selectors.page(rows, within=within, holding=MIDDLE),
        lambda rows, within: selectors.count_new(rows, within=within, after=MIDDLE),
        lambda rows, within: selectors.adjacent(rows, MIDDLE, within=within),
        lambda rows, within: list(selectors.stream(rows, 1, within=within)),
    ],
)
def test_no_query_bounds_the_key_twice(read, django_assert_max_num_queries):
    activity()
    with django_assert_max_num_queries(2) as captured:
        read(ActivityLog.objects.all(), KeyRange(LOW, HIGH))
    for query in captured.captured_queries:
        where = query["sql"].partition("WHERE")[2].partition("ORDER BY")[0]
        assert where.count(">") <= 1
        assert where.count("<") <= 1


@pytest.mark.django_db
@pytest.mark.parametrize("times", ["24h", "custom&start=2026-01-01"])
@pytest.mark.parametrize("side", ["before", "after", "row"])
def test_a_page_of_the_dashboard_bounds_the_key_once(staff, times, side):
    with CaptureQueriesContext(connection) as captured:
        staff.get(f"/trackmate/activity/?range={times}&{side}={activity(ago=60).pk}")
    for sql in log_queries(captured):
        where = sql.partition("WHERE")[2].partition("ORDER BY")[0]
        assert where.count(">") <= 1
        assert where.count("<") <= 1


@pytest.mark.django_db
@pytest.mark.only_on("sqlite3")
def test_sqlite_searches_between_the_tightest_bounds():
    rows = KeyRange(LOW, HIGH).intersect(KeyRange.before(MIDDLE)).filter(ActivityLog.objects.all())
    plan = rows.order_by("-pk").explain()
    assert re.search(r"SEARCH .*\(id>\? AND id<\?\)", plan), plan


# The oldest of what is about something

RULES = {
    "every row": lambda rows: rows,
    "one condition": lambda rows: rows.filter(status="Success"),
    "any of three": lambda rows: (
        rows.filter(route="a") | rows.filter(route="b") | rows.filter(route="c")
    ),
    "either of two": lambda rows: rows.filter(route="a") ^ rows.filter(status="Failed"),
    "each once": lambda rows: rows.distinct(),
    "all but one": lambda rows: rows.exclude(route="secret"),
    "since then": lambda rows: rows.filter(pk__gte=LOW),
    "the same condition": lambda rows: rows.filter(ip_address="10.0.0.1"),
}
ABOUT = {
    "an address": Q(ip_address="10.0.0.1"),
    "a route": Q(route="a"),
    "an actor": Q(actor_id=UNKNOWN),
    "a name": Q(actor_label="ann"),
    "an object": Q(content_type_id=1) & Q(object_id="7"),
    "one thing or another": Q(route="a") | Q(route="b"),
    "another route": ~Q(route="a"),
    "anything": Q(),
}


@pytest.mark.django_db
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("about", ABOUT)
def test_the_oldest_is_the_first_of_all_that_may_be_seen(rule, about):
    activity(ago=90, route="secret", ip_address="10.0.0.1", actor_id=UNKNOWN, actor_label="ann")
    activity(ago=80, route="z", ip_address="10.0.0.9")
    for number in range(3):
        seen = {"route": "a", "ip_address": "10.0.0.1", "actor_id": UNKNOWN, "actor_label": "ann"}
        activity(ago=70 - number, content_type_id=1, object_id="7", status="Success", **seen)
    rows = RULES[rule](ActivityLog.objects.all())
    row = rows.filter(ABOUT[about]).order_by("pk").first()
    expected = row and row.action_time
    assert selectors.oldest(rows, ABOUT[about]) == expected
    assert selectors.seen_range(rows, ABOUT[about]).first == expected


@pytest.mark.django_db
@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("rule", RULES.keys() - {"the same condition", "each once"})
def test_the_oldest_of_many_is_no_matter_of_reading_the_whole_log(rule):
    activities(300, ip_address="10.9.9.9", step=60, route="a", status="Success")
    activities(2_700, ip_address="10.0.0.1", step=0.01, route="a", status="Success")
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {ActivityLog._meta.db_table}")
    rows = RULES[rule](ActivityLog.objects.all())
    assert "trackmate_address" in oldest_first(rows, Q(ip_address="10.0.0.1"))[:1].explain()


@pytest.mark.only_on("sqlite3", "mysql")
@pytest.mark.parametrize("about", ABOUT)
def test_elsewhere_an_equation_stays_one(about):
    rows = ActivityLog.objects.filter(status="Success")
    asked = rows.filter(ABOUT[about]).order_by("pk")
    assert str(oldest_first(rows, ABOUT[about]).query) == str(asked.query)
