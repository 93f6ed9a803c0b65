"""Views of Django REST framework: their action, and the object that it was done to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, wraps
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.mixins import (
    CreateModelMixin,
    DestroyModelMixin,
    ListModelMixin,
    RetrieveModelMixin,
    UpdateModelMixin,
)
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from trackmate.activity import Activity, Target, label_of
from trackmate.context.scope import current_scope
from trackmate.enums import CREATED, SAFE_METHODS, ActionType, Status
from trackmate.integrations.objects import (
    METHOD_NOT_ALLOWED,
    TYPES,
    Saved,
    Seen,
    describe_as,
    describe_by_method,
    is_redirect,
    model_of,
    static_attribute,
)
from trackmate.integrations.wrapping import call_after, call_before
from trackmate.pipeline import never_raise

_VERBS = {
    "create": "create",
    "retrieve": "read",
    "list": "list",
    "update": "update",
    "partial_update": "update",
    "destroy": "delete",
}
"""The verbs of the framework's own actions."""

_MIXINS: tuple[tuple[tuple[str, ...], Any, str], ...] = (
    (("POST",), CreateModelMixin, "create"),
    (("PUT", "PATCH"), UpdateModelMixin, "update"),
    (("DELETE",), DestroyModelMixin, "delete"),
    (("GET", "HEAD"), RetrieveModelMixin, "read"),
    (("GET", "HEAD"), ListModelMixin, "list"),
)
"""The verbs of views without actions, by method and class."""


def install() -> None:
    """Wrap what views and serializers call about their objects; there are no signals for it.

    The methods are called by those of every subclass, and before a permission is refused.
    """
    call_after(APIView, "initialize_request", _watch_view)
    call_before(APIView, "check_object_permissions", _note_object)
    BaseSerializer.save = _remember_saved(BaseSerializer.save)


def _watch_view(_result: Any, view: Any, request: HttpRequest, *_args: Any, **_: Any) -> None:
    scope = current_scope()
    if scope is None or scope.request is not request:
        return
    # Such a view is one of Django's, too. What another one has found is not replaced.
    if scope.describe_outcome is None or getattr(scope.describe_outcome, "view", None) is view:
        scope.describe_outcome = RestOutcome(view)


def _note_object(view: Any, _request: Any, obj: Any) -> None:
    if (outcome := _current_outcome()) is not None and outcome.view is view:
        outcome.note_object(obj)


def _remember_saved(save: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(save)
    def watched(serializer: Any, *args: Any, **kwargs: Any) -> Any:
        outcome = _current_outcome()
        if outcome is None:
            return save(serializer, *args, **kwargs)
        is_new, before = serializer.instance is None, len(outcome.saved)
        instance = save(serializer, *args, **kwargs)
        outcome.note_saved(instance, is_new=is_new, before=before)
        return instance

    return watched


def _current_outcome() -> RestOutcome | None:
    scope = current_scope()
    outcome = scope.describe_outcome if scope is not None else None
    return outcome if isinstance(outcome, RestOutcome) else None


class RestOutcome:
    """Collects what a view does, and describes its request when it ends."""

    def __init__(self, view: Any) -> None:
        self.view = view
        self.saved: list[Saved] = []
        self._checked: list[Seen] = []
        self._looked_up: list[Seen] = []
        if callable(getattr(view, "get_object", None)):
            call_after(view, "get_object", self._note_looked_up)

    def note_object(self, value: Any) -> None:
        """Remember an object whose permissions are checked."""
        if not self._is_answered:
            self._checked.append(Seen(value))

    def _note_looked_up(self, value: Any, *_args: Any, **_kwargs: Any) -> None:
        if self._is_answered:
            return
        # The framework has checked its permissions.
        known = [each for each in self._checked if each.value is value]
        self._looked_up.append(known[-1] if known else Seen(value))

    @never_raise
    def note_saved(self, value: Any, *, is_new: bool, before: int) -> None:
        """Remember an object that a serializer has saved, without those of serializers inside."""
        self.saved[before:] = [Saved(value, is_new=is_new)]

    @property
    def _is_answered(self) -> bool:
        # The browsable API checks permissions for its forms when it is rendered.
        return "response" in vars(self.view)

    def __call__(self, activity: Activity, response: HttpResponseBase | None) -> Activity:
        """Return the activity of the request with what the view has done."""
        if activity.method == "OPTIONS" or activity.status_code == METHOD_NOT_ALLOWED:
            return activity
        if isinstance(self.view, ViewSetMixin):
            name = getattr(self.view, "action", None)
            if name and name not in _VERBS:
                return self._describe_custom_action(activity, name)
            verb = _VERBS.get(name or "", "")
        else:
            verb = self._verb_by_method(activity.method or "")
        if not verb:
            return self._describe_by_objects(activity)
        if activity.status == Status.FAILED:
            return self._describe_as(activity, verb, self._found_for(verb))
        if verb == "create":
            return self._describe_creation(activity)
        if verb == "update":
            return self._describe_update(activity)
        if is_redirect(activity):
            return describe_by_method(activity, self._found)
        return self._describe_as(activity, verb, self._found_for(verb))

    def _verb_by_method(self, method: str) -> str:
        view = self.view
        verbs = [
            verb
            for methods, mixin, verb in _MIXINS
            if method in methods and isinstance(view, mixin)
        ]
        if verbs == ["read", "list"]:
            key = view.lookup_url_kwarg or view.lookup_field
            return "read" if key in view.kwargs or self._found is not None else "list"
        return verbs[0] if verbs else ""

    # --- by what the view is meant to do -----------------------------------------------------

    def _describe_creation(self, activity: Activity) -> Activity:
        made, changed = self._saved(is_new=True), self._saved(is_new=False)
        if made or activity.status_code == CREATED:
            return self._describe_as(activity, "create", _only(made))
        if changed:
            return self._describe_as(activity, "update", _only(changed))
        # A search that was posted, for instance.
        model = self._model
        return activity if model is None else _with_name(activity, model, "create", None)

    def _describe_update(self, activity: Activity) -> Activity:
        made, changed = self._saved(is_new=True), self._saved(is_new=False)
        if activity.status_code == CREATED or (made and self._found is None):
            return self._describe_as(activity, "create", _only(made))
        found = self._found_for("update")
        if found is not None:
            changed = [each for each in changed if each.identity == found.identity]
        return self._describe_as(activity, "update", _only(changed) or found)

    def _describe_custom_action(self, activity: Activity, name: str) -> Activity:
        """Describe one of the project's own actions: its type is that of the method."""
        found = self._found
        activity = describe_by_method(activity, found)
        is_deleted = activity.status == Status.SUCCESS and found is not None and found.is_deleted
        if activity.action_type == ActionType.DELETE and self.view.detail and not is_deleted:
            # Something about the object was deleted.
            activity = activity.replace(action_type=ActionType.ACTION.value)
        target = activity.target
        if activity.status == Status.SUCCESS and target is None:
            is_creation = activity.action_type == ActionType.CREATE
            written = [each for each in self.saved if each.is_kept]
            target = _only([each for each in written if each.is_new or not is_creation])
        known = (found.target if found is not None else None) or target
        return _with_name(activity, self._model or (known.model if known else ""), name, target)

    def _describe_by_objects(self, activity: Activity) -> Activity:
        """Describe what a view without a known action has done to objects."""
        found = self._found
        if activity.status == Status.FAILED:
            return describe_by_method(activity, found)
        if activity.method not in SAFE_METHODS:
            for is_new, verb in ((True, "create"), (False, "update")):
                if target := _only(self._saved(is_new=is_new)):
                    return describe_as(activity, target.model, verb, target)
        elif found is not None and found.target is not None and not is_redirect(activity):
            return describe_as(activity, found.target.model, "read", found.target)
        return describe_by_method(activity, found)

    def _describe_as(self, activity: Activity, verb: str, target: Target | None) -> Activity:
        if (model := self._model or (target.model if target else None)) is not None:
            return describe_as(activity, model, verb, target)
        return activity.replace(action_type=TYPES[verb])

    # --- the objects -------------------------------------------------------------------------

    @cached_property
    def _model(self) -> type[Model] | None:
        """The model of the view, without asking for its queryset."""
        return self._queryset_model or self._serializer_model

    @cached_property
    def _queryset_model(self) -> type[Model] | None:
        queryset = static_attribute(self.view, "queryset")
        return model_of(queryset) if queryset is not None else None

    @cached_property
    def _serializer_model(self) -> type[Model] | None:
        serializer = static_attribute(self.view, "serializer_class")
        return model_of(getattr(serializer, "Meta", None))

    @property
    def _found(self) -> Seen | None:
        """The object that the view is about; others were looked up on the way to it."""
        if (model := self._model) is None:
            seen = self._looked_up or self._checked
            return seen[-1] if seen else None
        seen = [each for each in (*self._checked, *self._looked_up) if each.is_a(model)]
        if not seen and self._queryset_model is None:
            # The model of a serializer is that of its output.
            seen = self._looked_up
        return seen[-1] if seen else None

    def _found_for(self, verb: str) -> Target | None:
        if verb in ("create", "list") or self._found is None:
            return None
        return self._found.target

    def _saved(self, *, is_new: bool) -> list[Saved]:
        """Return what serializers have saved and is of the model of the view."""
        model = self._model
        return [
            each
            for each in self.saved
            if each.is_new is is_new and each.is_kept and (model is None or each.is_a(model))
        ]


def _with_name(
    activity: Activity, model: type[Model] | str, name: str, target: Target | None
) -> Activity:
    if not model:
        return activity.replace(target=target)
    label = model if isinstance(model, str) else label_of(model)
    return activity.replace(action=f"{label}.{name}", target=target)


def _only(seen: Sequence[Seen]) -> Target | None:
    """Return the object that all of them are, or None if they are several."""
    targets = {each.identity: each.target for each in seen if each.target is not None}
    return next(iter(targets.values())) if len(targets) == 1 else None
