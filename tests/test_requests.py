"""What a request says of itself: its data, its response, and the rest."""

import gzip
import json
import tracemalloc
import zlib

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import ResolverMatch

from trackmate.capture.requests import describe_request
from trackmate.context.scope import Scope
from trackmate.processors import WITHHELD
from trackmate.redaction.known_secrets import MASK

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def only(activities):
    (activity,) = activities
    return activity


def post(client, body, content_type=JSON, path="/echo/"):
    return client.generic("POST", path, body, content_type=content_type)


# --- data ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type", "data"),
    [
        ('{"number": "A-7", "lines": [1, 2]}', JSON, {"number": "A-7", "lines": [1, 2]}),
        ("[1, 2]", JSON, [1, 2]),
        ('"text"', JSON, "text"),
        ("0", JSON, 0),
        ('{"a": 1}', f"{JSON}; charset=utf-8", {"a": 1}),
        ("number=A-7&line=1&line=2", FORM, {"number": "A-7", "line": ["1", "2"]}),
        ("number=A-7", f"{FORM}; charset=utf-8", {"number": "A-7"}),
        ("", FORM, None),
    ],
)
def test_json_and_forms_are_kept(client, activities, body, content_type, data):
    assert post(client, body, content_type).status_code == 200
    assert only(activities).data == data


def test_json_of_a_kind_of_its_own_is_kept(client, activities):
    post(client, '{"a": 1}', "application/vnd.api+json")
    assert only(activities).data == {"a": 1}


def test_secrets_are_masked_and_the_view_sees_them(client, activities):
    answer = client.post("/echo/", {"state": "new", "password": "hunter2"}, content_type=JSON)
    assert answer.json()["sent"]["password"] == "hunter2"
    assert only(activities).data == {"state": "new", "password": MASK}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_the_body_of_a_safe_request_is_not_kept(client, activities, method):
    client.generic(method, "/orders/", '{"a": 1}', content_type=JSON)
    assert only(activities).data is None


def test_the_kind_of_data_that_is_not_captured_is_said_with_its_size(client, activities):
    post(client, b"\x00" * 700, "application/octet-stream")
    assert only(activities).data == "not captured: 700 bytes"


def test_a_body_beyond_the_limit_is_not_captured(client, activities, configure):
    configure(MAX_BODY_BYTES=100)
    body = json.dumps({"note": "x" * 200})
    assert post(client, body).json() == {"sent": {"note": "x" * 200}}
    assert only(activities).data == f"not captured: {len(body)} bytes"


def test_a_body_that_cannot_be_parsed_is_said_to_be_so(client, activities):
    post(client, "{broken", path="/swallow/")
    assert only(activities).data == "not captured: 7 bytes, cannot be parsed"


def test_a_view_that_streams_the_body_gets_all_of_it(client, activities):
    body = json.dumps({"note": "x" * 5000})
    assert post(client, body, path="/swallow/").content == str(len(body)).encode()
    assert only(activities).data == {"note": "x" * 5000}


def test_what_a_view_streams_beyond_the_limit_stays_its_own(client, activities, configure):
    configure(MAX_BODY_BYTES=100)
    body = json.dumps({"note": "x" * 5000})
    assert post(client, body, path="/swallow/").content == str(len(body)).encode()
    assert only(activities).data == f"not captured: {len(body)} bytes"


def test_uploads_are_described_and_not_kept(client, activities):
    report = SimpleUploadedFile("report.pdf", b"secret pages", "application/pdf")
    client.post("/upload/", {"title": "Q1", "pin": "1234", "file": report})
    assert only(activities).data == {
        "title": "Q1",
        "pin": MASK,
        "file": {"name": "report.pdf", "size": 12, "type": "application/pdf"},
    }


def test_several_uploads_of_one_name_are_a_list(client, activities):
    files = [SimpleUploadedFile(f"{n}.txt", b"x" * n, "text/plain") for n in (1, 2)]
    client.post("/upload/", {"files": files})
    assert [file["size"] for file in only(activities).data["files"]] == [1, 2]


def test_uploads_that_the_view_ignores_are_not_read(client, activities):
    report = SimpleUploadedFile("report.pdf", b"pages", "application/pdf")
    client.post("/orders/", {"file": report})
    assert only(activities).data.startswith("not captured: ")


def test_data_can_be_left_out(client, activities, configure):
    configure(CAPTURE_DATA=False)
    client.post("/echo/", {"a": 1}, content_type=JSON)
    assert only(activities).data is None


def test_data_of_a_request_left_out_is_not_read(client, activities, configure):
    configure(EXCLUDE_PATHS=["/swallow/"])
    assert post(client, '{"a": 1}', path="/swallow/").content == b"8"
    assert activities == []


@pytest.mark.parametrize("length", ["", "many", "-1"])
def test_a_body_without_a_length_is_not_read(client, activities, length):
    client.generic("POST", "/orders/", b"", content_type=JSON, CONTENT_LENGTH=length)
    assert only(activities).data is None


def test_djangos_own_limit_is_kept_too(client, activities, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert post(client, '{"note": "longer"}', path="/orders/").status_code == 201
    assert only(activities).data == "not captured: 18 bytes"


def test_djangos_own_limit_may_be_off(client, activities, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
    post(client, '{"note": "short"}')
    assert only(activities).data == {"note": "short"}


# --- response --------------------------------------------------------------------------------


def test_responses_are_not_kept_by_default(client, activities):
    client.post("/echo/", {"a": 1}, content_type=JSON)
    assert only(activities).response is None


@pytest.fixture
def responses(configure, activities):
    """What is recorded, with the data of the response."""
    configure(CAPTURE_RESPONSE=True)
    return activities


def test_a_json_response_can_be_kept(client, responses):
    client.post("/echo/", {"token": "hunter2", "a": 1}, content_type=JSON)
    assert only(responses).response == {"sent": {"token": MASK, "a": 1}}


@pytest.mark.django_db
def test_the_data_of_rest_framework_is_kept_as_it_was_made(client, responses):
    made = client.post("/drf/orders/", {"number": "A-7"}, content_type=JSON)
    assert only(responses).response == {"id": made.json()["id"], "number": "A-7"}


@pytest.mark.parametrize("path", ["/", "/stream/", "/download/", "/nowhere/"])
def test_a_response_that_is_no_json_is_not_kept(client, responses, path):
    answer = client.get(path)
    assert answer.getvalue()
    assert only(responses).response is None


def encoded(content, *encodings):
    """Return a JSON answer of a project that compresses it in these ways, one after the other."""
    packed = json.dumps(content).encode()
    for name in encodings:
        packed = PACKERS[name](packed)
    return HttpResponse(
        packed, content_type=JSON, headers={"Content-Encoding": ", ".join(encodings)}
    )


def raw_deflate(content):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "X-GZIP": lambda content: gzip.compress(content[:5]) + gzip.compress(content[5:]),
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "identity": bytes,
    "br": lambda content: b"\x0b\x03\x80" + content[::-1],
}
SOME = {"number": 7, "a": ["ä"] * 50}


@pytest.fixture
def kept_of(configure):
    """Return what is kept of a response."""
    configure(CAPTURE_RESPONSE=True)
    return lambda response: describe_request(Scope(RequestFactory().get("/")), response).response


@pytest.mark.parametrize(
    "encodings",
    [("gzip",), ("X-GZIP",), ("deflate",), ("Deflate",), ("identity",), ("deflate", "gzip")],
    ids=str,
)
def test_a_compressed_response_is_kept_as_it_reads(kept_of, encodings):
    assert kept_of(encoded(SOME, *encodings)) == SOME


def test_a_response_is_kept_behind_the_gzip_middleware(settings, client, responses):
    settings.MIDDLEWARE = [
        settings.MIDDLEWARE[0],
        "django.middleware.gzip.GZipMiddleware",
        *settings.MIDDLEWARE[1:],
    ]
    sent = {"token": "hunter2", "note": "x" * 500}
    answer = client.post("/echo/", sent, content_type=JSON, headers={"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    assert only(responses).response == {"sent": {"token": MASK, "note": "x" * 500}}


@pytest.mark.parametrize("encodings", [("br",), ("gzip", "br"), ("br", "gzip")], ids=str)
def test_of_a_response_in_an_unknown_encoding_the_size_is_kept(kept_of, encodings):
    response = encoded(SOME, *encodings)
    size = len(response.content)
    assert kept_of(response) == f"not captured: {size} bytes, encoded as {', '.join(encodings)}"


@pytest.mark.parametrize("spoil", [lambda content: content[::-1], lambda content: content[:-30]])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_of_a_broken_response_the_size_is_kept(kept_of, encoding, spoil):
    response = encoded(SOME, encoding)
    response.content = spoil(response.content)
    assert kept_of(response).startswith(f"not captured: {len(response.content)} bytes, ")


@pytest.mark.parametrize("encodings", [("gzip",), ("deflate",), ("gzip", "gzip")], ids=str)
def test_no_more_of_a_response_is_unpacked_than_is_kept(kept_of, encodings):
    response = encoded("x" * 50_000_000, *encodings)
    tracemalloc.start()
    kept = kept_of(response)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = len(response.content)
    assert kept == f"not captured: {size} bytes, encoded as {', '.join(encodings)}"
    assert peak < 5_000_000


def test_a_response_beyond_the_limit_is_not_kept(client, responses, configure):
    configure(MAX_BODY_BYTES=100)
    answer = client.post("/echo/", {"note": "x" * 200}, content_type=JSON)
    assert only(responses).response == f"not captured: {len(answer.content)} bytes"


@pytest.mark.parametrize(
    ("content", "kept"), [(b"", None), (b"{broken", "not captured: 7 bytes, cannot be parsed")]
)
def test_a_response_that_only_says_it_is_json(client, responses, content, kept):
    client.generic("POST", "/say-json/", content, content_type="text/plain")
    assert only(responses).response == kept


def test_a_response_to_what_is_not_known_is_withheld(client, responses):
    client.generic("POST", "/say-json/", b'"hunter2"', content_type="text/plain")
    assert only(responses).response == WITHHELD


# --- the rest --------------------------------------------------------------------------------


def test_only_headers_on_the_list_are_kept(client, activities, configure):
    configure(CAPTURE_HEADERS=["Accept-Language", "Content-Type", "X-Trace"])
    client.get("/", headers={"accept-language": "pl", "x-trace": "7", "cookie": "a=b"})
    assert only(activities).extra["headers"] == {"Accept-Language": "pl", "X-Trace": "7"}


def test_no_header_need_be_kept(client, activities, configure):
    configure(CAPTURE_HEADERS=[])
    client.get("/", headers={"referer": "/start/"})
    assert only(activities).extra is None


def test_a_query_keeps_its_names_and_loses_its_secrets(client, activities):
    client.get("/?page=2&token=hunter2&api%5Fkey=hunter2")
    assert only(activities).extra["query"] == "page=2&token=REDACTED&api_key=REDACTED"


def test_a_long_query_is_cut(client, activities):
    client.get("/?q=" + "x" * 5000)
    assert len(only(activities).extra["query"]) < 2100


def test_a_route_of_any_kind_is_kept(client, activities):
    client.get("/files/a/b.txt")
    assert only(activities).route == "files/<name>"


@pytest.mark.django_db
def test_a_redirect_to_the_login_is_a_success_of_nobody(client, activities):
    client.get("/admin/")
    assert (only(activities).status_code, only(activities).status) == (302, "Success")
    assert get_user_model().objects.count() == 0


@pytest.mark.parametrize(
    ("route", "shown"),
    [
        ("orders/<int:pk>/", "orders/<int:pk>/"),
        ("", "/"),
        (r"^api/notes/(?P<pk>[^/.]+)/$", "api/notes/<pk>/"),
        (r"api/^notes\.(?P<format>[a-z0-9]+)/?$", "api/notes.<format>/"),
    ],
)
def test_a_route_reads_like_a_path_whatever_it_is_made_of(route, shown):
    request = RequestFactory().get("/x/")
    request.resolver_match = ResolverMatch(len, (), {}, route=route)
    activity = describe_request(Scope(request), None)
    assert (activity.route, activity.action) == (shown, shown)
