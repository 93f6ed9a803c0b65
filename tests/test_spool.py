"""The spool: what waits in segment files, and that none of it is lost or given out twice."""

import fcntl
import json
import os
import resource
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from trackmate.activity import Activity
from trackmate.backends.flusher import has_waiting_activities
from trackmate.exceptions import SpoolError, SpoolFullError
from trackmate.spool import locations, segments
from trackmate.spool.locations import default_directory, get_spool, get_spools
from trackmate.spool.segments import OPEN, SEALED, Limits, Spool

ROOT = Path(__file__).parent.parent
PG = "django.db.backends.postgresql"

APPEND_MANY = """
import sys
from pathlib import Path
from trackmate.activity import Activity
from trackmate.spool.segments import Spool

spool = Spool(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    spool.append([Activity.now(action=f"{sys.argv[2]}.{number}")])
"""

DIE_WHILE_REPLAYING = """
import os, signal, sys
from pathlib import Path
from trackmate.spool.segments import Spool

for segment in Spool(Path(sys.argv[1])).replay():
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool")


@pytest.fixture
def small_segments(monkeypatch):
    """Seal a segment after its first line."""
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 1)


def acts(*actions):
    return [Activity.now(action=action) for action in actions]


def drained(spool):
    """Return the actions of all that waits, and acknowledge it."""
    actions = []
    for segment in spool.replay():
        actions += [activity.action for activity in segment.activities]
        segment.acknowledge()
    return actions


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# --- in and out ------------------------------------------------------------------------------


def test_what_goes_in_comes_out_whole_and_in_order(spool):
    first, second, third = acts("a", "b", "c")
    spool.append([first, second])
    spool.append([third])
    (segment,) = spool.replay()
    assert list(segment.activities) == [first, second, third]
    assert segment.broken == []


def test_what_is_acknowledged_does_not_come_again(spool):
    spool.append(acts("a"))
    assert drained(spool) == ["a"]
    assert drained(spool) == []


def test_what_is_not_acknowledged_comes_again(spool):
    spool.append(acts("a"))
    for _segment in spool.replay():
        pass
    assert drained(spool) == ["a"]


def test_a_segment_can_be_acknowledged_twice(spool):
    spool.append(acts("a"))
    (segment,) = spool.replay()
    segment.acknowledge()
    segment.acknowledge()
    assert spool.is_empty()


def test_nothing_waits_where_there_is_no_directory(spool):
    assert spool.is_empty()
    assert drained(spool) == []
    assert not spool.directory.exists()


def test_something_waits_until_it_is_acknowledged(spool):
    spool.append(acts("a"))
    assert not spool.is_empty()
    (segment,) = spool.replay()
    assert not spool.is_empty()
    segment.acknowledge()
    assert spool.is_empty()


def test_what_was_set_aside_does_not_wait(spool):
    spool.append(acts("a"))
    drained(spool)
    spool.reject([("it is no activity", "nonsense")])
    assert spool.is_empty()
    [rejected] = spool.rejected()
    assert (rejected.reason, rejected.line, rejected.activity) == (
        "it is no activity",
        "nonsense",
        None,
    )


def test_what_is_added_during_a_replay_comes_with_the_next_one(spool):
    spool.append(acts("a"))
    for segment in spool.replay():
        spool.append(acts("b"))
        segment.acknowledge()
    assert drained(spool) == ["b"]


def test_the_oldest_segment_comes_first(spool, small_segments):
    for action in "abcde":
        spool.append(acts(action))
    assert drained(spool) == list("abcde")


def test_a_large_segment_is_sealed(spool, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 1000)
    for number in range(30):
        spool.append(acts(f"order.{number}"))
    sealed = list(spool.directory.glob(f"*{SEALED}"))
    assert len(sealed) > 1
    assert all(1000 < path.stat().st_size < 1300 for path in sealed)
    assert drained(spool) == [f"order.{number}" for number in range(30)]


def test_values_that_are_no_json_are_written_as_text(spool):
    spool.append([Activity.now(data={"path": Path("a")})])
    (segment,) = spool.replay()
    assert segment.activities[0].data == {"path": "a"}


# --- who may read it -------------------------------------------------------------------------


def test_nobody_else_can_read_it(spool, small_segments):
    spool.append(acts("a"))
    spool.reject([("why", "x")])
    assert mode(spool.directory) == 0o700
    assert {mode(path) for path in spool.directory.iterdir()} == {0o600}


def test_a_link_in_the_place_of_a_segment_is_not_followed(spool, tmp_path):
    spool.prepare()
    victim = tmp_path / "victim"
    victim.touch()
    (spool.directory / OPEN).symlink_to(victim)
    with pytest.raises(SpoolError):
        spool.append(acts("a"))
    assert victim.read_text() == ""


@pytest.fixture
def temporary_directory(tmp_path, monkeypatch):
    """A temporary directory of the system's, which everyone can write to."""
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    return shared


def test_the_default_directory_is_one_of_this_user(configure, temporary_directory):
    configure(SPOOL_DIR=None)
    assert get_spool().directory.parent == default_directory()
    assert default_directory() == temporary_directory / f"trackmate-{os.getuid()}"


def test_a_directory_of_choice_may_be_a_path_or_a_text(configure, temporary_directory, tmp_path):
    configure(SPOOL_DIR=str(tmp_path))
    assert get_spool().directory.parent == tmp_path


def test_each_database_has_a_spool_of_its_own(configure):
    configure(DATABASE="default")
    here = get_spool().directory
    configure(DATABASE="apart")
    assert get_spool().directory != here


def test_the_default_directory_is_made_and_used(temporary_directory):
    spool = Spool(default_directory())
    spool.append(acts("a"))
    assert mode(spool.directory) == 0o700
    assert drained(spool) == ["a"]


def test_a_default_directory_that_is_open_to_others_is_refused(temporary_directory, configure):
    configure(SPOOL_DIR=None)
    default_directory().mkdir()
    default_directory().chmod(0o755)
    with pytest.raises(SpoolError, match="accessible to others"):
        get_spool().append(acts("a"))
    assert list(default_directory().iterdir()) == []


def test_a_default_directory_that_is_a_link_is_refused(temporary_directory, tmp_path, configure):
    configure(SPOOL_DIR=None)
    (tmp_path / "theirs").mkdir(mode=0o700)
    default_directory().symlink_to(tmp_path / "theirs")
    spool = get_spool()
    assert "another user" in spool.problem()
    with pytest.raises(SpoolError, match="another user"):
        spool.append(acts("a"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_default_directory_of_somebody_else_is_refused(temporary_directory, configure):
    configure(SPOOL_DIR=None)
    default_directory().mkdir(mode=0o700)
    os.chown(default_directory(), 65534, 65534)
    with pytest.raises(SpoolError, match="another user"):
        get_spool().append(acts("a"))


def test_a_directory_of_choice_may_be_shared(tmp_path):
    tmp_path.chmod(0o770)
    Spool(tmp_path).append(acts("a"))
    assert drained(Spool(tmp_path)) == ["a"]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({"NAME": "a.sqlite3"}, {"NAME": str(Path("a.sqlite3").absolute())}, True),
        ({"NAME": "a.sqlite3"}, {"NAME": "/a.sqlite3"}, False),
        ({"ENGINE": PG, "NAME": "a"}, {"ENGINE": PG, "NAME": "a", "PORT": 5433}, False),
        ({"ENGINE": PG, "NAME": "a", "USER": "x"}, {"ENGINE": PG, "NAME": "a"}, True),
        (
            {"ENGINE": PG, "NAME": "a", "OPTIONS": {"options": "-c search_path=b"}},
            {"ENGINE": PG, "NAME": "a"},
            False,
        ),
    ],
)
def test_what_makes_two_databases_the_same(one, other, is_same):
    one, other = ({"ENGINE": "django.db.backends.sqlite3", **each} for each in (one, other))
    assert (locations.database_id(one) == locations.database_id(other)) is is_same


@pytest.mark.parametrize("schema", ["acme", '"$user", public', "../x", "ä/b", "?", "a.b"])
def test_each_schema_has_a_directory_of_its_own(schema):
    get_spool().append(acts("default"))
    get_spool(schema).append(acts("theirs"))
    assert {name: drained(spool) for name, spool in get_spools()} == {
        "": ["default"],
        schema: ["theirs"],
    }
    assert get_spool(schema).directory.parent == get_spool().directory


# --- bounds ----------------------------------------------------------------------------------


def test_a_spool_that_is_full_takes_nothing_more(tmp_path):
    spool = Spool(tmp_path, Limits(max_bytes=500))
    spool.append(acts("a"))
    segments._sizes.clear()
    with pytest.raises(SpoolFullError, match="500 bytes"):
        spool.append([Activity.now(action="b", remarks="x" * 400)])
    assert drained(spool) == ["a"]


def test_a_disk_that_is_nearly_full_is_left_alone(tmp_path):
    with pytest.raises(SpoolFullError, match="nearly full"):
        Spool(tmp_path, Limits(min_free_bytes=2**62)).append(acts("a"))


def test_the_size_is_measured_once_a_second(tmp_path, monkeypatch):
    spool = Spool(tmp_path)
    spool.append(acts("a"))
    measured = spool.size()
    spool.append(acts("b"))
    assert spool.size() == measured
    monkeypatch.setattr(segments, "MEASURE_SECONDS", 0)
    assert spool.size() > measured


# --- when it fails ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda spool: spool.append(acts("a")),
        lambda spool: spool.reject([("why", "x")]),
        lambda spool: spool.is_empty(),
    ],
    ids=["append", "reject", "is_empty"],
)
def test_a_directory_that_is_a_file_is_an_error_of_ours(tmp_path, use):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(SpoolError, match="the spool failed"):
        use(Spool(path))


def test_nothing_can_be_set_aside_where_there_is_no_directory(spool):
    with pytest.raises(SpoolError, match="No such file"):
        spool.reject([("why", "x")])


def test_a_usable_directory_has_no_problem(spool):
    assert spool.problem() is None
    assert not spool.directory.exists()
    spool.prepare()
    assert spool.problem() is None


def test_the_problem_of_an_unusable_directory_is_named(tmp_path):
    path = tmp_path / "file"
    path.touch()
    assert Spool(path / "spool").problem() == f"{path} is not a directory"


def test_a_lock_that_somebody_keeps_is_not_waited_for(spool):
    spool.append(acts("a"))
    with (spool.directory / OPEN).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        spool.append(acts("b"))
        assert len(list(spool.directory.glob(f"*{SEALED}"))) == 1
        assert drained(spool) == ["b"]
    assert drained(spool) == ["a"]


@pytest.fixture
def as_nobody():
    """Run the rest of the test as a user who may do little."""
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")

    def become():
        os.seteuid(65534)

    yield become
    os.seteuid(0)


def test_what_belongs_to_another_user_keeps_nobody_waiting(spool, as_nobody, caplog, tmp_path):
    spool.append(acts("of root"))
    list(spool.replay())  # sealed, and not acknowledged
    spool.append(acts("of root, too"))
    spool.directory.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.owner() == "root" and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    tmp_path.chmod(0o755)
    as_nobody()
    spool.append(acts("mine"))
    spool.append(acts("mine, too"))
    assert drained(spool) == ["mine", "mine, too"]
    assert drained(spool) == []
    spool.reject([("why", "x")])
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "belongs to another user" in messages[0]
    assert "cannot be read (Permission denied)" in messages[1]


@pytest.fixture
def forbid(as_nobody, configure, tmp_path):
    """Become a user who may do everything with the spools but use one path."""
    configure(SPOOL_DIR=tmp_path / "spool")

    def become(path):
        for folder in tmp_path.parents:
            if folder.owner() == "root" and str(folder).startswith("/tmp/"):
                folder.chmod(0o755)
        for each in (tmp_path, *tmp_path.rglob("*")):
            each.chmod(0o777)
        path.chmod(0)
        as_nobody()

    return become


def test_a_lock_of_another_user_keeps_nobody_from_draining(forbid, caplog):
    with get_spool().draining():
        pass
    forbid(get_spool().directory / segments.DRAINING)
    for _ in range(2):
        with get_spool().draining() as may_drain:
            assert may_drain
    assert len(caplog.records) == 1


def test_a_directory_of_another_user_hides_no_other(forbid, caplog):
    for schema in ("first", "second"):
        get_spool(schema).append(acts(schema))
    forbid(get_spool("first").directory)
    for _ in range(2):
        assert has_waiting_activities()
    assert len(caplog.records) == 1
    with pytest.raises(SpoolError):
        list(get_spool("first").replay())
    assert drained(get_spool("second")) == ["second"]


def test_a_forked_process_keeps_no_lock(spool):
    spool.append(acts("a"))
    with spool.draining(), closing(spool.replay()) as replayed:
        next(replayed)
        reader, writer = os.pipe()
        if not (child := os.fork()):
            os.read(reader, 1)
            os._exit(0)
    try:
        with spool.draining() as may_drain:
            assert may_drain
        assert drained(spool) == ["a"]
    finally:
        os.write(writer, b"!")
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)


def test_what_was_set_aside_can_be_taken_back(spool):
    activity = Activity.now(action="a")
    spool.prepare()
    spool.reject([("first", json.dumps(activity.to_dict()))])
    spool.reject([("second", "nonsense")])
    assert [each.reason for each in spool.rejected()] == ["first", "second"]
    with pytest.raises(ZeroDivisionError), spool.retaking_rejected():
        raise ZeroDivisionError
    with spool.retaking_rejected() as taken:
        assert [each.activity for each in taken] == [activity, None]
    assert list(spool.rejected()) == []


def test_what_still_waits_of_a_segment_stays_in_it(spool):
    spool.append(acts("a", "b", "c"))
    (segment,) = spool.replay()
    segment.acknowledge(waiting=segment.activities[1:])
    assert drained(spool) == ["b", "c"]


def test_one_process_at_a_time_may_drain(spool):
    with spool.draining() as first, spool.draining() as second:
        assert (first, second) == (True, False)
    with spool.draining() as again:
        assert again


def test_lines_of_another_version_are_read(spool):
    (activity,) = acts("a")
    spool.append([activity])
    line = json.loads((spool.directory / OPEN).read_text())
    (spool.directory / OPEN).write_text(json.dumps({**line, "added_in_2_0": 1}) + "\n")
    (segment,) = spool.replay()
    assert list(segment.activities) == [activity]


@pytest.fixture
def full_disk():
    """Let no file of this process grow beyond 20,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_on_a_full_disk_all_is_kept_or_nothing(spool, full_disk):
    spool.append(acts("fits"))
    with pytest.raises(SpoolError):
        spool.append([*acts("first"), Activity.now(action="large", remarks="x" * 30_000)])
    spool.append(acts("fits too"))
    assert drained(spool) == ["fits", "fits too"]


def test_a_full_disk_leaves_no_half_of_what_still_waits(spool, request):
    spool.append([Activity.now(action="large", remarks="x" * 30_000)])
    (segment,) = spool.replay()
    request.getfixturevalue("full_disk")
    with pytest.raises(SpoolError):
        segment.acknowledge(waiting=segment.activities)
    assert list(spool.directory.iterdir()) == [segment.path]
    assert drained(spool) == ["large"]


def test_a_line_that_was_cut_off_costs_only_itself(spool):
    spool.append(acts("before"))
    with (spool.directory / OPEN).open("a") as segment:
        segment.write('{"id": "0190')
    spool.append(acts("after"))
    (segment,) = spool.replay()
    assert [activity.action for activity in segment.activities] == ["before", "after"]
    assert segment.broken == ['{"id": "0190']


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"[1, 2]",
        b"null",
        b'"text"',
        b"{}",
        b'{"id": 7, "action_time": "2026-03-01T12:00:00+00:00"}',
        b'{"id": "12345678123456781234567812345678", "action_time": "noon"}',
        b'{"id": "12345678123456781234567812345678"}',
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_activity_is_told_apart(spool, line):
    spool.append(acts("a"))
    with (spool.directory / OPEN).open("ab") as segment:
        segment.write(line + b"\n")
    (segment,) = spool.replay()
    assert [activity.action for activity in segment.activities] == ["a"]
    assert segment.broken == [line.decode(errors="replace")]


# --- several processes -----------------------------------------------------------------------


def test_a_segment_is_replayed_by_one_at_a_time(spool):
    spool.append(acts("a"))
    for segment in spool.replay():
        assert drained(spool) == []
        segment.acknowledge()


def test_a_segment_that_another_one_took_meanwhile_is_passed_over(spool, small_segments):
    spool.append(acts("a"))
    spool.append(acts("b"))
    mine = spool.replay()
    assert next(mine).activities[0].action == "a"
    assert drained(spool) == ["b"]
    assert list(mine) == []


@pytest.fixture
def meanwhile(monkeypatch):
    """Let another process do something just before the next lock is given."""
    real, actions = fcntl.flock, []

    def flock(descriptor, operation):
        while actions:
            actions.pop()()
        return real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    return actions.append


def test_what_waited_for_a_segment_that_was_sealed_goes_to_the_next_one(spool, meanwhile):
    spool.append(acts("a"))
    path = spool.directory / OPEN
    meanwhile(lambda: path.rename(spool.directory / f"0{SEALED}"))
    spool.append(acts("b"))
    assert path.read_text().count("\n") == 1
    assert drained(spool) == ["a", "b"]


def test_what_waited_for_a_segment_that_was_removed_is_not_lost(spool, meanwhile):
    spool.append(acts("a"))
    meanwhile((spool.directory / OPEN).unlink)
    spool.append(acts("b"))
    assert drained(spool) == ["b"]


def test_a_segment_that_goes_while_it_is_looked_at_is_passed_over(spool, meanwhile):
    spool.append(acts("a"))
    meanwhile((spool.directory / OPEN).unlink)
    assert drained(spool) == []


def test_many_threads_and_processes_lose_and_double_nothing(spool, small_segments):
    names, seen = ["web", "worker", "cron"], []
    children = [run(APPEND_MANY, spool.directory, name, "100") for name in names]
    thread = Thread(target=lambda: [spool.append(acts(f"thread.{n}")) for n in range(100)])
    thread.start()
    while thread.is_alive() or any(child.poll() is None for child in children):
        seen += drained(spool)
    thread.join()
    assert [child.returncode for child in children] == [0, 0, 0]
    seen += drained(spool)
    assert sorted(seen) == sorted(f"{name}.{n}" for name in [*names, "thread"] for n in range(100))


def test_a_process_that_is_killed_lets_go_of_its_segment(spool):
    spool.append(acts("a"))
    assert run(DIE_WHILE_REPLAYING, spool.directory).wait() == -9
    assert drained(spool) == ["a"]


def run(script, *arguments):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT)


def test_a_line_is_json_that_other_programs_can_read(spool):
    (activity,) = acts("zażółć")
    spool.append([activity])
    line = json.loads((spool.directory / OPEN).read_text(encoding="ascii"))
    assert line["action"] == "zażółć"
    assert line["id"] == activity.id.hex
