"""The state of an object at a time, from its recorded changes and from what it is now."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Field, ManyToManyField, Model
from django.db.models.fields.files import FieldFile

from trackmate.clock import aware, lowest_uuid7
from trackmate.history.labels import add_labels
from trackmate.history.replay import Replay
from trackmate.history.values import (
    FieldValues,
    MaskedText,
    Reference,
    label_of_value,
    parse_reference,
    parse_value,
    target_of,
)
from trackmate.models import ActivityLog
from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.redactor import get_redactor
from trackmate.redaction.text import MAX_TEXT
from trackmate.registry import registration_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    replay = Replay(shape.present_name)
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
        model = about.model
        registration = None if model is None else registration_of(model)
        options = None if registration is None else registration.options
        self.renamed: Mapping[str, str] = {} if options is None else options.renamed
        self.masked = frozenset(() if options is None else options.mask)
        self.recorded = () if registration is None else registration.fields
        self.recorded_m2m = () if registration is None else registration.m2m_fields
        self.fields: dict[str, Any] = {}
        if model is not None:
            meta = model._meta
            self.fields = {each.name: each for each in (*meta.concrete_fields, *meta.many_to_many)}

    @property
    def related_models(self) -> dict[str, type[Model]]:
        """The models whose primary keys the relations of the model contain."""
        relations = {name: each for name, each in self.fields.items() if each.is_relation}
        return {
            name: each.remote_field.model
            for name, each in relations.items()
            if not each.primary_key and _points_to_key(each)
        }

    def present_name(self, name: str) -> str:
        """Return the name that a field has now; a name that the model has stays as it is."""
        for _step in self.renamed:
            if name in self.fields or name not in self.renamed:
                break
            name = self.renamed[name]
        return name

    def build(self, replay: Replay, present: Model | None) -> FieldValues:
        """Return the fields of the object, in the order of the model."""
        known: dict[str, Any] = {}
        for field in self.recorded:
            if replay.is_created or replay.is_deleted:
                known[field.name] = None
            elif present is not None:
                known[field.name] = self._present_value(field, present)
            if field.primary_key and self.about.pk is not None:
                known[field.name] = parse_value(field, self.about.pk)
        for m2m in self.recorded_m2m:
            if replay.is_created or present is not None:
                known[m2m.name] = [] if present is None else _present_members(m2m, present)
        values = FieldValues()
        recorded = {**replay.values, **replay.members}
        for name in (*self.fields, *(each for each in recorded if each not in self.fields)):
            if name in replay.values:
                self._add_recorded(values, name, replay.values[name])
            elif name in replay.members:
                values[name] = self._members(name, replay.members[name], known.get(name))
            elif name in known:
                values[name] = known[name]
                self._add_choice(values, name)
        values.gone = {name for name in recorded if name not in self.fields}
        values.versions = dict(replay.versions)
        return values

    def _add_recorded(self, values: FieldValues, name: str, value: Any) -> None:
        field = self.fields.get(name)
        is_relation = field is not None and field.is_relation
        values[name] = parse_value(field, value)
        if label := "" if is_relation or field is None else label_of_value(value):
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
        self, name: str, decided: dict[str, tuple[bool, Any]], present: list[Reference] | None
    ) -> list[Any]:
        """Return the members that were recorded, and those that no change mentions."""
        field = self.fields.get(name)
        field = field if field is not None and field.is_relation else None
        unchanged = [each for each in present or () if str(each.key) not in decided]
        recorded = [
            parse_reference(field, each) for was_member, each in decided.values() if was_member
        ]
        return _sorted([*unchanged, *recorded])

    def _present_value(self, field: Field[Any, Any], present: Model) -> Any:
        value = getattr(present, field.attname)
        if isinstance(value, FieldFile):
            value = value.name or ""
        if value is None:
            return None
        if field.name in self.masked or _is_secret(field.name, value):
            return MaskedText(MASK)
        return Reference(value) if field.is_relation else value


def _points_to_key(field: Any) -> bool:
    target = field.remote_field.model._meta.pk if field.many_to_many else field.target_field
    return bool(target.primary_key)


def _is_secret(name: str, value: Any) -> bool:
    """Return True if a value would have been masked if it had been recorded."""
    text = value[:MAX_TEXT] if isinstance(value, str) else value
    masked: bool = get_redactor().mask_data({name: text})[name] == MASK
    return masked


def _present_members(field: ManyToManyField[Any, Any], present: Model) -> list[Reference]:
    """Return the members of a many-to-many field, from its own table."""
    through: Any = field.remote_field.through
    column = through._meta.get_field(field.m2m_reverse_field_name())
    links = through._base_manager.filter(**{field.m2m_field_name(): present})
    target = target_of(field)
    assert target is not None
    keys = {target.to_python(key) for key in links.values_list(column.attname, flat=True)}
    return _sorted(map(Reference, keys))


def _sorted(references: Any) -> list[Any]:
    each: Callable[[Any], Any] = lambda item: item.key if isinstance(item, Reference) else item  # noqa: E731
    found = list(references)
    try:
        return sorted(found, key=each)
    except TypeError:
        return sorted(found, key=lambda item: str(each(item)))
