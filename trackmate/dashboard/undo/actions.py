"""Putting back: checking what would happen, and doing it as the person."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django.utils.translation import gettext as _

from trackmate.context.binding import bind
from trackmate.dashboard.http.permissions import user_of
from trackmate.dashboard.undo.plans import UndoPlan, make_plan
from trackmate.dashboard.undo.subjects import GoneError, Subject
from trackmate.dashboard.undo.values import normalize
from trackmate.diagnostics import summarize_error
from trackmate.signals import change_undone

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import Model
    from django.http import HttpRequest

    from trackmate.models import ActivityLog

logger = logging.getLogger("trackmate")


class _RefusedError(Exception):
    """What was put back is not in the database."""

    def __init__(self, plan: UndoPlan) -> None:
        super().__init__()
        self.plan = plan


def preview(row: ActivityLog, names: Collection[str] = ()) -> UndoPlan:
    """Return what undoing a change would do, after the model itself was asked. Nothing is saved."""
    plan = make_plan(row, names)
    if not plan.is_ready or plan.subject is None:
        return plan
    try:
        with transaction.atomic(using=plan.subject.alias):
            _set_values(plan)
            _check(plan)
            # Whatever the project's checks have written is rolled back.
            transaction.set_rollback(True, using=plan.subject.alias)
    except Exception as error:  # noqa: BLE001 (the project's code)
        return replace(plan, problems=_explain(error))
    return plan


def put_back(
    request: HttpRequest, row: ActivityLog, names: Collection[str] = (), *, reason: str
) -> UndoPlan:
    """Undo a change, or a part of it; return what was done, or why it was not.

    What is done is recorded with the person as actor, with the reason, and with the key of the
    undone activity as `undo_of`.
    """
    try:
        alias = Subject.of_row(row).alias
    except GoneError:
        return make_plan(row, names)
    with bind(actor=user_of(request), reason=reason, undo_of=str(row.pk)):
        try:
            with transaction.atomic(using=alias):
                plan = make_plan(row, names, lock=True)
                if not plan.is_ready:
                    return plan
                plan = _save(plan)
        except _RefusedError as refused:
            return refused.plan
        except Exception as error:  # noqa: BLE001 (the project's code, or the database)
            # Somebody else may have been faster.
            plan = make_plan(row, names)
            return replace(plan, problems=_explain(error)) if plan.is_ready else plan
        _announce(request, plan, reason)
    return plan


def _save(plan: UndoPlan) -> UndoPlan:
    """Save what a plan says, and return it with what has become of it."""
    assert plan.subject is not None
    assert plan.instance is not None
    columns = [each for each in plan.ready if each.membership is None]
    _set_values(plan)
    if columns or plan.is_deletion:
        _check(plan)
        _save_instance(plan)
    for each in plan.ready:
        if each.membership is not None:
            each.membership.change(plan.instance, add=each.add, remove=each.remove)
    return _verify(plan)


def _set_values(plan: UndoPlan) -> None:
    for each in plan.ready:
        if each.field is not None:
            setattr(plan.instance, _attribute_of(each.field), each.value)


def _attribute_of(field: Any) -> str:
    return str(field.attname)


def _check(plan: UndoPlan) -> None:
    assert plan.instance is not None
    # Django would take the parent's own row for another object with the same values.
    there = {each.name for parent in plan.parents for each in parent._meta.concrete_fields}
    if there:
        plan.instance.full_clean(exclude=there)
    else:
        plan.instance.full_clean()


def _save_instance(plan: UndoPlan) -> None:
    instance, subject = plan.instance, plan.subject
    assert instance is not None
    assert subject is not None
    if not subject.is_deleted:
        instance.save()
        return
    insert = (subject.model,) if plan.parents else True
    instance.save(force_insert=insert, using=subject.alias)
    # An INSERT sets these to the present time, whatever they are.
    stamped = [each for each in plan.ready if getattr(each.field, "auto_now_add", False)]
    for each in stamped:
        setattr(instance, _attribute_of(each.field), each.value)
    if stamped:
        instance.save(update_fields=[each.field.name for each in stamped], using=subject.alias)


def _verify(plan: UndoPlan) -> UndoPlan:
    """Return the plan without the fields that the model's own code has set to something else.

    Raise _RefusedError if that is all of them.
    """
    assert plan.subject is not None
    stored, alias = plan.subject.find(), plan.subject.alias
    lost = [each for each in plan.ready if stored is None or not _is_back(each, stored, alias)]
    if stored is None or (lost and len(lost) == len(plan.ready)):
        problem = _("The project's own code prevented saving it.")
        raise _RefusedError(replace(plan, problems=(problem,)))
    return replace(
        plan,
        fields=tuple(each for each in plan.fields if each not in lost),
        lost=tuple(each.name for each in lost),
    )


def _is_back(each: Any, stored: Model, alias: str) -> bool:
    if each.membership is not None:
        present = each.membership.present(stored, alias)
        return set(each.add) <= present and not present & set(each.remove)
    value = getattr(stored, _attribute_of(each.field))
    return bool(normalize(each.field, value) == normalize(each.field, each.value))


def _explain(error: Exception) -> tuple[str, ...]:
    """Return why something could not be saved, in the words of the model where it has some."""
    if isinstance(error, ValidationError):
        return tuple(_messages(error))
    # Its text may hold values.
    logger.error("A change could not be undone: %s", summarize_error(error))
    if isinstance(error, IntegrityError):
        return (
            _(
                "The database refused it: another object has the same value, or what this one"
                " points to is gone."
            ),
        )
    if isinstance(error, DatabaseError):
        return (_("The database refused it. Try again later."),)
    if isinstance(error, PermissionDenied):
        return (_("The project does not allow it."),)
    name = type(error).__name__
    return (_("The project's own code refused it: %(error)s.") % {"error": name},)


def _messages(error: ValidationError) -> list[str]:
    if not hasattr(error, "error_dict"):
        return list(error.messages)
    return [
        text if name == NON_FIELD_ERRORS else f"{name}: {text}"
        for name, texts in error.message_dict.items()
        for text in texts
    ]


def _announce(request: HttpRequest, plan: UndoPlan, reason: str) -> None:
    assert plan.subject is not None
    changes = plan.row.changes or {}
    change_undone.send_robust(
        sender=plan.subject.model,
        request=request,
        activity=plan.row,
        instance=plan.instance,
        using=plan.subject.alias,
        changes={each.name: _reversed(changes[each.name]) for each in plan.ready},
        reason=reason,
    )


def _reversed(change: Any) -> Any:
    if isinstance(change, dict):
        return {"added": change.get("removed") or [], "removed": change.get("added") or []}
    return [change[1], change[0]]
