"""Answers about rows."""

import pytest
from django.contrib.contenttypes.models import ContentType

from tests.factories import activities, activity, person
from tests.shop.models import Order
from trackmate import selectors
from trackmate.clock import lowest_uuid7, uuid7
from trackmate.models import ActivityLog

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]


def every():
    return ActivityLog.objects.all()


def keys(rows):
    return [row.pk for row in rows]


def test_older_pages_show_every_row_once():
    rows = activities(130)
    page = selectors.page(every())
    seen = keys(page.rows)
    while page.older:
        page = selectors.page(every(), before=page.older)
        seen += keys(page.rows)
    assert seen == keys(rows)


def test_newer_pages_show_every_row_once():
    rows = activities(130)
    page = selectors.page(every(), after=lowest_uuid7(rows[-1].action_time))
    seen = list(reversed(keys(page.rows)))
    while page.newer:
        page = selectors.page(every(), after=page.newer)
        seen += reversed(keys(page.rows))
    assert seen == keys(reversed(rows))


def test_a_full_last_page_has_nothing_older():
    activities(selectors.PAGE_SIZE)
    assert selectors.page(every()).older is None


def test_a_page_after_the_newest_row_is_the_newest_page():
    rows = activities(3)
    assert keys(selectors.page(every(), after=rows[0].pk).rows) == keys(rows)


@pytest.mark.parametrize("at", [0, 25, 49])
def test_the_page_that_holds_one_of_the_newest_rows_is_the_first(at):
    rows = activities(130)
    assert selectors.page(every(), holding=rows[at].pk) == selectors.page(every())


@pytest.mark.parametrize("at", [50, 75, 110, 129])
def test_the_page_that_holds_another_row_has_those_on_both_sides(at):
    rows = activities(130)
    page = selectors.page(every(), holding=rows[at].pk)
    assert keys(page.rows) == keys(rows[at - 25 : at + 25])
    earlier = selectors.page(every(), after=page.newer)
    assert keys(earlier.rows) == keys(rows[max(0, at - 75) : at - 25])


def test_a_page_before_the_oldest_row_is_empty():
    rows = activities(3)
    assert selectors.page(every(), before=rows[-1].pk) == selectors.Page(rows=())


@pytest.mark.parametrize("cursor", [{}, {"before": "newest"}, {"after": "oldest"}])
def test_a_page_is_one_query(cursor, django_assert_num_queries):
    rows = activities(60)
    ends = {"newest": rows[0].pk, "oldest": rows[-1].pk}
    with django_assert_num_queries(1):
        selectors.page(every(), **{side: ends[end] for side, end in cursor.items()})


def test_a_page_leaves_the_wide_columns_in_the_database():
    activity(data={"a": 1}, remarks="long")
    [row] = selectors.page(every()).rows
    assert {"data", "response", "changes", "extra", "remarks"} <= row.get_deferred_fields()


def test_a_tick_counts_what_is_newer():
    rows = activities(5)
    found = selectors.count_new(every(), after=rows[2].pk)
    assert found == selectors.NewActivities(count=2, capped=False, types=(("", 2),))
    assert selectors.count_new(every(), after=rows[0].pk).count == 0


def test_a_tick_counts_a_slow_request_that_was_stored_after_the_page_was_read():
    shown = activity()
    activity(ago=30)
    reading = lowest_uuid7(shown.recorded_at)
    assert selectors.count_new(every(), after=shown.pk).count == 0
    assert selectors.count_new(every(), after=shown.pk, loaded_at=reading).count == 1


def test_a_tick_stops_counting():
    rows = activities(selectors.NEW_CAP + 5)
    tick = selectors.count_new(every(), after=rows[-1].pk)
    assert (tick.count, tick.capped) == (selectors.NEW_CAP, True)


def test_a_tick_says_of_which_kinds_the_news_are():
    shown = activity(ago=10)
    activities(3, action_type="Read")
    activities(2, action_type="Login Failed")
    kinds = selectors.count_new(every(), after=shown.pk).types
    assert kinds == (("Read", 3), ("Login Failed", 2))


def test_the_log_is_empty_until_it_is_not():
    assert selectors.is_empty(every())
    activity()
    assert not selectors.is_empty(every())


@pytest.mark.parametrize("with_payload", [True, False])
def test_one_row_says_what_it_has(with_payload):
    row = activity(data={"a": 1})
    found = selectors.one(every(), row.pk, with_payload=with_payload)
    assert (found.has_data, found.has_response) == (True, False)
    assert ("data" in found.get_deferred_fields()) is not with_payload


def test_one_row_that_is_not_there():
    activity()
    assert selectors.one(every(), uuid7(activity().action_time), with_payload=True) is None


def test_neighbours():
    newest, middle, oldest = activities(3)
    assert selectors.adjacent(every(), middle.pk) == selectors.Adjacent(
        newer=newest.pk, older=oldest.pk
    )
    assert selectors.adjacent(every(), newest.pk).newer is None


def test_companions_are_of_one_request_in_order():
    late = activity(request_id="r1")
    early = activity(request_id="r1", ago=5)
    activity(request_id="r2")
    assert keys(selectors.related(every(), late)) == [early.pk, late.pk]
    assert selectors.related(every(), activity()) == ()


def test_django_remembers_the_names_of_object_types(django_assert_num_queries):
    kind = ContentType.objects.get_for_model(Order)
    rows = [ActivityLog(content_type_id=key) for key in (kind.pk, kind.pk, 99_999, None)]
    ContentType.objects.clear_cache()
    for asked in (2, 1):  # it looks anew for what it does not know
        with django_assert_num_queries(asked):
            assert selectors.object_types(rows) == {kind.pk: "shop.order"}
    with django_assert_num_queries(0):
        assert selectors.object_types(rows[3:]) == {}


def test_rows_of_the_future_come_first():
    user = person("ann")
    row = activity(ago=-60, actor=user)
    assert row.pk > lowest_uuid7(activity().action_time)
    assert selectors.page(every()).rows[0].pk == row.pk


# Sorted by other columns


SORTS = [
    ("execution_time", [None, 0.5, 0.25, 0.5, None, 2.0, 0.1]),
    ("status", ["Failed", "Success", "Success", "Failed", "Success", "Success", "Failed"]),
    ("actor_label", ["bob", "ann", "", "bob", "\N{SNOWMAN}", "cid", ""]),
]


@pytest.mark.parametrize("is_descending", [True, False])
@pytest.mark.parametrize(("column", "values"), SORTS)
def test_pages_of_every_order_hold_each_row_once_both_ways(
    monkeypatch, column, values, is_descending
):
    monkeypatch.setattr("trackmate.selectors.rows.PAGE_SIZE", 2)
    stored = [activity(ago=age, **{column: value}) for age, value in enumerate(values * 2)]
    order = selectors.Order(column=column, is_descending=is_descending)

    pages = [selectors.page(every(), order=order)]
    while pages[-1].older:
        pages.append(selectors.page(every(), before=pages[-1].older, order=order))
    there = [row.pk for page in pages for row in page.rows]
    assert there == [row.pk for row in order.sort(every())]
    assert sorted(there) == sorted(row.pk for row in stored)

    page, back = pages[-1], list(reversed(pages[-1].rows))
    while page.newer:
        page = selectors.page(every(), after=page.newer, order=order)
        back += reversed(page.rows)
    assert [row.pk for row in reversed(back)] == there

    for row in stored:
        assert row in selectors.page(every(), holding=row.pk, order=order).rows


@pytest.mark.parametrize("is_descending", [True, False])
def test_rows_without_a_value_come_last(is_descending):
    without, with_one = activity(), activity(execution_time=1.0)
    order = selectors.Order(column="execution_time", is_descending=is_descending)
    assert selectors.page(every(), order=order).rows == (with_one, without)


def test_a_page_goes_on_behind_a_row_that_no_filter_keeps():
    gone, kept = activity(execution_time=2.0, status="Failed"), activity(execution_time=1.0)
    rows = every().filter(status="Success")
    order = selectors.Order(column="execution_time")
    page = selectors.page(rows, before=gone.pk, order=order, among=every())
    assert page.rows == (kept,)
    gone.delete()
    assert selectors.page(rows, before=gone.pk, order=order).rows == (kept,)
