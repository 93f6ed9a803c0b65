"""The id of a request in a header, its trace, and its tenant: what ties rows to other systems."""

import asyncio
import sys
import uuid
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, RequestFactory

from tests.factories import person
from trackmate import bind, track
from trackmate.activity import Activity
from trackmate.middleware import TrackmateMiddleware
from trackmate.processors import clean, redact

HEADER = "X-Request-ID"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"

VALID = [
    "7b1c",
    "a" * 64,
    str(uuid.UUID(int=0x0190F2C4A1B27C3D8E4F5A6B7C8D9E0F)),
    "01J9ZQK3V5T8N2M4P6R7S9XW1Y",
    "1-67891233-abcdef012345678912345678",
    "Root=1-67891233-abcdef012345678912345678",
    "site/web-1:4711+b@eu.west_1",
]
INVALID = [
    "",
    "a" * 65,
    "two words",
    "a,b",
    "a\tb",
    "a\x00b",
    "a\x1b[31m",
    "ä",
    "<script>",
    '"quoted"',
    "a;b",
    "a%0d%0ab",
    "a\n",
]


@pytest.fixture
def with_header(configure):
    configure(REQUEST_ID_HEADER=HEADER)


def only(activities):
    (activity,) = activities
    return activity


def ask(view=lambda _request: HttpResponse(), **headers):
    """Return the response to a request that the server has closed."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = RequestFactory().get("/", headers=names)
    response = TrackmateMiddleware(view)(request)
    b"".join(response)
    request.close()
    return response


# --- the id of a request ---------------------------------------------------------------------


@pytest.mark.parametrize("received", VALID)
def test_a_valid_id_is_that_of_the_row_and_of_the_response(
    client, activities, with_header, received
):
    response = client.get("/", headers={HEADER: received})
    assert response[HEADER] == only(activities).request_id == received


@pytest.mark.parametrize("received", INVALID)
def test_an_invalid_id_is_replaced_by_our_own(client, activities, with_header, received):
    response = client.get("/", headers={HEADER: received})
    activity = only(activities)
    assert response[HEADER] == activity.request_id == activity.id.hex


def test_a_request_without_an_id_gets_one(client, activities, with_header):
    response = client.get("/")
    assert response[HEADER] == only(activities).id.hex


def test_without_the_setting_no_header_is_read_and_no_response_is_changed(client, activities):
    response = client.get("/", headers={HEADER: "7b1c"})
    assert HEADER not in response
    assert only(activities).request_id == only(activities).id.hex


@pytest.mark.parametrize(
    "path", ["/stream/", "/download/", "/nowhere/", "/status/403/", "/broken/", "/health/"]
)
def test_every_response_has_it(client, activities, configure, path):
    configure(REQUEST_ID_HEADER=HEADER, EXCLUDE_PATHS=["/health/"])
    client.raise_request_exception = False
    assert client.get(path, headers={HEADER: "7b1c"})[HEADER] == "7b1c"


@pytest.mark.parametrize("path", ["/async/", "/async/stream/", "/async/broken/", "/stream/"])
def test_every_response_of_an_async_site_has_it(activities, with_header, path):
    async def ask():
        client = AsyncClient(raise_request_exception=False)
        return await client.get(path, headers={HEADER: "7b1c"})

    assert asyncio.run(ask())[HEADER] == "7b1c"


def test_the_id_of_the_row_is_sent_even_if_the_view_has_sent_another(activities, with_header):
    response = ask(lambda _request: HttpResponse(headers={HEADER: "of-the-view"}))
    assert response[HEADER] == only(activities).request_id != "of-the-view"


def test_a_bound_id_is_sent_and_holds_for_what_was_recorded_before(activities, with_header):
    def view(_request):
        track("before")
        with bind(request_id="bound-7"):
            track("inside")
        return HttpResponse()

    response = ask(view, x_request_id="7b1c")
    assert response[HEADER] == "bound-7"
    assert {each.request_id for each in activities} == {"bound-7"}


@pytest.mark.parametrize("bound", ["a\r\nSet-Cookie: a=b", "ä", 7, "x" * 70])
def test_a_bound_id_that_no_header_can_hold_breaks_no_response(activities, with_header, bound):
    def view(_request):
        with bind(request_id=bound):
            return HttpResponse("fine")

    response = ask(view)
    assert response.content == b"fine"
    assert response.get(HEADER) == ("7" if bound == 7 else None)
    assert only(activities).request_id


def test_everything_in_the_request_has_the_same_id(activities, with_header):
    def view(_request):
        track("inside")
        return StreamingHttpResponse(iter([b"a"]))

    ask(view, x_request_id="7b1c")
    assert [each.request_id for each in activities] == ["7b1c", "7b1c"]


@pytest.mark.parametrize(
    "secret",
    ["token=hunter2hunter2", "4111111111111111", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc123DEF"],
)
def test_a_secret_as_an_id_is_masked_in_the_row(client, activities, with_header, secret):
    client.get("/", headers={HEADER: secret})
    assert secret.rpartition("=")[2] not in only(activities).request_id


@pytest.mark.parametrize("number", range(50))
def test_an_id_of_random_digits_stays_as_it_is(number):
    request_id = uuid.uuid5(uuid.NAMESPACE_URL, str(number))
    for text in (str(request_id), request_id.hex):
        assert clean(redact(Activity.now(request_id=text))).request_id == text


# --- the trace -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (TRACEPARENT, TRACE),
        (f"00-{TRACE}-{PARENT}-00", TRACE),
        (f"cc-{TRACE}-{PARENT}-01", TRACE),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-holds", TRACE),
        (f"00-{TRACE}-{PARENT}-01-more", ""),
        (f"cc-{TRACE}-{PARENT}-01more", ""),
        (f"ff-{TRACE}-{PARENT}-01", ""),
        (f"00-{'0' * 32}-{PARENT}-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (TRACEPARENT.upper(), ""),
        (f"00-{TRACE}-{PARENT}", ""),
        (f"00-{TRACE[1:]}-{PARENT}-01", ""),
        (f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01", ""),
        (f" {TRACEPARENT}\n", ""),
        (f"00-{'٣' * 32}-{PARENT}-01", ""),
        ("-" * 100_000, ""),
        ("password=hunter2", ""),
    ],
)
def test_the_trace_is_that_of_a_valid_header(activities, header, trace):
    ask(traceparent=header)
    assert only(activities).trace_id == trace


def test_what_is_recorded_in_the_request_is_of_its_trace(activities):
    def view(_request):
        track("inside")
        return HttpResponse()

    ask(view, traceparent=TRACEPARENT)
    assert [each.trace_id for each in activities] == [TRACE, TRACE]


def span(trace=0xABC, *, is_valid=True):
    """Return what stands for the module of OpenTelemetry, with this span as the current one."""
    context = SimpleNamespace(trace_id=trace, is_valid=is_valid)
    current = SimpleNamespace(get_span_context=lambda: context)
    return SimpleNamespace(get_current_span=lambda: current)


@pytest.mark.parametrize(
    ("module", "trace"),
    [
        (span(), f"{0xABC:032x}"),
        (span(is_valid=False), TRACE),
        (SimpleNamespace(), TRACE),
        (span(trace="no number"), TRACE),
    ],
)
def test_a_valid_span_wins_over_the_header(activities, monkeypatch, module, trace):
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)
    ask(traceparent=TRACEPARENT)
    assert only(activities).trace_id == trace


def test_outside_of_a_request_the_trace_is_the_bound_one_or_that_of_the_span(
    activities, monkeypatch
):
    track("neither")
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", span())
    track("span")
    with bind(trace_id=TRACE):
        track("bound")
    assert [each.trace_id for each in activities] == ["", f"{0xABC:032x}", TRACE]


def test_a_bound_trace_that_is_none_has_no_secret(activities):
    with bind(trace_id="password=hunter2"):
        track("inside")
    assert "hunter2" not in only(activities).trace_id


# --- the tenant ------------------------------------------------------------------------------


def tenant_of_host(request):
    return request.get_host().partition(".")[0]


def test_the_tenant_is_what_the_project_says_of_the_request(client, activities, configure):
    configure(TENANT="tests.test_request_ids.tenant_of_host")
    client.get("/")
    assert only(activities).tenant == "testserver"


@pytest.mark.parametrize("said", [None, "", 7, "x" * 200, "a\nb\x00", ["a"]])
def test_the_tenant_may_be_anything(client, activities, configure, said):
    configure(TENANT=lambda _request: said)
    assert client.get("/").status_code == 200
    tenant = only(activities).tenant
    assert tenant == {None: None, "": None, 7: "7"}.get(said if said != ["a"] else 0, tenant)
    assert tenant is None or (len(tenant) <= 64 and tenant.isprintable())


@pytest.mark.parametrize("error", [AttributeError, RecursionError, SystemError])
def test_a_tenant_that_cannot_be_told_costs_nothing_else(client, activities, configure, error):
    def fail(_request):
        raise error

    configure(TENANT=fail)
    assert client.get("/").status_code == 200
    assert (only(activities).tenant, only(activities).route) == (None, "/")


def test_a_bound_tenant_wins_and_is_that_of_the_row_and_of_what_is_inside(activities, configure):
    configure(TENANT=lambda _request: "acme")

    def view(_request):
        track("before")
        with bind(tenant="zulu"):
            track("inside")
        return HttpResponse()

    ask(view)
    assert {each.action: each.tenant for each in activities} == {
        "": "zulu",
        "before": "zulu",
        "inside": "zulu",
    }


@pytest.mark.django_db
def test_the_tenant_may_be_that_of_the_user_who_has_logged_in(client, activities, configure):
    configure(TENANT=lambda request: f"of {request.user.get_username()}")
    client.force_login(person("alice"))
    activities.clear()
    client.get("/")
    assert only(activities).tenant == "of alice"


# --- what an anonymous client writes -----------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["tenant", "actor", "reason", "impersonator", "request_id"])
def test_a_client_chooses_nothing_that_the_project_has_not_opened(client, activities, name):
    get_user_model().objects.create_user("alice")
    words = name.replace("_", "-")
    headers = {f"X-{words}": "alice", words: "alice", "X-Reason": "alice", "X-Tenant": "alice"}
    client.post(f"/echo/?{name}=alice", {name: "alice", f"{name}_label": "alice"}, headers=headers)
    activity = only(activities)
    values = (activity.tenant, activity.actor_label, activity.reason, activity.impersonator_label)
    assert values == (None, "", "", "")
    assert activity.request_id == activity.id.hex
