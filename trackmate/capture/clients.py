"""The client of a request, and the path that it has requested."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from django.http import HttpRequest

from trackmate.conf import get_settings, load_dotted
from trackmate.pipeline import never_raise
from trackmate.redaction.redactor import Redactor, may_be_secret, redactor_for_request
from trackmate.redaction.routes import route_words
from trackmate.redaction.text import keyed_hash

PREFIX_LENGTHS = {4: 24, 6: 48}
"""Prefix lengths for `IP_MODE="truncated"`, by IP version."""

_REGEX = re.compile(r"[\^$(\\]")
_ESCAPED = re.compile(r"\\(\W)")


def describe_client(request: HttpRequest) -> dict[str, Any]:
    """Return the fields of an activity that describe the client and the path of a request."""
    return {
        "ip_address": apply_ip_mode(parse_ip(client_address(request) or "")),
        "user_agent": request.META.get("HTTP_USER_AGENT", ""),
        "method": request.method or "",
        "path": masked_path(request, redactor_for_request(request)),
    }


@never_raise
def masked_path(request: HttpRequest, redactor: Redactor) -> str:
    """Return the path of a request, with the secrets that its route captures masked."""
    match = request.resolver_match
    if match is None:
        # A middleware responded before the URL was resolved, for example with a redirect.
        return redactor.mask_path(request.path)
    if not match.args and not match.kwargs and match.route != request.path_info[1:]:
        # A prefix such as `re_path("^app/")` for the routes of a frontend.
        return redactor.mask_unrouted_path(request.path)
    about = redactor.is_authentication
    arguments = match.kwargs.items() or [("", value) for value in match.args]
    if redactor.site is None or not any(may_be_secret(*each, about=about) for each in arguments):
        return request.path
    captured = redactor.site.matched(request.path, match)
    return redactor.mask_arguments(request.path, captured, route_words(match))


@lru_cache(maxsize=4096)
def readable_route(route: str) -> str:
    """Return a URL pattern in the syntax of `path()`, also for those of `re_path()`."""
    if not _REGEX.search(route):
        return route
    from django.contrib.admindocs.views import simplify_regex  # noqa: PLC0415 (rarely needed)

    return _ESCAPED.sub(r"\1", simplify_regex(route)).removeprefix("/") or "/"


@never_raise
def client_address(request: HttpRequest) -> str:
    """Return the client's address: from `CLIENT_IP`, the trusted proxies, or the connection."""
    hook = get_settings().CLIENT_IP
    if hook is not None:
        return load_dotted(hook)(request) or ""
    trusted = get_settings().TRUSTED_PROXY_COUNT
    if trusted > 0:
        # Each proxy appends an address; further to the left the client can write anything.
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR")
        hops = forwarded.split(",") if forwarded else []
        if len(hops) >= trusted:
            return str(hops[-trusted]).strip()
    return str(request.META.get("REMOTE_ADDR") or "")


@lru_cache(maxsize=1024)
def parse_ip(text: str) -> str | None:
    """Return an address in its normal form, or None if it is invalid.

    Ports, brackets and zones are removed, IPv4-mapped IPv6 addresses become IPv4.
    """
    text = text[:100].strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address)


def apply_ip_mode(address: str | None) -> str | None:
    """Return an address as `IP_MODE` stores it."""
    mode = get_settings().IP_MODE
    if address is None or mode == "full":
        return address
    if mode == "none":
        return None
    if mode == "truncated":
        length = PREFIX_LENGTHS[ip_address(address).version]
        return str(ip_network(f"{address}/{length}", strict=False).network_address)
    # As an address, which the column requires: a private one (RFC 4193).
    return str(IPv6Address(bytes.fromhex(f"fd{keyed_hash(address, 'address')[:30]}")))
