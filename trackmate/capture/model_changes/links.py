"""Recording what is added to many-to-many fields, and removed from them, on both sides."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import ForeignKey, ManyToManyField, Model

from trackmate.capture.model_changes.columns.rows import stored_rows
from trackmate.capture.model_changes.columns.values import Reference
from trackmate.capture.model_changes.recording import (
    record_change,
    target_of,
    together,
    unnamed_target,
)
from trackmate.pipeline import is_recording, never_raise
from trackmate.registry import Registration, concrete_model, registrations
from trackmate.triggers.installed import has_triggers


@dataclass(frozen=True, slots=True)
class Link:
    """One side of a many-to-many relation, as a registered model has it."""

    registration: Registration
    name: str
    """The name of the field, or of the accessor on the other side."""
    through: type[Model]
    owner: ForeignKey[Any, Any]
    """The foreign key of `through` to the model."""
    other: ForeignKey[Any, Any]
    """The one to the model on the other side."""
    is_forward: bool = True
    """Whether the model has the field."""
    is_symmetrical: bool = False

    @property
    def model(self) -> type[Model]:
        """The registered model."""
        return self.registration.model

    @property
    def other_model(self) -> type[Model]:
        """The model on the other side."""
        return concrete_model(self.other.related_model)

    def refer_to(self, key: Any) -> Reference:
        """Return an object of the other side."""
        return Reference(self.other_model, key, self.other.target_field.attname, None)

    def read(
        self, using: str, keys: Iterable[Any], *, by_other: bool = False
    ) -> list[tuple[Any, Any]]:
        """Return the keys of both sides for what is linked to some keys of one side."""
        side = self.other if by_other else self.owner
        rows = stored_rows(self.through, using).filter(**{f"{side.name}__in": list(keys)})
        return list(rows.values_list(self.owner.attname, self.other.attname))


@cache
def all_links() -> tuple[Link, ...]:
    """Return the sides of many-to-many relations that are recorded."""
    return tuple(_find_links())


def _find_links() -> Iterator[Link]:
    for registration in registrations():
        for field in registration.m2m_fields:
            yield _forward(registration, field)
        for relation in registration.model._meta.related_objects:
            pointing: Any = relation.field
            if isinstance(pointing, ManyToManyField) and not relation.hidden:
                name = relation.get_accessor_name()
                if name and registration.records_m2m(name):
                    owner, other = _foreign_keys(pointing)
                    yield Link(
                        registration, name, _through(pointing), other, owner, is_forward=False
                    )


def _forward(registration: Registration, field: ManyToManyField[Any, Any]) -> Link:
    owner, other = _foreign_keys(field)
    return Link(
        registration,
        field.name,
        _through(field),
        owner,
        other,
        is_symmetrical=bool(getattr(field.remote_field, "symmetrical", False)),
    )


def _through(field: Any) -> type[Model]:
    through: type[Model] = field.remote_field.through
    return through


def _foreign_keys(field: Any) -> tuple[Any, Any]:
    through = _through(field)._meta
    return (
        through.get_field(field.m2m_field_name()),
        through.get_field(field.m2m_reverse_field_name()),
    )


@cache
def linking_fields(through: type[Model]) -> tuple[Any, Any] | None:
    """Return the foreign keys of a through model to both sides, or None if it is not one."""
    for model in apps.get_models():
        for field in model._meta.local_many_to_many:
            if _through(field) is through:
                return _foreign_keys(field)
    return None


def links_through(through: type[Model]) -> list[Link]:
    """Return the recorded sides of a relation."""
    return [each for each in all_links() if each.through is through]


def links_of(model: type[Model]) -> list[Link]:
    """Return the recorded relations of a model."""
    return [each for each in all_links() if each.model is model]


def links_to(model: type[Model]) -> list[Link]:
    """Return the recorded relations whose other side is a model."""
    return [each for each in all_links() if each.other_model is model]


@never_raise
def on_m2m_changed(
    *,
    sender: type[Model],
    instance: Model,
    action: str,
    reverse: bool,
    pk_set: Collection[Any] | None,
    using: str,
    **_kwargs: Any,
) -> None:
    """Record what a relation gets, after it is there, and what it loses, before it is gone."""
    if not is_recording() or action not in ("post_add", "pre_remove", "pre_clear"):
        return
    links = [each for each in links_through(sender) if not has_triggers(each.registration, using)]
    is_object = not sender._meta.auto_created
    if not links or (is_object and action != "post_add"):
        # Django deletes rows that are objects as such, with their signals.
        return
    pairs = [(instance.pk, key) for key in pk_set or ()]
    if action != "post_add":
        # Those that Django is asked to remove need not be there.
        link = links[0]
        near = link.owner if link.is_forward is not reverse else link.other
        far = link.other if near is link.owner else link.owner
        rows = stored_rows(sender, using).filter(**{near.name: instance.pk})
        if action == "pre_remove":
            rows = rows.filter(**{f"{far.name}__in": pk_set})
        pairs = list(rows.values_list(near.attname, far.attname))
    name = "added" if action == "post_add" else "removed"
    if reverse:
        pairs = [(source, target) for target, source in pairs]
    with together(using):
        record_pairs(links, pairs, name, using=using, instance=instance)


def record_pairs(
    links: Iterable[Link],
    pairs: Sequence[tuple[Any, Any]],
    name: str,
    *,
    using: str,
    instance: Model | None = None,
    cause: str = "",
) -> None:
    """Record the pairs (source, target) that a relation has got or lost, "added" or "removed"."""
    for link in links:
        found = list(pairs) if link.is_forward else [(owner, other) for other, owner in pairs]
        if link.is_symmetrical:
            found = list(dict.fromkeys([*found, *((other, owner) for owner, other in found)]))
        others: dict[Any, list[Any]] = {}
        for owner, other in found:
            others.setdefault(owner, []).append(other)
        owners = existing_owners(link, others.keys(), using)
        for owner, keys in others.items():
            if owner in owners:
                record_links(link, owner, keys, name, using=using, instance=instance, cause=cause)


def existing_owners(link: Link, owners: Collection[Any], using: str) -> set[Any]:
    """Return the owners that are objects of the registered model: a child inherits the fields of
    its parent, but not each object of the parent is one of the child."""
    if not owners or concrete_model(link.owner.related_model) is link.model:
        return set(owners)
    rows = stored_rows(link.model, using).filter(pk__in=owners)
    return set(rows.values_list("pk", flat=True))


def record_links(
    link: Link,
    owner: Any,
    keys: Sequence[Any],
    name: str,
    *,
    using: str,
    instance: Model | None = None,
    cause: str = "",
) -> None:
    """Record what one object's field has got or lost."""
    is_it = isinstance(instance, link.model) and instance.pk == owner
    target = (
        target_of(instance, link.registration)
        if is_it and instance is not None
        else unnamed_target(link.model, owner, using)
    )
    change: dict[str, list[Any]] = {"added": [], "removed": []}
    change[name] = [link.refer_to(key) for key in keys]
    extra = {"cause": cause} if cause else None
    record_change(
        link.registration, "update", target, {link.name: change}, using=using, extra=extra
    )


@never_raise
def after_through_save(*, instance: Model, created: bool, using: str, **_kwargs: Any) -> None:
    """Record a link that was made as an object of a through model."""
    if created and is_recording():
        record_link_of(instance, "added", using)


def record_through_delete(instance: Model, using: str, cause: str, gone: Collection[Any]) -> None:
    """Record a link that was deleted as an object, unless the side that had it is gone as well."""
    for link in links_through(type(instance)):
        if (link.model, getattr(instance, link.owner.attname)) not in gone:
            record_link_of(instance, "removed", using, cause, [link])


def record_link_of(
    instance: Model,
    name: str,
    using: str,
    cause: str = "",
    links: Sequence[Link] | None = None,
) -> None:
    """Record what an object of a through model links."""
    for link in links_through(type(instance)) if links is None else links:
        owner = getattr(instance, link.owner.attname)
        other = getattr(instance, link.other.attname)
        record_links(link, owner, [other], name, using=using, cause=cause)
