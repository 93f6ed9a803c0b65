"""Display options of a list: sorting, columns, time zone, and what a person has saved."""

import re
from datetime import UTC
from functools import partial

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.html import format_html

from tests.factories import SCRIPT, activities, activity, person
from tests.urls_under_test import FRAGMENT, log_queries, text_of
from trackmate.conf import get_settings

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

LIST = "/trackmate/activity/"
DEFAULT_COLUMNS = ["time", "actor", "action", "object", "path", "status", "duration"]
DEFAULT_COLUMNS += ["address"]


def keys_in(response):
    return re.findall(r'id="tm-row-([0-9a-f-]{36})"', text_of(response))


def headings(response):
    return re.findall(r'<th scope="col" class="tm-(\w+)"', text_of(response))


def link(response, relation):
    found = re.search(rf'rel="{relation}" href="([^"]+)"', text_of(response))
    return found and found[1].replace("&amp;", "&")


# Sorting


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
def test_a_list_is_sorted_by_the_parameter(staff, sort, wanted):
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


def test_a_heading_has_the_direction_and_sorts_the_list(staff):
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
def test_pages_of_a_sorted_list_have_every_row_once(staff, sort):
    for number in range(110):
        activity(ago=number, execution_time=number % 7, actor_label=f"actor {number % 5}")
    page = staff.get(LIST, {"sort": sort})
    seen = keys_in(page)
    while older := link(page, "next"):
        with CaptureQueriesContext(connection) as captured:
            page = staff.get(older)
        seen += keys_in(page)
        # Beside the page itself, at most the row before it and the count.
        assert len(log_queries(captured)) <= 3
        assert "OFFSET" not in "".join(log_queries(captured))
    assert (len(seen), len(set(seen))) == (110, 110)
    assert keys_in(staff.get(link(page, "prev"))) == seen[50:100]


def test_only_the_newest_first_are_live(staff):
    activity()
    assert 'data-live="on"' in text_of(staff.get(LIST))
    assert 'data-live="off"' in text_of(staff.get(LIST, {"sort": "-duration"}))


def test_a_fragment_has_the_sorting_in_its_form(staff):
    activity()
    page = text_of(staff.get(LIST, {"sort": "status"}, headers=FRAGMENT))
    assert '<input type="hidden" name="sort" value="status">' in page


# Columns


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ("", DEFAULT_COLUMNS),
        ("time,status", ["time", "status"]),
        ("status,actor", ["time", "status", "actor"]),
        ("agent,request,route,source", ["time", "agent", "request", "route", "source"]),
        ("status,status,garbage,method,", ["time", "status"]),
        ("garbage", DEFAULT_COLUMNS),
    ],
)
def test_a_list_has_the_columns_of_the_parameter(staff, names, shown):
    activity()
    assert headings(staff.get(LIST, {"columns": names})) == shown


def test_other_columns_take_no_further_query(staff):
    rows = activities(3, user_agent="curl/8", request_id="r-1", source="auth", route="orders/")
    with CaptureQueriesContext(connection) as captured:
        page = text_of(staff.get(LIST, {"columns": "agent,request,source,route"}))
    assert len(log_queries(captured)) == 1
    for shown in ("curl/8", "Authentication", "request=r-1", "route=orders%2F"):
        assert page.count(shown) >= len(rows)


def test_links_keep_the_display_options(staff):
    activities(60, actor_label="ann")
    params = {"columns": "actor", "density": "compact", "zone": "utc", "times": "relative"}
    page = staff.get(LIST, {**params, "sort": "-duration"})
    older = link(page, "next")
    for name, value in params.items():
        assert f"{name}={value if name != 'columns' else 'time%2Cactor'}" in older
        assert f'<input type="hidden" name="{name}"' in text_of(page)
    assert 'data-density="compact"' in text_of(page)
    assert "actor=ann" in text_of(page)
    assert re.search(r'class="tm-open" href="[^"]*zone=utc', text_of(page))


def test_options_that_are_not_valid_are_left_out(staff):
    activities(60)
    params = {"density": "huge", "zone": "Mars", "times": SCRIPT, "columns": SCRIPT}
    page = staff.get(LIST, params)
    assert "density=" not in link(page, "next")
    assert SCRIPT not in text_of(page)


# Times


def test_times_are_shown_in_utc(staff):
    row = activity()
    page = text_of(staff.get(LIST, {"zone": "utc"}))
    time = row.action_time.astimezone(UTC)
    assert f'datetime="{time.isoformat(timespec="milliseconds")}"' in page
    assert "Time (UTC)" in page
    detail = text_of(staff.get(f"{LIST}{row.pk}/", {"zone": "utc"}))
    assert f"{time:%H:%M:%S}" in detail
    assert timezone.get_current_timezone_name() != "UTC"


def test_dates_are_entered_in_the_zone_that_times_are_shown_in(staff):
    row = activity(ago=90 * 60)
    time = row.action_time.astimezone(UTC).replace(tzinfo=None)
    params = {"start": time.isoformat(timespec="seconds")}
    assert keys_in(staff.get(LIST, {**params, "zone": "utc"})) == [str(row.pk)]


def test_times_are_shown_as_an_age(staff):
    activity(ago=3 * 3600)
    page = text_of(staff.get(LIST, {"times": "relative"}))
    assert "3\N{NO-BREAK SPACE}hours ago</time>" in page


@pytest.mark.parametrize(
    ("params", "rest"),
    [
        ({"range": "1h", "actor": ""}, ""),
        ({"q": "created:-1h"}, ""),
        ({"q": "status:success created:-1h", "range": "7d"}, "q=status%3Asuccess&"),
    ],
)
def test_a_time_range_can_get_fixed_dates(staff, params, rest):
    activity()
    page = text_of(staff.get(LIST, params))
    fixed = re.search(r'href="([^"]+)"[^>]*>Use fixed dates', page)[1].replace("&amp;", "&")
    assert re.search(rf"\?{rest}range=custom&start=[^&]+&end=[^&]+$", fixed)
    assert "Use fixed dates" not in text_of(staff.get(fixed))


# Saved for a person

DISPLAY = "/trackmate/activity/display/"
DEFAULTS = {
    "columns": DEFAULT_COLUMNS,
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
        ({"query": "page=actor&actor=ann&range=1h"}, "/trackmate/actor/ann/?range=1h"),
        ({"query": "page=elsewhere&elsewhere=//x"}, LIST),
    ],
)
def test_chosen_options_are_in_the_address(staff, chosen, address):
    response = staff.post(DISPLAY, {**DEFAULTS, **chosen})
    assert (response.status_code, response.url) == (302, address)


def test_chosen_options_are_saved(staff):
    activity()
    assert staff.post(DISPLAY, {**DEFAULTS, "zone": "utc", "keys": "off"}).status_code == 302
    response = staff.get(LIST, {"range": "1h"})
    assert (response.status_code, response.url) == (302, f"{LIST}?range=1h&zone=utc")
    page = text_of(staff.get(response.url))
    assert "Time (UTC)" in page
    assert '<option value="utc" selected>' not in page
    form = text_of(staff.get(DISPLAY, {"range": "1h", "zone": "utc"}, headers=FRAGMENT))
    assert '<option value="utc" selected>' in form
    assert '<option value="off" selected>' in form
    assert '<body class="tm-body" data-tm-keys="off">' in page
    assert "Time (UTC)" in text_of(staff.get("/trackmate/"))


def test_options_of_the_address_have_precedence(staff):
    activity()
    staff.post(DISPLAY, {**DEFAULTS, "zone": "utc"})
    page = staff.get(LIST, {"density": "compact"})
    assert page.status_code == 200
    assert "Time (UTC)" not in text_of(page)


def test_the_defaults_can_be_restored(staff):
    activity()
    for zone in ("utc", "local"):
        staff.post(DISPLAY, {**DEFAULTS, "zone": zone})
    assert staff.get(LIST).status_code == 200


def test_the_overview_keeps_its_options_while_it_is_live(staff):
    activity()
    staff.post(DISPLAY, {**DEFAULTS, "zone": "utc", "density": "compact"})
    page = text_of(staff.get("/trackmate/"))
    form = re.search(r'<form class="tm-filters".*?</form>', page, re.DOTALL)[0]
    params = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', form))
    assert params == {"zone": "utc", "density": "compact"}
    fragment = text_of(staff.get("/trackmate/", params, headers=FRAGMENT))
    times = r'<time datetime="[^"]+"'
    assert re.findall(times, fragment) == re.findall(times, page) != []


def test_going_back_leaves_the_keyboard_shortcuts_off(staff):
    staff.post(DISPLAY, {**DEFAULTS, "keys": "off"})
    restored = staff.get(LIST, headers={**FRAGMENT, "HX-History-Restore-Request": "true"})
    assert 'data-tm-keys="off"' in text_of(restored)


def test_a_choice_that_is_not_valid_is_not_saved(staff):
    response = staff.post(DISPLAY, {**DEFAULTS, "zone": "Mars", "query": "zone=utc"})
    assert response.url == f"{LIST}?zone=utc"
    assert staff.get(LIST).status_code == 200


def test_a_fragment_reads_no_preference(staff):
    activity()
    staff.post(DISPLAY, {**DEFAULTS, "zone": "utc"})
    with CaptureQueriesContext(connection) as captured:
        assert "Time (UTC)" not in text_of(staff.get(LIST, headers=FRAGMENT))
    assert "trackmate_preference" not in "".join(each["sql"] for each in captured)


@pytest.mark.parametrize("method", ["put", "delete"])
def test_options_are_saved_by_post(staff, method):
    assert getattr(staff, method)(DISPLAY).status_code == 405


def test_the_form_is_loaded_when_it_is_opened(staff):
    activity()
    params = {"range": "1h", "columns": "actor", "density": "compact"}
    page = text_of(staff.get(LIST, params))
    [url] = re.findall(r'<a class="tm-[^"]+" href="([^"]+)">Display options</a>', page)
    assert '<select name="density"' not in page
    with_page = text_of(staff.get(url.replace("&amp;", "&")))
    assert "<html" in with_page
    assert "<html" not in text_of(staff.get(DISPLAY, params, headers=FRAGMENT))
    for form in (with_page, text_of(staff.get(DISPLAY, params, headers=FRAGMENT))):
        assert re.findall(r'name="columns" value="(\w+)"[^>]* checked', form) == ["time", "actor"]
        assert '<option value="compact" selected>' in form
        query = re.search(r'name="query" value="([^"]+)"', form)[1].replace("&amp;", "&")
        assert staff.post(DISPLAY, {**DEFAULTS, "query": query}).url == f"{LIST}?range=1h"


def test_saving_is_protected_against_other_sites():
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("staff", is_staff=True))
    assert client.post(DISPLAY, DEFAULTS).status_code == 403


def test_options_that_cannot_be_saved_are_an_error_message(staff, failing_query):
    with failing_query("trackmate_preference"):
        assert staff.post(DISPLAY, {**DEFAULTS, "zone": "utc"}).status_code == 503
        assert staff.get(LIST).status_code == 200


# Columns of a project


def customer(row, request):
    return f"{row.extra['customer']} for {request.user}"


customer.short_description = "Customer"
customer.needs = ("extra",)


def markup(row, request):
    return SCRIPT if row.action == "n0" else format_html("<b>{}</b>", row.action)


def broken(row, request):
    raise RuntimeError(row.pk)


def secret(row, request):
    return row.data["pin"]


secret.needs = ("data",)


def actor(row, request):
    return "replaced"


def test_a_project_adds_columns(staff, configure):
    configure(TABLE_COLUMNS=["tests.test_display_options.customer", markup])
    activities(3, extra={"customer": "acme"})
    with CaptureQueriesContext(connection) as captured:
        page = staff.get(LIST)
    assert headings(page) == [*DEFAULT_COLUMNS, "customer", "markup"]
    assert text_of(page).count("<bdi>acme for staff</bdi>") == 3
    assert ">Customer</th>" in text_of(page)
    assert "<b>n1</b>" in text_of(page)
    assert SCRIPT not in text_of(page)
    assert len(log_queries(captured)) == 1
    assert headings(staff.get(LIST, {"columns": "customer"})) == ["time", "customer"]


def test_a_column_that_fails_leaves_the_rest_of_the_list(staff, configure, caplog):
    configure(TABLE_COLUMNS=[broken])
    rows = activities(3)
    assert keys_in(staff.get(LIST)) == [str(row.pk) for row in rows]
    [record] = caplog.records
    assert record.getMessage().startswith("The column 'broken' failed: RuntimeError at ")


class Unprintable:
    def __str__(self):
        raise ValueError("cannot be printed")


def unprintable(row, request):
    return Unprintable()


def test_a_column_that_cannot_be_rendered_has_failed_too(staff, configure, caplog):
    configure(TABLE_COLUMNS=[unprintable])
    rows = activities(3)
    assert keys_in(staff.get(LIST)) == [str(row.pk) for row in rows]
    assert "'unprintable' failed" in caplog.text


def test_a_column_without_a_name_is_left_out(staff, configure, caplog):
    configure(TABLE_COLUMNS=[partial(customer)])
    activity()
    assert headings(staff.get(LIST)) == DEFAULT_COLUMNS
    assert "cannot be loaded" in caplog.text


def test_a_column_of_the_payload_needs_the_permission(client, staff, configure):
    configure(TABLE_COLUMNS=[secret])
    activities(3, data={"pin": "s3cret"})
    with CaptureQueriesContext(connection) as captured:
        assert "s3cret" not in text_of(staff.get(LIST))
    assert '"data"' not in "".join(log_queries(captured))
    client.force_login(person("reader", "view_payload", is_staff=True))
    assert text_of(client.get(LIST)).count("<bdi>s3cret</bdi>") == 3


def test_a_column_cannot_replace_a_built_in_one_or_be_missing(staff, configure, caplog):
    configure(TABLE_COLUMNS=[actor, "tests.test_display_options.nobody"])
    activity()
    assert headings(staff.get(LIST)) == DEFAULT_COLUMNS
    assert "cannot be loaded" in caplog.text
    assert get_settings().TABLE_COLUMNS


HEADINGS = ["first"]


def dynamic(_row, _request):
    return "x"


dynamic.short_description = lazy(lambda: f"The {HEADINGS[0]} heading", str)()


def test_a_lazy_heading_is_evaluated_on_each_page(staff, configure):
    configure(TABLE_COLUMNS=[dynamic])
    activity()
    for HEADINGS[0] in ("first", "second"):
        for url in (LIST, DISPLAY):
            assert f"The {HEADINGS[0]} heading" in text_of(staff.get(url))
