"""Every page, fragment and export of rows whose every text is an attack."""

import io
import zipfile
from html import escape
from html.parser import HTMLParser
from urllib.parse import quote, quote_plus

import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.urls import reverse

from tests.factories import SCRIPT, hostile_activity
from tests.page_states import NOWHERE
from tests.shop.models import Order
from tests.urls_under_test import FRAGMENT, text_of, url_names
from trackmate.models import SavedView

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]

ATTACKS = {
    "script": SCRIPT,
    "attribute": "'\" autofocus onfocus=alert(1) onmouseover='alert(1)'",
    "link": "javascript:alert(1)//",
    "end of a text": "<i>ended</title></textarea></code></svg><svg onload=alert(1)>",
}
CARRIERS = {"i", "img", "iframe", "object", "embed", "base"}
"""Elements that no page has by itself."""
LINKS = {"href", "xlink:href", "src", "action", "formaction"}
OWN_SCRIPTS = ("/static/", "/admin/jsi18n/")


@pytest.fixture(params=ATTACKS)
def attack(request):
    return ATTACKS[request.param]


def addresses(attack, row):
    """Return what there is to ask: every URL, with the attack as its value and in its filters."""
    value = quote(attack, safe="")
    line = quote(attack.replace("/", ""), safe="")
    filters = f"q={value}&object={value}&address={value}&status={value}&start={value}&range=custom"
    return {
        "index": [reverse("trackmate:index"), f"/trackmate/?{filters}"],
        "activity": [f"/trackmate/activity/{query}" for query in ("", f"?{filters}")],
        "tick": [f"/trackmate/activity/tick/?since={NOWHERE}"],
        "facets": [
            f"/trackmate/activity/facets/{query}"
            for query in ("", f"?{filters}", f"?page=actor&actor={value}")
        ],
        "filters": [f"/trackmate/activity/filters/?{filters}"],
        "display": [reverse("trackmate:display"), f"/trackmate/activity/display/?{filters}"],
        "suggestions": [
            f"/trackmate/activity/suggestions/?{query}"
            for query in (f"q={value}", f"q={line}&at=2", "name=actor&q=", f"name=actor&q={value}")
        ],
        "views": [reverse("trackmate:views"), f"/trackmate/views/?done={value}"],
        "export": [f"/trackmate/activity/export/csv/?{filters}"],
        "detail": [f"/trackmate/activity/{row.pk}/{query}" for query in ("", f"?{filters}")],
        "undo": [f"/trackmate/activity/{row.pk}/undo/{query}" for query in ("", f"?field={value}")],
        "actor": [f"/trackmate/actor/{value}/"],
        "object": [f"/trackmate/object/{value}/?blank=1", f"/trackmate/object/{value}/?at={value}"],
        "timeline": [
            f"/trackmate/activity/timeline/?page=object&object=shop.order/{value}&at={value}"
        ],
        "route": [f"/trackmate/route/{value}"],
        "address": [f"/trackmate/address/{line}/?blank=1"],
        "request": [f"/trackmate/request/{line}/"],
        "entity": [f"/trackmate/by/actor/{line}/?blank=1"],
        "admin": [
            "/admin/trackmate/activitylog/",
            f"/admin/trackmate/activitylog/?actor={value}&object={value}",
            f"/admin/trackmate/activitylog/{row.pk}/change/",
        ],
    }


def test_every_url_is_attacked(db):
    assert set(addresses("", hostile_activity())) == {*url_names(), "admin"}


@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["page", "fragment"])
@pytest.mark.parametrize("name", sorted({*url_names(), "admin"}))
def test_nothing_of_it_becomes_markup(admin_client, configure, attack, name, headers):
    configure(UNDO=True)
    cache.clear()  # values to suggest are remembered
    request_id = attack.replace("/", "")[:64]
    about = {"content_type": ContentType.objects.get_for_model(Order), "request_id": request_id}
    row, _another = (hostile_activity(attack, **about) for _ in range(2))
    admin = get_user_model().objects.get(username="admin")
    SavedView.objects.create(owner=admin, owner_label=attack, name=attack[:80], query=attack)
    responses = [
        admin_client.get(address, headers=headers) for address in addresses(attack, row)[name]
    ]
    texts = [text_of(each) + each.get("Location", "") for each in responses]
    assert [danger for text in texts for danger in dangers_in(text)] == []
    # The attack is on the page, if only in part, or this would prove nothing.
    forms = (escape(attack[:8]), quote_plus(attack[:8]))
    assert any(form in text for text in texts for form in forms) or name == "export"


def dangers_in(text):
    found = Elements()
    found.feed(text)
    return found.dangers


class Elements(HTMLParser):
    """Looks at what a browser would make of a page."""

    def __init__(self):
        super().__init__()
        self.dangers = []

    def handle_starttag(self, tag, attrs):
        values = {name: (value or "").strip() for name, value in attrs}
        is_handler = any(name.startswith("on") for name in values)
        is_link = any(values.get(name, "").startswith("javascript:") for name in LINKS)
        is_foreign = tag == "script" and not values.get("src", "").startswith(OWN_SCRIPTS)
        if is_handler or is_link or is_foreign or tag in CARRIERS:
            self.dangers.append((tag, attrs))


@pytest.mark.parametrize("kind", ["csv", "ndjson", "xlsx"])
def test_an_export_is_no_page(admin_client, attack, kind):
    hostile_activity(attack)
    response = admin_client.get(reverse("trackmate:export", args=[kind]))
    content = response.getvalue()
    assert response["Content-Disposition"].startswith("attachment; filename=")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Type"].partition(";")[0] != "text/html"
    if kind == "xlsx":
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            parts = [book.read(name).decode() for name in book.namelist()]
        assert not any("<script" in part or "<svg" in part for part in parts)
    else:
        assert attack[2:8] in content.decode()
