"""The middleware: one row for each request, sync and async, whatever the view does."""

import asyncio
import re
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, RequestFactory
from django.test.utils import CaptureQueriesContext

from tests.requests import answered
from tests.shop.models import Order
from trackmate.clock import datetime_of
from trackmate.diagnostics import counts
from trackmate.middleware import TrackmateMiddleware
from trackmate.models import ActivityLog
from trackmate.pipeline import get_backend
from trackmate.redaction.known_secrets import MASK

pytestmark = [pytest.mark.database, pytest.mark.users]

MIDDLEWARE = "trackmate.middleware.TrackmateMiddleware"
transactional = pytest.mark.django_db(transaction=True)


def ask(path, method="get", **options):
    """Ask as an ASGI server would."""
    return asyncio.run(getattr(AsyncClient(), method)(path, **options))


@pytest.fixture
def quiet_client(client):
    client.raise_request_exception = False
    return client


@pytest.fixture
def alice(transactional_db):
    return get_user_model().objects.create_user("alice", password="correct horse")


# --- what a row says of a request ------------------------------------------------------------


def test_a_request_is_an_activity(client, activities):
    client.get("/orders/?page=2", headers={"user-agent": "curl/8", "referer": "/start/"})
    (activity,) = activities
    assert (activity.source, activity.action_type, activity.status) == (
        "request",
        "Read",
        "Success",
    )
    assert (activity.method, activity.path, activity.route) == ("GET", "/orders/", "orders/")
    assert (activity.action, activity.status_code) == ("orders/", 200)
    assert (activity.user_agent, activity.ip_address) == ("curl/8", "127.0.0.1")
    assert activity.extra == {"query": "page=2", "headers": {"Referer": "/start/"}}


def test_a_request_is_timed_from_its_start(client, activities):
    client.get("/")
    (activity,) = activities
    assert datetime_of(activity.id) == activity.action_time
    assert 0 < activity.execution_time < 60


@pytest.mark.parametrize(
    ("method", "action_type"),
    [
        ("GET", "Read"),
        ("HEAD", "Read"),
        ("OPTIONS", "Read"),
        ("POST", "Create"),
        ("PUT", "Update"),
        ("PATCH", "Update"),
        ("DELETE", "Delete"),
    ],
)
def test_every_method_is_recorded(client, activities, method, action_type):
    client.generic(method, "/orders/")
    (activity,) = activities
    assert (activity.method, activity.action_type) == (method, action_type)


@pytest.mark.parametrize(
    ("code", "status"),
    [(200, "Success"), (302, "Success"), (399, "Success"), (400, "Failed"), (503, "Failed")],
)
def test_a_status_code_says_how_it_went(client, activities, code, status):
    client.get(f"/status/{code}/")
    assert (activities[0].status_code, activities[0].status) == (code, status)


def test_a_path_that_leads_nowhere_is_recorded_without_a_route(client, activities):
    client.get("/nowhere/")
    (activity,) = activities
    assert (activity.path, activity.route, activity.action) == ("/nowhere/", "", "")
    assert (activity.status_code, activity.status) == (404, "Failed")


def test_a_view_that_raises_is_recorded_with_its_exception(quiet_client, activities):
    assert quiet_client.get("/broken/").status_code == 500
    (activity,) = activities
    assert (activity.status, activity.status_code) == ("Failed", 500)
    exception = activity.extra["exception"]
    assert (exception["type"], exception["message"]) == ("RuntimeError", "out of paper")
    assert re.search(r"shop.views\.py:\d+$", exception["place"])


def test_a_view_that_answers_404_has_not_broken(client, activities, db):
    client.get("/orders/7/")
    assert activities[0].status_code == 404
    assert activities[0].extra is None


@pytest.mark.parametrize("path", ["/stream/", "/download/"])
def test_an_answer_that_streams_is_recorded_when_it_is_closed(client, activities, path):
    answer = client.get(path)
    assert activities == []
    assert b"".join(answer.streaming_content) in (b"one two", b"a report")
    assert [activity.path for activity in activities] == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_answer_whose_stream_breaks_off_has_failed(rf, activities, error):
    def stream():
        yield b"one"
        raise error

    response = TrackmateMiddleware(lambda _request: StreamingHttpResponse(stream()))(rf.get("/"))
    with pytest.raises(error):
        list(response)
    assert [activity.status for activity in activities] == ["Failed"]


def test_the_requests_of_one_client_are_told_apart(client, activities):
    client.get("/")
    client.get("/")
    first, second = activities
    assert first.request_id == first.id.hex != second.request_id


def test_a_token_in_a_path_is_masked_by_the_name_the_route_gives_it(client, activities):
    client.get("/reset/abc-hunter2/")
    assert activities[0].path == f"/reset/{MASK}/"
    assert activities[0].route == "reset/<str:token>/"


def test_an_answer_is_handed_on_untouched(client, activities):
    recorded = client.get("/status/299/")
    with_nothing = TrackmateMiddleware(lambda request: HttpResponse(status=299))
    assert recorded.content == with_nothing(RequestFactory().get("/")).content
    assert "Vary" not in recorded.headers


# --- what is not recorded --------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/static/shop.css", "/media/photo.jpg", "/favicon.ico"])
def test_files_are_not_recorded(client, activities, settings, path):
    settings.MEDIA_URL = "/media/"
    assert client.get(path).status_code == 200
    assert activities == []


def test_the_dashboard_is_not_recorded(admin_client, activities):
    assert admin_client.get("/trackmate/").status_code == 200
    assert activities == []


def test_the_admin_is_recorded(admin_client, activities):
    admin_client.get("/admin/")
    assert [activity.route for activity in activities] == ["admin/"]


@pytest.mark.parametrize(
    "wish",
    [
        {"ENABLED": False},
        {"TRACK_REQUESTS": False},
        {"EXCLUDE_PATHS": ["/health/"]},
        {"EXCLUDE_PATHS": ["health"]},
        {"EXCLUDE_PATHS": [re.compile("^/h")]},
        {"INCLUDE_PATHS": ["/orders/"]},
        {"EXCLUDE_METHODS": ["GET"]},
        {"SAMPLE_RATE": 0},
    ],
    ids=str,
)
def test_a_request_can_be_left_out(client, activities, configure, wish):
    client.get("/health/")
    configure(**wish)
    client.get("/health/")
    assert len(activities) == 1


def test_what_a_project_records_in_a_request_left_out_stays(client, activities, configure):
    configure(EXCLUDE_PATHS=["/tracked/"])
    client.get("/tracked/everything/")
    actions = {activity.action for activity in activities}
    assert actions == {"order.export", "order.exported", "price.computed"}
    assert {activity.path for activity in activities} == {"/tracked/everything/"}


def test_a_login_on_a_path_left_out_is_recorded(client, activities, configure, alice):
    configure(EXCLUDE_PATHS=["/sign-in/"])
    client.post("/sign-in/", {"username": "alice", "password": "correct horse"})
    client.post("/sign-in/", {"username": "alice", "password": "wrong"})
    assert [activity.action_type for activity in activities] == ["Login", "Login Failed"]


def test_failures_are_never_sampled(client, activities, configure):
    configure(SAMPLE_RATE=0)
    client.get("/nowhere/")
    assert len(activities) == 1


def test_a_middleware_that_is_there_twice_records_once(client, activities, settings):
    settings.MIDDLEWARE = [MIDDLEWARE, *settings.MIDDLEWARE, MIDDLEWARE]
    client.get("/")
    assert len(activities) == 1


@pytest.mark.parametrize("index", [0, 2, 5])
def test_the_middleware_works_wherever_it_stands(client, activities, settings, index, alice):
    others = [name for name in settings.MIDDLEWARE if name != MIDDLEWARE]
    settings.MIDDLEWARE = [*others[:index], MIDDLEWARE, *others[index:]]
    client.force_login(alice)
    client.get("/whoami/")
    request = [activity for activity in activities if activity.source == "request"]
    assert [activity.actor_label for activity in request] == ["alice"]


# --- when the row is written -----------------------------------------------------------------


def answer_of(path="/", **options):
    """Return an answer that no server has closed yet."""
    return answered(lambda request: HttpResponse("shop"), RequestFactory().get(path, **options))


@transactional
def test_the_visitor_does_not_wait(activities):
    answer = answer_of()
    assert activities == []
    answer.close()
    assert len(activities) == 1


class Stubborn(RequestFactory().get("/").__class__):
    """A request that does not let anybody say how it is closed."""

    def __setattr__(self, name, value):
        if name == "close":
            raise AttributeError(name)
        super().__setattr__(name, value)


@transactional
@pytest.mark.parametrize(
    ("request_class", "response"),
    [
        (None, HttpResponse("as usual")),
        (Stubborn, HttpResponse("half of the way")),
        (None, SimpleNamespace(status_code=200)),
        (None, None),
    ],
    ids=["usual", "half", "no answer of Django's", "nothing"],
)
def test_what_cannot_be_closed_later_is_recorded_once_too(activities, request_class, response):
    request = RequestFactory().get("/")
    if request_class:
        request.__class__ = request_class
    assert answered(lambda request: response, request) is response
    if isinstance(response, HttpResponse):
        response.close()
    assert len(activities) == 1


@transactional
def test_an_answer_that_is_closed_twice_is_recorded_once(activities):
    answer = answer_of()
    answer.close()
    answer.close()
    assert len(activities) == 1


@transactional
def test_the_row_can_be_written_before_the_answer(activities, configure):
    configure(WRITE="before_response")
    answer = answer_of()
    assert len(activities) == 1
    answer.close()
    assert len(activities) == 1


def test_what_no_handler_catches_is_recorded_and_goes_on_unchanged(activities):
    error = KeyboardInterrupt("stop")

    def stop(request):
        raise error

    with pytest.raises(KeyboardInterrupt) as caught:
        TrackmateMiddleware(stop)(RequestFactory().get("/"))
    assert caught.value is error
    (activity,) = activities
    assert (activity.status, activity.status_code) == ("Failed", None)
    assert activity.extra["exception"]["type"] == "KeyboardInterrupt"


@transactional
@pytest.mark.parametrize("write", ["on_close", "before_response"])
def test_a_rolled_back_view_is_recorded_all_the_same(quiet_client, configure, monkeypatch, write):
    configure(WRITE=write)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    quiet_client.get("/place-order/?number=7&broken=1")
    assert not Order.objects.exists()
    assert ActivityLog.objects.get().status_code == 500


@pytest.mark.django_db
def test_a_request_that_cannot_be_described_is_recorded_as_one_that_was(
    activities,
):
    def view(request):
        request.resolver_match = "no match"
        return HttpResponse(status=404)

    answered(view, RequestFactory().get("/")).close()
    (activity,) = activities
    assert (activity.source, activity.method, activity.path) == ("request", "GET", "")
    assert (activity.status, activity.status_code) == ("Failed", 404)
    assert counts["failed"]


# --- async -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code"), [("/async/", 200), ("/orders/", 200), ("/async/orders/", 200), ("/x/", 404)]
)
def test_a_request_over_asgi_is_an_activity(activities, path, code):
    assert ask(path).status_code == code
    (activity,) = activities
    assert (activity.path, activity.method, activity.status_code) == (path, "GET", code)


def test_over_asgi_the_row_can_be_written_before_the_answer(activities, configure):
    configure(WRITE="before_response")
    ask("/async/")
    assert [activity.path for activity in activities] == ["/async/"]


def test_an_async_view_that_raises_is_recorded_with_its_exception(activities):
    client = AsyncClient(raise_request_exception=False)
    assert asyncio.run(client.get("/async/broken/")).status_code == 500
    (activity,) = activities
    assert activity.extra["exception"]["message"] == "out of paper"


def test_an_async_stream_is_recorded_when_it_is_closed(activities):
    async def read():
        answer = await AsyncClient().get("/async/stream/")
        return [(part, len(activities)) async for part in answer.streaming_content]

    assert asyncio.run(read()) == [(b"one ", 0), (b"two", 0)]
    assert [activity.path for activity in activities] == ["/async/stream/"]


def test_a_client_that_hangs_up_is_recorded(activities):
    async def hang_up():
        entered = asyncio.Event()

        async def view(request):
            entered.set()
            await asyncio.Event().wait()

        scope = {"type": "http", "method": "GET", "path": "/slow/", "headers": []}
        task = asyncio.create_task(TrackmateMiddleware(view)(ASGIRequest(scope, None)))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(hang_up())
    (activity,) = activities
    assert (activity.path, activity.status, activity.status_code) == ("/slow/", "Failed", None)


def test_an_async_request_can_be_left_out(activities, configure):
    configure(ENABLED=False)
    assert ask("/async/").status_code == 200
    assert activities == []


@transactional
def test_a_request_over_asgi_is_a_row(thread_connections):
    ask("/async/", headers={"user-agent": "curl/8"})
    row = ActivityLog.objects.get()
    assert (row.path, row.user_agent, row.status_code) == ("/async/", "curl/8", 200)


# --- one INSERT ------------------------------------------------------------------------------


@pytest.fixture
def count_queries(transactional_db):
    """Return what is executed on the database, once everything that is kept is warm."""

    def executed(request):
        request()
        get_backend().flush()
        ActivityLog.objects.all().delete()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            request()
        return [query["sql"] for query in queries]

    return executed


def ours(statements):
    return [sql for sql in statements if "trackmate_activitylog" in sql]


@pytest.mark.parametrize("write", ["on_close", "before_response"])
def test_an_anonymous_get_is_one_insert_and_no_other_query(client, configure, count_queries, write):
    configure(WRITE=write)
    (statement,) = count_queries(lambda: client.get("/orders/?page=2"))
    assert statement.count("INSERT INTO") == 1


def test_an_api_post_is_one_insert_and_no_other_query(client, count_queries):
    body = {"lines": [{"sku": "A-7", "amount": 3}], "token": "hunter2"}
    (statement,) = count_queries(
        lambda: client.post("/drf/plain/", body, content_type="application/json")
    )
    assert statement.count("INSERT INTO") == 1
    assert ActivityLog.objects.get().data["token"] == MASK


def test_a_request_in_which_much_happened_is_one_insert(client, alice, count_queries):
    client.force_login(alice)
    statements = count_queries(lambda: client.get("/tracked/everything/"))
    assert len(ours(statements)) == 1
    assert ActivityLog.objects.count() == 4
    assert len({row.request_id for row in ActivityLog.objects.all()}) == 1


def test_a_request_with_a_login_and_more_is_one_insert(client, alice, count_queries):
    statements = count_queries(lambda: client.get("/tracked/sign-in-and-export/?name=alice"))
    assert len(ours(statements)) == 1
    names = {"auth.login", "order.exported", "price.computed"}
    assert set(ActivityLog.objects.values_list("action", flat=True)) == names
    assert set(ActivityLog.objects.values_list("actor", flat=True)) == {alice.pk}


def test_a_login_with_its_request_is_one_insert(client, alice, count_queries):
    credentials = {"username": "alice", "password": "correct horse"}
    statements = count_queries(lambda: client.post("/sign-in/", credentials))
    assert len(ours(statements)) == 1
    assert set(ActivityLog.objects.values_list("action", flat=True)) == {"auth.login"}


def test_a_view_that_reads_its_user_is_one_insert_more(client, alice, count_queries):
    client.force_login(alice)
    statements = count_queries(lambda: client.get("/whoami/"))
    assert len(statements) == 3  # the session, the user, the log
    assert len(ours(statements)) == 1


@pytest.mark.usefixtures("thread_connections")
def test_an_anonymous_get_over_asgi_is_one_insert(transactional_db):
    ask("/async/")
    ask("/async/")
    assert ActivityLog.objects.count() == 2
    assert counts == {}
