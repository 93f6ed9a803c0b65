"""What is drawn once for all who see the same, and never for those who see something else."""

import re
from itertools import count
from pathlib import Path

import pytest
from django.template import Context, Engine
from django.template.defaulttags import CsrfTokenNode, URLNode
from django.template.loader import get_template
from django.template.loader_tags import IncludeNode
from django.urls import URLResolver, clear_url_caches, include, path, set_script_prefix
from django.urls.resolvers import LocalePrefixPattern
from django.utils.functional import lazy
from django.utils.translation import override

import trackmate
from tests.pages import text_of
from tests.rows import activities, person
from trackmate.templatetags import trackmate_keep
from trackmate.templatetags.trackmate_keep import KeepNode

LIST = "/trackmate/activity/"


@pytest.fixture
def draw():
    """Draw a template that tells how often it was drawn before."""
    engine = Engine(libraries={"keep": "trackmate.templatetags.trackmate_keep"})
    source = "{% load keep %}{% keep one two %}{{ number }}{% endkeep %}"
    template, numbers = engine.from_string(source), count()

    def drawn(one, two="", template=template):
        return template.render(Context({"one": one, "two": two, "number": lambda: next(numbers)}))

    drawn.anew = lambda one: drawn(one, template=engine.from_string(source))
    return drawn


def test_a_part_is_drawn_once_for_each_key(draw):
    assert [draw("a"), draw("a"), draw("b"), draw("a", "b"), draw("a")] == ["0", "0", "1", "2", "0"]


def test_without_a_key_it_is_drawn_anew(draw):
    assert [draw(None), draw(None), draw("a", None)] == ["0", "1", "2"]


def test_a_key_that_is_not_there_is_none():
    engine = Engine(libraries={"keep": "trackmate.templatetags.trackmate_keep"})
    template = engine.from_string("{% load keep %}{% keep thing.key %}{{ thing }}{% endkeep %}")
    assert [template.render(Context({"thing": each})) for each in "ab"] == ["a", "b"]


def test_each_language_has_its_own(draw):
    with override("de"):
        german = draw("a")
    with override("en"):
        assert draw("a") != german
    with override("de"):
        assert draw("a") == german


def test_a_change_of_settings_begins_anew(draw, configure):
    before = draw("a")
    configure(DASHBOARD_REFRESH=7)
    assert draw("a") != before


def test_a_site_below_another_path_has_its_own(draw):
    before = draw("a")
    set_script_prefix("/below/")
    try:
        assert draw("a") != before
    finally:
        set_script_prefix("/")


def test_what_a_template_has_drawn_goes_with_it(draw):
    assert draw.anew("a") != draw.anew("a")


def test_no_more_is_kept_than_there_is_room_for(draw, monkeypatch):
    monkeypatch.setattr(trackmate_keep, "MOST_KEPT", 3)
    drawn = [draw(key) for key in "abcd"]
    assert len(set(drawn)) == 4
    assert draw("a") not in drawn
    assert draw("d") == drawn[-1]


# On pages

TEMPLATES = sorted((Path(trackmate.__file__).parent / "templates/trackmate").glob("*.html"))
DIFFERENT = (IncludeNode, CsrfTokenNode)


def every_keep():
    nodelists = [get_template(f"trackmate/{file.name}").template.nodelist for file in TEMPLATES]
    return [each for nodes in nodelists for each in nodes.get_nodes_by_type(KeepNode)]


def test_nothing_is_kept_that_may_differ_from_visitor_to_visitor():
    kept = every_keep()
    assert len(kept) >= 6
    for each in kept:
        assert each.nodelist.get_nodes_by_type(DIFFERENT) == []


def test_what_is_kept_with_an_address_is_kept_for_one_place():
    """Where a URL leads may be another thing for each tenant of a project."""
    kept = [each for each in every_keep() if each.nodelist.get_nodes_by_type(URLNode)]
    assert len(kept) >= 4
    for each in kept:
        assert "root" in [key.token for key in each.key]


def parts(client, query=""):
    """Return the forms of a list, without what is each visitor's own."""
    page = text_of(client.get(f"{LIST}?{query}"))
    found = re.findall(r'(?s)<form.*?id="tm-(?:filters|look)".*?</form>', page)
    assert len(found) == 2
    return [re.sub('value="[A-Za-z0-9]{64}"', "", each) for each in found]


QUESTIONS = (
    "range=24h",
    "range=7d",
    "range=24h&status=Failed",
    "range=24h&method=get",
    "range=24h&method=BREW",
    "range=24h&q=paper",
    "range=24h&actor=ann",
    "range=-3d..-1d",
    "range=custom&start=2026-11-01",
    "range=custom&start=2026-11-01&zone=utc",
    "range=custom",
    "range=24h&sort=duration",
    "range=24h&density=compact",
    "range=24h&columns=time,actor",
)


@pytest.mark.django_db
@pytest.mark.usefixtures("unrecorded")
def test_every_question_has_a_form_of_its_own(staff):
    forms = {query: parts(staff, query) for query in QUESTIONS}
    assert len({str(each) for each in forms.values()}) == len(QUESTIONS)
    for query in reversed(QUESTIONS):
        assert parts(staff, query) == forms[query]
    assert parts(staff, "range=custom&start=2026-11-01&end=2026-11-01") != forms["range=custom"]


@pytest.mark.django_db
@pytest.mark.usefixtures("unrecorded")
def test_a_typed_time_is_shown_in_the_zone_of_the_reader(staff, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    asked = "range=custom&start=2026-11-01T12:00:00Z"
    for zone, clock in (("utc", "12"), ("local", "13"), ("utc", "12")):
        page = text_of(staff.get(f"{LIST}?{asked}&zone={zone}"))
        assert re.search(f'name="start" value="2026-11-01T{clock}:00:00"', page)


@pytest.mark.django_db
@pytest.mark.usefixtures("unrecorded")
def test_each_thing_and_each_language_has_a_form_of_its_own(staff, settings):
    locale = "django.middleware.locale.LocaleMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, locale]
    activities(1, actor_label="ann", ip_address="10.0.0.1")
    pages = [f"/trackmate/{each}/" for each in ("actor/=ann", "actor/=bob", "address/10.0.0.1")]
    drawn = [text_of(staff.get(page)) for page in pages]
    for page, before in zip(pages, drawn, strict=True):
        assert f'action="{page}"' in before
        german = text_of(staff.get(page, headers={"accept-language": "de"}))
        assert "Weitere Filter" in german
        assert "Weitere Filter" not in text_of(staff.get(page))


@pytest.mark.django_db
@pytest.mark.usefixtures("unrecorded")
def test_a_token_against_forgery_is_never_kept(client):
    tokens = set()
    for name in ("someone", "another"):
        client.force_login(person(name, is_staff=True))
        page = text_of(client.get(f"{LIST}?range=24h"))
        tokens |= set(re.findall('name="csrfmiddlewaretoken" value="([A-Za-z0-9]{64})"', page))
    assert len(tokens) == 2


class TenantPattern(LocalePrefixPattern):
    """Whose pages these are, in the place where `i18n_patterns` has the language."""

    tenant = "one"

    @property
    def language_prefix(self):
        return f"of/{self.tenant}/"


urlpatterns = [URLResolver(TenantPattern(), [path("trackmate/", include("trackmate.urls"))])]


@pytest.mark.django_db
@pytest.mark.usefixtures("unrecorded")
@pytest.mark.urls("tests.test_kept")
def test_each_tenant_of_a_project_is_led_to_its_own_pages(staff, monkeypatch):
    for tenant in ("one", "two", "one"):
        monkeypatch.setattr(TenantPattern, "tenant", tenant)
        clear_url_caches()
        for page in ("activity/?range=24h", "?range=24h", "actor/=ann/"):
            html = text_of(staff.get(f"/of/{tenant}/trackmate/{page}"))
            led_to = re.findall('(?:href|action|data-url|hx-get)="/of/([a-z]+)/', html)
            assert len(led_to) > 10
            assert set(led_to) == {tenant}


TENANT = ["first"]


def tenant(_row, _request):
    return "of somebody"


tenant.short_description = lazy(lambda: f"The {TENANT[0]} tenant", str)()


@pytest.mark.django_db
@pytest.mark.usefixtures("unrecorded")
def test_a_heading_of_the_projects_is_what_it_says_now(staff, configure):
    configure(TABLE_COLUMNS=["tests.test_kept.tenant"])
    activities(1)
    for name in ("first", "second"):
        TENANT[0] = name
        page = text_of(staff.get(f"{LIST}?range=24h"))
        # Over the column, and in the form that chooses columns.
        assert page.count(f"The {name} tenant") == 2
