"""The reason that a client gives: in a header, a form field or a JSON key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.http.request import HttpHeaders

from trackmate.capture.bodies import parsed_body
from trackmate.conf import get_settings
from trackmate.pipeline import never_raise
from trackmate.redaction.text import truncate

MAX_REASON = 1_000
"""Maximum length of a client's reason."""


@never_raise
def sent_reason(request: HttpRequest, data: Any) -> str:
    """Return the reason in `REASON_FIELD`, else in `REASON_HEADER`, or "".

    `data` are the request's data, if they are stored. Nothing is read unless a setting names it.
    """
    settings = get_settings()
    reason = ""
    if settings.REASON_FIELD:
        fields = data if isinstance(data, Mapping) else parsed_body(request)
        reason = _text_of(fields.get(settings.REASON_FIELD)) if isinstance(fields, Mapping) else ""
    if not reason and settings.REASON_HEADER:
        value = request.META.get(HttpHeaders.to_wsgi_name(settings.REASON_HEADER), "")
        reason = _text_of(_as_utf8(value[: 4 * MAX_REASON]))
    return reason


def _text_of(value: Any) -> str:
    if isinstance(value, list):
        # The last one of several, as in Django's `request.POST[name]`.
        value = value[-1] if value else ""
    return truncate(value.strip(), MAX_REASON) if isinstance(value, str) else ""


def _as_utf8(header: str) -> str:
    """Return a header as its client wrote it: servers decode each as Latin-1 (PEP 3333)."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header
