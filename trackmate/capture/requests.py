"""What a request says of itself, once it has ended: its own activity."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from time import perf_counter
from typing import Any

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.http.request import HttpHeaders
from django.http.response import HttpResponse, HttpResponseBase

from trackmate.activity import Activity
from trackmate.capture.actors import actor_of_request, session_hash_of
from trackmate.capture.bodies import captured_data, is_json, not_captured, sent_data
from trackmate.capture.clients import claimed_address, parse_address, path_of, stored_address
from trackmate.capture.encodings import decoded
from trackmate.capture.login_forms import mask_unjudged_names
from trackmate.conf import get_settings, per_settings
from trackmate.context import Scope
from trackmate.diagnostics import exception_of
from trackmate.enums import FAILURE, Source, action_type_of, status_of
from trackmate.pipeline import guarded
from trackmate.redaction import cut, looks_random, password_of, secret_names

MAX_QUERY = 2_000
"""Characters of a query string that are kept."""
MAX_ENCODINGS = 40
"""Characters of a `Content-Encoding` that are quoted."""
LONG = 8
"""Characters of a header that may be a key."""
_REGEX = re.compile(r"[\^$(\\]")
_ESCAPED = re.compile(r"\\(\W)")
_SOURCE = Source.REQUEST.value


def describe(scope: Scope, response: HttpResponseBase | None, *, failed: bool = False) -> Activity:
    """Return the activity of a request that has ended.

    `response` is None where none is known; `failed` says that it failed whatever the status code.
    """
    request = scope.request
    route = _route_of(request)
    sent = data = captured_data(scope)
    if _may_quote(scope):
        _remember_credentials(scope)
        is_known, sent = sent_data(scope, data) or (False, None)
        scope.secrets.is_complete = is_known
    # Each part that asks a database, a project or a client may fail, and takes no other with it.
    actor_id, actor_label = actor_of_request(request, scope.actor) or (None, "")
    claimed = claimed_address(request) or ""
    address = parse_address(claimed)
    activity = Activity(
        **_facts(scope, response, failed=failed),
        action=route,
        execution_time=perf_counter() - scope.started,
        actor_id=actor_id,
        actor_label=actor_label,
        ip_address=stored_address(address),
        user_agent=request.META.get("HTTP_USER_AGENT", ""),
        session_hash=session_hash_of(request) or "",
        path=path_of(request, scope.redactor) or "",
        route=route,
        data=data,
        response=_response_data(scope, response),
        extra=_extra_of(scope, claimed if claimed != address else ""),
    )
    activity = mask_unjudged_names(activity, scope, sent)
    for enrichment in scope.enrichments:
        activity = enrichment(activity) or activity
    return activity


def _may_quote(scope: Scope) -> bool:
    """Return True if a text is kept that may quote what the client sent."""
    return bool(
        scope.activities
        or scope.exception is not None
        or scope.enrichments
        or _wants_response(scope)
    )


def outline(scope: Scope, response: HttpResponseBase | None) -> Activity:
    """Return what is known even of a request that cannot be described."""
    return Activity(**_facts(scope, response, failed=response is None))


def _facts(scope: Scope, response: HttpResponseBase | None, *, failed: bool) -> dict[str, Any]:
    method = scope.request.method or ""
    status_code = response.status_code if response is not None else None
    return {
        "id": scope.id,
        "action_time": scope.action_time,
        "source": _SOURCE,
        "action_type": action_type_of(method),
        "status": status_of(failed=failed or (status_code is not None and status_code >= FAILURE)),
        "status_code": status_code,
        "method": method,
        "request_id": scope.request_id,
    }


def _wants_response(scope: Scope) -> bool:
    wanted = scope.capture_response
    return get_settings().CAPTURE_RESPONSE if wanted is None else wanted


@guarded
def _response_data(scope: Scope, response: HttpResponseBase | None) -> Any:
    if not _wants_response(scope) or not isinstance(response, HttpResponse):
        # What streams is never consumed by us.
        return None
    if hasattr(response, "data"):
        return response.data
    if not is_json(response.get("Content-Type", "").partition(";")[0].strip()):
        return None
    content, longest = response.content, get_settings().MAX_BODY_BYTES
    if len(content) > longest:
        return not_captured(len(content))
    encodings = response.get("Content-Encoding", "")
    plain = decoded(content, encodings, longest)
    if plain is None:
        return not_captured(len(content), f"encoded as {encodings[:MAX_ENCODINGS]}")
    try:
        return json.loads(plain) if plain else None
    except (ValueError, RecursionError):
        return not_captured(len(content), "cannot be parsed")


@guarded
def _extra_of(scope: Scope, claimed: str) -> dict[str, Any] | None:
    extra: dict[str, Any] = {}
    meta = scope.request.META
    if query := meta.get("QUERY_STRING"):
        extra["query"] = cut(query, MAX_QUERY)
    headers = {name: meta[key] for name, key in _captured_headers() if key in meta}
    if headers:
        extra["headers"] = headers
    if claimed and get_settings().IP_MODE == "full":
        extra["claimed_address"] = claimed
    if scope.exception is not None:
        extra["exception"] = exception_of(scope.exception)
    return extra or None


@per_settings
def _captured_headers() -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, HttpHeaders.to_wsgi_names({name: ""}).popitem()[0])
        for name in get_settings().CAPTURE_HEADERS
    )


def _route_of(request: HttpRequest) -> str:
    match = request.resolver_match
    # The root's pattern is empty, as is that of what no pattern matched.
    return readable_route(match.route or "/") if match else ""


@lru_cache(maxsize=4096)
def readable_route(route: str) -> str:
    """Return a URL pattern as `path()` has it; those of `re_path()`, which the routers of Django
    REST framework make as well, are regular expressions."""
    if not _REGEX.search(route):
        return route
    from django.contrib.admindocs.views import simplify_regex  # noqa: PLC0415 (rarely needed)

    return _ESCAPED.sub(r"\1", simplify_regex(route)).removeprefix("/") or "/"


@guarded
def _remember_credentials(scope: Scope) -> None:
    """Note what came in cookies and headers: they are not kept, but texts may quote them."""
    names, request = secret_names(), scope.request
    query = request.META.get("QUERY_STRING", "")
    if len(query) > MAX_QUERY:
        # What is kept of it is searched when it is masked.
        scope.redactor.query(query)
    for name, value in request.COOKIES.items():
        if name in names or name == django_settings.SESSION_COOKIE_NAME or looks_random(value):
            scope.secrets.add(value)
    for name, value in request.META.items():
        if not name.startswith("HTTP_") or name == "HTTP_COOKIE":
            continue
        if name in names or (names.sensitivity(name) and len(str(value)) >= LONG):
            scope.secrets.add(str(value).split())
        if name == "HTTP_AUTHORIZATION":
            scope.secrets.add(password_of(str(value)))
