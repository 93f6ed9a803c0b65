"""Storing what waited in the spool: each activity once, whatever is wrong with another one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.db import connections

from trackmate.activity import Activity
from trackmate.backends.inserts import can_insert, insert_missing
from trackmate.backends.schemas import in_schema
from trackmate.conf import get_settings
from trackmate.deadlines import limited
from trackmate.reporting import place_of, report
from trackmate.spool import Rejected, Spool

ROWS_AT_ONCE = 100
"""Rows of one transaction: some 20 ms, for which a request waits at the most."""


@dataclass(slots=True)
class Outcome:
    """What became of activities that waited."""

    stored: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    """Those that can never be stored: the reason and the line of each."""
    waiting: list[Activity] = field(default_factory=list)
    """Those that nothing is wrong with, but that cannot be stored now."""
    error: Exception | None = None
    """Why they cannot."""


def replay(spool: Spool, schema: str, seconds: float) -> Iterator[Outcome]:
    """Store what waits in a spool, and yield what became of each batch.

    Nothing takes longer than `seconds`. Raise SpoolError if the spool fails, and what the database
    raises if it cannot be asked.
    """
    alias = get_settings().DATABASE
    for segment in spool.replay():
        with limited(alias, seconds), in_schema(connections[alias], schema):
            pass  # or nothing of it can be stored
        done, broken = Outcome(), [("it is no activity", line) for line in segment.broken]
        for start in range(0, len(segment.activities), ROWS_AT_ONCE):
            outcome = Outcome()
            batch = segment.activities[start : start + ROWS_AT_ONCE]
            with limited(alias, seconds), in_schema(connections[alias], schema):
                store(batch, alias, outcome)
            done.waiting += outcome.waiting
            done.rejected += outcome.rejected
            yield outcome
            if outcome.waiting == list(batch):
                # It is not about these: a table, a column or the server is missing.
                done.waiting += segment.activities[start + len(batch) :]
                break
        set_aside([*broken, *done.rejected], spool)
        if len(done.waiting) < len(segment.activities) or not segment.activities:
            segment.acknowledge(done.waiting)


def retry(spool: Spool, schema: str, rejected: Sequence[Rejected], seconds: float) -> Outcome:
    """Store what was set aside before; set aside again what still cannot be stored."""
    alias = get_settings().DATABASE
    outcome = Outcome()
    outcome.rejected += [(each.reason, each.line) for each in rejected if each.activity is None]
    activities = [each.activity for each in rejected if each.activity is not None]
    try:
        with limited(alias, seconds), in_schema(connections[alias], schema):
            store(activities, alias, outcome)
    finally:
        left = {each.id for each in outcome.waiting}
        waiting = [each for each in activities if each.id in left]
        set_aside(outcome.rejected, spool)
        if waiting:
            spool.append(waiting)
    return outcome


def set_aside(rejected: Sequence[tuple[str, str]], spool: Spool) -> None:
    """Keep lines that can never be stored for a person to look at."""
    if rejected:
        spool.reject(rejected)
        report("rejected", f"set aside in {spool.directory}", count=len(rejected))


def store(activities: Sequence[Activity], alias: str, outcome: Outcome) -> None:
    """Store activities; halve a batch that fails until what is bad is alone."""
    if not activities:
        return
    try:
        outcome.stored += insert_missing(activities, alias)
    except Exception as error:  # noqa: BLE001 (whatever a driver or an adapter raises)
        connections[alias].close_if_unusable_or_obsolete()
        if not can_insert(alias, activities[0].action_time):
            _wait(activities, alias, outcome, error)
        elif len(activities) == 1:
            _judge(activities[0], alias, outcome)
        else:
            middle = len(activities) // 2
            store(activities[:middle], alias, outcome)
            store(activities[middle:], alias, outcome)


def _judge(activity: Activity, alias: str, outcome: Outcome) -> None:
    """Try once more, since a lock or a lost connection may have been the cause, and reject."""
    try:
        outcome.stored += insert_missing([activity], alias)
    except Exception as error:  # noqa: BLE001 (whatever a driver or an adapter raises)
        if can_insert(alias, activity.action_time):
            outcome.rejected.append((place_of(error), as_line(activity)))
        else:
            outcome.waiting.append(activity)
            outcome.error = error


def _wait(activities: Sequence[Activity], alias: str, outcome: Outcome, error: Exception) -> None:
    """Let those wait for whose day there is no place, in a table or a partition, and go on."""
    outcome.error = error
    day = activities[0].action_time.date()
    outcome.waiting += [each for each in activities if each.action_time.date() == day]
    store([each for each in activities if each.action_time.date() != day], alias, outcome)


def as_line(activity: Activity) -> str:
    """Return an activity as a line of the spool."""
    return json.dumps(activity.to_dict(), default=str)
