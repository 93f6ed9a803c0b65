"""The activity of a request that has ended."""

from __future__ import annotations

import json
from time import perf_counter
from typing import Any

from django.conf import settings as django_settings
from django.http.request import HttpHeaders
from django.http.response import HttpResponse, HttpResponseBase

from trackmate.activity import Activity
from trackmate.capture.actors import (
    hash_session,
    request_actor,
    request_impersonator,
    request_tenant,
)
from trackmate.capture.bodies import (
    captured_data,
    is_json,
    not_captured,
    query_string,
    sent_data,
)
from trackmate.capture.clients import (
    apply_ip_mode,
    client_address,
    masked_path,
    parse_ip,
    readable_route,
)
from trackmate.capture.login_forms import mask_unknown_accounts
from trackmate.capture.outcomes import apply_outcome
from trackmate.capture.reasons import sent_reason
from trackmate.capture.responses import decode_content
from trackmate.conf import get_settings
from trackmate.context.scope import Scope
from trackmate.diagnostics import describe_exception
from trackmate.enums import FIRST_ERROR_STATUS, Source, action_type_for, status_for
from trackmate.pipeline import never_raise
from trackmate.redaction.detection.randomness import looks_random
from trackmate.redaction.patterns import basic_auth_password
from trackmate.redaction.redactor import secret_names
from trackmate.redaction.text import truncate

MAX_QUERY = 2_000
"""Maximum length of a stored query string."""
MAX_ENCODINGS = 40
"""Maximum length of a quoted `Content-Encoding`."""
MIN_SECRET_HEADER = 8
"""Minimum length of a header value that may be a key."""


def describe_request(
    scope: Scope, response: HttpResponseBase | None, *, failed: bool = False
) -> Activity:
    """Return the activity of a request that has ended.

    `response` is None if there is none. With `failed` the status is Failed, whatever the status
    code.
    """
    request = scope.request
    match = request.resolver_match
    # The pattern of the root is empty.
    route = readable_route(match.route or "/") if match else ""
    sent = data = captured_data(scope)
    settings = get_settings()
    has_reasons = settings.REASON_FIELD or settings.REASON_HEADER
    reason = (sent_reason(request, data) or "") if has_reasons else ""
    has_texts = reason or scope.activities or scope.enrichments or scope.exception is not None
    if has_texts or _wants_response(scope):
        # They may quote request data.
        remember_header_secrets(scope)
        is_known, sent = sent_data(scope, data) or (False, None)
        scope.secrets.is_complete = is_known
    # Each part that may fail returns None then, so that the others are kept.
    actor_id, actor_label = request_actor(request, scope.actor) or (None, "")
    claimed = client_address(request) or ""
    address = parse_ip(claimed)
    activity = Activity(
        **_known_values(scope, response, failed=failed),
        action=route,
        execution_time=perf_counter() - scope.started,
        actor_id=actor_id,
        actor_label=actor_label,
        **_surroundings(scope, actor_id, reason),
        ip_address=apply_ip_mode(address),
        user_agent=request.META.get("HTTP_USER_AGENT", ""),
        session_hash=hash_session(request) or "",
        path=masked_path(request, scope.redactor) or "",
        route=route,
        data=data,
        response=_response_data(scope, response),
        extra=_extra(scope, claimed if claimed != address else ""),
    )
    activity = mask_unknown_accounts(activity, scope, sent)
    activity = apply_outcome(activity, scope, response) or activity
    for enrichment in scope.enrichments:
        activity = enrichment(activity) or activity
    return activity


def _surroundings(scope: Scope, actor_id: Any, reason: str) -> dict[str, Any]:
    """Return who acts as the actor, the tenant and the reason; what was bound comes first."""
    values: dict[str, Any] = {"reason": reason}
    if actor_id is not None:
        values |= request_impersonator(scope.request, actor_id) or {}
    if get_settings().TENANT is not None:
        values["tenant"] = request_tenant(scope.request) or None
    return {**values, **scope.bound}


def minimal_activity(scope: Scope, response: HttpResponseBase | None) -> Activity:
    """Return the activity of a request that cannot be described, with the values always known."""
    return Activity(**_known_values(scope, response, failed=response is None))


def _known_values(
    scope: Scope, response: HttpResponseBase | None, *, failed: bool
) -> dict[str, Any]:
    method = scope.request.method or ""
    status_code = response.status_code if response is not None else None
    return {
        "id": scope.id,
        "action_time": scope.action_time,
        "source": Source.REQUEST.value,
        "action_type": action_type_for(method, status_code),
        "status": status_for(failed=failed or (status_code or 0) >= FIRST_ERROR_STATUS),
        "status_code": status_code,
        "method": method,
        "request_id": scope.request_id,
        "trace_id": scope.trace_id,
    }


def _wants_response(scope: Scope) -> bool:
    wanted = scope.capture_response
    return get_settings().CAPTURE_RESPONSE if wanted is None else wanted


@never_raise
def _response_data(scope: Scope, response: HttpResponseBase | None) -> Any:
    if not _wants_response(scope) or not isinstance(response, HttpResponse):
        # Streams are not consumed.
        return None
    if hasattr(response, "data"):
        return response.data
    if not is_json(response.get("Content-Type", "").partition(";")[0].strip()):
        return None
    content, encodings = response.content, response.get("Content-Encoding", "")
    longest = get_settings().MAX_BODY_BYTES
    if len(content) > longest:
        return not_captured(len(content))
    decoded = decode_content(content, encodings, longest)
    if decoded is None:
        return not_captured(len(content), f"encoded as {encodings[:MAX_ENCODINGS]}")
    try:
        return json.loads(decoded) if decoded else None
    except (ValueError, RecursionError):
        return not_captured(len(content), "cannot be parsed")


@never_raise
def _extra(scope: Scope, claimed: str) -> dict[str, Any] | None:
    extra: dict[str, Any] = {}
    meta = scope.request.META
    if query := query_string(scope.request):
        extra["query"] = truncate(query, MAX_QUERY)
    keys = {name: HttpHeaders.to_wsgi_name(name) for name in get_settings().CAPTURE_HEADERS}
    if headers := {name: meta[key] for name, key in keys.items() if key in meta}:
        extra["headers"] = headers
    if claimed and get_settings().IP_MODE == "full":
        extra["claimed_address"] = claimed
    if scope.exception is not None:
        extra["exception"] = describe_exception(scope.exception)
    return extra or None


@never_raise
def remember_header_secrets(scope: Scope) -> None:
    """Remember the secrets in cookies and headers, which texts may quote."""
    names, request = secret_names(), scope.request
    query = request.META.get("QUERY_STRING", "")
    if len(query) > MAX_QUERY:
        # Only the stored part is searched when it is masked.
        scope.redactor.mask_query(query)
    for name, value in request.COOKIES.items():
        if name in names or name == django_settings.SESSION_COOKIE_NAME or looks_random(value):
            scope.secrets.add(value)
    for name, value in request.META.items():
        if not name.startswith("HTTP_") or name == "HTTP_COOKIE":
            continue
        if name in names or (names.sensitivity(name) and len(str(value)) >= MIN_SECRET_HEADER):
            scope.secrets.add(str(value).split())
        if name == "HTTP_AUTHORIZATION":
            scope.secrets.add(basic_auth_password(str(value)))
