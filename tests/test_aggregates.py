"""Rows counted over time, by a column, by how long they took."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from tests.factories import activities, activity, person
from trackmate import selectors
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]


def every():
    return ActivityLog.objects.all()


def stats():
    return selectors.PeriodStats(all_rows=every(), start=datetime(1970, 1, 1, tzinfo=UTC))


def counts(tops):
    return [(*top.values, top.count) for top in tops]


# Over time


@pytest.mark.parametrize("number", [1, 2, 3, 7, 60])
def test_each_row_falls_into_one_bucket(number):
    now = timezone.now()
    bounds = [now - timedelta(seconds=10 * (number - place)) for place in range(number + 1)]
    for place in range(number):
        for _each in range(place % 3):
            moment = bounds[place] + timedelta(seconds=place % 10)
            status = "Failed" if place % 2 else "Success"
            ActivityLog.objects.create(action_time=moment, status=status)
    buckets = selectors.histogram(every(), bounds)
    assert [bucket.count for bucket in buckets] == [place % 3 for place in range(number)]
    assert [bucket.failed for bucket in buckets] == [
        place % 3 if place % 2 else 0 for place in range(number)
    ]
    assert [(b.start, b.end) for b in buckets] == list(pairwise(bounds))


def test_a_bound_belongs_to_the_bucket_that_begins_there():
    now = timezone.now()
    bounds = [now + timedelta(seconds=each) for each in range(4)]
    for bound in bounds:
        ActivityLog.objects.create(action_time=bound)
    assert [bucket.count for bucket in selectors.histogram(every(), bounds)] == [1, 1, 1]


def test_a_histogram_is_one_query(django_assert_num_queries):
    now = timezone.now()
    with django_assert_num_queries(1):
        selectors.histogram(every(), [now + timedelta(hours=each) for each in range(72)])


# By how long they took


def test_percentiles_are_close():
    for milliseconds in range(1, 1001):
        ActivityLog.objects.bulk_create([ActivityLog(execution_time=milliseconds / 1000)])
    found = stats().latencies()
    assert sum(found) == 1000
    for share in (0.1, 0.5, 0.95, 0.99):
        assert selectors.percentile(found, share) == pytest.approx(share, rel=0.05)


@pytest.mark.parametrize(
    ("seconds", "found"), [((), None), ((0.0001,), 0.0005), ((1000.0,), selectors.LATENCIES[-1])]
)
def test_percentiles_of_few_rows(seconds, found):
    activity()
    for each in seconds:
        activity(execution_time=each)
    assert selectors.percentile(stats().latencies(), 0.5) == found


# By a column


def test_the_leading_values_come_first():
    activities(3, route="b/")
    activities(5, route="a/", status="Failed", execution_time=0.5)
    activities(2, route="")
    assert counts(selectors.top(every(), "route")) == [("a/", 5), ("b/", 3)]
    assert counts(selectors.top(every(), "route", by="failed")) == [("a/", 5)]
    [slowest] = selectors.top(every(), "route", by="mean")
    assert (slowest.values, slowest.mean) == (("a/",), 0.5)
    assert len(selectors.top(every(), "route", limit=1)) == 1


def test_actors_are_told_apart_by_key_and_by_name():
    ann = person("ann")
    activity(actor=ann, actor_label="ann")
    activity(actor=ann, actor_label="ann")
    activity(actor_label="cron:nightly")
    activity()
    assert counts(selectors.top(every(), "actor", "actor_label")) == [
        (ann.pk, "ann", 2),
        (None, "cron:nightly", 1),
    ]


def test_facets_of_several_columns_are_one_query(django_assert_num_queries):
    activities(3, method="GET", status_code=200)
    activities(2, method="POST", status_code=500, status="Failed")
    activity(method="GET")
    with django_assert_num_queries(1):
        found = stats().facets("method", "status_code")
    assert counts(found["method"]) == [("GET", 4), ("POST", 2)]
    assert counts(found["status_code"]) == [(200, 3), (500, 2)]
    assert [top.failed for top in found["method"]] == [0, 2]


# In a few figures


def test_a_summary_is_two_queries(django_assert_num_queries):
    ann = person("ann")
    activities(3, actor=ann)
    activities(2, status="Failed")
    activity(action_type="Login", actor=ann)
    activity(action_type="Login Failed", status="Failed")
    with django_assert_num_queries(2):
        found = stats().summary()
    assert found == selectors.Summary(count=7, failed=3, actors=1, logins=1, failed_logins=1)
    assert found.failure_rate == pytest.approx(3 / 7)
    assert selectors.Summary().failure_rate == 0


# Both ends


def test_the_first_and_the_last(django_assert_num_queries):
    rows = activities(5)
    with django_assert_num_queries(2):
        found = selectors.seen_range(every())
    assert (found.last, found.first) == (rows[0], rows[-1].action_time)
    with django_assert_num_queries(1):
        assert selectors.seen_range(every(), last=rows[0]) == found
    assert selectors.seen_range(every().none()) == selectors.SeenRange(first=None, last=None)
