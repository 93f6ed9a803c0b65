"""What rows say about requests to generic views, REST framework and Ninja."""

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token

from tests.shop.models import Line, Order, Seat
from trackmate import integrations
from trackmate.diagnostics import counts

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.shop.outcomes"),
    pytest.mark.database,
]

SUCCESS, FAILED = "Success", "Failed"


@pytest.fixture(autouse=True)
def no_complaints():
    """Fail the test if an integration has reported an error."""
    yield
    assert counts["failed"] == 0


@pytest.fixture
def order():
    return Order.objects.create(number="A")


@pytest.fixture
def line(order):
    return Line.objects.create(order=order, text="Tea")


def said(activity):
    """Return what a row says: type, name, status and object."""
    target = activity.target
    return (
        activity.action_type,
        activity.action,
        activity.status,
        target and f"{target.model} {target.object_repr}",
    )


def ask(client, method, path, data=None, **options):
    """Send a request; the numbers of what the test has made stand in its path as in a format."""
    first, child = Order.objects.first(), Line.objects.first()
    path = path.format(order=first and first.pk, line=child and child.pk)
    client.raise_request_exception = False
    if path.startswith("/g/") and method == "post":
        return client.post(path, data, **options)
    return getattr(client, method)(path, data, content_type="application/json", **options)


def row_of(client, activities, *request):
    activities.clear()
    ask(client, *request)
    (activity,) = activities
    return said(activity)


NAMED, EMPTY = {"number": "B"}, {"number": ""}
A, B = "shop.order Order A", "shop.order Order B"
READ, LIST = "shop.order.read", "shop.order.list"
CREATE, UPDATE, DELETE = "shop.order.create", "shop.order.update", "shop.order.delete"


# --- Django's generic views ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "data", "expected"),
    [
        ("get", "/g/show/{order}/", None, ("Read", READ, SUCCESS, A)),
        ("head", "/g/show/{order}/", None, ("Read", READ, SUCCESS, A)),
        ("get", "/g/show/999/", None, ("Read", READ, FAILED, None)),
        ("post", "/g/show/{order}/", {}, ("Action", "g/show/<int:pk>/", FAILED, None)),
        ("options", "/g/show/{order}/", None, ("Read", "g/show/<int:pk>/", SUCCESS, None)),
        ("get", "/g/list/", None, ("Read", LIST, SUCCESS, None)),
        ("get", "/g/list/?page=9", None, ("Read", LIST, FAILED, None)),
        ("get", "/g/create/", None, ("Read", "g/create/", SUCCESS, None)),
        ("post", "/g/create/", NAMED, ("Create", CREATE, SUCCESS, B)),
        ("put", "/g/create/", NAMED, ("Create", CREATE, FAILED, None)),
        ("post", "/g/create/", EMPTY, ("Create", CREATE, FAILED, None)),
        ("post", "/g/create-by-form/", NAMED, ("Create", CREATE, SUCCESS, B)),
        ("post", "/g/create-by-form/", EMPTY, ("Create", CREATE, FAILED, None)),
        ("post", "/g/refuse-later/", NAMED, ("Create", CREATE, FAILED, None)),
        ("post", "/g/search-by-form/", NAMED, ("Action", "g/search-by-form/", SUCCESS, None)),
        ("post", "/g/roll-back/", NAMED, ("Action", "g/roll-back/", SUCCESS, None)),
        ("get", "/g/update/{order}/", None, ("Read", READ, SUCCESS, A)),
        ("post", "/g/update/{order}/", NAMED, ("Update", UPDATE, SUCCESS, B)),
        ("post", "/g/update/{order}/", EMPTY, ("Update", UPDATE, FAILED, A)),
        ("post", "/g/update/999/", NAMED, ("Update", UPDATE, FAILED, None)),
        ("post", "/g/broken/{order}/", NAMED, ("Update", UPDATE, FAILED, A)),
        ("post", "/g/forbidden/{order}/", NAMED, ("Update", UPDATE, FAILED, None)),
        ("post", "/g/save-as-new/{order}/", NAMED, ("Create", CREATE, SUCCESS, B)),
        ("post", "/g/update-or-create/A/", NAMED, ("Update", UPDATE, SUCCESS, B)),
        ("post", "/g/update-or-create/new/", NAMED, ("Create", CREATE, SUCCESS, B)),
        ("post", "/g/update-or-create/new/", EMPTY, ("Create", CREATE, FAILED, None)),
        ("post", "/g/by-hand/{order}/", NAMED, ("Action", "g/by-hand/<int:pk>/", SUCCESS, A)),
        ("post", "/g/by-hand/{order}/", EMPTY, ("Update", UPDATE, FAILED, A)),
        ("get", "/g/delete/{order}/", None, ("Read", READ, SUCCESS, A)),
        ("post", "/g/delete/{order}/", {}, ("Delete", DELETE, SUCCESS, A)),
        ("delete", "/g/delete/{order}/", None, ("Delete", DELETE, SUCCESS, A)),
        ("post", "/g/delete/999/", {}, ("Delete", DELETE, FAILED, None)),
        ("post", "/g/confirm/{order}/", {}, ("Delete", DELETE, FAILED, A)),
        ("post", "/g/soft/{order}/", {}, ("Delete", DELETE, SUCCESS, A)),
        ("post", "/g/delete-by-hand/{order}/", {}, ("Delete", DELETE, SUCCESS, A)),
        (
            "delete",
            "/g/delete-by-hand/{order}/",
            None,
            ("Action", "g/delete-by-hand/<int:pk>/", SUCCESS, A),
        ),
        ("post", "/g/contact/", {"text": "Hi"}, ("Action", "g/contact/", SUCCESS, None)),
        ("post", "/g/contact/", {}, ("Action", "g/contact/", FAILED, None)),
        (
            "post",
            "/g/comment/{order}/",
            {"text": "Hi"},
            ("Action", "g/comment/<int:pk>/", SUCCESS, A),
        ),
        ("post", "/g/pass-on/{order}/", NAMED, ("Update", UPDATE, SUCCESS, B)),
        ("post", "/g/batch/", NAMED, ("Action", "g/batch/", SUCCESS, None)),
        ("post", "/g/tracked/{order}/", NAMED, ("Update", "order.renamed", SUCCESS, B)),
        (
            "post",
            "/g/delete-everything/create/",
            {},
            ("Action", "g/delete-everything/create/", SUCCESS, None),
        ),
    ],
)
def test_a_generic_view_tells_what_it_did(client, activities, order, method, path, data, expected):
    assert row_of(client, activities, method, path, data) == expected


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("get", "/g/private/{order}/", ("Read", "g/private/<int:pk>/", SUCCESS, None)),
        ("post", "/g/private/{order}/", ("Update", UPDATE, FAILED, None)),
        ("put", "/g/private/{order}/", ("Update", UPDATE, FAILED, None)),
        ("get", "/g/permitted/{order}/", ("Read", "g/permitted/<int:pk>/", SUCCESS, A)),
        ("post", "/g/permitted/{order}/", ("Update", UPDATE, FAILED, A)),
        ("delete", "/g/redirected/{order}/", ("Action", "g/redirected/<int:pk>/", SUCCESS, None)),
        ("post", "/g/redirected/{order}/", ("Action", "g/redirected/<int:pk>/", SUCCESS, None)),
    ],
)
def test_a_view_that_redirects_to_the_login_did_nothing(
    client, activities, order, method, path, expected
):
    assert row_of(client, activities, method, path, NAMED) == expected


@pytest.mark.parametrize("path", ["/g/profile/", "/drf/profile/"])
def test_the_object_may_be_the_user_of_the_request(client, activities, path):
    user = get_user_model().objects.create(username="ann")
    client.force_login(user)
    name = user._meta.label_lower
    expected = ("Read", f"{name}.read", SUCCESS, f"{name} ann")
    assert row_of(client, activities, "get", path) == expected


def test_an_async_view_tells_its_object(activities, order):
    async_to_sync(AsyncClient().get)(f"/g/async/{order.pk}/")
    assert said(activities[0]) == ("Read", READ, SUCCESS, A)


def test_a_deleted_object_keeps_its_key(client, activities, order):
    key = str(order.pk)
    ask(client, "post", "/g/delete/{order}/")
    assert activities[0].target.object_id == key


def test_a_form_is_not_validated_again(client, activities, order, monkeypatch):
    cleaned = []
    monkeypatch.setattr("django.forms.forms.BaseForm.full_clean", cleaned.append)
    monkeypatch.setattr("django.forms.forms.BaseForm.is_valid", lambda form: False)
    ask(client, "post", "/g/by-hand/{order}/", NAMED)
    assert cleaned == []


# --- Django REST framework -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "data", "expected"),
    [
        ("get", "/drf/orders/", None, ("Read", LIST, SUCCESS, None)),
        ("get", "/drf/orders/{order}/", None, ("Read", READ, SUCCESS, A)),
        ("get", "/drf/orders/999/", None, ("Read", READ, FAILED, None)),
        ("options", "/drf/orders/{order}/", None, ("Read", "drf/orders/<pk>/", SUCCESS, None)),
        ("trace", "/drf/orders/{order}/", None, ("Read", "drf/orders/<pk>/", FAILED, None)),
        ("post", "/drf/orders/", NAMED, ("Create", CREATE, SUCCESS, B)),
        ("post", "/drf/orders/", EMPTY, ("Create", CREATE, FAILED, None)),
        ("put", "/drf/orders/{order}/", NAMED, ("Update", UPDATE, SUCCESS, B)),
        ("patch", "/drf/orders/{order}/", NAMED, ("Update", UPDATE, SUCCESS, B)),
        ("patch", "/drf/orders/{order}/", EMPTY, ("Update", UPDATE, FAILED, A)),
        ("delete", "/drf/orders/{order}/", None, ("Delete", DELETE, SUCCESS, A)),
        ("delete", "/drf/orders/999/", None, ("Delete", DELETE, FAILED, None)),
        ("get", "/drf/orders/{order}/ship/", None, ("Read", "shop.order.ship", SUCCESS, A)),
        ("post", "/drf/orders/{order}/ship/", {}, ("Action", "shop.order.ship", SUCCESS, A)),
        ("post", "/drf/orders/999/ship/", {}, ("Action", "shop.order.ship", FAILED, None)),
        ("put", "/drf/orders/{order}/ship/", {}, ("Update", "shop.order.ship", SUCCESS, A)),
        ("delete", "/drf/orders/{order}/ship/", None, ("Action", "shop.order.ship", SUCCESS, A)),
        ("delete", "/drf/orders/{order}/remove/", {}, ("Delete", "shop.order.remove", SUCCESS, A)),
        (
            "post",
            "/drf/orders/{order}/add_line/",
            {"text": "Tea"},
            ("Create", "shop.order.add_line", SUCCESS, "shop.line Tea of A"),
        ),
        ("post", "/drf/orders/{order}/clone/", {}, ("Create", "shop.order.clone", SUCCESS, None)),
        ("post", "/drf/orders/search/", {}, ("Action", "shop.order.search", SUCCESS, None)),
        ("post", "/drf/searches/", NAMED, ("Action", CREATE, SUCCESS, None)),
        ("post", "/drf/upserts/", NAMED, ("Update", UPDATE, SUCCESS, B)),
        ("post", "/drf/dry-runs/", NAMED, ("Action", CREATE, SUCCESS, None)),
        ("delete", "/drf/orders/999/ship/", {}, ("Action", "shop.order.ship", FAILED, None)),
        ("post", "/drf/with-copies/", NAMED, ("Create", CREATE, SUCCESS, B)),
        ("post", "/drf/pairs/", NAMED, ("Create", CREATE, SUCCESS, None)),
        ("post", "/drf/fails-later/", NAMED, ("Create", CREATE, FAILED, None)),
        ("get", "/drf/list/", None, ("Read", LIST, SUCCESS, None)),
        ("post", "/drf/list/", NAMED, ("Create", CREATE, SUCCESS, B)),
        ("get", "/drf/detail/{order}/", None, ("Read", READ, SUCCESS, A)),
        ("get", "/drf/detail/999/", None, ("Read", READ, FAILED, None)),
        ("put", "/drf/detail/{order}/", NAMED, ("Update", UPDATE, SUCCESS, B)),
        ("delete", "/drf/detail/{order}/", None, ("Delete", DELETE, SUCCESS, A)),
        ("get", "/drf/by-hand/{order}/", None, ("Read", READ, SUCCESS, A)),
        ("get", "/drf/by-hand/999/", None, ("Read", "drf/by-hand/<int:pk>/", FAILED, None)),
        ("put", "/drf/by-hand/{order}/", NAMED, ("Update", UPDATE, SUCCESS, B)),
        (
            "put",
            "/drf/by-hand/{order}/",
            EMPTY,
            ("Update", "drf/by-hand/<int:pk>/", FAILED, A),
        ),
        ("post", "/drf/by-hand/{order}/", {}, ("Action", "drf/by-hand/<int:pk>/", SUCCESS, A)),
        ("delete", "/drf/by-hand/{order}/", {}, ("Action", "drf/by-hand/<int:pk>/", SUCCESS, A)),
        ("delete", "/drf/by-hand/{order}/?really", {}, ("Delete", DELETE, SUCCESS, A)),
        ("post", "/drf/place/", NAMED, ("Create", CREATE, SUCCESS, B)),
        ("post", "/drf/place/", EMPTY, ("Action", "drf/place/", FAILED, None)),
        ("get", "/drf/reports/", None, ("Read", "drf/reports/", SUCCESS, None)),
        ("post", "/drf/reports/", {}, ("Create", "drf/reports/", SUCCESS, None)),
        ("get", "/drf/tracked/{order}/", None, ("Read", "order.looked_at", SUCCESS, A)),
    ],
)
def test_a_view_of_rest_framework_tells_what_it_did(
    client, activities, order, method, path, data, expected
):
    assert row_of(client, activities, method, path, data) == expected


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_a_refused_object_is_told(client, activities, method):
    Order.objects.create(number="secret")
    row = row_of(client, activities, method, "/drf/orders/{order}/", NAMED)
    assert row[2:] == (FAILED, "shop.order Order secret")


TEA = "shop.line Tea of A"


@pytest.mark.parametrize(
    ("method", "path", "data", "expected"),
    [
        ("get", "/drf/nested/{order}/lines/", None, ("Read", "shop.line.list", SUCCESS, None)),
        (
            "get",
            "/drf/nested/{order}/lines/{line}/",
            None,
            ("Read", "shop.line.read", SUCCESS, TEA),
        ),
        (
            "post",
            "/drf/nested/{order}/lines/",
            {"text": "Tea"},
            ("Create", "shop.line.create", SUCCESS, TEA),
        ),
        (
            "delete",
            "/drf/nested/{order}/lines/{line}/",
            None,
            ("Delete", "shop.line.delete", SUCCESS, TEA),
        ),
        (
            "delete",
            "/drf/nested/{order}/lines/999/",
            None,
            ("Delete", "shop.line.delete", FAILED, None),
        ),
    ],
)
def test_the_object_is_the_one_of_the_view_not_what_it_is_nested_in(
    client, activities, line, method, path, data, expected
):
    assert row_of(client, activities, method, path, data) == expected


def test_an_object_of_another_model_is_not_the_one_of_the_view(client, activities, line):
    assert row_of(client, activities, "get", "/drf/elsewhere/") == ("Read", READ, SUCCESS, None)


def test_the_forms_of_the_browsable_api_change_nothing(client, activities, order):
    Order.objects.create(number="last")
    assert row_of(client, activities, "get", "/drf/browsable/{order}/")[1:] == (READ, SUCCESS, A)


# --- Django Ninja ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "data", "expected"),
    [
        ("get", "/ninja/orders", None, ("Read", LIST, SUCCESS, None)),
        ("get", "/ninja/pages", None, ("Read", LIST, SUCCESS, None)),
        ("post", "/ninja/orders", NAMED, ("Create", CREATE, SUCCESS, B)),
        ("post", "/ninja/orders", {}, ("Action", "ninja/orders", FAILED, None)),
        ("post", "/ninja/tuples", NAMED, ("Create", CREATE, SUCCESS, B)),
        (
            "post",
            "/ninja/tuples",
            {"number": "conflict"},
            ("Action", "ninja/tuples", FAILED, None),
        ),
        ("get", "/ninja/orders/{order}", None, ("Read", READ, SUCCESS, A)),
        ("get", "/ninja/orders/999", None, ("Read", "ninja/orders/<pk>", FAILED, None)),
        ("put", "/ninja/orders/{order}", NAMED, ("Update", UPDATE, SUCCESS, B)),
        (
            "post",
            "/ninja/orders/{order}/ship",
            {},
            ("Action", "ninja/orders/<pk>/ship", SUCCESS, A),
        ),
        ("delete", "/ninja/orders/{order}", None, ("Delete", DELETE, SUCCESS, None)),
        (
            "delete",
            "/ninja/orders/{order}/favourite",
            None,
            ("Delete", "ninja/orders/<pk>/favourite", SUCCESS, None),
        ),
        ("patch", "/ninja/orders", {}, ("Update", "ninja/orders", FAILED, None)),
        ("post", "/ninja/search", NAMED, ("Action", "ninja/search", SUCCESS, None)),
        ("get", "/ninja/declared/{order}", None, ("Read", READ, SUCCESS, A)),
        ("get", "/ninja/declared/0", None, ("Read", READ, FAILED, None)),
        ("get", "/ninja/declared", None, ("Read", LIST, SUCCESS, None)),
        ("post", "/ninja/declared", NAMED, ("Create", CREATE, SUCCESS, B)),
        ("post", "/ninja/declared", {}, ("Create", CREATE, FAILED, None)),
        ("get", "/ninja/count", None, ("Read", "ninja/count", SUCCESS, None)),
        ("get", "/ninja/lines/1", None, ("Read", "ninja/lines/<pk>", SUCCESS, None)),
    ],
)
def test_an_operation_of_ninja_tells_what_it_returned(
    client, activities, order, method, path, data, expected
):
    assert row_of(client, activities, method, path, data) == expected


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("get", "/ninja/async-orders/{}", ("Read", READ, SUCCESS, A)),
        ("get", "/ninja/async-pages", ("Read", LIST, SUCCESS, None)),
        ("post", "/ninja/async-orders", ("Create", CREATE, SUCCESS, B)),
    ],
)
def test_an_async_operation_tells_what_it_returned(activities, order, method, path, expected):
    send = async_to_sync(getattr(AsyncClient(), method))
    send(path.format(order.pk), NAMED, content_type="application/json")
    assert said(activities[0]) == expected


# --- what comes first ------------------------------------------------------------------------


def test_a_login_comes_before_the_word_of_its_view(client, activities):
    client.post("/g/sign-up/", {"username": "ann"})
    (activity,) = activities
    assert said(activity)[:3] == ("Login", "auth.login", SUCCESS)
    assert activity.source == "auth"


def test_an_integration_that_is_not_wanted_is_not_installed(configure, monkeypatch):
    installed = []
    monkeypatch.setattr(integrations, "_installed", set())
    monkeypatch.setattr(integrations, "_install", installed.append)
    configure(INTEGRATIONS=("ninja", "passwords"))
    integrations.install(at_start=True)
    integrations.install(at_start=False)
    assert installed == ["passwords", "ninja"]


# --- objects of every kind -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/g/dict/", ("Read", "g/dict/", SUCCESS, None)),
        ("/g/unsaved/", ("Read", "g/unsaved/", SUCCESS, None)),
        ("/g/seat/", ("Read", "shop.seat.read", SUCCESS, "shop.seat Seat object (('A', 7))")),
        ("/g/rush/{order}/", ("Read", READ, SUCCESS, A)),
        ("/drf/dict/", ("Read", "drf/dict/", SUCCESS, None)),
        ("/drf/property/", ("Read", "drf/property/", SUCCESS, None)),
    ],
)
def test_whatever_a_view_looks_up_it_answers(client, activities, order, path, expected):
    Seat.objects.create(row="A", number=7)
    assert row_of(client, activities, "get", path) == expected


def test_a_name_that_cannot_be_told_is_made_of_the_key(client, activities, order, monkeypatch):
    monkeypatch.setattr(Order, "__str__", lambda self: self.nothing)
    expected = ("Read", READ, SUCCESS, f"shop.order Order ({order.pk})")
    assert row_of(client, activities, "get", "/g/show/{order}/") == expected


def test_a_secret_key_of_an_object_is_hashed(client, activities):
    token = Token.objects.create(user=get_user_model().objects.create(username="ann"))
    client.get(f"/g/token/{token.pk}/")
    (activity,) = activities
    assert activity.action == "authtoken.token.read"
    assert token.pk not in str(activity.target)


# --- what no integration may do --------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/g/show-line/{line}/"),
        ("post", "/g/delete/{order}/"),
        ("post", "/g/update/{order}/"),
        ("post", "/g/create/"),
        ("get", "/drf/orders/{order}/"),
        ("put", "/drf/orders/{order}/"),
        ("delete", "/drf/orders/{order}/"),
        ("delete", "/drf/nested/{order}/lines/{line}/"),
        ("get", "/ninja/orders/{order}"),
        ("put", "/ninja/orders/{order}"),
    ],
)
def test_no_integration_adds_a_query(client, activities, line, monkeypatch, method, path):
    def queries():
        with CaptureQueriesContext(connection) as context:
            ask(client, method, path, NAMED)
        return [query["sql"].partition(" ")[0] for query in context]

    with_integrations = queries()
    Order.objects.all().delete()
    Line.objects.create(order=Order.objects.create(number="A"), text="Tea")
    # The views find no request then.
    for module in ("generic_views", "rest_framework", "ninja"):
        monkeypatch.setattr(f"trackmate.integrations.{module}.current_scope", lambda: None)
    assert queries() == with_integrations


def test_a_name_that_needs_a_query_is_not_asked_for(client, activities, line):
    expected = ("Read", "shop.line.read", SUCCESS, f"shop.line Line ({line.pk})")
    assert row_of(client, activities, "get", "/g/show-line/{line}/") == expected
