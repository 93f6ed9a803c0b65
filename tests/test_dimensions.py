"""Dimensions: one declaration for a column, filter, facet, suggestion, export column and page."""

import csv
import re
from html import escape, unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories import SCRIPT, UNKNOWN, activities, activity, person
from tests.shop.models import Order
from tests.urls_under_test import FRAGMENT, log_queries, text_of
from trackmate.checks import check_trackmate
from trackmate.dashboard import time_ranges
from trackmate.dashboard.detail import facts
from trackmate.dashboard.dimensions import RESERVED, Dimension, columns, dimensions
from trackmate.dashboard.forms import pagination
from trackmate.dashboard.stats.facets import GROUPED
from trackmate.dashboard.tables import account_tables, display_options
from trackmate.enums import Source
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
    assert set(dimension.export_fields) <= {
        *model_fields,
        "actor_id",
        "impersonator_id",
        "object_type",
    }
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
    row = failed_login(HASH, object_repr=HASH, ip_address="10.0.0.1")
    assert (row.object_name, row.object_repr) == ("Unknown account (6fc8)", HASH)
    page = text_of(staff.get(LIST))
    [url] = re.findall(r'<a class="tm-cut" href="([^"]+)" title="Unknown account \(6fc8\)">', page)
    assert keys_in(text_of(staff.get(unescape(url)))) == [str(row.pk)]
    account = f"{get_user_model()._meta.label_lower}/{HASH}"
    for url in (
        LIST,
        f"{LIST}{row.pk}/",
        reverse("trackmate:object", args=[account]),
        f"{reverse('trackmate:facets')}?page=address&address=10.0.0.1",
    ):
        assert "<bdi>Unknown account (6fc8)</bdi>" in text_of(staff.get(url))
    assert '<h1 class="tm-title"><bdi>Unknown account (6fc8)</bdi>' in text_of(
        staff.get(reverse("trackmate:object", args=[account]))
    )


def test_an_unknown_account_is_nowhere_in_the_admin(admin_client):
    user = get_user_model()._meta
    links = {}
    for key in (HASH, "5"):
        row = failed_login(key, object_repr=key)
        facets = f"{reverse('trackmate:facets')}?page=object&object={user.label_lower}/{key}"
        for url in (facets, f"{LIST}{row.pk}/"):
            links.setdefault(key, set()).add(
                f"/admin/{user.app_label}/{user.model_name}/" in text_of(admin_client.get(url))
            )
    assert links == {HASH: {False}, "5": {True}}


@pytest.mark.parametrize("name", ["sha256:" + "a" * 64, "sha256:", "sha256:abc", f" {HASH}"])
def test_an_object_that_is_called_like_a_hash_keeps_its_name(name):
    assert activity(object_id=name, object_repr=name).object_name == name
    assert activity(object_id="7", object_repr=HASH).object_name == HASH


def failed_login(key="5", **fields):
    """Store a failed login to an account."""
    account = ContentType.objects.get_for_model(get_user_model())
    values = {"action_type": "Login Failed", "method": "POST", "content_type": account}
    return activity(**{**values, "object_id": str(key), "object_repr": "alice", **fields})


def test_who_failed_to_log_in_is_unknown_and_not_anonymous(staff):
    failed, anonymous = str(failed_login().pk), str(activity(method="GET").pk)
    page = text_of(staff.get(LIST))
    actors = re.findall(r'<td class="tm-actor"><span class="tm-none">(\w+)</span>', page)
    assert sorted(actors) == ["anonymous", "unknown"]
    for name, wanted in (("unknown", failed), ("anonymous", anonymous)):
        assert keys_in(text_of(staff.get(LIST, {"actor": name}))) == [wanted]
        assert keys_in(text_of(staff.get(LIST, {"q": f"actor:{name}"}))) == [wanted]


def test_failed_logins_are_no_activities_of_an_actor_in_any_count(staff):
    failed_login(actor_label="mallory")
    activity(actor_label="ann")
    for url in ("/trackmate/", reverse("trackmate:facets")):
        page = text_of(staff.get(url))
        assert re.findall(r'<th scope="row"><a [^>]*title="(ann|mallory)"', page) == ["ann"]


# Who acted as somebody else


def acted(actor, impersonator, **fields):
    """Store what one person did as another."""
    labels = {"actor_label": str(actor), "impersonator_label": str(impersonator)}
    return activity(actor=actor, impersonator=impersonator, **{**labels, **fields})


@pytest.fixture
def people():
    return person("alice"), person("admin", is_staff=True)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("as:alice", {"alice by admin", "old alice by admin"}),
        ("as:admin", {"alice by admin", "old alice by admin"}),
        ("as:ADM", {"alice by admin", "old alice by admin"}),
        ("impersonator:=admin", {"alice by admin", "old alice by admin"}),
        ("as:=alice", {"alice by admin"}),
        ("as:{alice}", {"alice by admin", "old alice by admin"}),
        ("as:{admin}", {"alice by admin", "old alice by admin"}),
        ("as:cron", {"cron by deploy"}),
        ("as:deplo", {"cron by deploy"}),
        ("as:anonymous", set()),
        ("as:unknown", set()),
        ("-as:alice", {"alice", "admin", "cron", "cron by deploy", "nobody"}),
        ("as:alice,cron", {"alice by admin", "old alice by admin", "cron by deploy"}),
        ('as:"%"', set()),
    ],
)
def test_either_side_of_an_impersonation_finds_it(staff, people, line, found):
    alice, admin = people
    rows = {
        "alice": activity(actor=alice),
        "admin": activity(actor=admin),
        "cron": activity(actor_label="cron"),
        "nobody": activity(method="GET"),
        "alice by admin": acted(alice, admin),
        "old alice by admin": acted(alice, admin, actor_label="al"),
        "cron by deploy": activity(actor_label="cron", impersonator_label="deploy"),
    }
    line = line.format(alice=f"#{alice.pk}", admin=f"#{admin.pk}")
    names = {str(row.pk): name for name, row in rows.items()}
    page = text_of(staff.get(LIST, {"q": line}))
    assert {names[key] for key in keys_in(page)} == found


def test_a_key_that_is_none_gets_a_message(staff):
    page = text_of(staff.get(LIST, {"q": "as:#none"}))
    assert "“#none” is not the ID of a user." in page


def test_the_actor_of_an_impersonation_is_read_with_the_person(staff, people):
    row = acted(*people)
    page = text_of(staff.get(LIST))
    [cell] = re.findall(r'<td class="tm-actor">(.*?)</td>', page)
    assert re.sub("<[^>]+>", "", cell) == "alice (by admin)"
    urls = re.findall(r'href="([^"]+)"', cell)
    assert [keys_in(text_of(staff.get(unescape(url)))) for url in urls] == [[str(row.pk)]] * 2
    assert (row.actor_text, str(row).endswith(" alice: ")) == ("alice (by admin)", True)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, ""),
        ({"method": "GET", "impersonator_label": "x"}, "anonymous (by x)"),
        ({"actor_label": "a", "impersonator_id": UNKNOWN}, f"a (by #{UNKNOWN})"),
        ({"actor_label": "100%", "impersonator_label": "%s%(x)s"}, "100% (by %s%(x)s)"),
        ({"actor_label": "<b>", "impersonator_label": SCRIPT}, f"<b> (by {SCRIPT})"),
    ],
)
def test_an_actor_with_any_names(staff, fields, text):
    assert activity(**fields).actor_text == text
    page = text_of(staff.get(LIST))
    [cell] = re.findall(r'<td class="tm-actor">(.*?)</td>', page)
    assert unescape(re.sub("<[^>]+>", "", cell)) == (text or "\N{EN DASH}")
    assert SCRIPT not in page


def test_what_most_projects_do_not_have_takes_no_space(staff):
    row = activity(actor_label="ann")
    lists = text_of(staff.get(LIST)) + text_of(staff.get(reverse("trackmate:facets")))
    detail = text_of(staff.get(f"{LIST}{row.pk}/"))
    for name in ("Impersonator", "Tenant", "Trace", "Reason"):
        assert f"<h2>{name}</h2>" not in lists
        assert f">{name}</th>" not in lists
        assert f"<dt>{name}</dt>" not in detail


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def full(people):
    alice, admin = people
    values = {"tenant": "acme", "trace_id": TRACE, "reason": "ticket 4711", "action": "full"}
    activity(actor=alice, tenant="other", trace_id="0" * 32, reason="no", action="other")
    return acted(alice, admin, **values)


@pytest.mark.parametrize(
    "line",
    [
        "tenant:acme",
        f"trace:{TRACE}",
        f"trace_id:{TRACE}",
        'reason:"t 47"',
        "4711",
        "reason:ticket",
    ],
)
def test_the_other_columns_are_searched(staff, full, line):
    assert keys_in(text_of(staff.get(LIST, {"q": line}))) == [str(full.pk)]


def test_the_other_columns_are_columns_suggestions_facets_and_exports(client, people, full):
    client.force_login(person("ann", *PERMISSIONS, is_staff=True))
    columns = "time,impersonator,tenant,trace,reason"
    page = text_of(client.get(LIST, {"columns": columns, "q": "action:full"}))
    [row] = re.findall(r"<td.*</td></tr>", page)
    assert re.sub("(?:<[^>]+>)+", " ", row).split() == ["admin", "acme", TRACE, "ticket", "4711"]
    for line, text in (("tenant:a", "tenant:acme"), ("as:", "as:admin")):
        answer = client.get(reverse("trackmate:suggestions"), {"q": line}, headers=FRAGMENT)
        assert f"<bdi>{text}</bdi>" in text_of(answer)
    facets = text_of(client.get(reverse("trackmate:facets"), headers=FRAGMENT))
    assert re.findall(r"<bdi>(acme|other)</bdi>", facets) == ["acme", "other"]
    export = b"".join(client.get(reverse("trackmate:export", args=["csv"])).streaming_content)
    found = {line["action"]: line for line in csv.DictReader(export.decode().splitlines())}["full"]
    names = ("impersonator_label", "impersonator_id", "tenant", "trace_id", "reason")
    key = str(people[1].pk)
    assert [found[name] for name in names] == ["admin", key, "acme", TRACE, "ticket 4711"]


def test_the_page_of_an_activity_and_the_admin_show_them(client, people, full, configure):
    configure(TRACE_URL="https://traces.example.org/t/{trace_id}?from=trackmate")
    client.force_login(person("ann", *PERMISSIONS, is_staff=True))
    page = text_of(client.get(f"{LIST}{full.pk}/"))
    for name, text in {"Tenant": "acme", "Reason": "ticket 4711"}.items():
        assert f"<dt>{name}</dt><dd><bdi>{text}</bdi></dd>" in page
    person_url = reverse("trackmate:actor", args=[f"#{people[1].pk}"])
    assert f'<dt>Impersonator</dt><dd><a href="{person_url}"><bdi>admin</bdi></a>' in page
    assert f'href="https://traces.example.org/t/{TRACE}?from=trackmate" rel="noreferrer"' in page
    for url in (ADMIN, f"{ADMIN}{full.pk}/change/"):
        assert "alice (by admin)" in text_of(client.get(url))
    page = text_of(client.get(f"{ADMIN}{full.pk}/change/"))
    assert [text for text in ("acme", TRACE, "ticket 4711") if text not in page] == []


@pytest.mark.parametrize(
    ("template", "trace"),
    [
        (None, TRACE),
        ("javascript:alert('{trace_id}')", TRACE),
        ("//traces.example.org/{trace_id}", TRACE),
        ("data:text/html,{trace_id}", TRACE),
        (" https://traces.example.org/{trace_id}", TRACE),
        ("https://traces.example.org/{trace_id}", "../../logout"),
        ("https://traces.example.org/{trace_id}", f"{TRACE[:-1]}\n"),
        ("https://traces.example.org/{trace_id}", TRACE.upper()),
        ("https://traces.example.org/{trace_id}", "\N{ARABIC-INDIC DIGIT ONE}" * 32),
    ],
)
def test_only_a_trace_on_the_web_is_linked(configure, template, trace):
    configure(TRACE_URL=template)
    assert facts.trace_url(trace) == ""


def test_the_address_of_a_trace_may_contain_other_braces(configure):
    configure(TRACE_URL="HTTPS://traces.example.org/{org}/{0}/{trace_id!r}/{trace_id}")
    assert facts.trace_url(TRACE) == (
        f"HTTPS://traces.example.org/{{org}}/{{0}}/{{trace_id!r}}/{TRACE}"
    )


# The page of a user


@pytest.mark.parametrize("value", ["#{key}", "alice", "=alice", "{key}"])
def test_the_page_of_a_user_has_the_attempts_on_the_account(staff, people, value):
    alice, _admin = people
    own = activity(actor=alice, actor_label="alice")
    attempts = [failed_login(alice.pk, ago=ago) for ago in range(12)]
    failed_login("0")
    page = text_of(staff.get(reverse("trackmate:actor", args=[value.format(key=alice.pk)])))
    assert keys_in(page) == [str(own.pk)]
    [section] = re.findall(
        r'<details class="tm-fold" id="tm-attempts">.*?</details>', page, re.DOTALL
    )
    assert "<summary>Attempts on this account (12)</summary>" in section
    shown = re.findall(r'<tr id="tm-attempts-([\w-]+)"', section)
    assert shown == [str(row.pk) for row in attempts[:10]]
    [url] = re.findall(r'<a class="tm-button" href="([^"]+)"', section)
    assert len(keys_in(text_of(staff.get(unescape(url))))) == 12


def test_attempts_are_counted_up_to_a_cap(staff, people, monkeypatch):
    monkeypatch.setattr(account_tables, "MAX_COUNT", 11)
    for ago in range(13):
        failed_login(people[0].pk, ago=ago)
    page = text_of(staff.get(reverse("trackmate:actor", args=["alice"])))
    assert "Attempts on this account (11+)" in page


def test_the_page_of_a_user_has_what_they_did_as_somebody_else(staff, people):
    alice, admin = people
    row = acted(alice, admin, ago=90 * 86_400)
    page = text_of(staff.get(reverse("trackmate:actor", args=["admin"])))
    [section] = re.findall(
        r'<details class="tm-fold" id="tm-as-others">.*?</details>', page, re.DOTALL
    )
    assert "<summary>As somebody else (1)</summary>" in section
    assert f'<tr id="tm-as-others-{row.pk}"' in section
    [url] = re.findall(r'<a class="tm-button" href="([^"]+)"', section)
    assert keys_in(text_of(staff.get(unescape(url)))) == [str(row.pk)]
    assert "tm-as-others" not in text_of(staff.get(reverse("trackmate:actor", args=["alice"])))


@pytest.mark.parametrize("value", ["=nobody", "nobody", "anonymous", "#x", "a" * 300, "#9" * 40])
def test_the_page_of_an_actor_who_is_no_user_has_neither(staff, people, value):
    failed_login(people[0].pk)
    page = text_of(staff.get(reverse("trackmate:actor", args=[value])))
    assert "tm-attempts" not in page


def test_the_rows_that_a_person_may_not_see_are_in_neither(staff, people, configure):
    configure(DASHBOARD_QUERYSET=lambda _request, rows: rows.filter(action="visible"))
    failed_login(people[0].pk)
    acted(people[0], people[1])
    for name in ("alice", "admin"):
        page = text_of(staff.get(reverse("trackmate:actor", args=[name])))
        assert "tm-attempts" not in page
        assert "tm-as-others" not in page


@pytest.mark.parametrize("line", ["type:action", "type:Action", "action_type:ACTION"])
def test_an_action_without_a_name_has_a_badge_and_is_found(staff, line):
    row = activity(action_type="Action")
    activity(action_type="Create")
    page = text_of(staff.get(LIST, {"q": line}))
    assert keys_in(page) == [str(row.pk)]
    assert '<span class="tm-badge" data-type="action">Action</span>' in page


@pytest.mark.parametrize(("name", "label"), Source.choices)
def test_every_source_has_a_label_and_is_found(staff, name, label):
    row = activity(source=name)
    page = text_of(staff.get(LIST, {"q": f"source:{name}", "columns": "time,source"}))
    assert keys_in(page) == [str(row.pk)]
    assert f'<td class="tm-source">{label}</td>' in page


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
