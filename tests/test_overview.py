"""The overview, the figures beside a list, and the pages about one thing."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from tests.pages import FRAGMENT, log_queries, text_of
from tests.rows import SCRIPT, activities, activity, hostile_activity, person
from tests.shop.models import Order
from trackmate.dashboard import budget, charts, texts, windows
from trackmate.dashboard.fields import MomentField
from trackmate.dashboard.places import EXPLORER, Place, place_of
from trackmate.models import ActivityLog

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]

OVERVIEW = "/trackmate/"
FIGURES = "/trackmate/activity/figures/"


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


def test_the_cards_say_what_a_time_came_to(staff):
    ann = person("ann")
    activities(3, actor=ann, execution_time=0.1)
    activity(status="Failed")
    activity(action_type="Login", actor=ann)
    activity(action_type="Login Failed", ago=90_000)
    cards = cards_of(text_of(staff.get(OVERVIEW)))
    assert {title: value for title, (value, _note, _url) in cards.items()} == {
        "Activities": "5",
        "Failures": "1",
        "Half are faster than": cards["Half are faster than"][0],
        "95 % are faster than": cards["95 % are faster than"][0],
        "Active users": "1",
        "Logins": "1",
        "Failed logins": "0",
    }
    assert cards["Half are faster than"][0].endswith(" ms")
    assert cards["Activities"][1] == "+400 % vs. before"
    assert cards["Failures"][1].startswith("20 % of all")
    assert cards["Failed logins"][1] == "-100 % vs. before"


@pytest.mark.parametrize(
    ("value", "former", "text"),
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
def test_a_change_is_in_per_cent_or_so_many_times(value, former, text):
    assert texts.change(value, former) == text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "1,200x vs. before"),
        ("de", "1.200x zu vorher"),
        ("fr", "1\N{NO-BREAK SPACE}200x par rapport à avant"),
    ],
)
def test_a_large_change_is_told_in_the_reader_s_language(staff, language, text):
    activities(1201, step=0.001)
    activity(ago=90_000)
    with translation.override(language):
        page = text_of(staff.get(OVERVIEW, headers={"accept-language": language}))
    assert text in page


def test_the_change_of_a_value_is_told_as_that_of_a_card(staff):
    activities(44, step=0.001, route="a/")
    activities(9, step=0.001, route="b/")
    activities(2, step=0.001, route="c/")
    for route in ("a/", "b/", "b/"):
        activity(route=route, ago=90_000)
    page = text_of(staff.get(FIGURES))
    told = dict(re.findall(r"<bdi>(./)</bdi>.*?the time before\">(.*?)<", page))
    assert told == {"a/": "43x", "b/": "+350 %", "c/": "new"}


def test_every_card_leads_to_what_it_counts(staff):
    activities(2, status="Failed")
    activities(3)
    cards = cards_of(text_of(staff.get(OVERVIEW, {"range": "1h"})))
    for title, number in (("Activities", 5), ("Failures", 2), ("Logins", 0)):
        page = text_of(staff.get(cards[title][2].replace("&amp;", "&")))
        assert len(keys_in(page)) == number
        assert (
            'value="1h" id="id_range_1" aria-describedby' in page or "range=1h" in cards[title][2]
        )


def test_the_panels_name_what_leads(staff):
    ann = person("ann")
    activities(4, actor=ann, actor_label="ann", source="request", route="a/", execution_time=0.5)
    activities(2, source="request", route="b/", status="Failed", actor_label="cron")
    activities(3, action_type="Login Failed", status="Failed", ip_address="10.2.3.4")
    page = text_of(staff.get(OVERVIEW))
    assert panel_of(page, "Top actors") == [("ann", "4"), ("cron", "2")]
    assert panel_of(page, "Busiest routes") == [("a/", "4"), ("b/", "2")]
    assert panel_of(page, "Slowest routes") == [("a/", "500 ms")]
    assert panel_of(page, "Most failing routes") == [("b/", "2")]
    assert panel_of(page, "Failed logins by address") == [("10.2.3.4", "3")]
    assert len(keys_in(page)) == 8
    assert page.count('id="tm-failure-') == 5
    assert f"/trackmate/actor/%23{ann.pk}/" in page
    assert "/trackmate/address/10.2.3.4/" in page


def test_an_overview_of_nothing(staff):
    page = text_of(staff.get(OVERVIEW))
    assert page.count("None in this time.") == 5
    assert "No failures in this time." in page
    assert cards_of(page)["Half are faster than"][0] == "\N{EN DASH}"


@pytest.mark.parametrize("query", [{"range": "1y"}, {"range": "custom"}, {"start": "soon"}])
def test_a_wrong_time_is_said_beside_the_field(staff, query):
    with CaptureQueriesContext(connection) as captured:
        response = staff.get(OVERVIEW, query)
    assert response.status_code == 200
    assert re.search(r'class="tm-error" id="tm-error-(range|start)">[^<]', text_of(response))
    assert "tm-card" not in text_of(response)
    assert log_queries(captured) == []


def test_a_fragment_holds_the_figures_and_the_errors_of_the_form(staff):
    page = text_of(staff.get(OVERVIEW, headers=FRAGMENT))
    assert page.lstrip().startswith('<div class="tm-overview" id="tm-overview"')
    assert re.search(r'<form [^>]*id="tm-filters"[^>]* hx-swap-oob="outerMorph"', page)
    assert 'id="tm-error-range"' in page
    assert "<html" not in page


@pytest.mark.parametrize(
    ("query", "live"), [({}, "on"), ({"start": "2020-01-01", "end": "2020-01-02"}, "off")]
)
def test_figures_of_a_time_that_is_over_are_not_live(staff, query, live):
    assert f'tabindex="-1" data-live="{live}"' in text_of(staff.get(OVERVIEW, query))


def test_the_number_of_queries_does_not_grow_with_rows(staff):
    counted = []
    for number in (2, 60):
        activities(number, source="request", route="a/", actor_label="ann", status="Failed")
        with CaptureQueriesContext(connection) as found:
            staff.get(OVERVIEW)
        counted.append(len(log_queries(found)))
    assert counted == [13, 13]


def test_a_part_that_takes_too_long_says_so_and_takes_no_other(staff, monkeypatch):
    activity(status="Failed")

    def too_slow(*_args, **_kwargs):
        raise budget.BudgetExceededError

    monkeypatch.setattr("trackmate.selectors.counts.histogram", too_slow)
    page = text_of(staff.get(OVERVIEW))
    assert "Stopped after 1000 ms." in page
    assert cards_of(page)["Activities"][0] == "1"


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
def test_a_bar_stands_for_a_round_time(length, step):
    assert charts.step_of(timedelta(**length)) == timedelta(**step)


def test_bars_begin_at_round_local_times():
    start = datetime(2026, 3, 1, 10, 17, 3, tzinfo=UTC)
    bounds = charts.bounds_of(start, start + timedelta(hours=2), timedelta(minutes=30))
    assert bounds[0] == start
    assert bounds[-1] == start + timedelta(hours=2)
    assert {timezone.localtime(bound).minute for bound in bounds[1:-1]} == {0, 30}


def bars_in(page):
    return re.findall(r'<a href="([^"]+)" aria-label="([^"]+)" tabindex="-1"><title>', page)


def test_every_bar_leads_to_its_own_time(staff):
    activities(3, step=60)
    activities(2, step=60, status="Failed")
    page = text_of(staff.get(FIGURES, {"range": "1h"}))
    filled = [(url, text) for url, text in bars_in(page) if ": 0," not in text]
    assert sum(int(re.search(r": (\d+),", text)[1]) for _url, text in filled) == 5
    for url, text in filled:
        found = staff.get(url.replace("&amp;", "&"))
        assert len(keys_in(text_of(found))) == int(re.search(r": (\d+),", text)[1])


def test_bars_keep_the_filters_and_lose_the_range(staff):
    activity(actor_label="ann")
    url, _text = bars_in(text_of(staff.get(FIGURES, {"range": "1h", "actor": "ann"})))[-1]
    query = parse_qs(urlsplit(url.replace("&amp;", "&")).query)
    assert query["actor"] == ["ann"]
    assert query["range"] == ["custom"]


def test_a_bar_that_is_not_empty_can_be_seen(staff):
    activities(2_000)
    activity(ago=3_000, status="Failed")
    heights = re.findall(r'class="tm-bar-bad"[^>]* height="(\d+)"', text_of(staff.get(FIGURES)))
    assert heights == [str(charts.LEAST)]


def test_numbers_in_the_drawing_are_plain_in_every_language(staff, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    activities(3)
    with translation.override("de"):
        page = text_of(staff.get(FIGURES, headers={"accept-language": "de"}))
    assert re.fullmatch(r"[0-9 ]+", re.search(r'viewBox="(0 0 \d+ 100)"', page)[1])
    assert not re.search(r'(?:x|y|width|height)="[^"]*,', page)


# What occurs most


def test_the_figures_of_a_list_are_those_of_its_filters(staff):
    activities(3, actor_label="ann", method="GET", route="a/")
    activities(2, actor_label="bob", method="POST", route="b/")
    page = text_of(staff.get(FIGURES, {"actor": "ann"}, headers=FRAGMENT))
    assert panel_of(page, "Routes") == [("a/", "3")]
    assert panel_of(page, "Method") == [("GET", "3")]
    assert "<html" not in page


def test_figures_can_be_read_without_a_script(staff):
    activities(3, route="a/")
    page = text_of(staff.get(reverse("trackmate:activity")))
    url = re.search(r'href="(/trackmate/activity/figures/[^"]*)"', page)[1]
    found = text_of(staff.get(url.replace("&amp;", "&")))
    assert "<html" in found
    assert '<details class="tm-more tm-facets" id="tm-facets" open>' in found


def test_a_wrong_question_has_no_figures(staff, django_assert_max_num_queries):
    with django_assert_max_num_queries(2):
        page = text_of(staff.get(FIGURES, {"status_code": "many"}))
    assert "A filter needs another look" in page
    assert "<strong>Status code</strong>: <bdi>“many” is not a status code." in page


def test_a_new_question_brings_new_figures_and_another_page_does_not(staff):
    rows = activities(60)
    list_url = reverse("trackmate:activity")
    asked = text_of(staff.get(list_url, {"status": "Success"}, headers=FRAGMENT))
    assert 'id="tm-figures" aria-label="Figures" hx-swap-oob="true"' in asked
    assert 'hx-get="/trackmate/activity/figures/?status=Success"' in asked
    turned = text_of(staff.get(list_url, {"before": str(rows[50].pk)}, headers=FRAGMENT))
    assert "tm-figures" not in turned


# Pages about one thing


@pytest.fixture
def order():
    return Order.objects.create(number="A-1")


def test_each_thing_has_a_page_with_what_it_did(staff, order):
    ann = person("ann")
    kind = ContentType.objects.get_for_model(Order)
    row = activity(
        actor=ann,
        actor_label="ann",
        content_type_id=kind.pk,
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


def test_the_page_of_an_activity_leads_to_the_pages_about_its_things(staff, order):
    kind = ContentType.objects.get_for_model(Order)
    row = activity(
        actor_label="cron:nightly",
        content_type_id=kind.pk,
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


def test_what_happened_around_an_activity_whatever_it_was(staff):
    before, row, after = (activity(ago=ago) for ago in (140, 120, 100))
    activity(ago=200)
    page = text_of(staff.get(reverse("trackmate:detail", args=[row.pk]), {"actor": "nobody"}))
    url = re.search(r'href="([^"]+)">30 seconds around this', page)[1].replace("&amp;", "&")
    assert url.endswith(f"#tm-row-{row.pk}")
    found = keys_in(text_of(staff.get(url.partition("#")[0])))
    assert found == [str(after.pk), str(row.pk), str(before.pk)]


@pytest.mark.parametrize("at", [0, 800, 1600, 2399])
def test_what_happened_around_an_activity_shows_it_at_any_rate(staff, at):
    rows = activities(2400, step=0.01)
    page = text_of(staff.get(reverse("trackmate:detail", args=[rows[at].pk])))
    url = re.search(r'href="([^"]+)">30 seconds around this', page)[1].replace("&amp;", "&")
    shown = text_of(staff.get(url.partition("#")[0]))
    assert f'<tr id="tm-row-{rows[at].pk}" aria-current="true">' in shown
    found = keys_in(shown)
    assert found == [str(row.pk) for row in rows[max(0, at - 25) :][:50]]


def test_the_filter_of_a_page_cannot_be_taken_from_it(staff):
    row = activity(actor_label="ann")
    activity(actor_label="bob")
    page = text_of(staff.get("/trackmate/actor/ann/", {"actor": "bob"}))
    assert keys_in(page) == [str(row.pk)]
    assert 'name="actor"' not in re.search(r"<form.*?</form>", page, re.DOTALL)[0]


def test_other_filters_and_pages_stay_on_the_page(staff):
    rows = activities(60, actor_label="ann")
    page = text_of(staff.get("/trackmate/actor/ann/", {"status": "Success"}))
    assert f'href="/trackmate/actor/ann/?status=Success&amp;before={rows[49].pk}"' in page


def test_the_tick_of_a_page_counts_what_is_news_there(staff):
    shown = activity(actor_label="ann", ago=10)
    activity(actor_label="ann")
    activities(3, actor_label="bob")
    query = {"since": str(shown.pk), "place": "actor", "actor": "ann"}
    pill = text_of(staff.get(reverse("trackmate:tick"), query, headers=FRAGMENT))
    assert 'data-count="1"' in pill
    assert 'hx-get="/trackmate/actor/ann/"' in pill


def test_a_page_about_nothing_says_so(staff):
    page = text_of(staff.get("/trackmate/actor/nobody/"))
    assert "Never seen." in page


@pytest.mark.parametrize(
    "url",
    [
        "/trackmate/actor/%23zzz/",
        "/trackmate/object/nothing/",
        "/trackmate/object/no.thing/1/",
        "/trackmate/address/nowhere/",
    ],
)
def test_a_page_about_what_cannot_be_is_an_answer_that_says_so(staff, url):
    response = staff.get(url)
    assert response.status_code == 200
    assert "A filter needs another look" in text_of(response)


@pytest.mark.parametrize(
    ("kind", "value", "is_page"),
    [
        ("actor", "ann", True),
        ("route", "/", True),
        ("object", "shop.order/a/b", True),
        ("object", "a\nb", True),
        ("address", "a/b", False),
        ("actor", "", False),
        ("nothing", "x", False),
    ],
)
def test_what_has_a_page(kind, value, is_page):
    expected = Place(kind=kind, value=value) if is_page else EXPLORER
    assert place_of(kind, value) == expected


def test_the_root_has_a_page(staff):
    row = activity(route="/")
    activity(route="a/")
    url = reverse("trackmate:route", args=["/"])
    assert keys_in(text_of(staff.get(url))) == [str(row.pk)]


def test_a_routes_page_tells_how_long_it_takes(staff):
    activities(20, route="a/", execution_time=0.1)
    page = text_of(staff.get(FIGURES, {"place": "route", "route": "a/"}, headers=FRAGMENT))
    lines = dict(panel_of(page, "Execution time"))
    assert (
        set(lines) == {"50 % faster than", "95 % faster than", "99 % faster than", "from 91 ms"}
        or len(lines) == 4
    )
    assert "20" in lines.values()


def test_an_addresses_page_tells_which_accounts_it_tried(staff):
    activities(
        3, action_type="Login Failed", status="Failed", ip_address="10.2.3.4", actor_label="ann"
    )
    query = {"place": "address", "address": "10.2.3.4"}
    page = text_of(staff.get(FIGURES, query, headers=FRAGMENT))
    assert panel_of(page, "Accounts tried") == [("ann", "3")]


@pytest.mark.parametrize("url", [OVERVIEW, FIGURES, "/trackmate/request/r/"])
def test_nothing_that_clients_wrote_is_markup(staff, url):
    hostile_activity(source="request", status="Failed", request_id="r", method="GET")
    page = text_of(staff.get(url))
    assert SCRIPT not in page
    assert "<script>alert" not in page
    assert "onerror=alert(1)>" not in page


def test_methods_are_found_in_small_letters_and_nobody_by_that_name(staff):
    row = activity(method="GET")
    activity(method="POST", actor_label="ann")
    activity(action="command")
    list_url = reverse("trackmate:activity")
    assert keys_in(text_of(staff.get(list_url, {"method": "get"}))) == [str(row.pk)]
    assert keys_in(text_of(staff.get(list_url, {"actor": "anonymous"}))) == [str(row.pk)]
    assert ActivityLog.objects.count() == 3


# What a page says of itself


def test_the_pill_says_of_which_kinds_the_news_are(staff):
    shown = activity(ago=10)
    activities(2, action_type="Read")
    activity(action_type="Login Failed")
    query = {"since": str(shown.pk)}
    pill = text_of(staff.get(reverse("trackmate:tick"), query, headers=FRAGMENT))
    text = " ".join(re.sub(r"<[^>]+>", "", pill).split())
    assert text == "3 new: 2 Read, 1 Login Failed \N{EN DASH} show"


@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["page", "fragment"])
def test_a_page_says_what_it_cost(staff, headers):
    page = text_of(staff.get(reverse("trackmate:activity"), headers=headers))
    assert re.search(r'id="tm-cost"[^>]*>\d+ quer(?:y|ies) of the log.+s database, \d+ ms<', page)


# Pages about what was long ago


DAY = 86_400


@pytest.mark.parametrize("url", ["/trackmate/object/shop.order/7/", "/trackmate/request/r1/"])
def test_an_object_and_a_request_are_shown_whenever_they_were(staff, url):
    kind = ContentType.objects.get_for_model(Order)
    row = activity(ago=400 * DAY, content_type_id=kind.pk, object_id="7", request_id="r1")
    page = text_of(staff.get(url))
    assert keys_in(page) == [str(row.pk)]
    assert "Activities of all time, newest first" in page
    assert keys_in(text_of(staff.get(url, {"range": "30d"}))) == []


def test_the_histogram_of_all_time_begins_with_the_first_activity(staff):
    kind = ContentType.objects.get_for_model(Order)
    for ago in (0, 40 * DAY):
        activity(ago=ago, content_type_id=kind.pk, object_id="7")
    query = {"place": "object", "object": "shop.order/7"}
    page = text_of(staff.get(FIGURES, query, headers=FRAGMENT))
    assert "Activities, 1 day per bar" in page
    assert sum(int(re.search(r": (\d+),", text)[1]) for _url, text in bars_in(page)) == 2
    query["object"] = "shop.order/8"
    assert "tm-bars" in text_of(staff.get(FIGURES, query, headers=FRAGMENT))


def test_all_time_is_no_question_for_the_whole_log(staff):
    page = text_of(staff.get(reverse("trackmate:activity"), {"range": "all"}))
    assert "A filter needs another look" in page


@pytest.mark.parametrize(
    ("days", "query"),
    [(0, ""), (3, "?range=7d"), (20, "?range=30d"), (90, r"?range=custom&amp;start=")],
)
def test_links_from_an_old_activity_lead_to_where_it_is_seen(staff, days, query):
    row = activity(ago=days * DAY, ip_address="10.2.3.4")
    page = text_of(staff.get(reverse("trackmate:detail", args=[row.pk])))
    url = re.search(r'href="(/trackmate/address/10\.2\.3\.4/[^"]*)"', page)[1]
    assert url.removeprefix("/trackmate/address/10.2.3.4/").startswith(query)
    assert keys_in(text_of(staff.get(url.replace("&amp;", "&")))) == [str(row.pk)]


def test_what_occurs_most_can_be_left_out(staff):
    activities(3, route="a/", actor_label="ann")
    rest = activities(2, route="b/")
    page = text_of(staff.get(FIGURES, {"range": "1h"}, headers=FRAGMENT))
    [url] = re.findall(r'<a href="([^"]+)" title="Leave out">(?=[^/]*/span>[^/]*out a/<)', page)
    found = staff.get(url.replace("&amp;", "&"))
    assert keys_in(text_of(found)) == [str(row.pk) for row in rest]
    again = text_of(staff.get(FIGURES, {"q": '-route:"a/"', "route": "b/"}, headers=FRAGMENT))
    assert "Leave out b/<" not in again
    assert "Leave out" not in text_of(staff.get(OVERVIEW)).replace(">Leave out</th>", "")


@pytest.mark.parametrize("url", [OVERVIEW, FIGURES, "/trackmate/activity/"])
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
    figures = text_of(staff.get(FIGURES, headers=FRAGMENT))
    assert "/trackmate/actor/=cron:nightly/" in figures


def test_all_objects_of_a_kind_are_not_shown_of_all_time(staff):
    kind = ContentType.objects.get_for_model(Order)
    activity(content_type_id=kind.pk, object_id="1")
    page = text_of(staff.get("/trackmate/object/shop.order/"))
    assert "Activities of the last 24 hours" in page


@pytest.mark.parametrize(("hour", "offset"), [(0, "+02:00"), (1, "+01:00")])
def test_links_tell_the_hour_that_comes_twice_apart(settings, hour, offset):
    settings.TIME_ZONE = "Europe/Berlin"
    moment = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
    text = windows.written(moment)
    assert text == f"2026-10-25T02:30:00{offset}"
    assert MomentField().clean(text) == moment


def test_what_has_no_action_type_can_be_asked_for(staff):
    other = {str(activity(action_type=kind).pk) for kind in ("", "Other")}
    read = str(activity(action_type="Read").pk)
    for query in ({"action_type": "Other"}, {"q": "type:other"}):
        assert set(keys_in(text_of(staff.get("/trackmate/activity/", query)))) == other
    without = text_of(staff.get("/trackmate/activity/", {"q": "-type:Other"}))
    assert keys_in(without) == [read]
    page = text_of(staff.get(FIGURES, headers=FRAGMENT))
    assert panel_of(page, "Action type") == [("Other", "2"), ("Read", "1")]


def test_methods_that_clients_make_up_do_not_fill_the_memory(staff, monkeypatch):
    monkeypatch.setattr("trackmate.selectors.counts.MOST_COMBINATIONS", 3)
    for number in range(9):
        activity(method=f"M{number}")
    activities(2, method="GET")
    page = text_of(staff.get(FIGURES, headers=FRAGMENT))
    assert panel_of(page, "Method")[0] == ("GET", "2")
    assert len(panel_of(page, "Method")) == 3
