"""What undoing a change would do, field by field."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import FileField
from django.utils.translation import gettext as _

from trackmate.activity import safe_str
from trackmate.dashboard.detail.diff import parse_changes
from trackmate.dashboard.undo.memberships import Membership
from trackmate.dashboard.undo.subjects import GoneError, Subject, is_undoable
from trackmate.dashboard.undo.values import (
    UnknownValueError,
    describe_value,
    is_same,
    parse_value,
)
from trackmate.redaction.redactor import get_redactor
from trackmate.registry import registration_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from django.db.models import Model

    from trackmate.dashboard.detail.diff import Change
    from trackmate.models import ActivityLog


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


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What undoing a change, or a part of it, would do."""

    row: ActivityLog
    subject: Subject | None = None
    instance: Model | None = None
    """The object as it is, or the one to create, not changed yet."""
    fields: tuple[FieldPlan, ...] = ()
    reason: str = ""
    """Why nothing can be put back."""
    problems: tuple[str, ...] = field(default=())
    """What the model says against the values."""
    defaults: tuple[str, ...] = ()
    """The fields of an object to create that get their default, or none, for want of a value."""
    lost: tuple[str, ...] = ()
    """The fields that the model's own code has set to something else."""
    is_part: bool = False
    """Whether it is about some of the fields only."""

    @cached_property
    def state(self) -> State:
        """What would happen to all fields: one that cannot be put back holds up the others."""
        if self.reason or self.problems:
            return State.REFUSED
        states = {each.state for each in self.fields}
        for state in (State.REFUSED, State.CONFLICT, State.READY, State.SAME):
            if state in states:
                return state
        return State.REFUSED

    @property
    def is_ready(self) -> bool:
        """Return True if it can be done."""
        return self.state == State.READY

    @property
    def is_done(self) -> bool:
        """Return True if everything is already as it was."""
        return self.state == State.SAME

    @property
    def is_deletion(self) -> bool:
        """Return True if a deleted object would be created again."""
        return self.subject is not None and self.subject.is_deleted

    def of_state(self, *states: State) -> list[FieldPlan]:
        """Return the fields in one of these states."""
        return [each for each in self.fields if each.state in states]

    @property
    def ready(self) -> list[FieldPlan]:
        return self.of_state(State.READY)

    @property
    def same(self) -> list[FieldPlan]:
        return self.of_state(State.SAME)

    @property
    def conflicts(self) -> list[FieldPlan]:
        return self.of_state(State.CONFLICT)

    @property
    def refused(self) -> list[FieldPlan]:
        return self.of_state(State.REFUSED)

    @property
    def automatic(self) -> list[FieldPlan]:
        return self.of_state(State.AUTOMATIC)

    @property
    def possible_names(self) -> list[str]:
        """The names of the fields that can be put back although the others cannot."""
        is_blocked = self.state in (State.CONFLICT, State.REFUSED)
        return [each.name for each in self.ready] if is_blocked and not self.reason else []


def make_plan(row: ActivityLog, names: Collection[str] = (), *, lock: bool = False) -> Plan:
    """Return what undoing a change would do to these fields, or to all.

    With `lock` the object stays as it is until the transaction ends.
    """
    if not is_undoable(row):
        return Plan(row=row, reason=_("Only an update or a deletion of an object can be undone."))
    changes = row.changes if isinstance(row.changes, dict) else {}
    chosen = {name: changes[name] for name in changes if not names or name in names}
    if not chosen:
        return Plan(row=row, reason=_("The log has no values for this."))
    try:
        subject = Subject.of_row(row)
    except GoneError as error:
        return Plan(row=row, reason=str(error))
    instance = subject.find(lock=lock)
    is_part = len(chosen) < len(changes)
    if subject.is_deleted:
        return _plan_creation(row, subject, instance, chosen, is_part=is_part)
    if instance is None:
        reason = _("This object does not exist any more. Put back its deletion first.")
        return Plan(row=row, subject=subject, reason=reason)
    plans = tuple(_Planner(subject, instance).plan_all(chosen))
    return Plan(row=row, subject=subject, instance=instance, fields=plans, is_part=is_part)


def _plan_creation(
    row: ActivityLog,
    subject: Subject,
    present: Model | None,
    changes: Mapping[str, Any],
    *,
    is_part: bool,
) -> Plan:
    if present is None and subject.exists_in_part():
        reason = _("There is another object with this key.")
        return Plan(row=row, subject=subject, reason=reason)
    instance = subject.model(pk=subject.key) if present is None else present
    planner = _Planner(subject, instance, is_new=present is None)
    plans = tuple(planner.plan_all(changes))
    reason = ""
    if present is not None and any(each.state == State.CONFLICT for each in plans):
        reason = _("There is an object with this key again, with other values.")
    return Plan(
        row=row,
        subject=subject,
        instance=instance,
        fields=plans,
        reason=reason,
        defaults=tuple(_unknown_names(subject.model, row.changes, changes)),
        is_part=is_part,
    )


def _unknown_names(
    model: type[Model], recorded: Mapping[str, Any], chosen: Mapping[str, Any]
) -> Iterable[str]:
    """Yield the fields for which there is no value; of those that may be null, only if that may not
    be why they are not recorded."""
    registration = registration_of(model)
    known = {_current_name(model, name) for name in chosen}
    left_out = {_current_name(model, name) for name in recorded} - known
    for field in model._meta.concrete_fields:
        if field.name in known or is_key(field) or is_automatic(field):
            continue
        is_unrecorded = registration is not None and field not in registration.fields
        if field.name in left_out or is_unrecorded or not field.null:
            yield field.name


def is_key(field: Any) -> bool:
    """Return True for a primary key, a part of one, and a link to the table of a parent."""
    is_link = field.is_relation and field.remote_field.parent_link
    return bool(field.primary_key or is_link or field in field.model._meta.pk_fields)


def is_automatic(field: Any) -> bool:
    """Return True for a field whose value nobody can choose."""
    return bool(getattr(field, "generated", False) or getattr(field, "auto_now", False))


@dataclass(frozen=True, slots=True)
class _Planner:
    """Compares the recorded changes of an object with the object as it is."""

    subject: Subject
    instance: Model
    is_new: bool = False
    """Whether the object has to be created."""

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
        current = _current_name(self.subject.model, name)
        if isinstance(change, dict) and change.keys() <= {"added", "removed"}:
            return self._plan_members(name, current, change)
        if not (isinstance(change, list) and len(change) == 2):  # noqa: PLR2004 (old and new)
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
        value = parse_value(field, old)
        if self.is_new:
            self._refuse_missing(field, value, old)
            return FieldPlan(
                name=name, state=State.READY, shown=[None, old], field=field, value=value
            )
        present = _attribute(self.instance, field)
        if is_same(field, present, old):
            return FieldPlan(name=name, state=State.SAME, shown=[old, old], field=field)
        expected = old if self.subject.is_deleted else new
        if self.subject.is_deleted or not is_same(field, present, expected):
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
        related = field.remote_field.model._base_manager.using(self.subject.alias)
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
        return get_redactor().mask_data({field.name: shown})[field.name]

    def _plan_members(self, name: str, current: str, change: Mapping[str, Any]) -> FieldPlan:
        membership = Membership.find(self.subject.model, current)
        if membership is None:
            raise UnknownValueError(_("This field does not exist any more."))
        added = membership.parse(change.get("added") or [])
        removed = membership.parse(change.get("removed") or [])
        present = set() if self.is_new else membership.present(self.instance, self.subject.alias)
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


def _current_name(model: type[Model], name: str) -> str:
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
    is_pair = isinstance(change, list) and len(change) == 2  # noqa: PLR2004 (old and new)
    is_members = isinstance(change, dict) and bool(change) and change.keys() <= {"added", "removed"}
    return change if is_pair or is_members else [None, change]
