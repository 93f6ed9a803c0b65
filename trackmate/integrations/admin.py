"""Django's admin: its log entries, with what its forms changed, and its pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry, LogEntryManager
from django.db.models.signals import post_save
from django.utils.translation import override

from trackmate.activity import Target
from trackmate.capture.events.log_entries import entry_target, record_entry
from trackmate.capture.outcomes import page_describers
from trackmate.enums import ActionType
from trackmate.integrations.admin_notes import (
    CREATE,
    DELETE,
    UPDATE,
    current_notes,
    note_form,
    watch_action,
)
from trackmate.integrations.admin_pages import describe_admin_page
from trackmate.integrations.wrapping import call_after
from trackmate.pipeline import is_recording, never_raise

_OF_FLAG = {ADDITION: CREATE, CHANGE: UPDATE, DELETION: DELETE}


def install() -> None:
    """Connect the signal, and wrap what has none.

    `bulk_create()` sends no signal, and the admin uses it for several objects. Only
    `construct_change_message()` is given the forms, and only `response_action()` knows that an
    action was valid.
    """
    post_save.connect(_on_entry, sender=LogEntry, dispatch_uid="trackmate.admin")
    call_after(LogEntryManager, "bulk_create", _on_entries)
    call_after(ModelAdmin, "construct_change_message", note_form)
    ModelAdmin.response_action = watch_action(ModelAdmin.response_action)  # type: ignore[method-assign]
    page_describers.append(describe_admin_page)


def _on_entry(*, instance: LogEntry, created: bool, raw: bool = False, **_kwargs: Any) -> None:
    if created and not raw:
        record_log_entry(instance)


def _on_entries(entries: Iterable[LogEntry], *_args: Any, **_kwargs: Any) -> None:
    for entry in entries:
        record_log_entry(entry)


@never_raise
def record_log_entry(entry: LogEntry) -> None:
    """Record an entry of the admin's log as an activity."""
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
    notes = current_notes()
    form = notes and target and notes.forms.get(target.identity)
    if not form or form.is_logged:
        return None
    form.is_logged = True
    return form.changes or None
