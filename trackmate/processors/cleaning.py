"""Making activities storable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trackmate.activity import Activity, as_plain_str
from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.sanitizer import Sanitizer
from trackmate.redaction.text import MAX_TEXT, clean_line, clean_text, truncate

LENGTHS = {
    "source": 16,
    "action": 255,
    "action_type": 32,
    "status": 16,
    "actor_label": 255,
    "impersonator_label": 255,
    "tenant": 64,
    "user_agent": 512,
    "session_hash": 64,
    "method": 16,
    "path": 2048,
    "route": 255,
    "request_id": 64,
    "trace_id": 32,
}
"""Maximum lengths of the columns of `ActivityLog`."""


def clean(activity: Activity) -> Activity:
    """Make every value storable: without control characters, bounded, JSON-ready."""
    cleaned: dict[str, Any] = {}
    for name, length in LENGTHS.items():
        text = getattr(activity, name)
        if text is None and name == "tenant":
            continue
        if type(text) is not str:
            cleaned[name] = text = as_plain_str(text)
        if text and (not text.isprintable() or len(text) > length):
            cleaned[name] = clean_line(text, length)
    for name in ("data", "response", "changes", "extra"):
        if (value := getattr(activity, name)) is not None:
            cleaned[name] = Sanitizer()(value)
    for name in ("remarks", "reason"):
        if text := getattr(activity, name):
            cleaned[name] = clean_text(truncate(as_plain_str(text), MAX_TEXT))
    if target := activity.target:
        key, text = clean_line(target.object_id, 255), clean_line(target.object_repr, 255)
        cleaned["target"] = replace(target, object_id=key, object_repr=text)
    return activity.replace(**cleaned) if cleaned else activity


def without_payload(activity: Activity, reason: str) -> Activity:
    """Return a copy without any text from the client or the project."""
    return activity.replace(
        data=None,
        response=None,
        changes=None,
        extra={"error": reason},
        remarks="",
        reason="",
        path="",
        user_agent="",
        actor_label=activity.actor_label and MASK,
        impersonator_label=activity.impersonator_label and MASK,
        target=None,
    )
