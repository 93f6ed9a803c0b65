"""Recording the bulk operations of a queryset, which send no signals.

Old values are read in the transaction of the operation. Up to a number of objects each has an
activity of its own; more than that become one summary.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import nullcontext
from types import FrameType
from typing import Any

from django.db.models import Model, QuerySet
from django.db.models.deletion import Collector

from trackmate.capture.model_changes.bulk.creations import BulkCreate
from trackmate.capture.model_changes.bulk.operations import Bulk, Run
from trackmate.capture.model_changes.bulk.updates import BulkUpdate, Update
from trackmate.capture.model_changes.columns.plans import is_left_to_triggers, plan_for
from trackmate.capture.model_changes.recording import together
from trackmate.capture.model_changes.statements import recorded, statements_of
from trackmate.db.transactions import in_transaction
from trackmate.pipeline import is_recording

MAX_FRAMES = 5
"""Calls between a deletion and the update that is a part of it."""

_DELETE = Collector.delete.__code__


def record_bulk(
    queryset: QuerySet[Any], operation: str, run: Run, *args: Any, **kwargs: Any
) -> Any:
    """Run a bulk operation of a queryset and record what it does to objects of its model."""
    model: type[Model] = queryset.model
    plan = plan_for(model)
    using = _write_alias(queryset)
    is_recorded = statements_of(using).is_recorded or _is_part_of_deletion()
    if plan is None or is_recorded or not is_recording() or is_left_to_triggers(plan, using):
        return run(*args, **kwargs)
    if operation != "update":
        # It may be an iterator, which can be read only once.
        if not args and "objs" in kwargs:
            args = (kwargs.pop("objs"),)
        if args and isinstance(args[0], Iterator):
            args = (list(args[0]), *args[1:])
        if not args or not isinstance(args[0], Collection):
            return run(*args, **kwargs)
    bulk = OPERATIONS[operation](queryset, plan, using)
    with in_transaction(using):
        bulk.prepare(*args, **kwargs)
        # Otherwise it is noticed as one that nothing records.
        with recorded(using) if bulk.is_prepared else nullcontext():
            result = run(*args, **kwargs)
        with together(using):
            bulk.finish(result)
    return result


def _is_part_of_deletion() -> bool:
    """Return True if Django unsets foreign keys to what it deletes: that is recorded with it."""
    frame: FrameType | None = sys._getframe(1)
    for _step in range(MAX_FRAMES):
        if frame is None:
            return False
        if frame.f_code is _DELETE:
            return True
        frame = frame.f_back
    return False


def _write_alias(queryset: Any) -> str:
    queryset._for_write = True
    alias: str = queryset.db
    return alias


OPERATIONS: dict[str, type[Bulk]] = {
    "update": Update,
    "bulk_update": BulkUpdate,
    "bulk_create": BulkCreate,
}
