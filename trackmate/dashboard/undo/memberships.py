"""Many-to-many fields, seen from either side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import ManyToManyField, ManyToManyRel
from django.utils.translation import gettext as _

from trackmate.dashboard.undo.values import UnknownValueError, key_of_label, restore_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A many-to-many field of a model, or of another model that points to it."""

    attribute: str
    """The name of its manager."""
    through: Any
    source: str
    """The field of `through` that points to the object."""
    target: str
    """The field of `through` that points to the members."""
    members: type[Model]

    @classmethod
    def find(cls, model: type[Model], name: str) -> Membership | None:
        """Return the many-to-many field of a name, or None."""
        field: Any
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            reverse = (each for each in model._meta.related_objects if each.many_to_many)
            field = next((each for each in reverse if each.get_accessor_name() == name), None)
        if isinstance(field, ManyToManyField):
            return cls(
                attribute=field.name,
                through=field.remote_field.through,
                source=field.m2m_field_name(),
                target=field.m2m_reverse_field_name(),
                members=field.remote_field.model,
            )
        if isinstance(field, ManyToManyRel):
            return cls(
                attribute=field.get_accessor_name() or "",
                through=field.through,
                source=field.field.m2m_reverse_field_name(),
                target=field.field.m2m_field_name(),
                members=field.related_model,
            )
        return None

    def parse(self, entries: Any) -> dict[Any, Any]:
        """Return recorded members by their keys. Raise UnknownValueError for what is none."""
        if not isinstance(entries, list):
            raise UnknownValueError(_("The recorded value does not fit the field any more."))
        parsed: dict[Any, Any] = {}
        for entry in entries:
            key = restore_value(self.members._meta.pk, key_of_label(self.members._meta.pk, entry))
            if key is None:
                raise UnknownValueError(_("The recorded value does not fit the field any more."))
            parsed[key] = entry
        return parsed

    def present(self, instance: Model, alias: str) -> set[Any]:
        """Return the keys of the members that an object has, hidden ones included."""
        rows = self.through._base_manager.using(alias).filter(**{f"{self.source}__pk": instance.pk})
        return set(rows.values_list(f"{self.target}__pk", flat=True))

    def missing(self, keys: Iterable[Any], alias: str) -> set[Any]:
        """Return the keys of members that do not exist any more."""
        wanted = set(keys)
        found = self.members._base_manager.using(alias).filter(pk__in=wanted)
        return wanted - set(found.values_list("pk", flat=True))

    def change(self, instance: Model, *, add: Iterable[Any], remove: Iterable[Any]) -> None:
        """Add and remove members, by the project's own manager."""
        manager: Any = getattr(instance, self.attribute)
        members = self.members._base_manager.using(instance._state.db)
        # Objects, since the column may hold something else than the key.
        if gone := members.filter(pk__in=set(remove)):
            manager.remove(*gone)
        if back := members.filter(pk__in=set(add)):
            manager.add(*back)
