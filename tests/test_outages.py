"""The database backend in bad times: what it does not get stored waits, and is stored once."""

import gc
import json
import os
import signal
import socket
import time
import weakref
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from tests.shop.models import Order
from tests.urls_under_test import log_queries
from trackmate.activity import Activity, Target
from trackmate.backends import circuit as circuit_module
from trackmate.backends import connection as connection_module
from trackmate.backends import database, flusher, replay, schemas
from trackmate.backends.circuit import Circuit
from trackmate.backends.database import DatabaseBackend
from trackmate.db.drivers import DeadlineExceededError
from trackmate.db.time_limits import limit_time, time_limit
from trackmate.diagnostics import counts
from trackmate.exceptions import NotStoredError, SpoolError
from trackmate.models import ActivityLog
from trackmate.spool import segments
from trackmate.spool.locations import get_spool
from trackmate.spool.segments import OPEN, Spool, to_line

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

ACTIONS = ["a", "b", "c"]


def acts(*actions, **values):
    return [Activity.now(action=action, **values) for action in actions]


def rows():
    return sorted(ActivityLog.objects.values_list("action", flat=True))


class Table:
    """The table of the log, which can be taken away and given back."""

    def __init__(self):
        self.name, self.is_away = ActivityLog._meta.db_table, False

    def take_away(self):
        self._rename(self.name, f"{self.name}_away")
        self.is_away = True

    def give_back(self):
        if self.is_away:
            self._rename(f"{self.name}_away", self.name)
            self.is_away = False

    def _rename(self, old, new):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")


@pytest.fixture
def table(transactional_db):
    moved = Table()
    yield moved
    moved.give_back()


@pytest.fixture
def small_segments(monkeypatch):
    """Seal a segment after its first line."""
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 1)


@pytest.fixture
def in_production(monkeypatch):
    """Behave as outside of a test, but start no thread."""
    monkeypatch.setattr(database, "is_under_test", lambda: False)
    monkeypatch.setattr(circuit_module, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(circuit_module, "LONGEST_PAUSE", 0.0)


def turn(backend):
    """Do what the thread of a backend does in one turn."""
    backend._flusher._step()


# --- what waits ------------------------------------------------------------------------------


def test_what_the_database_does_not_take_is_spooled_counted_and_logged_once(table, caplog):
    backend = DatabaseBackend()
    table.take_away()
    for action in ACTIONS:
        backend.send(acts(action))
    table.give_back()
    assert rows() == []
    assert counts["spooled"] == 3
    assert len(caplog.records) == 1
    assert backend.flush() == 3
    assert rows() == ACTIONS


def test_no_write_stores_what_waits(table, in_production, django_assert_num_queries):
    """Catching up is not the business of requests."""
    get_spool().append(acts("waits"))
    backend = DatabaseBackend()
    backend.send(acts("warm"))
    with django_assert_num_queries(1):
        backend.send(acts("a"))
    assert rows() == ["a", "warm"]
    turn(backend)
    assert rows() == ["a", "waits", "warm"]


def test_what_is_delivered_twice_is_stored_once():
    a, b, c = acts(*ACTIONS)
    DatabaseBackend().send([a])
    get_spool().append([a, b, b, c, c])
    assert DatabaseBackend().flush() == 2
    assert rows() == ACTIONS


def test_what_another_process_replays_is_left_to_it():
    get_spool().append(acts("waits"))
    for _segment in get_spool().replay():
        assert DatabaseBackend().flush() == 0
    assert not get_spool().is_empty()


def test_what_waits_is_kept_while_the_table_is_away(table):
    get_spool().append(acts(*ACTIONS))
    table.take_away()
    with pytest.raises(NotStoredError, match="others still wait"):
        DatabaseBackend().flush()
    table.give_back()
    assert DatabaseBackend().flush() == 3


def test_a_flush_stops_when_its_time_is_up(small_segments, spool_directory):
    for action in ACTIONS:
        get_spool().append(acts(action))
    assert DatabaseBackend().flush(timeout=0) == 1
    assert DatabaseBackend().flush(timeout=60) == 2


def test_a_flush_whose_time_is_up_says_that_something_cannot_be_stored(table, small_segments):
    for action in ACTIONS:
        get_spool().append(acts(action))
    table.take_away()
    with pytest.raises(NotStoredError):
        DatabaseBackend().flush(timeout=0)


def test_what_was_set_aside_and_has_no_table_now_is_an_error_and_waits(table):
    get_spool().prepare()
    get_spool().reject([("it was too long", to_line(acts("a")[0]))])
    table.take_away()
    with pytest.raises(NotStoredError, match="others still wait"):
        DatabaseBackend().retry_rejected()
    table.give_back()
    assert DatabaseBackend().rejected() == []
    assert DatabaseBackend().flush() == 1


def test_what_was_set_aside_in_one_spool_is_tried_again_whatever_fails_in_another(monkeypatch):
    for name, spool in (("b", get_spool()), ("a", get_spool(schemas.UNKNOWN))):
        spool.prepare()
        spool.reject([("it was too long", to_line(acts(name)[0]))])
    first, rejected_files = get_spool().directory, Spool._rejected_files

    def fail(spool):
        if spool.directory == first:
            raise PermissionError
        return rejected_files(spool)

    monkeypatch.setattr(Spool, "_rejected_files", fail)
    with pytest.raises(SpoolError):
        DatabaseBackend().retry_rejected()
    assert rows() == ["a"]


def test_a_flush_goes_on_where_the_time_of_the_last_one_was_up(monkeypatch):
    monkeypatch.setattr(replay, "ROWS_AT_ONCE", 1)
    get_spool().append(acts(*ACTIONS))
    assert [DatabaseBackend().flush(timeout=0) for _ in range(4)] == [1, 1, 1, 0]
    assert get_spool().is_empty()


def test_a_spool_that_fails_as_well_is_an_error(configure, tmp_path):
    (tmp_path / "file").touch()
    configure(SPOOL_DIR=tmp_path / "file")
    with pytest.raises(SpoolError):
        DatabaseBackend().send([Activity.now(actor_id="kiosk")])


def test_what_the_spool_cannot_take_is_dropped_and_counted(table):
    backend = DatabaseBackend(spool_max_bytes=10)
    table.take_away()
    backend.send(acts("a", "b"))
    assert counts["dropped"] == 2


def test_an_error_is_logged_on_one_line_and_without_what_it_quotes(caplog):
    DatabaseBackend().send([Activity.now(actor_id="password=hunter2\nforged line")])
    assert "hunter2" not in caplog.text
    assert "\n" not in caplog.records[0].getMessage()


def test_a_broken_spool_directory_is_reported_by_the_backends_check(configure, tmp_path):
    (tmp_path / "file").touch()
    configure(SPOOL_DIR=tmp_path / "file")
    (warning,) = DatabaseBackend().check()
    assert warning.id == "trackmate.W004"
    assert os.fspath(tmp_path / "file") in warning.msg


# --- rows that can never be stored ---------------------------------------------------------------

BAD = {
    "a key that is none": {"actor_id": "kiosk"},
    "a text that is none": {"remarks": {"a": 1}},
    "JSON that is none": {"data": {"a": object()}},
}


@pytest.fixture(
    params=[
        "a key that is none",
        "JSON that is none",
        # mysqlclient makes a text of it.
        pytest.param("a text that is none", marks=pytest.mark.only_on("sqlite3", "postgresql")),
    ]
)
def bad(request, monkeypatch):
    """An activity that no database and no adapter takes, as it came out of the spool."""
    activity = Activity.now(action="bad")
    replaced = {activity.id: activity.replace(**BAD[request.param])}
    real = segments._activity_of

    def read(line):
        found = real(line)
        return found and replaced.get(found.id, found)

    monkeypatch.setattr(segments, "_activity_of", read)
    return activity


def test_a_bad_row_is_set_aside_alone(bad, spool_directory):
    get_spool().append([*acts("a"), bad, *acts("b", "c")])
    assert DatabaseBackend().flush() == 3
    assert rows() == ACTIONS
    assert get_spool().is_empty()
    assert counts["rejected"] == 1
    [rejected] = DatabaseBackend().rejected()
    assert '"bad"' in rejected.line
    assert rejected.reason


def test_bad_rows_keep_nothing_waiting_over_several_outages(table, bad, in_production):
    backend = DatabaseBackend()
    for number in range(3):
        table.take_away()
        backend.send([bad.replace(id=Activity.now().id), *acts(f"n{number}")])
        get_spool().append([bad])
        turn(backend)
        table.give_back()
        turn(backend)
        turn(backend)
    assert {"n0", "n1", "n2"} <= set(rows())
    assert get_spool().is_empty()
    assert not backend._circuit.has_failures


@pytest.mark.only_on("postgresql", "mysql")
def test_what_only_the_database_finds_wrong_is_set_aside_too(spool_directory):
    get_spool().append([*acts("a"), *acts("bad", status_code=70_000), *acts("b")])
    assert DatabaseBackend().flush() == 2
    assert rows() == ["a", "b"]
    assert '"bad"' in DatabaseBackend().rejected()[0].line


@pytest.mark.parametrize("line", ["nonsense", '{"id": "0190'])
def test_a_line_that_is_no_activity_is_set_aside(spool_directory, line):
    get_spool().append(acts("a"))
    with (spool_directory / OPEN).open("a") as segment:
        segment.write(line)
    assert DatabaseBackend().flush() == 1
    assert [each.line for each in DatabaseBackend().rejected()] == [line]
    assert get_spool().is_empty()


def test_what_was_set_aside_is_shown_and_tried_again(capsys):
    get_spool().prepare()
    [mended] = acts("mended")
    get_spool().reject([("it was too long", to_line(mended)), ("no activity", "non\x1bsense")])
    call_command("trackmate_flush", rejected=True)
    shown = capsys.readouterr().out
    assert " mended: it was too long" in shown
    assert "non\ufffdsense: no activity" in shown
    assert "1 activities stored." in shown
    assert rows() == ["mended"]
    assert [each.line for each in DatabaseBackend().rejected()] == ["non\x1bsense"]


@pytest.mark.only_on("postgresql", "mysql")
def test_what_was_set_aside_is_not_lost_while_the_database_is_away(monkeypatch, stopped_server):
    monkeypatch.setattr(database, "COMMAND_SECONDS", 0.05)
    get_spool().prepare()
    get_spool().reject([("it was too long", to_line(acts("a")[0]))])
    connections["default"].close()
    with pytest.raises(NotStoredError):
        DatabaseBackend().retry_rejected()
    assert DatabaseBackend().rejected() or not get_spool().is_empty()


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
@pytest.mark.only_on("sqlite3", "mysql")
def test_a_time_that_is_none_is_its_rows_fault(time):
    [far] = acts("far")
    get_spool().append(acts("a"))
    line = json.dumps({**far.to_dict(), "action_time": time})
    with (get_spool().directory / OPEN).open("a") as segment:
        segment.write(f"{line}\n")
    assert DatabaseBackend().flush() == 1
    assert get_spool().is_empty()
    assert [each.line for each in DatabaseBackend().rejected()]


# --- a fault that is no row's --------------------------------------------------------------------


TABLE = ActivityLog._meta.db_table
FAULTS = {
    "a column is missing": ("RENAME COLUMN remarks TO former", "RENAME COLUMN former TO remarks"),
    "a column of a newer release": ("ADD COLUMN newer varchar(9) NOT NULL", "DROP COLUMN newer"),
}


def alter(change):
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {TABLE} {change}")


@pytest.fixture(
    params=[
        "a column is missing",
        pytest.param(
            "a column of a newer release", marks=pytest.mark.only_on("postgresql", "mysql")
        ),
    ]
)
def mend(request, transactional_db):
    """A schema with a fault; call it to mend the fault."""
    change, undo = FAULTS[request.param]
    alter(change)
    left = [undo]

    def mend():
        while left:
            alter(left.pop())

    yield mend
    mend()


def test_rows_wait_for_a_schema_that_is_mended(mend):
    backend = DatabaseBackend()
    backend.send(acts("a", "b"))
    for _ in range(2):
        with pytest.raises(NotStoredError):
            backend.flush()
    assert backend.rejected() == []
    mend()
    assert backend.flush() == 2
    assert rows() == ["a", "b"]


def test_rows_wait_for_the_content_types_and_keep_no_others_waiting(monkeypatch):
    """They may be in another database, which is away."""
    order = Order.objects.create(number="1")
    ContentType.objects.clear_cache()
    get_spool().append([*acts("a"), *acts("b", target=Target.from_instance(order)), *acts("c")])
    with monkeypatch.context() as patch:
        patch.setattr(ContentType._meta, "db_table", "nowhere")
        with pytest.raises(NotStoredError, match="2 activities were stored"):
            DatabaseBackend().flush()
    assert DatabaseBackend().rejected() == []
    assert DatabaseBackend().flush() == 1
    assert ActivityLog.objects.get(action="b").content_object == order


def test_content_types_that_cannot_be_read_break_no_transaction(monkeypatch):
    order = Order.objects.create(number="1")
    ContentType.objects.clear_cache()
    with transaction.atomic():
        with monkeypatch.context() as patch:
            patch.setattr(ContentType._meta, "db_table", "nowhere")
            DatabaseBackend().send(acts("a", target=Target.from_instance(order)))
        order.delete()
    assert not Order.objects.exists()
    assert counts["spooled"] == 1


def test_a_broken_line_is_set_aside_once_while_the_others_wait(table):
    get_spool().append(acts("a"))
    with (get_spool().directory / OPEN).open("a") as segment:
        segment.write("nonsense\n")
    table.take_away()
    for _ in range(3):
        with pytest.raises(NotStoredError):
            DatabaseBackend().flush()
    table.give_back()
    assert [each.line for each in DatabaseBackend().rejected()] == ["nonsense"]
    assert DatabaseBackend().flush() == 1


@pytest.mark.only_on("postgresql")
def test_rows_wait_for_their_partition_and_keep_no_others_waiting():
    name, today = ActivityLog._meta.db_table, datetime.now(UTC)
    yesterday = Activity.at(today - timedelta(days=1), action="yesterday")
    middle = Activity.at(today.replace(hour=0, minute=0, second=0, microsecond=0)).id
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name} RENAME TO {name}_former")
        cursor.execute(
            f"CREATE TABLE {name} (LIKE {name}_former INCLUDING DEFAULTS) PARTITION BY RANGE (id);"
            f" CREATE TABLE {name}_today PARTITION OF {name} FOR VALUES FROM ('{middle}') TO"
            " (MAXVALUE); ALTER TABLE " + name + " ADD PRIMARY KEY (id)"
        )
    try:
        get_spool().append([*acts("a"), yesterday, *acts("b")])
        with pytest.raises(NotStoredError, match="2 activities were stored"):
            DatabaseBackend().flush()
        assert rows() == ["a", "b"]
        with connection.cursor() as cursor:
            cursor.execute(
                f"CREATE TABLE {name}_before PARTITION OF {name} FOR VALUES FROM (MINVALUE) TO"
                f" ('{middle}')"
            )
        assert DatabaseBackend().flush() == 1
        assert rows() == ["a", "b", "yesterday"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {name}")
            cursor.execute(f"ALTER TABLE {name}_former RENAME TO {name}")


# --- the circuit ---------------------------------------------------------------------------------


def test_after_a_failure_nobody_writes_until_a_probe_has_succeeded(table, in_production):
    backend = DatabaseBackend()
    table.take_away()
    backend.send(acts("a"))
    with CaptureQueriesContext(connection) as queries:
        backend.send(acts("b"))
    assert not log_queries(queries)
    turn(backend)
    with CaptureQueriesContext(connection) as queries:
        backend.send(acts("c"))
    assert not log_queries(queries)
    table.give_back()
    turn(backend)
    turn(backend)
    assert rows() == ACTIONS
    backend.send(acts("d"))
    assert rows() == [*ACTIONS, "d"]


def test_the_pauses_between_probes_grow_to_a_limit(monkeypatch):
    monkeypatch.setattr(circuit_module, "monotonic", lambda: 0.0)
    circuit, pauses = Circuit(), []
    circuit.open("", is_responding=True)
    for _ in range(9):
        pauses.append(circuit.next_probe())
        circuit.probe_failed("")
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    circuit.close("")
    assert circuit.next_probe() == float("inf")


def test_a_thread_does_not_wait_for_one_that_is_stuck():
    circuit, entered, leave = Circuit(), Event(), Event()

    def stay():
        with circuit.enter(""):
            entered.set()
            leave.wait()

    thread = Thread(target=stay)
    thread.start()
    entered.wait()
    with circuit.enter("") as reason:
        assert reason == circuit_module.BUSY
    circuit._busy_since = time.monotonic() - 1
    with circuit.enter("") as reason:
        assert reason == circuit_module.BUSY
    leave.set()
    thread.join()
    with circuit.enter("") as reason:
        assert reason == ""


def test_a_schema_without_a_table_stops_no_other():
    circuit = Circuit()
    circuit.open("acme", is_responding=True)
    with circuit.enter("acme") as reason:
        assert reason == circuit_module.OPEN
    with circuit.enter("other") as reason:
        assert reason == ""


@pytest.fixture
def with_threads(monkeypatch, thread_connections):
    """Let backends have their thread."""
    monkeypatch.setattr(flusher, "is_under_test", lambda: False)
    monkeypatch.setattr(flusher, "PAUSE_FACTOR", 0.0)


@pytest.mark.only_on("postgresql", "mysql")
def test_a_thread_stores_what_waits_and_ends(with_threads):
    get_spool().append(acts("waits"))
    backend = DatabaseBackend()
    backend.send(acts("a"))
    if (thread := backend._flusher._thread) is not None:
        thread.join(20)
    assert backend._flusher._thread is None
    assert rows() == ["a", "waits"]


@pytest.mark.parametrize("part", ["_circuit", "_flusher"])
def test_a_backend_that_nobody_uses_any_more_is_not_kept_for_a_fork(part):
    backend = DatabaseBackend()
    kept = weakref.ref(getattr(backend, part))
    del backend
    gc.collect()
    assert kept() is None


def test_what_is_spooled_as_the_thread_ends_is_not_forgotten(monkeypatch):
    thread = DatabaseBackend()._flusher

    def spool_at_the_end():
        thread._is_woken = True  # as a request does
        return False

    monkeypatch.setattr(thread, "_step", spool_at_the_end)
    assert thread._run_once()
    monkeypatch.setattr(thread, "_step", lambda: False)
    assert not thread._run_once()


def test_a_thread_stores_what_waits_as_the_process_ends():
    get_spool().append(acts("waits"))
    backend = DatabaseBackend()
    backend._flusher._end()
    backend._flusher._run()
    assert rows() == ["waits"]


def test_a_thread_that_rests_stores_what_waits_as_the_process_ends(monkeypatch):
    backend = DatabaseBackend()
    get_spool().append(acts("waits"))
    backend._circuit.open("", is_responding=True)

    def end(_seconds):
        backend._circuit.close("")
        backend._flusher._end()

    monkeypatch.setattr(backend._flusher._is_ending, "wait", end)
    backend._flusher._run()
    assert rows() == ["waits"]


def test_what_waits_is_no_loss_where_no_thread_can_be_started(table, with_threads, monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(database, "is_under_test", lambda: False)
    monkeypatch.setattr(Thread, "start", refuse)
    backend = DatabaseBackend()
    table.take_away()
    backend.send(acts("a"))
    assert counts == {"spooled": 1}
    assert backend._flusher._thread is None


def test_a_flush_passes_over_a_spool_that_fails(monkeypatch):
    """The first one does."""
    get_spool().append(acts("b"))
    get_spool(schemas.UNKNOWN).append(acts("a"))
    names, first = Spool._names, get_spool().directory

    def fail(spool):
        if spool.directory == first:
            raise PermissionError
        return names(spool)

    monkeypatch.setattr(Spool, "_names", fail)
    with pytest.raises(SpoolError):
        DatabaseBackend().flush()
    assert rows() == ["a"]


def test_under_test_there_is_no_thread():
    """What one test leaves behind must not appear in the next."""
    get_spool().append(acts("waits"))
    backend = DatabaseBackend()
    backend.send(acts("a"))
    assert backend._flusher._thread is None
    assert rows() == ["a"]


# --- deadlines -----------------------------------------------------------------------------------

SLEEP = {"postgresql": "SELECT pg_sleep(1)", "mysql": "SELECT SLEEP(1)"}


def query(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


@pytest.mark.only_on("postgresql", "mysql")
def test_a_query_is_given_up_and_its_connection_closed():
    with pytest.raises(DeadlineExceededError), time_limit(connections["default"], 0.05):
        query(SLEEP[connection.vendor])
    assert connection.connection is None
    assert query("SELECT 1") == (1,)


@pytest.mark.only_on("postgresql", "mysql")
def test_a_limit_is_taken_back():
    for _ in range(2):
        with time_limit(connections["default"], 5), time_limit(connections["default"], 0.5):
            assert query("SELECT 1") == (1,)
    raw = connection.connection
    assert "wait" not in vars(raw)
    assert "query" not in vars(raw)
    assert "get_new_connection" not in vars(connections["default"])


class TooLongError(Exception):
    """What a signal handler raises, as Celery's does when a task takes too long."""


@pytest.fixture
def interrupt():
    """Let a signal interrupt this thread in a moment."""

    def stop(*_args):
        raise TooLongError

    former = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    yield TooLongError
    signal.signal(signal.SIGALRM, former)


@pytest.mark.only_on("postgresql", "mysql")
def test_a_query_that_a_signal_interrupts_leaves_no_answer_to_others(interrupt):
    with pytest.raises(interrupt), time_limit(connections["default"], 5):
        query(SLEEP[connection.vendor])
    assert query("SELECT 1") == (1,)


@pytest.mark.only_on("mysql")
def test_no_call_of_the_driver_goes_without_a_limit():
    connection.ensure_connection()
    raw, statements = connection.connection, []
    with time_limit(connections["default"], 5):
        send = raw.send_query
        raw.send_query = lambda statement: statements.append(statement) or send(statement)
        with transaction.atomic():
            pass
        assert connection.is_usable()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            raise ZeroDivisionError
        vars(raw).pop("send_query")
    off, on = b"SET autocommit = 0", b"SET autocommit = 1"
    assert statements == [off, b"COMMIT", on, b"DO 0", off, b"ROLLBACK", on]
    assert raw.get_autocommit()
    assert not {"commit", "rollback", "ping", "autocommit"} & vars(raw).keys()


@pytest.mark.only_on("postgresql", "mysql")
def test_a_server_that_is_silent_is_not_waited_for(stopped_server):
    connections["default"].close()
    with (
        pytest.raises(DeadlineExceededError, match="connection"),
        time_limit(connections["default"], 0.05),
    ):
        query("SELECT 1")


@pytest.fixture
def stopped_server(request):
    """Let connections be made to an address that takes them and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        entry = connections["default"].settings_dict
        former = dict(entry)
        entry |= {"HOST": "127.0.0.1", "PORT": listener.getsockname()[1]}
        yield
        entry |= former


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_what_is_interrupted_is_stored_later(in_production, monkeypatch, interruption):
    def insert(activities, alias, **_options):
        real(activities, alias)  # and whether the server has stored them nobody knows
        raise interruption

    backend, real = DatabaseBackend(), database.insert
    with monkeypatch.context() as patch:
        patch.setattr(database, "insert", insert)
        with pytest.raises(interruption):
            backend.send(acts("a"))
    assert not get_spool().is_empty()
    backend.send(acts("b"))
    turn(backend)
    assert rows() == ["a", "b"]


@contextmanager
def locked_table():
    """Keep the table of the log locked in another session."""
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            if connection.vendor == "postgresql":
                other.set_autocommit(False)
                cursor.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
            else:
                cursor.execute(f"LOCK TABLES {TABLE} WRITE")
            yield
            if connection.vendor == "postgresql":
                other.rollback()
            else:
                cursor.execute("UNLOCK TABLES")
    finally:
        other.close()


@pytest.mark.only_on("postgresql", "mysql")
@pytest.mark.parametrize("around", [nullcontext, transaction.atomic])
def test_a_lock_is_not_waited_for_and_breaks_nothing(configure, around):
    configure(WRITE_TIMEOUT=0.1)
    backend = DatabaseBackend()
    connection.ensure_connection()
    with locked_table(), around():
        Order.objects.create(number="mine")
        backend.send(acts("a"))
        assert Order.objects.filter(number="mine").exists()
    assert counts["spooled"] == 1
    assert Order.objects.filter(number="mine").exists()
    assert backend.flush() == 1
    assert rows() == ["a"]


@pytest.fixture(params=["the client", "the server"])
def binds(request, monkeypatch, disconnected):
    """Where parameters are bound: in the server, a message has room for one statement only."""
    options = connections["default"].settings_dict["OPTIONS"]
    monkeypatch.setitem(options, "server_side_binding", request.param == "the server")


@pytest.mark.only_on("postgresql")
def test_within_a_transaction_a_lock_is_not_waited_for_however_parameters_are_bound(
    configure, binds, caplog
):
    configure(WRITE_TIMEOUT=0.1)
    connection.ensure_connection()
    with locked_table(), transaction.atomic():
        query("SELECT set_config('lock_timeout', '3s', true)")
        DatabaseBackend().send(acts("a"))
        assert query("SHOW statement_timeout") == ("0",)
    assert counts["spooled"] == 1
    assert "due to statement timeout" in caplog.text


@pytest.mark.only_on("postgresql")
def test_within_a_transaction_the_projects_own_limit_stays(binds):
    with transaction.atomic():
        query("SELECT set_config('statement_timeout', '7s', true)")
        DatabaseBackend().send(acts("a"))
        assert query("SHOW statement_timeout") == ("7s",)
    assert rows() == ["a"]


@pytest.mark.only_on("postgresql")
def test_an_exhausted_pool_is_not_waited_for(configure, monkeypatch):
    configure(WRITE_TIMEOUT=0.1)
    settings_dict = {**connections["default"].settings_dict}
    settings_dict["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 1, "timeout": 20}}
    first, second = (type(connections["default"])(settings_dict, "default") for _ in range(2))
    try:
        first.ensure_connection()
        with pytest.raises(OperationalError), time_limit(second, 0.1):
            second.ensure_connection()
        first.close()
        with time_limit(second, 5):
            second.ensure_connection()
        assert second.is_usable()
    finally:
        for each in (first, second):
            each.close()
        # It gets its connection back in a thread, and would leave it open if it were closed before.
        while not first.pool.get_stats()["pool_available"]:
            time.sleep(0.001)
        first.close_pool()


@pytest.mark.only_on("postgresql")
def test_a_pool_gets_its_connection_back_without_our_limit():
    settings_dict = {**connections["default"].settings_dict}
    settings_dict["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 1, "timeout": 20}}
    pooled = type(connections["default"])(settings_dict, "default")
    try:
        with time_limit(pooled, 5):
            pooled.ensure_connection()
            raw = pooled.connection
            pooled.close()
        assert "wait" not in vars(raw)
        assert "_close" not in vars(pooled)
    finally:
        while not pooled.pool.get_stats()["pool_available"]:
            time.sleep(0.001)
        pooled.close_pool()


@pytest.mark.only_on("sqlite3")
@pytest.mark.parametrize(
    ("options", "milliseconds"),
    [
        ({}, 5000),
        ({"timeout": 7}, 7000),
        ({"timeout": 0.01}, 10),
        ({"init_command": "PRAGMA busy_timeout=9000"}, 9000),
    ],
)
def test_a_file_has_the_limit_of_the_project_again(tmp_path, options, milliseconds):
    entry = connections["default"].settings_dict
    settings_dict = {**entry, "NAME": str(tmp_path / "a.sqlite3"), "OPTIONS": options}
    file = type(connections["default"])(settings_dict, "default")
    try:
        for _ in range(2):  # connected inside of the block, and before
            with time_limit(file, 1), file.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout")
                assert cursor.fetchone()[0] <= min(milliseconds, 1000)
            with file.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout")
                assert cursor.fetchone() == (milliseconds,)
    finally:
        file.close()


@pytest.mark.only_on("sqlite3")
def test_within_a_transaction_a_file_has_the_limit_too():
    connection.ensure_connection()
    with transaction.atomic(), limit_time("default", 0.5):
        assert query("PRAGMA busy_timeout")[0] <= 500
    assert query("PRAGMA busy_timeout") == (5000,)


@pytest.mark.only_on("sqlite3")
def test_a_lock_of_a_file_is_not_waited_for(tmp_path):
    settings_dict = {**connections["default"].settings_dict, "NAME": str(tmp_path / "a.sqlite3")}
    first, second = (type(connections["default"])(settings_dict, "default") for _ in range(2))
    with first.cursor() as cursor, second.cursor() as other:
        cursor.execute("CREATE TABLE t (a)")
        cursor.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"), time_limit(second, 0.05):
            other.execute("INSERT INTO t VALUES (1)")
        assert other.execute("PRAGMA busy_timeout").fetchone() == (5000,)
    first.close()
    second.close()


# --- the connection ------------------------------------------------------------------------------


def lose_session():
    """End the session of this thread's connection from another one."""
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid]
            )
        else:
            cursor.execute(f"KILL {connection.connection.thread_id()}")
    other.close()


@pytest.mark.only_on("postgresql", "mysql")
def test_a_session_that_the_server_ended_is_renewed_at_once():
    backend = DatabaseBackend()
    backend.send(acts("a"))
    lose_session()
    backend.send(acts("b"))
    assert rows() == ["a", "b"]
    assert not counts["spooled"]


@pytest.mark.only_on("postgresql", "mysql")
def test_a_log_in_a_database_of_its_own_has_one_connection_for_each_process(
    monkeypatch, configure, thread_connections
):
    monkeypatch.setattr(connection_module, "is_under_test", lambda: False)
    monkeypatch.setattr(connection_module, "DEFAULT_DB_ALIAS", "another")
    backend = DatabaseBackend()
    threads = [Thread(target=backend.send, args=(acts(name),)) for name in ACTIONS]
    for thread in threads:
        thread.start()
        thread.join()
    assert len(thread_connections) == 1
    assert rows() == ACTIONS
    backend._connection._shared.close()


SESSION = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT CONNECTION_ID()"}


@pytest.mark.only_on("postgresql", "mysql")
def test_a_forked_process_does_not_share_the_session_that_recording_began(disconnected):
    """As that of a server which loads the project before it forks."""
    DatabaseBackend().send(acts("a"))
    session = query(SESSION[connection.vendor])
    if not (child := os.fork()):
        with suppress(Exception):
            os._exit(query(SESSION[connection.vendor]) == session)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert query(SESSION[connection.vendor]) == session


@pytest.mark.only_on("postgresql", "mysql")
def test_a_process_that_is_forked_in_a_transaction_is_left_alone(disconnected):
    DatabaseBackend().send(acts("a"))
    with transaction.atomic():
        if not (child := os.fork()):
            os._exit(connection.connection is None)
        assert os.waitpid(child, 0)[1] == 0


# --- autocommit off ------------------------------------------------------------------------------


@pytest.fixture
def without_autocommit():
    connection.set_autocommit(False)
    yield
    connection.rollback()
    connection.set_autocommit(True)


@pytest.mark.parametrize(
    "around",
    [
        nullcontext,
        # SQLite commits at the end of its outermost savepoint.
        pytest.param(transaction.atomic, marks=pytest.mark.only_on("postgresql", "mysql")),
    ],
)
@pytest.mark.parametrize("is_bad", [False, True])
def test_what_the_project_left_uncommitted_stays_so(without_autocommit, around, is_bad):
    with around():
        Order.objects.create(number="uncommitted")
        DatabaseBackend().send([*acts("a"), *([Activity.now(actor_id="kiosk")] if is_bad else [])])
    assert Order.objects.filter(number="uncommitted").exists()
    connection.rollback()
    connection.set_autocommit(True)
    assert not Order.objects.exists()
    assert rows() == []
    assert DatabaseBackend().flush() == 1
    assert rows() == ["a"]


@pytest.mark.only_on("postgresql", "mysql")
def test_a_connection_that_is_not_made_yet_is_not_made(monkeypatch):
    connections["default"].close()
    monkeypatch.setitem(connections["default"].settings_dict, "AUTOCOMMIT", False)
    DatabaseBackend().send(acts("a"))
    assert counts["spooled"] == 1
    assert connection.connection is None


@pytest.fixture
def disconnected(transactional_db):
    """Let the next connection be a new one, with other settings perhaps."""
    connections["default"].close()
    yield
    connections["default"].close()


@pytest.mark.only_on("postgresql", "mysql")
@pytest.mark.parametrize("store", [lambda backend: backend.flush(), turn], ids=["flush", "thread"])
def test_what_waits_is_committed_where_the_project_turns_autocommit_off(
    monkeypatch, disconnected, store
):
    get_spool().append(acts("a"))
    with monkeypatch.context() as patch:
        patch.setitem(connections["default"].settings_dict, "AUTOCOMMIT", False)
        store(DatabaseBackend())
        connections["default"].close()
    assert rows() == ["a"]
    assert get_spool().is_empty()


@pytest.mark.only_on("postgresql", "mysql")
def test_what_waits_is_not_rolled_back_with_the_projects_transaction(monkeypatch):
    monkeypatch.setattr(connection_module, "is_under_test", lambda: False)
    get_spool().append(acts("a"))
    with transaction.atomic():
        Order.objects.create(number="undone")
        assert DatabaseBackend().flush() == 1
        transaction.set_rollback(True)
    assert rows() == ["a"]
    assert not Order.objects.exists()


# --- schemas -------------------------------------------------------------------------------------


@pytest.fixture
def tenants(transactional_db):
    """Two schemas that have a log each, beside that of the default one."""
    with connection.cursor() as cursor:
        for name in ("acme", "zulu"):
            cursor.execute(f"CREATE SCHEMA {name}")
            cursor.execute(f"CREATE TABLE {name}.{TABLE} (LIKE public.{TABLE} INCLUDING ALL)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET search_path; DROP SCHEMA acme CASCADE; DROP SCHEMA zulu CASCADE")


def rows_of(schema):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT action FROM {schema}.{TABLE} ORDER BY action")
        return [action for (action,) in cursor.fetchall()]


def set_path(path):
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('search_path', %s, false)", [path])


@pytest.mark.only_on("postgresql")
def test_what_was_recorded_for_a_schema_is_stored_there(tenants):
    backend = DatabaseBackend()
    for schema in ("acme", "zulu", "public"):
        set_path(f"{schema}, public" if schema != "public" else '"$user", public')
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {schema}.{TABLE} RENAME COLUMN remarks TO former")
        backend.send(acts(f"of {schema}"))
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {schema}.{TABLE} RENAME COLUMN former TO remarks")
    set_path('"$user", public')
    assert backend.flush() == 3
    assert {name: rows_of(name) for name in ("acme", "zulu", "public")} == {
        "acme": ["of acme"],
        "zulu": ["of zulu"],
        "public": ["of public"],
    }
    assert query("SHOW search_path") == ('"$user", public',)


@pytest.mark.only_on("postgresql")
def test_a_flush_stores_by_its_own_path_and_leaves_that_of_the_project(tenants):
    get_spool().append(acts("of public"))
    get_spool("zulu, public").append(acts("of zulu"))
    set_path("acme, public")
    assert DatabaseBackend().flush() == 2
    assert (rows_of("public"), rows_of("zulu")) == (["of public"], ["of zulu"])
    assert rows_of("acme") == []
    assert query("SHOW search_path") == ("acme, public",)


@pytest.mark.only_on("postgresql")
def test_a_connection_that_is_made_anew_stores_in_the_same_schema(tenants, disconnected, bad):
    """Django closes one that is old, or that was lost, after an error."""
    get_spool("acme, public").append([bad, *acts("of acme")])
    assert DatabaseBackend().flush() == 1
    assert (rows_of("acme"), rows_of("public")) == (["of acme"], [])


@pytest.mark.only_on("postgresql")
def test_asking_for_the_schema_begins_no_transaction(without_autocommit):
    Order.objects.exists()
    connection.commit()
    DatabaseBackend().send(acts("a"))
    assert connection.connection.info.transaction_status == schemas.IDLE
    assert counts["spooled"] == 1


@pytest.mark.only_on("postgresql")
def test_asking_for_the_schema_costs_the_project_no_transaction(table, monkeypatch):
    monkeypatch.setattr(schemas, "QUERY_SECONDS", 0.0)
    table.take_away()
    with transaction.atomic():
        Order.objects.create(number="mine")
        DatabaseBackend().send(acts("a"))
    assert Order.objects.exists()
    assert counts["spooled"] == 1


@pytest.mark.only_on("postgresql")
def test_a_tenant_that_is_gone_leaves_its_rows_to_nobody(tenants):
    get_spool("acme, public").append(acts("of acme"))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE acme.{TABLE}")
    with pytest.raises(NotStoredError, match="schemas"):
        DatabaseBackend().flush()
    assert rows_of("public") == rows_of("zulu") == []
    assert not get_spool("acme, public").is_empty()


@pytest.mark.only_on("postgresql")
def test_what_is_of_an_unknown_schema_waits_where_there_are_several(tenants):
    get_spool(schemas.UNKNOWN).append(acts("of somebody"))
    with pytest.raises(NotStoredError, match="3 schemas have a table"):
        DatabaseBackend().flush()
    assert not get_spool(schemas.UNKNOWN).is_empty()


@pytest.mark.only_on("postgresql")
def test_what_is_of_an_unknown_schema_is_stored_where_there_is_one():
    get_spool(schemas.UNKNOWN).append(acts("a"))
    assert DatabaseBackend().flush() == 1


def test_a_person_says_which_schema_was_meant(capsys):
    get_spool(schemas.UNKNOWN).append(acts("a"))
    call_command("trackmate_flush", schema="")
    assert "1 activities stored." in capsys.readouterr().out
    assert rows() == ["a"]
