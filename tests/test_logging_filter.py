"""The filter for logging: each line of a log says of which request, actor and tenant it is."""

import asyncio
import logging
import subprocess
import sys
from contextlib import ExitStack
from threading import Thread

import pytest
from django.contrib.auth import get_user_model
from django.db.backends.utils import CursorWrapper
from django.http import HttpResponse
from django.test import AsyncClient, RequestFactory
from django.utils.functional import SimpleLazyObject

from tests.factories import person
from trackmate import bind
from trackmate.logging import ActivityContextFilter
from trackmate.middleware import TrackmateMiddleware

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NAMES = ("request_id", "trace_id", "actor", "tenant")
NOTHING = ("-", "-", "-", "-")

logger = logging.getLogger("tests.filtered")


@pytest.fixture
def lines():
    """The values of all lines that are logged in this test, by their messages."""
    found = {}

    class Handler(logging.Handler):
        def emit(self, record):
            found[record.getMessage()] = tuple(getattr(record, name) for name in NAMES)

    handler = Handler()
    handler.addFilter(ActivityContextFilter())
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield found
    logger.removeHandler(handler)


def ask(view, user=None, **headers):
    request = RequestFactory().get("/", headers=headers)
    if user is not None:
        request.user = user
    TrackmateMiddleware(view)(request)
    request.close()


def log(_request=None):
    logger.info("a line")
    return HttpResponse()


def alice():
    return get_user_model()(pk=get_user_model()._meta.pk.to_python("7" * 32), username="alice")


def test_a_line_of_nothing_has_nothing(lines):
    log()
    assert lines == {"a line": NOTHING}


def test_a_line_of_a_request_has_what_its_row_has(lines, activities, configure):
    configure(TENANT=lambda _request: "acme")
    ask(log, user=alice(), traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    (row,) = activities
    assert lines["a line"] == (row.request_id, TRACE, "alice", "acme")
    assert (row.trace_id, row.actor_label, row.tenant) == lines["a line"][1:]


def test_a_line_has_what_is_bound(lines, activities):
    with bind(request_id="r-1", trace_id=TRACE, actor="cron:nightly", tenant="acme"):
        log()
    assert lines["a line"] == ("r-1", TRACE, "cron:nightly", "acme")


def test_what_is_bound_in_a_request_wins(lines, activities, configure):
    configure(TENANT=lambda _request: "acme")

    def view(_request):
        with bind(actor="kiosk:3", tenant="zulu"):
            return log()

    ask(view, user=alice())
    assert lines["a line"][2:] == ("kiosk:3", "zulu")


def test_a_user_whom_nobody_has_loaded_is_not_loaded(lines, activities):
    loaded = []
    ask(log, user=SimpleLazyObject(lambda: loaded.append(1) or alice()))
    assert lines["a line"][2] == "-"
    assert len(loaded) == 0 or activities[0].actor_label == "alice"


def test_a_user_who_is_loaded_is_named(lines, activities):
    def view(request):
        return request.user.pk and log()

    ask(view, user=SimpleLazyObject(alice))
    assert lines["a line"][2] == "alice"


@pytest.mark.django_db
def test_a_line_costs_no_query_and_leaves_the_session_alone(
    client, lines, activities, configure, settings, queries
):
    """Even if ACTOR_LABEL and TENANT ask the user and the database."""
    configure(
        ACTOR_LABEL=lambda user: f"{user.groups.count()} groups",
        TENANT=lambda request: f"of {request.user.get_username()}",
    )
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_logging_filter.log_inside"]
    client.force_login(person("alice"))
    activities.clear()
    queries.clear()
    response = client.get("/")
    assert lines["inside"][2:] == ("-", "-")
    assert "Cookie" not in response.get("Vary", "")
    # The middleware has logged before and after its response; only the activity has read the user.
    assert (activities[0].tenant, activities[0].actor_label) == ("of alice", "0 groups")
    assert seen_inside == [(0, False)]


seen_inside = []


def log_inside(get_response):
    def middleware(request):
        seen_inside[:] = []
        response = get_response(request)
        logger.info("inside")
        seen_inside.append((len(sent), request.session.accessed))
        return response

    return middleware


sent = []


@pytest.fixture
def queries(monkeypatch):
    """The statements that have reached the database."""
    execute = CursorWrapper._execute

    def note(self, sql, *args):
        sent.append(sql)
        return execute(self, sql, *args)

    monkeypatch.setattr(CursorWrapper, "_execute", note)
    return sent


@pytest.mark.parametrize("name", ["ACTOR_LABEL", "TENANT"])
def test_what_the_project_is_asked_for_may_log_and_fail(lines, activities, configure, name):
    def answer(_value):
        logger.info("another line")
        raise RuntimeError

    configure(**{name: answer})
    ask(log, user=alice())
    assert lines["a line"][0] == activities[0].request_id


@pytest.mark.parametrize("name", ["actor", "tenant", "request_id", "trace_id"])
def test_no_value_can_forge_a_line(lines, name):
    with bind(**{name: f"a\r\n2026-01-01 ERROR forged\x1b[2J\u202e{'x' * 1000}"}):
        log()
    value = dict(zip(NAMES, lines["a line"], strict=True))[name]
    assert value.isprintable()
    assert len(value) <= 255


def test_threads_do_not_see_what_another_binds(lines):
    def work(number):
        with bind(actor=f"worker:{number}"):
            logger.info("line of %s", number)

    with bind(actor="outside"), ExitStack() as stack:
        threads = [Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        bare = Thread(target=log)
        bare.start()
        stack.callback(bare.join)
    assert {lines[f"line of {number}"][2] for number in range(8)} == {
        f"worker:{number}" for number in range(8)
    }
    assert lines["a line"] == NOTHING


def test_requests_of_one_loop_have_lines_of_their_own(lines, activities, configure, settings):
    configure(REQUEST_ID_HEADER="X-Request-ID")
    settings.MIDDLEWARE = [settings.MIDDLEWARE[0], "tests.test_logging_filter.log_late"]

    async def ask_often():
        client = AsyncClient()
        ids = [f"r-{number}" for number in range(8)]
        await asyncio.gather(
            *(client.get("/async/", headers={"X-Request-ID": each}) for each in ids)
        )
        return ids

    ids = asyncio.run(ask_often())
    assert {f"late {each}": each for each in ids} == {
        message: values[0] for message, values in lines.items()
    }


def log_late(get_response):
    async def middleware(request):
        response = await get_response(request)
        await asyncio.sleep(0)
        logger.info("late %s", request.headers["X-Request-ID"])
        return response

    return middleware


log_late.async_capable = True
log_late.sync_capable = False


def test_the_logging_of_a_project_can_name_it():
    """Django configures logging before it loads any app."""
    code = """
import logging, django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "trackmate"],
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"context": {"()": "trackmate.logging.ActivityContextFilter"}},
        "formatters": {"line": {"format": "%(request_id)s %(actor)s %(tenant)s %(message)s"}},
        "handlers": {
            "out": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "filters": ["context"],
                "formatter": "line",
            }
        },
        "root": {"handlers": ["out"], "level": "INFO"},
    },
)
django.setup()
import trackmate
with trackmate.bind(actor="cron:nightly"):
    logging.getLogger("shop").info("done")
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout == "- cron:nightly - done\n"
