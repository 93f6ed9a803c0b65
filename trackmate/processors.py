"""The processors: each takes an activity and returns it, a changed copy of it, or None to drop it.

`TRACKMATE["PROCESSORS"]` lists them in order; reading the list is reading the behaviour.
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
    """What stands in the list: `Activity -> Activity | None`."""

    def __call__(self, activity: Activity, /) -> Activity | None: ...


@per_settings
def get_processors() -> tuple[Processor, ...]:
    """Return the project's processors in order. Raise ImportError for a path that leads nowhere."""
    return tuple(
        _protected(import_string(item) if isinstance(item, str) else item)
        for item in get_settings().PROCESSORS
    )


def _protected(processor: Processor) -> Processor:
    """Let no query of a project's processor break a transaction; ours make none."""
    if getattr(processor, "__module__", "") == __name__:
        return processor
    return protected_transactions()(processor)


# --- exclude ---------------------------------------------------------------------------------

Rule = str | re.Pattern[str]

MAX_PATH = 2_048
"""Characters of a path that a project's patterns are searched in."""


def exclude(activity: Activity) -> Activity | None:
    """Drop requests that the settings leave out; nothing but a request is ever left out."""
    if activity.source != Source.REQUEST:
        return activity
    scope = current_scope()
    # The settings name paths as the URLconf does: not masked, and without the site's prefix.
    path = scope.request.path_info if scope else activity.path
    return None if is_excluded(activity.method, path, scope) else activity


def is_excluded(method: str, path: str, scope: Scope | None = None) -> bool:
    """Say whether the settings leave out a request, as far as its route is known by now."""
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
    # Unset, these read like the site's root, whatever that is, and would exclude everything; what
    # the project wrote itself shows whether they are.
    urls = [_explicit_setting(name) for name in ("STATIC_URL", "MEDIA_URL")]
    paths = (_without_prefix(url) for url in urls if url not in ("", "/"))
    return ("/favicon.ico", *filter(None, paths))


def _without_prefix(url: str) -> str:
    """Return the path that the URLconf sees, or nothing for what never comes here: files of other
    hosts, and of paths beside the site's prefix."""
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
    return activity if random.random() < rate else None  # noqa: S311 (a share, not a secret)


# --- enrich ----------------------------------------------------------------------------------

_FACTS = ("ip_address", "user_agent", "session_hash", "method", "path", "route")


def enrich(activity: Activity) -> Activity:
    """Add to what was collected during a request who made that request, and from where."""
    scope = current_scope()
    if scope is None or scope.request_activity is None or activity is scope.request_activity:
        return activity
    request = scope.request_activity
    missing: dict[str, Any] = {
        name: getattr(request, name) for name in _FACTS if not getattr(activity, name)
    }
    if activity.request_id in ("", scope.id.hex):
        # The project may have bound another id in the meantime, and it is one for all.
        missing["request_id"] = request.request_id
    if activity.actor_id is None and not activity.actor_label and activity.source != Source.AUTH:
        missing.update(actor_id=request.actor_id, actor_label=request.actor_label)
    return activity.replace(**missing)


# --- redact ----------------------------------------------------------------------------------

_PAYLOADS = ("data", "changes")
_DATA = frozenset({*_PAYLOADS, "response", "extra"})

WITHHELD = "[withheld: the data of the request are not known]"
"""What takes the place of a text that may quote what trackmate has not seen."""


_NOTE = re.compile(r"not captured: \d+ bytes(?:, cannot be parsed)?")
"""What capture says of a body that it does not keep."""


def redact(activity: Activity) -> Activity:
    """Mask secrets, by name, by form and by place, in all that a client or a project can fill."""
    scope = current_scope()
    rules = _redactor_for(activity, scope)
    masked: dict[str, Any] = {}
    for name in _PAYLOADS:
        if (value := getattr(activity, name)) is not None:
            masked[name] = rules.mask_data(value, may_be_quoted=name == "data")
    if activity.response is not None:
        masked["response"] = _response_redactor(rules, activity).mask_data(activity.response)
    if isinstance(activity.extra, dict):
        masked["extra"] = _redacted_extra(rules, activity.extra)
    elif activity.extra is not None:
        masked["extra"] = {"value": rules.mask_data(activity.extra)}
    if activity.user_agent:
        masked["user_agent"] = rules.mask_shared_text(truncate(activity.user_agent, MAX_TEXT))
    if activity.path:
        masked["path"] = rules.mask_path_formats(truncate(activity.path, MAX_TEXT))
    if activity.actor_label:
        # "api-key:7" is the name of an actor, not a key and its value.
        masked["actor_label"] = rules.mask_text(
            truncate(activity.actor_label, MAX_TEXT), named=False
        )
    if activity.action and activity.action != activity.route:
        # A route is the project's own, and so is a name that was made of it.
        masked["action"] = _text(rules, activity.action)
    if activity.request_id and not (scope and activity.request_id == scope.id.hex):
        # One of ours is no text of anybody's, though its digits may look like a card's.
        masked["request_id"] = _text(rules, activity.request_id)
    if activity.remarks:
        masked["remarks"] = _text(rules, activity.remarks)
    if activity.target:
        masked["target"] = _redacted_target(rules, activity.target)
    return mask_known_secrets(activity.replace(**masked), rules.known_secrets)


def _redactor_for(activity: Activity, scope: Scope | None) -> Redactor:
    if scope is None:
        return get_redactor(is_authentication=is_about_authentication(activity.action))
    rules = scope.redactor
    if activity is scope.request_activity or rules.is_authentication:
        return rules
    about = is_about_authentication(activity.action)
    return replace(rules, is_authentication=True) if about else rules


def _response_redactor(rules: Redactor, activity: Activity) -> Redactor:
    is_error = (activity.status_code or 0) >= FIRST_ERROR_STATUS
    return replace(rules, is_response=True, is_error=is_error)


def _redacted_extra(rules: Redactor, extra: dict[str, Any]) -> dict[str, Any]:
    """Mask what is an address, or a part of one, as such: the names in it may be encoded."""
    masked: dict[str, Any] = {}
    if isinstance(query := extra.get("query"), str):
        masked["query"] = rules.mask_query(query)
    if isinstance(headers := extra.get("headers"), dict):
        masked["headers"] = {
            name: rules.mask_header(name, str(value)) for name, value in headers.items()
        }
    # A project may use these names for something of another kind.
    rest = {name: value for name, value in extra.items() if name not in masked}
    return {**rules.mask_data(rest), **masked} if rest else masked


def mask_known_secrets(activity: Activity, found: KnownSecrets) -> Activity:
    """Mask in free texts and answers what was masked elsewhere in the same request.

    Data, queries and paths stay: otherwise a client could hide what it does by sending it twice,
    the second time under the name of a secret. Where not all data of the request are known, texts
    that may quote them are withheld.
    """
    if not found.is_complete:
        activity = _withhold_texts(activity)
    if not found:
        return activity
    masked: dict[str, Any] = {}
    if activity.remarks:
        masked["remarks"] = found.mask(activity.remarks)
    if activity.response is not None:
        masked["response"] = found.mask(activity.response)
    if activity.extra and (texts := _free_texts(activity.extra)):
        rest = {name: value for name, value in activity.extra.items() if name not in texts}
        masked["extra"] = {**rest, **found.mask(texts)}
    for name in _maskable_names(activity):
        text = getattr(activity, name)
        if text and (without := found.mask_name(text)) != text:
            masked[name] = without
    if activity.target:
        text = found.mask(activity.target.object_repr)
        masked["target"] = replace(activity.target, object_repr=text)
    return activity.replace(**masked) if masked else activity


def _maskable_names(activity: Activity) -> tuple[str, ...]:
    """Return which names of an activity a project may have made of what a client sent."""
    action = () if activity.action == activity.route else ("action",)
    actor = () if activity.actor_id is not None else ("actor_label",)
    return ("action_type", "request_id", *action, *actor)


def _withhold_texts(activity: Activity) -> Activity:
    """Keep of an exception its type and place, and of what the project says nothing."""
    extra = activity.extra
    masked: dict[str, Any] = {}
    if extra and isinstance(exception := extra.get("exception"), dict):
        extra = masked["extra"] = {**extra, "exception": {**exception, "message": WITHHELD}}
    response = activity.response
    if response is not None and not (isinstance(response, str) and _NOTE.fullmatch(response)):
        masked["response"] = WITHHELD
    if activity.source != Source.REQUEST:
        # What `tracker` says of a request was decided by itself.
        if activity.remarks:
            masked["remarks"] = WITHHELD
        if extra:
            masked["extra"] = {**extra, **_withhold_extra(extra)}
    return activity.replace(**masked) if masked else activity


def _withhold_extra(extra: dict[str, Any]) -> dict[str, Any]:
    texts = _free_texts(extra)
    texts.pop("exception", None)
    withheld: dict[str, Any] = Sanitizer(text=lambda _text: WITHHELD)(texts)
    # The names are the project's own.
    return dict(zip(texts, withheld.values(), strict=True))


def _free_texts(extra: dict[str, Any]) -> dict[str, Any]:
    """Return what is neither the query nor a header, in which the names say what is secret."""
    return {name: value for name, value in extra.items() if name not in ("query", "headers")}


def _text(rules: Redactor, text: str) -> str:
    # Patterns meet bounded texts only; what is longer than this no column takes anyway.
    return rules.mask_text(truncate(text, MAX_TEXT))


def _redacted_target(rules: Redactor, target: Target) -> Target:
    if target.model.rpartition(".")[2] in rules.names:
        # The key of a session, and of many a token, is the secret itself; a number is not.
        key = target.object_id
        hidden = key if key.isdigit() else keyed_hash(key, "object")
        return replace(target, object_id=hidden, object_repr=MASK)
    return replace(target, object_repr=_text(rules, target.object_repr))


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
"""Characters that the columns of an `ActivityLog` take."""


def clean(activity: Activity) -> Activity:
    """Make every value one that any backend takes: no control characters, bounded, JSON-ready."""
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
    """Return what can be said without any text that a client or a project filled."""
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
