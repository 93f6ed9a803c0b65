"""One secret, planted everywhere a client or a project can put one, is found nowhere afterwards."""

import json
import logging

import pytest
from django.contrib.auth import authenticate
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.hostile.databases import LogDatabase
from tests.shop.models import Order
from trackmate import bind, diagnostics, track, tracking
from trackmate.models import ActivityLog

pytest_plugins = ["tests.hostile.fixtures"]

CANARY = "canary-4f9d2b7c61e8"
AWS_KEY = "AKIACANARY4F9D2B7C61"
JWT = "eyJjYW5hcnkiOjF9.eyJjYW5hcnkiOiI0ZjlkMmI3YyJ9.CANARYc2lnbmF0dXJl"
CARD = "4111 1111 1111 1111"
SECRETS = [CANARY, "4f9d2b7c61e8", "4F9D2B7C61", AWS_KEY, "eyJjYW5hcnki", CARD]

JSON = "application/json"


def post_json(client, data, path="/ignore/"):
    client.post(path, data, content_type=JSON)


def track_failure(_client):
    with pytest.raises(ValueError, match="canary"), tracking("canary.sung"):
        raise ValueError(f"login with password={CANARY} failed")


def track_known_failure(_client):
    with pytest.raises(ValueError, match="canary"), tracking("canary", data={"password": CANARY}):
        raise ValueError(f"{CANARY} was wrong")


def fail_a_login(client):
    client.post("/log-in/", {"username": CANARY, "password": CANARY})


def log_in_with_json(client):
    post_json(client, {"username": CANARY, "password": "x"}, "/log-in/")


def send_files(client):
    file = SimpleUploadedFile(f"{AWS_KEY}.txt", CANARY.encode())
    client.post("/files/", {"upload": file, "secret_file": SimpleUploadedFile(CANARY, b"x")})


def bound_track(_client):
    with bind(api_key=CANARY, note=f"token={CANARY}"):
        track("canary.sung")


def object_track(_client):
    track("canary.sung", content_object=Order.objects.create(number=f"password={CANARY}"))


def header(name, value):
    return lambda client: client.get("/ignore/", headers={name: value})


PLANTINGS = {
    "path: an argument named token": lambda client: client.get(f"/reset/{CANARY}/"),
    "path: of the shape of a JWT": lambda client: client.get(f"/p/{JWT}/x"),
    "path: of the shape of a key": lambda client: client.get(f"/p/{AWS_KEY}"),
    "path: an assignment": lambda client: client.get(f"/p/token={CANARY}"),
    "query": lambda client: client.get(f"/ignore/?password={CANARY}&sig={CANARY}"),
    "query: encoded": lambda client: client.get(f"/ignore/?%70assword={CANARY}"),
    "query: by shape": lambda client: client.get(f"/ignore/?q={AWS_KEY}&r={JWT}"),
    "query: within a URL": lambda client: client.get(f"/ignore/?next=/reset%3Ftoken%3D{CANARY}"),
    "header: Authorization": header("Authorization", f"Bearer {CANARY}"),
    "header: of any name": header("X-Anything", CANARY),
    "header: Referer": header("Referer", f"https://a.example/x?token={CANARY}#token={CANARY}"),
    "header: agent": header("User-Agent", f"curl/8 token={CANARY} {JWT}"),
    "header: Cookie": header("Cookie", f"sessionid={CANARY}; csrftoken={CANARY}; other={CANARY}"),
    "header: forwarded": header("X-Forwarded-For", CANARY),
    "form": lambda client: client.post("/ignore/", {"password": CANARY, "card": CARD}),
    "form: read by the view": lambda client: client.post("/fields/", {"password": CANARY}),
    "form: a name": lambda client: client.post("/fields/", {AWS_KEY: "1", f"token={CANARY}": "2"}),
    "JSON": lambda client: post_json(client, {"password": CANARY}),
    "JSON: nested": lambda client: post_json(client, {"a": {"b": {"apiKey": CANARY}}}),
    "JSON: list items": lambda client: post_json(client, {"tokens": [CANARY], "a": [JWT, CARD]}),
    "JSON: a pair": lambda client: post_json(client, [{"name": "password", "value": CANARY}]),
    "JSON: within a text": lambda client: post_json(client, {"note": f"password: {CANARY}"}),
    "JSON: that is no JSON": lambda client: client.post("/echo/", f"{{{CANARY}", content_type=JSON),
    "multipart: a value": lambda client: client.post("/files/", {"token": CANARY}),
    "multipart: a name": lambda client: client.post("/files/", {AWS_KEY: "1"}),
    "multipart: files": send_files,
    "response": lambda client: client.post("/answer/", {"password": CANARY}),
    "exception: quotes what was posted": lambda client: client.post(
        "/fail-with/", {"password": CANARY}
    ),
    "exception: quotes the query": lambda client: client.get(f"/fail-with/?password={CANARY}"),
    "exception: quotes an argument": lambda client: client.get(f"/reset-and-fail/{CANARY}/"),
    "exception: quotes a header": lambda client: client.get(
        "/fail-with-credentials/", headers={"Authorization": f"Bearer {CANARY}"}
    ),
    "exception: quotes a cookie": lambda client: client.get(
        "/fail-with-credentials/", headers={"Cookie": f"sessionid={CANARY}"}
    ),
    "exception: names it": track_failure,
    "exception: quotes the data": track_known_failure,
    "remarks: quote what was posted": lambda client: client.post("/remark/", {"password": CANARY}),
    "remarks: name it": lambda _client: track(
        "canary.sung", remarks=f"token {CANARY}, pin={CANARY}"
    ),
    "remarks: quote the data": lambda _client: track(
        "canary.sung", remarks=f"used {CANARY}", data={"password": CANARY}
    ),
    "data": lambda _client: track("canary.sung", data={"credentials": {"any": CANARY}, "a": JWT}),
    "changes": lambda _client: track("canary.sung", changes={"password": ["old", CANARY]}),
    "extra": lambda _client: track("canary.sung", extra={"session": CANARY}),
    "extra: bound": bound_track,
    "actor: by shape": lambda _client: track("canary.sung", actor=f"cron {AWS_KEY} {JWT}"),
    "action": lambda _client: track(f"canary?token={CANARY}"),
    "object": object_track,
    "login: with a request": fail_a_login,
    "login: with JSON": log_in_with_json,
    "login: without a request": lambda _client: authenticate(username=CANARY, password=CANARY),
}


@pytest.fixture(autouse=True)
def surroundings(hostile, client, caplog):
    hostile(CAPTURE_RESPONSE=True, CAPTURE_HEADERS=["Referer", "Authorization", "Cookie"])
    client.raise_request_exception = False
    caplog.set_level(logging.DEBUG)


def assert_silent(*texts):
    for text in texts:
        assert not [secret for secret in SECRETS if secret in text], text


def logged(caplog):
    """Return what was logged because of us: Django itself logs the paths of failed requests."""
    ours = [each for each in caplog.records if not each.name.startswith("django.request")]
    return [caplog.handler.format(record) for record in ours]


planted = pytest.mark.parametrize("plant", PLANTINGS.values(), ids=PLANTINGS)


@planted
def test_no_column_holds_it(client, db, caplog, plant):
    plant(client)
    rows = list(ActivityLog.objects.values())
    assert rows
    assert not diagnostics.counts
    assert_silent(*map(str, rows), *logged(caplog))


@planted
def test_no_console_line_holds_it(client, db, hostile, caplog, plant):
    hostile(BACKEND="trackmate.backends.console.ConsoleBackend")
    plant(client)
    lines = logged(caplog)
    assert any('"action_time"' in line for line in lines)
    assert_silent(*lines)


@pytest.fixture
def lost_log(db, hostile, settings, tmp_path):
    """A log whose database was never made."""
    database = LogDatabase(tmp_path)
    database.drop()
    settings.DATABASE_ROUTERS = ["trackmate.routers.TrackmateRouter"]
    hostile(DATABASE="log")
    yield
    database.forget()


@planted
def test_no_spool_file_holds_it(client, lost_log, waiting, spool_directory, caplog, plant):
    plant(client)
    assert waiting()
    assert_silent(*(file.read_text() for file in spool_directory.rglob("*.jsonl")), *logged(caplog))


def test_an_error_of_the_database_does_not_quote_it(client, lost_log, caplog):
    client.post("/ignore/", {"password": CANARY})
    assert [each.levelname for each in caplog.records if each.name == "trackmate"] == ["ERROR"]
    assert_silent(*logged(caplog))


def test_a_processor_that_fails_does_not_quote_it(client, db, hostile, caplog):
    def quote(activity):
        raise ValueError(json.dumps(activity.data))

    hostile(PROCESSORS=[quote])
    client.post("/ignore/", {"password": CANARY, "note": CANARY})
    assert diagnostics.counts == {"failed": 1}
    assert_silent(*logged(caplog), *map(str, ActivityLog.objects.values()))


def test_the_view_sees_it_as_it_came(client, db):
    answer = client.post("/answer/", {"password": CANARY})
    assert answer.json() == {"access_token": CANARY, "echo": [f"you said {CANARY}"]}


def test_the_rest_of_what_was_said_stays(client, db):
    client.post("/answer/", {"password": CANARY, "note": "hello"})
    row = ActivityLog.objects.get()
    assert row.data == {"password": "[redacted]", "note": "hello"}
    assert row.response == {"access_token": "[redacted]", "echo": ["you said [redacted]"]}


def test_a_client_cannot_hide_what_it_does_by_naming_it_a_secret(client, db):
    post_json(client, {"do": "delete-everything"}, "/p/delete-everything?pin=delete-everything")
    row = ActivityLog.objects.get()
    assert row.path == "/p/delete-everything"
    assert row.data == {"do": "delete-everything"}


def test_a_wrong_name_is_kept_as_a_keyed_hash_and_a_right_one_in_clear(client, alice):
    client.post("/log-in/", {"username": "alice", "password": "x"})
    client.post("/log-in/", {"username": CANARY, "password": "x"})
    failed = ActivityLog.objects.filter(action_type="Login Failed").order_by("id")
    assert failed[0].object_repr == "alice"
    assert failed[1].object_repr.startswith("sha256:")
    assert failed[0].data == {"username": "alice", "password": "[redacted]"}
    assert failed[1].data == {"username": "[redacted]", "password": "[redacted]"}
