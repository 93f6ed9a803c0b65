"""A log that cannot be written: the answer stays as it is, and the activity waits in the spool."""

import json
import logging
import resource
import sys
from contextlib import contextmanager

import pytest
from django.contrib.auth import get_user_model
from django.db import connections, transaction

from tests.hostile.failing import ERRORS, failing_processor
from tests.shop.models import Order
from trackmate import diagnostics, track
from trackmate.conf import DEFAULT_PROCESSORS
from trackmate.models import ActivityLog

pytest_plugins = ["tests.hostile.fixtures"]
pytestmark = pytest.mark.database

TROUBLES = ["down", "read-only", "without its table"]
SURROUNDINGS = [
    pytest.param(atomic, write, id=f"{'atomic requests' if atomic else 'autocommit'}, {write}")
    for atomic in (True, False)
    for write in ("on_close", "before_response")
]


@pytest.fixture
def surroundings(hostile, monkeypatch):
    """Set how the project runs its views, and when rows are written."""

    def arrange(atomic, write, **values):
        monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", atomic)
        hostile(WRITE=write, **values)

    return arrange


@contextmanager
def troubled(database, trouble):
    """Let the log have this trouble until the block ends."""
    if trouble == "down":
        database.drop()
        yield
        database.create()
    elif trouble == "read-only":
        database.make_read_only()
        yield
        database.make_writable()
    else:
        database.drop_table()
        yield
        database.create_table()


# --- the log's database ----------------------------------------------------------------------


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(("atomic", "write"), SURROUNDINGS)
def test_a_troubled_log_changes_no_answer_and_loses_nothing(
    client, log_database, surroundings, waiting, caplog, trouble, atomic, write
):
    surroundings(atomic, write)
    with troubled(log_database, trouble):
        answers = [client.post("/order/") for _ in range(5)]
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (201, b'{"order": "42"}')
    }
    assert Order.objects.count() == 5
    assert len(waiting()) == diagnostics.counts["spooled"] == 5
    assert len([each for each in caplog.records if each.name == "trackmate"]) == 1


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_waited_is_stored_once(client, log_database, waiting, flush, trouble):
    with troubled(log_database, trouble):
        for number in range(5):
            client.get(f"/p/{number}")
    client.get("/p/after")
    assert (flush(), flush()) == (5, 0)
    client.get("/p/later")
    assert waiting() == []
    paths = ActivityLog.objects.values_list("path", flat=True)
    assert sorted(paths) == ["/p/0", "/p/1", "/p/2", "/p/3", "/p/4", "/p/after", "/p/later"]


def test_what_waited_and_was_stored_is_not_stored_again(
    client, log_database, spool, waiting, flush
):
    with troubled(log_database, "down"):
        client.get("/p/1")
    (line,) = spool.directory.glob("open.jsonl")
    copy = line.read_text()
    flush()
    line.write_text(copy)  # as if the process had died between storing and acknowledging
    flush()
    assert waiting() == []
    assert list(ActivityLog.objects.values_list("path", flat=True)) == ["/p/1"]


def test_a_log_that_comes_and_goes_has_each_activity_once(client, log_database, waiting, flush):
    for number in range(4):
        with troubled(log_database, "without its table"):
            client.get(f"/p/{number}/down")
        client.get(f"/p/{number}/up")
        flush()
    # The last table is empty but for what came after it.
    assert list(ActivityLog.objects.order_by("id").values_list("path", flat=True)) == [
        "/p/3/down",
        "/p/3/up",
    ]
    assert waiting() == []


def test_reading_and_failing_views_are_unchanged_too(client, log_database, waiting):
    client.raise_request_exception = False
    with troubled(log_database, "down"):
        assert client.get("/ignore/").content == b"ignored"
        assert client.post("/order-then-fail/").status_code == 500
        assert client.get("/nowhere/").status_code == 404
    assert [line["status_code"] for line in waiting()] == [200, 500, 404]


def test_a_login_works_while_the_log_is_down(client, log_database, waiting):
    get_user_model().objects.create_user("alice", password="correct horse")
    with troubled(log_database, "down"):
        answer = client.post("/log-in/", {"username": "alice", "password": "correct horse"})
    assert answer.json() == {"detail": "yes"}
    assert {line["action_type"] for line in waiting()} == {"Login"}


def test_a_transaction_survives_an_activity_that_cannot_be_written(transactional_db, hostile):
    """Here the log shares the view's own database and transaction, as most do."""
    with connections["default"].schema_editor() as editor:
        editor.delete_model(ActivityLog)
    try:
        with transaction.atomic():
            track("before")
            Order.objects.create(number="1")
            track("after")
        assert Order.objects.get().number == "1"
        assert diagnostics.counts["spooled"] == 2
    finally:
        with connections["default"].schema_editor() as editor:
            editor.create_model(ActivityLog)


# --- writers that raise ----------------------------------------------------------------------

FAILING = "tests.hostile.failing.FailingBackend"


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(("atomic", "write"), SURROUNDINGS)
class TestAWriterThatRaises:
    def test_changes_no_answer(self, client, db, surroundings, error, atomic, write):
        surroundings(atomic, write, BACKEND=FAILING, BACKEND_OPTIONS={"error": error})
        answer = client.post("/order/")
        assert (answer.status_code, answer.json()) == (201, {"order": "42"})
        assert Order.objects.count() == 1
        assert diagnostics.counts == {"dropped": 1}

    def test_keeps_no_partial_write(self, client, db, surroundings, error, atomic, write):
        client.raise_request_exception = False
        surroundings(atomic, write, BACKEND=FAILING, BACKEND_OPTIONS={"error": error})
        assert client.post("/order-then-fail/").status_code == 500
        assert Order.objects.count() == (0 if atomic else 1)

    def test_may_meet_a_tracked_change(self, client, db, surroundings, error, atomic, write):
        surroundings(atomic, write, BACKEND=FAILING, BACKEND_OPTIONS={"error": error})
        assert client.post("/order-and-track/").status_code == 201
        assert Order.objects.count() == 1
        assert diagnostics.counts == {"dropped": 2}

    def test_may_be_a_processor(self, client, db, surroundings, error, atomic, write):
        processors = (*DEFAULT_PROCESSORS, failing_processor(error))
        surroundings(atomic, write, PROCESSORS=processors)
        assert client.post("/order/").status_code == 201
        assert Order.objects.count() == 1
        row = ActivityLog.objects.get()
        assert (row.status_code, row.method, row.path, row.data) == (201, "POST", "", None)
        assert diagnostics.counts == {"failed": 1}


def test_a_processor_that_fails_hides_everything_it_might_have_hidden(client, db, hostile):
    hostile(PROCESSORS=[failing_processor("builtins.ValueError"), *DEFAULT_PROCESSORS])
    client.post("/p/hunter2hunter2", {"hunter2": "hunter2"}, headers={"User-Agent": "hunter2"})
    row = ActivityLog.objects.values().get()
    assert "hunter2" not in str(row)
    assert "failed" in str(row["extra"])


# --- the spool -------------------------------------------------------------------------------


@contextmanager
def full_disk(size):
    """Let no file grow beyond `size` bytes, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_missing_spool_directory_is_made_for_the_owner_alone(client, log_database, spool):
    with troubled(log_database, "down"):
        client.get("/p/1")
    assert spool.directory.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in spool.directory.iterdir()} == {0o600}


@pytest.mark.parametrize("kind", ["a file", "below a file", "a dangling link"])
def test_a_spool_directory_that_cannot_be_costs_the_activity_and_says_so(
    client, log_database, hostile, tmp_path, caplog, kind
):
    place = tmp_path / "no-directory"
    place.symlink_to("nowhere/at/all") if kind == "a dangling link" else place.write_text("")
    hostile(SPOOL_DIR=place / "spool" if kind == "below a file" else place)
    with troubled(log_database, "down"):
        assert [client.post("/order/").status_code for _ in range(3)] == [201, 201, 201]
    assert diagnostics.counts == {"dropped": 3}
    assert [each.levelno for each in caplog.records if each.name == "trackmate"] == [logging.ERROR]


def test_links_in_the_spool_are_not_followed(client, log_database, spool, tmp_path):
    spool.prepare()
    (spool.directory / "open.jsonl").symlink_to(tmp_path / "elsewhere")
    with troubled(log_database, "down"):
        assert client.get("/p/1").status_code == 200
    assert not (tmp_path / "elsewhere").exists()
    assert diagnostics.counts == {"dropped": 1}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sets no limit to files")
def test_a_full_disk_takes_whole_activities_or_none(client, log_database, waiting):
    with troubled(log_database, "down"), full_disk(2000):
        statuses = [client.get(f"/p/{number}").status_code for number in range(10)]
    assert statuses == [200] * 10
    kept = [line["path"] for line in waiting()]
    assert 0 < len(kept) < 10
    assert kept == [f"/p/{number}" for number in range(len(kept))]
    assert diagnostics.counts == {"spooled": len(kept), "dropped": 10 - len(kept)}


BROKEN = ["{", "[]", "null", '{"id": "x"}', '{"id": 7}', "\0" * 50, "[" * 9999]


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_line_is_set_aside_and_holds_nothing_up(client, log_database, spool, flush, line):
    with troubled(log_database, "down"):
        client.get("/p/1")
    with (spool.directory / "open.jsonl").open("a") as file:
        file.write(f"{line}\n{line}")
    flush()
    assert list(ActivityLog.objects.values_list("path", flat=True)) == ["/p/1"]
    assert [each.line for each in spool.rejected()] == [line, line]


def of_other_types(name, value):
    """SQLite takes any value of any type."""
    return pytest.param(name, value, marks=pytest.mark.only_on("postgresql", "mysql"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user_agent", None),
        ("actor_id", "no key"),
        of_other_types("status_code", "x"),
        of_other_types("status_code", 40_000_000),
        of_other_types("path", "x" * 3000),
    ],
)
def test_a_row_that_cannot_be_stored_is_set_aside_alone(
    client, log_database, spool, flush, name, value
):
    with troubled(log_database, "down"):
        for number in range(5):
            client.get(f"/p/{number}")
    file = spool.directory / "open.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[3][name] = value
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    flush()
    stored = ActivityLog.objects.values_list("path", flat=True)
    assert sorted(stored) == ["/p/0", "/p/1", "/p/2", "/p/4"]
    assert [lines[3]["id"] in each.line for each in spool.rejected()] == [True]
