"""Storing what waited in the spool: each activity once, whatever is wrong with another one."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field

from django.db import connections

from trackmate.activity import Activity
from trackmate.backends.inserts import NoContentTypesError, can_insert, insert_missing
from trackmate.backends.schemas import in_schema
from trackmate.conf import get_settings
from trackmate.db.time_limits import limit_time
from trackmate.diagnostics import report, summarize_error
from trackmate.spool import Segment, Spool

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


def replay(spool: Spool, schema: str, seconds: float) -> Generator[Outcome, None, None]:
    """Store what waits in a spool, and yield what became of each batch.

    Nothing takes longer than `seconds`. Raise SpoolError if the spool fails, and what the database
    raises if it cannot be asked.
    """
    alias = get_settings().DATABASE
    for segment in spool.replay():
        with limit_time(alias, seconds), in_schema(connections[alias], schema):
            pass  # or nothing of it can be stored
        yield from _replay(segment, spool, schema, seconds)


def _replay(segment: Segment, spool: Spool, schema: str, seconds: float) -> Iterator[Outcome]:
    alias, activities, tried = get_settings().DATABASE, segment.activities, 0
    rejected = [("it is no activity", line) for line in segment.broken]
    waiting: list[Activity] = []
    try:
        while tried < len(activities):
            outcome = Outcome()
            batch = activities[tried : tried + ROWS_AT_ONCE]
            with limit_time(alias, seconds), in_schema(connections[alias], schema):
                store(batch, alias, outcome)
            tried += len(batch)
            waiting += outcome.waiting
            rejected += outcome.rejected
            yield outcome
            if len(outcome.waiting) == len(batch):
                # It is not about these: a table, a column or the server is missing.
                break
    finally:
        # Also if its time is up: the next one goes on from there.
        waiting += activities[tried:]
        set_aside(rejected, spool)
        if segment.broken or not activities or len(waiting) < len(activities):
            segment.acknowledge(waiting)


def retry(spool: Spool, schema: str, seconds: float) -> Generator[Outcome, None, None]:
    """Store what was set aside before, and yield what became of it.

    What still cannot be stored is set aside again, or waits. Raise the same errors as `replay()`.
    """
    alias, outcome = get_settings().DATABASE, Outcome()
    with spool.retaking_rejected() as rejected:
        outcome.rejected += [(each.reason, each.line) for each in rejected if each.activity is None]
        activities = [each.activity for each in rejected if each.activity is not None]
        if activities:
            with limit_time(alias, seconds), in_schema(connections[alias], schema):
                store(activities, alias, outcome)
        if outcome.waiting:
            spool.append(outcome.waiting)
        set_aside(outcome.rejected, spool)
    yield outcome


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
    except NoContentTypesError as error:
        _keep_waiting(activities, alias, outcome, error, lambda each: each.target is not None)
    except Exception as error:  # noqa: BLE001 (whatever a driver or an adapter raises)
        connections[alias].close_if_unusable_or_obsolete()
        if not can_insert(alias, activities[0].action_time):
            day = activities[0].action_time.date()
            _keep_waiting(
                activities, alias, outcome, error, lambda each: each.action_time.date() == day
            )
        elif len(activities) == 1:
            _retry_alone(activities[0], alias, outcome)
        else:
            middle = len(activities) // 2
            store(activities[:middle], alias, outcome)
            store(activities[middle:], alias, outcome)


def _retry_alone(activity: Activity, alias: str, outcome: Outcome) -> None:
    """Try once more, since a lock or a lost connection may have been the cause, and reject."""
    try:
        outcome.stored += insert_missing([activity], alias)
    except Exception as error:  # noqa: BLE001 (whatever a driver or an adapter raises)
        if can_insert(alias, activity.action_time):
            outcome.rejected.append((summarize_error(error), to_line(activity)))
        else:
            outcome.waiting.append(activity)
            outcome.error = error


def _keep_waiting(
    activities: Sequence[Activity],
    alias: str,
    outcome: Outcome,
    error: Exception,
    has_no_place: Callable[[Activity], bool],
) -> None:
    """Let those wait for which there is no place now, in a table or a partition, and go on."""
    outcome.error = error
    outcome.waiting += filter(has_no_place, activities)
    store([each for each in activities if not has_no_place(each)], alias, outcome)


def to_line(activity: Activity) -> str:
    """Return an activity as a line of the spool."""
    return json.dumps(activity.to_dict(), default=str)
