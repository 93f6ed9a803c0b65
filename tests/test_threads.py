"""`copy_context()`: what threads record is recorded for the request that has started them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest
from django.http import HttpResponse
from django.test import AsyncRequestFactory, RequestFactory

from tests.factories import person
from trackmate import bind, copy_context, track
from trackmate.context.scope import Scope
from trackmate.middleware import TrackmateMiddleware

AGENT = "curl/8"


def respond(view, user=None):
    """Return the closed response of a view behind the middleware."""

    def get_response(request):
        view()
        return HttpResponse()

    request = RequestFactory(REMOTE_ADDR="203.0.113.7").get("/report/", HTTP_USER_AGENT=AGENT)
    request.user = user
    response = TrackmateMiddleware(get_response)(request)
    request.close()
    return response


def in_thread(function):
    thread = Thread(target=function)
    thread.start()
    thread.join()


@pytest.mark.django_db
def test_a_thread_records_for_its_request_after_it_has_ended(activities):
    is_answered, threads = Event(), []

    def work():
        is_answered.wait(10)
        track("report.made")

    def view():
        threads.append(Thread(target=copy_context(work)))
        threads[0].start()

    respond(view, user=person("alice"))
    is_answered.set()
    threads[0].join()
    request, made = activities
    assert (made.action, made.actor_label, made.ip_address) == (
        "report.made",
        "alice",
        "203.0.113.7",
    )
    assert (made.request_id, made.user_agent) == (request.request_id, AGENT)


def test_a_plain_thread_records_for_nobody(activities):
    respond(lambda: in_thread(lambda: track("report.made")))
    made, _request = activities
    assert (made.request_id, made.ip_address) == ("", None)


def test_a_thread_records_with_its_request_while_that_runs(activities):
    respond(lambda: in_thread(copy_context(lambda: track("report.made"))))
    assert [each.action for each in activities[1:]] == ["report.made"]


def test_one_copy_serves_many_threads_at_once(activities):
    started, together = [Event() for _number in range(4)], Event()

    def work(number):
        started[number].set()
        together.wait(10)
        track("counted", data={"number": number})
        return number

    def view():
        call = copy_context(work)
        with ThreadPoolExecutor(4) as executor:
            futures = [executor.submit(call, number) for number in range(4)]
            assert all(each.wait(10) for each in started)
            together.set()
        assert [future.result() for future in futures] == [0, 1, 2, 3]

    respond(view)
    assert sorted(each.data["number"] for each in activities[1:]) == [0, 1, 2, 3]
    assert len({each.request_id for each in activities}) == 1


def test_what_is_bound_goes_along_and_what_is_bound_there_stays_there(activities):
    def work():
        with bind(reason="inner"):
            track("a")
        track("b")

    with bind(actor="cron:nightly", reason="month end"):
        call = copy_context(work)
    in_thread(call)
    in_thread(call)
    assert [each.actor_label for each in activities] == ["cron:nightly"] * 4
    assert [each.reason for each in activities] == ["inner", "month end"] * 2


def test_an_error_of_the_function_is_its_own_and_its_name_stays():
    @copy_context
    def work():
        """Fail."""
        raise KeyError("order")

    assert (work.__name__, work.__doc__) == ("work", "Fail.")
    with pytest.raises(KeyError, match="order"):
        work()


def test_a_coroutine_function_runs_in_the_context_too(activities):
    async def work(number):
        await asyncio.sleep(0)
        track("a", data={"number": number})

    with bind(actor="cron:nightly"):
        call = copy_context(work)

    async def both():
        await asyncio.gather(call(1), call(2))

    asyncio.run(both())
    assert [each.actor_label for each in activities] == ["cron:nightly"] * 2


def test_async_views_take_their_request_along(activities):
    async def get_response(_request):
        await asyncio.to_thread(in_thread, copy_context(lambda: track("a")))
        return HttpResponse()

    request = AsyncRequestFactory().get("/report/")
    asyncio.run(TrackmateMiddleware(get_response)(request))
    request.close()
    request_row, made = activities
    assert made.request_id == request_row.request_id


def test_no_activity_is_lost_between_the_end_of_a_request_and_its_row():
    scope = Scope(RequestFactory().get("/"))
    assert scope.add("early")
    assert scope.close("the request") == ["early"]
    assert not scope.add("late")
    assert scope.activities == ["early"]
