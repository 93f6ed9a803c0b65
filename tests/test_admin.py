"""The log in the admin: what is listed, how it is narrowed, what a row shows."""

import re
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories import SCRIPT, activities, activity, hostile_activity, person, user_page
from tests.shop.models import Order
from tests.slow import slow_log
from tests.urls_under_test import text_of
from trackmate import admin as trackmate_admin
from trackmate.models import ActivityLog

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]

LIST = "/admin/trackmate/activitylog/"


def keys_in(response):
    return [str(row.pk) for row in response.context["cl"].result_list]


def change(row):
    return reverse("admin:trackmate_activitylog_change", args=[row.pk])


def test_the_newest_activities_are_listed(admin_client):
    rows = activities(3)
    assert keys_in(admin_client.get(LIST)) == [str(row.pk) for row in rows]


@pytest.mark.parametrize("number", [1, 49])
def test_a_list_counts_no_table_and_asks_nothing_for_a_row(admin_client, number):
    kind = ContentType.objects.get_for_model(Order)
    activities(number, actor=person("ann"), content_type_id=kind.pk, object_id="1", data={"a": 1})
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(LIST)
    queries = [each["sql"] for each in captured if "trackmate_activitylog" in each["sql"]]
    assert len(queries) == 2
    assert not [query for query in queries if "COUNT(" in query or '"data"' in query]


def test_pages_end_where_the_counting_does(admin_client, monkeypatch):
    monkeypatch.setattr(trackmate_admin, "MAX_ROWS", 60)
    rows = activities(70)
    first, second = (admin_client.get(LIST, {"p": page}) for page in (1, 2))
    assert keys_in(first) + keys_in(second) == [str(row.pk) for row in rows[:60]]
    assert "newest 60 matching" in text_of(first)


def test_the_url_cannot_sort(admin_client):
    rows = activities(3)
    assert keys_in(admin_client.get(LIST, {"o": "-2.1"})) == [str(row.pk) for row in rows]


@pytest.mark.parametrize(
    "lookup", ["data__word__startswith", "remarks__icontains", "actor__password__startswith", "id"]
)
def test_the_url_cannot_guess_at_columns(admin_client, lookup):
    activity(data={"word": "opensesame"})
    response = admin_client.get(LIST, {lookup: "o"})
    assert response.status_code == 400


def test_each_filter_narrows(admin_client):
    kind = ContentType.objects.get_for_model(Order)
    fields = {"content_type_id": kind.pk, "object_id": "42", "action_type": "Login Failed"}
    wanted = activity(actor=person("ann"), status="Failed", **fields)
    activity(actor_label="bob", ago=3000)
    for name, value in (
        ("range", "15m"),
        ("status", "Failed"),
        ("actor", "ann"),
        ("object", "shop.order/42"),
        ("action_type", "Login Failed"),
        ("object_type", "shop.order"),
    ):
        response = admin_client.get(LIST, {name: value})
        assert (name, keys_in(response)) == (name, [str(wanted.pk)])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("range", "99y"),
        ("status", "Perhaps"),
        ("action_type", "x" * 10_000),
        ("object", "x"),
        ("object", "shop.nothing/1"),
        ("object_type", "x"),
        ("actor", "zzz\0"),
        ("actor", "x" * 10_000),
    ],
)
def test_garbage_finds_nothing(admin_client, name, value):
    activity()
    response = admin_client.get(LIST, {name: value})
    assert (response.status_code, keys_in(response)) == (200, [])


def test_garbage_has_a_message_beside_the_filter(admin_client):
    page = text_of(admin_client.get(LIST, {"object": "<x>"}))
    assert '<p class="errornote" role="alert">“&lt;x&gt;” is not an object.' in page


def test_a_typed_filter_keeps_the_others(admin_client):
    page = text_of(admin_client.get(LIST, {"status": "Failed", "p": "1"}))
    assert '<input type="hidden" name="status" value="Failed">' in page
    assert '<input type="hidden" name="p"' not in page


class Forms(HTMLParser):
    """The forms of a page, each with the names of what it sends, wherever that stands."""

    def __init__(self, page):
        super().__init__()
        self.open, self.nested, self.sent = [], [], {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "form":
            self.nested += [given.get("id")] if self.open else []
            self.open.append(given.get("id"))
            self.sent.setdefault(self.open[-1], [])
        if tag == "input" and given.get("name"):
            form = given.get("form", self.open[-1] if self.open else None)
            self.sent.setdefault(form, []).append((given["name"], given.get("value", "")))

    def handle_endtag(self, tag):
        if tag == "form":
            self.open.pop()


THEMES = {
    # Where django-jazzmin and django-unfold put filters: into the search form, and beside it.
    "inside": """{% extends "admin/base_site.html" %}{% load admin_list %}{% block content %}
        {% block search %}<form id="changelist-search" method="get">
        {% for spec in cl.filter_specs %}{% admin_list_filter cl spec %}{% endfor %}
        <input type="hidden" name="status" value="Failed"></form>{% endblock %}{% endblock %}""",
    "beside": """{% extends "admin/base_site.html" %}{% load admin_list %}{% block content %}
        {% block search %}{% search_form cl %}{% endblock %}
        {% for spec in cl.filter_specs %}{% admin_list_filter cl spec %}{% endfor %}
        {% endblock %}""",
}


@pytest.fixture(params=["django", *THEMES])
def theme(request, settings):
    """Give the admin the templates of a theme."""
    (engine,) = settings.TEMPLATES
    theirs = {} if request.param == "django" else {"admin/change_list.html": THEMES[request.param]}
    settings.TEMPLATES = [
        {
            **engine,
            "APP_DIRS": False,
            "OPTIONS": {
                **engine["OPTIONS"],
                "loaders": [
                    ("django.template.loaders.locmem.Loader", theirs),
                    "django.template.loaders.app_directories.Loader",
                ],
            },
        }
    ]


@pytest.mark.usefixtures("theme")
def test_what_is_typed_is_sent_with_the_rest_by_one_form_whatever_the_theme(admin_client):
    page = text_of(admin_client.get(LIST, {"status": "Failed", "actor": "ann", "p": "1"}))
    forms = Forms(page)
    assert forms.nested == []
    assert page.count('id="changelist-search"') == 1
    assert sorted(forms.sent["changelist-search"]) == [
        ("actor", "ann"),
        ("object", ""),
        ("status", "Failed"),
    ]


def test_the_users_are_not_listed(admin_client):
    person("somebody.else")
    activity()
    assert "somebody.else" not in text_of(admin_client.get(LIST))


@pytest.mark.parametrize("is_allowed", [True, False])
def test_the_list_leads_to_the_dashboard_those_who_may_open_it(admin_client, settings, is_allowed):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_ACCESS": lambda _request: is_allowed}
    assert ('<a href="/trackmate/">' in text_of(admin_client.get(LIST))) is is_allowed


def test_a_slow_list_is_stopped_and_said_so(admin_client, settings):
    settings.TRACKMATE = {"ENABLED": False, "QUERY_TIMEOUT": 50}
    activity()
    with connection.execute_wrapper(slow_log):
        response = admin_client.get(LIST)
    assert response.status_code == 200
    assert "took too long" in text_of(response)


def test_a_row_shows_its_documents(admin_client):
    row = activity(data={"word": "opensesame"}, extra={"e": "ü"}, remarks="by hand", object_id="7")
    page = text_of(admin_client.get(change(row)))
    for shown in ("&quot;word&quot;: &quot;opensesame&quot;", "&quot;ü&quot;", "by hand", ">7<"):
        assert shown in page


def test_a_row_hides_its_payload_from_those_who_may_not_see_it(client):
    client.force_login(person("viewer", "view_activitylog", is_staff=True))
    row = activity(data={"word": "opensesame"}, extra={"e": 1})
    page = text_of(client.get(change(row)))
    assert "opensesame" not in page
    assert page.count("trackmate.view_payload") == 1
    assert "&quot;e&quot;: 1" in page


@pytest.mark.parametrize("key", ["x", "0192c0de-0000-7000-8000-000000000000"])
def test_a_missing_row(admin_client, key):
    response = admin_client.get(f"{LIST}{key}/change/")
    assert response.url == "/admin/"


def test_a_row_outlives_its_actor_and_its_object_type(admin_client):
    user = person("ann")
    row = activity(actor=user, content_type_id=99_999, object_id="1", object_repr="gone")
    user.delete()
    page = text_of(admin_client.get(change(row)))
    assert "ann" in page
    assert "gone" in page


def test_a_user_with_history_can_be_deleted_in_the_admin(admin_client):
    user = person("ann")
    row = activity(actor=user)
    admin_client.post(reverse(user_page("delete"), args=[user.pk]), {"post": "yes"})
    assert not get_user_model().objects.filter(pk=user.pk).exists()
    assert ActivityLog.objects.get(pk=row.pk).actor_label == "ann"


def test_scripts_in_any_field_are_text(admin_client):
    row = hostile_activity()
    for address in (LIST, change(row), f"{LIST}?actor=%3Cscript%3E&object=%3Cscript%3E"):
        page = text_of(admin_client.get(address))
        assert SCRIPT[:30] not in page
        assert "<script>alert" not in page
        assert not re.search(r"<[^>&]*\sonerror", page)


def test_there_is_nothing_to_do_but_read(admin_client, rf):
    request = rf.get("/")
    request.user = get_user_model().objects.get(username="admin")
    ours = admin.site.get_model_admin(ActivityLog)
    permissions = {"add": False, "change": False, "delete": False, "view": True}
    assert ours.get_model_perms(request) == permissions
    assert ours.get_actions(request) == {}
