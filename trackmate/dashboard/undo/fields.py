"""What undoing a change would do to each field."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldDoesNotExist
from django.db import router
from django.db.models import FileField
from django.utils.translation import gettext as _

from trackmate.activity import safe_str
from trackmate.dashboard.detail.diff import parse_changes
from trackmate.dashboard.undo.memberships import Membership
from trackmate.dashboard.undo.values import (
    UnknownValueError,
    describe_value,
    holds_value,
    restore_value,
)
from trackmate.history.values import is_members_change, is_pair
from trackmate.redaction.redactor import get_redactor
from trackmate.registry import registration_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from django.db.models import Model

    from trackmate.dashboard.detail.diff import Change
    from trackmate.dashboard.undo.subjects import Subject


class State(StrEnum):
    """What would happen to a field, or to all of them."""

    READY = "ready"
    """It can be put back."""
    SAME = "same"
    """It is already as it was."""
    CONFLICT = "conflict"
    """Somebody has changed it since."""
    REFUSED = "refused"
    """It cannot be put back."""
    AUTOMATIC = "automatic"
    """The model sets it by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPlan:
    """What would happen to one field."""

    name: str
    """Its recorded name."""
    state: State
    shown: Any = None
    """What is shown side by side, as `[left, right]`, or as the members added and removed."""
    reason: str = ""
    """Why it cannot be put back."""
    field: Any = None
    """The field as the model has it now."""
    value: Any = None
    """The value to put back."""
    membership: Membership | None = None
    add: Collection[Any] = ()
    remove: Collection[Any] = ()
    """The keys of members to add and to remove."""

    @property
    def change(self) -> Change:
        """Both values with the words marked that differ."""
        (change,) = parse_changes({self.name: self.shown})
        return change


@dataclass(frozen=True, slots=True)
class FieldPlanner:
    """Compares the recorded changes of an object with the object as it is."""

    subject: Subject
    instance: Model
    is_new: bool = False
    """Whether the object has to be created."""
    parents: frozenset[type[Model]] = frozenset()
    """The models that it inherits from whose part of it is there."""

    def plan_all(self, changes: Mapping[str, Any]) -> Iterable[FieldPlan]:
        for name, change in changes.items():
            try:
                plan = self._plan(name, change)
            except UnknownValueError as error:
                yield FieldPlan(
                    name=name, state=State.REFUSED, shown=_shown(change), reason=str(error)
                )
            else:
                if plan is not None:
                    yield plan

    def _plan(self, name: str, change: Any) -> FieldPlan | None:
        current = current_name(self.subject.model, name)
        if is_members_change(change):
            return self._plan_members(name, current, change)
        if not is_pair(change):
            raise UnknownValueError(_("The log has no values for this."))
        field = self._field(current)
        if is_key(field):
            if self.subject.is_deleted:
                return None  # it is that of the object
            raise UnknownValueError(_("The key of an object cannot be changed."))
        if is_automatic(field):
            return FieldPlan(name=name, state=State.AUTOMATIC, shown=change)
        return self._plan_field(name, field, *change)

    def _field(self, name: str) -> Any:
        try:
            field = self.subject.model._meta.get_field(name)
        except FieldDoesNotExist:
            raise UnknownValueError(_("This field does not exist any more.")) from None
        if not getattr(field, "concrete", False) or field.many_to_many:
            raise UnknownValueError(_("This field does not exist any more."))
        return field

    def _plan_field(self, name: str, field: Any, old: Any, new: Any) -> FieldPlan:
        value = restore_value(field, old)
        if self.is_new and field.model not in self.parents:
            self._refuse_missing(field, value, old)
            return FieldPlan(
                name=name, state=State.READY, shown=[None, old], field=field, value=value
            )
        present = _attribute(self.instance, field)
        if holds_value(field, present, old):
            return FieldPlan(name=name, state=State.SAME, shown=[old, old], field=field)
        expected = old if self.subject.is_deleted else new
        if self.subject.is_deleted or not holds_value(field, present, expected):
            shown = [expected, self._describe(field, present)]
            return FieldPlan(name=name, state=State.CONFLICT, shown=shown, field=field)
        self._refuse_missing(field, value, old)
        return FieldPlan(name=name, state=State.READY, shown=[new, old], field=field, value=value)

    def _refuse_missing(self, field: Any, value: Any, recorded: Any) -> None:
        """Raise UnknownValueError if what a value points to is gone."""
        if value is None or value == "":
            return
        if isinstance(field, FileField) and not _is_stored(field, value):
            raise UnknownValueError(
                _("The file %(name)s does not exist any more.") % {"name": value}
            )
        if field.is_relation and self._related(field, value) is None:
            raise UnknownValueError(_gone_text(recorded))

    def _related(self, field: Any, value: Any) -> Model | None:
        model = field.remote_field.model
        # It need not be in the same database.
        alias = router.db_for_write(model, instance=self.instance)
        related = model._base_manager.using(alias)
        found: Model | None = related.filter(**{field.target_field.attname: value}).first()
        return found

    def _describe(self, field: Any, present: Any) -> Any:
        """Return a present value to show it, with the secrets masked as in the log."""
        registration = registration_of(self.subject.model)
        shown = describe_value(field, present)
        if shown is not None and registration and field.name in registration.options.mask:
            raise UnknownValueError(_("The value is masked in the log."))
        if shown is not None and field.is_relation:
            related = self._related(field, present)
            shown = {"value": shown, "label": "" if related is None else safe_str(related)}
        elif shown is not None and field.flatchoices:
            shown = {"value": shown, "label": str(dict(field.flatchoices).get(present, ""))}
        return next(iter(get_redactor().mask_data({field.name: shown}).values()))

    def _plan_members(self, name: str, current: str, change: Mapping[str, Any]) -> FieldPlan:
        membership = Membership.find(self.subject.model, current)
        if membership is None:
            raise UnknownValueError(_("This field does not exist any more."))
        added = membership.parse(change.get("added") or [])
        removed = membership.parse(change.get("removed") or [])
        present = membership.present(self.instance, self.subject.alias)
        entries = {**added, **removed}
        of_change = present & entries.keys()
        shown = {"added": [*removed.values()], "removed": [*added.values()]}
        if of_change == removed.keys():
            return FieldPlan(name=name, state=State.SAME, shown=shown, membership=membership)
        if of_change != added.keys() and not self.is_new:
            expected = [*added.values()], [entries[key] for key in entries if key in of_change]
            shown_pair = [each or None for each in expected]
            return FieldPlan(
                name=name, state=State.CONFLICT, shown=shown_pair, membership=membership
            )
        if missing := membership.missing(removed, self.subject.alias):
            raise UnknownValueError(_gone_text(removed[next(iter(missing))]))
        return FieldPlan(
            name=name,
            state=State.READY,
            shown=shown,
            membership=membership,
            add=[*removed],
            remove=[*added],
        )


def is_key(field: Any) -> bool:
    """Return True for a primary key, a part of one, and a link to the table of a parent."""
    is_link = field.is_relation and field.remote_field.parent_link
    return bool(field.primary_key or is_link or field in field.model._meta.pk_fields)


def is_automatic(field: Any) -> bool:
    """Return True for a field whose value nobody can choose."""
    return bool(getattr(field, "generated", False) or getattr(field, "auto_now", False))


def current_name(model: type[Model], name: str) -> str:
    """Return the present name of a field that the project says it has renamed."""
    registration = registration_of(model)
    return name if registration is None else registration.options.renamed.get(name, name)


def _attribute(instance: Model, field: Any) -> Any:
    # Not the related object, which would be fetched; of a file not its column, but its descriptor.
    return getattr(instance, field.attname)


def _is_stored(field: Any, name: str) -> bool:
    try:
        return bool(field.storage.exists(name))
    except Exception:  # noqa: BLE001 (any storage; without an answer the file may be gone)
        return False


def _gone_text(recorded: Any) -> str:
    if isinstance(recorded, dict):
        key, label = recorded.get("value"), recorded.get("label")
        recorded = f"{label} ({key})" if label else key
    return _("%(object)s does not exist any more.") % {"object": recorded}


def _shown(change: Any) -> Any:
    """Return a recorded change in a form that can be shown side by side."""
    return change if is_pair(change) or is_members_change(change) else [None, change]
