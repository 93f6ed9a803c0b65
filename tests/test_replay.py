"""A row as a curl command and as code of a test: both send the same request, and nothing else."""

import ast
import json
import shlex
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import re_path

from tests.factories import SCRIPT
from trackmate.dashboard.detail.replay import MAX_DATA, as_curl, as_test_code, build_replay
from trackmate.dashboard.formatting import escape_invisible
from trackmate.models import ActivityLog

ORIGIN = "https://shop.example"
NASTY = "'\"; touch /tmp/trackmate-was-here; $(touch /tmp/x) `id` !! \\ \n\r\t\x1b[201~ \u202e é"
PATHS = [
    "/",
    "/orders/7/",
    "/a b/ü/%41/?#x;y",
    "//evil.example/x",
    "/../../etc/passwd",
    "/$(touch /tmp/x)/`id`/'\"/",
    "/[redacted]/{a,b}/\\",
    f"/{NASTY}/",
    "/-o/tmp/x",
    "/\ud800/",
]
QUERIES = ["", "a=1&b=2&b=3", "q=%C3%BC+%26", f"q={NASTY}", "a[]=1&x={1,2}#frag", "token=REDACTED"]


def row(**fields):
    """Return a row as the page reads it."""
    stored = ActivityLog(**{"source": "request", "method": "GET", "path": "/", **fields})
    stored.has_data = stored.data is not None
    return stored


def replay(*, with_payload=True, **fields):
    return build_replay(row(**fields), with_payload=with_payload)


def with_query(query):
    return {"query": query} if query else None


# What can be asked again


@pytest.mark.parametrize("method", ["", "GET POST", "GET\n", "-X", SCRIPT[:16], "É"])
def test_an_invalid_method_cannot_be_replayed(method):
    assert replay(method=method) is None


@pytest.mark.parametrize("path", ["", "x/", "@evil.example/", "https://evil.example/"])
def test_an_invalid_path_cannot_be_replayed(path):
    assert replay(path=path) is None


@pytest.mark.parametrize(
    ("fields", "data", "lacks_data"),
    [
        ({"method": "POST", "data": {"a": "b"}}, {"a": "b"}, False),
        ({"method": "POST", "data": {"a": "b"}, "source": "custom"}, None, False),
        ({"method": "GET", "data": {"a": "b"}}, None, False),
        ({"method": "POST"}, None, False),
        ({"method": "POST", "data": "not captured: 3145728 bytes"}, None, True),
        ({"method": "POST", "data": {"a": "x" * MAX_DATA}}, None, True),
        ({"method": "POST", "data": {"a": "b"}, "with_payload": False}, None, True),
    ],
)
def test_data(fields, data, lacks_data):
    found = replay(**fields)
    assert (found.data, found.lacks_data) == (data, lacks_data)


@pytest.mark.parametrize(
    ("data", "headers", "kind"),
    [
        ({"a": "b", "c": ["d", "e"]}, {}, "application/x-www-form-urlencoded"),
        ({"a": "b"}, {"Content-Type": "application/json"}, "application/json"),
        ({"a": "b"}, {"Content-Type": None}, "application/x-www-form-urlencoded"),
        ({"a": 1}, {}, "application/json"),
        ({"a": ["b", 1]}, {}, "application/json"),
        ({}, {}, "application/json"),
        (["a"], {}, "application/json"),
        (5, {}, "application/json"),
    ],
)
def test_content_types(data, headers, kind):
    assert replay(method="POST", data=data, extra={"headers": headers}).content_type == kind


@pytest.mark.parametrize("extra", [None, [], "x", {"query": 5}, {"headers": "x", "query": None}])
def test_odd_extra_is_ignored(extra):
    assert replay(method="POST", data={"a": "b"}, extra=extra).path == "/"


# The command line


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("path", PATHS)
def test_a_shell_reads_one_address_and_runs_nothing(path, query):
    text = as_curl(replay(path=path, extra=with_query(query)), ORIGIN)
    assert text.isascii()
    assert text.isprintable()
    subprocess.run(["bash", "-n", "-c", text], check=True)
    words = shell_words(text)
    assert words[0] == "curl"
    assert words[-1].startswith(f"{ORIGIN}/")
    assert urlsplit(words[-1]).netloc == "shop.example"
    assert urlsplit(words[-1]).fragment == ""


def shell_words(text):
    """Return the words that bash makes of a command, which is not run: a function has its name."""
    script = f"curl() {{ printf '%s\\0' curl \"$@\"; }}\n{text}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize(
    "data",
    [{NASTY: NASTY}, {"a": [NASTY, "@/etc/passwd"]}, {"n": 1, NASTY: [NASTY]}, ["@/etc/passwd"]],
)
def test_a_shell_reads_data_as_data(data):
    found = replay(method="POST", data=data)
    text = as_curl(found, ORIGIN)
    assert text.replace(" \\\n  ", "").isprintable()
    assert text.isascii()
    words = shell_words(text)
    assert words == shlex.split(text.replace("\\\n", ""))
    assert words[:4] == ["curl", "--request", "POST", f"{ORIGIN}/"]
    assert words[4:] == [
        "--header",
        f"Content-Type: {found.content_type}",
        "--data-raw",
        found.body,
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, ["curl", f"{ORIGIN}/"]),
        ({"method": "head"}, ["curl", "--head", f"{ORIGIN}/"]),
        ({"method": "DELETE"}, ["curl", "--request", "DELETE", f"{ORIGIN}/"]),
        ({"method": "M-SEARCH"}, ["curl", "--request", "M-SEARCH", f"{ORIGIN}/"]),
        ({"path": "/a/../b"}, ["curl", "--path-as-is", f"{ORIGIN}/a/../b"]),
    ],
)
def test_curl_options(fields, words):
    assert shell_words(as_curl(replay(**fields), ORIGIN)) == words


@contextmanager
def listening():
    """Serve on loopback, and note what is asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, self.headers["Content-Type"], body.decode()))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"a b": "@/etc/passwd", "c": ["1", NASTY]}, "application/x-www-form-urlencoded"),
        ({"n": 1, "text": NASTY}, "application/json"),
    ],
)
def test_curl_sends_the_same_request(data, kind):
    found = replay(method="PUT", path="/a/../[x]/$(id)", data=data, extra={"query": "b[]=1&c={2}"})
    with listening() as (origin, asked):
        subprocess.run(["bash", "-c", f"{as_curl(found, origin)} --silent"], check=True)
    assert asked == [("/a/../%5Bx%5D/$(id)?b%5B%5D=1&c=%7B2%7D", kind, found.body)]


# The lines of a test


asked = []


def note(request, **_kwargs):
    asked.append((request.method, request.path, request.META["QUERY_STRING"], request))
    return HttpResponse()


urlpatterns = [re_path(r"(?s).*", note)]


def run(text):
    """Run the lines as a test would, and return what was asked."""
    asked.clear()
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[], TRACKMATE={"ENABLED": False}):
        scope = {}
        exec(compile(text, "lines", "exec"), scope)
    assert isinstance(scope["client"], Client)
    assert scope["response"].status_code == 200
    [request] = asked
    return request


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("path", [path for path in PATHS if "\ud800" not in path])
def test_the_test_client_sends_the_same_request(path, query):
    text = as_test_code(replay(path=path, extra=with_query(query)))
    assert names_called_in(text) == {"Client", "get"}
    assert escape_invisible(text) == text
    method, asked_path, asked_query, _request = run(text)
    assert (method, asked_path) == ("GET", path)
    assert parse_qs(asked_query) == parse_qs(query)


def names_called_in(text):
    """Return what is called in some lines; whatever broke out of a text would be one more."""
    calls = [each.func for each in ast.walk(ast.parse(text)) if isinstance(each, ast.Call)]
    return {getattr(each, "attr", None) or each.id for each in calls}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
@pytest.mark.parametrize(
    "data", [{"a": NASTY, "b c": ["1", "2"]}, {"n": 1, NASTY: [None, True]}, [1], 5]
)
def test_the_test_client_sends_the_same_data(method, data):
    found = replay(method=method, data=data)
    text = as_test_code(found)
    assert names_called_in(text) == {
        "Client",
        "generic" if method == "PURGE" else method.lower(),
    }
    sent_method, _path, _query, request = run(text)
    assert sent_method == method
    if found.content_type == "application/json":
        assert request.content_type == "application/json"
        assert json.loads(request.body) == data
    elif method == "POST":
        assert dict(request.POST.lists()) == {"a": [NASTY], "b c": ["1", "2"]}
    else:
        assert parse_qs(request.body.decode()) == {"a": [NASTY], "b c": ["1", "2"]}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE"])
def test_other_methods_have_their_own_function(method):
    text = as_test_code(replay(method=method))
    assert f"client.{method.lower()}(" in text
    assert run(text)[0] == method


def test_long_data_stay_readable():
    text = as_test_code(replay(method="POST", data={"a": 1, "items": [{"word": "w" * 30}] * 4}))
    assert max(len(line) for line in text.splitlines()) <= 100
    assert run(text)[0] == "POST"


def test_very_deep_data_are_sent_as_text():
    data = "end"
    for _level in range(400):
        data = [data]
    text = as_test_code(replay(method="POST", data=data))
    assert run(text)[0] == "POST"
