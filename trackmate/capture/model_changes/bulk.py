"""Recording the bulk operations of a queryset, which send no signals.

Old values are read in the transaction of the operation. Up to a number of objects each has an
activity of its own; more than that become one summary.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import reduce
from itertools import islice
from operator import or_
from types import FrameType
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field, Model, Q, QuerySet, UniqueConstraint
from django.db.models.deletion import Collector

from trackmate.capture.model_changes.columns.plans import (
    Plan,
    RecordedColumn,
    is_left_to_triggers,
    plan_for,
)
from trackmate.capture.model_changes.columns.rows import (
    UNKNOWN,
    PartialRow,
    remember_row,
    remembered_row,
    stored_rows,
)
from trackmate.capture.model_changes.columns.values import is_expression, is_same, serialize_value
from trackmate.capture.model_changes.filters import describe_expression, describe_queryset
from trackmate.capture.model_changes.links import linking_fields, record_link_of
from trackmate.capture.model_changes.recording import describe_part, record_change, together
from trackmate.capture.model_changes.saves import Difference, Save, describe_changes
from trackmate.capture.model_changes.statements import recorded, statements_of
from trackmate.db.keys import key_to_text
from trackmate.db.transactions import in_transaction, protected_transactions
from trackmate.pipeline import is_recording, never_raise
from trackmate.redaction.known_secrets import MASK

Run = Callable[..., Any]

MAX_SAMPLE = 10
"""Keys of objects in a summary."""

MAX_FRAMES = 5
"""Calls between a deletion and the update that is a part of it."""

_DELETE = Collector.delete.__code__

MAX_CONDITIONS = 100
"""Objects that are looked for by one query."""


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


@dataclass
class Bulk:
    """One bulk operation."""

    queryset: QuerySet[Any]
    plan: Plan
    using: str
    is_too_much: bool = field(default=False, init=False)
    """Whether it becomes a summary."""
    is_prepared: bool = field(default=False, init=False)

    def prepare(self, *args: Any, **kwargs: Any) -> None:
        """Read what is going to be changed; nothing is recorded if that fails."""
        self.is_prepared = bool(never_raise(self._protected)(self.read_before, *args, **kwargs))

    def finish(self, result: Any) -> None:
        """Record what was changed."""
        if self.is_prepared:
            never_raise(self._protected)(self.record, result)

    def _protected(self, function: Run, *args: Any, **kwargs: Any) -> bool:
        with protected_transactions():
            function(*args, **kwargs)
        return True

    def read_before(self, *args: Any, **kwargs: Any) -> None:
        """Read the old values."""
        raise NotImplementedError

    def record(self, result: Any) -> None:
        """Record the difference."""
        raise NotImplementedError

    @property
    def limit(self) -> int:
        """The most objects that get an activity each."""
        return min(each.registration.options.bulk_limit for each in self.plan.parts)

    def columns_named(self, names: Iterable[str]) -> list[RecordedColumn]:
        """Return the recorded columns of some fields, and those computed from them."""
        wanted = set()
        for name in names:
            # Django itself refuses others.
            with suppress(FieldDoesNotExist):
                wanted.add(self.plan.model._meta.get_field(name))
        return [
            each
            for each in self.plan.columns
            if each.field in wanted or each in self.plan.generated
        ]

    def read(self, objects: Any) -> list[Any]:
        """Return instances of the model as they are stored."""
        return list(stored_rows(self.plan.model, self.using).filter(objects))

    def record_update(self, instance: Model, differences: Sequence[Difference]) -> None:
        """Record the update of one object, if there is any."""
        found = {each.column.index: each for each in differences}
        for part in self.plan.parts:
            own = [found[each.index] for each in part.columns if each.index in found]
            changes = describe_changes(own, part, instance)
            if changes and "update" in part.registration.options.on:
                target = describe_part(part, instance)
                record_change(part.registration, "update", target, changes, using=self.using)

    def record_create(self, instance: Model, stored: Model, *, is_member: bool = False) -> None:
        """Record a new object, and remember its row; `is_member` if its links are recorded."""
        save = Save(stored, self.plan, self.using, None, created=True, parents=(), is_raw=False)
        differences = save.compare(self.plan.columns)
        save.record(differences)
        save.remember(differences)
        remember_row(instance, remembered_row(stored), self.using)
        if not is_member:
            record_link_of(stored, "added", self.using)

    def summarize(
        self, verb: str, statement: str, count: Any, keys: Iterable[Any], **extra: Any
    ) -> None:
        """Record a summary, with some of the primary keys."""
        sample = islice((key for key in keys if key is not None), MAX_SAMPLE)
        values = {
            "bulk": True,
            "table": self.plan.model._meta.db_table,
            "verb": statement,
            "count": count,
            "sample": [key_to_text(key) for key in sample],
            **extra,
        }
        for part in self.plan.parts:
            if verb in part.registration.options.on:
                record_change(
                    part.registration, verb, None, None, using=self.using, extra=dict(values)
                )

    def forget(self, instances: Iterable[Model], columns: Iterable[RecordedColumn]) -> None:
        """Remember the old values of some columns no longer."""
        places = [each.index for each in columns]
        for each in instances:
            row = remembered_row(each)
            if row is not None:
                unknown = PartialRow(row)
                for place in places:
                    unknown[place] = UNKNOWN
                remember_row(each, unknown, self.using)


class Update(Bulk):
    """`update()`."""

    values: dict[str, Any]
    columns: list[RecordedColumn]
    keys: list[Any]
    before: list[Any]

    def read_before(self, **values: Any) -> None:
        """Read the objects, as many as get an activity."""
        self.values = {name: value for name, value in values.items() if name not in ("pk", "self")}
        self.columns = self.columns_named(self.values)
        query = self.queryset.query
        is_valid = not (query.is_sliced or query.combinator or query.distinct_fields)
        self.before, self.keys = [], []
        if self.columns and is_valid:
            rows = self.queryset.using(self.using).order_by().values_list("pk", flat=True)
            self.keys = list(rows[: self.limit + 1])
            self.is_too_much = len(self.keys) > self.limit
            if self.keys and not self.is_too_much:
                self.before = self.read(Q(pk__in=self.keys))

    def record(self, result: Any) -> None:
        """Record each object, or all in one."""
        if self.is_too_much:
            fields = {each.field.name: each for each in self.columns}
            self.summarize(
                "update",
                "UPDATE",
                result,
                self.keys,
                filter=describe_queryset(self.queryset, _masked(self.plan)),
                values={
                    name: _describe(fields[name], value, _masked(self.plan))
                    for name, value in self.values.items()
                    if name in fields
                },
            )
            return
        if not self.before:
            return
        constants = self._constants()
        after = {} if constants is not None else self._after()
        for each in self.before:
            values = constants if constants is not None else after.get(each.pk)
            if values is not None:
                self.record_update(each, _differences(each, self.columns, values))

    def _constants(self) -> dict[str, Any] | None:
        """Return the new values by attribute, or None if only the database knows them."""
        found: dict[str, Any] = {}
        for name, value in self.values.items():
            if is_expression(value) or self.plan.generated:
                return None
            attname = self.plan.model._meta.get_field(name).attname  # type: ignore[union-attr]
            found[attname] = value.pk if isinstance(value, Model) else value
        return found

    def _after(self) -> dict[Any, dict[str, Any]]:
        return {each.pk: each.__dict__ for each in self.read(Q(pk__in=[e.pk for e in self.before]))}


class BulkUpdate(Bulk):
    """`bulk_update()`."""

    objects: list[Any]
    columns: list[RecordedColumn]
    before: dict[Any, Any]

    def read_before(
        self, objects: Collection[Any], fields: Iterable[str], *_args: Any, **_kwargs: Any
    ) -> None:
        """Read the objects as they are stored, if each gets an activity."""
        self.objects = [*objects]
        self.columns = self.columns_named(fields)
        self.is_too_much = len(objects) > self.limit
        self.before = {}
        if self.columns and not self.is_too_much:
            self.before = {each.pk: each for each in self.read(Q(pk__in=[e.pk for e in objects]))}

    def record(self, result: Any) -> None:
        """Record each object, or all in one."""
        if self.is_too_much and self.columns:
            names = [each.field.name for each in self.columns]
            keys = (each.pk for each in self.objects)
            self.summarize("update", "UPDATE", result, keys, fields=names)
        elif self.before:
            needs_reading = self.plan.generated or any(
                is_expression(each.__dict__.get(column.attname))
                for each in self.objects
                for column in self.columns
            )
            after = (
                {each.pk: each for each in self.read(Q(pk__in=list(self.before)))}
                if needs_reading
                else {}
            )
            for each in self.objects:
                if (stored := self.before.get(each.pk)) is not None:
                    values = after.get(each.pk, each).__dict__
                    # Named as it is now.
                    self.record_update(each, _differences(stored, self.columns, values))
        self.forget(self.objects, self.columns)


class BulkCreate(Bulk):
    """`bulk_create()`, with or without conflicts."""

    objects: list[Any]
    conditions: list[Q] | None
    """By which objects that exist are found; None if there can be no conflicts."""
    before: dict[Any, Any]
    not_found: int = 0
    """How many cannot be found again, since nothing about them is unique."""

    def read_before(  # noqa: PLR0917 (Django's arguments)
        self,
        objects: Collection[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,  # noqa: FBT001, FBT002 (Django's arguments)
        update_conflicts: bool = False,  # noqa: FBT001, FBT002
        update_fields: Iterable[str] | None = None,
        unique_fields: Iterable[str] | None = None,
    ) -> None:
        """Find the objects that exist already, if there may be such."""
        del batch_size, update_fields
        self.objects = [*objects]
        self.is_too_much = len(objects) > self.limit
        self.conditions = None
        if ignore_conflicts or update_conflicts:
            self.conditions = []
            for each in self.objects:
                found = list(_conditions(self.plan.model, each, unique_fields))
                self.conditions += found
                self.not_found += not found
            self.before = {} if self.is_too_much else self._find()

    def record(self, result: Any) -> None:
        """Record each object, or all in one."""
        if self.is_too_much:
            has_conflicts = {} if self.conditions is None else {"conflicts": True}
            keys = (each.pk for each in self.objects)
            self.summarize("create", "INSERT", len(self.objects), keys, **has_conflicts)
        elif self.conditions is None:
            self._record_new(result)
        else:
            for pk, each in self._find().items():
                if (before := self.before.get(pk)) is None:
                    self.record_create(each, each)
                else:
                    differences = _differences(before, self.plan.columns, each.__dict__)
                    self.record_update(each, differences)
            if self.not_found:
                self.summarize("create", "INSERT", self.not_found, (), conflicts=True)

    def _find(self) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        conditions = self.conditions or []
        for start in range(0, len(conditions), MAX_CONDITIONS):
            some = reduce(or_, conditions[start : start + MAX_CONDITIONS])
            found |= {each.pk: each for each in self.read(some)}
        return found

    def _record_new(self, result: Iterable[Any]) -> None:
        created = [each for each in result if each.pk is not None]
        if len(created) < len(self.objects):
            # The database does not tell the keys of new rows.
            keys = (each.pk for each in created)
            self.summarize("create", "INSERT", len(self.objects), keys)
            return
        stored = {}
        if any(self._is_computed(each) for each in created):
            stored = {each.pk: each for each in self.read(Q(pk__in=[e.pk for e in created]))}
        for each in created:
            self.record_create(each, stored.get(each.pk, each))

    def _is_computed(self, instance: Model) -> bool:
        values = instance.__dict__
        return any(
            column.attname not in values or is_expression(values[column.attname])
            for column in self.plan.columns
        )


@never_raise
def after_members_added(
    *,
    sender: type[Model],
    instance: Model,
    action: str,
    reverse: bool,
    pk_set: Collection[Any] | None,
    using: str,
    **_kwargs: Any,
) -> None:
    """Record the objects of a through model that `add()` and `set()` make, without signals."""
    plan, fields = plan_for(sender), linking_fields(sender)
    is_recorded = hasattr(sender._default_manager.all(), "records_bulk")
    if action != "post_add" or plan is None or fields is None or is_recorded or not is_recording():
        return
    near, far = reversed(fields) if reverse else fields
    added = Q(**{near.name: instance.pk, f"{far.name}__in": pk_set})
    bulk = Bulk(sender._default_manager.all(), plan, using)
    with together(using):
        for each in bulk.read(added):
            bulk.record_create(each, each, is_member=True)


OPERATIONS: dict[str, type[Bulk]] = {
    "update": Update,
    "bulk_update": BulkUpdate,
    "bulk_create": BulkCreate,
}


def _differences(
    stored: Model, columns: Iterable[RecordedColumn], values: dict[str, Any]
) -> list[Difference]:
    """Return how the values of some columns differ from those of a stored object."""
    return [
        Difference(column, old, new)
        for column in columns
        if not is_same(
            column.field,
            old := stored.__dict__.get(column.attname),
            new := values.get(column.attname),
        )
    ]


def _masked(plan: Plan) -> set[str]:
    return {each.field.name for each in plan.columns if each.is_masked}


def _describe(column: RecordedColumn, value: Any, masked: Collection[str]) -> Any:
    """Return a new value of a summary: an expression as it is written."""
    if column.is_masked:
        return MASK
    if is_expression(value):
        return describe_expression(value, masked)
    return serialize_value(column.field, value.pk if isinstance(value, Model) else value)


def _conditions(
    model: type[Model], instance: Model, unique_fields: Iterable[str] | None
) -> Iterator[Q]:
    """Yield the conditions that find the row with which a new object can be in conflict."""
    named = [model._meta.pk.name if each == "pk" else each for each in unique_fields or ()]
    sets = [tuple(named)] if named else list(_unique_sets(model))
    for names in sets:
        values = {name: _value(model, instance, name) for name in names}
        if not any(value is None or is_expression(value) for value in values.values()):
            yield Q(**values)


def _unique_sets(model: type[Model]) -> Iterator[tuple[str, ...]]:
    fields: Iterable[Field[Any, Any]] = model._meta.concrete_fields
    yield from ((each.name,) for each in fields if each.unique)
    yield tuple(each.name for each in model._meta.pk_fields)
    yield from model._meta.unique_together
    for each in model._meta.constraints:
        if isinstance(each, UniqueConstraint) and each.fields and each.condition is None:
            yield tuple(each.fields)


def _value(model: type[Model], instance: Model, name: str) -> Any:
    found: Any = model._meta.get_field(name)
    return instance.__dict__.get(found.attname)
