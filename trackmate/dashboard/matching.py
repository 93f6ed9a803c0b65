"""What people type into a filter, read as a condition on rows.

Each function takes the text and returns a condition, or raises `ValidationError` with a message
that names the text. An index serves an exact actor, an address and an object; the others read the
chosen range of time.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trackmate.conf import get_settings

SEARCHED = ("action", "remarks", "path", "object_repr", "actor_label")
USERS_CAP = 10

MAX_INT = 2**63
"""No database has a wider integer."""

WIDEST_IPV4 = 8
WIDEST_IPV6 = 16

_CODE = re.compile(r"(?P<sign>[<>]=?)?(?P<code>\d{3})", re.ASCII)
_CLASS = re.compile(r"(?P<hundreds>[1-5])xx", re.ASCII | re.IGNORECASE)
_CODES = re.compile(r"(?P<low>\d{3})\s*(?:-|\.\.)\s*(?P<high>\d{3})", re.ASCII)
_LOOKUPS = {"": "exact", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


def actor(text: str) -> Q:
    """Match a user by name or primary key, by the key alone if it is written `#5`, whoever was
    called just so if it is written `=name`, and else whoever was called so, in part."""
    if text.startswith("#"):
        return Q(actor_id=_user_key(text))
    if text.startswith("="):
        return Q(actor_label=text[1:])
    users = _users_called(text)
    if not users and text.casefold() in ("anonymous", str(_("anonymous")).casefold()):
        return Q(actor_id__isnull=True, actor_label="") & ~Q(method="")
    if users:
        # What has no user can still carry the name: a failed login.
        return Q(actor_id__in=users) | Q(actor_id__isnull=True, actor_label__iexact=text)
    return Q(actor_label__icontains=text)


def _users_called(text: str) -> list[Any]:
    model = get_user_model()
    named = Q()
    for name in (model.USERNAME_FIELD, model._meta.pk.name):
        try:
            value = model._meta.get_field(name).to_python(text)  # type: ignore[union-attr]
        except (ValidationError, OverflowError):
            continue
        named |= Q(**{name: value})
    users = model._base_manager.filter(named) if named else model._base_manager.none()
    return list(users.values_list("pk", flat=True)[:USERS_CAP])


def _user_key(text: str) -> Any:
    wrong = ValidationError(_("“%(text)s” is not the key of a user."), params={"text": text})
    try:
        key = get_user_model()._meta.pk.to_python(text[1:])
    except (ValidationError, OverflowError):
        raise wrong from None
    if isinstance(key, int) and not -MAX_INT <= key < MAX_INT:
        raise wrong
    return key


def status_code(text: str) -> Q:
    """Match `404`, `5xx`, `>=500` or `400-499`."""
    if found := _CLASS.fullmatch(text):
        low = int(found["hundreds"]) * 100
        return Q(status_code__gte=low, status_code__lt=low + 100)
    if (found := _CODES.fullmatch(text)) and found["low"] <= found["high"]:
        return Q(status_code__gte=int(found["low"]), status_code__lte=int(found["high"]))
    if found := _CODE.fullmatch(text.replace(" ", "")):
        return Q(**{f"status_code__{_LOOKUPS[found['sign'] or '']}": int(found["code"])})
    raise ValidationError(
        _("“%(text)s” is not a status code. Write 404, 5xx, >=500 or 400-499."),
        params={"text": text},
    )


def path(text: str) -> Q:
    """Match the beginning of a path, or any part of it if the text does not begin with "/"."""
    return Q(path__startswith=text) if text.startswith("/") else Q(path__icontains=text)


def anywhere(text: str) -> Q:
    """Match a piece of text in what a list shows and in the remarks."""
    condition = Q()
    for name in SEARCHED:
        condition |= Q(**{f"{name}__icontains": text})
    return condition


def route(text: str) -> Q:
    """Match the requests that one URL pattern took."""
    return Q(route=text)


def request(text: str) -> Q:
    """Match everything that one request did."""
    return Q(request_id=text)


def related_object(text: str) -> Q:
    """Match `shop.order/42`, or every object of `shop.order`."""
    name, slash, key = text.partition("/")
    app_label, dot, model = name.partition(".")
    if not (app_label and dot and model) or (slash and not key):
        raise ValidationError(
            _("“%(text)s” is not an object. Write shop.order/42, or shop.order for all."),
            params={"text": text},
        )
    try:
        kind = ContentType.objects.get_by_natural_key(app_label.lower(), model.lower())
    except ContentType.DoesNotExist:
        raise ValidationError(
            _("There is no type of object called “%(name)s”."), params={"name": name}
        ) from None
    condition = Q(content_type_id=kind.pk)
    return condition & Q(object_id=key) if key else condition


def address(text: str) -> Q:
    """Match one address or a network such as `10.2.0.0/16`."""
    try:
        if "/" in text:
            return _within(ip_network(text, strict=False))
        return Q(ip_address=str(_plain(ip_address(text))))
    except ValueError:
        raise ValidationError(
            _("“%(text)s” is neither an address nor a network. Write 10.2.3.4 or 10.2.0.0/16."),
            params={"text": text},
        ) from None


def _plain(found: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return an address as it is stored: unwrapped from IPv6, without its zone."""
    if isinstance(found, IPv4Address):
        return found
    return found.ipv4_mapped or IPv6Address(int(found))


def _within(network: IPv4Network | IPv6Network) -> Q:
    widest = WIDEST_IPV4 if network.version == 4 else WIDEST_IPV6  # noqa: PLR2004 (of the protocol)
    if network.prefixlen < widest:
        raise ValidationError(
            _("“%(text)s” is too wide. Write at least /%(widest)d."),
            params={"text": str(network), "widest": widest},
        )
    if connections[get_settings().DATABASE].vendor == "postgresql":
        first, last = network.network_address, network.broadcast_address
        return Q(ip_address__gte=str(first), ip_address__lte=str(last))
    if isinstance(network, IPv6Network):
        raise ValidationError(
            _("This database keeps addresses as text and cannot search an IPv6 network.")
        )
    return _within_text(network)


def _within_text(network: IPv4Network) -> Q:
    """Match addresses that are kept as text: by whole parts ("10.2."), which an index can range
    over, or one by one (at most 128 of either)."""
    parts = -(-network.prefixlen // 8)
    if parts == 4:  # noqa: PLR2004 (parts of an IPv4 address)
        return Q(ip_address__in=[str(each) for each in network])
    condition = Q()
    for subnet in network.subnets(new_prefix=parts * 8):
        begin = ".".join(str(subnet.network_address).split(".")[:parts])
        # "/" is the character after ".".
        condition |= Q(ip_address__gt=f"{begin}.", ip_address__lt=f"{begin}/")
    return condition
