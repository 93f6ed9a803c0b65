"""Recording `bulk_create()`, and the objects of through models that Django creates by it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Field, Model, Q, UniqueConstraint

from trackmate.capture.model_changes.bulk.operations import Bulk, differences_of
from trackmate.capture.model_changes.columns.plans import plan_for
from trackmate.capture.model_changes.columns.values import is_expression
from trackmate.capture.model_changes.links import linking_fields
from trackmate.capture.model_changes.recording import together
from trackmate.pipeline import is_recording, never_raise

MAX_CONDITIONS = 100
"""Objects that are looked for by one query."""


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
                    differences = differences_of(before, self.plan.columns, each.__dict__)
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
