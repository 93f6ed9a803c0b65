"""Why something was done: in the words of the project, or of the client where it may say so."""

import json
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import RequestFactory

from trackmate import bind, track, tracker, tracking
from trackmate.capture.reasons import MAX_REASON
from trackmate.middleware import TrackmateMiddleware
from trackmate.processors import WITHHELD

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
SAID = "customer called, ticket 4711"


@pytest.fixture
def with_field(configure):
    configure(REASON_FIELD="why")


@pytest.fixture
def with_header(configure):
    configure(REASON_HEADER="X-Reason")


def only(activities):
    (activity,) = activities
    return activity


def ask(view=lambda _request: HttpResponse(), method="POST", body="", content_type=FORM, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = RequestFactory().generic(method, "/", body, content_type=content_type, headers=names)
    response = TrackmateMiddleware(view)(request)
    request.close()
    return response


# --- the project -----------------------------------------------------------------------------


def test_an_activity_of_the_project_has_a_reason(activities):
    track("invoice.approved", reason=SAID)
    with tracking("sync.orders", reason=SAID):
        pass
    with tracking("sync.orders") as activity:
        activity.reason = SAID
    assert [each.reason for each in activities] == [SAID] * 3


@pytest.mark.parametrize("reason", [SAID, lambda _request, _response: SAID])
def test_a_decorated_view_has_one(activities, reason):
    ask(tracker(reason=reason)(lambda _request: HttpResponse()))
    assert only(activities).reason == SAID


def test_a_reason_that_cannot_be_told_costs_nothing_else(activities):
    ask(tracker(action="a.b", reason=lambda *_args: 1 / 0)(lambda _request: HttpResponse()))
    assert (only(activities).action, only(activities).reason) == ("a.b", "")


def test_a_bound_reason_is_that_of_the_request_and_of_what_it_records(activities):
    def view(_request):
        with bind(reason=SAID):
            track("inside")
            track("with.its.own", reason="another")
        return HttpResponse()

    ask(view)
    assert {each.action: each.reason for each in activities} == {
        "": SAID,
        "inside": SAID,
        "with.its.own": "another",
    }


@pytest.mark.parametrize(
    ("tracked", "bound", "field", "header", "wins"),
    [
        ("tracked", "bound", "field", "header", "tracked"),
        (None, "bound", "field", "header", "bound"),
        (None, "", "field", "header", "field"),
        (None, "", "", "header", "header"),
        (None, "", "", "", ""),
    ],
)
def test_whoever_is_nearest_to_the_act_has_the_last_word(
    activities, configure, tracked, bound, field, header, wins
):
    configure(REASON_FIELD="why", REASON_HEADER="X-Reason")

    @tracker(reason=tracked)
    def view(_request):
        with bind(reason=bound):
            return HttpResponse()

    ask(view, body=f"why={field}", x_reason=header)
    assert only(activities).reason == wins


# --- the client ------------------------------------------------------------------------------


@pytest.mark.parametrize("captures_data", [True, False])
@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (f"why={SAID}", FORM, SAID),
        ("why=first&why=last", FORM, "last"),
        ("other=1", FORM, ""),
        (json.dumps({"why": SAID}), JSON, SAID),
        (json.dumps({"why": ["first", "last"]}), JSON, "last"),
        (json.dumps({"why": []}), JSON, ""),
        (json.dumps({"why": {"why": "deep"}}), JSON, ""),
        (json.dumps({"why": 7}), JSON, ""),
        (json.dumps({"why": None}), JSON, ""),
        (json.dumps([{"why": SAID}]), JSON, ""),
        ('"why"', JSON, ""),
        ('{"why": ', JSON, ""),
        ("[" * 100_000, JSON, ""),
        ("", JSON, ""),
        ("why=" + SAID, "text/plain", ""),
    ],
)
def test_a_field_has_the_reason(activities, configure, body, content_type, reason, captures_data):
    configure(REASON_FIELD="why", CAPTURE_DATA=captures_data)
    assert ask(body=body, content_type=content_type).status_code == 200
    assert only(activities).reason == reason


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_form_of_another_method_has_it_too(activities, with_field, method):
    ask(method=method, body=f"why={SAID}")
    assert only(activities).reason == SAID


@pytest.mark.parametrize("captures_data", [True, False])
def test_a_form_with_files_has_it_too(client, activities, configure, captures_data):
    configure(REASON_FIELD="why", CAPTURE_DATA=captures_data)
    client.post("/upload/", {"why": SAID, "file": SimpleUploadedFile("a.txt", b"a")})
    assert only(activities).reason == SAID


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (SAID, SAID),
        ("  ", ""),
        ("żółw".encode().decode("latin-1"), "żółw"),
        ("caf\xe9", "café"),
        ("a\x1b[31mb\r", "a\ufffd[31mb"),
    ],
)
def test_a_header_has_the_reason(activities, with_header, header, reason):
    ask(x_reason=header)
    assert only(activities).reason == reason


@pytest.mark.parametrize("size", [MAX_REASON + 1, 50_000])
def test_a_long_reason_is_cut(activities, configure, size):
    configure(REASON_FIELD="why", REASON_HEADER="X-Reason")
    ask(body="why=" + "a" * size)
    ask(x_reason="a" * size)
    assert all(len(each.reason) <= MAX_REASON + 32 for each in activities)
    assert all(each.reason.startswith("a" * MAX_REASON) for each in activities)


def test_what_the_request_records_has_the_reason_of_its_client(activities, with_header):
    ask(lambda _request: track("inside") or HttpResponse(), x_reason=SAID)
    assert [each.reason for each in activities] == [SAID, SAID]


def test_a_query_is_no_field(client, activities, with_field):
    client.post("/echo/?why=because")
    assert only(activities).reason == ""


def test_without_a_setting_nothing_is_a_reason(client, activities):
    client.post("/echo/", {"why": SAID, "reason": SAID}, headers={"X-Reason": SAID})
    assert only(activities).reason == ""


class Stream(BytesIO):
    """A body that tells whether anybody has read it."""

    was_read = False

    def read(self, *args):
        self.was_read = True
        return super().read(*args)


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "text/plain"])
def test_a_body_that_the_view_has_not_read_is_not_read_for_a_reason(
    activities, with_field, content_type
):
    body = Stream(b"--x\r\nContent-Disposition: form-data; name=why\r\n\r\na\r\n--x--")
    request = RequestFactory().post("/", content_type=content_type)
    request.META |= {"CONTENT_LENGTH": "56", "wsgi.input": body}
    request._stream = body
    TrackmateMiddleware(lambda _request: HttpResponse())(request)
    request.close()
    assert (only(activities).reason, body.was_read) == ("", False)


# --- secrets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("captures_data", [True, False])
@pytest.mark.parametrize(
    "reason", ["the password is Xk7-plum-91", "Xk7-plum-91", "see ?token=Xk7-plum-91 there"]
)
def test_a_secret_in_a_reason_is_masked(activities, configure, reason, captures_data):
    configure(REASON_FIELD="why", CAPTURE_DATA=captures_data)
    body = json.dumps({"why": reason, "password": "Xk7-plum-91"})
    ask(body=body, content_type=JSON)
    stored = only(activities).reason
    assert stored
    assert "plum" not in stored


def test_a_secret_of_the_body_is_masked_in_the_header(activities, with_header):
    ask(body="password=Xk7-plum-91", x_reason="I set Xk7-plum-91")
    assert only(activities).reason == "I set [redacted]"


def test_a_callable_may_not_quote_what_is_not_known(activities):
    view = tracker(reason=lambda request, _response: request.body.decode())
    ask(
        view(lambda request: HttpResponse(request.body)), body="Xk7-plum", content_type="text/plain"
    )
    assert only(activities).reason == WITHHELD
