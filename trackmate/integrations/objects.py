"""The objects that views look up, create and change, and how they describe a request.

Shared by the integrations of web frameworks; nothing here sends a query.
"""

from __future__ import annotations

from inspect import getattr_static
from typing import Any

from django.db.models import Model

from trackmate.activity import Activity, Target, label_of
from trackmate.capture.actors import loaded_value
from trackmate.db.commitments import Commitment
from trackmate.enums import ActionType, Status
from trackmate.pipeline import never_raise

TYPES = {
    "create": ActionType.CREATE.value,
    "read": ActionType.READ.value,
    "list": ActionType.READ.value,
    "update": ActionType.UPDATE.value,
    "delete": ActionType.DELETE.value,
}
"""The action types of the verbs that end the names of actions."""

METHOD_NOT_ALLOWED = 405
REDIRECTS = frozenset({300, 301, 302, 303, 305, 307, 308})


class Seen:
    """An object that a view has looked up or saved, described as it was then.

    Deleting it later takes its key away, and an invalid form its name.
    """

    def __init__(self, value: Any) -> None:
        self.value = value
        self._is_loaded = loaded_instance(value) is not None
        self._target = describe_instance(value)

    @property
    def instance(self) -> Model | None:
        """The model instance, or None if it is something else or not loaded."""
        return loaded_instance(self.value)

    @property
    def target(self) -> Target | None:
        """The object as it was when it was seen, or None if it was not stored then."""
        return self._target if self._is_loaded else describe_instance(self.value)

    @property
    def identity(self) -> tuple[str, str] | None:
        """Its model and key, or None if it was not stored."""
        return self.target.identity if self.target is not None else None

    @property
    def is_deleted(self) -> bool:
        """Return True if it has been deleted since."""
        return self._target is not None and self.instance is not None and self.instance.pk is None

    def is_a(self, model: type[Model]) -> bool:
        """Return True if it is an instance of `model`."""
        if self.instance is None:
            return False
        return issubclass(type(self.instance), model._meta.concrete_model or model)


class Saved(Seen):
    """An object that a view has made or changed."""

    def __init__(self, value: Any, *, is_new: bool) -> None:
        super().__init__(value)
        self.is_new = is_new
        self._commitment = commitment_for(value)

    @property
    def is_kept(self) -> bool:
        """Return False once it has been rolled back."""
        return self._commitment is None or self._commitment.is_kept


def commitment_for(value: Any) -> Commitment | None:
    """Return the commitment of an object that was just written, or None for anything else."""
    instance = loaded_instance(value)
    alias = instance._state.db if instance is not None else None
    return Commitment(alias) if alias else None


@never_raise
def describe_instance(value: Any) -> Target | None:
    """Return the target for a stored model instance, or None for anything else."""
    instance = loaded_instance(value)
    if instance is None or instance.pk is None or instance._state.adding:
        return None
    return Target.without_query(instance)


def loaded_instance(value: Any) -> Model | None:
    """Return the model instance that `value` is, or that it wraps and has loaded."""
    instance = loaded_value(value)
    return instance if isinstance(instance, Model) else None


def static_attribute(value: Any, name: str) -> Any:
    """Return an attribute as it is written in a class or set on an instance, running no code."""
    found = getattr_static(value, name, None)
    return None if isinstance(found, property) else found


def model_of(value: Any) -> type[Model] | None:
    """Return the model of a queryset, a manager, a form class or a `Meta`, or None."""
    model = static_attribute(value, "model")
    return model if isinstance(model, type) and issubclass(model, Model) else None


def describe_as(
    activity: Activity, model: type[Model] | str, verb: str, target: Target | None = None
) -> Activity:
    """Return an activity as one that does `verb` to an object: "shop.order.update"."""
    label = model if isinstance(model, str) else label_of(model)
    return activity.replace(action=f"{label}.{verb}", action_type=TYPES[verb], target=target)


def describe_by_method(activity: Activity, seen: Seen | None) -> Activity:
    """Return an activity of which only the method is known, with the object that was looked up."""
    target = seen.target if seen is not None else None
    if seen is None or target is None:
        return activity
    if activity.status == Status.SUCCESS and seen.is_deleted:
        return describe_as(activity, target.model, "delete", target)
    if activity.status == Status.SUCCESS and activity.action_type == ActionType.CREATE:
        # What was made is another one.
        return activity
    if activity.status == Status.SUCCESS and activity.action_type == ActionType.DELETE:
        # It is still there: something about it has been deleted.
        return activity.replace(action_type=ActionType.ACTION.value, target=target)
    return activity.replace(target=target)


def is_redirect(activity: Activity) -> bool:
    """Return True if the answer to a request was to ask elsewhere."""
    return activity.status_code in REDIRECTS
