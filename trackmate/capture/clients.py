"""Where a request comes from: the client's address, read as strictly as it is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, cast

from django.http import HttpRequest
from django.urls import ResolverMatch
from django.utils.module_loading import import_string

from trackmate.conf import get_settings, per_settings
from trackmate.pipeline import never_raise
from trackmate.redaction import (
    Redactor,
    keyed_hash,
    may_be_secret,
    redactor_for_request,
    route_words,
)

Hook = Callable[[HttpRequest], str | None]

PREFIX_LENGTHS = {4: 24, 6: 48}
"""Bits of an address that `IP_MODE="truncated"` keeps."""


def describe_client(request: HttpRequest) -> dict[str, Any]:
    """Return what a request says of where it comes from, for an activity of its own."""
    return {
        "ip_address": apply_ip_mode(parse_ip(client_address(request) or "")),
        "user_agent": request.META.get("HTTP_USER_AGENT", ""),
        "method": request.method or "",
        "path": masked_path(request, redactor_for_request(request)),
    }


@never_raise
def masked_path(request: HttpRequest, rules: Redactor) -> str:
    """Return the path of a request, masked where its route takes a secret out of it."""
    match = request.resolver_match
    if match is None:
        # Somebody answered before the URL was resolved, as redirects to HTTPS and to a slash do.
        return rules.mask_path(request.path)
    if not match.args and not match.kwargs and match.route != request.path_info[1:]:
        # As `re_path("^app/")` does for all that a frontend has routes for.
        return rules.mask_unrouted_path(request.path)
    about = rules.is_authentication
    if rules.site is None or not any(
        may_be_secret(*each, about=about) for each in _arguments(match)
    ):
        return request.path
    arguments = rules.site.matched(request.path, match)
    return rules.mask_arguments(request.path, arguments, route_words(match))


def _arguments(match: ResolverMatch) -> Iterable[tuple[str, Any]]:
    return match.kwargs.items() if match.kwargs else (("", value) for value in match.args)


@never_raise
def client_address(request: HttpRequest) -> str:
    """Return the client's address as the connection, or as many proxies as are ours, report it."""
    named = _client_ip_hook()
    if named is not None:
        return named(request) or ""
    trusted = get_settings().TRUSTED_PROXY_COUNT
    if trusted > 0:
        # Each proxy appends the address it saw; what stands further left the client wrote itself.
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR")
        hops = forwarded.split(",") if forwarded else []
        if len(hops) >= trusted:
            return str(hops[-trusted]).strip()
    return str(request.META.get("REMOTE_ADDR") or "")


@lru_cache(maxsize=1024)
def parse_ip(text: str) -> str | None:
    """Return a claimed address in its plain form, or None for what is none.

    Ports, brackets and zones go, an IPv4 address within an IPv6 one is unwrapped.
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
    """Return an address in the form that `IP_MODE` keeps."""
    mode = get_settings().IP_MODE
    if address is None or mode == "full":
        return address
    if mode == "none":
        return None
    if mode == "truncated":
        length = PREFIX_LENGTHS[ip_address(address).version]
        return str(ip_network(f"{address}/{length}", strict=False).network_address)
    # The column takes addresses only, so the hash is a private one (RFC 4193).
    return str(IPv6Address(bytes.fromhex(f"fd{keyed_hash(address, 'address')[:30]}")))


@per_settings
def _client_ip_hook() -> Hook | None:
    hook = get_settings().CLIENT_IP
    return cast("Hook", import_string(hook)) if isinstance(hook, str) else hook
