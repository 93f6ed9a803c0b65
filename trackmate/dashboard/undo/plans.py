"""What undoing a change would do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from trackmate.dashboard.undo.fields import (
    FieldPlan,
    FieldPlanner,
    State,
    current_name,
    is_automatic,
    is_key,
)
from trackmate.dashboard.undo.subjects import GoneError, Subject, is_undoable
from trackmate.registry import registration_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from django.db.models import Model

    from trackmate.models import ActivityLog


@dataclass(frozen=True, kw_only=True)
class UndoPlan:
    """What undoing a change, or a part of it, would do."""

    row: ActivityLog
    subject: Subject | None = None
    instance: Model | None = None
    """The object as it is, or the one to create, not changed yet."""
    is_new: bool = False
    """Whether the object has to be created."""
    fields: tuple[FieldPlan, ...] = ()
    reason: str = ""
    """Why nothing can be put back."""
    problems: tuple[str, ...] = ()
    """What the model says against the values."""
    defaults: tuple[str, ...] = ()
    """The fields of an object to create that get their default, or none, for want of a value."""
    parents: frozenset[type[Model]] = frozenset()
    """The models that an object to create inherits from, and whose part of it is there."""
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
        if self.is_deletion and not self.fields:
            # Its key is all that it has.
            return State.READY if self.is_new else State.SAME
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


def make_plan(row: ActivityLog, names: Collection[str] = (), *, lock: bool = False) -> UndoPlan:
    """Return what undoing a change would do to these fields, or to all.

    With `lock` the object stays as it is until the transaction ends.
    """
    if not is_undoable(row):
        return UndoPlan(
            row=row, reason=_("Only an update or a deletion of an object can be undone.")
        )
    changes = row.changes if isinstance(row.changes, dict) else {}
    chosen = {name: changes[name] for name in changes if not names or name in names}
    if not chosen:
        return UndoPlan(row=row, reason=_("The log has no values for this."))
    try:
        subject = Subject.of_row(row)
    except GoneError as error:
        return UndoPlan(row=row, reason=str(error))
    instance = subject.find(lock=lock)
    is_part = len(chosen) < len(changes)
    if subject.is_deleted:
        return _plan_creation(row, subject, instance, chosen, is_part=is_part)
    if instance is None:
        reason = _("This object does not exist any more. Put back its deletion first.")
        return UndoPlan(row=row, subject=subject, reason=reason)
    plans = tuple(FieldPlanner(subject, instance).plan_all(chosen))
    return UndoPlan(row=row, subject=subject, instance=instance, fields=plans, is_part=is_part)


def _plan_creation(
    row: ActivityLog,
    subject: Subject,
    present: Model | None,
    changes: Mapping[str, Any],
    *,
    is_part: bool,
) -> UndoPlan:
    parents = subject.find_parents() if present is None else {}
    instance = _new_instance(subject, parents) if present is None else present
    planner = FieldPlanner(subject, instance, is_new=present is None, parents=frozenset(parents))
    plans = tuple(planner.plan_all(changes))
    reason = ""
    if present is not None and any(each.state == State.CONFLICT for each in plans):
        reason = _("There is an object with this key again, with other values.")
    return UndoPlan(
        row=row,
        subject=subject,
        instance=instance,
        is_new=present is None,
        fields=plans,
        reason=reason,
        defaults=tuple(_unknown_names(subject.model, row.changes or {}, changes, parents)),
        parents=frozenset(parents),
        is_part=is_part,
    )


def _new_instance(subject: Subject, parents: Mapping[type[Model], Model]) -> Model:
    """Return an object with a key, and with the values of parents that are there already."""
    instance = subject.model(pk=subject.key)
    for parent in parents.values():
        for each in parent._meta.concrete_fields:
            setattr(instance, each.attname, getattr(parent, each.attname))
    return instance


def _unknown_names(
    model: type[Model],
    recorded: Mapping[str, Any],
    chosen: Mapping[str, Any],
    parents: Collection[type[Model]],
) -> Iterable[str]:
    """Yield the fields for which there is no value; of those that may be null, only if that may not
    be why they are not recorded."""
    registration = registration_of(model)
    known = {current_name(model, name) for name in chosen}
    left_out = {current_name(model, name) for name in recorded} - known
    for each in model._meta.concrete_fields:
        if each.name in known or each.model in parents or is_key(each) or is_automatic(each):
            continue
        is_unrecorded = registration is not None and each not in registration.fields
        if each.name in left_out or is_unrecorded or not each.null:
            yield each.name
