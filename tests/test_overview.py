"""The overview, the facets of a list, and the pages about one entity."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from tests.factories import SCRIPT, activities, activity, at, hostile_activity, person
from tests.shop.models import Order
from tests.urls_under_test import FRAGMENT, log_queries, text_of
from trackmate.dashboard import formatting, time_ranges
from trackmate.dashboard.db import statement_timeout
from trackmate.dashboard.entities import EXPLORER, EntityPage, entity_page
from trackmate.dashboard.forms.fields import TimeField
from trackmate.dashboard.stats import histogram
from trackmate.models import ActivityLog

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]

OVERVIEW = "/trackmate/"
FACETS = "/trackmate/activity/facets/"


def keys_in(page):
    return re.findall(r'id="tm-row-([0-9a-f-]{36})"', page)


def cards_of(page):
    """Return the cards as `{title: (value, note, url)}`."""
    found = re.findall(
        r'class="tm-card"><a href="(.*?)"><span class="tm-card-title">(.*?)</span> '
        r'<strong>(.*?)</strong>\s*<span class="tm-card-note">(.*?)</a>',
        page,
        re.DOTALL,
    )
    return {
        title: (value, re.sub(r"<.*?>", "", note).strip(), url) for url, title, value, note in found
    }


def panel_of(page, title):
    """Return the lines of a panel as `[(label, number)]`."""
    text = re.search(rf"<h2>{title}</h2>(.*?)</section>", page, re.DOTALL)[1]
    return re.findall(r"<bdi>(.*?)</bdi>.*?<td>(?:<a [^>]*>)?(.*?)<", text, re.DOTALL)


# The overview


def test_the_cards_of_a_time_range(staff):
    ann = person("ann")
    activities(3, actor=ann, execution_time=0.1)
    activity(status="Failed")
    activity(action_type="Login", actor=ann)
    activity(action_type="Login Failed", ago=90_000)
    cards = cards_of(text_of(staff.get(OVERVIEW)))
    assert {title: value for title, (value, _note, _url) in cards.items()} == {
        "Activities": "5",
        "Failures": "1",
        "Median response time": cards["Median response time"][0],
        "95th percentile": cards["95th percentile"][0],
        "Active users": "1",
        "Logins": "1",
        "Failed logins": "0",
    }
    assert cards["Median response time"][0].endswith(" ms")
    assert cards["Activities"][1] == "+400 % vs. previous 24 h"
    assert cards["Failures"][1].startswith("20 % of all")
    assert cards["Failed logins"][1] == "-100 % vs. previous 24 h"


@pytest.mark.parametrize(
    ("value", "previous", "text"),
    [
        (1099, 100, "+999 %"),
        (1100, 100, "10x"),
        (5118, 100, "50x"),
        (7, 0.07, "99x"),
        (2_400_001, 1, "2,400,000x"),
        (30, 10, "+200 %"),
        (1000, 1001, ""),
        (1, 900, "-99 %"),
        (0, 900, "-100 %"),
    ],
)
def test_a_change_is_a_percentage_or_a_factor(value, previous, text):
    assert formatting.format_change(value, previous) == text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "1,200x vs. previous 24 h"),
        ("de", "1.200x gegenüber vorher (24 h)"),
        ("fr", "1\N{NO-BREAK SPACE}200x par rapport à avant (24 h)"),
    ],
)
def test_a_large_change_in_the_reader_s_language(staff, language, text):
    activities(1201, step=0.001)
    activity(ago=90_000)
    with translation.override(language):
        page = text_of(staff.get(OVERVIEW, headers={"accept-language": language}))
    assert text in page


def test_the_change_of_a_value_is_formatted_as_that_of_a_card(staff):
    activities(44, step=0.001, route="a/")
    activities(9, step=0.001, route="b/")
    activities(2, step=0.001, route="c/")
    for route in ("a/", "b/", "b/"):
        activity(route=route, ago=90_000)
    page = text_of(staff.get(FACETS))
    changes = dict(re.findall(r"<bdi>(./)</bdi>.*?the previous period\">(.*?)<", page))
    assert changes == {"a/": "43x", "b/": "+350 %", "c/": "new"}


def test_every_card_links_to_what_it_counts(staff):
    activities(2, status="Failed")
    activities(3)
    cards = cards_of(text_of(staff.get(OVERVIEW, {"range": "1h"})))
    for title, number in (("Activities", 5), ("Failures", 2), ("Logins", 0)):
        page = text_of(staff.get(cards[title][2].replace("&amp;", "&")))
        assert len(keys_in(page)) == number
        assert (
            'value="1h" id="id_range_1" aria-describedby' in page or "range=1h" in cards[title][2]
        )


def test_the_panels_of_an_overview(staff):
    ann = person("ann")
    activities(4, actor=ann, actor_label="ann", source="request", route="a/", execution_time=0.5)
    activities(2, source="request", route="b/", status="Failed", actor_label="cron")
    activities(3, action_type="Login Failed", status="Failed", ip_address="10.2.3.4")
    page = text_of(staff.get(OVERVIEW))
    assert panel_of(page, "Top actors") == [("ann", "4"), ("cron", "2")]
    assert panel_of(page, "Busiest routes") == [("a/", "4"), ("b/", "2")]
    assert panel_of(page, "Slowest routes") == [("a/", "500 ms")]
    assert panel_of(page, "Routes with most failures") == [("b/", "2")]
    assert panel_of(page, "Failed logins by address") == [("10.2.3.4", "3")]
    assert len(keys_in(page)) == 8
    assert page.count('id="tm-failure-') == 5
    assert f"/trackmate/actor/%23{ann.pk}/" in page
    assert "/trackmate/address/10.2.3.4/" in page


def test_an_overview_of_nothing(staff):
    page = text_of(staff.get(OVERVIEW))
    assert page.count("None in this time range.") == 5
    assert "No failures in this time range." in page
    assert cards_of(page)["Median response time"][0] == "\N{EN DASH}"


@pytest.mark.parametrize("query", [{"range": "1y"}, {"range": "custom"}, {"start": "soon"}])
def test_the_message_about_a_wrong_time_is_beside_the_field(staff, query):
    with CaptureQueriesContext(connection) as captured:
        response = staff.get(OVERVIEW, query)
    assert response.status_code == 200
    assert re.search(r'class="tm-error" id="tm-error-(range|start)">[^<]', text_of(response))
    assert "tm-card" not in text_of(response)
    assert log_queries(captured) == []


def test_a_fragment_has_the_numbers_and_the_errors_of_the_form(staff):
    page = text_of(staff.get(OVERVIEW, headers=FRAGMENT))
    assert page.lstrip().startswith('<div class="tm-overview" id="tm-overview"')
    assert re.search(r'<form [^>]*id="tm-filters"[^>]* hx-swap-oob="outerMorph"', page)
    assert 'id="tm-error-range"' in page
    assert "<html" not in page


@pytest.mark.parametrize(
    ("query", "live"), [({}, "on"), ({"start": "2020-01-01", "end": "2020-01-02"}, "off")]
)
def test_an_overview_of_a_time_that_is_over_is_not_live(staff, query, live):
    assert f'tabindex="-1" data-live="{live}"' in text_of(staff.get(OVERVIEW, query))


def test_the_number_of_queries_does_not_grow_with_rows(staff):
    counted = []
    for number in (2, 60):
        activities(number, source="request", route="a/", actor_label="ann", status="Failed")
        with CaptureQueriesContext(connection) as found:
            staff.get(OVERVIEW)
        counted.append(len(log_queries(found)))
    assert counted == [12, 12]


def test_a_part_that_takes_too_long_has_a_message(staff, monkeypatch):
    activity(status="Failed")

    def too_slow(*_args, **_kwargs):
        raise statement_timeout.StatementTimeoutError

    monkeypatch.setattr("trackmate.selectors.aggregates.histogram", too_slow)
    page = text_of(staff.get(OVERVIEW))
    assert "Stopped after 1000 ms." in page
    assert cards_of(page)["Activities"][0] == "1"


@pytest.mark.parametrize("error", [KeyError("s3cret"), TypeError("s3cret"), ZeroDivisionError()])
@pytest.mark.parametrize(
    ("url", "name"),
    [
        *((OVERVIEW, each) for each in ("actors", "routes", "refused", "summary", "histogram")),
        *((FACETS, each) for each in ("top_values", "counts_for", "facets", "histogram")),
    ],
)
def test_a_part_that_fails_is_a_message_and_a_logged_error(
    staff, monkeypatch, caplog, url, name, error
):
    activities(3, source="request", route="a/", actor_label="ann", status="Failed")

    def fail(*_args, **_options):
        raise error

    monkeypatch.setattr(f"trackmate.selectors.PeriodStats.{name}", fail)
    response = staff.get(url)
    assert response.status_code == 200
    assert "could not be read" in text_of(response)
    assert "Failed" in text_of(response)
    assert f"{type(error).__name__} at {__file__}" in caplog.text
    assert "s3cret" not in caplog.text


# The histogram


@pytest.mark.parametrize(
    ("length", "step"),
    [
        ({"minutes": 15}, {"seconds": 15}),
        ({"hours": 1}, {"minutes": 1}),
        ({"hours": 24}, {"minutes": 30}),
        ({"days": 7}, {"hours": 3}),
        ({"days": 30}, {"hours": 12}),
        ({"days": 9000}, {"days": 365}),
        ({"days": 90_000}, {"days": 365}),
    ],
)
def test_a_bar_is_a_round_time_long(length, step):
    assert histogram.step_for(timedelta(**length)) == timedelta(**step)


def test_bars_start_at_round_local_times():
    start = datetime(2026, 3, 1, 10, 17, 3, tzinfo=UTC)
    bounds = histogram.bounds_between(start, start + timedelta(hours=2), timedelta(minutes=30))
    assert bounds[0] == start
    assert bounds[-1] == start + timedelta(hours=2)
    assert {timezone.localtime(bound).minute for bound in bounds[1:-1]} == {0, 30}


@pytest.mark.parametrize(
    ("count", "top"), [(0, 1), (2, 2), (7, 8), (11, 15), (101, 150), (250, 250), (9001, 10_000)]
)
def test_the_scale_ends_at_a_round_number(count, top):
    assert histogram.round_up(count) == top


@pytest.mark.parametrize(
    ("params", "labels", "is_open"),
    [
        ({}, "15:00 18:00 21:00 28 Nov 03:00 06:00", True),
        ({"range": "7d"}, "22 Nov 23 Nov 24 Nov 25 Nov 26 Nov 27 Nov", True),
        ({"range": "1h"}, "11:10 11:20 11:30 11:40 11:50", True),
        (
            {"start": "2026-11-28T10:00", "end": "2026-11-28T10:05"},
            "10:01 10:02 10:03 10:04",
            False,
        ),
    ],
)
def test_the_time_axis_has_round_labels(staff, monkeypatch, params, labels, is_open):
    monkeypatch.setattr(timezone, "now", lambda: at(2026, 11, 28, 12))
    page = text_of(staff.get(FACETS, params))
    axis = re.search(r'<svg class="tm-axis".*?</svg>', page)[0]
    texts = re.findall(r'<text x="([\d.]+)%" y="15"( class="tm-axis-end")?>(.*?)</text>', axis)
    positions = [float(position) for position, _class, _text in texts]
    assert positions == sorted(set(positions))
    assert " ".join(text for *_rest, text in texts) == labels + (" now" if is_open else "")
    assert '<span class="tm-scale" aria-hidden="true">1</span>' in page


def bars_in(page):
    return re.findall(r'<a href="([^"]+)" aria-label="([^"]+)" tabindex="-1" data-count', page)


def counts_in(page):
    """Return the address and the count of each bar that is not empty."""
    found = [(url, re.search(r": (\d+) activities, ", text)[1]) for url, text in bars_in(page)]
    return [(url.replace("&amp;", "&"), int(count)) for url, count in found if count != "0"]


def test_every_bar_links_to_its_own_time(staff):
    activities(3, step=60)
    activities(2, step=60, status="Failed")
    page = text_of(staff.get(FACETS, {"range": "1h"}))
    bars = counts_in(page)
    assert sum(count for _url, count in bars) == 5
    for url, count in bars:
        assert len(keys_in(text_of(staff.get(url)))) == count


def test_bars_keep_the_filters_and_lose_the_range(staff):
    activity(actor_label="ann")
    params = {"range": "1h", "actor": "ann", "q": "-status:404 created:-1d"}
    url, _text = bars_in(text_of(staff.get(FACETS, params)))[-1]
    query = parse_qs(urlsplit(url.replace("&amp;", "&")).query)
    assert query["actor"] == ["ann"]
    assert query["q"] == ["-status:404"]
    assert query["range"] == ["custom"]


def test_a_bar_that_is_not_empty_can_be_seen(staff):
    activities(2_000)
    activity(ago=3_000, status="Failed")
    heights = re.findall(r'class="tm-bar-failed"[^>]* height="(\d+)"', text_of(staff.get(FACETS)))
    assert heights == [str(histogram.MIN_HEIGHT)]


def test_numbers_in_the_drawing_are_plain_in_every_language(staff, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    activities(3)
    with translation.override("de"):
        page = text_of(staff.get(FACETS, headers={"accept-language": "de"}))
    assert re.fullmatch(r"[0-9 ]+", re.search(r'viewBox="(0 0 \d+ 100)"', page)[1])
    assert not re.search(r' (?:[xy][12]?|width|height)="[^"]*,', page)


# Top values


def test_the_facets_of_a_list_are_those_of_its_filters(staff):
    activities(3, actor_label="ann", method="GET", route="a/")
    activities(2, actor_label="bob", method="POST", route="b/")
    page = text_of(staff.get(FACETS, {"actor": "ann"}, headers=FRAGMENT))
    assert panel_of(page, "Route") == [("a/", "3")]
    assert panel_of(page, "Method") == [("GET", "3")]
    assert "<html" not in page


def test_facets_can_be_read_without_a_script(staff):
    activities(3, route="a/")
    page = text_of(staff.get(reverse("trackmate:activity")))
    url = re.search(r'href="(/trackmate/activity/facets/[^"]*)"', page)[1]
    found = text_of(staff.get(url.replace("&amp;", "&")))
    assert "<html" in found
    assert '<details class="tm-fold" id="tm-top-values" open>' in found


def test_filters_that_are_not_valid_have_no_facets(staff, django_assert_max_num_queries):
    with django_assert_max_num_queries(2):
        page = text_of(staff.get(FACETS, {"status_code": "many"}))
    assert "Check this filter" in page
    assert "<strong>Status code</strong>: <bdi>“many” is not a status code." in page


def test_other_filters_bring_new_facets_and_another_page_does_not(staff):
    rows = activities(60)
    list_url = reverse("trackmate:activity")
    filtered = text_of(staff.get(list_url, {"status": "Success"}, headers=FRAGMENT))
    label = "Histogram and top values"
    assert f'id="tm-facets" aria-label="{label}" hx-swap-oob="true"' in filtered
    assert 'hx-get="/trackmate/activity/facets/?status=Success"' in filtered
    later = text_of(staff.get(list_url, {"before": str(rows[50].pk)}, headers=FRAGMENT))
    assert "tm-facets" not in later


# Pages about one entity


@pytest.fixture
def order():
    return Order.objects.create(number="A-1")


def test_each_entity_has_a_page_with_its_activities(staff, order):
    ann = person("ann")
    content_type = ContentType.objects.get_for_model(Order)
    row = activity(
        actor=ann,
        actor_label="ann",
        content_type=content_type,
        object_id=str(order.pk),
        object_repr="Order A-1",
        route="orders/<int:pk>/",
        ip_address="10.2.3.4",
        request_id="r1",
        action="order.update",
    )
    activity(action="other")
    pages = {
        f"/trackmate/actor/%23{ann.pk}/": "ann",
        "/trackmate/actor/ann/": "ann",
        f"/trackmate/object/shop.order/{order.pk}/": "Order A-1",
        "/trackmate/route/orders/%3Cint:pk%3E/": "orders/&lt;int:pk&gt;/",
        "/trackmate/address/10.2.3.4/": "10.2.3.4",
        "/trackmate/request/r1/": "r1",
    }
    for url, name in pages.items():
        page = text_of(staff.get(url))
        assert keys_in(page) == [str(row.pk)], url
        assert f'<h1 class="tm-title"><bdi>{name}</bdi></h1>' in page
        assert "First seen" in page
        assert f'action="{url}"' in page


def test_the_page_of_an_activity_links_to_its_entities(staff, order):
    content_type = ContentType.objects.get_for_model(Order)
    row = activity(
        actor_label="cron:nightly",
        content_type=content_type,
        object_id="7",
        route="a/",
        ip_address="10.2.3.4",
        request_id="r1",
    )
    page = text_of(staff.get(reverse("trackmate:detail", args=[row.pk])))
    for url in (
        "actor/=cron:nightly/",
        "object/shop.order/7/",
        "route/a/",
        "address/10.2.3.4/",
        "request/r1/",
    ):
        assert f'href="/trackmate/{url}"' in page


def test_what_happened_around_an_activity(staff):
    before, row, after = (activity(ago=ago) for ago in (140, 120, 100))
    activity(ago=200)
    page = text_of(staff.get(reverse("trackmate:detail", args=[row.pk]), {"actor": "nobody"}))
    url = re.search(r'href="([^"]+)">Show ±30 seconds', page)[1].replace("&amp;", "&")
    assert url.endswith(f"#tm-row-{row.pk}")
    found = keys_in(text_of(staff.get(url.partition("#")[0])))
    assert found == [str(after.pk), str(row.pk), str(before.pk)]


@pytest.mark.parametrize("at", [0, 800, 1600, 2399])
def test_what_happened_around_an_activity_includes_it(staff, at):
    rows = activities(2400, step=0.01)
    page = text_of(staff.get(reverse("trackmate:detail", args=[rows[at].pk])))
    url = re.search(r'href="([^"]+)">Show ±30 seconds', page)[1].replace("&amp;", "&")
    shown = text_of(staff.get(url.partition("#")[0]))
    assert f'<tr id="tm-row-{rows[at].pk}" aria-current="true">' in shown
    found = keys_in(shown)
    assert found == [str(row.pk) for row in rows[max(0, at - 25) :][:50]]


def test_the_filter_of_a_page_cannot_be_changed(staff):
    row = activity(actor_label="ann")
    activity(actor_label="bob")
    page = text_of(staff.get("/trackmate/actor/ann/", {"actor": "bob"}))
    assert keys_in(page) == [str(row.pk)]
    assert 'name="actor"' not in re.search(r"<form.*?</form>", page, re.DOTALL)[0]


def test_other_filters_and_pages_stay_on_the_page(staff):
    rows = activities(60, actor_label="ann")
    page = text_of(staff.get("/trackmate/actor/ann/", {"status": "Success"}))
    assert f'href="/trackmate/actor/ann/?status=Success&amp;before={rows[49].pk}"' in page


def test_the_poll_of_a_page_counts_what_is_new_there(staff):
    shown = activity(actor_label="ann", ago=10)
    activity(actor_label="ann")
    activities(3, actor_label="bob")
    query = {"since": str(shown.pk), "page": "actor", "actor": "ann"}
    button = text_of(staff.get(reverse("trackmate:tick"), query, headers=FRAGMENT))
    assert 'data-count="1"' in button
    assert 'hx-get="/trackmate/actor/ann/"' in button


def test_a_page_about_nothing(staff):
    page = text_of(staff.get("/trackmate/actor/nobody/"))
    assert "Nothing recorded." in page


@pytest.mark.parametrize(
    "url",
    [
        "/trackmate/actor/%23zzz/",
        "/trackmate/object/nothing/",
        "/trackmate/object/no.thing/1/",
        "/trackmate/address/nowhere/",
    ],
)
def test_a_page_about_a_value_that_is_not_valid(staff, url):
    response = staff.get(url)
    assert response.status_code == 200
    assert "Check this filter" in text_of(response)


@pytest.mark.parametrize(
    ("entity_type", "value", "is_page"),
    [
        ("actor", "ann", True),
        ("route", "/", True),
        ("object", "shop.order/a/b", True),
        ("object", "a\nb", True),
        ("address", "a/b", False),
        ("actor", "", False),
        ("nothing", "x", False),
        ("status", "Failed", False),
    ],
)
def test_what_has_a_page(entity_type, value, is_page):
    expected = EntityPage(type=entity_type, value=value) if is_page else EXPLORER
    assert entity_page(entity_type, value) == expected


def test_the_root_has_a_page(staff):
    row = activity(route="/")
    activity(route="a/")
    url = reverse("trackmate:route", args=["/"])
    assert keys_in(text_of(staff.get(url))) == [str(row.pk)]


def test_a_routes_page_has_its_durations(staff):
    activities(20, route="a/", execution_time=0.1)
    page = text_of(staff.get(FACETS, {"page": "route", "route": "a/"}, headers=FRAGMENT))
    lines = dict(panel_of(page, "Duration"))
    [spread] = lines.keys() - {"Median", "95th percentile", "99th percentile"}
    assert re.fullmatch(r"[\d.]+ ms to [\d.]+ ms", spread)
    assert lines[spread] == "20"


def test_an_addresses_page_has_the_accounts_it_tried(staff):
    activities(
        3,
        action_type="Login Failed",
        status="Failed",
        ip_address="10.2.3.4",
        object_id="5",
        object_repr="ann",
    )
    query = {"page": "address", "address": "10.2.3.4"}
    page = text_of(staff.get(FACETS, query, headers=FRAGMENT))
    assert panel_of(page, "Accounts tried") == [("ann", "3")]


@pytest.mark.parametrize("url", [OVERVIEW, FACETS, "/trackmate/request/r/"])
def test_nothing_that_clients_sent_is_markup(staff, url):
    hostile_activity(source="request", status="Failed", request_id="r", method="GET")
    page = text_of(staff.get(url))
    assert SCRIPT not in page
    assert "<script>alert" not in page
    assert "onerror=alert(1)>" not in page


def test_methods_match_in_small_letters_and_anonymous_matches_no_name(staff):
    row = activity(method="GET")
    activity(method="POST", actor_label="ann")
    activity(action="command")
    list_url = reverse("trackmate:activity")
    assert keys_in(text_of(staff.get(list_url, {"method": "get"}))) == [str(row.pk)]
    assert keys_in(text_of(staff.get(list_url, {"actor": "anonymous"}))) == [str(row.pk)]
    assert ActivityLog.objects.count() == 3


# Messages


def test_new_activities_are_counted_by_type(staff):
    shown = activity(ago=10)
    activities(2, action_type="Read")
    activity(action_type="Login Failed")
    query = {"since": str(shown.pk)}
    button = text_of(staff.get(reverse("trackmate:tick"), query, headers=FRAGMENT))
    text = " ".join(re.sub(r"<[^>]+>", "", button).split())
    assert text == "Show 3 new: 2 Read, 1 Failed login"


@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["page", "fragment"])
def test_query_statistics_are_for_superusers(staff, admin_client, headers):
    page = text_of(admin_client.get(reverse("trackmate:activity"), headers=headers))
    assert re.search(r'id="tm-query-stats"[^>]*>\d+ quer(?:y|ies)[^<]*, \d+ ms<', page)
    page = text_of(staff.get(reverse("trackmate:activity"), headers=headers))
    assert not re.search(r"\d+ quer(?:y|ies)", page)


# Pages about what was long ago


DAY = 86_400


@pytest.mark.parametrize("url", ["/trackmate/object/shop.order/7/", "/trackmate/request/r1/"])
def test_a_page_about_an_object_or_a_request_shows_all_time(staff, url):
    content_type = ContentType.objects.get_for_model(Order)
    row = activity(ago=400 * DAY, content_type=content_type, object_id="7", request_id="r1")
    page = text_of(staff.get(url))
    assert keys_in(page) == [str(row.pk)]
    assert "Activities of all time, newest first" in page
    assert keys_in(text_of(staff.get(url, {"range": "30d"}))) == []


def test_the_histogram_of_all_time_starts_with_the_first_activity(staff):
    content_type = ContentType.objects.get_for_model(Order)
    for ago in (0, 40 * DAY):
        activity(ago=ago, content_type=content_type, object_id="7")
    query = {"page": "object", "object": "shop.order/7"}
    page = text_of(staff.get(FACETS, query, headers=FRAGMENT))
    assert "1 day per bar" in page
    assert sum(count for _url, count in counts_in(page)) == 2
    query["object"] = "shop.order/8"
    assert "tm-bars" in text_of(staff.get(FACETS, query, headers=FRAGMENT))


def test_the_whole_log_is_not_shown_of_all_time(staff):
    page = text_of(staff.get(reverse("trackmate:activity"), {"range": "all"}))
    assert "Check the time range" in page


@pytest.mark.parametrize(
    ("days", "query"),
    [(0, ""), (3, "?range=7d"), (20, "?range=30d"), (90, r"?range=custom&amp;start=")],
)
def test_links_from_an_old_activity_include_its_time(staff, days, query):
    row = activity(ago=days * DAY, ip_address="10.2.3.4")
    page = text_of(staff.get(reverse("trackmate:detail", args=[row.pk])))
    url = re.search(r'href="(/trackmate/address/10\.2\.3\.4/[^"]*)"', page)[1]
    assert url.removeprefix("/trackmate/address/10.2.3.4/").startswith(query)
    assert keys_in(text_of(staff.get(url.replace("&amp;", "&")))) == [str(row.pk)]


def test_top_values_can_be_excluded(staff):
    activities(3, route="a/", actor_label="ann")
    rest = activities(2, route="b/")
    page = text_of(staff.get(FACETS, {"range": "1h"}, headers=FRAGMENT))
    [url] = re.findall(r'<a href="([^"]+)" title="Exclude">(?=[^/]*/span>[^/]*Exclude a/<)', page)
    found = staff.get(url.replace("&amp;", "&"))
    assert keys_in(text_of(found)) == [str(row.pk) for row in rest]
    again = text_of(staff.get(FACETS, {"q": '-route:"a/"', "route": "b/"}, headers=FRAGMENT))
    assert "Exclude b/<" not in again
    assert "Exclude" not in text_of(staff.get(OVERVIEW)).replace(">Exclude</th>", "")


@pytest.mark.parametrize("url", [OVERVIEW, FACETS, "/trackmate/activity/"])
@pytest.mark.parametrize(
    "query",
    [
        {"start": "0001-01-01T00:00"},
        {"start": "2026-01-01T00:00", "end": "9999-12-31T23:59:59"},
        {"start": "2026-01-01T00:00", "end": "9999-12-31T23:59-12:00"},
        {"start": "9999-12-31T23:59:59"},
        {"start": "1970-01-02T00:00"},
        {"actor": "#99999999999999999999999999"},
        {"q": "actor:#99999999999999999999999999"},
    ],
)
def test_no_number_and_no_date_is_too_large(staff, url, query):
    activity()
    assert staff.get(url, query).status_code == 200


def test_a_name_that_is_a_part_of_another_is_somebody_else(staff):
    activity(actor=person("alice"), actor_label="alice")
    row = activity(actor_label="ali")
    activity(actor_label="cron:nightly")
    page = text_of(staff.get("/trackmate/actor/=ali/"))
    assert keys_in(page) == [str(row.pk)]
    assert "<bdi>ali</bdi></h1>" in page
    typed = text_of(staff.get("/trackmate/actor/ali/"))
    assert len(keys_in(typed)) == 2
    assert "<bdi>ali</bdi></h1>" in typed
    facets = text_of(staff.get(FACETS, headers=FRAGMENT))
    assert "/trackmate/actor/=cron:nightly/" in facets


def test_all_objects_of_a_model_are_not_shown_of_all_time(staff):
    content_type = ContentType.objects.get_for_model(Order)
    activity(content_type=content_type, object_id="1")
    page = text_of(staff.get("/trackmate/object/shop.order/"))
    assert "Activities of the last 24 hours" in page


@pytest.mark.parametrize(("hour", "offset"), [(0, "+02:00"), (1, "+01:00")])
def test_links_distinguish_the_hours_that_come_twice(settings, hour, offset):
    settings.TIME_ZONE = "Europe/Berlin"
    time = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
    text = time_ranges.to_form_value(time)
    assert text == f"2026-10-25T02:30:00{offset}"
    assert TimeField(name="start").clean(text) == time


def test_rows_without_an_action_type_match_other(staff):
    other = {str(activity(action_type=name).pk) for name in ("", "Other")}
    read = str(activity(action_type="Read").pk)
    for query in ({"action_type": "Other"}, {"q": "type:other"}):
        assert set(keys_in(text_of(staff.get("/trackmate/activity/", query)))) == other
    without = text_of(staff.get("/trackmate/activity/", {"q": "-type:Other"}))
    assert keys_in(without) == [read]
    page = text_of(staff.get(FACETS, headers=FRAGMENT))
    assert panel_of(page, "Action type") == [("Other", "2"), ("Read", "1")]


def test_invented_methods_do_not_fill_the_memory(staff, monkeypatch):
    monkeypatch.setattr("trackmate.selectors.grouping.MOST_GROUPS", 3)
    for number in range(9):
        activity(method=f"M{number}")
    activities(2, method="GET")
    page = text_of(staff.get(FACETS, headers=FRAGMENT))
    assert panel_of(page, "Method")[0] == ("GET", "2")
    assert len(panel_of(page, "Method")) == 3
