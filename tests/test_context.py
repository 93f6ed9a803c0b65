"""What surrounds the code that runs: scopes, what is bound, what is suppressed."""

import asyncio
from threading import Thread

import pytest
from django.contrib.auth import get_user_model
from django.test import RequestFactory

from trackmate import bind, suppress, track
from trackmate.activity import Activity
from trackmate.context.binding import apply_context, is_suppressed
from trackmate.context.scope import Scope, current_scope, enter_scope, leave_scope

pytestmark = pytest.mark.users


@pytest.fixture
def scope():
    scope = Scope(RequestFactory().get("/"))
    token = enter_scope(scope)
    yield scope
    leave_scope(token)


def test_no_scope_is_current_outside_a_request():
    assert current_scope() is None


def test_scopes_nest(scope):
    inner = Scope(scope.request)
    token = enter_scope(inner)
    assert current_scope() is inner
    leave_scope(token)
    assert current_scope() is scope


def test_a_request_is_tied_together_by_the_key_of_its_own_row(scope):
    assert scope.request_id == scope.id.hex
    assert apply_context(Activity.now()).request_id == scope.request_id


def test_without_surroundings_an_activity_stays_as_it_is():
    activity = Activity.now()
    assert apply_context(activity) is activity


def test_a_user_can_be_bound():
    with bind(actor=get_user_model()(pk=7, username="alice")):
        activity = apply_context(Activity.now())
    assert (activity.actor_id, activity.actor_label) == (7, "alice")


def test_a_name_can_be_bound():
    with bind(actor="cron:nightly"):
        activity = apply_context(Activity.now())
    assert (activity.actor_id, activity.actor_label) == (None, "cron:nightly")


def test_what_is_bound_ends_with_its_block():
    with bind(actor="cron:nightly", request_id="r-1", job="invoices"):
        pass
    activity = apply_context(Activity.now())
    assert (activity.actor_label, activity.request_id, activity.extra) == ("", "", None)


def test_what_is_bound_ends_with_an_error_too():
    with pytest.raises(RuntimeError), bind(actor="cron:nightly"):
        raise RuntimeError
    assert apply_context(Activity.now()).actor_label == ""


def test_the_inner_block_wins_and_the_outer_one_comes_back():
    with bind(actor="outer", job="a", shop="Lodz"):
        with bind(actor="inner", job="b"):
            inner = apply_context(Activity.now())
        outer = apply_context(Activity.now())
    assert (inner.actor_label, inner.extra) == ("inner", {"job": "b", "shop": "Lodz"})
    assert (outer.actor_label, outer.extra) == ("outer", {"job": "a", "shop": "Lodz"})


def test_a_name_that_is_bound_inside_hides_the_user_bound_outside():
    with bind(actor=get_user_model()(pk=7, username="alice")), bind(actor="cron:nightly"):
        activity = apply_context(Activity.now())
    assert (activity.actor_id, activity.actor_label) == (None, "cron:nightly")


def test_an_inner_block_adds_to_the_outer_one():
    with bind(actor="cron:nightly"), bind(request_id="r-1"):
        activity = apply_context(Activity.now())
    assert (activity.actor_label, activity.request_id) == ("cron:nightly", "r-1")


def test_one_bind_can_be_entered_again():
    nightly = bind(actor="cron:nightly")
    with nightly, nightly:
        pass
    with nightly:
        assert apply_context(Activity.now()).actor_label == "cron:nightly"
    assert apply_context(Activity.now()).actor_label == ""


def test_what_an_activity_says_itself_wins():
    with bind(actor=get_user_model()(pk=7, username="alice"), request_id="r-1", job="a", shop="x"):
        said = Activity.now(actor_label="kiosk:3", request_id="r-2", extra={"job": "b"})
        activity = apply_context(said)
    assert (activity.actor_id, activity.actor_label) == (None, "kiosk:3")
    assert (activity.request_id, activity.extra) == ("r-2", {"job": "b", "shop": "x"})


def test_a_bound_request_id_wins_over_that_of_the_request(scope):
    with bind(request_id="trace-7"):
        assert apply_context(Activity.now()).request_id == "trace-7"


def test_binding_extra_facts_keeps_the_id_of_the_request(scope):
    with bind(job="a"):
        assert apply_context(Activity.now()).request_id == scope.request_id


def test_nothing_is_recorded_inside_suppress(activities):
    with suppress():
        track("inside")
    track("outside")
    assert [activity.action for activity in activities] == ["outside"]


def test_suppress_nests_and_ends_with_an_error():
    with suppress():
        with pytest.raises(RuntimeError), suppress():
            raise RuntimeError
        assert is_suppressed()
    assert not is_suppressed()


def test_another_thread_has_surroundings_of_its_own():
    seen = []
    with bind(actor="cron:nightly"), suppress():
        thread = Thread(
            target=lambda: seen.append((apply_context(Activity.now()), is_suppressed()))
        )
        thread.start()
        thread.join()
    assert [(activity.actor_label, quiet) for activity, quiet in seen] == [("", False)]


def test_tasks_of_one_loop_do_not_see_what_another_binds():
    async def work(name):
        with bind(actor=name):
            await asyncio.sleep(0)
            return apply_context(Activity.now()).actor_label

    async def everyone():
        return await asyncio.gather(*(work(f"worker:{n}") for n in range(20)))

    assert asyncio.run(everyone()) == [f"worker:{n}" for n in range(20)]
