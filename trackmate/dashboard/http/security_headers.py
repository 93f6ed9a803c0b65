"""The response headers of every dashboard page and fragment."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.templatetags.static import static
from django.utils.cache import add_never_cache_headers, patch_vary_headers

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase


def add_security_headers(response: HttpResponseBase) -> None:
    """Keep a response out of caches, frames and referrers; let it load only our static files."""
    add_never_cache_headers(response)
    patch_vary_headers(response, ["HX-Request"])
    response["Content-Security-Policy"] = content_security_policy()
    response["X-Frame-Options"] = "DENY"
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "same-origin"


def content_security_policy() -> str:
    """Return the policy: only our static files, from where they are served."""
    files = " ".join(["'self'", *_static_origin()])
    return (
        f"default-src 'none'; script-src {files}; style-src {files}; img-src {files}; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def _static_origin() -> list[str]:
    parts = urlsplit(_static_url())
    if not parts.netloc:
        return []
    return [f"{parts.scheme}://{parts.netloc}" if parts.scheme else parts.netloc]


def _static_url() -> str:
    try:
        return static("trackmate/trackmate.css")
    except ValueError:
        # Before `collectstatic` a manifest has no files; a redirect needs none.
        return django_settings.STATIC_URL or ""
