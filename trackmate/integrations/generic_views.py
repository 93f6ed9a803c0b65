"""Django's generic views: the object that a view has shown, created, changed or deleted.

Only what the view has reached counts: one that redirects to the login has done nothing.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import AccessMixin
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import View
from django.views.generic.detail import SingleObjectMixin
from django.views.generic.edit import (
    BaseCreateView,
    BaseDeleteView,
    DeletionMixin,
    FormMixin,
    ModelFormMixin,
)
from django.views.generic.list import MultipleObjectMixin

from trackmate.activity import Activity, Target
from trackmate.context.scope import current_scope
from trackmate.db.commitments import Commitment
from trackmate.enums import SAFE_METHODS, ActionType, Status
from trackmate.integrations.objects import (
    METHOD_NOT_ALLOWED,
    Seen,
    commitment_for,
    describe_as,
    describe_by_method,
    describe_instance,
    is_redirect,
    model_of,
    static_attribute,
)
from trackmate.integrations.wrapping import call_after

_GENERIC = (SingleObjectMixin, MultipleObjectMixin, FormMixin, DeletionMixin)


def install() -> None:
    """Wrap the method that every class-based view begins with; there is no signal for it."""
    call_after(View, "setup", _watch_view)


def _watch_view(_result: None, view: View, request: HttpRequest, *_args: Any, **_: Any) -> None:
    scope = current_scope()
    if scope is None or scope.request is not request:
        return
    # A plain view may pass the request on: the first generic one counts.
    if scope.describe_outcome is None and isinstance(view, _GENERIC):
        scope.describe_outcome = GenericOutcome(view)


class GenericOutcome:
    """Collects what a generic view does, and describes its request when it ends."""

    def __init__(self, view: Any) -> None:
        self.view = view
        self._found: Seen | None = None
        self._has_no_object = False
        self._done_by = ""
        self._form: Any = None
        self._commitment: Commitment | None = None
        self._is_invalid = False
        self._is_denied = False
        # On this one view: overridden methods need not call those of the framework.
        if isinstance(view, SingleObjectMixin):
            call_after(view, "get_object", self._note_object)
        if isinstance(view, FormMixin):
            call_after(view, "form_valid", self._note_valid)
            call_after(view, "form_invalid", self._note_invalid)
        if isinstance(view, DeletionMixin):
            call_after(view, "delete", self._note_deleted)
        if isinstance(view, AccessMixin):
            call_after(view, "handle_no_permission", self._note_denied)

    def _note_object(self, found: Any, *_args: Any, **_kwargs: Any) -> None:
        self._found = Seen(found)
        # Some views make what they do not find.
        self._has_no_object = self._found.target is None

    def _note_valid(self, _response: Any, form: Any = None, *_args: Any, **_: Any) -> None:
        self._done_by, self._form = "form_valid", form
        self._note_commitment()

    def _note_deleted(self, *_args: Any, **_kwargs: Any) -> None:
        self._done_by = "delete"
        self._note_commitment()

    def _note_commitment(self) -> None:
        written = vars(self.view).get("object") or getattr(self._form, "instance", None)
        self._commitment = commitment_for(written)

    def _note_invalid(self, *_args: Any, **_kwargs: Any) -> None:
        self._is_invalid = True

    def _note_denied(self, *_args: Any, **_kwargs: Any) -> None:
        self._is_denied = True

    def __call__(self, activity: Activity, response: HttpResponseBase | None) -> Activity:
        """Return the activity of the request with what the view has done."""
        if activity.status_code == METHOD_NOT_ALLOWED:
            return activity
        if activity.method in SAFE_METHODS:
            return self._describe_reading(activity)
        if self._is_denied or self._has_invalid_form(response):
            activity = activity.replace(status=Status.FAILED.value)
        verb = self._intended_verb(activity.method)
        if not verb:
            return describe_by_method(activity, self._found)
        return self._describe_writing(activity, verb)

    def _describe_reading(self, activity: Activity) -> Activity:
        view, target = self.view, self._target
        if activity.method not in ("GET", "HEAD"):
            return activity
        if is_redirect(activity):
            return activity.replace(target=target)
        if target is not None:
            return describe_as(activity, target.model, "read", target)
        has_failed = activity.status == Status.FAILED
        model = self._model
        if model is None:
            return activity
        if isinstance(view, MultipleObjectMixin) and (has_failed or "object_list" in vars(view)):
            return describe_as(activity, model, "list")
        if isinstance(view, SingleObjectMixin) and self._intended_verb("POST") != "create":
            return describe_as(activity, model, "read") if has_failed else activity
        return activity

    def _describe_writing(self, activity: Activity, verb: str) -> Activity:
        if activity.status == Status.FAILED:
            return self._describe_as(activity, verb, None if verb == "create" else self._target)
        if not self._done_by or (self._commitment is not None and not self._commitment.is_kept):
            return self._describe_as_unknown(activity)
        if verb == "delete" or (self._found is not None and self._found.is_deleted):
            verb, target = "delete", self._target
        else:
            verb, target = self._describe_saved(verb)
        return self._describe_as(activity, verb, target) if target else activity

    def _describe_as_unknown(self, activity: Activity) -> Activity:
        """Describe a request whose view has not reached what it is for, as far as one can see."""
        if self._found is not None and self._found.is_deleted:
            return describe_by_method(activity, self._found)
        if activity.action_type == ActionType.CREATE:
            return activity
        return activity.replace(action_type=ActionType.ACTION.value, target=self._target)

    def _describe_as(self, activity: Activity, verb: str, target: Target | None) -> Activity:
        if target is not None:
            return describe_as(activity, target.model, verb, target)
        if (model := self._model) is not None:
            return describe_as(activity, model, verb)
        return activity

    def _describe_saved(self, verb: str) -> tuple[str, Target | None]:
        """Return what was done to the object of a valid form, and the object as it is now."""
        found = self._target
        saved = describe_instance(vars(self.view).get("object")) or describe_instance(
            getattr(self._form, "instance", None)
        )
        if saved is None:
            return verb, None if verb == "create" else found
        is_same = found is not None and found.identity == saved.identity
        return ("update" if is_same else "create"), saved

    def _intended_verb(self, method: str | None) -> str:
        """Return what a request with this method is meant to do, or ""."""
        view = self.view
        is_deletion = isinstance(view, DeletionMixin)
        if is_deletion and (method == "DELETE" or self._done_by == "delete"):
            return "delete"
        if method not in ("POST", "PUT"):
            return ""
        if isinstance(view, BaseDeleteView):
            return "delete"
        if isinstance(view, ModelFormMixin):
            is_new = isinstance(view, BaseCreateView) or self._has_no_object
            return "create" if is_new else "update"
        return "delete" if is_deletion and method == "POST" else ""

    def _has_invalid_form(self, response: HttpResponseBase | None) -> bool:
        if self._is_invalid:
            return True
        context = getattr(response, "context_data", None)
        form = context.get("form") if isinstance(context, dict) else None
        # Not its `errors`, which would validate it again.
        return bool(getattr(form, "is_bound", False) and getattr(form, "_errors", None))

    @property
    def _target(self) -> Target | None:
        return self._found.target if self._found is not None else None

    @property
    def _model(self) -> type[Model] | None:
        view = self.view
        listed = vars(view).get("object_list")
        form_class = static_attribute(view, "form_class")
        model = static_attribute(view, "model")
        return (
            (model_of(listed) if listed is not None else None)
            or (model if isinstance(model, type) and issubclass(model, Model) else None)
            or model_of(static_attribute(view, "queryset"))
            or model_of(getattr(form_class, "_meta", None))
        )
