"""`bind()` and `suppress()` around every kind of code, and wherever their blocks end."""

import asyncio
import gc
from contextvars import copy_context
from threading import Thread

import pytest

from trackmate import bind, suppress, track, tracking
from trackmate.activity import Activity
from trackmate.context.binding import apply_context, is_suppressed


def actor():
    """Return who is bound here."""
    return apply_context(Activity.now()).actor_label


def function():
    return [actor()]


async def coroutine_function():
    await asyncio.sleep(0)
    return [actor()]


def generator():
    yield actor()
    yield actor()


async def asynchronous_generator():
    yield actor()
    await asyncio.sleep(0)
    yield actor()


class View:
    def dispatch(self):
        return coroutine_function()


def run(function):
    """Return what a function of any kind returns or yields, and who is bound between its values."""

    async def collected(values):
        return [each async for each in values]

    values = function()
    if hasattr(values, "__aiter__"):
        values = asyncio.run(collected(values))
    elif asyncio.iscoroutine(values):
        values = asyncio.run(values)
    return list(values)


KINDS = [function, coroutine_function, generator, asynchronous_generator, View().dispatch]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_function_of_any_kind_runs_inside_what_decorates_it(kind):
    assert set(run(bind(actor="cron:nightly")(kind))) == {"cron:nightly"}
    assert actor() == ""


@pytest.mark.parametrize("decorate", [suppress, suppress()], ids=["bare", "called"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_nothing_is_recorded_in_a_suppressed_function_of_any_kind(kind, decorate, activities):
    seen = decorate(kind)
    run(seen)
    assert not is_suppressed()
    track("outside")
    assert [each.action for each in activities] == ["outside"]
    assert seen.__name__ == kind.__name__


def test_between_two_values_of_a_generator_one_is_outside():
    values = bind(actor="cron:nightly")(generator)()
    assert [(value, actor()) for value in values] == [("cron:nightly", "")] * 2


def test_between_two_values_of_an_async_generator_one_is_outside():
    async def collect():
        values = bind(actor="cron:nightly")(asynchronous_generator)()
        return [(value, actor()) async for value in values]

    assert asyncio.run(collect()) == [("cron:nightly", "")] * 2


def test_a_decorated_generator_is_sent_and_thrown_into_as_ever():
    @suppress
    def talk():
        try:
            answer = yield "question"
        except ValueError as error:
            answer = str(error)
        yield answer, is_suppressed()
        return "done"

    first, second = talk(), talk()
    assert next(first) == next(second) == "question"
    assert first.send("answer") == ("answer", True)
    assert second.throw(ValueError("thrown")) == ("thrown", True)
    with pytest.raises(StopIteration, match="done"):
        next(first)


def test_a_decorated_async_generator_is_sent_and_thrown_into_as_ever():
    @suppress
    async def talk():
        try:
            answer = yield "question"
        except ValueError as error:
            answer = str(error)
        yield answer, is_suppressed()

    async def converse():
        first, second = talk(), talk()
        assert await anext(first) == await anext(second) == "question"
        assert await first.asend("answer") == ("answer", True)
        assert await second.athrow(ValueError("thrown")) == ("thrown", True)

    asyncio.run(converse())


@pytest.mark.parametrize("is_async", [False, True])
def test_a_decorated_generator_is_closed_with_its_wrapper(is_async):
    closed = []

    @suppress
    def wait():
        try:
            yield
        finally:
            closed.append(is_suppressed())

    @suppress
    async def wait_async():
        try:
            yield
        finally:
            closed.append(is_suppressed())

    async def begin_and_close():
        waiting = wait_async()
        await anext(waiting)
        await waiting.aclose()

    if is_async:
        asyncio.run(begin_and_close())
    else:
        waiting = wait()
        next(waiting)
        waiting.close()
    assert closed == [True]


# --- blocks that end in another context ----------------------------------------------------------


def in_another_thread(call):
    thread = Thread(target=call)
    thread.start()
    thread.join()


BLOCKS = [lambda: bind(actor="cron:nightly"), suppress, lambda: tracking("a.block")]
ELSEWHERE = [in_another_thread, lambda call: copy_context().run(call)]


@pytest.mark.parametrize("block", BLOCKS, ids=["bind", "suppress", "tracking"])
@pytest.mark.parametrize("elsewhere", ELSEWHERE, ids=["a thread", "a copied context"])
def test_a_block_may_end_elsewhere(block, elsewhere, activities):
    def wait():
        with block():
            yield

    waiting, errors = wait(), []

    def close():
        try:
            waiting.close()
        except BaseException as error:  # noqa: BLE001 (a thread would keep it to itself)
            errors.append(error)

    next(waiting)
    elsewhere(close)
    assert errors == []


def test_a_block_may_end_in_the_copy_of_a_context_in_which_it_has_ended_before():
    block = bind(actor="nightly")
    with block:
        copy = copy_context()
    copy.copy().run(block.__enter__)
    copy.run(block.__exit__, None, None, None)
    assert block._open == []
    assert actor() == ""


def test_what_ended_in_another_thread_has_ended_here_too():
    def wait():
        with bind(actor="left behind"), suppress():
            yield

    waiting = wait()
    next(waiting)
    assert (actor(), is_suppressed()) == ("left behind", True)
    in_another_thread(waiting.close)
    assert (actor(), is_suppressed()) == ("", False)


def test_what_a_collected_generator_had_bound_is_bound_no_more():
    def wait():
        with bind(actor="left behind"):
            yield

    waiting = wait()
    next(waiting)
    cycle = {"waiting": waiting}
    cycle["self"] = cycle
    del waiting, cycle
    in_another_thread(gc.collect)
    assert actor() == ""


def test_a_task_that_was_started_inside_stays_inside():
    async def main():
        with bind(actor="cron:nightly"):
            task = asyncio.create_task(coroutine_function())
        return await task, actor()

    assert asyncio.run(main()) == (["cron:nightly"], "")


@pytest.mark.parametrize("number", [2, 20])
def test_one_object_serves_many_tasks(number):
    nightly, seen = bind(actor="cron:nightly"), []

    async def work(position):
        with nightly:
            # They end in another order than they began in.
            await asyncio.sleep((number - position) / 1000)
            seen.append(actor())
        seen.append(actor())

    async def main():
        await asyncio.gather(*map(work, range(number)))

    asyncio.run(main())
    assert sorted(seen) == [""] * number + ["cron:nightly"] * number


def test_one_object_serves_many_threads():
    quiet, seen = suppress(), []

    def work():
        for _ in range(200):
            with quiet:
                seen.append(is_suppressed())
            seen.append(not is_suppressed())

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {True}
    assert not quiet._open


def test_a_coroutine_that_is_closed_without_a_loop_is_recorded_and_raises_nothing(activities):
    async def work():
        async with tracking("an.import"):
            await asyncio.Event().wait()

    async def begin():
        coroutine = work()
        coroutine.send(None)
        return coroutine

    asyncio.run(begin()).close()
    assert [(each.action, each.status) for each in activities] == [("an.import", "Failed")]


def test_a_block_without_a_loop_is_recorded_and_raises_nothing(activities):
    async def work():
        async with tracking("an.import"):
            pass

    with pytest.raises(StopIteration):
        work().send(None)
    assert [each.action for each in activities] == ["an.import"]
