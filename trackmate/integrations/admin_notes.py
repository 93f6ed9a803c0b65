"""What Django's admin saved, or was asked for, noted while a request runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import router
from django.db.models import Model

from trackmate.activity import Target
from trackmate.capture.events.form_changes import describe_forms
from trackmate.context.scope import current_scope
from trackmate.db.commitments import Commitment
from trackmate.db.keys import parse_key
from trackmate.db.transactions import no_queries
from trackmate.enums import ActionType
from trackmate.pipeline import is_recording, never_raise

CREATE, UPDATE, DELETE = (
    (each.lower(), each) for each in (ActionType.CREATE, ActionType.UPDATE, ActionType.DELETE)
)
"""Verbs and their action types."""


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


def current_notes() -> AdminNotes | None:
    """Return the notes of the current request, or None if nothing is recorded of it."""
    scope = current_scope()
    if scope is None or scope.closed or not is_recording():
        return None
    if scope.admin is None:
        scope.admin = AdminNotes()
    notes: AdminNotes = scope.admin
    return notes


def note_form(
    _message: Any,
    _model_admin: Any,
    _request: Any,
    form: Any,
    formsets: Any,
    add: bool = False,  # noqa: FBT001, FBT002 (as in Django)
) -> None:
    """Remember a form that was saved, after `construct_change_message()`."""
    # The form that sets a password has a user.
    instance = getattr(form, "instance", None) or getattr(form, "user", None)
    if not isinstance(instance, Model) or (notes := current_notes()) is None:
        return
    verb, action_type = CREATE if add else UPDATE
    target = Target.without_query(instance)
    notes.forms[target.identity] = SavedForm(
        verb=verb,
        action_type=action_type,
        target=target,
        changes=describe_forms(form, formsets, add=bool(add)),
        commitment=Commitment(instance._state.db or router.db_for_write(type(instance))),
    )


def watch_action(respond: Callable[..., Any]) -> Callable[..., Any]:
    """Return `response_action()` so that it remembers the action and what was selected."""

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
    if (notes := current_notes()) is None:
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
    keys = [key for text in form.getlist(ACTION_CHECKBOX_NAME) if (key := valid_key(model, text))]
    is_for_all = not is_for_one and form.get("select_across") not in (None, "", "0")
    notes.action = SelectedAction(name, tuple(dict.fromkeys(keys)), is_for_all)


def _chosen_action(form: Any) -> str:
    """Return the action of the button that was pushed, as `response_action()` finds it."""
    names = form.getlist("action")
    try:
        return str(names[int(form.get("index", 0))])
    except (ValueError, IndexError):
        return str(names[-1]) if names else ""


def valid_key(model: type[Model], text: str) -> str:
    """Return a key from an address or a form, or "" if it cannot be one of the model."""
    key = parse_key(model, text)
    return "" if key is None else text if isinstance(key, (bytes, tuple)) else str(key)
