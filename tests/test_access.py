"""Who sees which page of the dashboard and of the admin, and where the others are sent."""

from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, RequestFactory
from django.urls import reverse
from django_htmx.middleware import HtmxDetails

from tests.factories import activity, person
from tests.urls_under_test import FRAGMENT, url_names
from trackmate.dashboard.http import login
from trackmate.dashboard.http.login import login_url, redirect_to_login_page
from trackmate.dashboard.object_history import load_history
from trackmate.models import ActivityLog

User = get_user_model()

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]

SECRET = "opensesame"
LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"


def superuser():
    return get_user_model().objects.create_superuser("superuser", password="x")


PEOPLE = {
    "anonymous": lambda: None,
    "user": lambda: person("user"),
    "inactive": lambda: person("inactive", is_staff=True, is_active=False),
    "staff": lambda: person("staff", is_staff=True),
    "payload": lambda: person("payload", "view_payload", is_staff=True),
    "exporter": lambda: person("exporter", "export_activitylog", is_staff=True),
    "viewer": lambda: person("viewer", "view_activitylog", is_staff=True),
    "superuser": superuser,
}


def come_as(client, who):
    user = PEOPLE[who]()
    if user is not None:
        client.force_login(user)


def secret_row():
    secret = {"word": SECRET}
    return activity(data=secret, response=secret, changes={"word": [SECRET, ""]}, request_id="r")


def address_of(name):
    row = secret_row()
    addresses = {
        "index": reverse("trackmate:index"),
        "activity": reverse("trackmate:activity"),
        "detail": reverse("trackmate:detail", args=[row.pk]),
        "undo": reverse("trackmate:undo", args=[row.pk]),
        "facets": reverse("trackmate:facets"),
        "filters": reverse("trackmate:filters"),
        "views": reverse("trackmate:views"),
        "display": reverse("trackmate:display"),
        "suggestions": reverse("trackmate:suggestions") + "?q=actor:",
        "actor": reverse("trackmate:actor", args=["ann"]),
        "object": reverse("trackmate:object", args=["shop.order/1"]),
        "route": reverse("trackmate:route", args=["orders/"]),
        "address": reverse("trackmate:address", args=["10.2.3.4"]),
        "request": reverse("trackmate:request", args=["r"]),
        "entity": reverse("trackmate:entity", args=["actor", "ann"]),
        "export": reverse("trackmate:export", args=["ndjson"]),
        "timeline": reverse("trackmate:timeline") + "?page=object&object=shop.order/1",
        "tick": reverse("trackmate:tick") + "?since=00000000-0000-7000-8000-000000000000",
        "admin list": reverse("admin:trackmate_activitylog_changelist"),
        "admin row": reverse("admin:trackmate_activitylog_change", args=[row.pk]),
        "admin add": "/admin/trackmate/activitylog/add/",
        "admin delete": reverse("admin:trackmate_activitylog_delete", args=[row.pk]),
    }
    return addresses[name]


OPEN = dict.fromkeys(("staff", "payload", "exporter", "viewer", "superuser"), 200)
TO_LOGIN = dict.fromkeys(("anonymous", "inactive"), 302)
DASHBOARD = {**OPEN, **TO_LOGIN, "user": 403}
FRAGMENTS = {**OPEN, "anonymous": 401, "inactive": 401, "user": 403}
CLOSED = dict.fromkeys(("staff", "payload", "exporter"), 403)
READABLE = {**TO_LOGIN, **CLOSED, "user": 302, "viewer": 200, "superuser": 200}
EXPORTS = {**DASHBOARD, "staff": 403, "payload": 403, "viewer": 403}
WRITABLE = {**READABLE, "viewer": 403, "superuser": 403}
PAGES = ("index", "activity", "detail", "tick", "facets", "suggestions", "views", "display")
ENTITY_PAGES = ("actor", "object", "route", "address", "request", "entity")
# Unless it is switched on.
NO_PAGE = dict.fromkeys(OPEN, 404)
REDIRECT = dict.fromkeys(OPEN, 302)
MATRIX = {
    **dict.fromkeys((*PAGES, *ENTITY_PAGES), (DASHBOARD, FRAGMENTS)),
    # As a page it redirects to the list with all filters.
    "filters": ({**DASHBOARD, **REDIRECT}, FRAGMENTS),
    "undo": ({**DASHBOARD, **NO_PAGE}, {**FRAGMENTS, **NO_PAGE}),
    # As a page it redirects to that of the object.
    "timeline": ({**DASHBOARD, **REDIRECT}, FRAGMENTS),
    "export": (EXPORTS, {**EXPORTS, "anonymous": 401, "inactive": 401}),
    **dict.fromkeys(("admin list", "admin row"), (READABLE, READABLE)),
    **dict.fromkeys(("admin add", "admin delete"), (WRITABLE, WRITABLE)),
}


def test_every_url_has_its_line_in_the_matrix():
    assert url_names() == {name for name in MATRIX if not name.startswith("admin")}


@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["page", "fragment"])
@pytest.mark.parametrize("who", [*DASHBOARD])
@pytest.mark.parametrize("name", [*MATRIX])
def test_who_sees_what(client, name, who, headers):
    come_as(client, who)
    response = client.get(address_of(name), headers=headers)
    page, fragment = MATRIX[name]
    assert response.status_code == (fragment if headers else page)[who]
    may_see_payload = who in ("payload", "superuser")
    seen = SECRET in response.getvalue().decode()
    holds_payload = name in ("detail", "admin row", "export")
    assert seen == (may_see_payload and response.status_code == 200 and holds_payload)


@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["page", "fragment"])
@pytest.mark.parametrize("name", sorted(url_names()))
def test_a_site_that_wants_everybody_logged_in_leaves_the_answer_to_the_page(
    settings, name, headers
):
    address = address_of(name)
    usual = Client().get(address, headers=headers)
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, LOGIN_REQUIRED]
    answered = Client().get(address, headers=headers)
    assert answered.status_code == (401 if headers else 302)
    usual.headers["Expires"] = answered.headers["Expires"]  # a second may have passed
    assert answered.headers == usual.headers


def test_a_site_that_wants_everybody_logged_in_can_open_the_dashboard(client, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, LOGIN_REQUIRED]
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_ACCESS": only_office}
    assert client.get("/trackmate/", REMOTE_ADDR="10.0.0.1").status_code == 200


@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["page", "fragment"])
@pytest.mark.parametrize("who", ["anonymous", "user", "superuser"])
@pytest.mark.parametrize("name", sorted(url_names()))
def test_who_is_refused_by_the_project_sees_nothing(client, settings, name, who, headers):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_ACCESS": "tests.test_access.nobody"}
    come_as(client, who)
    response = client.get(address_of(name), headers=headers)
    to_login = 401 if headers else 302
    assert response.status_code == (to_login if who == "anonymous" else 403)
    assert SECRET not in response.getvalue().decode()


def nobody(request):
    return False


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_dashboard_takes_no_orders(admin_client, method):
    assert getattr(admin_client, method)(reverse("trackmate:index")).status_code == 405


def test_an_anonymous_page_goes_to_the_login_and_comes_back(client):
    response = client.get("/trackmate/?actor=ann")
    assert response.url == f"/admin/login/?next={quote('/trackmate/?actor=ann')}"


@pytest.mark.parametrize(
    ("current", "comes_back_to"),
    [
        ("http://testserver/trackmate/?actor=ann", "/trackmate/%3Factor%3Dann"),
        ("http://testserver/trackmate/activity/", "/trackmate/activity/"),
        ("http://evil.example/trackmate/", "/trackmate/"),
        ("http://testserver//evil.example/", "/trackmate/"),
        ("javascript:alert(1)", "/trackmate/"),
        ("", "/trackmate/"),
    ],
)
def test_an_anonymous_fragment_makes_the_page_go_to_the_login(client, current, comes_back_to):
    headers = {**FRAGMENT, "HX-Current-URL": current}
    response = client.get(reverse("trackmate:tick"), headers=headers)
    assert response.status_code == 401
    assert response["HX-Redirect"] == f"/admin/login/?next={comes_back_to}"
    assert response.content == b""


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("/accounts/login/", "/admin/login/"),
        ("admin:login", "/admin/login/"),
        ("/trackmate/?login", "/trackmate/?login"),
        ("https://sso.example/", "https://sso.example/"),
    ],
)
def test_the_login_page_is_the_projects_or_the_admins(settings, given, used):
    settings.LOGIN_URL = given
    assert login_url() == used


def test_without_an_admin_the_projects_login_page_is_believed(settings):
    settings.ROOT_URLCONF = "trackmate.urls"
    assert login_url() == settings.LOGIN_URL


def test_signing_out_needs_a_page_for_it(settings):
    assert login.logout_url(User(is_staff=True)) == "/admin/logout/"
    assert login.logout_url(User(is_staff=False)) == ""
    settings.ROOT_URLCONF = "trackmate.urls"
    assert login.logout_url(User(is_staff=True)) == ""


def test_a_project_without_users_sends_to_the_login():
    request = RequestFactory().get("/trackmate/")
    assert redirect_to_login_page(request, HtmxDetails(request)).url.startswith("/admin/login/")


def only_office(request):
    return request.META["REMOTE_ADDR"] == "10.0.0.1"


@pytest.mark.parametrize("access", ["tests.test_access.only_office", only_office])
def test_a_project_says_who_may_open_it(client, admin_client, settings, access):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_ACCESS": access}
    assert client.get("/trackmate/", REMOTE_ADDR="10.0.0.1").status_code == 200
    assert client.get("/trackmate/", REMOTE_ADDR="10.0.0.2").status_code == 302
    assert admin_client.get("/trackmate/", REMOTE_ADDR="10.0.0.2").status_code == 403


def test_an_access_that_cannot_be_imported_opens_nothing(admin_client, settings):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_ACCESS": "tests.nowhere"}
    with pytest.raises(ImportError):
        admin_client.get("/trackmate/")


def only_own(request, rows):
    return rows.filter(actor_id=request.user.pk)


def test_a_project_limits_the_rows_of_every_page(client, settings):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_QUERYSET": "tests.test_access.only_own"}
    ann = person("ann", "view_activitylog", is_staff=True)
    own = activity(actor=ann, action="own.act", request_id="r", ago=1)
    other = activity(action="other.act", request_id="r")
    client.force_login(ann)
    for address in ("/trackmate/activity/", reverse("admin:trackmate_activitylog_changelist")):
        page = client.get(address).content.decode()
        assert ("own.act" in page, "other.act" in page) == (True, False)
    detail = client.get(reverse("trackmate:detail", args=[own.pk])).content.decode()
    assert "other.act" not in detail
    assert str(other.pk) not in detail
    assert client.get(reverse("trackmate:detail", args=[other.pk])).status_code == 404
    change = reverse("admin:trackmate_activitylog_change", args=[other.pk])
    assert client.get(change).status_code == 302
    tick = client.get(reverse("trackmate:tick"), {"since": str(own.pk)}, headers=FRAGMENT)
    assert tick.status_code == 204
    for address in ("/trackmate/", "/trackmate/activity/facets/", "/trackmate/request/r/"):
        page = client.get(address).content.decode()
        assert f"tm-row-{own.pk}" in page or 'data-tm-summary="1 activities,' in page
        assert str(other.pk) not in page


def test_nobody_writes_through_the_admin(admin_client):
    row = secret_row()
    for name in ("change", "delete"):
        address = reverse(f"admin:trackmate_activitylog_{name}", args=[row.pk])
        assert admin_client.post(address, {"post": "yes"}).status_code == 403
    selection = {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"}
    admin_client.post(reverse("admin:trackmate_activitylog_changelist"), selection)
    assert ActivityLog.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("who", ["anonymous", "user", "staff"])
def test_every_answer_is_protected(client, who):
    come_as(client, who)
    response = client.get("/trackmate/")
    assert {"no-store", "private"} <= {
        part.strip() for part in response["Cache-Control"].split(",")
    }
    assert "HX-Request" in response["Vary"]
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def test_static_files_of_another_origin_are_allowed(admin_client, settings):
    settings.STATIC_URL = "https://static.example/files/"
    policy = admin_client.get("/trackmate/")["Content-Security-Policy"]
    assert "script-src 'self' https://static.example;" in policy


def sliced(request, rows):
    return rows[:10]


def united(request, rows):
    return rows.filter(status="Failed").union(rows.filter(source="auth"))


def dictionaries(request, rows):
    return rows.values("pk")


def listed(request, rows):
    return list(rows)


def of_others(request, rows):
    return get_user_model().objects.all()


def forgotten(request, rows):
    rows.filter(status="Failed")


WRONG_RULES = {
    sliced: "a slice",
    united: "a union",
    dictionaries: "values",
    listed: "list",
    of_others: "not a queryset of activities",
    forgotten: "NoneType",
}


@pytest.mark.parametrize("given", ["function", "path"])
@pytest.mark.parametrize("rule", WRONG_RULES)
def test_a_rule_that_returns_what_cannot_be_narrowed_is_reported_by_name(
    admin_client, settings, rule, given
):
    name = f"{__name__}.{rule.__name__}"
    settings.TRACKMATE = {
        "ENABLED": False,
        "DASHBOARD_QUERYSET": rule if given == "function" else name,
    }
    message = f"DASHBOARD_QUERYSET.*{rule.__name__} returned .*{WRONG_RULES[rule]}"
    for url in ("/trackmate/", "/trackmate/activity/", "/admin/trackmate/activitylog/"):
        with pytest.raises(ImproperlyConfigured, match=message):
            admin_client.get(url)


def test_a_rule_that_is_wrong_leaves_a_page_of_the_project_as_it_is(rf, settings, caplog):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_QUERYSET": sliced}
    request = rf.get("/")
    request.user = superuser()
    assert load_history(request.user, request).failed
    assert "sliced returned a slice" in caplog.text


def annotated(request, rows):
    return rows.filter(pk__isnull=False).distinct().order_by("action")


def test_a_rule_may_do_more_than_narrow(admin_client, settings):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_QUERYSET": annotated}
    activity(action="own.act")
    assert "own.act" in admin_client.get("/trackmate/activity/").content.decode()
