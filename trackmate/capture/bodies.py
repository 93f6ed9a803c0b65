"""The body of a request: read without affecting the view, and parsed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.conf import settings as django_settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, QueryDict
from django.http.request import RawPostDataException, UnreadablePostError

from trackmate.conf import get_settings
from trackmate.context.scope import Scope
from trackmate.enums import SAFE_METHODS
from trackmate.pipeline import never_raise
from trackmate.processors import is_excluded
from trackmate.redaction.sanitizer import describe_file

CAPTURES_DATA = "trackmate_captures_data"
"""The view attribute in which `tracker` stores its `capture_data`."""
GRAPHQL = "application/graphql"
"""The content type of a body that is a GraphQL query."""
MAX_SEARCHED_BYTES = 1_000_000
"""Maximum size of a body that is searched for secrets which texts may quote."""


def read_ahead(scope: Scope) -> None:
    """Read a small JSON or form body before the view does, which may stream it.

    Even if the data are not stored, since texts may quote them. The view can still read the body in
    any way.
    """
    request = scope.request
    if (
        request.method not in SAFE_METHODS
        and _is_parsed(request.content_type)
        and 0 < _content_length(request) <= _max_body_bytes()
        and not is_excluded(request.method or "", request.path_info)
    ):
        _read_body(request)


def _is_parsed(content_type: str | None) -> bool:
    return is_json(content_type) or _is_urlencoded(content_type) or content_type == GRAPHQL


@never_raise
def _read_body(request: HttpRequest) -> None:
    """Read the body if possible, leaving the request as the view expects it."""
    started = getattr(request, "_read_started", False)
    try:
        body = request.body
        if "wsgi.input" in request.META:
            # For views that read from the server's stream, such as those of SOAP and WebDAV.
            request.META["wsgi.input"] = BytesIO(body)
    except (RawPostDataException, UnreadablePostError):
        return
    finally:
        if "_body" not in request.__dict__:
            # The client has disconnected; let the view see the same error.
            request._read_started = started  # type: ignore[attr-defined]


def _max_body_bytes() -> int:
    allowed = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    limit = get_settings().MAX_BODY_BYTES
    return limit if allowed is None else min(limit, allowed)


def _content_length(request: HttpRequest) -> int:
    try:
        return max(0, int(request.META.get("CONTENT_LENGTH") or 0))
    except ValueError:
        return 0


def is_json(content_type: str | None) -> bool:
    return content_type == "application/json" or (content_type or "").endswith("+json")


def _is_urlencoded(content_type: str | None) -> bool:
    return content_type == "application/x-www-form-urlencoded"


@never_raise
def captured_data(scope: Scope) -> Any:
    """Return the request's data to store, or a placeholder for what cannot be captured."""
    settings, request = get_settings(), scope.request
    if request.method in SAFE_METHODS or not _should_capture_data(scope):
        return None
    # Private attributes, since the public ones would read or parse the body.
    attributes = request.__dict__
    is_parsed = attributes.get("_post") or attributes.get("_files")
    if is_parsed and request.content_type == "multipart/form-data":
        return _parse_multipart(request)
    body = attributes.get("_body")
    if body is None or len(body) > settings.MAX_BODY_BYTES:
        return not_captured(_content_length(request) if body is None else len(body))
    try:
        if is_json(request.content_type):
            return json.loads(body) if body else None
        if _is_urlencoded(request.content_type):
            return _to_dict(_parse_form(request, body)) or None
        if request.content_type == GRAPHQL:
            return _parse_graphql(request, body)
    except (ValueError, RecursionError, SuspiciousOperation, BadRequest):
        return not_captured(len(body), "cannot be parsed")
    return not_captured(len(body))


def _should_capture_data(scope: Scope) -> bool:
    wanted = scope.capture_data
    if wanted is None:
        wanted = _capture_data_of_view(scope.request)
    return get_settings().CAPTURE_DATA if wanted is None else wanted


def _capture_data_of_view(request: HttpRequest) -> bool | None:
    """Return the `capture_data` of a decorated view that may not have been called.

    A CSRF check or a permission can reject the request before.
    """
    view: Any = request.resolver_match and request.resolver_match.func
    # Set by Django and by Django REST framework.
    view_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    method = (request.method or "").lower()
    actions: Mapping[str, str] = getattr(view, "actions", None) or {}
    handler = getattr(view_class, actions.get(method, method), None)
    wanted: bool | None = getattr(handler, CAPTURES_DATA, getattr(view, CAPTURES_DATA, None))
    return wanted


def not_captured(size: int, reason: str = "") -> str | None:
    """Return the placeholder for a body of `size` bytes, or None for an empty one."""
    return f"not captured: {size} bytes{reason and ', ' + reason}" if size else None


def _parse_multipart(request: HttpRequest) -> dict[str, Any]:
    data = _to_dict(request.POST)
    for name, files in request.FILES.lists():
        described = [describe_file(file) for file in files]
        data[name] = described[0] if len(described) == 1 else described
    return data


def _parse_form(request: HttpRequest, body: bytes) -> QueryDict:
    """Return the fields of a form. Django parses it only for POST."""
    if request.method == "POST":
        return request.POST
    return QueryDict(body, encoding=request.encoding or django_settings.DEFAULT_CHARSET)


def _parse_graphql(request: HttpRequest, body: bytes) -> dict[str, Any]:
    """Return a query with its variables, which are in the query string."""
    data: dict[str, Any] = {"query": body.decode()}
    if variables := request.GET.get("variables"):
        # A text is parsed when it is masked.
        data["variables"] = variables
    return data


def query_string(request: HttpRequest) -> str:
    """Return the query of a request, without what is a part of its data."""
    query: str = request.META.get("QUERY_STRING", "")
    if request.content_type != GRAPHQL or "variables" not in query:
        return query
    # Which of the variables are secrets depends on the GraphQL query, which is in the body.
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
    return urlencode([each for each in pairs if each[0] != "variables"], errors="replace")


def _to_dict(fields: QueryDict) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in fields.lists()}


def parsed_body(request: HttpRequest) -> Any:
    """Return the data of a body that was read or parsed before, stored or not."""
    return _parse_body(request)[1]


@never_raise
def sent_data(scope: Scope, captured: Any) -> tuple[bool, Any]:
    """Return whether all secrets of the request are known, and its data.

    Stored data are searched for secrets when they are masked, other data here.
    """
    # Files may contain secrets, too.
    has_files = bool(scope.request.__dict__.get("_files"))
    if isinstance(captured, (dict, list)):
        return not has_files, captured
    is_known, data = _parse_body(scope.request)
    if data:
        scope.redactor.remember_secrets(data)
    return is_known and not has_files and scope.secrets.is_complete, data


def _parse_body(request: HttpRequest) -> tuple[bool, Any]:
    """Return whether the body could be read whole, and its data."""
    attributes = request.__dict__
    body = attributes.get("_body")
    if body is None:
        # Django sets an empty form if it has parsed nothing.
        if fields := attributes.get("_post"):
            return True, _to_dict(fields)
        # A body of unknown length is chunked (RFC 9112, 6.3).
        is_chunked = "HTTP_TRANSFER_ENCODING" in request.META
        return not (_content_length(request) or is_chunked), None
    if not body or len(body) > MAX_SEARCHED_BYTES:
        return not body, None
    try:
        if is_json(request.content_type):
            return True, json.loads(body)
        if _is_urlencoded(request.content_type):
            return True, _to_dict(_parse_form(request, body))
        if request.content_type == GRAPHQL:
            return True, _parse_graphql(request, body)
        if request.content_type == "multipart/form-data":
            return bool(request.POST) and not request.FILES, _to_dict(request.POST)
    except (ValueError, RecursionError, SuspiciousOperation, BadRequest):
        return False, None
    return False, None
