"""What a request for a page of Django's admin did, or was meant to do."""

from __future__ import annotations

import copy
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import TO_FIELD_VAR
from django.contrib.admin.utils import unquote
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http.response import HttpResponseBase

from trackmate.activity import Activity, Target, label_of
from trackmate.capture.outcomes import action_name
from trackmate.context.scope import Scope
from trackmate.enums import FIRST_ERROR_STATUS, SAFE_METHODS, ActionType, Source, Status
from trackmate.integrations.admin_notes import (
    CREATE,
    DELETE,
    UPDATE,
    AdminNotes,
    SelectedAction,
    valid_key,
)
from trackmate.integrations.objects import REDIRECTS

Response = HttpResponseBase | None

MAX_SELECTED = 100
"""So many of the objects that an action was applied to get a row of their own."""

DELETE_SELECTED = "delete_selected"
_READS = {"changelist": "list", "change": "read", "delete": "read", "history": "history"}
_WRITES = {"add": CREATE, "change": UPDATE, "delete": DELETE}
_ASKS_AGAIN = {
    "add": "adminform",
    "change": "adminform",
    "delete": "deleted_objects",
    "changelist": "cl",
}
"""What the context has if a page is shown again, since its form is invalid or nothing may be
deleted."""


def describe_admin_page(activity: Activity, scope: Scope, response: Response) -> Activity | None:
    """Return the activity of a request for a page of a `ModelAdmin`, else None.

    What the admin has logged is folded into it later. Pages that a project has added say nothing.
    """
    match = scope.request.resolver_match
    model_admin = getattr(match and match.func, "model_admin", None)
    if not match or not isinstance(model_admin, ModelAdmin):
        return None
    page = AdminPage(model_admin, match, scope, response)
    if activity.method in SAFE_METHODS:
        return _describe_read(activity, page)
    return _describe_write(activity, page) if activity.method == "POST" else None


class AdminPage:
    """A page of a `ModelAdmin` that was requested."""

    def __init__(
        self, model_admin: ModelAdmin[Any], match: Any, scope: Scope, response: Response
    ) -> None:
        options = model_admin.opts
        self.model: type[Model] = model_admin.model
        prefix, _, name = (match.url_name or "").rpartition("_")
        self.name = name if prefix == f"{options.app_label}_{options.model_name}" else ""
        self.key = match.kwargs.get("object_id", "")
        self.scope = scope
        self.post = getattr(scope.request, "_post", None) or {}
        self.status = response.status_code if response is not None else FIRST_ERROR_STATUS
        self.context = getattr(response, "context_data", None) or {}
        self.content_type = response.get("Content-Type", "") if response is not None else ""

    @property
    def has_failed(self) -> bool:
        """Return True for an error."""
        return self.status >= FIRST_ERROR_STATUS

    @property
    def is_redirect(self) -> bool:
        """Return True for a redirect: after a change, to the login, or for a missing object."""
        return self.status in REDIRECTS

    def action(self, verb: str) -> str:
        """Return the name of an action on the model of the page."""
        return action_name(self.model, verb)

    def target(self) -> Target | None:
        """Return the object of the page, as it is stored, without a query."""
        instance = self.context.get("original") or self.context.get("object")
        if isinstance(instance, self.model._meta.concrete_model or self.model):
            form = getattr(self.context.get("adminform"), "form", None)
            return Target.without_query(_as_stored(instance, form) if self.post else instance)
        if not self.key or TO_FIELD_VAR in {*self.scope.request.GET, *self.post}:
            return None
        key = valid_key(self.model, unquote(self.key))
        return Target(model=label_of(self.model), object_id=key) if key else None


def _as_stored(instance: Model, form: Any) -> Model:
    """Return a copy without the values of an invalid form, which Django has set already."""
    stored = copy.copy(instance)
    for name, value in getattr(form, "initial", {}).items():
        try:
            model_field: Any = stored._meta.get_field(name)
        except FieldDoesNotExist:
            continue
        if model_field.concrete and not model_field.many_to_many:
            setattr(stored, model_field.attname, value)
    return stored


def _describe_read(activity: Activity, page: AdminPage) -> Activity | None:
    verb = _READS.get(page.name)
    if verb is None or page.is_redirect:
        return None
    return activity.replace(action=page.action(verb), target=page.target())


def _describe_write(activity: Activity, page: AdminPage) -> Activity | None:
    notes: AdminNotes = page.scope.admin or AdminNotes()
    _add_unlogged_forms(notes, page.scope)
    is_logged = any(each.source == Source.ADMIN for each in page.scope.activities)
    if notes.action is not None:
        return _describe_action(activity, page, notes.action, is_logged=is_logged)
    if is_logged and not page.has_failed:
        return None
    verb, action_type = _intention(page)
    if not verb or not (page.has_failed or _ASKS_AGAIN.get(page.name) in page.context):
        return None
    return activity.replace(
        action=page.action(verb),
        action_type=action_type,
        status=Status.FAILED.value,
        target=None if verb == "create" else page.target(),
    )


def _intention(page: AdminPage) -> tuple[str, str]:
    if page.name == "changelist":
        return UPDATE if "_save" in page.post else ("", "")
    if page.name == "change" and "_saveasnew" in page.post:
        return CREATE
    return _WRITES.get(page.name, ("", ""))


def _add_unlogged_forms(notes: AdminNotes, scope: Scope) -> None:
    """Record what was saved by a `ModelAdmin` that logs nothing."""
    for form in notes.forms.values():
        if not form.is_logged and form.commitment.is_kept:
            _add_event(
                scope,
                action=f"{form.target.model}.{form.verb}",
                action_type=form.action_type,
                target=form.target,
                changes=form.changes or None,
            )


def _describe_action(
    activity: Activity, page: AdminPage, action: SelectedAction, *, is_logged: bool
) -> Activity:
    """Return the activity of a request that applied an action to the selected objects."""
    verb, action_type = action.name, ActionType.ACTION.value
    if verb == DELETE_SELECTED:
        if page.has_failed or (page.context.get("protected") and page.post.get("post")):
            verb, action_type = DELETE
        elif "deletable_objects" in page.context:
            # The page that asks for confirmation.
            action_type = ActionType.READ.value
    has_failed = page.has_failed or action_type == ActionType.DELETE
    activity = activity.replace(
        action=page.action(verb),
        action_type=action_type,
        status=Status.FAILED.value if has_failed else activity.status,
    )
    if is_logged and not has_failed:
        return activity
    targets = [Target(model=label_of(page.model), object_id=key) for key in action.keys]
    if action.is_for_all:
        objects: Any = "all"
    elif len(targets) == 1:
        activity, objects = activity.replace(target=targets[0]), None
    else:
        objects = len(targets)
    if objects is not None:
        activity = activity.replace(extra={**(activity.extra or {}), "objects": objects})
    if not (has_failed or action.is_for_all or _is_html(page)):
        for target in targets[:MAX_SELECTED]:
            _add_event(page.scope, action=activity.action, action_type=action_type, target=target)
    return activity


def _is_html(page: AdminPage) -> bool:
    """Return True if the action has shown a page, which may ask something first."""
    return not page.is_redirect and page.content_type.startswith("text/html")


def _add_event(scope: Scope, **values: Any) -> None:
    scope.add(Activity.now(source=Source.ADMIN.value, **values))
