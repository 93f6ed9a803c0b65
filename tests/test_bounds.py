"""Conditions in such words that a database searches the index that was made for them."""

from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Q

from tests.rows import UNKNOWN, activities, activity
from trackmate import selectors
from trackmate.models import ActivityLog
from trackmate.selectors.bounds import oldest_first, tightened

pytestmark = pytest.mark.database

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


def test_a_rule_of_which_any_part_may_hold_stays():
    rule = ActivityLog.objects.filter(pk__lt=LOW) | ActivityLog.objects.filter(pk__lt=HIGH)
    assert str(tightened(rule).query) == str(rule.query)


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
    assert selectors.ends(rows, ABOUT[about]).first == expected


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
