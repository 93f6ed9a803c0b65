"""The state of an object at a time, from its recorded changes and from what it is now."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Field, ManyToManyField, Model
from django.db.models.fields.files import FieldFile

from trackmate.clock import aware, lowest_uuid7
from trackmate.history.labels import add_labels
from trackmate.history.replay import StateReplay
from trackmate.history.values import (
    FieldValues,
    MaskedText,
    RelatedObject,
    key_of_model,
    label_of_value,
    parse_reference,
    parse_value,
)
from trackmate.models import ActivityLog
from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.redactor import get_redactor
from trackmate.redaction.text import MAX_TEXT
from trackmate.registry import Options, registration_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

    from trackmate.models.object_keys import ObjectKey

_MICROSECOND = timedelta(microseconds=1)
_LAST = UUID(int=2**128 - 1)


def upper_bound(moment: Any) -> UUID:
    """Return the key that all activities up to a time are lower than."""
    if isinstance(moment, ActivityLog):
        return UUID(int=min(moment.pk.int + 1, _LAST.int))
    if not isinstance(moment, date):
        raise TypeError(f"Expected a datetime, a date or an activity, got {moment!r}.")
    try:
        return lowest_uuid7(aware(moment) + _MICROSECOND)
    except OverflowError:
        return _LAST


def reconstruct(
    about: ObjectKey, bound: UUID, rows: QuerySet[ActivityLog], *, with_present: bool
) -> FieldValues | None:
    """Return the fields of an object after the activities with lower keys than `bound`."""
    shape = _Shape(about)
    replay = StateReplay(shape.present_name)
    replay.run(rows, about, bound)
    if replay.is_absent:
        return None
    is_current = not (replay.is_created or replay.is_deleted or replay.is_interrupted)
    present = _load(about) if is_current and with_present else None
    if present is None and not replay.is_known:
        return None
    values = shape.build(replay, present)
    add_labels(values, shape.related_models, rows, bound, with_present=with_present)
    return values


def _load(about: ObjectKey) -> Model | None:
    """Return the object as it is now, whatever its default manager hides."""
    if about.model is None or about.pk is None:
        return None
    return about.model._base_manager.filter(pk=about.pk).first()


class _Shape:
    """The fields of a model, and what they were called before."""

    def __init__(self, about: ObjectKey) -> None:
        self.about = about
        self.fields: dict[str, Field[Any, Any]] = {}
        self.relations: dict[str, Any] = {}
        """Many-to-many fields, and those of other models that point here, by their accessor."""
        registration = None
        if about.model is not None:
            meta, registration = about.model._meta, registration_of(about.model)
            self.fields = {each.name: each for each in meta.concrete_fields}
            self.relations = {each.name: each for each in meta.many_to_many}
            self.relations |= {
                str(each.get_accessor_name()): each
                for each in meta.related_objects
                if each.many_to_many and not each.hidden
            }
        options = Options() if registration is None else registration.options
        self.renamed, self.masked = options.renamed, frozenset(options.mask)
        self.recorded = () if registration is None else registration.fields
        self.recorded_relations = [
            name
            for name in self.relations
            if registration is not None and registration.records_m2m(name)
        ]

    @property
    def related_models(self) -> dict[str, type[Model]]:
        """The models whose primary keys the relations of the model contain."""
        keys = {
            name: each.related_model
            for name, each in self.fields.items()
            if each.is_relation and each.target_field.primary_key and not each.primary_key  # type: ignore[attr-defined]
        }
        return {**keys, **{name: each.related_model for name, each in self.relations.items()}}

    def present_name(self, name: str) -> str:
        """Return the name that a field has now; a name that the model has stays as it is."""
        for _step in self.renamed:
            if self._has(name) or name not in self.renamed:
                break
            name = self.renamed[name]
        return name

    def build(self, replay: StateReplay, present: Model | None) -> FieldValues:
        """Return the fields of the object, in the order of the model."""
        known = self._unchanged(replay, present)
        recorded = {**replay.values, **replay.members}
        values = FieldValues()
        values.gone = {name for name in recorded if not self._has(name)}
        values.versions = dict(replay.versions)
        for name in dict.fromkeys((*self.fields, *self.relations, *recorded)):
            if name in replay.values:
                self._add_recorded(values, name, replay.values[name])
            elif name in replay.members:
                values[name] = self._members(name, replay.members[name], known.get(name))
            elif name in known:
                values[name] = known[name]
                self._add_choice(values, name)
        return values

    def _has(self, name: str) -> bool:
        return name in self.fields or name in self.relations

    def _unchanged(self, replay: StateReplay, present: Model | None) -> dict[str, Any]:
        """Return the values of recorded fields that no change mentions, where they are known."""
        known: dict[str, Any] = {}
        for field in self.recorded:
            if field.primary_key:
                known[field.name] = parse_value(field, self.about.pk)
            elif replay.is_created or replay.is_deleted:
                known[field.name] = None
            elif present is not None:
                known[field.name] = self._present_value(field, present)
        for name in self.recorded_relations:
            if present is not None:
                known[name] = _present_members(self.relations[name], present)
            elif replay.is_created:
                known[name] = []
        return known

    def _add_recorded(self, values: FieldValues, name: str, value: Any) -> None:
        field = self.fields.get(name)
        values[name] = parse_value(field, value)
        label = "" if field is None or field.is_relation else label_of_value(value)
        if label:
            values.labels[name] = label
        else:
            self._add_choice(values, name)

    def _add_choice(self, values: FieldValues, name: str) -> None:
        """Add the label that a choice has now."""
        choices = getattr(self.fields.get(name), "flatchoices", None)
        with suppress(TypeError):  # of a value that cannot be a key
            if choices and (label := dict(choices).get(values[name])) is not None:
                values.labels[name] = str(label)

    def _members(
        self, name: str, decided: dict[str, tuple[bool, Any]], present: list[Any] | None
    ) -> list[Any]:
        """Return the members that were recorded, and those that no change mentions."""
        relation = self.relations.get(name)
        target = None if relation is None else key_of_model(relation.related_model)
        unchanged = [each for each in present or () if str(each.key) not in decided]
        recorded = (each for was_member, each in decided.values() if was_member)
        return _sorted([*unchanged, *(parse_reference(target, each) for each in recorded)])

    def _present_value(self, field: Field[Any, Any], present: Model) -> Any:
        value = getattr(present, field.attname)
        if isinstance(value, FieldFile):
            value = value.name or None
        if value is None:
            return None
        if field.name in self.masked or _is_secret(field.name, value):
            return MaskedText(MASK)
        return RelatedObject(value) if field.is_relation else value


def _is_secret(name: str, value: Any) -> bool:
    """Return True if a value would have been masked if it had been recorded."""
    text = value[:MAX_TEXT] if isinstance(value, str) else value
    masked: bool = get_redactor().mask_data({name: text})[name] == MASK
    return masked


def _present_members(relation: Any, present: Model) -> list[Any]:
    """Return the members of a many-to-many relation, of either side, from its own table."""
    field: Any = relation if isinstance(relation, ManyToManyField) else relation.field
    own, other = field.m2m_field_name(), field.m2m_reverse_field_name()
    if field is not relation:
        own, other = other, own
    through, target = field.remote_field.through, key_of_model(relation.related_model)
    column = through._meta.get_field(other).attname
    links = through._base_manager.filter(**{own: present.pk})
    keys = set(links.values_list(column, flat=True))
    return _sorted(RelatedObject(key if target is None else target.to_python(key)) for key in keys)


def _sorted(members: Iterable[Any]) -> list[Any]:
    """Return members by their key."""
    found = [(getattr(each, "key", each), each) for each in members]
    try:
        found.sort(key=itemgetter(0))
    except TypeError:
        found.sort(key=lambda pair: str(pair[0]))
    return [each for _key, each in found]
