"""The query line and the form together: conditions, time ranges, chips, fields on demand."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.contenttypes.models import ContentType
from django.http import QueryDict
from django.urls import URLResolver, clear_url_caches, include, path, reverse
from django.urls.resolvers import LocalePrefixPattern
from django.utils import timezone

from tests.factories import activity, at, person
from tests.shop.models import Order
from tests.urls_under_test import FRAGMENT, text_of
from trackmate.dashboard.dimensions import dimensions
from trackmate.dashboard.entities import EXPLORER, entity_page
from trackmate.dashboard.search.active_filters import active_filters
from trackmate.dashboard.search.filters import ActivityFilters
from trackmate.dashboard.search.syntax import MAX_LENGTH
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

LIST = "/trackmate/activity/"
IN_FORM = [name for name, each in dimensions().items() if each.in_form]


def filters_for(params, page=EXPLORER, **options):
    query = QueryDict(mutable=True)
    query.update(params)
    return ActivityFilters(query, ActivityLog.objects.all(), page, **options)


def time_range_for(params, page=EXPLORER):
    filters = filters_for(params, page)
    assert filters.is_valid(), filters.form.errors
    return filters.time_range


def keys_in(page):
    return re.findall(r'id="tm-row-([0-9a-f-]{36})"', page)


def params_of(url):
    return dict(parse_qsl(urlsplit(url).query))


@pytest.fixture
def rows():
    order = ContentType.objects.get_for_model(Order)
    activity(
        remarks="a",
        actor_label="alice",
        action_type="Read",
        status_code=200,
        method="GET",
        path="/orders/1",
        ip_address="10.1.2.3",
        execution_time=0.2,
        request_id="r1",
    )
    activity(remarks="b", actor_label="alice", status="Failed", status_code=503, execution_time=3)
    activity(remarks="c", actor_label="bob", action="invoice.approved", source="auth")
    activity(remarks="d", actor_label="bob", content_type=order, object_id="1", route="orders/")


# Conditions


@pytest.mark.parametrize(
    ("params", "remarks"),
    [
        ({}, "abcd"),
        ({"actor": "alice"}, "ab"),
        ({"actor": " alice "}, "ab"),
        ({"actor": ""}, "abcd"),
        ({"actor": "alice", "status": "Failed"}, "b"),
        ({"actor": "alice", "q": "status:5xx"}, "b"),
        ({"actor": "alice", "q": "actor:alice"}, "ab"),
        ({"actor": "alice", "q": "actor:bob"}, ""),
        ({"actor": "bob", "q": "actor:alice,bob -object:shop.order"}, "c"),
        ({"q": "-actor:alice", "source": "Auth"}, "c"),
        ({"actor": "alice,bob"}, ""),
        ({"action_type": "read"}, "a"),
        ({"status_code": ">=500"}, "b"),
        ({"address": "10.0.0.0/8", "method": "get", "path": "/orders/*"}, "a"),
        ({"duration": ">1s"}, "b"),
        ({"request": "r1"}, "a"),
        ({"route": "orders/", "object": "shop.order/1"}, "d"),
        ({"action": "invoice.approved"}, "c"),
        ({"agent": "Firefox"}, ""),
        ({"country": "de", "was": "actor:bob"}, "abcd"),
    ],
)
def test_a_row_has_to_match_the_line_and_every_field(rows, params, remarks):
    filters = filters_for(params)
    assert filters.is_valid(), filters.form.errors
    assert set(filters.qs.values_list("remarks", flat=True)) == set(remarks)


@pytest.mark.parametrize(
    "params",
    [
        {"q": 'x   type:"read" ACTOR:alice', "actor": "bob"},
        {"q": "created:-7d..", "status": "Failed"},
        {"range": "7d", "q": "status:faild"},
    ],
)
def test_nothing_that_somebody_typed_is_rewritten(staff, params):
    assert filters_for(params).params == params
    response = staff.get(LIST, params)
    assert response.status_code == 200
    [line] = re.findall(r'<input type="text" name="q" value="([^"]*)"', text_of(response))
    assert unescape(line) == params["q"]


@pytest.mark.parametrize("part", ["", "facets/", "tick/"])
def test_every_part_of_a_page_has_the_same_filters(staff, part):
    alice = activity(actor_label="alice", status="Failed")
    activity(actor_label="alice", action="other")
    activity(actor_label="bob", status="Failed")
    params = {"q": "status:failed", "actor": "alice"}
    since = "00000000-0000-7000-8000-000000000000"
    page = text_of(staff.get(LIST + part, {**params, "since": since}, headers=FRAGMENT))
    shown = {"": f"tm-row-{alice.pk}", "facets/": "1 activities, 1 failed", "tick/": "Show 1 new"}
    assert shown[part] in page
    assert "bob" not in page


@pytest.mark.parametrize(("line", "count"), [("actor:lee", 1), ("actor:bob", 0), ("ann", 1)])
def test_the_filter_of_a_page_holds_beside_the_line(staff, line, count):
    activity(actor_label="ann lee", remarks="x")
    page = text_of(staff.get("/trackmate/actor/=ann%20lee/", {"q": line, "actor": "bob"}))
    assert len(keys_in(page)) == count


@pytest.mark.parametrize(
    ("params", "name", "message"),
    [
        ({"q": "a\0b"}, "q", "Null characters are not allowed."),
        ({"q": "x" * (MAX_LENGTH + 1)}, "q", "at most 1000 characters"),
        ({"q": "actr:x"}, "q", "Did you mean “actor:”?"),
        ({"status_code": "many"}, "status_code", "“many” is not a status code"),
        ({"status": "faild"}, "status", "Did you mean “Failed”?"),
        ({"address": "nowhere"}, "address", "“nowhere” is neither an address nor a network"),
        ({"duration": "soon"}, "duration", "“soon” is not a duration"),
        ({"range": "1y"}, "range", "Select a valid choice"),
        ({"range": "custom"}, "start", "Enter a start date."),
        ({"start": "soon"}, "start", "“soon” is not a date and time."),
        ({"start": "2999-01-01"}, "start", "The start must be in the past"),
        ({"start": "2026-01-02", "end": "2026-01-01"}, "end", "The end must be after the start."),
    ],
)
def test_a_value_that_is_not_valid_has_a_message(staff, params, name, message):
    assert message in str(filters_for(params).form.errors[name])
    page = text_of(staff.get(LIST, params))
    assert "We could not understand:" in page
    assert message in re.search(rf'id="tm-error-{name}">(.*?)</p>', page, re.DOTALL)[1]
    assert keys_in(page) == []


# Time ranges


@pytest.mark.parametrize(
    ("params", "start", "end"),
    [
        ({}, (27, 12), None),
        ({"range": "1h"}, (28, 11), None),
        # Instead of the default
        ({"q": "created:-7d"}, (21, 12), None),
        ({"q": "created:-7d", "range": "24h"}, (21, 12), None),
        ({"q": "time:yesterday"}, (27, 0), (28, 0)),
        # What two ranges have in common
        ({"q": "created:-7d", "range": "1h"}, (28, 11), None),
        ({"q": "created:-1h", "range": "7d"}, (28, 11), None),
        ({"q": "created:yesterday", "start": "2026-11-27T10:00"}, (27, 10), (28, 0)),
        ({"q": "created:-3d..-1d", "start": "2026-11-20", "end": "2026-11-27"}, (25, 12), (27, 0)),
        ({"q": "created:-7d created:..yesterday"}, (21, 12), (27, 0)),
        ({"q": "created:-1h", "range": "custom", "start": "2026-11-28T11:30"}, (28, 11.5), None),
    ],
)
def test_which_time_is_searched(monkeypatch, params, start, end):
    monkeypatch.setattr(timezone, "now", lambda: at(2026, 11, 28, 12))
    time_range = time_range_for(params)
    expected = [
        each and at(2026, 11, each[0], int(each[1]), int(each[1] % 1 * 60)) for each in (start, end)
    ]
    assert [time_range.start, time_range.end] == expected
    assert time_range.text


@pytest.mark.parametrize(
    "params",
    [
        {"q": "created:yesterday", "range": "1h"},
        {"q": "created:today created:yesterday"},
        {"q": "created:-1h", "start": "2026-11-20", "end": "2026-11-21"},
    ],
)
def test_ranges_that_do_not_overlap(monkeypatch, params):
    monkeypatch.setattr(timezone, "now", lambda: at(2026, 11, 28, 12))
    assert "The time ranges do not overlap." in str(filters_for(params).form.errors["q"])


def test_the_line_limits_a_page_of_all_time():
    page = entity_page("object", "shop.order/1")
    assert time_range_for({}, page).is_unlimited
    assert time_range_for({"range": "all"}, page).is_unlimited
    assert not time_range_for({"q": "created:-1h"}, page).is_unlimited


def test_a_date_is_shown_in_the_time_zone_of_the_reader(staff):
    params = {"range": "custom", "start": "2026-11-01T12:00:00Z"}
    for zone, clock in (("utc", "12"), ("local", "13"), ("utc", "12")):
        page = text_of(staff.get(LIST, {**params, "zone": zone}))
        assert re.search(f'name="start" value="2026-11-01T{clock}:00:00"', page)


# Chips


@pytest.mark.parametrize(
    ("params", "chips"),
    [
        ({}, []),
        ({"range": "7d", "sort": "time"}, []),
        ({"actor": "=ann"}, [("Actor", "=ann", False, {})]),
        ({"status": "Failed"}, [("Status", "Failed", False, {})]),
        (
            {"q": "-type:read x y ip:10.1.2.3", "actor": "a"},
            [
                ("", "x y", False, {"q": "-type:read ip:10.1.2.3", "actor": "a"}),
                ("Action type", "read", True, {"q": "x y ip:10.1.2.3", "actor": "a"}),
                ("Address", "10.1.2.3", False, {"q": "-type:read x y", "actor": "a"}),
                ("Actor", "a", False, {"q": "-type:read x y ip:10.1.2.3"}),
            ],
        ),
        (
            {"q": 'USER:"Ann Lee" "two words" created:-1h', "range": "7d"},
            [
                ("Actor", "Ann Lee", False, {"q": '"two words" created:-1h', "range": "7d"}),
                ("", "two words", False, {"q": 'USER:"Ann Lee" created:-1h', "range": "7d"}),
                ("Time", "-1h", False, {"q": 'USER:"Ann Lee" "two words"', "range": "7d"}),
            ],
        ),
        (
            {"q": "actor:a actor:a zzz:1"},
            [
                ("Actor", "a", False, {"q": "actor:a zzz:1"}),
                ("Actor", "a", False, {"q": "actor:a zzz:1"}),
                ("zzz", "1", False, {"q": "actor:a actor:a"}),
            ],
        ),
    ],
)
def test_each_filter_is_a_chip_with_a_link_that_removes_it(params, chips):
    found = active_filters(EXPLORER, params)
    shown = [(each.label, each.value, each.is_negated) for each in found]
    assert shown == [chip[:3] for chip in chips]
    for each, (*_shown, rest) in zip(found, chips, strict=True):
        # The bare address would open the default view.
        assert params_of(each.remove_url) == (rest or {"range": "24h"})


def test_chips_are_on_the_page_and_their_links_work(staff):
    rows = {name: activity(actor_label=name, status="Failed") for name in ("ann", "bob")}
    activity(actor_label="ann")
    params = {"q": "-status:success", "actor": "ann", "density": "compact"}
    page = text_of(staff.get(LIST, params))
    assert keys_in(page) == [str(rows["ann"].pk)]
    chips = re.findall(
        r'<li class="tm-chip"( data-negated)?>.*?<a href="([^"]+)">', page, re.DOTALL
    )
    assert [negated for negated, _url in chips] == [" data-negated", ""]
    without_status, without_actor = (unescape(url) for _negated, url in chips)
    assert params_of(without_status) == {"actor": "ann", "density": "compact"}
    assert len(keys_in(text_of(staff.get(without_status)))) == 2
    assert len(keys_in(text_of(staff.get(without_actor)))) == 2
    assert "Remove the filter Actor ann" in page


def test_the_filter_of_a_page_is_no_chip(staff):
    activity(actor_label="ann")
    page = text_of(staff.get("/trackmate/actor/ann/", {"status": "Success"}))
    [url] = re.findall(r'<li class="tm-chip">.*?<a href="([^"]+)">', page, re.DOTALL)
    assert url == "/trackmate/actor/ann/"


# Fields on demand


def fields_in(page):
    form = re.search(r'<form class="tm-filters".*?</form>', page, re.DOTALL)
    inputs = re.findall(r'<(?:input|select)[^>]* name="(\w+)"[^>]*>', (form or [page])[0])
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name for name in inputs if name in IN_FORM}, dict(hidden)


def test_a_list_has_no_field_of_a_dimension_until_it_is_opened(staff):
    params = {"actor": "ann", "duration": ">1s", "q": "x", "range": "7d"}
    names, hidden = fields_in(text_of(staff.get(LIST, params)))
    assert names == {"actor", "duration"}
    assert (hidden["actor"], hidden["duration"]) == ("ann", "&gt;1s")
    assert filters_for(params).hidden_params == {"actor": "ann", "duration": ">1s"}
    assert filters_for(params, has_all_fields=True).hidden_params == {}


@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["page", "fragment"])
def test_with_all_filters_a_list_has_every_field_once(staff, headers):
    response = staff.get(LIST, {"filters": "all", "actor": "ann"}, headers=headers)
    names, hidden = fields_in(text_of(response))
    assert names == set(IN_FORM)
    assert hidden["filters"] == "all"
    assert not hidden.keys() & set(IN_FORM)
    if headers:
        assert response["HX-Push-Url"] == f"{LIST}?actor=ann"


def test_the_fields_are_a_part_of_their_own(staff):
    url, params = reverse("trackmate:filters"), {"actor": "ann", "q": "x"}
    names, _hidden = fields_in(text_of(staff.get(url, params, headers=FRAGMENT)))
    assert names == set(IN_FORM)
    response = staff.get(url, params)
    assert response.status_code == 302
    assert params_of(response.url) == {**params, "filters": "all"}
    names, _hidden = fields_in(text_of(staff.get(response.url)))
    assert names == set(IN_FORM)
    page = {"page": "actor", "actor": "ann"}
    names, _hidden = fields_in(text_of(staff.get(url, page, headers=FRAGMENT)))
    assert names == {*IN_FORM} - {"actor"}


def test_a_field_with_an_error_is_on_the_page(staff):
    names, _hidden = fields_in(text_of(staff.get(LIST, {"status_code": "many"})))
    assert names == set(IN_FORM)


def test_a_choice_that_the_form_does_not_have_stays_in_it(staff):
    page = text_of(staff.get(LIST, {"action_type": "Approve", "filters": "all"}))
    assert '<option value="Approve" selected>Approve</option>' in page


# Addresses


class TenantPattern(LocalePrefixPattern):
    """A tenant, in the place where `i18n_patterns` has the language."""

    tenant = "one"

    @property
    def language_prefix(self):
        return f"of/{self.tenant}/"


urlpatterns = [URLResolver(TenantPattern(), [path("trackmate/", include("trackmate.urls"))])]


@pytest.mark.urls("tests.test_search")
def test_links_of_a_tenant_lead_to_its_own_pages(client, monkeypatch):
    client.force_login(person("staff", is_staff=True))
    activity(actor_label="ann")
    for tenant in ("one", "two", "one"):
        monkeypatch.setattr(TenantPattern, "tenant", tenant)
        clear_url_caches()
        for page in ("activity/?range=24h", "?range=24h", "actor/=ann/"):
            html = text_of(client.get(f"/of/{tenant}/trackmate/{page}"))
            targets = re.findall('(?:href|action|data-url|hx-get)="/of/([a-z]+)/', html)
            assert len(targets) > 10
            assert set(targets) == {tenant}
