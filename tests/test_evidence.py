"""The page of one activity, and its parts beside a list: evidence, and who may see it."""

import re
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.factories import SCRIPT, activities, activity, hostile_activity, person
from tests.urls_under_test import FRAGMENT, log_queries, text_of
from trackmate.dashboard.detail.json_tree import MAX_ITEMS

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

NO_SUCH = "0192c0de-0000-7000-8000-000000000000"


@pytest.fixture
def reader(client):
    client.force_login(person("reader", "view_payload", is_staff=True))
    return client


def shown(client, row, headers=None, **query):
    response = client.get(reverse("trackmate:detail", args=[row.pk]), query, headers=headers)
    assert response.status_code == 200
    return text_of(response)


def ids_in(page):
    return re.findall(r'\bid="([^"]*)"', page)


# Beside a list


def test_the_parts_are_what_the_page_includes(reader):
    row = hostile_activity(request_id="r", source="request")
    activity(request_id="r")
    page, parts = shown(reader, row), shown(reader, row, FRAGMENT)
    assert "<html" not in parts
    [within] = re.findall(r"<article.*</article>", page, re.DOTALL)
    sections = re.compile(r"<section.*</section>", re.DOTALL)
    times = re.compile(r"<time.*?</span>", re.DOTALL)
    assert times.sub("", sections.search(within)[0]) == times.sub("", sections.search(parts)[0])


def test_the_parts_have_a_heading_and_a_way_to_the_page(reader):
    row = activity(action="shop.order.update", actor_label="ann")
    parts = shown(reader, row, FRAGMENT, actor="ann")
    assert re.search(r'<h2 class="tm-title" id="tm-detail-title"><bdi>shop.order.update<', parts)
    assert "<h1" not in parts
    assert f'href="/trackmate/activity/{row.pk}/?actor=ann">Open as a page</a>' in parts
    assert "Back to the list" not in parts
    page = shown(reader, row, actor="ann")
    assert page.count("<h1") == 1
    assert "Open as a page" not in page
    assert f'href="/trackmate/activity/{row.pk}/"' in page


def test_no_id_of_the_parts_is_one_of_the_list(reader):
    first, second = (activity(request_id="r", ago=ago) for ago in (1, 0))
    parts = ids_in(shown(reader, second, FRAGMENT))
    page = ids_in(text_of(reader.get("/trackmate/activity/")))
    assert {f"tm-row-{first.pk}", "tm-rows"} <= set(page)
    assert {f"tm-related-{first.pk}", "tm-snippet-json"} <= set(parts)
    assert set(parts).isdisjoint(page)
    assert len(parts) == len(set(parts))


def test_a_missing_activity_is_a_message(reader):
    response = reader.get(reverse("trackmate:detail", args=[NO_SUCH]), headers=FRAGMENT)
    assert response.status_code == 200
    assert "There is no such activity" in text_of(response)
    assert "<html" not in text_of(response)


@pytest.mark.parametrize(("headers", "status"), [(None, 503), (FRAGMENT, 200)])
def test_an_unreadable_activity_is_a_message(reader, headers, status):
    row = activity()

    def fail(execute, sql, params, many, context):
        if "trackmate_activitylog" in sql:
            raise OperationalError("gone")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail):
        response = reader.get(reverse("trackmate:detail", args=[row.pk]), headers=headers)
    assert response.status_code == status
    assert "cannot be read" in text_of(response)
    assert ("<html" in text_of(response)) == (headers is None)


@pytest.mark.parametrize("part", ["related", "adjacent"])
def test_an_error_of_any_kind_is_a_message_and_one_log_entry(reader, monkeypatch, caplog, part):
    def fail(*_arguments, **_options):
        raise ValueError("a fault of ours")

    row = activity(request_id="r")
    monkeypatch.setattr(f"trackmate.selectors.{part}", fail)
    response = reader.get(reverse("trackmate:detail", args=[row.pk]))
    assert response.status_code == (200 if part == "adjacent" else 503)
    assert len([each for each in caplog.records if each.name == "trackmate"]) == 1
    assert "a fault of ours" not in text_of(response)


# Related activities


def test_related_activities_show_the_time_since_the_first(reader):
    began = timezone.now()
    row = activity(request_id="r", action_time=began, source="request")
    for milliseconds in (100, 1_500):
        later = began + timedelta(milliseconds=milliseconds)
        activity(request_id="r", action_time=later)
    offsets = re.findall(r'<span class="tm-quiet">\+(\S+ m?s)</span>', shown(reader, row))
    assert offsets == ["0.0 ms", "100 ms", "1.50 s"]


def test_an_offset_is_never_negative(reader):
    row = activity(request_id="r")
    other = activity(request_id="r")
    type(other).objects.filter(pk=other.pk).update(action_time=row.action_time.replace(year=2000))
    assert shown(reader, row).count('<span class="tm-quiet">+0.0 ms</span>') == 2


# Changes, trees


def test_changed_words_are_marked_for_eyes_and_screen_readers(reader):
    page = shown(
        reader, activity(changes={"note": ["a red house", "a blue house"], "x": [None, 5]})
    )
    assert 'a <del><span class="tm-unseen">removed: </span>red</del> house' in page
    assert 'a <ins><span class="tm-unseen">added: </span>blue</ins> house' in page
    assert '<bdi>x</bdi> <span class="tm-quiet">added</span>' in page


def test_a_tree_that_is_not_whole_points_to_the_snippet(reader):
    notice = "The JSON snippet below is complete."
    assert notice in shown(reader, activity(data=list(range(MAX_ITEMS + 1))))
    assert notice not in shown(reader, activity(data=list(range(MAX_ITEMS))))


# MariaDB takes 32 levels.
@pytest.mark.parametrize(
    "levels", [28, pytest.param(400, marks=pytest.mark.only_on("sqlite3", "postgresql"))]
)
def test_very_deep_data_are_shown(reader, levels):
    value = "deep down"
    for _level in range(levels):
        value = {"in": value}
    assert "deep down" in shown(reader, activity(data=value, changes={"x": [value, [value]]}))


# Without the permission


@pytest.mark.parametrize("headers", [None, FRAGMENT])
def test_hidden_payload_is_nowhere(staff, headers):
    secret = {"opensesame": ["opensesame", "opensesame"]}
    row = activity(
        source="request",
        method="POST",
        path="/",
        data=secret,
        response=secret,
        changes=secret,
        extra={"seen": True},
    )
    with CaptureQueriesContext(connection) as captured:
        page = shown(staff, row, headers)
    assert "opensesame" not in page
    assert page.count("<code>trackmate.view_payload</code>") == 3
    assert page.count("Fields you cannot access are left out.") == 2
    assert page.count("Without the data that the request sent.") == 2
    assert "<bdi>true</bdi>" in page
    # One statement asks whether there is something; another one would fetch it.
    [read] = [sql for sql in log_queries(captured) if "response" in sql]
    assert "has_response" in read


@pytest.mark.parametrize("headers", [None, FRAGMENT])
def test_the_number_of_queries_is_fixed(reader, headers):
    def queries(number):
        value = {f"k{each}": [each, {"a": [each]}] for each in range(number)}
        rows = activities(
            number, request_id=f"r{number}", data=value, changes=value, response=value
        )
        with CaptureQueriesContext(connection) as captured:
            shown(reader, rows[0], headers)
        return len(captured)

    assert queries(2) == queries(40)


def test_hostile_parts_are_text(reader):
    row = hostile_activity(source="request", request_id="r", method="POST", path=f"/{SCRIPT}")
    parts = shown(reader, row, FRAGMENT)
    assert SCRIPT not in parts
    assert "<script" not in parts
    assert "<img" not in parts
    assert "tm-snippet-curl" in parts
