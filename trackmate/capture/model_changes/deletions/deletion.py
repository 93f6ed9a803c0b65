"""Recording what a deletion takes away: the object, its parts, and what pointed to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.db.models import ForeignKey, Model

from trackmate.activity import label_of, safe_str
from trackmate.capture.model_changes.columns.plans import is_left_to_triggers, plan_for
from trackmate.capture.model_changes.columns.values import Reference, reference
from trackmate.capture.model_changes.deletions.dependents import (
    DATABASE_CASCADE,
    find_objects,
    foreign_keys_of,
    keys_to,
    models_of,
)
from trackmate.capture.model_changes.links import (
    Link,
    existing_owners,
    links_of,
    links_to,
    record_links,
)
from trackmate.capture.model_changes.old_values import is_unknown
from trackmate.capture.model_changes.recording import describe_part, record_change, target_of
from trackmate.capture.model_changes.saves import describe_changes, old_values_of
from trackmate.db.commitments import Commitment, hold, release
from trackmate.db.keys import serialize_key
from trackmate.db.tables import table_name
from trackmate.pipeline import is_recording
from trackmate.redaction.keys import visible_key
from trackmate.registry import Registration, concrete_model
from trackmate.triggers.installed import has_triggers

MAX_CAUSES = 50
"""Steps from an object to the one whose deletion has deleted it."""

_NULLS = (models.SET_NULL, getattr(models, "DB_SET_NULL", models.SET_NULL))
_DEFAULTS = (models.SET_DEFAULT, getattr(models, "DB_SET_DEFAULT", models.SET_DEFAULT))


class GroupedExtra(dict[str, Any]):
    """The `extra` of an activity that is one of many with the same origin."""

    def __init__(self, deletion: Deletion, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.deletion = deletion


@dataclass(eq=False, slots=True)
class Deletion:
    """One call of `delete()`, of an object or of a queryset."""

    origin: Any
    using: str
    instances: dict[tuple[type[Model], Any], Model] = field(default_factory=dict)
    """What is deleted, of the registered models and those that they point to."""
    unread: list[Model] = field(default_factory=list)
    """Objects of which it has not been read yet what points to them."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many changes it makes, by model and verb."""
    recorded: dict[tuple[type[Model], Any], Commitment] = field(default_factory=dict)
    """The objects whose deletion has been recorded."""
    left: int = 0
    """Objects of registered models that are about to be deleted."""
    members: dict[tuple[type[Model], Any], dict[str, list[Reference]]] = field(default_factory=dict)
    """By object: what its many-to-many fields had."""
    unset: list[tuple[Registration, ForeignKey[Any, Any], list[Model]]] = field(
        default_factory=list
    )
    """Objects whose foreign key gets a value that only Django works out."""

    @property
    def is_busy(self) -> bool:
        """Return True if objects of registered models are still to be deleted."""
        return self.left > 0

    def add(self, instance: Model) -> None:
        """Note an object that is about to be deleted."""
        for model in models_of(type(instance)):
            self.instances.setdefault((model, instance.pk), instance)
        self.unread.append(instance)
        if plan_for(type(instance)) is not None:
            if not self.left:
                hold(self.using, self)
            self.left += 1

    def end(self) -> None:
        """Note that an object has been deleted; with the last one all of it is delivered."""
        self.left -= 1
        if not self.is_busy:
            release(self.using, self)

    @property
    def is_over(self) -> bool:
        """Whether all of it has been deleted: Django announces all objects before the first one."""
        return not self.is_busy and bool(self.recorded)

    def read_before(self, _verb: str, _table: str) -> None:
        """Record what the deletion does beside its objects, before its first write."""
        while self.unread:
            unread, self.unread = self.unread, []
            self._read_unknown(unread)
            by_model: dict[type[Model], list[Model]] = {}
            for each in unread:
                by_model.setdefault(concrete_model(type(each)), []).append(each)
            for model, instances in by_model.items():
                # Parents are deleted as objects of their own, or stay.
                self._read_members(model, [each.pk for each in instances])
                self._record_dependents(model, instances)

    def _read_unknown(self, instances: Iterable[Model]) -> None:
        """Read the columns of objects that were not loaded, or only in part."""
        by_plan: dict[type[Model], list[Model]] = {}
        for each in instances:
            plan = plan_for(type(each))
            if (
                plan is not None
                and not is_left_to_triggers(plan, self.using)
                and is_unknown(each, plan, is_fresh=each is not self.origin)
            ):
                by_plan.setdefault(plan.model, []).append(each)
        for model, unknown in by_plan.items():
            stored = {
                found.pk: found
                for found in find_objects(model, self.using, "pk", [e.pk for e in unknown])
            }
            for each in unknown:
                if (found := stored.get(each.pk)) is not None:
                    self.instances |= dict.fromkeys(
                        ((one, each.pk) for one in models_of(model)), found
                    )

    def _read_members(self, model: type[Model], keys: Sequence[Any]) -> None:
        for link in links_of(model):
            if has_triggers(link.registration, self.using):
                continue
            for owner, other in link.read(self.using, keys):
                members = self.members.setdefault((model, owner), {})
                members.setdefault(link.name, []).append(link.refer_to(other))

    def _record_dependents(self, model: type[Model], instances: Sequence[Model]) -> None:
        for registration, foreign_key in keys_to(model):
            is_cascade = foreign_key.remote_field.on_delete is DATABASE_CASCADE
            if not is_cascade and has_triggers(registration, self.using):
                continue
            keys = [getattr(each, foreign_key.target_field.attname, None) for each in instances]
            found = self._dependents(registration.model, foreign_key, keys)
            if is_cascade:
                for each in found:
                    self.add(each)
                    self.record(each)
                    self.end()
            else:
                self._record_unset(registration, foreign_key, found)
        for link in links_to(model):
            if link.through._meta.auto_created and not has_triggers(link.registration, self.using):
                self._record_unlinked(link, [each.pk for each in instances])

    def _dependents(
        self, model: type[Model], foreign_key: ForeignKey[Any, Any], keys: Sequence[Any]
    ) -> list[Model]:
        found = find_objects(model, self.using, foreign_key.name, keys)
        return [each for each in found if (model, each.pk) not in self.instances]

    def _record_unset(
        self,
        registration: Registration,
        foreign_key: ForeignKey[Any, Any],
        dependents: Iterable[Model],
    ) -> None:
        if foreign_key.remote_field.on_delete in _NULLS:
            new = None
        elif foreign_key.remote_field.on_delete in _DEFAULTS:
            new = foreign_key.get_default()
        else:
            self.unset.append((registration, foreign_key, list(dependents)))
            return
        for each in dependents:
            self._record_reference(registration, foreign_key, each, new)

    def read_after(self, verb: str, table: str) -> None:
        """Record the foreign keys that the write has set."""
        for item in tuple(self.unset):
            if verb == "UPDATE" and table_name(item[0].model._meta.db_table) == table:
                self.unset.remove(item)
                registration, foreign_key, dependents = item
                keys = [each.pk for each in dependents]
                stored = {
                    each.pk: each
                    for each in find_objects(registration.model, self.using, "pk", keys)
                }
                for each in dependents:
                    new = getattr(stored.get(each.pk), foreign_key.attname, None)
                    self._record_reference(registration, foreign_key, each, new)

    def _record_reference(
        self, registration: Registration, foreign_key: ForeignKey[Any, Any], each: Model, new: Any
    ) -> None:
        self.name_relations(each)
        old = reference(foreign_key, getattr(each, foreign_key.attname), each)
        value = None if new is None else reference(foreign_key, new, None)
        target = target_of(each, registration)
        cause = self._cause_by(foreign_key, each)
        self._record(registration, "update", target, {foreign_key.name: [old, value]}, cause)

    def _record_unlinked(self, link: Link, keys: Sequence[Any]) -> None:
        pairs = link.read(self.using, keys, by_other=True)
        owners = existing_owners(link, {owner for owner, _other in pairs}, self.using)
        for owner, other in pairs:
            if owner in owners and (link.model, owner) not in self.instances:
                cause = _describe(self.instances.get((link.other_model, other)))
                record_links(link, owner, [other], "removed", using=self.using, cause=cause)

    def _cause_by(self, foreign_key: ForeignKey[Any, Any], dependent: Model) -> str:
        parent = self._related(foreign_key, dependent)
        return self.cause_of(parent) or _describe(parent) if parent is not None else ""

    def record(self, instance: Model) -> None:
        """Record the deletion of an object of a registered model."""
        plan = plan_for(type(instance))
        if plan is None or not is_recording():
            return
        earlier = self.recorded.get((plan.model, instance.pk))
        if earlier is not None and earlier.is_kept:
            # Django deletes a proxy and its model, which are one row.
            return
        self.recorded[plan.model, instance.pk] = Commitment(self.using)
        stored = self.instances.get((plan.model, instance.pk), instance)
        self.name_relations(stored)
        cause = self.cause_of(instance)
        for part in plan.parts:
            if part.registration.model is plan.model and "delete" in part.registration.options.on:
                changes = describe_changes(old_values_of(stored, plan, part), part, stored)
                members = self.members.get((plan.model, instance.pk), {})
                lost = {name: {"added": [], "removed": each} for name, each in members.items()}
                self._record(
                    part.registration,
                    "delete",
                    describe_part(part, stored),
                    {**changes, **lost},
                    cause,
                )

    def _record(
        self, registration: Registration, verb: str, target: Any, changes: Any, cause: str
    ) -> None:
        if not is_recording() or verb not in registration.options.on:
            return
        key = (label_of(registration.model), verb)
        self.counts[key] += 1
        extra = {"cause": cause} if cause else {}
        if registration.options.guarantee == "transaction":
            record_change(registration, verb, target, changes, using=self.using, extra=extra)
        elif self.counts[key] <= registration.options.bulk_limit + 1:
            extra = GroupedExtra(self, extra)
            record_change(registration, verb, target, changes, using=self.using, extra=extra)

    def name_relations(self, instance: Model) -> None:
        """Give an object those that it points to and that are deleted with it: they name it."""
        for each in foreign_keys_of(type(instance)):
            if not each.is_cached(instance):
                related = self._related(each, instance)
                if related is not None:
                    each.set_cached_value(instance, related)

    def _related(self, foreign_key: ForeignKey[Any, Any], instance: Model) -> Model | None:
        """Return the object that a foreign key refers to by its primary key, if it is deleted."""
        if not foreign_key.target_field.primary_key:
            return None
        key = instance.__dict__.get(foreign_key.attname)
        return self.instances.get((concrete_model(foreign_key.related_model), key))

    def cause_of(self, instance: Model) -> str:
        """Return the object whose deletion has deleted this one, or "" if it is the one."""
        if isinstance(self.origin, Model):
            is_it = isinstance(self.origin, concrete_model(type(instance))) or isinstance(
                instance, concrete_model(type(self.origin))
            )
            return "" if is_it and self.origin.pk == instance.pk else _describe(self.origin)
        root = self._root_of(instance)
        if root is not instance:
            return _describe(root)
        model: Any = getattr(self.origin, "model", type(instance))
        is_other = not issubclass(type(instance), concrete_model(model))
        return label_of(model) if is_other and not issubclass(model, type(instance)) else ""

    def _root_of(self, instance: Model) -> Model:
        root = instance
        for _step in range(MAX_CAUSES):
            parents = (
                self._related(each, root)
                for each in foreign_keys_of(type(root))
                if each.remote_field.on_delete in (models.CASCADE, DATABASE_CASCADE)
            )
            above = next((each for each in parents if each is not None and each is not root), None)
            if above is None:
                break
            root = above
        return root


def _describe(instance: Model | None) -> str:
    if instance is None:
        return ""
    key = visible_key(type(instance), serialize_key(instance) or safe_str(instance.pk))
    return f"{label_of(type(instance))}/{key}"
