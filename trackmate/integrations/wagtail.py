"""What Wagtail logs about pages, images, documents and snippets."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models.signals import post_save
from django.utils.translation import override
from wagtail.models.audit_log import BaseLogEntry

from trackmate.capture.events.log_entries import entry_target, record_entry
from trackmate.db.transactions import QueryNotAllowedError, no_queries
from trackmate.enums import ActionType
from trackmate.pipeline import is_recording, never_raise

_TYPES = {
    **dict.fromkeys(
        ("create", "copy", "copy_for_translation", "create_alias"), ActionType.CREATE.value
    ),
    **dict.fromkeys(
        (
            "edit",
            "publish",
            "publish.schedule",
            "publish.scheduled",
            "schedule.cancel",
            "unpublish",
            "unpublish.scheduled",
            "move",
            "reorder",
            "rename",
            "revert",
            "convert_alias",
            "lock",
            "unlock",
            "view_restriction.create",
            "view_restriction.edit",
            "view_restriction.delete",
        ),
        ActionType.UPDATE.value,
    ),
    "delete": ActionType.DELETE.value,
}
"""The action types of Wagtail's actions. Others, such as those of workflows, are Action."""


def install() -> None:
    """Connect to each model of Wagtail's log. Wagtail saves its entries one by one."""
    for model in apps.get_models():
        if issubclass(model, BaseLogEntry):
            post_save.connect(
                _on_entry, sender=model, dispatch_uid=f"trackmate.{model._meta.label}"
            )


def _on_entry(*, instance: Any, created: bool, raw: bool = False, **_kwargs: Any) -> None:
    if created and not raw:
        record_wagtail_entry(instance)


@never_raise
def record_wagtail_entry(entry: Any) -> None:
    """Record an entry of Wagtail's log as an activity."""
    if not is_recording():
        return
    app, _, verb = entry.action.partition(".")
    action_type = _TYPES.get(verb) if app == "wagtail" else None
    record_entry(
        entry,
        time=entry.timestamp,
        verb="update" if entry.action == "wagtail.edit" else verb or app,
        target=entry_target(
            entry, entry.object_id, entry.label, content_type_id=_type_of_page(entry)
        ),
        action_type=action_type or ActionType.ACTION.value,
        remarks=_message(entry),
        changes=_changes(entry),
        extra={"revision": entry.revision_id} if entry.revision_id else None,
    )


def _type_of_page(entry: Any) -> Any:
    """Return the content type of a page that was logged as a mere `Page`."""
    page = entry._state.fields_cache.get("page")
    return getattr(page, "content_type_id", None)


def _message(entry: Any) -> str:
    """Return Wagtail's message in English, if it can be had without a query."""
    try:
        with no_queries(), override("en"):
            return str(entry.message)
    except (QueryNotAllowedError, LookupError, TypeError, ValueError, AttributeError):
        return ""


def _changes(entry: Any) -> dict[str, Any] | None:
    """Return the titles of what was renamed; Wagtail logs no other values."""
    title = entry.data.get("title") if isinstance(entry.data, dict) else None
    if not isinstance(title, dict) or not {"old", "new"} <= title.keys():
        return None
    return {"title": [title["old"], title["new"]]}
