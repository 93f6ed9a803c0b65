"""Dimensions: one declaration for a column, filter, facet, suggestion, export column and page."""

import csv
import re
from html import escape, unescape

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories import activities, activity, person
from tests.shop.models import Order
from tests.urls_under_test import FRAGMENT, log_queries, text_of
from trackmate.checks import check_trackmate
from trackmate.dashboard import time_ranges
from trackmate.dashboard.dimensions import RESERVED, Dimension, columns, dimensions
from trackmate.dashboard.forms import pagination
from trackmate.dashboard.stats.facets import GROUPED
from trackmate.dashboard.tables import display_options
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

LIST = "/trackmate/activity/"
ADMIN = "/admin/trackmate/activitylog/"
PERMISSIONS = ("view_activitylog", "export_activitylog")


def keys_in(page):
    return re.findall(r'id="tm-row-([0-9a-f-]{36})"', page)


@pytest.fixture
def rows():
    cache.clear()
    countries = ({"country": "de"}, {"country": "de"}, {"country": "fr"}, {})
    return [str(activity(ago=ago, extra=extra).pk) for ago, extra in enumerate(countries)]


def found_by(client):
    """Return where a client finds the dimension `country`, and its values."""

    def get(name, params=None, **options):
        return client.get(reverse(f"trackmate:{name}", **options), params, headers=FRAGMENT)

    by_country, page = {"country": "de"}, text_of(client.get(LIST, {"filters": "all"}))
    facets = text_of(get("facets"))
    counts = re.findall(r"<bdi>(de|fr)</bdi>.*?<td><a [^>]*>(\d+)<", facets)
    export = b"".join(get("export", args=["csv"]).streaming_content).decode()
    exported = [line.get("country") for line in csv.DictReader(export.splitlines())]
    query = {"q": "-country:de country:de,fr"}
    admin = text_of(client.get(ADMIN, by_country))
    return {
        "column": page.count('title="de"><bdi>de</bdi></a></td>') == 2,
        "form field": 'id="id_country"' in page,
        "filter": len(keys_in(text_of(client.get(LIST, by_country)))) == 2,
        "key": "<bdi>country:</bdi>" in text_of(get("suggestions", {"q": "cou"})),
        "query": len(keys_in(text_of(client.get(LIST, query)))) == 1,
        "suggestion": "<bdi>country:de</bdi>" in text_of(get("suggestions", {"q": "country:"})),
        "facet": counts == [("de", "2"), ("fr", "1")],
        "export": exported == ["de", "de", "fr", ""],
        "page": len(keys_in(text_of(get("entity", args=["country", "de"])))) == 2,
        "admin filter": 'name="country"' in admin and admin.count("<tr><th class=") == 2,
    }


PLACES = {
    *("column", "form field", "filter", "key", "query", "suggestion", "facet", "export", "page"),
    "admin filter",
}


@pytest.mark.parametrize(
    ("name", "permissions", "places"),
    [
        ("country", (), PLACES),
        ("restricted_country", (), set()),
        ("restricted_country", ("view_payload",), PLACES),
    ],
)
def test_a_project_adds_a_dimension_and_finds_it_everywhere(
    client, configure, rows, name, permissions, places
):
    configure(DIMENSIONS=[f"tests.shop.dimensions.{name}"])
    client.force_login(person("ann", *PERMISSIONS, *permissions, is_staff=True))
    assert {place for place, is_found in found_by(client).items() if is_found} == places


@pytest.mark.parametrize("params", [{"country": "de"}, {"q": "country:de"}, {"q": "-country:de"}])
@pytest.mark.parametrize("path", ["", "export/csv/", "tick/", "facets/"])
def test_nobody_filters_by_a_dimension_without_its_permission(
    client, configure, rows, path, params
):
    configure(DIMENSIONS=["tests.shop.dimensions.restricted_country"])
    client.force_login(person("ann", *PERMISSIONS, is_staff=True))
    with CaptureQueriesContext(connection) as captured:
        client.get(LIST + path, {**params, "since": rows[-1]}, headers=FRAGMENT)
    assert log_queries(captured) == []


def test_a_page_and_an_order_do_not_tell_what_is_hidden(client, configure, rows):
    configure(DIMENSIONS=["tests.shop.dimensions.restricted_country"])
    client.force_login(person("ann", is_staff=True))
    with CaptureQueriesContext(connection) as captured:
        page = text_of(client.get(reverse("trackmate:entity", args=["country", "de"])))
    assert log_queries(captured) == []
    assert "First seen" not in page
    page = text_of(client.get(LIST, {"sort": "country", "columns": "country"}))
    assert '<th scope="col" class="tm-country">Country</th>' in page
    assert re.findall('aria-sort="[^"]+"', page) == ['aria-sort="descending"']
    assert page.count('aria-label="trackmate.view_payload"') == 4


def test_what_reads_the_payload_needs_the_permission_for_it(client, configure):
    configure(DIMENSIONS=["tests.shop.dimensions.secret"])
    activity(data={"secret": "opensesame"})
    client.force_login(person("ann", *PERMISSIONS, is_staff=True))
    for name in ("activity", "facets"):
        assert "opensesame" not in text_of(client.get(reverse(f"trackmate:{name}")))
    assert dimensions()["secret"].permission == "trackmate.view_payload"


def test_a_dimension_without_a_field_is_a_filter_as_well(staff, configure, rows):
    configure(DIMENSIONS=["tests.shop.dimensions.unlisted_country"])
    page = text_of(staff.get(LIST, {"country": "de", "filters": "all"}))
    assert len(keys_in(page)) == 2
    assert "<span>Country: <bdi>de</bdi></span>" in page
    assert page.count('<input type="hidden" name="country" value="de">') == 1
    assert 'id="id_country"' not in page


def test_values_that_cannot_be_suggested_do_no_harm(staff, configure):
    cache.clear()
    configure(DIMENSIONS=["tests.shop.dimensions.country"])
    activity(extra={"country": ["de"]})
    response = staff.get(reverse("trackmate:suggestions"), {"q": "country:"}, headers=FRAGMENT)
    assert response.status_code == 200


def test_a_value_that_is_not_there_is_a_dash(staff, configure):
    configure(DIMENSIONS=["tests.shop.dimensions.country"])
    activity(extra={"country": None})
    activity(extra={"country": ["de"]})
    activity(extra=[])
    page = text_of(staff.get(LIST, {"columns": "country"}))
    assert page.count('class="tm-country"><span class="tm-none">') == 2


# (value in `extra`, text of its cell, whether links find its row)
VALUES = [
    ("a,b", "a,b", True),
    ("<b>\"'&", "<b>\"'&", True),
    ("%\\", "%\\", True),
    (5, "5", True),
    (1.5, "1.5", True),
    (True, "true", True),
    (" blanks ", " blanks ", False),
    ("x" * 300, "x" * 254 + "…", False),
    (["a"], '["a"]', False),
    ({"a": 1}, '{"a": 1}', False),
]


@pytest.mark.parametrize(("value", "text", "is_linked"), VALUES)
def test_links_of_a_value_find_its_row(staff, configure, value, text, is_linked):
    configure(DIMENSIONS=["tests.shop.dimensions.country"])
    cache.clear()
    wanted = str(activity(extra={"country": value}).pk)
    rest = {str(activity(extra=extra).pk) for extra in ({"country": "de"}, {}, None)}
    page = text_of(staff.get(LIST, {"columns": "country"}))
    assert f"<bdi>{escape(text)}</bdi>" in page or f">{escape(text)}</bdi>" in page
    links = {unescape(each) for each in re.findall(r'<a class="tm-cut" href="([^"]*)"', page)}
    found = [keys_in(text_of(staff.get(link))) for link in links if "country=de" not in link]
    assert found == [[wanted]] * is_linked
    facets = text_of(staff.get(f"{LIST}facets/"))
    links = {unescape(each) for each in re.findall(r'href="([^"]*q=-country[^"]*)"', facets)}
    excluded = [set(keys_in(text_of(staff.get(link)))) for link in links if "%3Ade" not in link]
    assert all(each == rest for each in excluded)
    assert staff.get(f"{LIST}suggestions/", {"q": "country:"}).status_code == 200


@pytest.mark.parametrize("extra", ["text", ["a"], 5, {"country": None}])
def test_a_lookup_finds_nothing_in_other_documents(extra):
    row = ActivityLog(extra=extra)
    assert Dimension(name="x", label="X", lookup="extra__title").value_of(row) is None


def test_nobody_learns_a_value_without_its_permission(client, configure, rows):
    configure(DIMENSIONS=["tests.shop.dimensions.restricted_country"])
    client.force_login(person("ann", *PERMISSIONS, is_staff=True))
    orders = [keys_in(text_of(client.get(LIST, {"sort": f"{sign}country"}))) for sign in ("", "-")]
    assert orders == [rows, rows]
    known, unknown = (text_of(client.get(f"/trackmate/by/country/{each}/")) for each in ("de", "x"))
    assert "First seen" not in known
    assert "Nothing recorded" not in unknown


@pytest.mark.parametrize("name", ["nothing", "status"])
def test_a_page_about_what_has_none_is_missing(staff, name):
    assert staff.get(f"/trackmate/by/{name}/x/").status_code == 404


# Built-in dimensions


@pytest.mark.parametrize("name", columns())
def test_a_column_alone_takes_no_query_of_its_own(staff, name):
    """A dimension whose `fields` lack one that its cell reads would query it for each row."""
    fields = {"execution_time": 1, "user_agent": "x", "request_id": "r", "status_code": 404}
    fields |= {"ip_address": "10.0.0.1", "route": "a/", "method": "GET", "path": "/"}
    order = ContentType.objects.get_for_model(Order)
    activities(3, actor=person("bob"), content_type=order, object_id="1", **fields)
    with CaptureQueriesContext(connection) as captured:
        page = text_of(staff.get(LIST, {"columns": name}))
    assert len(keys_in(page)) == 3
    assert len(log_queries(captured)) == 1
    assert f'class="tm-{name}"' in page


def test_names_and_keys_are_unique():
    built_in = dimensions().values()
    keys = [key for each in built_in for key in each.keys]
    assert len(keys) == len(set(keys))
    assert all(re.fullmatch("[a-z_]+", key) for key in keys)
    assert not RESERVED & dimensions().keys()
    assert {
        "q",
        "page",
        *time_ranges.TIME_PARAMS,
        *pagination.PAGE_PARAMS,
        display_options.SORT,
        *display_options.DISPLAY_PARAMS,
    } <= RESERVED


@pytest.mark.parametrize("name", dimensions())
def test_every_built_in_dimension_is_complete(name):
    dimension = dimensions()[name]
    assert dimension.parser
    assert str(dimension.label)
    if dimension.has_page:
        assert reverse(f"trackmate:{name}", args=["x"])
    model_fields = {field.name for field in ActivityLog._meta.fields}
    assert {*dimension.fields, dimension.sort_field or "pk"} <= {*model_fields, "pk"}
    assert set(dimension.export_fields) <= {*model_fields, "actor_id", "object_type"}
    assert set(GROUPED) <= dimensions().keys()


# The system check

WRONG = {
    "page": Dimension(name="page", label="", keys=("sheet",)),
    "remarks": Dimension(name="remarks", label=""),
    "save": Dimension(name="save", label=""),
    "actor": Dimension(name="actor", label="", keys=("person",)),
    "user": Dimension(name="person", label="", keys=("person", "user")),
    "country": Dimension(name="country", label="", keys=("land",)),
    "two-words": Dimension(name="two-words", label=""),
    "de2": Dimension(name="code_of_country", label="", keys=("de2",)),
}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((each, "is reserved") for each in ("page", "remarks", "save")),
        ("actor", "is taken by another dimension"),
        ("user", "is taken by another dimension"),
        ("country", "is taken by another dimension"),
        ("two-words", "has other characters than letters and _"),
        ("de2", "has other characters than letters and _"),
    ],
)
def test_a_wrong_name_is_reported(configure, monkeypatch, name, reason):
    monkeypatch.setattr("tests.shop.dimensions.wrong", WRONG[name], raising=False)
    configure(DIMENSIONS=["tests.shop.dimensions.country", "tests.shop.dimensions.wrong"])
    messages = check_trackmate()
    assert {each.id for each in messages} == {"trackmate.E005"}
    assert f"the name {name!r} of 'tests.shop.dimensions.wrong' {reason}." in messages[0].msg


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("tests.shop.dimensions.nothing", "does not define"),
        ("tests.nothing.country", "No module named"),
        ("tests.shop.models.Order", "it is not a Dimension"),
    ],
)
def test_a_path_that_leads_to_no_dimension_is_reported(staff, configure, caplog, path, reason):
    configure(DIMENSIONS=[path, "tests.shop.dimensions.country"])
    [message] = check_trackmate()
    assert message.id == "trackmate.E004"
    assert reason in message.msg
    # The dashboard does without it.
    assert "Country" in text_of(staff.get(LIST, {"filters": "all"}))
    assert f"DIMENSIONS: {path!r} cannot be loaded" in caplog.text


# Names of actors and action types


HASH = "sha256:6fc8e2b0a1d94c7f8e5b3a2d1c0f9e8d"


def test_a_hashed_account_has_a_short_name(staff):
    row = activity(actor_label=HASH, action_type="Login Failed", ip_address="10.0.0.1")
    assert (row.who, row.actor_label) == ("Unknown account (6fc8)", HASH)
    page = text_of(staff.get(LIST))
    [url] = re.findall(r'<a class="tm-cut" href="([^"]+)" title="Unknown account \(6fc8\)">', page)
    assert keys_in(text_of(staff.get(unescape(url)))) == [str(row.pk)]
    assert keys_in(text_of(staff.get(LIST, {"actor": HASH}))) == [str(row.pk)]
    for url in ("/trackmate/", reverse("trackmate:facets"), f"/trackmate/actor/={HASH}/"):
        assert "<bdi>Unknown account (6fc8)</bdi>" in text_of(staff.get(url))


def test_a_failed_login_has_a_label_and_keeps_its_value(staff):
    row = activity(action_type="Login Failed")
    page = text_of(staff.get(LIST, {"action_type": "Login Failed", "filters": "all"}))
    assert keys_in(page) == [str(row.pk)]
    assert '<span class="tm-badge" data-type="login-failed">Failed login</span>' in page
    assert '<option value="Login Failed" selected>Failed login</option>' in page
    assert "<span>Action type: <bdi>Failed login</bdi></span>" in page


@pytest.mark.parametrize("label", ["#5", "#nightly", "=x", "a,b", "cron:nightly"])
def test_the_link_of_an_actor_finds_its_rows(staff, label):
    wanted = str(activity(actor_label=label).pk)
    activity(actor_label="other")
    page = text_of(staff.get(LIST))
    links = re.findall(r'<td class="tm-actor"><a class="tm-cut" href="([^"]*)"', page)
    found = [keys_in(text_of(staff.get(unescape(link)))) for link in links]
    assert [wanted] in found


@pytest.mark.parametrize("name", ["login_failed", "read", "LOGIN"])
def test_an_action_type_of_a_project_may_resemble_a_built_in_one(staff, name):
    wanted = str(activity(action_type=name).pk)
    activity(action_type="Create")
    for params in ({"action_type": name}, {"q": f"type:{name}"}):
        assert keys_in(text_of(staff.get(LIST, params))) == [wanted]
