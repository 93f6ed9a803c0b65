"""From capture to the backend: what is recorded when, and that nothing of it can fail the host."""

import asyncio
import threading
from contextlib import contextmanager

import pytest
from django.test import RequestFactory

from trackmate import suppress, track, tracking
from trackmate.activity import Activity
from trackmate.backends import locmem
from trackmate.backends.base import BaseBackend
from trackmate.backends.console import ConsoleBackend
from trackmate.conf import DEFAULT_PROCESSORS
from trackmate.context.binding import is_suppressed
from trackmate.context.scope import Scope, enter_scope, leave_scope
from trackmate.diagnostics import counts
from trackmate.pipeline import deliver, flush, get_backend, is_recording, never_raise, record
from trackmate.redaction.known_secrets import MASK, KnownSecrets


class Collecting(BaseBackend):
    """Keep what each send was given, and where it ran."""

    def __init__(self):
        self.sends, self.threads, self.closed = [], [], []

    def send(self, activities):
        self.sends.append([activity.action for activity in activities])
        self.threads.append(threading.current_thread())

    def close(self):
        self.closed.append(threading.current_thread())


class Refusing(BaseBackend):
    def __init__(self, error=OSError):
        self.error = error

    def send(self, activities):
        raise self.error("hunter2")


class Uncarried(Collecting):
    """What it goes by cannot be taken into another thread, or not back."""

    def __init__(self, fails):
        super().__init__()
        self.fails = fails

    @contextmanager
    def thread_context(self):
        if self.fails == "in":
            raise RuntimeError("cannot carry")
        yield
        raise RuntimeError("cannot carry")


class Unclosable(Collecting):
    def close(self):
        raise OSError("cannot close")


@pytest.fixture
def scope():
    scope = Scope(RequestFactory().get("/"))
    token = enter_scope(scope)
    yield scope
    leave_scope(token)


@pytest.fixture
def collecting(configure):
    configure(BACKEND=f"{__name__}.Collecting")
    return get_backend()


def actions(activities):
    return [activity.action for activity in activities]


# --- what is recorded when -------------------------------------------------------------------


def test_outside_a_request_an_activity_is_delivered_at_once(activities):
    record(Activity.now(action="stock.counted"))
    assert actions(activities) == ["stock.counted"]


def test_inside_a_request_an_activity_waits_for_its_end(activities, scope):
    record(Activity.now(action="order.exported"))
    assert activities == []
    flush(scope, Activity.now(action="orders/"))
    assert actions(activities) == ["orders/", "order.exported"]


def test_everything_of_a_request_goes_with_one_send(collecting, scope):
    for action in "abc":
        record(Activity.now(action=action))
    flush(scope, Activity.now(action="request"))
    assert collecting.sends == [["request", "a", "b", "c"]]


def test_a_request_that_is_left_out_does_not_take_the_rest_with_it(collecting, scope):
    record(Activity.now(action="a"))
    flush(scope, None)
    assert collecting.sends == [["a"]]


def test_what_happens_after_the_end_of_a_request_is_delivered_at_once(activities, scope):
    flush(scope, None)
    record(Activity.now(action="late"))
    assert actions(activities) == ["late"]
    assert activities[0].request_id == scope.request_id


def test_nothing_is_recorded_when_it_is_turned_off(activities, configure):
    configure(ENABLED=False)
    record(Activity.now())
    assert activities == []
    assert not is_recording()


def test_nothing_is_sent_when_nothing_remains(collecting, configure):
    configure(PROCESSORS=[lambda activity: None])
    record(Activity.now())
    assert collecting.sends == []


# --- processors of a project -----------------------------------------------------------------


def shout(activity):
    return activity.replace(action=activity.action.upper())


def add_mark(activity):
    return activity.replace(action=activity.action + "!")


def drop_quiet(activity):
    return None if activity.action == "quiet" else activity


def break_down(activity):
    raise ValueError("hunter2")


def talk(activity):
    track("of.the.recorder")
    return activity


def test_the_processors_are_passed_in_order(activities, configure):
    configure(PROCESSORS=[f"{__name__}.shout", add_mark])
    record(Activity.now(action="a"))
    configure(PROCESSORS=[add_mark, f"{__name__}.shout"])
    record(Activity.now(action="b"))
    assert actions(activities) == ["A!", "B!"]


def test_a_project_can_put_its_own_beside_ours(activities, configure):
    configure(PROCESSORS=[*DEFAULT_PROCESSORS, f"{__name__}.shout"])
    record(Activity.now(action="a", data={"password": "hunter2"}))
    assert actions(activities) == ["A"]
    assert activities[0].data == {"password": MASK}


def test_a_processor_can_drop_an_activity(activities, configure):
    configure(PROCESSORS=[drop_quiet])
    for action in ("loud", "quiet"):
        record(Activity.now(action=action))
    assert actions(activities) == ["loud"]


def test_what_a_processor_does_is_not_recorded(activities, configure):
    configure(PROCESSORS=[talk])
    record(Activity.now(action="a"))
    assert actions(activities) == ["a"]


def test_a_processor_that_breaks_costs_what_it_may_have_hidden_and_no_more(activities, configure):
    configure(PROCESSORS=[break_down, shout])
    record(Activity.now(action="a", data={"card": "4111"}, status_code=200))
    (activity,) = activities
    assert (activity.action, activity.status_code, activity.data) == ("a", 200, None)
    assert activity.extra == {"error": "the processor break_down failed"}
    assert counts["failed"] == 1


def test_the_text_of_an_error_is_not_logged(activities, configure, caplog):
    configure(PROCESSORS=[break_down])
    record(Activity.now())
    assert "processor break_down: ValueError at " in caplog.text
    assert "hunter2" not in caplog.text


def test_a_processor_that_cannot_be_imported_does_not_fail_the_host(configure, caplog):
    configure(PROCESSORS=["tests.nowhere.at_all"])
    record(Activity.now())
    assert counts["failed"] == 1
    assert "ModuleNotFoundError" in caplog.text


# --- backends --------------------------------------------------------------------------------


class BreaksOnce(KnownSecrets):
    def mask(self, value):
        if value == "this one":
            raise UnicodeEncodeError("utf-8", "x", 0, 1, "surrogates not allowed")
        return value


def test_a_text_that_cannot_be_masked_costs_no_other_activity(activities, scope, configure):
    configure(PROCESSORS=["trackmate.processors.clean"])
    scope.secrets = BreaksOnce()
    scope.secrets.add("swordfish")
    track("a", remarks="this one")
    track("b", remarks="that one")
    flush(scope, None)
    assert [(each.action, each.remarks) for each in activities] == [("a", ""), ("b", "that one")]


def test_the_backend_is_built_once_with_its_options(configure):
    configure(BACKEND=f"{__name__}.Refusing", BACKEND_OPTIONS={"error": RuntimeError})
    assert get_backend() is get_backend()
    assert get_backend().error is RuntimeError


@pytest.mark.parametrize(
    ("path", "error"),
    [("trackmate.nowhere.Backend", ImportError), ("tests.shop.models.Order", TypeError)],
)
def test_a_setting_that_names_no_backend_is_an_error(configure, path, error):
    configure(BACKEND=path)
    with pytest.raises(error):
        get_backend()


def test_a_setting_that_names_no_backend_does_not_fail_the_host(configure):
    configure(BACKEND="trackmate.nowhere.Backend")
    record(Activity.now())
    assert counts["failed"] == 1


@pytest.mark.parametrize("error", [OSError, RuntimeError, RecursionError, MemoryError])
def test_a_backend_that_fails_is_counted_and_logged_once(configure, caplog, error):
    configure(BACKEND=f"{__name__}.Refusing", BACKEND_OPTIONS={"error": error})
    deliver([Activity.now(), Activity.now()])
    deliver([Activity.now()])
    assert counts["dropped"] == 3
    assert len(caplog.records) == 1
    assert "hunter2" not in caplog.text


def test_the_backend_runs_suppressed(collecting, monkeypatch):
    seen = []
    monkeypatch.setattr(collecting, "send", lambda activities: seen.append(is_suppressed()))
    record(Activity.now())
    assert seen == [True]


# --- the guard -------------------------------------------------------------------------------


def test_the_guard_lets_results_through():
    assert never_raise(lambda a, *, b: (a, b))(1, b=2) == (1, 2)


def test_the_guard_swallows_errors_and_says_so(caplog):
    @never_raise
    def stumble():
        raise ValueError("hunter2")

    assert stumble() is None
    assert "stumble: ValueError at " in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_the_guard_does_not_hold_up_what_ends_a_program(error):
    @never_raise
    def end():
        raise error

    with pytest.raises(error):
        end()


# --- event loops -----------------------------------------------------------------------------


async def record_here(action="a"):
    record(Activity.now(action=action))


def test_in_an_event_loop_a_backend_that_waits_runs_on_another_thread(collecting):
    asyncio.run(record_here())
    assert collecting.sends == [["a"]]
    assert collecting.threads != [threading.current_thread()]
    assert collecting.closed == collecting.threads


def test_in_an_event_loop_a_backend_that_does_not_wait_runs_at_once(activities):
    async def main():
        await record_here()
        return actions(activities)

    assert asyncio.run(main()) == ["a"]


@pytest.mark.parametrize(("fails", "sends"), [("in", []), ("out", [["a"]])])
def test_a_backend_that_cannot_be_carried_never_fails_the_host(configure, fails, sends):
    configure(BACKEND=f"{__name__}.Uncarried", BACKEND_OPTIONS={"fails": fails})

    async def view():
        async with tracking("a"):
            pass

    asyncio.run(view())
    assert get_backend().sends == sends
    assert counts == {"failed": 1}


def test_what_is_recorded_as_a_loop_ends_is_not_lost(collecting):
    async def main():
        await asyncio.get_running_loop().shutdown_default_executor()
        await record_here()

    asyncio.run(main())
    assert collecting.sends == [["a"]]


def test_what_runs_apart_sees_the_same_surroundings(collecting, monkeypatch):
    seen = []
    monkeypatch.setattr(collecting, "send", lambda activities: seen.append(is_suppressed()))
    asyncio.run(record_here())
    assert seen == [True]


def test_a_backend_that_cannot_be_closed_does_not_fail_the_host(configure):
    configure(BACKEND=f"{__name__}.Unclosable")
    asyncio.run(record_here())
    assert get_backend().sends == [["a"]]
    assert counts["failed"] == 1


def test_suppress_holds_in_an_event_loop(collecting):
    async def main():
        with suppress():
            await record_here()

    asyncio.run(main())
    assert collecting.sends == []


def test_locmem_and_console_do_not_wait():
    assert not locmem.LocmemBackend.blocks
    assert not ConsoleBackend.blocks
    assert BaseBackend.blocks
