"""What all bulk operations have in common: reading before, recording after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, QuerySet

from trackmate.capture.model_changes.columns.plans import Plan, RecordedColumn
from trackmate.capture.model_changes.columns.rows import (
    UNKNOWN,
    PartialRow,
    remember_row,
    remembered_row,
    stored_rows,
)
from trackmate.capture.model_changes.columns.values import is_same
from trackmate.capture.model_changes.links import record_link_of
from trackmate.capture.model_changes.recording import describe_part, record_change
from trackmate.capture.model_changes.saves import Difference, Save, describe_changes
from trackmate.db.keys import key_to_text
from trackmate.db.transactions import protected_transactions
from trackmate.pipeline import never_raise

Run = Callable[..., Any]

MAX_SAMPLE = 10
"""Keys of objects in a summary."""


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


def differences_of(
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
