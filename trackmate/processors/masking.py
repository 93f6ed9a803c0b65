"""Masking secrets in activities."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from trackmate.activity import Activity, Target, as_plain_str
from trackmate.context.scope import Scope, current_scope
from trackmate.enums import FIRST_ERROR_STATUS, Source
from trackmate.redaction.keys import hide_key
from trackmate.redaction.known_secrets import MASK, KnownSecrets
from trackmate.redaction.redactor import Redactor, get_redactor
from trackmate.redaction.routes import is_about_authentication
from trackmate.redaction.sanitizer import Sanitizer
from trackmate.redaction.text import MAX_TEXT, truncate

WITHHELD = "[withheld: the data of the request are not known]"
"""Replaces a text that may quote request data that trackmate could not read."""

_NOT_CAPTURED = re.compile(r"not captured: \d+ bytes(?:, cannot be parsed)?")
"""The placeholder for a body that is not captured."""
_TRACE = re.compile(r"[0-9a-f]{32}")


def redact(activity: Activity) -> Activity:
    """Mask secrets in everything that a client or the project provides."""
    scope = current_scope()
    redactor = _redactor_for(activity, scope)
    masked: dict[str, Any] = {}
    if activity.data is not None:
        masked["data"] = redactor.mask_data(activity.data, may_be_quoted=True)
    if activity.changes is not None:
        masked["changes"] = _mask_changes(redactor, activity.changes)
    if activity.response is not None:
        is_error = (activity.status_code or 0) >= FIRST_ERROR_STATUS
        for_response = replace(redactor, is_response=True, is_error=is_error)
        masked["response"] = for_response.mask_data(activity.response)
    if isinstance(activity.extra, dict):
        masked["extra"] = _mask_extra(redactor, activity.extra)
    elif activity.extra is not None:
        masked["extra"] = {"value": redactor.mask_data(activity.extra)}
    if activity.user_agent:
        masked["user_agent"] = redactor.mask_shared_text(truncate(activity.user_agent, MAX_TEXT))
    if activity.path:
        masked["path"] = redactor.mask_path_formats(truncate(activity.path, MAX_TEXT))
    masked |= _mask_names(redactor, activity)
    if activity.action and activity.action != activity.route:
        # A route is written by the project.
        masked["action"] = _mask_text(redactor, activity.action)
    for name in _ids_to_mask(activity, scope):
        masked[name] = _mask_text(redactor, as_plain_str(getattr(activity, name)))
    for name in ("remarks", "reason"):
        if text := getattr(activity, name):
            masked[name] = _mask_text(redactor, as_plain_str(text))
    if activity.target:
        masked["target"] = _mask_target(redactor, activity.target)
    return mask_known_secrets(activity.replace(**masked), redactor.known_secrets)


def _mask_changes(redactor: Redactor, changes: Any) -> Any:
    """Mask `{field: [old, new]}`, of a secret both values; None stays, since there was no value."""
    masked = redactor.mask_data(changes)
    if not isinstance(changes, dict):
        return masked
    for name, change in zip(list(masked), changes.values(), strict=False):
        if masked[name] == MASK and isinstance(change, (list, tuple)):
            masked[name] = [None if each is None else MASK for each in change]
    return masked


def _ids_to_mask(activity: Activity, scope: Scope | None) -> Iterator[str]:
    # A generated id has no secrets, though its digits may look like a card number.
    if activity.request_id and not (scope and activity.request_id == scope.id.hex):
        yield "request_id"
    if activity.trace_id and not _TRACE.fullmatch(as_plain_str(activity.trace_id)):
        yield "trace_id"


def _redactor_for(activity: Activity, scope: Scope | None) -> Redactor:
    if scope is None:
        return get_redactor(is_authentication=is_about_authentication(activity.action))
    if activity is scope.request_activity or not is_about_authentication(activity.action):
        return scope.redactor
    return replace(scope.redactor, is_authentication=True)


def _mask_names(redactor: Redactor, activity: Activity) -> dict[str, str]:
    # "api-key:7" is an actor, not a key with a value.
    return {
        name: redactor.mask_text(truncate(as_plain_str(text), MAX_TEXT), named=False)
        for name in ("actor_label", "impersonator_label", "tenant")
        if (text := getattr(activity, name))
    }


def _mask_extra(redactor: Redactor, extra: dict[str, Any]) -> dict[str, Any]:
    """Mask `extra`: the query and the headers as such, the rest as data."""
    masked: dict[str, Any] = {}
    if isinstance(query := extra.get("query"), str):
        masked["query"] = redactor.mask_query(query)
    if isinstance(headers := extra.get("headers"), dict):
        masked["headers"] = {
            name: redactor.mask_header(name, str(value)) for name, value in headers.items()
        }
    # The project may use these names for other types.
    rest = {name: value for name, value in extra.items() if name not in masked}
    return {**redactor.mask_data(rest), **masked} if rest else masked


def mask_known_secrets(activity: Activity, secrets: KnownSecrets) -> Activity:
    """Mask the known secrets of the request in free texts and response data.

    Data, queries and paths are not changed: otherwise clients could hide them by sending the same
    value as a password. If not all request data are known, texts that may quote them are withheld.
    """
    if not secrets.is_complete:
        activity = _withhold_texts(activity)
    if not secrets:
        return activity
    masked: dict[str, Any] = {}
    for name in ("remarks", "reason"):
        if text := getattr(activity, name):
            masked[name] = secrets.mask(text)
    if activity.response is not None:
        masked["response"] = secrets.mask(activity.response)
    if activity.extra and (texts := _free_texts(activity.extra)):
        rest = {name: value for name, value in activity.extra.items() if name not in texts}
        masked["extra"] = {**rest, **secrets.mask(texts)}
    # The fields whose text the project may have built from request data.
    action = () if activity.action == activity.route else ("action",)
    actor = () if activity.actor_id is not None else ("actor_label",)
    for name in ("action_type", "request_id", *action, *actor):
        text = getattr(activity, name)
        if text and (without := secrets.mask_name(text)) != text:
            masked[name] = without
    if activity.target:
        text = secrets.mask(activity.target.object_repr)
        masked["target"] = replace(activity.target, object_repr=text)
    return activity.replace(**masked) if masked else activity


def _withhold_texts(activity: Activity) -> Activity:
    """Replace texts that may quote the request, but keep the type and place of an exception."""
    extra = activity.extra
    masked: dict[str, Any] = {}
    if extra and isinstance(exception := extra.get("exception"), dict):
        extra = masked["extra"] = {**extra, "exception": {**exception, "message": WITHHELD}}
    response = activity.response
    if response is not None and not (
        isinstance(response, str) and _NOT_CAPTURED.fullmatch(response)
    ):
        masked["response"] = WITHHELD
    if activity.source != Source.REQUEST:
        # `tracker` has withheld its remarks itself.
        if activity.remarks:
            masked["remarks"] = WITHHELD
        if activity.reason:
            masked["reason"] = WITHHELD
        if extra:
            masked["extra"] = {**extra, **_withhold_extra(extra)}
    return activity.replace(**masked) if masked else activity


def _withhold_extra(extra: dict[str, Any]) -> dict[str, Any]:
    texts = _free_texts(extra)
    texts.pop("exception", None)
    withheld: dict[str, Any] = Sanitizer(text=lambda _text: WITHHELD)(texts)
    # The names are written by the project.
    return dict(zip(texts, withheld.values(), strict=True))


def _free_texts(extra: dict[str, Any]) -> dict[str, Any]:
    """Return `extra` without the query and the headers, whose secrets have names."""
    return {name: value for name, value in extra.items() if name not in ("query", "headers")}


def _mask_text(redactor: Redactor, text: str) -> str:
    # Bounded, since no column takes more.
    return redactor.mask_text(truncate(text, MAX_TEXT))


def _mask_target(redactor: Redactor, target: Target) -> Target:
    if target.model.rpartition(".")[2] in redactor.names:
        # The primary key of a session or token is the secret itself, unless it is a number.
        return replace(target, object_id=hide_key(target.object_id), object_repr=MASK)
    return replace(target, object_repr=_mask_text(redactor, target.object_repr))
