"""Links to the pages about things stay on the dashboard, whatever the things are called."""

import re
from html import unescape
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from django.contrib.contenttypes.models import ContentType

from tests.pages import text_of
from tests.rows import activity
from tests.shop.models import Country
from trackmate.dashboard.addresses import RouteConverter, ValueConverter
from trackmate.dashboard.places import KINDS, url_of

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
    """Return the path that a server gets: a browser resolves dots, also those in percent signs."""
    dots = re.sub("%2e", ".", url, flags=re.IGNORECASE)
    return unquote(urlsplit(urljoin("http://testserver/trackmate/", dots)).path)


@pytest.mark.parametrize("key", KEYS)
def test_an_activity_leads_to_the_page_of_its_own_object(staff, key):
    kind = ContentType.objects.get_for_model(Country)
    row = activity(content_type_id=kind.pk, object_id=key, action="this.one")
    activity(content_type_id=kind.pk, object_id=f"{key}x", action="another.one")
    detail = text_of(staff.get(f"/trackmate/activity/{row.pk}/"))
    [url] = set(re.findall(r'href="(/trackmate/object/[^"?]*)', detail))
    page = text_of(staff.get(served(unescape(url)).replace("?", "%3F").replace("#", "%23")))
    assert "this.one" in page
    assert "another.one" not in page


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "address"])
@pytest.mark.parametrize("key", KEYS)
def test_everything_has_an_address_that_stays_on_the_dashboard(kind, key):
    url = url_of(kind, key)
    assert served(url) == unquote(url)
    assert url.startswith(f"/trackmate/{kind}/")


@pytest.mark.parametrize("converter", [ValueConverter(), RouteConverter()])
@pytest.mark.parametrize("key", KEYS)
def test_an_address_names_what_it_was_made_for(converter, key):
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
def test_what_is_harmless_is_written_as_it_is(key, written):
    assert RouteConverter().to_url(key) == written
