"""Recording what a save changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import Any, NamedTuple
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
    as_stored,
    remember_row,
    remembered_row,
    stored_rows,
)
from trackmate.capture.model_changes.columns.values import (
    is_expression,
    is_same,
    serialize_value,
)
from trackmate.capture.model_changes.recording import describe_part, record_change
from trackmate.capture.model_changes.statements import statements_of
from trackmate.pipeline import is_recording, never_raise
from trackmate.redaction.known_secrets import MASK


class Difference(NamedTuple):
    """A column with its value before and after."""

    column: RecordedColumn
    old: Any
    new: Any


@never_raise
def before_save(
    *, instance: Model, using: str, update_fields: Collection[str] | None, **_kwargs: Any
) -> None:
    """Find the old values that nothing remembers; they are read if Django sends an UPDATE."""
    plan = plan_for(type(instance))
    if plan is None or not is_recording() or is_left_to_triggers(plan, using):
        return
    row = row_of(instance, plan)
    unknown = _unknown_columns(plan, row, update_fields)
    if unknown and instance.pk is not None:
        statements_of(using).add_save(UnknownValues(instance, plan, using, unknown, row))


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
        return _written(plan.columns, update_fields)
    if not plan.has_mutable and type(row) is not PartialRow:
        return ()
    return [
        each
        for each in _written(plan.columns, update_fields)
        if row[each.index] is UNKNOWN
        or (each.is_mutable and type(row[each.index]) not in IMMUTABLE)
    ]


def _written(
    columns: Sequence[RecordedColumn], update_fields: Collection[str] | None
) -> Sequence[RecordedColumn]:
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


@never_raise
def after_save(
    *,
    instance: Model,
    created: bool,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **_kwargs: Any,
) -> None:
    """Record what a save has changed, and remember the row as it is now."""
    plan = plan_for(type(instance))
    if plan is None or is_left_to_triggers(plan, using):
        return
    row, parents = _take_row(instance, plan, using)
    if created and not parents:
        row = None
    columns = plan.columns if created else _written(plan.columns, update_fields)
    if raw:
        # A fixture has the columns of parents in objects of their own.
        columns = [each for each in columns if each.field.model is plan.model]
    save = Save(instance, plan, using, row, created, parents, is_raw=raw)
    differences = save.compare(columns)
    if not is_recording():
        # No query: what only the database knows stays unknown.
        save.remember(differences)
    elif differences := save.resolve(differences):
        save.remember(differences)
        save.record(differences)
    elif row is not None and row is not remembered_row(instance):
        save.remember(())


def _take_row(
    instance: Model, plan: Plan, using: str
) -> tuple[Sequence[Any] | None, Sequence[Part]]:
    """Return the row before the save, remembered or read, and the parents that existed."""
    found: UnknownValues | None = statements_of(using).take_save(instance)
    return (row_of(instance, plan), ()) if found is None else (found.row, found.parents)


@dataclass(slots=True)
class Save:
    """A save that is done."""

    instance: Model
    plan: Plan
    using: str
    row: Sequence[Any] | None
    """The row before it, or None if there was none or it is unknown."""
    created: bool
    parents: Sequence[Part]
    _: KW_ONLY
    is_raw: bool

    def old(self, column: RecordedColumn) -> Any:
        """Return the value of a column before."""
        value = UNKNOWN if self.row is None else self.row[column.index]
        return None if self.created and value is UNKNOWN else value

    def compare(self, columns: Sequence[RecordedColumn]) -> list[Difference]:
        """Return the columns that differ, or whose new value only the database knows."""
        values, found = self.instance.__dict__, []
        row, created = self.row, self.created
        for column in columns:
            new = values.get(column.attname, UNKNOWN)
            # For speed, not by `old()`.
            old = row[column.index] if row is not None and not created else self.old(column)
            if new is old and not column.is_mutable:
                continue
            if (
                new is UNKNOWN
                or old is UNKNOWN
                or is_expression(new)
                or not is_same(column.field, old, new, is_plain=column.is_plain)
            ):
                found.append(Difference(column, old, new))
        return found

    def resolve(self, differences: list[Difference]) -> list[Difference]:
        """Return the differences with the values that the database has computed."""
        listed = {each.column.index: each for each in differences}
        unread = {
            index: each.column
            for index, each in listed.items()
            if each.new is UNKNOWN or is_expression(each.new)
        }
        if differences and not self.created:
            # What Django has not read again may be out of date.
            unread |= {
                each.index: each
                for each in self.plan.generated
                if each.index not in listed and self.old(each) is not UNKNOWN
            }
        if not unread:
            return differences
        columns = list(unread.values())
        stored = read_columns(self.instance, self.plan.model, self.using, columns)
        for column, new in zip(columns, stored or (), strict=False):
            old = self.old(column)
            listed.pop(column.index, None)
            if old is UNKNOWN or not is_same(column.field, old, new):
                listed[column.index] = Difference(column, old, new)
        return [listed[index] for index in sorted(listed)]

    def remember(self, differences: Iterable[Difference]) -> None:
        """Remember the row as it is now."""
        values, plan = self.instance.__dict__, self.plan
        row = list(self.row) if self.row is not None else [UNKNOWN] * plan.width
        for index, name in plan.keys:
            row[index] = values.get(name, UNKNOWN)
        for each in differences:
            row[each.column.index] = _remembered(each.new)
        if self.row is None and self.created:
            # What is the same as before was NULL.
            listed = {each.column.index for each in differences}
            for column in plan.columns:
                if column.index not in listed and values.get(column.attname, UNKNOWN) is None:
                    row[column.index] = None
        is_known = not any(row[each.index] is UNKNOWN for each in plan.columns)
        remember_row(self.instance, tuple(row) if is_known else PartialRow(row), self.using)

    def record(self, differences: Iterable[Difference]) -> None:
        """Record the change of each registered model that the object is one of."""
        listed = {each.column.index: each for each in differences}
        for part in self.plan.parts:
            own = [listed[each.index] for each in part.columns if each.index in listed]
            model = part.registration.model
            if self.is_raw and model is not self.plan.model:
                continue
            is_new = self.created and part not in self.parents
            if not is_new and all(each.column.is_silent for each in own):
                continue
            changes = describe_changes(own, part, self.instance)
            verb = "create" if is_new else "update"
            if verb in part.registration.options.on and (is_new or changes):
                target = describe_part(part, self.instance)
                record_change(part.registration, verb, target, changes, using=self.using)


def _remembered(value: Any) -> Any:
    value = as_stored(value)
    return UNKNOWN if is_expression(value) or type(value) not in IMMUTABLE else value


def describe_changes(
    differences: Iterable[Difference], part: Part, instance: Model | None
) -> dict[str, list[Any]]:
    """Return `{field: [old, new]}` as it is stored, without fields that were and are NULL."""
    changes: dict[str, list[Any]] = {}
    masked = {each.index for each in part.columns if each.is_masked}
    for column, old, new in differences:
        pair = [serialize_value(column.field, old), serialize_value(column.field, new, instance)]
        if pair != [None, None]:
            changes[column.field.name] = (
                [None if each is None else MASK for each in pair]
                if column.index in masked
                else pair
            )
    return changes
