"""`manage.py trackmate_flush`, alone and at the same time as others of its kind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from trackmate.activity import Activity
from trackmate.backends.inserts import MAX_ROWS
from trackmate.models import ActivityLog
from trackmate.spool import segments
from trackmate.spool.locations import database_id, get_spool
from trackmate.spool.segments import OPEN, Spool

pytestmark = pytest.mark.database

transactional = pytest.mark.django_db(transaction=True)

TABLE = ActivityLog._meta.db_table
ROOT = Path(__file__).parent.parent
SETTINGS = """
from tests.settings import *

TRACKMATE = {{"SPOOL_DIR": {spool!r}}}
DATABASES["default"] = {database!r}
"""
KILLED_BEFORE_IT_ACKNOWLEDGES = """
import os, signal
import django
django.setup()
from django.core.management import call_command
from trackmate.spool.segments import Segment

Segment.acknowledge = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
call_command("trackmate_flush")
"""


def wait_for_the_flush(*actions):
    get_spool().append([Activity.now(action=action) for action in actions])


def flushed(capsys, **options):
    call_command("trackmate_flush", **options)
    return capsys.readouterr().out


@transactional
def test_it_stores_what_waits_and_says_how_many_that_were(capsys):
    wait_for_the_flush("a", "b")
    assert flushed(capsys) == "2 activities stored.\n"
    assert ActivityLog.objects.count() == 2
    assert flushed(capsys) == "0 activities stored.\n"


@transactional
def test_it_stops_when_its_time_is_up(capsys, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 1)
    for action in "abc":
        wait_for_the_flush(action)
    assert flushed(capsys, timeout=1e-9) == "1 activities stored.\n"
    assert flushed(capsys, timeout=60) == "2 activities stored.\n"


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_time_that_is_none_is_refused(timeout):
    with pytest.raises(CommandError, match=f"more than 0 seconds, not {timeout}"):
        call_command("trackmate_flush", timeout=timeout)


@pytest.mark.parametrize("text", ["soon", ""])
def test_a_time_that_is_no_number_is_refused(text):
    with pytest.raises(CommandError, match=f"invalid float value: '{text}'"):
        call_command("trackmate_flush", f"--timeout={text}")


@transactional
def test_a_table_that_is_away_is_an_error_and_nothing_is_lost(capsys):
    wait_for_the_flush("a")
    with connection.schema_editor() as editor:
        editor.alter_db_table(ActivityLog, TABLE, "elsewhere")
    try:
        with pytest.raises(CommandError, match=r"(?s)others still wait.*in the spool is kept\."):
            call_command("trackmate_flush")
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(ActivityLog, "elsewhere", TABLE)
    assert flushed(capsys) == "1 activities stored.\n"


@transactional
@pytest.mark.parametrize("within", ["", "schema=acme"])
def test_what_was_left_behind_for_another_database_is_named(capsys, spool_directory, within):
    Spool(spool_directory.parent / "default-0123456789ab" / within).append(
        [Activity.now(action="a")]
    )
    Spool(spool_directory.parent / "not-ours" / within).append([Activity.now(action="b")])
    wait_for_the_flush("c")
    call_command("trackmate_flush")
    said = capsys.readouterr()
    assert said.out == "1 activities stored.\n"
    assert said.err.count("What waits in") == said.err.count("default-0123456789ab") == 1


def test_a_spool_that_fails_is_an_error(configure, tmp_path):
    (tmp_path / "file").touch()
    configure(SPOOL_DIR=tmp_path / "file")
    with pytest.raises(CommandError, match="file"):
        call_command("trackmate_flush")


@transactional
def test_more_than_one_statement_can_take_is_stored_all_the_same(capsys):
    number = 3 * MAX_ROWS
    wait_for_the_flush(*map(str, range(number)))
    assert flushed(capsys) == f"{number} activities stored.\n"
    assert ActivityLog.objects.count() == number


# --- other processes -------------------------------------------------------------------------


@pytest.fixture
def host(tmp_path, spool_directory, transactional_db):
    """Start Python in a project with our spool and our database: `host("-c", "...")`."""
    settings = dict(connection.settings_dict)
    if connection.vendor == "sqlite":
        # What is in memory no other process sees.
        settings["NAME"] = str(tmp_path / "host.sqlite3")
        # Its spool goes by its database, and shall be ours.
        spool_directory.mkdir(parents=True)
        (spool_directory.parent / f"default-{database_id(settings)}").symlink_to(spool_directory)
    text = SETTINGS.format(spool=str(spool_directory.parent), database=settings)
    (tmp_path / "host_settings.py").write_text(text)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        "DJANGO_SETTINGS_MODULE": "host_settings",
    }

    def start(*arguments):
        command = [sys.executable, *arguments]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )

    if connection.vendor == "sqlite":
        assert said(start("-m", "django", "migrate", "-v0")) == ""
    return start


def said(process):
    """Return what a process writes until it ends."""
    return process.communicate()[0]


def count_rows(host):
    script = "import django; django.setup()\n"
    script += "from trackmate.models import ActivityLog; print(ActivityLog.objects.count())"
    return int(said(host("-c", script)))


def test_several_at_once_store_everything_once(host, monkeypatch, spool_directory):
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 5_000)
    for number in range(50):
        wait_for_the_flush(*(f"{number}.{each}" for each in range(10)))
    flushes = [host("-m", "django", "trackmate_flush") for _ in range(3)]
    stored = [int(said(flush).split()[0]) for flush in flushes]
    assert sum(stored) == 500
    assert count_rows(host) == 500
    assert get_spool().is_empty()


def test_one_that_is_killed_leaves_nothing_out_and_nothing_twice(host):
    wait_for_the_flush("a", "b", "c")
    killed = host("-c", KILLED_BEFORE_IT_ACKNOWLEDGES)
    assert (said(killed), killed.returncode) == ("", -9)
    assert count_rows(host) == 3
    assert not get_spool().is_empty()
    assert said(host("-m", "django", "trackmate_flush")) == "0 activities stored.\n"
    assert count_rows(host) == 3
    assert get_spool().is_empty()


def test_the_open_segment_of_a_running_process_is_taken_too(host):
    wait_for_the_flush("a")
    assert (get_spool().directory / OPEN).exists()
    assert said(host("-m", "django", "trackmate_flush")) == "1 activities stored.\n"
    wait_for_the_flush("b")
    assert said(host("-m", "django", "trackmate_flush")) == "1 activities stored.\n"
