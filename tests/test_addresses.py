"""Secrets in paths and in addresses within something else, as the routes of a site call them."""

import json
from urllib.parse import unquote, urlencode

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import include, path, re_path, register_converter

from trackmate import track
from trackmate.context.scope import Scope
from trackmate.redaction import routes
from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.redactor import get_redactor, redactor_for_request
from trackmate.redaction.routes import SiteRoutes

RANDOM = "9944b09199c62bcf9418ad846dd0e4bb"
UUID = "018f3b1c-7e2a-7c3d-9b4e-5f6a7b8c9d0e"


class HexConverter:
    """Text in the path, a number for the view, and small letters for a reversed URL."""

    regex = "[0-9A-Fa-f]+"

    def to_python(self, value):
        return int(value, 16)

    def to_url(self, value):
        return f"{value:x}"


register_converter(HexConverter, "hexadecimal")


def view(request, *args, **kwargs):
    if "say" in request.GET:
        track("said", remarks=request.GET["say"], extra={"note": request.GET["say"]})
    return HttpResponse("ok")


urlpatterns = [
    path("", view),
    path("invite/<str:token>/", view, name="invite"),
    path("hex/<hexadecimal:token>/", view),
    path("share/<str:link>/", view, name="share"),
    path("files/<path:name>", view),
    path("objects/<str:object_id>/", view),
    path("coupons/<str:code>/", view),
    path("check/<str:value>/", view, name="verify_phone"),
    path("k/", view, name="verify_email"),
    path("confirm/<str:code>/", view),
    path("tokens/<int:token_id>/", view),
    path("tokens/<str:pk>/", view),
    path("events/<str:session>/", view),
    path("nested/<str:shop>/", include([path("join/<str:key>/", view, name="join_by_invitation")])),
    re_path(r"^old/(\w+)/(\w+)/$", view),
    re_path(r"^spa/.*$", view),
    path("app/<path:rest>", view),
    re_path(r"^reset/(?P<uid>\w+)-(?P<key>.+)/$", view, name="reset"),
    *i18n_patterns(
        path("member/<str:token>/", view),
        prefix_default_language=True,
    ),
]

pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def languages(settings):
    settings.LANGUAGES = [("en", "English"), ("de", "German")]
    settings.MIDDLEWARE = [
        settings.MIDDLEWARE[0],
        "django.middleware.locale.LocaleMiddleware",
        *settings.MIDDLEWARE[1:],
    ]


TOKEN = "9f1c3b7a5d2e4f60718293a4b5c6d7e8f9010203"

PATHS = {
    "/invite/abc/": f"/invite/{MASK}/",
    "/invite/e/": f"/invite/{MASK}/",
    "/invite/invite/": f"/invite/{MASK}/",
    "/invite/käse/": f"/invite/{MASK}/",
    "/hex/00FF/": f"/hex/{MASK}/",
    f"/share/{RANDOM}/": f"/share/{MASK}/",
    "/share/my-long-article-title-about-things/": "/share/my-long-article-title-about-things/",
    f"/share/{UUID}/": f"/share/{UUID}/",
    f"/objects/{RANDOM}/": f"/objects/{RANDOM}/",
    f"/files/a/{RANDOM}/b.txt": f"/files/a/{RANDOM}/b.txt",
    "/coupons/SPRING/": "/coupons/SPRING/",
    "/confirm/SPRING/": f"/confirm/{MASK}/",
    "/tokens/17/": "/tokens/17/",
    f"/tokens/{TOKEN}/": f"/tokens/{MASK}/",
    f"/tokens/{UUID}/": f"/tokens/{UUID}/",
    "/events/spring-2026/": "/events/spring-2026/",
    f"/events/{RANDOM}/": f"/events/{MASK}/",
    "/nested/acme/join/abc/": f"/nested/acme/join/{MASK}/",
    f"/old/acme/{RANDOM}/": f"/old/acme/{MASK}/",
    "/reset/7-abc/": f"/reset/7-{MASK}/",
    "/en/member/abc/": f"/en/member/{MASK}/",
    "/de/member/abc/": f"/de/member/{MASK}/",
    "/member/abc/": f"/member/{MASK}/",
    "/member/abc": f"/member/{MASK}",
    "/invite/abc": f"/invite/{MASK}",
    "/p/4821-5000-3000-1000/": "/p/4821-5000-3000-1000/",
    "/check/482913/": f"/check/{MASK}/",
    "/check/A1B2C3/": f"/check/{MASK}/",
    "/check/a7Xk2pQ9/": f"/check/{MASK}/",
    "/check/NWLZ-PXTL/": f"/check/{MASK}/",
    f"/spa/reset-password/7/{RANDOM}/": f"/spa/reset-password/7/{MASK}/",
    f"/spa/photos/{RANDOM}/": f"/spa/photos/{RANDOM}/",
    f"/app/sign-in/{RANDOM}": f"/app/{MASK}",
    "/app/reset-password/how-it-works/": "/app/reset-password/how-it-works/",
    "/check/2026/": "/check/2026/",
    "/check/change-history2/": "/check/change-history2/",
    "/check/complete-step-3/": "/check/complete-step-3/",
    "/invite//abc/": f"/invite/{MASK}/",
    "/x/../invite/./abc/": f"/invite/{MASK}/",
}


@pytest.mark.parametrize(("asked", "kept"), PATHS.items(), ids=PATHS)
def test_a_path_loses_its_secrets_and_keeps_the_rest(client, activities, asked, kept):
    client.get(asked)
    assert [activity.path for activity in activities] == [kept]


INSIDE = {
    "next in the query": lambda client, address: client.get("/", {"next": address}),
    "encoded twice": lambda client, address: client.get("/", {"next": address.replace("/", "%2F")}),
    "with a host": lambda client, address: client.get("/", {"u": f"https://a.example{address}"}),
    "in a form": lambda client, address: client.post(
        "/", urlencode({"back": address}), content_type=FORM
    ),
    "in JSON": lambda client, address: client.post("/", {"a": [address]}, content_type=JSON),
    "in JSON in a form": lambda client, address: client.post(
        "/", urlencode({"a": json.dumps([address])}), content_type=FORM
    ),
    "in an address in a query": lambda client, address: client.get(
        "/", {"next": f"/login/?next={address}"}
    ),
    "in a text": lambda client, address: client.get("/", {"say": f"gone to {address}, he said"}),
    "Referer": lambda client, address: referred(client, f"http://testserver{address}"),
    "Referer with a port": lambda client, address: referred(client, f"https://a.b:444{address}"),
    "Referer of www": lambda client, address: referred(client, f"http://www.testserver{address}"),
    "query of a Referer": lambda client, address: referred(client, f"http://a/?next={address}"),
    "fragment of a Referer": lambda client, address: referred(client, f"http://a/#{address}"),
}
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def referred(client, referer):
    return client.get("/", headers={"Referer": referer, "X-Forwarded-Host": "public.example"})


@pytest.mark.parametrize("ask", INSIDE.values(), ids=INSIDE)
@pytest.mark.parametrize(
    ("address", "harmless"),
    [
        ("/invite/swordfish/", "/invite/"),
        ("/invite/swordfish", "/invite/"),
        ("/hex/0DEADBEEF/", "/hex/"),
        (f"/share/{RANDOM}/", "/share/"),
        ("/de/member/swordfish/", "/de/member/"),
        ("/en/member/swordfish/", "/en/member/"),
        ("/member/swordfish/", "/member/"),
        ("/?token=swordfish", "token"),
        ("/reset/7-swordfish/", "/reset/7-"),
    ],
)
def test_an_address_within_something_else_is_masked_as_a_path_is(
    client, activities, ask, address, harmless
):
    ask(client, address)
    kept = json.dumps([activity.to_dict() for activity in activities], default=str)
    for secret in ("swordfish", "0DEADBEEF", RANDOM):
        assert secret not in kept
    assert harmless in unquote(unquote(unquote(kept)))


WRITTEN = """
/invite/swordfish/ (/invite/swordfish/) [x](/invite/swordfish/) `/invite/swordfish/`
**/invite/swordfish/** "/invite/swordfish/" „/invite/swordfish/“ «/invite/swordfish/»
/invite/swordfish/… /invite/swordfish/;x=1 /invite/swordfish/&a=1 /invite/swordfish/|next
/invite/swordfish/:5 /invite/swordfish/—x path=/invite/swordfish/ /a,/invite/swordfish/
example.org/invite/swordfish/ www.example.org/invite/swordfish localhost:8000/invite/swordfish/
127.0.0.1/invite/swordfish/ //invite/swordfish/ //h//invite/swordfish/ ///invite/swordfish/
http://h//invite/swordfish/ http://h/./invite/swordfish/ http://h/x/../invite/swordfish/
/./invite/swordfish/ invite/swordfish/ ../invite/swordfish/ ./invite/swordfish/
http:///invite/swordfish/ /x#/invite/swordfish/ %25252Finvite%25252Fswordfish%25252F
/login/?next=/login/?next=/login/?next=/login/?next=/invite/swordfish/
view-source:https://h/invite/swordfish/
https://a.b/?url=https%3A%2F%2Fh%2Finvite%2Fswordfish%2F&data=1
""".split()  # noqa: SIM905 (a list to read)


@pytest.mark.parametrize("address", WRITTEN)
def test_an_address_is_found_however_it_is_written(address):
    rules = get_redactor(site=SiteRoutes(__name__))
    assert "swordfish" not in rules.mask_text(address)
    assert "swordfish" not in rules.mask_text(f"see {address}") or address[0] in "i."
    assert "swordfish" not in json.dumps(rules.mask_data({"a": address}))


@pytest.mark.parametrize(
    "text",
    [
        "and/or, image/png, 12/24, ./a/b.txt, example.org/a/b, C:/x",
        "invoices/2026/",
        "see example.org/shop/orders/17/?page=2, or localhost:8000/a.",
        "/x/../y//z/",
    ],
)
def test_what_leads_nowhere_stays_as_it_was(text):
    assert get_redactor(site=SiteRoutes(__name__)).mask_text(text) == text


@pytest.mark.parametrize(
    ("asked", "query"),
    [
        ("/k/?code=abc", "code=REDACTED"),
        (f"/k/?x={RANDOM}", "x=REDACTED"),
        (f"/k/?{RANDOM}", "REDACTED="),
        (f"/k/?id={RANDOM}", f"id={RANDOM}"),
        (f"/?x={RANDOM}", f"x={RANDOM}"),
        ("/?code=abc", "code=abc"),
    ],
)
def test_a_query_is_judged_by_the_route_that_it_is_for(client, activities, asked, query):
    client.get(asked)
    referred(client, f"http://testserver{asked}")
    assert activities[0].extra["query"] == query
    assert activities[1].extra["headers"]["Referer"].endswith(query)


def test_the_query_of_a_redirect_to_a_slash_is_judged_as_that_of_its_aim(
    client, activities, settings
):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.common.CommonMiddleware"]
    assert client.get("/k?code=abc").status_code in (301, 404)
    assert activities[0].extra["query"] == "code=REDACTED"


def test_a_flood_of_addresses_is_looked_up_within_bounds(monkeypatch):
    asked = []
    monkeypatch.setattr(
        routes, "_resolve_arguments", lambda path, _urlconf: asked.append(path) or ([], "/")
    )
    rules = get_redactor(site=SiteRoutes(__name__))
    masked = rules.mask_text(" ".join(f"/x/{number}/" for number in range(2_000)))
    assert len(asked) == routes.MAX_LOOKUPS
    assert masked.startswith("/x/0/ /x/1/")
    assert masked.endswith(f"/{MASK} /{MASK}")
    assert not rules.known_secrets.is_complete


def test_below_a_script_name(activities):
    request = RequestFactory().get("/invite/swordfish/", SCRIPT_NAME="/shop")
    assert redactor_for_request(request).mask_path(request.path) == f"/shop/invite/{MASK}/"
    assert redactor_for_request(request).mask_path("/invite/swordfish/") == f"/invite/{MASK}/"


def test_a_project_with_an_urlconf_of_its_own_for_a_request():
    request = RequestFactory().get("/")
    request.urlconf = "tests.urls"
    assert redactor_for_request(request).mask_path("/reset/swordfish/") == f"/reset/{MASK}/"
    assert (
        get_redactor(site=SiteRoutes("tests.urls")).mask_path("/invite/swordfish/")
        == "/invite/swordfish/"
    )


def test_an_address_that_leads_nowhere_is_left_as_it_is():
    scope = Scope(RequestFactory().get("/"))
    for address in ("/nowhere/swordfish/", "http://[", "/", "//", "/%", "/\ud800/"):
        assert scope.redactor.mask_url(address) == address


@pytest.mark.parametrize("text", ["either/or and and/or", "a / b", "</p>", "50 km/h", "//", "/"])
def test_slashes_in_a_text_are_no_addresses(text):
    assert get_redactor(site=SiteRoutes(__name__)).mask_text(text) == text
