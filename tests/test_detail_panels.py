"""The project's panels on the page of an activity."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from tests.factories import SCRIPT, activity, person
from tests.urls_under_test import FRAGMENT, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]


def prose(row, request):
    return gettext_lazy("Status"), f"{row.remarks} for {request.user}"


def facts(row, request):
    return "Invoice", {
        "Number": 17,
        SCRIPT: row.remarks,
        "None": None,
        "Page": format_html("<b>{}</b>", "b"),
    }


def pairs(row, request):
    return "Pairs", (("first", 1), ("second", 2))


def markup(row, request):
    return SCRIPT, mark_safe('<p class="shop">safe</p>')


def nothing(row, request):
    return None


def payload(row, request):
    return "Payload", f"{row.data} {row.response} {row.changes} {row.has_data}"


def broken(row, request):
    raise RuntimeError(row.pk)


def broken_query(row, request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")


class Unspeakable:
    def __str__(self):
        raise ValueError("no")


def unspeakable(row, request):
    return "Title", [("name", Unspeakable())]


def of_another_form(row, request):
    return 5


def count_users(row, request):
    return "Users", str(get_user_model().objects.count())


@pytest.fixture
def shown(client, configure):
    """Show an activity with some panels: `shown(prose, remarks="x")`."""
    client.force_login(person("staff", is_staff=True))

    def show(*panels, headers=None, **fields):
        configure(DETAIL_PANELS=panels)
        row = activity(**fields)
        return text_of(client.get(reverse("trackmate:detail", args=[row.pk]), headers=headers))

    return show


def test_a_text_is_escaped(shown):
    page = shown("tests.test_detail_panels.prose", remarks=SCRIPT)
    assert "<h2>Status</h2>" in page
    assert "&lt;/script&gt;" in page
    assert " for staff</bdi>" in page
    assert SCRIPT not in page


@pytest.mark.parametrize("headers", [None, FRAGMENT])
def test_fields_are_a_list_of_names_and_values(shown, headers):
    page = shown(facts, pairs, remarks=SCRIPT, headers=headers)
    assert "<dt>Number</dt><dd><bdi>17</bdi></dd>" in page
    assert "<dt>Page</dt><dd><bdi><b>b</b></bdi></dd>" in page
    assert '<dt>None</dt><dd><span class="tm-none">' in page
    assert page.index("<dt>first</dt>") < page.index("<dt>second</dt>")
    assert SCRIPT not in page


def test_safe_html_is_not_escaped(shown):
    page = shown(markup)
    assert '<p class="shop">safe</p>' in page
    assert SCRIPT not in page


def test_a_panel_may_be_empty(shown):
    before = shown()
    assert shown(nothing).count("<h2>") == before.count("<h2>")


@pytest.mark.parametrize("panel", [broken, broken_query, unspeakable, of_another_form])
def test_a_panel_that_fails_shows_a_message(shown, caplog, panel):
    page = shown(panel, count_users, remarks="still here")
    assert f"<h2>{panel.__name__}</h2>" in page
    assert "This panel failed" in page
    assert "<h2>Users</h2>" in page
    assert "still here" in page
    [record] = caplog.records
    assert record.name == "trackmate"
    assert re.match(r"DETAIL_PANELS: .* failed: \w+ at .*\.py:\d+", record.getMessage())


def test_a_panel_that_cannot_be_imported_shows_a_message(shown, caplog):
    assert "<h2>nobody</h2>" in shown("tests.test_detail_panels.nobody")
    assert "tests.test_detail_panels.nobody" in caplog.text


def test_a_panel_gets_the_payload_only_with_the_permission(shown, client):
    secret = {name: {"word": "opensesame"} for name in ("data", "response", "changes")}
    assert "None None None True" in shown(payload, **secret)
    client.force_login(person("reader", "view_payload", is_staff=True))
    assert shown(payload, **secret).count("opensesame") >= 3
