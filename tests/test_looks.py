"""How a list looks: how it is sorted, which columns it has, in which time zone it tells times."""

import re
from datetime import UTC
from functools import partial

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import format_html

from tests.pages import FRAGMENT, log_queries, text_of
from tests.rows import SCRIPT, activities, activity, person
from trackmate.conf import get_settings
from trackmate.dashboard import columns

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

LIST = "/trackmate/activity/"


def keys_in(response):
    return re.findall(r'id="tm-row-([0-9a-f-]{36})"', text_of(response))


def headings(response):
    return re.findall(r'<th scope="col" class="tm-(\w+)"', text_of(response))


def link(response, relation):
    found = re.search(rf'rel="{relation}" href="([^"]+)"', text_of(response))
    return found and found[1].replace("&amp;", "&")


# Sorted


@pytest.mark.parametrize(
    ("sort", "wanted"),
    [
        ("", "cab"),
        ("-time", "cab"),
        ("time", "bac"),
        ("-duration", "bac"),
        ("duration", "acb"),
        ("status", "abc"),
        ("-status", "cab"),
        ("actor", "bca"),
        ("path", "cab"),
        ("-; DROP", "cab"),
    ],
)
def test_a_list_is_sorted_as_the_address_says(staff, sort, wanted):
    rows = {
        "a": activity(ago=2, execution_time=1, status="Failed", actor_label="zoe"),
        "b": activity(ago=3, execution_time=3, status="Failed", actor_label="ann"),
        "c": activity(ago=1, actor_label="bob"),
    }
    if sort.endswith("duration"):
        wanted = wanted.replace("c", "") + "c"  # without a duration it comes last
    if sort == "-status":
        wanted = "cab"
    shown = keys_in(staff.get(LIST, {"sort": sort}))
    assert shown == [str(rows[each].pk) for each in wanted]


def test_a_heading_says_how_the_list_is_sorted_and_sorts_it(staff):
    activity()
    page = text_of(staff.get(LIST, {"sort": "-duration", "q": "x"}))
    assert "aria-sort" not in page  # nothing to sort
    page = text_of(staff.get(LIST, {"sort": "-duration", "range": "1h"}))
    [heading] = re.findall(r"<th[^>]*aria-sort[^>]*>.*?</th>", page)
    assert 'class="tm-duration" aria-sort="descending"' in heading
    assert 'href="/trackmate/activity/?range=1h&amp;sort=duration"' in heading
    assert 'href="/trackmate/activity/?range=1h&amp;sort=-time"' in page
    assert "by Duration</span></caption>" in page


@pytest.mark.parametrize("sort", ["time", "-duration", "status", "-actor"])
def test_pages_of_a_sorted_list_lead_through_every_row_once(staff, sort):
    for number in range(110):
        activity(ago=number, execution_time=number % 7, actor_label=f"actor {number % 5}")
    page = staff.get(LIST, {"sort": sort})
    seen = keys_in(page)
    while older := link(page, "next"):
        with CaptureQueriesContext(connection) as captured:
            page = staff.get(older)
        seen += keys_in(page)
        # Beside the page itself, at most the row that it goes on behind.
        assert len(log_queries(captured)) <= 2
        assert "OFFSET" not in "".join(log_queries(captured))
    assert (len(seen), len(set(seen))) == (110, 110)
    assert keys_in(staff.get(link(page, "prev"))) == seen[50:100]


def test_only_the_newest_first_are_live(staff):
    activity()
    assert 'data-live="on"' in text_of(staff.get(LIST))
    assert 'data-live="off"' in text_of(staff.get(LIST, {"sort": "-duration"}))


def test_a_fragment_brings_the_order_to_the_form(staff):
    activity()
    page = text_of(staff.get(LIST, {"sort": "status"}, headers=FRAGMENT))
    assert '<input type="hidden" name="sort" value="status">' in page


# Columns


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        ("", columns.USUAL),
        ("time,status", ("time", "status")),
        ("status,actor", ("time", "status", "actor")),
        ("agent,request_id,route,source", ("time", "agent", "request_id", "route", "source")),
        ("status,status,garbage,", ("time", "status")),
        ("garbage", columns.USUAL),
    ],
)
def test_a_list_has_the_columns_that_the_address_names(staff, named, shown):
    activity()
    assert headings(staff.get(LIST, {"columns": named})) == list(shown)


def test_columns_that_not_every_list_reads_are_read_with_it(staff):
    rows = activities(3, user_agent="curl/8", request_id="r-1", source="auth", route="orders/")
    with CaptureQueriesContext(connection) as captured:
        page = text_of(staff.get(LIST, {"columns": "agent,request_id,source,route"}))
    assert len(log_queries(captured)) == 1
    for shown in ("curl/8", "Authentication", "request=r-1", "route=orders%2F"):
        assert page.count(shown) >= len(rows)


def test_links_keep_the_look(staff):
    activities(60, actor_label="ann")
    asked = {"columns": "actor", "density": "compact", "zone": "utc", "times": "relative"}
    page = staff.get(LIST, {**asked, "density": "compact", "sort": "-duration"})
    older = link(page, "next")
    for name, value in asked.items():
        assert f"{name}={value if name != 'columns' else 'time%2Cactor'}" in older
        assert f'<input type="hidden" name="{name}"' in text_of(page)
    assert 'data-density="compact"' in text_of(page)
    assert "actor=ann" in text_of(page)
    assert re.search(r'class="tm-open" href="[^"]*zone=utc', text_of(page))


def test_what_nobody_can_follow_is_left_out(staff):
    activities(60)
    asked = {"density": "huge", "zone": "Mars", "times": SCRIPT, "columns": SCRIPT}
    page = staff.get(LIST, asked)
    assert "density=" not in link(page, "next")
    assert SCRIPT not in text_of(page)


# Times


def test_times_are_told_in_utc(staff):
    row = activity()
    page = text_of(staff.get(LIST, {"zone": "utc"}))
    moment = row.action_time.astimezone(UTC)
    assert f'datetime="{moment.isoformat(timespec="milliseconds")}"' in page
    assert "Time (UTC)" in page
    detail = text_of(staff.get(f"{LIST}{row.pk}/", {"zone": "utc"}))
    assert f"{moment:%H:%M:%S}" in detail
    assert timezone.get_current_timezone_name() != "UTC"


def test_dates_are_read_in_the_zone_that_times_are_told_in(staff):
    row = activity(ago=90 * 60)
    moment = row.action_time.astimezone(UTC).replace(tzinfo=None)
    asked = {"start": moment.isoformat(timespec="seconds")}
    assert keys_in(staff.get(LIST, {**asked, "zone": "utc"})) == [str(row.pk)]


def test_times_are_told_as_how_long_ago_they_were(staff):
    activity(ago=3 * 3600)
    page = text_of(staff.get(LIST, {"times": "relative"}))
    assert "3\N{NO-BREAK SPACE}hours ago</time>" in page


def test_a_range_of_time_can_be_pinned(staff):
    activity()
    page = text_of(staff.get(LIST, {"range": "1h", "actor": ""}))
    pinned = re.search(r'href="([^"]+)"[^>]*>Pin this time', page)[1].replace("&amp;", "&")
    assert re.search(r"\?range=custom&start=[^&]+&end=[^&]+$", pinned)
    assert "Pin this time" not in text_of(staff.get(pinned))


# What a person has chosen

LOOK = "/trackmate/activity/look/"
USUAL = {
    "columns": list(columns.USUAL),
    "density": "normal",
    "zone": "local",
    "times": "absolute",
    "keys": "on",
}


@pytest.mark.parametrize(
    ("chosen", "address"),
    [
        ({}, LIST),
        ({"density": "compact"}, f"{LIST}?density=compact"),
        ({"zone": "utc", "times": "relative"}, f"{LIST}?zone=utc&times=relative"),
        ({"columns": ["time", "agent"]}, f"{LIST}?columns=time%2Cagent"),
        ({"query": "actor=ann&sort=-duration"}, f"{LIST}?actor=ann&sort=-duration"),
        ({"query": "zone=utc&range=1h"}, f"{LIST}?range=1h"),
        ({"query": "next=https://elsewhere&actor="}, LIST),
        ({"kind": "actor", "value": "ann", "query": "range=1h"}, "/trackmate/actor/ann/?range=1h"),
        ({"kind": "elsewhere", "value": "//x"}, LIST),
    ],
)
def test_what_is_chosen_is_in_the_address(staff, chosen, address):
    response = staff.post(LOOK, {**USUAL, **chosen})
    assert (response.status_code, response.url) == (302, address)


def test_what_is_chosen_is_remembered(staff):
    activity()
    assert staff.post(LOOK, {**USUAL, "zone": "utc", "keys": "off"}).status_code == 302
    response = staff.get(LIST, {"range": "1h"})
    assert (response.status_code, response.url) == (302, f"{LIST}?range=1h&zone=utc")
    page = text_of(staff.get(response.url))
    assert "Time (UTC)" in page
    assert '<option value="utc" selected>' in page
    assert '<body class="tm-body" data-tm-keys="off">' in page
    assert "Time (UTC)" in text_of(staff.get("/trackmate/"))


def test_an_address_that_says_how_it_looks_has_the_last_word(staff):
    activity()
    staff.post(LOOK, {**USUAL, "zone": "utc"})
    page = staff.get(LIST, {"density": "compact"})
    assert page.status_code == 200
    assert "Time (UTC)" not in text_of(page)


def test_one_goes_back_to_the_usual_look(staff):
    activity()
    for chosen in ("utc", "local"):
        staff.post(LOOK, {**USUAL, "zone": chosen})
    assert staff.get(LIST).status_code == 200


def test_the_overview_keeps_its_look_while_it_is_live(staff):
    activity()
    staff.post(LOOK, {**USUAL, "zone": "utc", "density": "compact"})
    page = text_of(staff.get("/trackmate/"))
    asked = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', page))
    assert asked == {"zone": "utc", "density": "compact"}
    fragment = text_of(staff.get("/trackmate/", asked, headers=FRAGMENT))
    times = r'<time datetime="[^"]+"'
    assert re.findall(times, fragment) == re.findall(times, page) != []


def test_going_back_leaves_the_keys_switched_off(staff):
    staff.post(LOOK, {**USUAL, "keys": "off"})
    restored = staff.get(LIST, headers={**FRAGMENT, "HX-History-Restore-Request": "true"})
    assert 'data-tm-keys="off"' in text_of(restored)


def test_what_cannot_be_chosen_is_not(staff):
    response = staff.post(LOOK, {**USUAL, "zone": "Mars", "query": "zone=utc"})
    assert response.url == f"{LIST}?zone=utc"
    assert staff.get(LIST).status_code == 200


def test_a_part_of_a_page_asks_for_no_preference(staff):
    activity()
    staff.post(LOOK, {**USUAL, "zone": "utc"})
    with CaptureQueriesContext(connection) as captured:
        assert "Time (UTC)" not in text_of(staff.get(LIST, headers=FRAGMENT))
    assert "trackmate_preference" not in "".join(each["sql"] for each in captured)


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_a_look_is_posted(staff, method):
    assert getattr(staff, method)(LOOK).status_code == 405


def test_a_look_is_protected_against_other_sites():
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("staff", is_staff=True))
    assert client.post(LOOK, USUAL).status_code == 403


def test_a_look_that_cannot_be_kept_is_said_so(staff, failing_query):
    with failing_query("trackmate_preference"):
        assert staff.post(LOOK, {**USUAL, "zone": "utc"}).status_code == 503
        assert staff.get(LIST).status_code == 200


# Columns of the project


def tenant(row, request):
    return f"{row.extra['tenant']} for {request.user}"


tenant.short_description = "Whose"
tenant.needs = ("extra",)


def markup(row, request):
    return SCRIPT if row.action == "n0" else format_html("<b>{}</b>", row.action)


def broken(row, request):
    raise RuntimeError(row.pk)


def secret(row, request):
    return row.data["pin"]


secret.needs = ("data",)


def actor(row, request):
    return "taken over"


def test_a_project_adds_columns(staff, configure):
    configure(TABLE_COLUMNS=["tests.test_looks.tenant", markup])
    activities(3, extra={"tenant": "acme"})
    with CaptureQueriesContext(connection) as captured:
        page = staff.get(LIST)
    assert headings(page) == [*columns.USUAL, "tenant", "markup"]
    assert text_of(page).count("<bdi>acme for staff</bdi>") == 3
    assert ">Whose</th>" in text_of(page)
    assert "<b>n1</b>" in text_of(page)
    assert SCRIPT not in text_of(page)
    assert len(log_queries(captured)) == 1
    assert headings(staff.get(LIST, {"columns": "tenant"})) == ["time", "tenant"]


def test_a_column_that_fails_leaves_the_list_as_it_is(staff, configure, caplog):
    configure(TABLE_COLUMNS=[broken])
    rows = activities(3)
    assert keys_in(staff.get(LIST)) == [str(row.pk) for row in rows]
    [record] = caplog.records
    assert record.getMessage().startswith("TABLE_COLUMNS: 'broken' failed: RuntimeError at ")


class Unprintable:
    def __str__(self):
        raise ValueError("cannot be printed")


def unprintable(row, request):
    return Unprintable()


def test_a_column_that_cannot_be_printed_has_failed_too(staff, configure, caplog):
    configure(TABLE_COLUMNS=[unprintable])
    rows = activities(3)
    assert keys_in(staff.get(LIST)) == [str(row.pk) for row in rows]
    assert "'unprintable' failed" in caplog.text


def test_a_column_without_a_name_is_left_out(staff, configure, caplog):
    configure(TABLE_COLUMNS=[partial(tenant)])
    activity()
    assert headings(staff.get(LIST)) == list(columns.USUAL)
    assert "cannot be loaded" in caplog.text


def test_a_column_of_the_payload_takes_the_permission(client, staff, configure):
    configure(TABLE_COLUMNS=[secret])
    activities(3, data={"pin": "s3cret"})
    with CaptureQueriesContext(connection) as captured:
        assert "s3cret" not in text_of(staff.get(LIST))
    assert '"data"' not in "".join(log_queries(captured))
    client.force_login(person("reader", "view_payload", is_staff=True))
    assert text_of(client.get(LIST)).count("<bdi>s3cret</bdi>") == 3


def test_a_column_cannot_take_the_place_of_ours_or_come_from_nowhere(staff, configure, caplog):
    configure(TABLE_COLUMNS=[actor, "tests.test_looks.nobody"])
    activity()
    assert headings(staff.get(LIST)) == list(columns.USUAL)
    assert "cannot be loaded" in caplog.text
    assert get_settings().TABLE_COLUMNS
