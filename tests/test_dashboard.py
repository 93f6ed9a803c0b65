"""The pages of the dashboard: the list, its filters and states, the tick, one activity."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from tests.factories import (
    SCRIPT,
    UNKNOWN,
    activities,
    activity,
    at,
    hostile_activity,
    person,
    user_page,
)
from tests.shop.models import Invoice, Order
from tests.slow import slow_log
from tests.urls_under_test import FRAGMENT, log_queries, text_of
from trackmate.clock import lowest_uuid7
from trackmate.dashboard import formatting
from trackmate.models import SavedView
from trackmate.selectors import NEW_CAP

pytestmark = [pytest.mark.users, pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

LIST = "/trackmate/activity/"
USERS = get_user_model()._meta.label_lower


@pytest.fixture
def reader(client):
    client.force_login(person("reader", "view_payload", is_staff=True))
    return client


def keys_in(response, name="row"):
    return re.findall(rf'id="tm-{name}-([0-9a-f-]{{36}})"', text_of(response))


def state_of(response):
    return re.search(r'data-state="(\w+)"', text_of(response))[1]


def error_of(response, field):
    found = re.search(rf'id="tm-error-{field}"[^>]*>(.*?)</p>', text_of(response), re.DOTALL)
    return found[1].strip()


# The list


def test_the_list_shows_the_newest_activities(staff):
    rows = activities(3)
    response = staff.get(reverse("trackmate:activity"))
    assert keys_in(response) == [str(row.pk) for row in rows]


def test_the_cells_of_a_row(staff):
    kind = ContentType.objects.get_for_model(Order)
    activity(
        action="shop.order.update",
        action_type="Update",
        actor_label="ann",
        content_type_id=kind.pk,
        execution_time=0.25,
        ip_address="10.2.3.4",
        method="POST",
        object_id="42",
        object_repr="Order 42",
        path="/orders/42/",
        status="Failed",
        status_code=500,
    )
    page = text_of(staff.get(LIST))
    for shown in ("shop.order.update", "Update", "ann", "Order 42", "250 ms", "10.2.3.4", "POST"):
        assert f">{shown}<" in page
    assert "object=shop.order%2F42" in page
    assert "<span>Failed</span> <b>500</b>" in page


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"method": "GET"}, '<span class="tm-none">anonymous</span>'),
        ({}, '<td class="tm-actor"><span class="tm-none">\N{EN DASH}</span>'),
        ({"actor_id": UNKNOWN}, f"#{UNKNOWN}"),
        ({"action": "", "route": "orders/<int:pk>/"}, "orders/&lt;int:pk&gt;/"),
        ({"object_id": "7", "content_type_id": 99_999}, "\N{EN DASH}"),
        ({"object_repr": "gone thing", "content_type_id": 99_999}, "gone thing"),
        ({"action_type": "Approve"}, "Approve"),
    ],
)
def test_a_row_with_gaps(staff, fields, shown):
    activity(**fields)
    assert shown in text_of(staff.get(LIST))


def test_the_heading_of_the_sorted_column(staff):
    activity()
    page = text_of(staff.get(LIST))
    assert '<th scope="col" class="tm-time" aria-sort="descending">' in page
    assert page.count("aria-sort=") == 1
    caption = "<span>Activities of the last 24 hours, newest first</span></caption>"
    assert f'<caption class="tm-unseen">{caption}' in page


def test_times_are_in_the_projects_time_zone(staff):
    row = activity()
    local = timezone.localtime(row.action_time)
    assert f'datetime="{local.isoformat(timespec="milliseconds")}"' in text_of(staff.get(LIST))
    assert local.utcoffset()


def test_a_project_without_time_zones(staff, settings):
    settings.USE_TZ = False
    row = activity()
    for query in ({}, {"q": "zzz"}, {"start": "2026-01-01T00:00", "end": "2999-01-01T00:00"}):
        assert staff.get(LIST, query).status_code == 200
    assert keys_in(staff.get(LIST)) == [str(row.pk)]
    assert "just now" in text_of(staff.get(reverse("trackmate:detail", args=[row.pk])))


def test_pages_contain_every_row_once(staff):
    rows = activities(120)
    page = staff.get(LIST)
    seen = keys_in(page)
    while older := re.search(r'rel="next" href="([^"]+)"', text_of(page)):
        page = staff.get(older[1].replace("&amp;", "&"))
        seen += keys_in(page)
    assert seen == [str(row.pk) for row in rows]
    assert "No more activity." in text_of(page)
    newer = re.search(r'rel="prev" href="([^"]+)"', text_of(page))[1]
    assert keys_in(staff.get(newer)) == seen[50:100]


def test_links_keep_the_filters(staff):
    activities(60, actor_label="ann")
    page = text_of(staff.get(LIST, {"actor": "ann", "range": "1h", "path": ""}))
    assert re.search(
        r'rel="next" href="/trackmate/activity/\?range=1h&amp;actor=ann&amp;before=', page
    )


def test_a_page_before_the_first_row(staff):
    row = activity()
    response = staff.get(LIST, {"before": str(row.pk)})
    assert "No older activity" in text_of(response)


@pytest.mark.parametrize("name", ["before", "after", "row"])
@pytest.mark.parametrize("value", ["1", "x" * 10_000, "'; DROP TABLE", "\0"])
def test_a_garbage_cursor_is_a_message(staff, name, value):
    activity()
    with CaptureQueriesContext(connection) as captured:
        response = staff.get(LIST, {name: value})
    assert response.status_code == 200
    assert "There is no such page" in text_of(response)
    assert log_queries(captured) == []


@pytest.mark.parametrize("names", [("before", "after"), ("after", "row"), ("row", "before")])
def test_only_one_key_selects_the_page(staff, names):
    row = activity()
    response = staff.get(LIST, dict.fromkeys(names, str(row.pk)))
    assert state_of(response) == "invalid"


@pytest.mark.parametrize("number", [1, 50])
def test_the_number_of_queries_of_a_list_is_fixed(staff, number):
    kind = ContentType.objects.get_for_model(Order)
    user = person("ann")
    activities(number, actor=user, content_type_id=kind.pk, object_id="1", data={"a": 1})
    with CaptureQueriesContext(connection) as captured:
        staff.get(LIST)
    [query] = log_queries(captured)
    assert "COUNT(" not in query
    assert "OFFSET" not in query
    assert "remarks" not in query
    # The session, the user, what he likes, the saved views, the rows, what he may do, as himself
    # and in a group; the names of object types are known by then.
    assert len([each for each in captured if each["sql"].startswith("SELECT")]) <= 7 + _budget()


def _budget():
    return 1 if connection.vendor == "postgresql" else 0


# Filters


def test_each_filter_narrows(staff):
    kind = ContentType.objects.get_for_model(Order)
    wanted = activity(
        action="shop.order.update",
        action_type="Approve",
        actor=person("ann"),
        content_type_id=kind.pk,
        ip_address="10.2.3.4",
        method="PURGE",
        object_id="42",
        object_repr="Order 42",
        path="/orders/42/",
        remarks="by hand",
        source="model",
        status="Failed",
        status_code=503,
    )
    activity(actor_label="bob", ip_address="10.3.0.1", method="GET", path="/x/", status_code=200)
    for name, value in CASES:
        response = staff.get(LIST, {name: value})
        assert (name, value, keys_in(response)) == (name, value, [str(wanted.pk)])


CASES = [
    ("q", "BY HAND"),
    ("q", "order.up"),
    ("q", "ders/4"),
    ("q", "Order 42"),
    ("q", "ann"),
    ("actor", "ann"),
    ("actor", "an"),
    ("action_type", "Approve"),
    ("source", "model"),
    ("status", "Failed"),
    ("status_code", "503"),
    ("status_code", "5xx"),
    ("status_code", "5XX"),
    ("status_code", ">=500"),
    ("status_code", "> 500"),
    ("status_code", "500-599"),
    ("status_code", "500..503"),
    ("method", "PURGE"),
    ("path", "/orders/"),
    ("path", "42"),
    ("address", "10.2.3.4"),
    ("address", "::ffff:10.2.3.4"),
    ("address", "10.2.0.0/16"),
    ("address", "10.2.3.4/30"),
    ("address", "10.2.0.0/20"),
    ("object", "shop.order/42"),
    ("object", "shop.Order"),
]


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("10.1.0.0/16", {"10.1.0.1", "10.1.255.255"}),
        ("10.1.0.0/8", {"10.1.0.1", "10.1.255.255", "10.10.0.1"}),
        ("10.1.255.254/31", {"10.1.255.255"}),
        ("10.0.0.0/12", {"10.1.0.1", "10.1.255.255", "10.10.0.1"}),
    ],
)
def test_networks(staff, network, expected):
    addresses = ["10.1.0.1", "10.1.255.255", "10.10.0.1", "11.1.0.1", "::1"]
    by_key = {str(activity(ip_address=each).pk): each for each in addresses}
    assert {by_key[key] for key in keys_in(staff.get(LIST, {"address": network}))} == expected


def test_networks_of_ipv6(staff):
    inside, _outside = activity(ip_address="2001:db8::7"), activity(ip_address="2001:db9::7")
    response = staff.get(LIST, {"address": "2001:db8::/32"})
    if connection.vendor == "postgresql":
        assert keys_in(response) == [str(inside.pk)]
    else:
        assert "IPv6" in error_of(response, "address")


@pytest.mark.parametrize("address", ["fe80::1", "fe80::1%eth0"])
def test_one_ipv6_address(staff, address):
    row = activity(ip_address="fe80::1")
    assert keys_in(staff.get(LIST, {"address": address})) == [str(row.pk)]


def test_an_actor_is_found_by_key_after_a_change_of_name(staff):
    user = person("ann")
    row = activity(actor=user)
    user.username = "anna"
    user.save()
    for text in (str(user.pk), "anna", "ann"):
        assert keys_in(staff.get(LIST, {"actor": text})) == [str(row.pk)]


def test_an_exact_actor_includes_failed_logins_of_that_name(staff):
    user = person("ann")
    rows = [activity(actor=user), activity(actor_label="Ann", ago=1)]
    activity(actor_label="annette")
    response = staff.get(LIST, {"actor": "ann"})
    assert keys_in(response) == [str(row.pk) for row in rows]


@pytest.mark.parametrize(
    ("name", "reaches"),
    [("15m", 1), ("1h", 2), ("24h", 3), ("", 3), ("7d", 4), ("30d", 5)],
)
def test_ranges_of_time(staff, name, reaches):
    for seconds in (60, 1800, 7200, 172_800, 864_000):
        activity(ago=seconds)
    assert len(keys_in(staff.get(LIST, {"range": name}))) == reaches


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"range": "custom", "start": "2026-03-01T00:00", "end": "2026-03-02T00:00"}, ["b"]),
        ({"start": "2026-03-01T12:00:00"}, ["c", "b"]),
        ({"start": "2026-02-28T00:00", "end": "2026-03-01T12:00"}, ["a"]),
    ],
)
def test_two_dates(staff, query, expected):
    for name, moment in (
        ("a", at(2026, 2, 28, 9)),
        ("b", at(2026, 3, 1, 12)),
        ("c", at(2026, 3, 2)),
    ):
        activity(action_time=moment, action=name)
    shown = re.findall(r'title="([abc])"', text_of(staff.get(LIST, query)))
    assert shown == expected


def test_the_projects_own_default_range(staff, settings):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_WINDOW": 7200}
    activity(ago=7100)
    activity(ago=7300)
    response = staff.get(LIST)
    assert len(keys_in(response)) == 1
    assert "the last 2 hours" in text_of(response)
    assert len(keys_in(staff.get(LIST, {"range": "24h"}))) == 2


GARBAGE = [
    ("range", "99y"),
    ("start", "yesterday"),
    ("start", "2026-02-31T00:00"),
    ("end", "x" * 10_000),
    ("end", "2026-01-01T00:00"),
    ("q", "x" * 10_000),
    ("q", "a\0b"),
    ("actor", "x" * 10_000),
    ("action_type", "x" * 10_000),
    ("source", "nowhere"),
    ("status", "Perhaps"),
    ("status_code", "teapot"),
    ("status_code", "500-400"),
    ("status_code", "6xx"),
    ("status_code", "=500; --"),
    ("status_code", "٤٠٤"),
    ("method", "x" * 17),
    ("path", "/" + "x" * 10_000),
    ("address", "10.2.3"),
    ("address", "999.1.1.1"),
    ("address", "10.0.0.0/99"),
    ("address", "0.0.0.0/0"),
    ("address", "1" * 64),
    ("object", "order/42"),
    ("object", "shop.order/"),
    ("object", "shop.nothing/1"),
    ("object", "/"),
]


@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["page", "fragment"])
@pytest.mark.parametrize(("name", "value"), GARBAGE)
def test_garbage_is_a_message_beside_the_field(staff, name, value, headers):
    activity()
    query = {name: value}
    if name == "end":
        query["start"] = "2026-05-01T00:00"
    with CaptureQueriesContext(connection) as captured:
        response = staff.get(LIST, query, headers=headers)
    assert response.status_code == 200
    assert error_of(response, name)
    assert ("data-state" in text_of(response)) == (not headers)
    assert log_queries(captured) == []


@pytest.mark.parametrize(
    ("address", "query"),
    [
        (LIST, {"q": 'actor:"ann'}),
        (LIST, {"status_code": "4", "q": ""}),
        ("/trackmate/route/r/", {"q": "ip:10."}),
        ("/trackmate/", {"range": "custom", "start": "2999-01-01T00:00"}),
    ],
)
def test_a_form_with_errors_leaves_the_page_and_its_address(staff, address, query):
    response = staff.get(address, query, headers=FRAGMENT)
    assert (response["HX-Reswap"], response["HX-Push-Url"]) == ("none", "false")
    [form] = re.findall(r"<(?:form|section|div id)[^>]*>", text_of(response))
    assert 'hx-swap-oob="outerMorph"' in form


def test_a_page_without_rows_is_replaced_by_the_errors(staff):
    assert 'name="blank" value="1" form="tm-filters"' in text_of(staff.get(LIST, {"q": '"'}))
    response = staff.get(LIST, {"q": "ip:", "blank": "1"}, headers=FRAGMENT)
    assert state_of(response) == "invalid"
    assert "HX-Reswap" not in response


def test_a_message_quotes_the_text_and_escapes_it(staff):
    response = staff.get(LIST, {"address": "<script>x"})
    assert "“&lt;script&gt;x” is neither an address" in error_of(response, "address")


def test_the_message_for_a_wrong_date(staff):
    response = staff.get(LIST, {"start": "next <week>"})
    assert error_of(response, "start") == "“next &lt;week&gt;” is not a date and time."


def test_dates_need_a_start(staff):
    response = staff.get(LIST, {"range": "custom"})
    assert error_of(response, "start") == "Enter a start date."


def test_filters_in_use_are_part_of_the_form_before_it_is_opened(staff):
    page = text_of(staff.get(LIST, {"source": "auth", "q": "x"}))
    assert page.count('<input type="hidden" name="source" value="auth">') == 1
    assert not re.search(r'<input type="hidden" name="(q|method)"', page)


def test_an_unknown_parameter_is_ignored(staff):
    activity()
    assert len(keys_in(staff.get(LIST, {"order_by": "data", "data__icontains": "x"}))) == 1


# The head of the list


@pytest.mark.parametrize(
    ("number", "query", "shown"),
    [(3, {}, "3"), (70, {}, "70"), (70, {"q": "n1"}, "11"), (131, {}, "130+")],
)
def test_a_list_shows_how_many_rows_match(staff, monkeypatch, number, query, shown):
    monkeypatch.setattr("trackmate.dashboard.tables.activity_list.MAX_COUNT", 130)
    activities(number)
    assert f'<strong id="tm-count">{shown}</strong>' in text_of(staff.get(LIST, query))


def test_a_list_whose_rows_cannot_be_counted_in_time(staff, settings):
    settings.TRACKMATE = {"ENABLED": False, "QUERY_TIMEOUT": 50}
    activities(60)

    def slow_count(execute, sql, *arguments):
        run = slow_log if sql.startswith("SELECT COUNT") else lambda _execute, *rest: execute(*rest)
        return run(execute, sql, *arguments)

    with connection.execute_wrapper(slow_count):
        response = staff.get(LIST)
    assert len(keys_in(response)) == 50
    assert "tm-count" not in text_of(response)


def test_the_open_activity_is_marked_in_the_list(staff):
    _newest, row, _oldest = activities(3)
    page = text_of(staff.get(LIST, {"open": str(row.pk)}))
    assert re.findall(r'<tr id="tm-row-([^"]*)" aria-current="true">', page) == [str(row.pk)]
    assert "open=" not in re.search(r'rel="next" href="([^"]*)"|$', page)[0]


@pytest.mark.parametrize(
    ("cookie", "attribute"),
    [("dark", ' data-theme="dark"'), ("light", ' data-theme="light"'), ('"x', "")],
)
def test_the_theme_of_the_cookie(staff, cookie, attribute):
    staff.cookies["trackmate_theme"] = cookie
    assert f'<html lang="en" dir="ltr"{attribute}>' in text_of(staff.get(LIST))


def test_sign_out_is_a_form(staff):
    form = re.search(r'<form method="post" action="([^"]*)">.*?</form>', text_of(staff.get(LIST)))
    assert form[1] == reverse("admin:logout")
    assert "csrfmiddlewaretoken" in form[0]


@pytest.mark.parametrize(("is_superuser", "shown"), [(True, True), (False, False)])
def test_query_statistics_are_for_superusers(client, is_superuser, shown):
    client.force_login(person("ann", is_staff=True, is_superuser=is_superuser))
    assert bool(re.search(r"\d+ queries, \d+ ms", text_of(client.get(LIST)))) is shown


# States


def test_nothing_recorded_yet(staff):
    response = staff.get(LIST)
    assert state_of(response) == "empty"
    assert "trackmate.middleware.TrackmateMiddleware" in text_of(response)


def test_nothing_in_this_time_offers_longer_times(staff):
    activity(ago=200_000)
    response = staff.get(LIST)
    assert "No activity in this time" in text_of(response)
    assert re.findall(r'\?range=(\w+)">Search ', text_of(response)) == [
        "7d",
        "30d",
    ]


def test_no_match_keeps_the_filters_in_its_links(staff):
    activity()
    response = staff.get(LIST, {"q": "zzz", "range": "7d"})
    assert "No activity matches these filters" in text_of(response)
    assert 'href="/trackmate/activity/?range=30d&amp;q=zzz"' in text_of(response)


@pytest.fixture
def broken_log():
    """Move the table of the log out of sight."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trackmate_activitylog RENAME TO elsewhere")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE elsewhere RENAME TO trackmate_activitylog")


@pytest.mark.django_db(transaction=True)
def test_a_log_that_cannot_be_read(staff, broken_log, caplog):
    page = staff.get(LIST)
    assert (page.status_code, state_of(page)) == (503, "unavailable")
    assert "Traceback" not in text_of(page)
    assert staff.get(LIST, headers=FRAGMENT).status_code == 200
    key = str(lowest_uuid7(timezone.now()))
    assert staff.get(reverse("trackmate:tick"), {"since": key}).status_code == 503
    detail = staff.get(reverse("trackmate:detail", args=[key]))
    assert (detail.status_code, "cannot be read" in text_of(detail)) == (503, True)
    assert caplog.records


def test_a_slow_query_is_stopped(staff, settings):
    settings.TRACKMATE = {"ENABLED": False, "QUERY_TIMEOUT": 50}
    activity()
    with connection.execute_wrapper(slow_log):
        page = staff.get(LIST, {"q": "x"})
    assert (page.status_code, state_of(page)) == (200, "too_slow")
    assert "50 ms" in text_of(page)
    assert len(keys_in(staff.get(LIST))) == 1


@pytest.mark.parametrize("path", [LIST, f"{LIST}facets/", "/trackmate/"])
def test_the_extended_timeout(staff, settings, path):
    settings.TRACKMATE = {"ENABLED": False, "QUERY_TIMEOUT": 5}
    activity()
    with connection.execute_wrapper(slow_log):
        page = text_of(staff.get(path, {"range": "1h"}))
        extended = re.search(r'href="([^"]*extended=1)">', page)[1].replace("&amp;", "&")
        assert extended == f"{path}?range=1h&extended=1"
        more = text_of(staff.get(extended))
    assert "50 ms" in more
    assert "extended=1" not in more
    assert len(keys_in(staff.get(LIST, {"extended": "1"}))) == 1


# Fragments and ticks


@pytest.mark.parametrize(
    ("headers", "is_fragment"),
    [
        (FRAGMENT, True),
        ({**FRAGMENT, "HX-Boosted": "true"}, False),
        ({**FRAGMENT, "HX-History-Restore-Request": "true"}, False),
        ({}, False),
    ],
)
def test_htmx_gets_the_rows_and_everyone_else_the_page(staff, headers, is_fragment):
    activity()
    response = staff.get(LIST, headers=headers)
    assert ("<html" in text_of(response)) is not is_fragment
    assert len(keys_in(response)) == 1


def test_a_fragment_is_what_the_page_includes(staff):
    activity()
    section = re.compile(r'<section class="tm-rows".*?</section>', re.DOTALL)
    page, fragment = (text_of(staff.get(LIST, headers=each)) for each in ({}, FRAGMENT))
    without_since = [
        re.sub(r'(value|data-start|data-end)="[^"]*"|start=[^"]*', "", section.search(each)[0])
        for each in (page, fragment)
    ]
    assert without_since[0] == without_since[1]


def tick(client, since, **query):
    return client.get(reverse("trackmate:tick"), {"since": str(since), **query}, headers=FRAGMENT)


def test_a_tick_without_news_is_empty(staff):
    row = activity()
    response = tick(staff, row.pk)
    assert (response.status_code, response.content) == (204, b"")


def test_a_tick_counts_what_matches_the_filters(staff):
    rows = activities(5, actor_label="ann")
    activity(actor_label="bob")
    assert "4 new" in text_of(tick(staff, rows[3].pk))
    narrowed = text_of(tick(staff, rows[3].pk, actor="ann"))
    assert "3 new" in narrowed
    assert 'hx-get="/trackmate/activity/?actor=ann"' in narrowed


def test_a_tick_counts_up_to_a_limit(staff):
    rows = activities(NEW_CAP + 3)
    assert f"Show more than {NEW_CAP} new" in text_of(tick(staff, rows[-1].pk))


def test_a_tick_is_one_query(staff):
    rows = activities(3)
    with CaptureQueriesContext(connection) as captured:
        tick(staff, rows[1].pk, q="n")
    assert len(log_queries(captured)) == 1


@pytest.mark.parametrize("since", ["", "x", "\0", "1" * 10_000])
def test_a_tick_since_garbage(staff, since):
    assert tick(staff, since).status_code == 400


def test_a_tick_with_garbage_filters_makes_no_query(staff):
    row = activity()
    with CaptureQueriesContext(connection) as captured:
        assert tick(staff, row.pk, address="x").status_code == 204
    assert log_queries(captured) == []


def test_a_page_contains_the_key_of_its_newest_row(staff):
    row = activity()
    assert f'id="tm-since" name="since" value="{row.pk}"' in text_of(staff.get(LIST))
    assert re.search(r'name="since" value="[0-9a-f-]{36}"', text_of(staff.get(LIST, {"q": "zzz"})))


@pytest.mark.parametrize(
    ("query", "live"),
    [
        ({}, "on"),
        ({"start": "2026-01-01T00:00"}, "on"),
        ({"start": "2026-01-01T00:00", "end": "2026-01-02T00:00"}, "off"),
        ({"before": "ffffffff-ffff-7fff-bfff-ffffffffffff"}, "off"),
        ({"address": "x"}, "off"),
    ],
)
def test_only_a_page_that_ends_now_is_live(staff, query, live):
    activity()
    assert f'data-live="{live}"' in text_of(staff.get(LIST, query))


def test_the_live_list_can_be_turned_off(staff, settings):
    assert 'hx-trigger="tm:tick"' in text_of(staff.get(LIST))
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_REFRESH": 0}
    assert 'hx-trigger="tm:tick"' not in text_of(staff.get(LIST))


# One activity


def detail(client, row, **query):
    return client.get(reverse("trackmate:detail", args=[row.pk]), query)


def test_the_detail_page_shows_every_field(reader):
    fields = {
        "source": "auth",
        "action_type": "Login",
        "action": "auth.login",
        "status_code": 418,
        "execution_time": 2.5,
        "actor": person("ann"),
        "ip_address": "10.2.3.4",
        "user_agent": "Firefox",
        "session_hash": "5e55",
        "method": "PATCH",
        "path": "/p/",
        "route": "r/",
        "request_id": "req-1",
        "object_id": "o-1",
        "object_repr": "The object",
        "remarks": "two\nlines",
        "data": {"d": 1},
        "response": ["r"],
        "changes": {"name": ["old", None]},
        "extra": {"e": "ü"},
    }
    page = text_of(detail(reader, activity(**fields)))
    shown = ("Authentication", "auth.login", "418", "2.50 s", "ann", "10.2.3.4", "Firefox", "5e55")
    shown += ("PATCH", "/p/", "r/", "req-1", "o-1", "The object", "two\nlines", "ü")
    shown += (
        "&quot;d&quot;: 1",
        "&quot;r&quot;",
        '<del><span class="tm-unseen">removed: </span>old</del>',
        '<span class="tm-quiet">removed</span>',
    )
    assert [each for each in shown if each not in page] == []


@pytest.mark.parametrize(
    "changes", [["a"], {"name": "x"}, {"name": [1]}, {"name": [1, 2], "b": 3}, "text", 5, {}]
)
def test_changes_of_another_form_are_shown_as_they_are(reader, changes):
    page = text_of(detail(reader, activity(changes=changes)))
    assert "<h2>Changes</h2>" in page
    assert "tm-changes" not in page


def test_hidden_payload_is_a_message(staff):
    row = activity(
        data={"word": "opensesame"}, changes={"word": ["opensesame", ""]}, extra={"e": 1}
    )
    page = text_of(detail(staff, row))
    assert "opensesame" not in page
    assert page.count("<code>trackmate.view_payload</code>") == 2
    assert "&quot;e&quot;: 1" in page


def test_the_other_activities_of_the_request(staff):
    first = activity(action="first", request_id="r", ago=1)
    second = activity(action="second", request_id="r")
    response = detail(staff, second)
    assert keys_in(response, "related") == [str(first.pk), str(second.pk)]
    [current] = re.findall(
        r'<tr id="tm-related-([^"]*)"[^>]* aria-current="true"', text_of(response)
    )
    assert current == str(second.pk)
    assert 'aria-sort="ascending"' in text_of(response)


def test_adjacent_activities_match_the_filters(staff):
    newest = activity(actor_label="ann")
    between = activity(actor_label="bob", ago=1)
    row = activity(actor_label="ann", ago=2)
    page = text_of(detail(staff, row, actor="ann"))
    assert f"/trackmate/activity/{newest.pk}/?actor=ann" in page
    assert str(between.pk) not in page
    assert f'href="/trackmate/activity/?actor=ann&amp;row={row.pk}#tm-row-{row.pk}"' in page
    assert str(between.pk) in text_of(detail(staff, row))
    assert str(between.pk) not in text_of(detail(staff, row, address="x"))


def test_slow_adjacent_activities_are_left_out(staff, settings):
    settings.TRACKMATE = {"ENABLED": False, "QUERY_TIMEOUT": 50}
    row = activity()
    activity()

    def slow_adjacent(execute, sql, params, many, context):
        wrapped = (
            slow_log if "ORDER BY" in sql and "LIMIT 1" in sql and "has_data" not in sql else None
        )
        return (
            wrapped(execute, sql, params, many, context)
            if wrapped
            else execute(sql, params, many, context)
        )

    with connection.execute_wrapper(slow_adjacent):
        page = detail(staff, row)
    assert page.status_code == 200
    assert 'rel="prev"' not in text_of(page)


def test_links_into_the_admin_for_those_who_may_follow_them(client, staff):
    user = person("ann")
    kind = ContentType.objects.get_for_model(type(user))
    row = activity(actor=user, content_type_id=kind.pk, object_id="99999", object_repr="gone")
    assert "Open in the admin" not in text_of(detail(staff, row))
    client.force_login(person("viewer", f"view_{kind.model}", is_staff=True))
    page = text_of(detail(client, row))
    assert reverse(user_page("change"), args=[user.pk]) in page
    assert reverse(user_page("change"), args=["99999"]) in page


@pytest.mark.parametrize("headers", [FRAGMENT, {}])
@pytest.mark.parametrize("kind", ["actor", "object"])
def test_facets_of_an_entity_page_link_to_the_admin(client, staff, kind, headers):
    user = person("ann")
    users = ContentType.objects.get_for_model(user)
    activity(actor=user, content_type=users, object_id=str(user.pk))
    value = {"actor": f"#{user.pk}", "object": f"{USERS}/{user.pk}"}[kind]
    facets = reverse("trackmate:facets"), {"page": kind, kind: value}
    assert "Open in the admin" not in text_of(staff.get(*facets, headers=headers))
    client.force_login(person("viewer", f"view_{user._meta.model_name}", is_staff=True))
    page = text_of(client.get(*facets, headers=headers))
    assert page.count(reverse(user_page("change"), args=[user.pk])) == 1
    assert ('id="tm-admin" hx-swap-oob="outerMorph"' in page) is bool(headers)


def test_the_page_of_a_name_links_to_the_user_of_its_newest_activity(admin_client):
    activity(actor=(user := person("ann")))
    page = admin_client.get(reverse("trackmate:facets"), {"page": "actor", "actor": "ann"})
    assert reverse(user_page("change"), args=[user.pk]) in text_of(page)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("actor", "#999999"),
        ("actor", "=cron"),
        ("actor", "#x"),
        ("object", USERS),
        ("object", f"{USERS}/999999"),
        ("route", "r"),
    ],
)
def test_no_link_to_objects_that_the_admin_does_not_have(admin_client, kind, value):
    kind_of_users = ContentType.objects.get_for_model(get_user_model())
    activity(actor_label="cron", route="r", content_type_id=kind_of_users.pk)
    page = admin_client.get(reverse("trackmate:facets"), {"page": kind, kind: value})
    assert "Open in the admin" not in text_of(page)


@pytest.mark.parametrize("model", [Invoice, None])
def test_no_link_to_models_that_the_admin_does_not_show(admin_client, model):
    if model is None:
        kind = ContentType.objects.create(app_label="gone", model="thing")
    else:
        kind = ContentType.objects.get_for_model(model)
    row = activity(content_type_id=kind.pk, object_id="1", object_repr="thing")
    assert "Open in the admin" not in text_of(detail(admin_client, row))


def test_a_missing_activity_has_a_page(staff):
    response = staff.get(reverse("trackmate:detail", args=["0192c0de-0000-7000-8000-000000000000"]))
    assert response.status_code == 404
    assert "There is no such activity" in text_of(response)


def test_the_number_of_queries_of_a_detail_page_is_fixed(reader):
    kind = ContentType.objects.get_for_model(Order)

    def queries(number):
        rows = activities(number, request_id=f"r{number}", content_type_id=kind.pk, object_id="1")
        with CaptureQueriesContext(connection) as captured:
            detail(reader, rows[0])
        return len(captured)

    queries(1)  # the first time that an object type is named, it is looked up
    assert queries(2) == queries(40)


# Hostile rows


class Tags(HTMLParser):
    """Collects the tags that a browser would find in a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _value in attrs]


@pytest.mark.parametrize(
    "query", ["", "?q=%3Cscript%3E", "?address=%3Cscript%3E", "?before=%3Cscript%3E"]
)
def test_scripts_in_any_field_are_text_in_the_list(staff, query):
    hostile_activity()
    tags = Tags(text_of(staff.get(LIST + query)))
    assert tags.tags.count("script") == 2
    assert "img" not in tags.tags
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert "style" not in tags.attributes


def test_scripts_in_any_field_are_text_on_the_detail_page(reader):
    row = hostile_activity(request_id=SCRIPT[:64])
    hostile_activity(request_id=SCRIPT[:64])
    tags = Tags(text_of(detail(reader, row)))
    assert tags.tags.count("script") == 2
    assert "img" not in tags.tags
    assert not [name for name in tags.attributes if name.startswith("on")]


def test_characters_that_reorder_text_cannot_reorder_a_page(reader):
    row = activity(actor_label="a\u202eb", data={"k": "a\u202eb\u200b"}, path="/\u2066x")
    page = text_of(detail(reader, row))
    assert "a\\u202eb\\u200b" in page
    assert "<bdi>a\u202eb</bdi>" in page


# In any project


def test_the_page_needs_no_context_processors(staff, settings):
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "OPTIONS": {"context_processors": []}}]
    row = activity()
    assert "Signed in as" in text_of(staff.get(LIST))
    assert detail(staff, row).status_code == 200


PROBE = """
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x",
    DATABASES={{
        name: {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        for name in ("default", "log")
    }},
    DATABASE_ROUTERS=["trackmate.routers.TrackmateRouter"],
    TRACKMATE={{"DATABASE": {database!r}}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "trackmate",
        *{apps!r},
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    ROOT_URLCONF="urls_probe",
    ALLOWED_HOSTS=["*"],
    STATIC_URL="/static/",
    TEMPLATES=[{{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {{"context_processors": ["django.template.context_processors.request"]}},
    }}],
)
django.setup()

import sys
import types

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import include, path

urls = types.ModuleType("urls_probe")
urls.urlpatterns = [path("log/", include("trackmate.urls"))]
has_admin = apps.is_installed("django.contrib.admin")
if has_admin:
    urls.urlpatterns.append(path("admin/", admin.site.urls))
sys.modules["urls_probe"] = urls
for name in ("default", "log"):
    call_command("migrate", verbosity=0, database=name)

from trackmate.models import ActivityLog

user = User.objects.create_superuser("ann", password="x")
row = ActivityLog.objects.create(action="probe", actor=user, data={{"a": 1}})
client = Client()
client.force_login(user)
pages = ["/log/activity/", "/log/activity/?actor=ann", f"/log/activity/{{row.pk}}/"]
pages += ["/log/actor/ann/", "/log/activity/facets/"]
if has_admin:
    pages += ["/admin/trackmate/activitylog/", f"/admin/trackmate/activitylog/{{row.pk}}/change/"]
for page in pages:
    response = client.get(page)
    assert response.status_code == 200, response
    assert "probe" in response.content.decode() or "facets" in page, page
assert client.get("/log/").status_code == 200
assert Client().get("/log/").url.endswith("/login/?next=/log/")
print(ActivityLog.objects.using({database!r}).filter(action="probe").count())
"""


def probe(*, apps=(), database="default"):
    """Run the pages in a project of its own with these settings; return what it printed."""
    script = PROBE.format(apps=list(apps), database=database)
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout or done.stderr


@pytest.mark.parametrize("apps", [(), ("django_htmx", "django_tables2", "django_filters")])
def test_only_trackmate_has_to_be_installed(apps):
    assert probe(apps=apps) == "1\n"


def test_the_log_may_live_in_a_database_of_its_own():
    apps = ("django.contrib.admin", "django.contrib.messages")
    assert probe(apps=apps, database="log") == "1\n"


def static_file(name):
    return (django_settings.BASE_DIR.parent / "trackmate/static/trackmate" / name).read_text()


def test_htmx_is_the_version_that_we_vendor():
    assert 'version="4.0.1"' in static_file("vendor/htmx.min.js")
    assert static_file("vendor/htmx.LICENSE.txt").startswith("Zero-Clause BSD")


@pytest.mark.parametrize(
    ("name", "limit"), [("trackmate.css", 23 * 1024), ("trackmate.js", 21 * 1024)]
)
def test_our_files_are_small_and_fetch_nothing(name, limit):
    content = static_file(name)
    assert len(content.encode()) <= limit
    for forbidden in (
        "url(",
        "@import",
        "sourceMappingURL",
        "!important",
        "eval(",
        "http:",
        "https:",
    ):
        assert forbidden not in content


# Texts


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 ms"),
        (0.0042, "4.2 ms"),
        (0.0567, "57 ms"),
        (0.25, "250 ms"),
        (1.234, "1.23 s"),
        (1.999, "2.00 s"),
        (75, "75.0 s"),
    ],
)
def test_durations(seconds, text):
    assert formatting.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, "0 %"),
        (0.0567, "5.7 %"),
        (29 / 100, "29 %"),
        (0.57, "57 %"),
        (0.9999, "99.9 %"),
        (1, "100 %"),
    ],
)
def test_shares(part, text):
    assert formatting.format_share(part).replace("\N{NO-BREAK SPACE}", " ") == text


def test_numbers_that_a_machine_reads_have_no_separators(client, settings, configure):
    settings.USE_THOUSAND_SEPARATOR = True
    configure(DASHBOARD_REFRESH=3600)
    user = person("staff", is_staff=True)
    client.force_login(user)
    view = SavedView.objects.create(pk=1234, owner_id=user.pk, name="All", query="range=7d")
    activity(actor_id=user.pk)
    for url in (LIST, "/trackmate/", "/trackmate/views/", f"{LIST}facets/"):
        page = text_of(client.get(url))
        assert not re.search(r'(value|id|for|href|data-\w+)="[^"]*\d,\d{3}', page)
    delete = {"do": "delete", "view": str(view.pk)}
    assert client.post("/trackmate/views/", delete).status_code == 302


def test_times_of_a_list():
    now = timezone.now().replace(microsecond=7_000)
    earlier = now - timezone.timedelta(days=40)
    with timezone.override("Asia/Kathmandu"):
        format_time, there = formatting.Times(), timezone.localtime(earlier)
        today, then = format_time(now), format_time(earlier)
        age = formatting.Times(is_relative=True)(earlier)
    assert today.endswith(f">{timezone.localtime(now, there.tzinfo):%H:%M:%S}</time>")
    assert then.endswith(f">{there.day} {there:%b %H:%M:%S}</time>")
    assert f'datetime="{there:%Y-%m-%dT%H:%M:%S}.007+05:45"' in then
    assert f'{there.day}, {there.year}, {there:%H:%M:%S}.007 +0545"' in then
    assert age.endswith(">1\N{NO-BREAK SPACE}month ago</time>")


def test_how_long_ago():
    now = timezone.now()
    assert formatting.format_age(now) == "just now"
    assert (
        formatting.format_age(now - timezone.timedelta(hours=2)) == "2\N{NO-BREAK SPACE}hours ago"
    )


def test_another_language_and_direction(staff):
    activity()
    with translation.override("ar"):
        page = text_of(staff.get(LIST))
    assert '<html lang="ar" dir="rtl">' in page
