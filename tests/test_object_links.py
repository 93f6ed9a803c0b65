"""Links to entity pages stay on the dashboard, whatever the value."""

import re
from html import unescape
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from django.contrib.contenttypes.models import ContentType

from tests.factories import activity
from tests.shop.models import Country
from tests.urls_under_test import text_of
from trackmate.dashboard.dimensions import dimensions
from trackmate.dashboard.entities import entity_url
from trackmate.dashboard.http.converters import RouteConverter, ValueConverter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

KEYS = [
    "1",
    "a/b",
    "a//b",
    "/a",
    "a/",
    "//",
    ".",
    "..",
    "...",
    "a.b",
    "../../admin",
    "./a/./..",
    "a/..",
    "..a/a..",
    "50%",
    "%2e%2e/%2F",
    "%252e",
    "~",
    "~2E",
    "a b",
    " a ",
    "a\tb",
    "a\nb",
    "a\\..\\b",
    "?a=1#b",
    "a&b;c=d",
    "ä/€/𝄞",
    "<b>\"'",
    "[1, 2]",
    "x" * 250,
    "€" * 250,
]


def served(url):
    """Return the path that a server receives: browsers resolve dots, also percent-encoded ones."""
    dots = re.sub("%2e", ".", url, flags=re.IGNORECASE)
    return unquote(urlsplit(urljoin("http://testserver/trackmate/", dots)).path)


@pytest.mark.parametrize("key", KEYS)
def test_an_activity_links_to_the_page_of_its_object(staff, key):
    kind = ContentType.objects.get_for_model(Country)
    row = activity(content_type_id=kind.pk, object_id=key, action="this.one")
    activity(content_type_id=kind.pk, object_id=f"{key}x", action="another.one")
    detail = text_of(staff.get(f"/trackmate/activity/{row.pk}/"))
    [url] = set(re.findall(r'href="(/trackmate/object/[^"?]*)', detail))
    page = text_of(staff.get(served(unescape(url)).replace("?", "%3F").replace("#", "%23")))
    assert "this.one" in page
    assert "another.one" not in page


PAGES = [each.name for each in dimensions().values() if each.has_page and each.name != "address"]


@pytest.mark.parametrize("entity_type", PAGES)
@pytest.mark.parametrize("key", KEYS)
def test_every_entity_page_has_an_address_on_the_dashboard(entity_type, key):
    url = entity_url(entity_type, key)
    assert served(url) == unquote(url)
    assert url.startswith(f"/trackmate/{entity_type}/")


@pytest.mark.parametrize("converter", [ValueConverter(), RouteConverter()])
@pytest.mark.parametrize("key", KEYS)
def test_a_converted_value_is_converted_back(converter, key):
    written = converter.to_url(key)
    assert re.fullmatch(converter.regex, written)
    assert converter.to_python(written) == key


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("shop.order/42", "shop.order/42"),
        ("orders/<int:pk>/", "orders/<int:pk>/"),
        ("ann@example.com", "ann@example.com"),
        ("/", "~2F"),
        ("shop.country/..", "shop.country/~2E."),
        ("100%", "100~25"),
    ],
)
def test_converted_values(key, written):
    assert RouteConverter().to_url(key) == written
