"""Recording `update()` and `bulk_update()`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Model, Q

from trackmate.capture.model_changes.bulk.filters import describe_expression, describe_queryset
from trackmate.capture.model_changes.bulk.operations import Bulk, differences_of
from trackmate.capture.model_changes.columns.plans import Plan, RecordedColumn
from trackmate.capture.model_changes.columns.values import is_expression, serialize_value
from trackmate.redaction.known_secrets import MASK


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
            columns = {
                name: each for each in self.columns for name in (each.field.name, each.attname)
            }
            self.summarize(
                "update",
                "UPDATE",
                result,
                self.keys,
                filter=describe_queryset(self.queryset, _masked(self.plan)),
                values={
                    columns[name].field.name: _describe(columns[name], value, _masked(self.plan))
                    for name, value in self.values.items()
                    if name in columns
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
                self.record_update(each, differences_of(each, self.columns, values))

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
                    self.record_update(each, differences_of(stored, self.columns, values))
        self.forget(self.objects, self.columns)


def _masked(plan: Plan) -> set[str]:
    return {each.field.name for each in plan.columns if each.is_masked}


def _describe(column: RecordedColumn, value: Any, masked: Collection[str]) -> Any:
    """Return a new value of a summary: an expression as it is written."""
    if column.is_masked:
        return MASK
    if is_expression(value):
        return describe_expression(value, masked)
    return serialize_value(column.field, value.pk if isinstance(value, Model) else value)
