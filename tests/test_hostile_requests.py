"""Requests that no client should send: each is answered as without us, and recorded."""

import asyncio
import json
import tracemalloc
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.test import Client, RequestFactory
from django.utils.translation import gettext_lazy

from tests.hostile import views
from trackmate.models import ACTION, READ, ActivityLog

pytest_plugins = ["tests.hostile.fixtures"]
pytestmark = pytest.mark.database

MEGABYTE = 1024 * 1024
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def surroundings(db, hostile):
    views.streamed.clear()


def answer_of(client, *arguments, **options):
    """Return everything of an answer that a client sees."""
    client.raise_request_exception = False
    if arguments[2:] and not isinstance(arguments[2], (str, bytes)):
        arguments = (*arguments[:2], json.dumps(arguments[2]), *arguments[3:])
    response = client.generic(*arguments, **options)
    return response.status_code, b"".join(response), dict(response.headers)


def assert_unchanged(client, hostile, *arguments, **options):
    """Compare the answer with the one that is given without us, and return the row."""
    hostile(ENABLED=False)
    without_us = answer_of(client, *arguments, **options)
    hostile(ENABLED=True)
    assert answer_of(client, *arguments, **options) == without_us
    return ActivityLog.objects.get()


# --- methods ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "GET"])
def test_a_safe_method_reads(client, hostile, method):
    row = assert_unchanged(client, hostile, method, "/echo/")
    assert (row.method, row.action_type, row.status_code) == (method, READ, 200)


def test_a_method_of_40_characters_is_cut(client, hostile):
    row = assert_unchanged(client, hostile, "X" * 40, "/ignore/")
    assert (row.method, row.action_type) == ("X" * 15 + "…", ACTION)


# --- bodies ----------------------------------------------------------------------------------

UNREADABLE = {
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "too deep to parse": b"[" * 100_000,
    "integer of 100,000 digits": b"9" * 100_000,
    "half a document": b'{"name": ',
    "nothing but NUL": b"\0" * 100,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_json_that_cannot_be_parsed_is_named_instead(client, hostile, body):
    hostile(MAX_BODY_BYTES=MEGABYTE)
    row = assert_unchanged(client, hostile, "POST", "/echo/", body, JSON)
    assert row.data == f"not captured: {len(body)} bytes, cannot be parsed"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ('{"a": NaN, "b": -Infinity}', {"a": "nan", "b": "-inf"}),
        ("1e999", "inf"),
        ('{"n": %s}' % ("9" * 4000), {"n": "[integer of 13288 bits]"}),
        ('{"a\\u0000b": "c\\u0000d"}', {"a\ufffdb": "c\ufffdd"}),
        ('{"\\ud800": "\\udfff"}', {"\ufffd": "\ufffd"}),
        ('{"file": "\\u202egnp.exe"}', {"file": "\ufffdgnp.exe"}),
        ('{"clear": "\\u001b[2J"}', {"clear": "\ufffd[2J"}),
        ("18446744073709551616", "[integer of 65 bits]"),
    ],
)
def test_a_value_that_no_database_takes_is_replaced(client, hostile, body, kept):
    assert assert_unchanged(client, hostile, "POST", "/echo/", body, JSON).data == kept


def test_deep_json_is_kept_to_a_depth(client, hostile):
    row = assert_unchanged(client, hostile, "POST", "/echo/", "[" * 500 + "]" * 500, JSON)
    assert json.dumps(row.data) == "[" * 20 + '"[too deep]"' + "]" * 20


def test_wide_json_is_kept_within_bounds(client, hostile):
    row = assert_unchanged(client, hostile, "POST", "/echo/", [0] * 20_000, JSON)
    assert row.data == [0] * 2000 + ["[18000 more]"]


def test_long_json_is_kept_within_bounds(client, hostile):
    hostile(MAX_BODY_BYTES=MEGABYTE)
    row = assert_unchanged(client, hostile, "POST", "/echo/", ["x" * 20_000] * 20, JSON)
    assert row.data[0] == "x" * 10_000 + "… [10000 more]"
    assert sum(map(len, row.data)) < 110_000


class Untouchable:
    """A stream that nobody may read."""

    def read(self, *_arguments):
        raise AssertionError("the body was read")

    readline = read


@pytest.mark.parametrize("content_type", [JSON, FORM, "text/xml"])
def test_a_large_body_that_the_view_ignores_is_never_read(client, hostile, content_type):
    environ = {"wsgi.input": Untouchable(), "CONTENT_LENGTH": str(3 * MEGABYTE)}
    environ["CONTENT_TYPE"] = content_type
    row = assert_unchanged(client, hostile, "POST", "/ignore/", **environ)
    assert row.data == "not captured: 3145728 bytes"


@pytest.mark.parametrize("length", ["", "-1", "abc", "9" * 5000, "12"])
def test_a_content_length_that_is_wrong_costs_no_row(client, hostile, length):
    row = assert_unchanged(client, hostile, "POST", "/ignore/", "{}", JSON, CONTENT_LENGTH=length)
    assert row.status_code == 200


class Flood:
    """A body that is made while it is read: a beginning, `size` bytes of nothing, an end."""

    def __init__(self, size, head=b"", tail=b""):
        self.parts = [head, size, tail]
        self.length = len(head) + size + len(tail)

    def read(self, size=-1):
        while self.parts:
            part = self.parts[0]
            if not part:
                self.parts.pop(0)
            elif isinstance(part, int):
                self.parts[0] = max(0, part - size)
                return bytes(min(part, size))
            else:
                self.parts[0] = part[size:]
                return part[:size]
        return b""

    readline = read

    def environ(self, content_type):
        length = str(self.length)
        return {"wsgi.input": self, "CONTENT_LENGTH": length, "CONTENT_TYPE": content_type}


@pytest.fixture
def peak():
    """Return the most memory that the test held at once, in bytes."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize("content_type", [JSON, FORM, "application/octet-stream"])
def test_a_streamed_upload_of_100_mb_stays_a_stream(client, peak, content_type):
    flood = Flood(100 * MEGABYTE)
    response = client.generic("POST", "/count/", **flood.environ(content_type))
    assert response.content == b"104857600"
    assert peak() < 5 * MEGABYTE
    assert ActivityLog.objects.get().data == "not captured: 104857600 bytes"


def test_an_uploaded_file_of_100_mb_is_described(client, peak):
    head = b'--x\r\nContent-Disposition: form-data; name="cv"; filename="cv.bin"\r\n'
    head += b"Content-Type: application/pdf\r\n\r\n"
    flood = Flood(100 * MEGABYTE, head, b"\r\n--x--\r\n")
    environ = flood.environ("multipart/form-data; boundary=x")
    response = client.generic("POST", "/files/", **environ)
    assert response.json() == {"cv": 104857600}
    assert peak() < 10 * MEGABYTE
    described = {"name": "cv.bin", "size": 104857600, "type": "application/pdf"}
    assert ActivityLog.objects.get().data == {"cv": described}


@pytest.mark.parametrize("path", ["/count/", "/echo/", "/fields/", "/ignore/"])
@pytest.mark.parametrize("content_type", [JSON, FORM])
@pytest.mark.parametrize("allowed", [1, None])
def test_djangos_own_limit_is_met_by_the_view_alone(
    client, hostile, settings, path, content_type, allowed
):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = allowed
    row = assert_unchanged(client, hostile, "POST", path, "a=1&b=2", content_type)
    assert row.path == path


@pytest.mark.parametrize(
    "body",
    [
        b"&".join(b"f%d=1" % n for n in range(1500)),  # more fields than Django parses
        b"%ff=%fe&" + b"a" * 60_000,
        b"a=\x00\xff",
    ],
)
@pytest.mark.parametrize("path", ["/fields/", "/ignore/", "/count/"])
def test_a_hostile_form_changes_nothing(client, hostile, path, body):
    assert_unchanged(client, hostile, "POST", path, body, FORM)


def part(header, content):
    head = b"--x\r\nContent-Disposition: form-data" + header
    return head + b"\r\n\r\n" + content + b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"no boundary at all",
        part(b"", b"no name"),
        part(b'; name="a\x00b"', b"\xff"),
        part(b'; name="f"; filename="../../\x00\xff"', b"\0"),
        part(b'; name="f"; filename="' + b"x" * 5000 + b'"', b"long"),
    ],
)
@pytest.mark.parametrize("path", ["/fields/", "/ignore/", "/count/"])
def test_hostile_multipart_changes_nothing(client, hostile, path, body):
    assert_unchanged(client, hostile, "POST", path, body, "multipart/form-data; boundary=x")


CONTENT_TYPES = ["", "multipart/form-data", "\0", "a" * 5000]
CONTENT_TYPES += [f"{JSON}; charset=klingon", f"{JSON}; charset=utf-16"]


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_hostile_content_type_changes_nothing(client, hostile, content_type):
    assert_unchanged(client, hostile, "POST", "/fields/", b'{"a": 1}', content_type)


# --- streams ---------------------------------------------------------------------------------


def test_a_stream_is_recorded_when_it_ends_and_not_before(client):
    response = client.get("/stream/")
    pieces = iter(response)
    assert next(pieces) == b"0\n"
    assert views.streamed == [0]
    assert not ActivityLog.objects.exists()
    assert list(pieces) == [b"1\n", b"2\n"]
    assert ActivityLog.objects.get().path == "/stream/"


def test_a_file_is_not_consumed_by_us(client, hostile):
    hostile(CAPTURE_RESPONSE=True)
    response = client.get("/download/")
    assert len(b"".join(response)) == 100_000
    row = ActivityLog.objects.get()
    assert (row.path, row.response) == ("/download/", None)


@pytest.mark.django_db(transaction=True)  # a handler closes its connections
def test_a_client_that_hangs_up_amid_a_stream_is_recorded():
    environ = RequestFactory()._base_environ(PATH_INFO="/stream/")
    response = WSGIHandler()(environ, lambda *_head: None)
    assert next(iter(response)) == b"0\n"
    response.close()
    assert views.streamed == [0, "closed"]
    row = ActivityLog.objects.get()
    assert (row.path, row.status_code) == ("/stream/", 200)


# --- paths, agents and other texts -----------------------------------------------------------


@pytest.mark.parametrize("atomic", [True, False], ids=["atomic requests", "autocommit"])
@pytest.mark.parametrize(
    ("path", "stored"),
    [
        ("/p/a%00b", "/p/a\ufffdb"),
        ("/p/%ED%A0%80", "/p/%ED%A0%80"),
        ("/p/%ff%fe", "/p/%FF%FE"),
        ("/p/a%0d%0ab", "/p/a\ufffd\ufffdb"),
        ("/p/%1b%5b2J", "/p/\ufffd[2J"),
        ("/p/%E2%80%AEgnp", "/p/\ufffdgnp"),
        ("/p/" + "x" * 5000, "/p/" + "x" * 2044 + "…"),
        ("/p/" + "%F0%9F%90%99" * 3000, "/p/" + "🐙" * 2044 + "…"),
    ],
)
def test_a_hostile_path_is_cleaned_and_cut(client, hostile, monkeypatch, atomic, path, stored):
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", atomic)
    assert assert_unchanged(client, hostile, "GET", path).path == stored


@pytest.mark.parametrize(
    ("agent", "stored"),
    [
        ("x" * 5000, "x" * 511 + "…"),
        ("a\0b\r\nc\x1b[0m", "a\ufffdb\ufffd\ufffdc\ufffd[0m"),
        ("\ud800", "\ufffd"),
        ("\xff\xfe", "\xff\xfe"),
    ],
)
def test_a_hostile_agent_is_cleaned_and_cut(client, hostile, agent, stored):
    row = assert_unchanged(client, hostile, "GET", "/ignore/", HTTP_USER_AGENT=agent)
    assert row.user_agent == stored


QUERIES = ["q=%00", "q=%ED%A0%80", "%ff=%fe", "a=" + "x" * 9000, "&&&=;=&", "a\0b\ud800"]


@pytest.mark.parametrize("query", QUERIES)
def test_a_hostile_query_changes_nothing(client, hostile, query):
    row = assert_unchanged(client, hostile, "GET", "/ignore/", QUERY_STRING=query)
    stored = (row.extra or {}).get("query", "")
    assert "\0" not in stored
    assert len(stored) < 7000


@pytest.mark.parametrize("referer", ["\0", "x" * 9000, "http://\ud800/", "http://[::1", "?" * 500])
def test_a_hostile_referrer_changes_nothing(client, hostile, referer):
    row = assert_unchanged(client, hostile, "GET", "/ignore/", HTTP_REFERER=referer)
    assert len(row.extra["headers"]["Referer"]) < 10_100


COOKIES = ["sessionid=\0", "a" * 9000, "sessionid=" + "x" * 9000, "=;=;\xff"]


@pytest.mark.parametrize("cookie", COOKIES)
def test_hostile_cookies_change_nothing(client, hostile, cookie):
    assert_unchanged(client, hostile, "GET", "/read-only/", HTTP_COOKIE=cookie)


# --- addresses -------------------------------------------------------------------------------

ADDRESSES = {
    "garbage": None,
    "": "127.0.0.1",
    "::ffff:1.2.3.4": "1.2.3.4",
    "[::1]:443": "::1",
    "1.2.3.4:555": "1.2.3.4",
    "fe80::1%eth0": "fe80::1",
    "1.2.3.4, 5.6.7.8": "5.6.7.8",
    "1.2.3.4,": None,
    "999.1.1.1": None,
    "0x7f.1": None,
    "1.2.3.4\0": None,
    "x" * 9000: None,
    "2001:DB8::1": "2001:db8::1",
}


@pytest.mark.parametrize(
    ("claim", "stored"), ADDRESSES.items(), ids=[key[:20] for key in ADDRESSES]
)
def test_a_forwarded_address_is_parsed_or_null(client, hostile, claim, stored):
    hostile(TRUSTED_PROXY_COUNT=1)
    row = assert_unchanged(client, hostile, "GET", "/ignore/", HTTP_X_FORWARDED_FOR=claim)
    assert row.ip_address == stored


def test_what_was_claimed_is_kept_beside_the_address(client, hostile):
    hostile(TRUSTED_PROXY_COUNT=1)
    row = assert_unchanged(
        client, hostile, "GET", "/ignore/", HTTP_X_FORWARDED_FOR="[::ffff:1.2.3.4]:9"
    )
    assert row.ip_address == "1.2.3.4"
    assert row.extra == {"claimed_address": "[::ffff:1.2.3.4]:9"}


@pytest.mark.parametrize(
    ("trusted", "stored"),
    [(0, "127.0.0.1"), (1, "3.3.3.3"), (2, "2.2.2.2"), (3, "1.1.1.1"), (4, "127.0.0.1")],
)
def test_only_hops_of_ours_are_believed(client, hostile, trusted, stored):
    hostile(TRUSTED_PROXY_COUNT=trusted)
    chain = {"HTTP_X_FORWARDED_FOR": "1.1.1.1, 2.2.2.2, 3.3.3.3"}
    assert assert_unchanged(client, hostile, "GET", "/ignore/", **chain).ip_address == stored


@pytest.mark.parametrize("address", ["", None, "unix:", "@"])
def test_a_connection_without_an_address_is_recorded(client, hostile, address):
    row = assert_unchanged(client, hostile, "GET", "/ignore/", REMOTE_ADDR=address)
    assert row.ip_address is None


# --- answers ---------------------------------------------------------------------------------


class Unspeakable:
    def __str__(self):
        raise ValueError("no words")


def odd_values():
    cycle = []
    cycle.append(cycle)
    key = uuid.UUID(int=7)
    deep = json.loads("[" * 20 + '"[too deep]"' + "]" * 20)
    return {
        "uuid": (key, str(key)),
        "decimal": (Decimal("1.50"), "1.50"),
        "date": (date(2026, 1, 2), "2026-01-02"),
        "time": (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        "bytes": (b"\0\xff", "[2 bytes]"),
        "lazy text": (gettext_lazy("Username"), "Username"),
        "set": ({1}, [1]),
        "object": (Unspeakable(), "Unspeakable (None)"),
        "huge": (10**5000, "[integer of 16610 bits]"),
        "cycle": (cycle, deep),
    }


@pytest.mark.parametrize("kind", odd_values())
def test_odd_response_data_are_stored_as_text_or_named(client, hostile, monkeypatch, kind):
    hostile(CAPTURE_RESPONSE=True)
    value, stored = odd_values()[kind]
    monkeypatch.setattr(views, "odd_data", value)
    assert assert_unchanged(client, hostile, "GET", "/odd/").response == stored


# --- the session -----------------------------------------------------------------------------

OTHERS = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
OURS = "trackmate.middleware.TrackmateMiddleware"


@pytest.mark.parametrize("write", ["on_close", "before_response"])
@pytest.mark.parametrize("middleware", [[OURS, *OTHERS], [*OTHERS, OURS]], ids=["first", "last"])
@pytest.mark.parametrize("visitor", ["anonymous", "logged in", "unknown session"])
def test_a_page_that_ignores_the_session_stays_cacheable(
    client, hostile, settings, alice, write, middleware, visitor
):
    settings.MIDDLEWARE = middleware
    if visitor == "logged in":
        client.force_login(alice)
    elif visitor == "unknown session":
        client.cookies["sessionid"] = "x" * 32
    hostile(WRITE=write)
    response = client.get("/read-only/")
    session = response.wsgi_request.session
    assert (session.accessed, session.modified) == (False, False)
    assert "Vary" not in response.headers
    assert "Set-Cookie" not in response.headers
    assert not response.cookies
    row = ActivityLog.objects.get(source="request")
    assert row.actor_label == ("alice" if visitor == "logged in" else "")


# --- what else is done with requests and answers -------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b'{"a": 1}', JSON), (b"a=1&b=2", FORM), (b"<a/>", "text/xml"), (b"x" * 200_000, FORM)],
)
def test_a_view_that_reads_the_input_itself_gets_all_of_it(client, hostile, body, content_type):
    response = client.post("/read-input/", body, content_type=content_type)
    assert response.content == body
    assert ActivityLog.objects.get().status_code == 200


@pytest.mark.parametrize("backend", ["locmem.LocMemCache", "filebased.FileBasedCache"])
def test_an_answer_can_be_pickled_into_a_cache_in_front_of_us(client, settings, tmp_path, backend):
    settings.CACHES = {
        "default": {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": str(tmp_path)}
    }
    settings.MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        "trackmate.middleware.TrackmateMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    first, second = client.get("/report/"), client.get("/report/")
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert second.headers["Expires"] == first.headers["Expires"]
    assert [row.status_code for row in ActivityLog.objects.all()] == [200, 200]


def read_with_asgi(path):
    """Read an answer as an ASGI server does, until the application fails."""

    async def run():
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": [],
            "query_string": b"",
        }
        asked = ApplicationCommunicator(ASGIHandler(), scope)
        await asked.send_input({"type": "http.request", "body": b""})
        while True:
            await asked.receive_output()

    with pytest.raises(RuntimeError, match="it fails"):
        asyncio.run(run())


def read_with_wsgi(path):
    with pytest.raises(RuntimeError, match="it fails"):
        list(Client().get(path))


@pytest.mark.parametrize("read", [read_with_wsgi, read_with_asgi])
def test_a_stream_that_fails_in_the_middle_is_failed(transactional_db, thread_connections, read):
    path = "/stream-and-fail/" if read is read_with_wsgi else "/stream-and-fail-async/"
    read(path)
    row = ActivityLog.objects.get()
    assert (row.path, row.status, row.status_code) == (path, "Failed", 200)
    assert row.extra["exception"]["type"] == "RuntimeError"


def test_a_file_is_still_sent_by_the_server_itself(transactional_db):
    class Wrapper:
        def __init__(self, file, size):
            self.file = file

    environ = RequestFactory().get("/download/").environ | {"wsgi.file_wrapper": Wrapper}
    response = WSGIHandler()(environ, lambda *_arguments: None)
    assert response.file.read() == b"x" * 100_000
    response.file.close()
    assert ActivityLog.objects.get().status == "Success"
