"""What a request says of itself, once it has ended: its own activity."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from time import perf_counter
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, QueryDict
from django.http.request import HttpHeaders, RawPostDataException, UnreadablePostError
from django.http.response import HttpResponse, HttpResponseBase

from trackmate.activity import Activity
from trackmate.capture.actors import actor_of_request, session_hash_of
from trackmate.capture.clients import claimed_address, parse_address, path_of, stored_address
from trackmate.capture.encodings import decoded
from trackmate.capture.login_forms import mask_unjudged_names
from trackmate.conf import get_settings, per_settings
from trackmate.context import Scope
from trackmate.enums import FAILURE, Source, action_type_of, status_of
from trackmate.pipeline import guarded
from trackmate.processors import is_excluded
from trackmate.redaction import cut, describe_file, looks_random, password_of, secret_names
from trackmate.reporting import exception_of

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
CAPTURES_DATA = "trackmate_captures_data"
"""The attribute of a view in which `tracker` leaves its `capture_data`."""
MAX_QUERY = 2_000
"""Characters of a query string that are kept."""
MAX_ENCODINGS = 40
"""Characters of a `Content-Encoding` that are quoted."""
LONG = 8
"""Characters of a header that may be a key."""
LARGEST_SEARCHED = 1_000_000
"""Bytes of a body that is searched for secrets which a text may quote."""
_REGEX = re.compile(r"[\^$(\\]")
_ESCAPED = re.compile(r"\\(\W)")
_SOURCE = Source.REQUEST.value


def describe(scope: Scope, response: HttpResponseBase | None, *, failed: bool = False) -> Activity:
    """Return the activity of a request that has ended.

    `response` is None where none is known; `failed` says that it failed whatever the status code.
    """
    request = scope.request
    route = _route_of(request)
    sent = data = _data_of(scope)
    if _may_quote(scope):
        _remember_credentials(scope)
        is_known, sent = _sent_data(scope, data) or (False, None)
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


def read_ahead(scope: Scope) -> None:
    """Read a small JSON or form body now, since a view that streams it leaves nothing behind.

    This is done even where the data are not kept: texts that are kept may quote what is in them.
    Whatever reads the body after this gets it whole, by any of Django's ways.
    """
    request = scope.request
    if request.method in SAFE_METHODS:
        return
    if not (_is_json(request.content_type) or _is_form(request.content_type)):
        return
    if not 0 < _length_of(request) <= _longest_body() or is_excluded(
        request.method or "", request.path_info
    ):
        return
    read_body(request)


@guarded
def read_body(request: HttpRequest) -> None:
    """Read the body if it can still be read, leaving the request as a view expects it."""
    started = getattr(request, "_read_started", False)
    try:
        body = request.body
        if "wsgi.input" in request.META:
            # For a view that reads what the server handed over, as those of SOAP and WebDAV do.
            request.META["wsgi.input"] = BytesIO(body)
    except (RawPostDataException, UnreadablePostError):
        return
    finally:
        if "_body" not in request.__dict__:
            # The client is gone. The view shall meet that error itself, and not a follow-up of it.
            request._read_started = started  # type: ignore[attr-defined]


def _longest_body() -> int:
    allowed = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    ours = get_settings().MAX_BODY_BYTES
    return ours if allowed is None else min(ours, allowed)


def _length_of(request: HttpRequest) -> int:
    try:
        return max(0, int(request.META.get("CONTENT_LENGTH") or 0))
    except ValueError:
        return 0


def _is_json(content_type: str | None) -> bool:
    return content_type == "application/json" or (content_type or "").endswith("+json")


def _is_form(content_type: str | None) -> bool:
    return content_type == "application/x-www-form-urlencoded"


@guarded
def _data_of(scope: Scope) -> Any:
    settings, request = get_settings(), scope.request
    if request.method in SAFE_METHODS or not _wants_data(scope):
        return None
    # Private names of Django's, for the public ones would read or parse what nobody has read.
    attributes = request.__dict__
    is_parsed = attributes.get("_post") or attributes.get("_files")
    if is_parsed and request.content_type == "multipart/form-data":
        return _multipart_of(request)
    body = attributes.get("_body")
    if body is None or len(body) > settings.MAX_BODY_BYTES:
        return _not_captured(_length_of(request) if body is None else len(body))
    try:
        if _is_json(request.content_type):
            return json.loads(body) if body else None
        if _is_form(request.content_type):
            return _fields_of(_form_of(request, body)) or None
    except (ValueError, RecursionError, SuspiciousOperation, BadRequest):
        return _not_captured(len(body), "cannot be parsed")
    return _not_captured(len(body))


def _wants_data(scope: Scope) -> bool:
    wanted = scope.capture_data
    if wanted is None:
        wanted = _wanted_by_view(scope.request)
    return get_settings().CAPTURE_DATA if wanted is None else wanted


def _wanted_by_view(request: HttpRequest) -> bool | None:
    """Return what `tracker` says of the data of a view that may not have been reached: a CSRF check
    or a permission can refuse a request before its view is called."""
    view: Any = request.resolver_match and request.resolver_match.func
    # Django's class-based views name their class, and those of Django REST framework do too.
    kind = getattr(view, "view_class", None) or getattr(view, "cls", None)
    method = (request.method or "").lower()
    actions: Mapping[str, str] = getattr(view, "actions", None) or {}
    handler = getattr(kind, actions.get(method, method), None)
    wanted: bool | None = getattr(handler, CAPTURES_DATA, getattr(view, CAPTURES_DATA, None))
    return wanted


def _wants_response(scope: Scope) -> bool:
    wanted = scope.capture_response
    return get_settings().CAPTURE_RESPONSE if wanted is None else wanted


def _not_captured(size: int, reason: str = "") -> str | None:
    return f"not captured: {size} bytes{reason and ', ' + reason}" if size else None


def _multipart_of(request: HttpRequest) -> dict[str, Any]:
    data = _fields_of(request.POST)
    for name, files in request.FILES.lists():
        described = [describe_file(file) for file in files]
        data[name] = described[0] if len(described) == 1 else described
    return data


def _form_of(request: HttpRequest, body: bytes) -> QueryDict:
    """Return the fields of a form that was read, which Django itself parses for POST alone."""
    if request.method == "POST":
        return request.POST
    return QueryDict(body, encoding=request.encoding or django_settings.DEFAULT_CHARSET)


def _fields_of(fields: QueryDict) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in fields.lists()}


@guarded
def _response_data(scope: Scope, response: HttpResponseBase | None) -> Any:
    if not _wants_response(scope) or not isinstance(response, HttpResponse):
        # What streams is never consumed by us.
        return None
    if hasattr(response, "data"):
        return response.data
    if not _is_json(response.get("Content-Type", "").partition(";")[0].strip()):
        return None
    content, longest = response.content, get_settings().MAX_BODY_BYTES
    if len(content) > longest:
        return _not_captured(len(content))
    encodings = response.get("Content-Encoding", "")
    plain = decoded(content, encodings, longest)
    if plain is None:
        return _not_captured(len(content), f"encoded as {encodings[:MAX_ENCODINGS]}")
    try:
        return json.loads(plain) if plain else None
    except (ValueError, RecursionError):
        return _not_captured(len(content), "cannot be parsed")


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


@guarded
def _sent_data(scope: Scope, captured: Any) -> tuple[bool, Any]:
    """Return True if all secrets are known that the texts of this request may quote, and the data
    that the client sent.

    What is kept of its data is searched when it is masked, what is not kept is searched here.
    """
    if isinstance(captured, (dict, list)):
        # What is in files may be quoted as well.
        return not scope.request.__dict__.get("_files"), captured
    is_known, data = _known_data(scope.request)
    if data:
        scope.redactor.learn(data)
    has_files = bool(scope.request.__dict__.get("_files"))
    return is_known and not has_files and scope.secrets.is_complete, data


def _known_data(request: HttpRequest) -> tuple[bool, Any]:
    """Return whether all that the client sent is at hand, and what it is."""
    attributes = request.__dict__
    body = attributes.get("_body")
    if body is None:
        # Django leaves an empty form where it parsed nothing, as of other types and methods.
        if fields := attributes.get("_post"):
            return True, _fields_of(fields)
        return not _has_body(request), None
    if not body or len(body) > LARGEST_SEARCHED:
        return not body, None
    try:
        if _is_json(request.content_type):
            return True, json.loads(body)
        if _is_form(request.content_type):
            return True, _fields_of(_form_of(request, body))
        if request.content_type == "multipart/form-data":
            return bool(request.POST) and not request.FILES, _fields_of(request.POST)
    except (ValueError, RecursionError, SuspiciousOperation, BadRequest):
        return False, None
    return False, None


def _has_body(request: HttpRequest) -> bool:
    # A body of unknown length comes in chunks (RFC 9112, 6.3).
    return _length_of(request) > 0 or "HTTP_TRANSFER_ENCODING" in request.META
