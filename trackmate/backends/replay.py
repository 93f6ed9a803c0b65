"""Storing the activities of the spool, each once, even if others are invalid."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field

from django.db import connections

from trackmate.activity import Activity
from trackmate.backends.inserts import NoContentTypesError, can_insert, insert_missing
from trackmate.backends.schemas import in_schema
from trackmate.conf import get_settings
from trackmate.db.time_limits import limit_time
from trackmate.diagnostics import report, summarize_error
from trackmate.spool.segments import Segment, Spool, to_line

ROWS_AT_ONCE = 100
"""Rows of one transaction: about 20 ms, during which requests may wait."""


@dataclass(slots=True)
class Outcome:
    """The result of storing spooled activities."""

    stored: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    """The rejected ones: the reason and the line of each."""
    waiting: list[Activity] = field(default_factory=list)
    """Valid ones that cannot be stored now."""
    error: Exception | None = None
    """Why they cannot be stored."""


def replay(spool: Spool, schema: str, seconds: float) -> Generator[Outcome, None, None]:
    """Store the activities of a spool, and yield the outcome of each batch.

    Each step takes at most `seconds`. Raise SpoolError if the spool fails, and the database's error
    if it does not work.
    """
    alias = get_settings().DATABASE
    for segment in spool.replay():
        with limit_time(alias, seconds), in_schema(connections[alias], schema):
            pass  # fail before the segment is read
        yield from _replay(segment, spool, schema, seconds)


def _replay(segment: Segment, spool: Spool, schema: str, seconds: float) -> Iterator[Outcome]:
    alias, activities, tried = get_settings().DATABASE, segment.activities, 0
    rejected = [("not an activity", line) for line in segment.broken]
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
                # Not the rows are the cause, but the table or the server.
                break
    finally:
        # Also after a timeout: the next replay continues from here.
        waiting += activities[tried:]
        set_aside(rejected, spool)
        if segment.broken or not activities or len(waiting) < len(activities):
            segment.acknowledge(waiting)


def retry(spool: Spool, schema: str, seconds: float) -> Generator[Outcome, None, None]:
    """Store the activities that were set aside, and yield the outcome.

    If they still cannot be stored, they are set aside again, or spooled. Raise the same errors as
    `replay()`.
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
    if rejected:
        spool.reject(rejected)
        report("rejected", f"set aside in {spool.directory}", count=len(rejected))


def store(activities: Sequence[Activity], alias: str, outcome: Outcome) -> None:
    """Store activities; split a failing batch until the invalid row is alone."""
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
    """Store a single activity, or reject it if that fails twice."""
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
    must_wait: Callable[[Activity], bool],
) -> None:
    """Keep the activities that `must_wait`, and store the others."""
    outcome.error = error
    outcome.waiting += filter(must_wait, activities)
    store([each for each in activities if not must_wait(each)], alias, outcome)
