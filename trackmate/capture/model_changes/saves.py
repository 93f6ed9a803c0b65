"""Recording what a save changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

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
)
from trackmate.capture.model_changes.columns.values import (
    is_expression,
    is_same,
    serialize_value,
)
from trackmate.capture.model_changes.old_values import (
    read_columns,
    row_of,
    take_row,
    written_columns,
)
from trackmate.capture.model_changes.recording import describe_part, record_change
from trackmate.pipeline import is_recording, never_raise
from trackmate.redaction.known_secrets import MASK


class Difference(NamedTuple):
    """A column with its value before and after."""

    column: RecordedColumn
    old: Any
    new: Any


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
    row, parents = take_row(instance, plan, using)
    if created and not parents:
        row = None
    columns = plan.columns if created else written_columns(plan.columns, update_fields)
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
        pair = [serialize_value(column.field, each, instance) for each in (old, new)]
        if pair != [None, None]:
            changes[column.field.name] = (
                [None if each is None else MASK for each in pair]
                if column.index in masked
                else pair
            )
    return changes


def old_values_of(instance: Model, plan: Plan, part: Part) -> Iterator[Difference]:
    """Yield the columns of an object that is deleted, with their values in the database."""
    row = row_of(instance, plan)
    for column in part.columns:
        value = instance.__dict__.get(column.attname)
        known = UNKNOWN if row is None else row[column.index]
        yield Difference(column, value if known is UNKNOWN else known, None)
