"""The processors: each returns the activity, a changed copy, or None to drop it.

`TRACKMATE["PROCESSORS"]` lists them in the order in which they run.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from trackmate.activity import Activity, Target, as_plain_str
from trackmate.conf import get_settings, per_settings
from trackmate.context import Scope, current_scope
from trackmate.db.transactions import protected_transactions
from trackmate.enums import FIRST_ERROR_STATUS, Source, Status
from trackmate.redaction import (
    MASK,
    MAX_TEXT,
    KnownSecrets,
    Redactor,
    Sanitizer,
    clean_line,
    clean_lines,
    get_redactor,
    is_about_authentication,
    keyed_hash,
    truncate,
)


class Processor(Protocol):
    """The type of a processor: `Activity -> Activity | None`."""

    def __call__(self, activity: Activity, /) -> Activity | None: ...


@per_settings
def get_processors() -> tuple[Processor, ...]:
    """Return the configured processors. Raise ImportError for an invalid path."""
    return tuple(
        _protected(import_string(item) if isinstance(item, str) else item)
        for item in get_settings().PROCESSORS
    )


def _protected(processor: Processor) -> Processor:
    """Run a custom processor so that a failing query does not break a transaction."""
    if getattr(processor, "__module__", "") == __name__:
        return processor
    return protected_transactions()(processor)


# --- exclude ---------------------------------------------------------------------------------

Rule = str | re.Pattern[str]

MAX_PATH = 2_048
"""Characters of a path that the project's patterns are matched against."""


def exclude(activity: Activity) -> Activity | None:
    """Drop requests that the settings exclude. Other activities are never excluded."""
    if activity.source != Source.REQUEST:
        return activity
    scope = current_scope()
    # As in the URLconf: not masked, and without the script name.
    path = scope.request.path_info if scope else activity.path
    return None if is_excluded(activity.method, path, scope) else activity


def is_excluded(method: str, path: str, scope: Scope | None = None) -> bool:
    """Return True if the settings exclude a request, as far as its route is known."""
    settings, path = get_settings(), path[:MAX_PATH]
    if not settings.TRACK_REQUESTS or path.startswith(_ignored_paths()):
        return True
    if method in settings.EXCLUDE_METHODS:
        return True
    names = _route_names(scope)
    if "trackmate" in names or _matches(settings.EXCLUDE_PATHS, path, names):
        return True
    return bool(settings.INCLUDE_PATHS) and not _matches(settings.INCLUDE_PATHS, path, names)


def _route_names(scope: Scope | None) -> Sequence[str]:
    match = scope and scope.request.resolver_match
    return (match.view_name, *match.app_names) if match else ()


def _matches(rules: Sequence[Rule], path: str, names: Sequence[str]) -> bool:
    return any(
        (path.startswith(rule) if rule.startswith("/") else rule in names)
        if isinstance(rule, str)
        else rule.search(path) is not None
        for rule in rules
    )


@per_settings
def _ignored_paths() -> tuple[str, ...]:
    # Unset, Django returns the root of the site, which would exclude everything.
    urls = [_explicit_setting(name) for name in ("STATIC_URL", "MEDIA_URL")]
    paths = (_without_prefix(url) for url in urls if url not in ("", "/"))
    return ("/favicon.ico", *filter(None, paths))


def _without_prefix(url: str) -> str:
    """Return the path of a URL without the script name, or "" if it is not below it."""
    if url.startswith(("//", "http:", "https:")):
        return ""
    prefix = (django_settings.FORCE_SCRIPT_NAME or "").rstrip("/") + "/"
    if url.startswith("/") and not url.startswith(prefix):
        return ""
    return "/" + url.removeprefix(prefix)


def _explicit_setting(name: str) -> str:
    return getattr(django_settings._wrapped, name, "") or ""


# --- sample ----------------------------------------------------------------------------------


def sample(activity: Activity) -> Activity | None:
    """Drop all but `SAMPLE_RATE` of the successful requests."""
    rate = get_settings().SAMPLE_RATE
    if rate >= 1 or activity.source != Source.REQUEST or activity.status == Status.FAILED:
        return activity
    return activity if random.random() < rate else None  # noqa: S311 (not a secret)


# --- enrich ----------------------------------------------------------------------------------

_FACTS = ("ip_address", "user_agent", "session_hash", "method", "path", "route")


def enrich(activity: Activity) -> Activity:
    """Add the request's actor and client to the other activities of that request."""
    scope = current_scope()
    if scope is None or scope.request_activity is None or activity is scope.request_activity:
        return activity
    request = scope.request_activity
    missing: dict[str, Any] = {
        name: getattr(request, name) for name in _FACTS if not getattr(activity, name)
    }
    if activity.request_id in ("", scope.id.hex):
        # The project may have bound another id since.
        missing["request_id"] = request.request_id
    if activity.actor_id is None and not activity.actor_label and activity.source != Source.AUTH:
        missing.update(actor_id=request.actor_id, actor_label=request.actor_label)
    return activity.replace(**missing)


# --- redact ----------------------------------------------------------------------------------

_PAYLOADS = ("data", "changes")
_DATA = frozenset({*_PAYLOADS, "response", "extra"})

WITHHELD = "[withheld: the data of the request are not known]"
"""Replaces a text that may quote request data that trackmate could not read."""


_NOT_CAPTURED = re.compile(r"not captured: \d+ bytes(?:, cannot be parsed)?")
"""The placeholder for a body that is not captured."""


def redact(activity: Activity) -> Activity:
    """Mask secrets in everything that a client or the project provides."""
    scope = current_scope()
    redactor = _redactor_for(activity, scope)
    masked: dict[str, Any] = {}
    for name in _PAYLOADS:
        if (value := getattr(activity, name)) is not None:
            masked[name] = redactor.mask_data(value, may_be_quoted=name == "data")
    if activity.response is not None:
        masked["response"] = _response_redactor(redactor, activity).mask_data(activity.response)
    if isinstance(activity.extra, dict):
        masked["extra"] = _mask_extra(redactor, activity.extra)
    elif activity.extra is not None:
        masked["extra"] = {"value": redactor.mask_data(activity.extra)}
    if activity.user_agent:
        masked["user_agent"] = redactor.mask_shared_text(truncate(activity.user_agent, MAX_TEXT))
    if activity.path:
        masked["path"] = redactor.mask_path_formats(truncate(activity.path, MAX_TEXT))
    if activity.actor_label:
        # "api-key:7" is an actor, not a key with a value.
        masked["actor_label"] = redactor.mask_text(
            truncate(activity.actor_label, MAX_TEXT), named=False
        )
    if activity.action and activity.action != activity.route:
        # A route is written by the project.
        masked["action"] = _mask_text(redactor, activity.action)
    if activity.request_id and not (scope and activity.request_id == scope.id.hex):
        # A generated id has no secrets, though its digits may look like a card number.
        masked["request_id"] = _mask_text(redactor, activity.request_id)
    if activity.remarks:
        masked["remarks"] = _mask_text(redactor, activity.remarks)
    if activity.target:
        masked["target"] = _mask_target(redactor, activity.target)
    return mask_known_secrets(activity.replace(**masked), redactor.known_secrets)


def _redactor_for(activity: Activity, scope: Scope | None) -> Redactor:
    if scope is None:
        return get_redactor(is_authentication=is_about_authentication(activity.action))
    redactor = scope.redactor
    if activity is scope.request_activity or redactor.is_authentication:
        return redactor
    about = is_about_authentication(activity.action)
    return replace(redactor, is_authentication=True) if about else redactor


def _response_redactor(redactor: Redactor, activity: Activity) -> Redactor:
    is_error = (activity.status_code or 0) >= FIRST_ERROR_STATUS
    return replace(redactor, is_response=True, is_error=is_error)


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
    if activity.remarks:
        masked["remarks"] = secrets.mask(activity.remarks)
    if activity.response is not None:
        masked["response"] = secrets.mask(activity.response)
    if activity.extra and (texts := _free_texts(activity.extra)):
        rest = {name: value for name, value in activity.extra.items() if name not in texts}
        masked["extra"] = {**rest, **secrets.mask(texts)}
    for name in _maskable_names(activity):
        text = getattr(activity, name)
        if text and (without := secrets.mask_name(text)) != text:
            masked[name] = without
    if activity.target:
        text = secrets.mask(activity.target.object_repr)
        masked["target"] = replace(activity.target, object_repr=text)
    return activity.replace(**masked) if masked else activity


def _maskable_names(activity: Activity) -> tuple[str, ...]:
    """Return the fields whose text the project may have built from request data."""
    action = () if activity.action == activity.route else ("action",)
    actor = () if activity.actor_id is not None else ("actor_label",)
    return ("action_type", "request_id", *action, *actor)


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
        key = target.object_id
        object_id = key if key.isdigit() else keyed_hash(key, "object")
        return replace(target, object_id=object_id, object_repr=MASK)
    return replace(target, object_repr=_mask_text(redactor, target.object_repr))


# --- clean -----------------------------------------------------------------------------------

LENGTHS = {
    "source": 16,
    "action": 255,
    "action_type": 32,
    "status": 16,
    "actor_label": 255,
    "user_agent": 512,
    "session_hash": 64,
    "method": 16,
    "path": 2048,
    "route": 255,
    "request_id": 64,
}
"""Maximum lengths of the columns of `ActivityLog`."""


def clean(activity: Activity) -> Activity:
    """Make every value storable: without control characters, bounded, JSON-ready."""
    cleaned: dict[str, Any] = {}
    for name, length in LENGTHS.items():
        text = getattr(activity, name)
        if type(text) is not str:
            cleaned[name] = text = as_plain_str(text)
        if text and (not text.isprintable() or len(text) > length):
            cleaned[name] = clean_line(text, length)
    for name in _DATA:
        if (value := getattr(activity, name)) is not None:
            cleaned[name] = Sanitizer()(value)
    if activity.remarks:
        cleaned["remarks"] = clean_lines(activity.remarks, MAX_TEXT)
    if activity.target:
        cleaned["target"] = _clean_target(activity.target)
    return activity.replace(**cleaned) if cleaned else activity


def _clean_target(target: Target) -> Target:
    return replace(
        target,
        object_id=clean_line(target.object_id, 255),
        object_repr=clean_line(target.object_repr, 255),
    )


def without_payload(activity: Activity, reason: str) -> Activity:
    """Return a copy without any text from the client or the project."""
    return activity.replace(
        data=None,
        response=None,
        changes=None,
        extra={"error": reason},
        remarks="",
        path="",
        user_agent="",
        actor_label=activity.actor_label and MASK,
        target=None,
    )
