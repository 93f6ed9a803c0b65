"""The values of an object before it is saved: remembered, or read just before its UPDATE."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import InitVar, dataclass, field
from types import FrameType
from typing import Any
from weakref import ref

from django.db.models import Model

from trackmate.capture.model_changes.columns.plans import (
    Part,
    Plan,
    RecordedColumn,
    is_left_to_triggers,
    plan_for,
)
from trackmate.capture.model_changes.columns.rows import (
    IMMUTABLE,
    UNKNOWN,
    PartialRow,
    remembered_row,
    stored_rows,
)
from trackmate.capture.model_changes.statements import statements_of
from trackmate.pipeline import is_recording, never_raise

_SAVE_BASE = Model.save_base.__code__


@never_raise
def before_save(
    *, instance: Model, using: str, update_fields: Collection[str] | None, **_kwargs: Any
) -> None:
    """Find the old values that nothing remembers; they are read if Django sends an UPDATE."""
    plan = plan_for(type(instance))
    if plan is None or not is_recording() or is_left_to_triggers(plan, using):
        return
    watch = statements_of(using)
    if watch.saves:
        _forget_failed(watch.saves, instance)
    row = row_of(instance, plan)
    unknown = _unknown_columns(plan, row, update_fields)
    if unknown and instance.pk is not None:
        watch.add_save(UnknownValues(instance, plan, using, unknown, row))


def _forget_failed(saves: deque[Any], instance: Model) -> None:
    """Remove what a save of an instance that has failed left behind: it may be out of date."""
    left = [each for each in saves if each.instance_ref() is instance]
    if left and not _is_saved_within_save(instance):
        for each in left:
            saves.remove(each)


def _is_saved_within_save(instance: Model) -> bool:
    frame: FrameType | None = sys._getframe(1)
    saves = 0
    while frame is not None and saves <= 1:
        saves += frame.f_code is _SAVE_BASE and frame.f_locals["self"] is instance
        frame = frame.f_back
    return saves > 1


@dataclass(eq=False)
class UnknownValues:
    """The old values of a save that are read just before its UPDATE."""

    instance: InitVar[Model]
    plan: Plan
    using: str
    columns: Sequence[RecordedColumn]
    row: Sequence[Any] | None
    instance_ref: ref[Model] = field(init=False)
    """Not the instance itself: one that could not be saved would be kept."""
    is_read: bool = field(default=False, init=False)
    parents: list[Part] = field(default_factory=list, init=False)
    """The parents that exist already, though the object does not."""

    def __post_init__(self, instance: Model) -> None:
        self.instance_ref = ref(instance)

    def read_before(self, instance: Model, verb: str, table: str) -> None:
        """Read them, once, before the first UPDATE of the object's tables."""
        if self.is_read or verb != "UPDATE" or table not in self.plan.tables:
            return
        self.is_read = True
        stored = read_columns(instance, self.plan.model, self.using, self.columns)
        if stored is not None:
            self._keep(self.columns, stored)
            return
        for part in self.plan.parts:
            model = part.registration.model
            if model is not self.plan.model and part.columns:
                found = read_columns(instance, model, self.using, part.columns)
                if found is not None:
                    self.parents.append(part)
                    self._keep(part.columns, found)

    def _keep(self, columns: Sequence[RecordedColumn], values: Sequence[Any]) -> None:
        row = list(self.row or [UNKNOWN] * self.plan.width)
        for column, value in zip(columns, values, strict=True):
            row[column.index] = value
        self.row = row


def row_of(instance: Model, plan: Plan) -> Sequence[Any] | None:
    """Return the remembered row of an instance, unless it is that of another object."""
    row = remembered_row(instance)
    if row is None or len(row) != plan.width:
        return None
    values = instance.__dict__
    is_it = all(row[index] == values.get(name, UNKNOWN) for index, name in plan.keys)
    return row if is_it else None


def _unknown_columns(
    plan: Plan, row: Sequence[Any] | None, update_fields: Collection[str] | None
) -> Sequence[RecordedColumn]:
    if row is None or plan.reads_stored:
        return written_columns(plan.columns, update_fields)
    if not plan.has_mutable and type(row) is not PartialRow:
        return ()
    return [
        each
        for each in written_columns(plan.columns, update_fields)
        if _is_unsure(each, row[each.index])
    ]


def is_unknown(instance: Model, plan: Plan, *, is_fresh: bool) -> bool:
    """Return True if some values of an object are not known, or may have been changed in place;
    for `old="stored"`, whatever was not read just now."""
    row = row_of(instance, plan)
    if row is None or (plan.reads_stored and not is_fresh):
        return True
    if is_fresh:
        return any(row[each.index] is UNKNOWN for each in plan.columns)
    return any(_is_unsure(each, row[each.index]) for each in plan.columns)


def _is_unsure(column: RecordedColumn, value: Any) -> bool:
    """Return True if a remembered value is unknown, or may have been changed in place since."""
    return value is UNKNOWN or (column.is_mutable and type(value) not in IMMUTABLE)


def written_columns(
    columns: Sequence[RecordedColumn], update_fields: Collection[str] | None
) -> Sequence[RecordedColumn]:
    """Return the columns that a save writes."""
    if update_fields is None:
        return columns
    return [
        each
        for each in columns
        if each.field.name in update_fields or each.attname in update_fields
    ]


def read_columns(
    instance: Model, model: type[Model], using: str, columns: Iterable[RecordedColumn]
) -> tuple[Any, ...] | None:
    """Return what the database has in some columns of an object, or None if it has no such row."""
    # Nothing protects the transaction: what makes this fail does the same to the save.
    rows = stored_rows(model, using).filter(pk=instance.pk)
    found = rows.values_list(*(each.attname for each in columns))[:1]
    return next(iter(found), None)


def take_row(
    instance: Model, plan: Plan, using: str
) -> tuple[Sequence[Any] | None, Sequence[Part]]:
    """Return the row before the save, remembered or read, and the parents that existed."""
    found: UnknownValues | None = statements_of(using).take_save(instance)
    return (row_of(instance, plan), ()) if found is None else (found.row, found.parents)
