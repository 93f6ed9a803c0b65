"""What ties activities to other systems: the id of a request, and the trace it is a part of."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from typing import Any

from django.http import HttpRequest
from django.http.request import HttpHeaders

from trackmate.conf import get_settings

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:=+/@-]{1,64}")
_OPENTELEMETRY = "opentelemetry.trace"

_TRACEPARENT = re.compile(
    r"(?:00-{ids}-[0-9a-f]{{2}}|(?!00|ff)[0-9a-f]{{2}}-{ids}-[0-9a-f]{{2}}(?:-.*)?)".format(
        ids="((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}"
    )
)
"""W3C Trace Context, 3.2: a later version than 00 may have more fields at its end."""


def received_request_id(request: HttpRequest) -> str:
    """Return the valid id that a request came with in `REQUEST_ID_HEADER`, or "".

    Of several ids none is valid: servers join them with commas.
    """
    header = get_settings().REQUEST_ID_HEADER
    received = request.META.get(HttpHeaders.to_wsgi_name(header), "") if header else ""
    return received if is_valid_request_id(received) else ""


def is_valid_request_id(text: str) -> bool:
    """Return True if a text can be an id in a header: 1 to 64 letters, digits and `-_.:=+/@`."""
    return _REQUEST_ID.fullmatch(text) is not None


def trace_of_request(request: HttpRequest) -> str:
    """Return the trace id of a request as 32 hex digits, or "".

    It is that of OpenTelemetry's current span, else that of a valid header `traceparent`
    (https://www.w3.org/TR/trace-context/). An invalid header is ignored, as the standard says.
    """
    if span_trace := current_trace():
        return span_trace
    header = request.META.get("HTTP_TRACEPARENT")
    found = _TRACEPARENT.fullmatch(header) if header else None
    return (found[1] or found[2]) if found else ""


def current_trace() -> str:
    """Return the trace id of OpenTelemetry's current span, or "".

    OpenTelemetry is never imported here: without it in the process there is no span.
    """
    trace: Any = sys.modules.get(_OPENTELEMETRY)
    if trace is None:
        return ""
    with suppress(Exception):  # the tracing of a project must not cost its log
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            return f"{context.trace_id:032x}"
    return ""
