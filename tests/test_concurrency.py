"""Many requests at once: each row has the actor, the data and the request id of its own request."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth import get_user_model
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.test import AsyncClient, AsyncRequestFactory, Client

from tests.hostile import views
from trackmate import bind, track, tracking
from trackmate.models import FAILED, ActivityLog
from trackmate.pipeline import get_backend

pytest_plugins = ["tests.hostile.fixtures"]
pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

REQUESTS = 200
THREADS = 20


@pytest.fixture(autouse=True)
def surroundings(hostile, settings, thread_connections):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    views.streamed.clear()


@pytest.fixture
def people():
    """A person for each request."""
    model = get_user_model()
    names = [f"person-{number:03}" for number in range(REQUESTS)]
    return model.objects.bulk_create([model(username=name) for name in names])


def logged_in(client, person):
    client.force_login(person)
    return client


def rows_of(path):
    """Return the rows of the requests to a path; SQLite in memory lets one writer in at a time."""
    while get_backend().flush():
        pass
    return ActivityLog.objects.filter(path=path)


def assert_each_has_its_own(people, path):
    own = list(rows_of(path).filter(source="request"))
    assert len(own) == REQUESTS
    assert {(row.actor_id, row.actor_label) for row in own} == {
        (person.pk, person.username) for person in people
    }
    assert len({row.request_id for row in own}) == REQUESTS
    asked = rows_of(path).filter(action="who.asked").values_list("request_id", "actor_label")
    assert set(asked) == {(row.request_id, row.actor_label) for row in own}


def test_200_requests_under_threads(people):
    clients = [logged_in(Client(), person) for person in people]

    def visit(client):
        try:
            return client.get("/who/").content.decode()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(threads.map(visit, clients))
    assert answers == [person.username for person in people]
    assert_each_has_its_own(people, "/who/")


@pytest.mark.parametrize("path", ["/who-async/", "/who/"])
@pytest.mark.parametrize("write", ["on_close", "before_response"])
def test_200_requests_under_asyncio(people, hostile, path, write):
    hostile(WRITE=write)
    clients = [logged_in(AsyncClient(), person) for person in people]

    async def visit_all():
        return await asyncio.gather(*(client.get(path) for client in clients))

    answers = [answer.content.decode() for answer in asyncio.run(visit_all())]
    assert answers == [person.username for person in people]
    assert_each_has_its_own(people, path)


def test_what_is_bound_in_one_thread_is_not_bound_in_another():
    def work(number):
        try:
            with bind(actor=f"worker:{number}", request_id=f"job-{number}"):
                for _ in range(5):
                    track("job.step", data={"number": number})
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, range(40)))
    assert_steps_belong_together(40)


def test_what_is_bound_in_one_task_is_not_bound_in_another():
    async def work(number):
        with bind(actor=f"worker:{number}", request_id=f"job-{number}"):
            for _ in range(5):
                async with tracking("job.step", data={"number": number}):
                    await asyncio.sleep(0)

    async def work_all():
        await asyncio.gather(*(work(number) for number in range(40)))

    asyncio.run(work_all())
    assert_steps_belong_together(40)


def assert_steps_belong_together(workers):
    rows = rows_of("").filter(action="job.step")
    assert len(rows) == workers * 5
    for row in rows:
        number = row.data["number"]
        assert (row.actor_label, row.request_id) == (f"worker:{number}", f"job-{number}")


# --- clients that go away, under ASGI --------------------------------------------------------


async def hang_up(path, *, after):
    """Visit a path, wait for `after()`, and close the connection."""
    scope = AsyncRequestFactory()._base_scope(path=path)
    visitor = ApplicationCommunicator(ASGIHandler(), scope)
    await visitor.send_input({"type": "http.request", "body": b"", "more_body": False})
    while not after():
        await asyncio.sleep(0.01)
    await visitor.send_input({"type": "http.disconnect"})
    await visitor.wait(timeout=30)


def test_a_client_that_hangs_up_while_the_view_works_is_recorded():
    asyncio.run(hang_up("/wait/", after=lambda: views.streamed == ["waiting"]))
    row = rows_of("/wait/").get()
    assert (row.status, row.status_code) == (FAILED, None)
    assert row.extra["exception"]["type"] == "CancelledError"


def test_an_async_stream_is_recorded_when_it_ends():
    async def read():
        response = await AsyncClient().get("/stream-async/")
        return [piece async for piece in response.streaming_content]

    assert asyncio.run(read()) == [b"0\n", b"1\n", b"2\n"]
    assert views.streamed == [0, 1, 2]
    assert rows_of("/stream-async/").get().status_code == 200
