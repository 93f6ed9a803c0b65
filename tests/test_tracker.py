"""`tracker`: on every form of view, with and without the middleware, and on other functions."""

import asyncio
import inspect
import uuid

import pytest
from django.contrib.auth import get_user_model
from django.http import Http404, HttpResponse
from django.test import AsyncClient, RequestFactory
from django.urls import resolve

from tests.shop import drf, ninja_api, tracked
from tests.shop.models import Invoice, Order
from trackmate import tracker
from trackmate.activity import Target
from trackmate.diagnostics import counts
from trackmate.models import ActivityLog
from trackmate.redaction.known_secrets import MASK

MIDDLEWARE = "trackmate.middleware.TrackmateMiddleware"
JSON = "application/json"
KEY = uuid.UUID("12345678-1234-5678-1234-567812345678")


@pytest.fixture
def middleware(request, settings):
    """Take our middleware out where the parameter says so."""
    if not request.param:
        settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != MIDDLEWARE]
    return request.param


either_way = pytest.mark.parametrize(
    "middleware", [True, False], ids=["with", "without"], indirect=True
)


def only(activities):
    (activity,) = activities
    return activity


def ask(path, **options):
    """Ask as an ASGI server would."""
    return asyncio.run(AsyncClient(**options).get(path))


# --- every form of view ----------------------------------------------------------------------


@either_way
@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/tracked/bare/", "tracked/bare/"),
        ("/tracked/called/", "tracked/called/"),
        ("/tracked/async/", "shop.async"),
        ("/tracked/class/", "orders.class"),
        ("/tracked/dispatch/", "orders.dispatch"),
        ("/tracked/method/200/", "orders.method"),
        ("/tracked/decorated/", "orders.decorated"),
        ("/tracked/async-class/", "orders.async_class"),
        ("/tracked/async-method/", "orders.async_method"),
        ("/tracked/inside/", "orders.inside"),
        ("/drf/outside/", "api.outside"),
        ("/drf/inside/", "api.inside"),
        ("/drf/class/", "api.class"),
        ("/ninja/orders/7", "ninja.order.read"),
    ],
)
@pytest.mark.parametrize("over_asgi", [False, True], ids=["wsgi", "asgi"])
def test_every_form_of_view_is_one_row(client, activities, middleware, path, action, over_asgi):
    answer = ask(path) if over_asgi else client.get(path)
    assert answer.status_code == 200
    activity = only(activities)
    assert (activity.action, activity.source) == (action, "request")
    assert (activity.path, activity.method) == (path, "GET")
    assert activity.route
    assert counts == {}


@either_way
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "action", "code"),
    [
        ("GET", "/drf/orders/", "orders.listed", 200),
        ("POST", "/drf/orders/", "order.made", 201),
        ("POST", "/drf/orders/7/ship/", "order.shipped", 200),
        ("POST", "/drf/orders/7/cancel/", "order.cancelled", 200),
        ("DELETE", "/drf/orders/7/cancel/", "order.restored", 204),
        ("POST", "/ninja/orders", "ninja.order.made", 201),
    ],
)
def test_every_method_of_a_view_set_and_every_operation_is_one_row(
    client, activities, middleware, method, path, action, code
):
    answer = client.generic(method, path, '{"number": "A-7"}', content_type=JSON)
    assert answer.status_code == code
    activity = only(activities)
    assert (activity.action, activity.method) == (action, method)
    assert counts == {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("thread_connections")
def test_an_async_operation_of_ninja_is_one_row(activities):
    path = "/ninja/async-orders?note=soon"
    answer = asyncio.run(AsyncClient().post(path, {"number": "A-7"}, content_type=JSON))
    assert answer.status_code == 201
    assert only(activities).action == "ninja.order.async_made"
    assert only(activities).remarks == "A-7 soon"


@either_way
def test_a_method_that_is_not_tracked_is_an_ordinary_request(client, activities, middleware):
    client.post("/tracked/method/201/")
    actions = [activity.action for activity in activities]
    assert actions == (["tracked/method/<int:code>/"] if middleware else [])


def test_what_answers_without_a_request_is_left_to_itself(client, activities):
    client.options("/tracked/class/")
    assert only(activities).action == "orders.class"
    assert only(activities).method == "OPTIONS"


@either_way
@pytest.mark.django_db
def test_the_actor_is_known_with_and_without_the_middleware(client, activities, middleware):
    alice = get_user_model().objects.create_user("alice")
    client.force_login(alice)
    activities.clear()
    client.get("/tracked/bare/")
    assert (only(activities).actor_id, only(activities).actor_label) == (alice.pk, "alice")


# --- options ---------------------------------------------------------------------------------


@either_way
@pytest.mark.django_db
@pytest.mark.parametrize("path", ["approve", "async-approve"])
def test_the_object_may_be_looked_up_with_the_views_arguments(client, activities, middleware, path):
    Invoice.objects.create(pk=KEY)
    client.get(f"/tracked/{path}/{KEY}/")
    target = Target(model="shop.invoice", object_id=str(KEY), object_repr=f"Invoice {KEY}")
    assert only(activities).target == target


@either_way
@pytest.mark.django_db
def test_every_option_is_kept(client, activities, middleware):
    Invoice.objects.create(pk=KEY)
    client.get(f"/tracked/approve/{KEY}/?by=alice")
    activity = only(activities)
    assert (activity.action, activity.action_type) == ("invoice.approved", "Approve")
    assert (activity.remarks, activity.data) == ("answered 200", {"by": "alice"})


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("thread_connections")
@either_way
def test_the_object_may_be_looked_up_over_asgi(activities, middleware):
    Invoice.objects.create(pk=KEY)
    assert ask(f"/tracked/async-approve/{KEY}/").status_code == 200
    assert only(activities).target.object_id == str(KEY)
    assert counts == {}


@either_way
@pytest.mark.django_db
def test_an_object_that_is_not_there_is_none(client, activities, middleware):
    assert client.get(f"/tracked/approve/{KEY}/").status_code == 200
    assert only(activities).target is None
    assert only(activities).action == "invoice.approved"
    assert counts == {}


@either_way
def test_a_view_can_say_that_it_failed(client, activities, middleware):
    assert client.get("/tracked/checked/").status_code == 200
    assert (only(activities).status, only(activities).status_code) == ("Failed", 200)


@either_way
def test_a_view_can_say_what_is_captured(client, activities, middleware):
    client.post("/tracked/answered/", {"a": 1}, content_type=JSON)
    assert (only(activities).data, only(activities).response) == (None, {"answer": 42})


@either_way
def test_the_request_and_the_arguments_reach_the_callables(client, activities, middleware):
    client.get("/tracked/method/202/")
    assert only(activities).remarks == "GET 202"


@either_way
@pytest.mark.django_db
def test_a_callable_gets_what_ninja_returns(client, activities, middleware):
    client.post("/ninja/orders", {"number": "A-7"}, content_type=JSON)
    order = Order.objects.get()
    assert only(activities).target == Target.from_instance(order)


@either_way
def test_a_class_and_its_method_can_both_say_something(client, activities, middleware):
    client.post("/drf/class/", {"a": 1}, content_type=JSON)
    assert {activity.action_type for activity in activities} >= {"Import"}
    if middleware:
        assert (only(activities).action, only(activities).action_type) == ("api.class", "Import")
        assert only(activities).response == {"got": {"a": 1}}


def test_the_inner_decorator_has_the_last_word(client, activities):
    client.get("/tracked/nested/")
    activity = only(activities)
    assert (activity.action, activity.action_type, activity.remarks) == ("inner", "Inner", "outer")


def view(request, *args, **kwargs):
    """Answer."""
    return HttpResponse("ok")


def call_view(tracked_view, *args, **kwargs):
    """Call a view as a project without the middleware does."""
    return tracked_view(RequestFactory().post("/orders/7/"), *args, **kwargs)


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"action": "a"}, "action", "a"),
        ({"action_type": "Approve"}, "action_type", "Approve"),
        ({}, "action_type", "Action"),
        (
            {"content_object": Order(pk=7, number="7")},
            "target",
            Target(model="shop.order", object_id="7", object_repr="Order 7"),
        ),
        ({"content_object": lambda request, response: None}, "target", None),
        ({"remarks": "text"}, "remarks", "text"),
        ({"remarks": 7}, "remarks", "7"),
        ({"remarks": lambda request, response: None}, "remarks", ""),
        ({"data": {"password": "x"}}, "data", {"password": MASK}),
        ({"status": "Failed"}, "status", "Failed"),
        ({"status": lambda request, response: None}, "status", "Success"),
    ],
)
def test_an_option_is_a_value_or_a_callable(activities, options, name, value):
    call_view(tracker(**options)(view))
    assert getattr(only(activities), name) == value


@pytest.mark.parametrize("option", ["content_object", "remarks", "data", "status"])
def test_an_option_that_fails_does_not_fail_the_view(activities, option):
    decorated = tracker(action="a", **{option: lambda request, response: 1 / 0})(view)
    assert call_view(decorated).status_code == 200
    assert only(activities).action == "a"
    assert counts["failed"] == 1


def raise_404(request, response):
    raise Http404


def test_an_option_that_finds_nothing_says_nothing(activities):
    call_view(tracker(action="a", content_object=raise_404)(view))
    assert only(activities).target is None
    assert counts == {}


def test_a_status_cannot_turn_a_failure_into_a_success(client, activities):
    decorated = tracker(status="Success")(lambda request: HttpResponse(status=503))
    call_view(decorated)
    assert only(activities).status == "Failed"


# --- what a view raises ----------------------------------------------------------------------


@either_way
@pytest.mark.parametrize("path", ["/tracked/broken/", "/tracked/async-broken/"])
@pytest.mark.parametrize("over_asgi", [False, True], ids=["wsgi", "asgi"])
def test_an_error_goes_on_and_is_recorded(client, activities, middleware, path, over_asgi):
    with pytest.raises(RuntimeError, match="out of paper"):
        ask(path) if over_asgi else client.get(path)
    activity = only(activities)
    assert activity.action in ("shop.printed", "shop.async_broken")
    assert activity.status == "Failed"
    assert activity.extra["exception"]["message"] == "out of paper"


def test_the_error_is_the_very_same(activities):
    error = KeyboardInterrupt("stop")

    @tracker
    def stop(request):
        raise error

    with pytest.raises(KeyboardInterrupt) as caught:
        call_view(stop)
    assert caught.value is error
    assert only(activities).status == "Failed"


@either_way
def test_a_view_that_raises_404_is_failed(client, activities, middleware):
    assert client.get("/tracked/missing/").status_code == 404
    assert (only(activities).action, only(activities).status) == ("order.missing", "Failed")


# --- functions that are no views -------------------------------------------------------------


def test_a_function_outside_a_request_is_a_row_of_its_own(activities):
    assert tracked.price(21) == 42
    activity = only(activities)
    assert (activity.action, activity.source) == ("price.computed", "custom")
    assert activity.remarks == "21 is 42"
    assert 0 <= activity.execution_time < 60


def test_a_function_without_a_name_for_it_is_called_by_its_own(activities):
    @tracker
    def rebuild():
        return 7

    assert rebuild() == 7
    assert only(activities).action == f"{__name__}.{rebuild.__qualname__}"


def test_an_error_of_a_function_goes_on_and_is_recorded(activities):
    @tracker(action="rebuilt")
    def rebuild():
        raise ValueError("no disk")

    with pytest.raises(ValueError, match="no disk"):
        rebuild()
    assert only(activities).status == "Failed"
    assert only(activities).extra["exception"]["type"] == "ValueError"


def test_a_function_in_a_request_is_a_row_beside_it(client, activities):
    client.get("/tracked/everything/")
    computed = next(each for each in activities if each.action == "price.computed")
    assert (computed.source, computed.path) == ("custom", "/tracked/everything/")


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_static_and_class_methods_can_be_tracked(activities, kind):
    class Till:
        @tracker(action="till.opened")
        @kind
        def opened(*args):
            return len(args)

    assert Till.opened() == (kind is classmethod)
    assert only(activities).action == "till.opened"


def test_an_async_function_outside_a_request_is_a_row_of_its_own(activities):
    @tracker(action="synced", remarks=lambda request, result, number: f"{number} to {result}")
    async def sync(number):
        return number * 2

    assert asyncio.run(sync(21)) == 42
    assert only(activities).remarks == "21 to 42"


def test_a_coroutine_that_is_cancelled_is_failed(activities):
    @tracker(action="synced")
    async def wait():
        await asyncio.Event().wait()

    async def cancel():
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    assert only(activities).status == "Failed"


@pytest.mark.django_db(transaction=True)
def test_outside_a_request_a_function_is_a_row():
    tracked.price(21)
    assert ActivityLog.objects.get().action == "price.computed"


def test_nothing_is_recorded_when_it_is_turned_off(activities, configure):
    configure(ENABLED=False)
    assert tracked.price(21) == 42
    assert asyncio.run(async_answer()) == 42
    assert activities == []


@tracker
async def async_answer():
    return 42


def test_a_request_may_be_named(activities):
    @tracker(action="a", remarks=lambda request, response, pk: f"{request.method} {pk}")
    def named(*, request, pk):
        return HttpResponse()

    named(request=RequestFactory().get("/"), pk=7)
    assert only(activities).remarks == "GET 7"


# --- what survives the wrapping --------------------------------------------------------------


@pytest.mark.parametrize("decorate", [tracker, tracker(), tracker(action="a")])
def test_name_docstring_and_module_survive(decorate):
    decorated = decorate(view)
    assert decorated.__name__ == "view"
    assert decorated.__doc__ == "Answer."
    assert decorated.__module__ == __name__
    assert decorated.__wrapped__ is view


def test_a_signature_survives_with_its_annotations_resolved():
    parameters = inspect.signature(ninja_api.make).parameters
    assert list(parameters) == ["request", "payload"]
    assert parameters["payload"].annotation is ninja_api.OrderIn


def test_a_signature_that_cannot_be_resolved_stays_as_it_is():
    def odd(request: "NeverDefined"):  # noqa: F821
        return HttpResponse()

    assert inspect.signature(tracker(odd)) == inspect.signature(odd)


def test_a_coroutine_function_stays_one():
    assert inspect.iscoroutinefunction(tracked.async_view)
    assert inspect.iscoroutinefunction(tracker(tracked.async_view))
    assert not inspect.iscoroutinefunction(tracked.bare)


def test_what_rest_framework_reads_survives():
    outside = drf.tracked_outside
    assert outside.cls.throttle_classes == [drf.ManyAnHour]
    assert drf.tracked_inside.cls.throttle_classes == [drf.ManyAnHour]
    assert outside.csrf_exempt
    assert drf.Orders.ship.mapping == {"post": "ship"}
    assert drf.Orders.ship.detail
    assert drf.Orders.cancel.mapping == {"post": "cancel", "delete": "restore"}


def test_a_class_stays_the_class():
    assert isinstance(tracked.TrackedClass, type)
    assert resolve("/tracked/class/").func.view_class is tracked.TrackedClass
    assert drf.TrackedView.as_view().cls is drf.TrackedView


def test_a_subclass_is_tracked_once(activities):
    class Narrower(tracked.TrackedClass):
        pass

    call = Narrower.as_view()
    assert call(RequestFactory().get("/")).content == b"class"
    assert only(activities).action == "orders.class"


def test_a_csrf_exemption_survives():
    exempt = lambda request: HttpResponse()  # noqa: E731
    exempt.csrf_exempt = True
    assert tracker(exempt).csrf_exempt


@pytest.mark.django_db
def test_ninja_describes_a_tracked_operation_as_any_other():
    schema = ninja_api.api.get_openapi_schema()
    body = schema["paths"]["/ninja/orders"]["post"]["requestBody"]
    assert body["content"][JSON]["schema"]["$ref"].endswith("OrderIn")
    (note,) = schema["paths"]["/ninja/async-orders"]["post"]["parameters"]
    assert (note["name"], note["schema"]["default"]) == ("note", "none")


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["view", 7, object()])
def test_only_functions_and_classes_are_tracked(target):
    with pytest.raises(TypeError, match="functions and view classes"):
        tracker(target)


def test_a_class_that_is_no_view_is_refused():
    with pytest.raises(TypeError, match="dispatch"):
        tracker(Order)


def test_an_option_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="actoin"):
        tracker(actoin="a")
