"""What Django's admin says: its log entries, what its forms changed, and what its pages are for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry, LogEntryManager
from django.contrib.admin.options import TO_FIELD_VAR
from django.contrib.admin.utils import unquote
from django.core.exceptions import FieldDoesNotExist
from django.db import router
from django.db.models import Model
from django.db.models.signals import post_save
from django.http.response import HttpResponseBase
from django.utils.translation import override

from trackmate.activity import Activity, Target, label_of
from trackmate.capture.events.form_changes import describe_forms
from trackmate.capture.events.log_entries import entry_target, record_entry
from trackmate.capture.outcomes import action_name, describe_page
from trackmate.context.scope import Scope, current_scope
from trackmate.db.keys import parse_key
from trackmate.db.transactions import Commitment, no_queries
from trackmate.enums import FIRST_ERROR_STATUS, SAFE_METHODS, ActionType, Source, Status
from trackmate.integrations.wrapping import call_after
from trackmate.pipeline import is_recording, never_raise

Response = HttpResponseBase | None

MAX_SELECTED = 100
"""So many of the objects that an action was applied to get a row of their own."""

DELETE_SELECTED = "delete_selected"
_CREATE, _UPDATE, _DELETE = (
    (each.lower(), each) for each in (ActionType.CREATE, ActionType.UPDATE, ActionType.DELETE)
)
_OF_FLAG = {ADDITION: _CREATE, CHANGE: _UPDATE, DELETION: _DELETE}
_READS = {"changelist": "list", "change": "read", "delete": "read", "history": "history"}
_WRITES = {"add": _CREATE, "change": _UPDATE, "delete": _DELETE}
_ASKS_AGAIN = {
    "add": "adminform",
    "change": "adminform",
    "delete": "deleted_objects",
    "changelist": "cl",
}
"""What the context has if a page is shown again, since its form is invalid or nothing may be
deleted."""


def install() -> None:
    """Connect the signal, and wrap what has none.

    `bulk_create()` sends no signal, and the admin uses it for several objects. Only
    `construct_change_message()` is given the forms, and only `response_action()` knows that an
    action was valid.
    """
    post_save.connect(_on_entry, sender=LogEntry, dispatch_uid="trackmate.admin")
    call_after(LogEntryManager, "bulk_create", _on_entries)
    call_after(ModelAdmin, "construct_change_message", _note_form)
    ModelAdmin.response_action = _remember_action(ModelAdmin.response_action)  # type: ignore[method-assign]
    describe_page.append(describe)


@dataclass(slots=True)
class AdminNotes:
    """What the admin saved, or was asked for, while a request ran."""

    forms: dict[tuple[str, str], SavedForm] = field(default_factory=dict)
    """By model and key of their object."""
    action: SelectedAction | None = None


@dataclass(slots=True, kw_only=True)
class SavedForm:
    """A form of the admin that was saved."""

    verb: str
    action_type: str
    target: Target
    changes: dict[str, Any]
    commitment: Commitment
    is_logged: bool = False


@dataclass(frozen=True, slots=True)
class SelectedAction:
    """An action of the admin, and the keys that were selected for it."""

    name: str
    keys: tuple[str, ...]
    is_for_all: bool
    """Whether it is applied to all objects that match the filters, on other pages too."""


def _notes() -> AdminNotes | None:
    scope = current_scope()
    if scope is None or scope.closed or not is_recording():
        return None
    if scope.admin is None:
        scope.admin = AdminNotes()
    notes: AdminNotes = scope.admin
    return notes


# --- log entries -----------------------------------------------------------------------------


def _on_entry(*, instance: LogEntry, created: bool, raw: bool = False, **_kwargs: Any) -> None:
    if created and not raw:
        record_log_entry(instance)


def _on_entries(entries: Iterable[LogEntry], *_args: Any, **_kwargs: Any) -> None:
    for entry in entries:
        record_log_entry(entry)


@never_raise
def record_log_entry(entry: LogEntry) -> None:
    """Record what an entry of the admin's log says."""
    if not is_recording():
        return
    verb, action_type = _OF_FLAG.get(entry.action_flag, ("action", ActionType.ACTION.value))
    target = entry_target(entry, entry.object_id, entry.object_repr)
    record_entry(
        entry,
        time=entry.action_time,
        verb=verb,
        target=target,
        action_type=action_type,
        remarks=_message(entry),
        changes=_changes_of(target) if entry.action_flag in (ADDITION, CHANGE) else None,
    )


def _message(entry: LogEntry) -> str:
    """Return the change message in English, whatever the language of the request is."""
    try:
        with override("en"):
            return str(entry.get_change_message())
    except (LookupError, TypeError, ValueError, AttributeError):
        return entry.change_message  # JSON of another form


def _changes_of(target: Target | None) -> dict[str, Any] | None:
    notes = _notes()
    form = notes and target and notes.forms.get((target.model, target.object_id))
    if not form or form.is_logged:
        return None
    form.is_logged = True
    return form.changes or None


# --- forms and actions -----------------------------------------------------------------------


def _note_form(
    _message: Any,
    _model_admin: Any,
    _request: Any,
    form: Any,
    formsets: Any,
    add: bool = False,  # noqa: FBT001, FBT002 (as in Django)
) -> None:
    # The form that sets a password has a user.
    instance = getattr(form, "instance", None) or getattr(form, "user", None)
    if not isinstance(instance, Model) or (notes := _notes()) is None:
        return
    verb, action_type = _CREATE if add else _UPDATE
    target = Target.without_query(instance)
    notes.forms[target.model, target.object_id] = SavedForm(
        verb=verb,
        action_type=action_type,
        target=target,
        changes=describe_forms(form, formsets, add=bool(add)),
        commitment=Commitment(instance._state.db or router.db_for_write(type(instance))),
    )


def _remember_action(respond: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(respond)
    def watched(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        location = kwargs.get("action_location", args[1] if len(args) > 1 else None)
        try:
            response = respond(self, request, *args, **kwargs)
        except BaseException:
            _note_action(self, request, location, is_valid=False)
            raise
        if response is not None:
            _note_action(self, request, location, is_valid=True)
        return response

    return watched


@never_raise
def _note_action(model_admin: Any, request: Any, location: Any, *, is_valid: bool) -> None:
    if (notes := _notes()) is None:
        return
    form = request.POST
    is_for_one = getattr(location, "name", "") == "CHANGE_FORM"
    name = form.get(f"{location.value}-action", "") if is_for_one else _chosen_action(form)
    if not is_valid:
        where = {"action_location": location} if is_for_one else {}
        with no_queries():
            if name not in model_admin.get_actions(request, **where):
                return
    model = model_admin.model
    keys = [key for text in form.getlist(ACTION_CHECKBOX_NAME) if (key := _valid_key(model, text))]
    is_for_all = not is_for_one and form.get("select_across") not in (None, "", "0")
    notes.action = SelectedAction(name, tuple(dict.fromkeys(keys)), is_for_all)


def _chosen_action(form: Any) -> str:
    """Return the action of the button that was pushed, as `response_action()` finds it."""
    names = form.getlist("action")
    try:
        return str(names[int(form.get("index", 0))])
    except (ValueError, IndexError):
        return str(names[-1]) if names else ""


def _valid_key(model: type[Model], text: str) -> str:
    key = parse_key(model, text)
    return "" if key is None else text if isinstance(key, (bytes, tuple)) else str(key)


# --- pages -----------------------------------------------------------------------------------


def describe(activity: Activity, scope: Scope, response: Response) -> Activity | None:
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
        return self.status in (301, 302, 303, 307, 308)

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
        key = _valid_key(self.model, unquote(self.key))
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
        return _UPDATE if "_save" in page.post else ("", "")
    if page.name == "change" and "_saveasnew" in page.post:
        return _CREATE
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
            verb, action_type = _DELETE
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
    scope.activities.append(Activity.now(source=Source.ADMIN.value, **values))
