"""Background tasks: each run is recorded, and belongs to whoever has started it."""

import json
import time
from contextlib import ExitStack
from functools import partial

import dramatiq
import pytest
from celery import Celery, signals
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Ignore, WorkerLostError
from django.contrib.auth import get_user_model
from django.db import connection
from django.http import HttpResponse
from django.tasks import task as django_task
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils.functional import SimpleLazyObject
from django_tasks_db.management.commands.db_worker import Worker as DatabaseWorker
from django_tasks_db.models import DBTaskResult
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Middleware, SkipMessage
from fakeredis import FakeStrictRedis
from rq import Queue, Retry, SimpleWorker

from trackmate import bind, track
from trackmate.capture.events.tasks import HEADER, current_origin, read_origin
from trackmate.middleware import TrackmateMiddleware

pytestmark = pytest.mark.django_db

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def alice():
    return get_user_model()(pk=7, username="alice")


def respond(view, user=None, **bound):
    """Let a user ask for a view, behind the middleware."""

    def get_response(request):
        request.user = user
        with bind(**bound):
            view()
        return HttpResponse()

    request = RequestFactory().post("/orders/")
    TrackmateMiddleware(get_response)(request)
    request.close()


def remember(order):
    track("order.remembered", data={"order": order})


def break_down(order):
    raise LookupError(f"no order {order}")


def give_up():
    raise Ignore


def try_again(task):
    if not task.request.retries:
        raise task.retry(exc=LookupError("not yet"), countdown=0)


@django_task
def django_remember(order):
    remember(order)


@django_task
def django_break_down(order):
    break_down(order)


# --- the queues: `send(name, order)` starts a task, `work()` runs what waits


@pytest.fixture(scope="module")
def celery_app():
    app = Celery(
        "shop", broker="memory://", backend="cache+memory://", set_as_current=False, fixups=()
    )
    app.task(name="remember")(remember)
    app.task(name="break_down")(break_down)
    app.task(name="give_up")(give_up)
    app.task(name="try_again", bind=True)(try_again)
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        yield app


class CeleryQueue:
    prefix, queue = "", "celery"

    def __init__(self, request):
        self.app = request.getfixturevalue("celery_app")
        self.sent = []

    def send(self, name, order):
        self.sent.append(self.app.tasks[name].delay(order))

    def work(self):
        for result in self.sent:
            result.get(timeout=20, propagate=False)


class RedisQueue:
    prefix, queue = "tests.packages.test_tasks.", "default"

    def __init__(self, _request):
        self.jobs = Queue(connection=FakeStrictRedis())

    def send(self, name, order):
        self.jobs.enqueue(f"{self.prefix}{name}", order)

    def work(self):
        SimpleWorker([self.jobs], connection=self.jobs.connection).work(burst=True)


class DramatiqQueue:
    prefix, queue = "", "default"

    def __init__(self, request, *middleware, **options):
        self.broker = StubBroker()
        for each in middleware:
            self.broker.add_middleware(each)
        self.actors = {
            function.__name__: dramatiq.actor(
                function, broker=self.broker, **{"max_retries": 0, **options}
            )
            for function in (remember, break_down)
        }
        self.worker = dramatiq.Worker(self.broker, worker_timeout=50)
        request.addfinalizer(self.worker.stop)

    def send(self, name, order):
        self.actors[name].send(order)

    def work(self):
        self.worker.start()
        self.broker.join("default", timeout=20_000, fail_fast=False)
        self.worker.join()


class DatabaseQueue:
    prefix, queue = "tests.packages.test_tasks.django_", "default"

    def __init__(self, _request):
        pass

    def send(self, name, order):
        globals()[f"django_{name}"].using(backend="database").enqueue(order)

    def work(self):
        DatabaseWorker(
            queue_names=["*"],
            interval=0,
            batch=True,
            backend_name="database",
            startup_delay=False,
            max_tasks=None,
            worker_id="w",
            excluded_queue_names=[],
        ).run()


QUEUES = [CeleryQueue, RedisQueue, DramatiqQueue, DatabaseQueue]


@pytest.fixture(params=QUEUES, ids=lambda each: each.__name__)
def queue(request):
    return request.param(request)


def runs_of(activities, number=1):
    """Return the runs of tasks, once there are so many: workers record when they have ended."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        runs = [each for each in activities if each.source == "task"]
        if len(runs) >= number:
            break
        time.sleep(0.02)
    assert len(runs) == number
    return runs


def named(activities, action):
    return next(each for each in activities if each.action == action)


def test_a_run_belongs_to_the_user_and_the_request_that_started_it(activities, queue, alice):
    respond(partial(queue.send, "remember", 7), user=alice)
    queue.work()
    (run,) = runs_of(activities)
    (request,) = [each for each in activities if each.source == "request"]
    remembered = named(activities, "order.remembered")
    assert (run.action, run.action_type, run.status) == (
        f"{queue.prefix}remember",
        "Action",
        "Success",
    )
    assert (run.actor_id, run.actor_label) == (7, "alice")
    assert run.execution_time >= 0
    assert (run.extra["queue"], run.extra["attempt"]) == (queue.queue, 1)
    assert run.extra["task_id"]
    assert (remembered.actor_id, remembered.actor_label) == (7, "alice")
    assert remembered.extra == {"task": run.action}
    assert run.request_id == remembered.request_id == request.request_id == request.id.hex


def test_a_run_that_raises_has_failed(activities, queue, alice):
    with bind(actor=alice):
        queue.send("break_down", 8)
    queue.work()
    (run,) = runs_of(activities)
    assert (run.status, run.actor_label) == ("Failed", "alice")
    assert run.extra["exception"]["type"] == "LookupError"
    assert run.extra["exception"]["message"] == "no order 8"


def test_everything_that_is_bound_travels(activities, queue, alice):
    bob = get_user_model()(pk=8, username="bob")
    with bind(
        actor=alice,
        impersonator=bob,
        tenant="acme",
        reason="ticket 4711",
        request_id="r-1",
        trace_id=TRACE,
    ):
        queue.send("remember", 7)
    queue.work()
    runs_of(activities)
    for each in activities:
        assert (each.impersonator_id, each.impersonator_label) == (8, "bob")
        assert (each.tenant, each.reason) == ("acme", "ticket 4711")
        assert (each.request_id, each.trace_id) == ("r-1", TRACE)


def test_nobody_stays_nobody_and_the_next_task_is_another_one(activities, queue, alice):
    with bind(actor=alice, tenant="acme"):
        queue.send("remember", 1)
    queue.send("remember", 2)
    queue.work()
    first, second = runs_of(activities, 2)
    assert (first.actor_label, first.tenant) == ("alice", "acme")
    assert (second.actor_id, second.actor_label, second.tenant) == (None, "", None)
    assert second.request_id == second.id.hex != first.request_id


def test_no_argument_is_recorded(activities, queue):
    queue.send("remember", "hunter22hunter")
    queue.work()
    (run,) = runs_of(activities)
    assert "hunter22hunter" not in repr(run)


@pytest.mark.parametrize(
    ("setting", "recorded"), [(False, 0), ([], 0), (["remember"], 1), (("other",), 0)]
)
def test_the_setting_narrows_the_runs_but_not_who_is_behind_them(
    activities, request, configure, settings, alice, setting, recorded
):
    settings.TRACKMATE = {**settings.TRACKMATE, "TRACK_TASKS": setting}
    queue = DramatiqQueue(request)
    with bind(actor=alice):
        queue.send("remember", 7)
    queue.work()
    assert len([each for each in activities if each.source == "task"]) == recorded
    assert named(activities, "order.remembered").actor_label == "alice"


# --- what a message brings is data


@pytest.mark.parametrize(
    "header",
    [
        None,
        "alice",
        ["actor_id", 7],
        {"actor_id": {"$ne": 1}, "actor_label": ["x"]},
        {"actor_id": True, "actor_label": "root"},
        {"actor_id": 10**40, "actor_label": "root"},
        {"actor_id": "7 OR 1=1", "actor_label": "root"},
        {"actor_id": 1.5, "actor_label": "root"},
        {"request_id": "x" * 65, "tenant": "t" * 65, "reason": "r" * 1_001},
        {"trace_id": "0" * 31, "request_id": ""},
        {"trace_id": "G" * 32},
        {"status": "Success", "source": "auth", "extra": {"a": 1}, "id": "7"},
    ],
)
def test_an_invalid_origin_is_nobody(header):
    assert read_origin(header) == {}


def test_what_is_valid_in_an_origin_is_kept():
    origin = read_origin({"actor_id": 7, "actor_label": "alice", "tenant": 5, "reason": "why"})
    assert origin == {"actor_id": 7, "actor_label": "alice", "reason": "why"}


@pytest.mark.parametrize("header", ["garbage", {"actor_id": [1]}, {"request_id": "\ud800\x00"}])
def test_a_message_with_a_hostile_origin_runs(activities, header):
    jobs = Queue(connection=FakeStrictRedis())
    jobs.enqueue(remember, 7, meta={HEADER: header})
    SimpleWorker([jobs], connection=jobs.connection).work(burst=True)
    (run,) = runs_of(activities)
    assert (run.status, run.actor_label) == ("Success", "")


def test_an_origin_is_small_json_without_secrets(alice):
    alice.username = "a" * 400
    with bind(
        actor=alice, reason="password=hunter22hunter " + "x" * 5_000, tenant="t" * 99, job="a"
    ):
        origin = current_origin()
    assert read_origin(json.loads(json.dumps(origin))) == origin
    assert len(origin["actor_label"]) == 255
    assert "hunter22hunter" not in origin["reason"]
    assert set(origin) == {"actor_id", "actor_label", "reason", "tenant"}


def test_without_surroundings_nothing_travels():
    assert current_origin() == {}


def test_the_name_of_an_inner_actor_does_not_travel_with_the_key_of_an_outer_one(alice):
    with bind(actor=alice), bind(actor="cron:nightly"):
        assert current_origin() == {"actor_label": "cron:nightly"}
        track("checked")


def test_a_user_whom_nobody_has_read_is_not_read_for_a_task(activities):
    origins = []
    lazy = SimpleLazyObject(lambda: pytest.fail("read"))

    def view():
        origins.append(current_origin())

    with CaptureQueriesContext(connection) as queries, pytest.MonkeyPatch.context() as patch:
        patch.setattr("trackmate.capture.requests.request_actor", lambda *_args: None)
        respond(view, user=lazy)
    assert set(origins[0]) == {"request_id"}
    assert not queries.captured_queries


def test_what_the_settings_say_of_a_request_travels(configure):
    configure(
        TENANT=lambda request: request.get_host(),
        REASON_HEADER="X-Reason",
    )
    origins = []

    def get_response(_request):
        origins.append(current_origin())
        return HttpResponse()

    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-reason": "month end"}
    TrackmateMiddleware(get_response)(RequestFactory().get("/orders/", headers=headers))
    (origin,) = origins
    assert (origin["tenant"], origin["reason"], origin["trace_id"]) == (
        "testserver",
        "month end",
        TRACE,
    )


def test_a_tenant_that_needs_a_query_is_not_looked_up_for_a_task(activities, configure, caplog):
    configure(TENANT=lambda request: str(get_user_model().objects.count()))
    origins = []
    respond(lambda: origins.append(current_origin()))
    assert set(origins[0]) == {"request_id"}
    assert not caplog.records


def test_a_task_that_a_task_starts_belongs_to_the_same_user(activities, request, alice):
    queue = DramatiqQueue(request)
    parent = dramatiq.actor(
        lambda: queue.send("remember", 7), broker=queue.broker, actor_name="parent"
    )
    with bind(actor=alice, request_id="r-1"):
        parent.send()
    queue.work()
    assert {(each.actor_label, each.request_id) for each in activities} == {("alice", "r-1")}
    runs_of(activities, 2)


# --- Celery


@pytest.fixture
def eager(celery_app):
    celery_app.conf.task_always_eager = True
    yield celery_app
    celery_app.conf.task_always_eager = False


def test_an_eager_task_is_a_part_of_its_request(activities, eager, alice):
    respond(partial(eager.tasks["remember"].delay, 7), user=alice)
    request, remembered, run = activities
    assert (remembered.action, run.source) == ("order.remembered", "task")
    assert {(each.actor_id, each.actor_label) for each in activities} == {(7, "alice")}
    assert {each.request_id for each in activities} == {request.id.hex}


def test_an_eager_task_of_nobody_has_no_actor(activities, eager):
    respond(partial(eager.tasks["remember"].delay, 7))
    assert {each.actor_label for each in activities} == {""}


def test_each_attempt_is_a_run(activities, celery_app, alice):
    with bind(actor=alice):
        celery_app.tasks["try_again"].delay()
    first, second = runs_of(activities, 2)
    assert (first.status, first.extra["state"], first.extra["attempt"]) == ("Failed", "RETRY", 1)
    assert first.extra["exception"]["type"] == "LookupError"
    assert (second.status, second.extra["attempt"]) == ("Success", 2)
    assert (first.actor_label, second.actor_label) == ("alice", "alice")
    assert first.extra["task_id"] == second.extra["task_id"]


def test_a_task_that_ignores_its_message_has_not_failed(activities, celery_app):
    celery_app.tasks["give_up"].delay()
    (run,) = runs_of(activities)
    assert (run.status, run.extra["state"]) == ("Success", "IGNORED")


def test_a_chain_belongs_to_who_has_started_it(activities, celery_app, alice):
    first = celery_app.tasks["remember"]
    with bind(actor=alice, request_id="r-1"):
        (first.si(1) | first.si(2)).delay()
    runs = runs_of(activities, 2)
    assert [(each.actor_label, each.request_id) for each in runs] == [("alice", "r-1")] * 2


def test_a_revoked_task_and_a_lost_one_have_failed(activities, celery_app):
    task = celery_app.tasks["remember"]
    origin = {HEADER: {"actor_id": 7, "actor_label": "alice"}}
    request = task.request_stack.top or type(task.request)(id="t-1", **origin)
    signals.task_revoked.send(
        sender=task, request=request, terminated=False, signum=None, expired=True
    )
    task.request_stack.push(request)
    signals.task_failure.send(
        sender=task, task_id="t-1", exception=WorkerLostError("killed"), args=(), kwargs={}
    )
    task.request_stack.pop()
    revoked, lost = runs_of(activities, 2)
    assert (revoked.status, revoked.extra["state"], revoked.extra["expired"]) == (
        "Failed",
        "REVOKED",
        True,
    )
    assert (lost.status, lost.extra["exception"]["type"]) == ("Failed", "WorkerLostError")
    assert {each.actor_label for each in activities} == {"alice"}


# --- RQ


def test_a_job_that_is_run_at_once_is_a_part_of_its_request(activities, alice):
    jobs = Queue(connection=FakeStrictRedis(), is_async=False)
    respond(lambda: jobs.enqueue(remember, 7), user=alice)
    request, *others = activities
    assert [each.actor_label for each in others] == ["alice", "alice"]
    assert {each.request_id for each in activities} == {request.id.hex}


def test_a_job_that_is_tried_again_keeps_its_origin(activities, alice):
    jobs = Queue(connection=FakeStrictRedis())
    with bind(actor=alice):
        jobs.enqueue(break_down, 7, retry=Retry(max=1))
    SimpleWorker([jobs], connection=jobs.connection).work(burst=True)
    assert [each.actor_label for each in runs_of(activities, 2)] == ["alice", "alice"]


def test_the_meta_of_a_caller_is_not_changed(alice):
    meta, jobs = {"kept": 1}, Queue(connection=FakeStrictRedis())
    with bind(actor=alice):
        job = jobs.enqueue(remember, 7, meta=meta)
    assert meta == {"kept": 1}
    assert job.meta["kept"] == 1
    assert jobs.fetch_job(job.id).meta[HEADER]["actor_label"] == "alice"


# --- Dramatiq


def test_a_message_that_is_sent_twice_belongs_to_whoever_sends_it(activities, request, alice):
    queue = DramatiqQueue(request)
    message = queue.actors["remember"].message(7)
    for name in ("alice", "bob"):
        with bind(actor=name):
            queue.broker.enqueue(message)
            queue.work()
    assert [each.actor_label for each in runs_of(activities, 2)] == ["alice", "bob"]


def test_a_message_that_is_tried_again_keeps_its_origin(activities, request):
    queue = DramatiqQueue(request, max_retries=1, min_backoff=1, max_backoff=1)
    with bind(actor="alice", request_id="r-1"):
        queue.send("break_down", 7)
    queue.work()
    runs = runs_of(activities, 2)
    assert [each.extra["attempt"] for each in runs] == [1, 2]
    assert {(each.actor_label, each.request_id) for each in runs} == {("alice", "r-1")}


def test_what_is_piped_belongs_to_who_has_started_the_pipe(activities, request):
    queue = DramatiqQueue(request)
    first = queue.actors["remember"].message(1)
    second = queue.actors["remember"].message_with_options(args=(2,), pipe_ignore=True)
    with bind(actor="alice", request_id="r-1"):
        dramatiq.pipeline([first, second], broker=queue.broker).run()
    queue.work()
    runs_of(activities, 2)
    assert {(each.actor_label, each.request_id) for each in activities} == {("alice", "r-1")}


def test_a_skipped_message_says_so_and_leaves_nobody_behind(activities, request):
    class Skip(Middleware):
        def before_process_message(self, broker, message):
            if message.args == (1,):
                raise SkipMessage

    queue = DramatiqQueue(request, Skip())
    with bind(actor="alice"):
        queue.send("remember", 1)
    queue.send("remember", 2)
    queue.work()
    runs = {each.extra.get("state"): each.actor_label for each in runs_of(activities, 2)}
    assert runs == {"SKIPPED": "alice", None: ""}


# --- Django


def test_an_immediate_task_is_a_part_of_its_request(activities, alice):
    respond(partial(django_remember.enqueue, 7), user=alice)
    request, remembered, run = activities
    assert (remembered.action, run.source) == ("order.remembered", "task")
    assert {(each.actor_id, each.request_id) for each in activities} == {(7, request.id.hex)}


def test_an_immediate_task_that_fails(activities):
    django_break_down.enqueue(7)
    (run,) = activities
    assert (run.status, run.extra["exception"]["type"]) == ("Failed", "LookupError")


def test_the_arguments_that_wait_are_those_of_the_task(alice):
    with bind(actor=alice):
        result = django_remember.using(backend="database").enqueue(7)
    assert (result.args, result.kwargs) == ([7], {})
    assert DBTaskResult.objects.get().args_kwargs[HEADER]["actor_id"] == 7


def test_a_failing_log_hurts_no_task(request, monkeypatch):
    def fail(*_args, **_kwargs):
        raise MemoryError

    done = []
    monkeypatch.setattr("trackmate.capture.events.tasks.bound_values", fail)
    monkeypatch.setattr("trackmate.capture.events.tasks.record", fail)
    monkeypatch.setitem(globals(), "remember", done.append)
    with ExitStack() as stack:
        stack.callback(monkeypatch.undo)
        for each in (RedisQueue, DatabaseQueue):
            queue = each(request)
            queue.send("remember", 7)
            queue.work()
    assert done == [7, 7]
