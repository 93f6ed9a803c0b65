"""Saying what went wrong: counted always, logged once a minute."""

import logging
import os
import signal
import sys
from threading import Event, Thread

import pytest

from trackmate import diagnostics
from trackmate.diagnostics import counts, describe_exception, report, summarize_error


class MuteError(Exception):
    def __str__(self):
        raise ValueError("no text")


def caught(error):
    """Return an error as it is after it was raised."""
    try:
        raise error
    except type(error):
        return sys.exception()


def test_everything_is_counted_and_one_line_is_logged(caplog):
    for _ in range(100):
        report("spooled", "the database refused them")
    assert counts["spooled"] == 100
    assert [record.message for record in caplog.records] == ["1 spooled: the database refused them"]


def test_each_kind_of_trouble_has_a_line_of_its_own(caplog):
    report("spooled", "no database")
    report("dropped", "no disk", count=3)
    assert [record.message for record in caplog.records] == [
        "1 spooled: no database",
        "3 dropped: no disk",
    ]


def test_the_next_line_says_how_many_there_were_since(caplog, monkeypatch):
    report("spooled", "first")
    report("spooled", "second", count=5)
    monkeypatch.setattr(diagnostics, "monotonic", lambda: sys.float_info.max)
    report("spooled", "third")
    assert [record.message for record in caplog.records] == ["1 spooled: first", "6 spooled: third"]


def test_lines_are_errors_of_the_one_logger(caplog):
    report("failed", "somewhere")
    report("odd", "elsewhere", level=logging.WARNING)
    assert {record.name for record in caplog.records} == {"trackmate"}
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


def test_a_process_can_start_anew(caplog):
    report("failed", "first")
    diagnostics.reset()
    report("failed", "second")
    assert counts["failed"] == 1
    assert len(caplog.records) == 2


def test_an_error_is_named_by_type_and_place_and_not_by_its_text():
    place = summarize_error(caught(ValueError("hunter2")))
    assert place.startswith("ValueError at ")
    assert __file__ in place
    assert "hunter2" not in place


def test_an_error_that_was_never_raised_has_no_place():
    assert summarize_error(ValueError("x")) == "ValueError"
    assert describe_exception(ValueError("x")) == {
        "type": "ValueError",
        "message": "x",
        "place": "",
    }


@pytest.mark.parametrize(
    ("error", "message"),
    [(KeyError("number"), "'number'"), (MuteError(), ""), (OSError(28, "full"), None)],
)
def test_an_error_is_described_for_a_row(error, message):
    described = describe_exception(caught(error))
    assert described["type"] == type(error).__qualname__
    assert described["message"] == (str(error) if message is None else message)
    assert described["place"].startswith(__file__)


# --- whatever interrupts a report ----------------------------------------------------------------


def test_a_report_may_be_made_in_the_middle_of_another_one(monkeypatch):
    """A signal handler makes it, or the garbage collector."""
    nested = ["inner"]

    def interrupted():
        while nested:
            report("dropped", nested.pop())
        return 0.0

    monkeypatch.setattr(diagnostics, "monotonic", interrupted)
    thread = Thread(target=report, args=("dropped", "outer"), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert counts["dropped"] == 2


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_process_may_be_forked_in_the_middle_of_a_report():
    entered, leave = Event(), Event()

    def stay():
        with diagnostics._lock:
            entered.set()
            leave.wait()

    thread = Thread(target=stay)
    thread.start()
    entered.wait()
    if not (child := os.fork()):
        signal.alarm(10)
        report("dropped", "in the child")
        os._exit(0)
    leave.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
