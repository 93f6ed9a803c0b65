"""Projects that are not set up as we would: nothing is lost, mixed up or shown all the same."""

import asyncio
import functools
from contextlib import suppress

import pytest
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.handlers.wsgi import WSGIHandler
from django.db import transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import set_script_prefix

from tests.requests import answered
from trackmate import bind, track, tracker
from trackmate.context.scope import Scope, enter_scope, leave_scope
from trackmate.diagnostics import counts
from trackmate.models import ActivityLog
from trackmate.redaction.known_secrets import MASK
from trackmate.spool.locations import get_spool

OURS = "trackmate.middleware.TrackmateMiddleware"
FORM = "application/x-www-form-urlencoded"
pytestmark = pytest.mark.django_db


@pytest.fixture
def prefixed(settings):
    settings.FORCE_SCRIPT_NAME = "/app"
    yield
    set_script_prefix("/")


def ours_behind(name):
    return [name, OURS, "django.contrib.sessions.middleware.SessionMiddleware"]


# --- set up in another way -------------------------------------------------------------------


@pytest.mark.usefixtures("prefixed")
def test_a_site_below_a_prefix_is_recorded(activities):
    answer = WSGIHandler()(RequestFactory().get("/orders/").environ, lambda *_args: None)
    answer.close()
    assert [activity.path for activity in activities] == ["/app/orders/"]


@pytest.mark.parametrize(
    ("outer", "path", "status"),
    [
        ("django.middleware.common.CommonMiddleware", "/orders", 301),
        ("django.middleware.http.ConditionalGetMiddleware", "/", 304),
    ],
)
def test_an_answer_that_an_outer_middleware_replaces_is_recorded(
    client, activities, settings, outer, path, status
):
    settings.MIDDLEWARE = ours_behind(outer)
    etag = client.get(path).headers.get("ETag", "")
    activities.clear()
    assert client.get(path, headers={"if-none-match": etag}).status_code == status
    assert [activity.path for activity in activities] == [path]


def test_a_log_that_the_tests_of_a_project_closed_leaves_nothing_to_store_later(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("Database queries are not allowed in SimpleTestCase")

    monkeypatch.setattr("trackmate.backends.database.insert", refuse)
    track("tried")
    assert counts["dropped"] == 1
    assert get_spool().is_empty()


def test_a_spool_that_fails_takes_nothing_from_what_was_stored(configure, tmp_path, caplog):
    (tmp_path / "file").touch()
    configure(SPOOL_DIR=tmp_path / "file")
    track("stored")
    assert ActivityLog.objects.get().action == "stored"
    assert not counts
    [message] = caplog.messages
    assert "the spool failed" in message


# --- parts that fail -------------------------------------------------------------------------


def broken_address(_request):
    raise ValueError("no address")


def test_a_hook_that_fails_costs_the_address_alone(client, activities, configure):
    configure(CLIENT_IP=broken_address)
    client.get("/orders/?page=2")
    (activity,) = activities
    assert (activity.path, activity.status_code, activity.ip_address) == ("/orders/", 200, None)


def test_a_form_of_an_unknown_encoding_costs_the_data_alone(client, activities):
    client.post("/swallow/", "a=1", content_type=f"{FORM}; charset=latin-1")
    (activity,) = activities
    assert (activity.method, activity.path) == ("POST", "/swallow/")
    assert activity.data == "not captured: 3 bytes, cannot be parsed"


def test_an_object_that_is_none_costs_itself_alone(activities):
    tracked = tracker(action="sold", content_object=lambda *_args: "no model")(lambda request: None)
    request = RequestFactory().get("/orders/")
    scope = Scope(request)
    token = enter_scope(scope)
    tracked(request)
    leave_scope(token)
    assert scope.enrichments[0](activities) is None


# --- secrets in paths ------------------------------------------------------------------------


def test_a_secret_of_a_path_that_nobody_resolved_is_masked(client, activities, settings):
    settings.MIDDLEWARE = [OURS, "django.middleware.security.SecurityMiddleware"]
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/reset/swordfish/").status_code == 301
    assert [activity.path for activity in activities] == [f"/reset/{MASK}/"]


def test_a_secret_of_the_page_before_is_masked(client, activities):
    client.get(
        "/orders/", headers={"referer": "http://testserver/reset/swordfish/", "host": "testserver"}
    )
    client.get("/orders/", headers={"referer": "http://elsewhere.example/reset/"})
    referers = [activity.extra["headers"]["Referer"] for activity in activities]
    assert referers == [f"http://testserver/reset/{MASK}/", "http://elsewhere.example/reset/"]


def test_a_page_that_is_known_to_hold_no_secret_vouches_for_no_other(client, activities):
    for page in ("/orders/", "/orders/", "/reset/swordfish/", "/reset/swordfish/"):
        client.get("/", headers={"referer": f"http://testserver{page}", "host": "testserver"})
    referers = [activity.extra["headers"]["Referer"] for activity in activities]
    assert referers == ["http://testserver/orders/"] * 2 + [f"http://testserver/reset/{MASK}/"] * 2


def test_an_object_whose_key_is_a_secret_is_not_named_by_it(activities):
    track("session.ended", content_object=Session(session_key="swordfish-swordfish"))
    assert "swordfish" not in repr(activities)


def test_the_name_of_an_actor_is_no_key_and_value(activities):
    track("stock.synced", actor="api-key:7")
    assert activities[0].actor_label == "api-key:7"


# --- who and what belong together ------------------------------------------------------------


def test_an_id_that_is_bound_on_the_way_is_the_id_of_the_whole_request(activities):
    def view(request):
        track("before")
        with bind(request_id="from-the-gateway"):
            track("within")
        return HttpResponse()

    answered(view, RequestFactory().get("/orders/")).close()
    assert {activity.request_id for activity in activities} == {"from-the-gateway"}
    assert len(activities) == 3


def test_an_object_whose_type_is_gone_is_none():
    gone = ActivityLog.objects.create(content_type_id=99_999, object_id="1")
    stale = ContentType.objects.create(app_label="shop", model="was")
    assert ActivityLog.objects.get(pk=gone.pk).content_object is None
    row = ActivityLog.objects.create(content_type=stale, object_id="1")
    assert ActivityLog.objects.get(pk=row.pk).content_object is None


def test_a_time_may_be_a_text():
    row = ActivityLog.objects.create(action_time="2026-01-02T03:04:05Z")
    row.refresh_from_db()
    assert row.action_time.isoformat() == "2026-01-02T03:04:05+00:00"


# --- odd things to track ---------------------------------------------------------------------


class Feed:
    def __call__(self, number):
        return number


@pytest.mark.parametrize("target", [functools.partial(max, 1), Feed()])
def test_what_has_no_name_is_named_by_its_type(activities, target):
    assert tracker(target)(7) == 7
    assert activities[0].action.endswith((".partial", ".Feed"))


def rows():
    yield 1


async def async_rows():
    yield 1


@pytest.mark.parametrize("generator", [rows, async_rows])
def test_a_generator_is_refused(generator):
    with pytest.raises(TypeError, match="generator"):
        tracker(generator)


def test_a_coroutine_that_is_closed_does_not_wait(activities):
    @tracker(action="waited")
    async def wait():
        await asyncio.sleep(60)

    asyncio.run(begin_and_close(wait()))
    assert [(each.action, each.status) for each in activities] == [("waited", "Failed")]


async def begin_and_close(coroutine):
    coroutine.send(None)
    coroutine.close()


@pytest.mark.django_db(transaction=True)
def test_what_happens_in_a_broken_transaction_waits_in_the_spool(spool_directory):
    with suppress(ValueError), transaction.atomic():
        with suppress(ValueError), transaction.atomic(savepoint=False):
            raise ValueError
        track("sync.failed")
        raise ValueError
    assert ActivityLog.objects.count() == 0
    assert "sync.failed" in (spool_directory / "open.jsonl").read_text()
