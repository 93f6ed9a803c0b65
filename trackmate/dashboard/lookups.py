"""Parsers: each turns what somebody entered for a dimension into a condition on rows.

They take a text and return a `Q`, or raise ValidationError with a message that quotes the text.
An index serves an exact actor, route, address, tenant, request or object; all else reads the chosen
time range.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import F, Q
from django.db.models.lookups import Exact, IsNull, StartsWith
from django.utils.translation import gettext_lazy as _

from trackmate import selectors
from trackmate.conf import get_settings
from trackmate.db.keys import MAX_INT
from trackmate.enums import OTHER, ActionType, Source, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SEARCHED = ("action", "remarks", "reason", "path", "object_repr", "actor_label")
"""The fields that free text is searched in."""

MAX_USERS = 10

_FAILED_LOGIN = Q(action_type=ActionType.LOGIN_FAILED)
_IMPERSONATED = Q(impersonator_id__isnull=False) | ~Q(impersonator_label="")
WIDEST_IPV4 = 8
WIDEST_IPV6 = 16

_CODE = re.compile(r"(?P<sign>[<>]=?)?(?P<code>\d{3})", re.ASCII)
_CODE_CLASS = re.compile(r"(?P<hundreds>[1-5])xx", re.ASCII | re.IGNORECASE)
_CODE_RANGE = re.compile(r"(?P<low>\d{3})\s*(?:-|\.\.)\s*(?P<high>\d{3})", re.ASCII)
_DURATION = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,6})?)\s*(?P<unit>ms|s|m|h)?", re.ASCII)
_SIGN = re.compile(r"[<>]=?")
_LOOKUPS = {"": "exact", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, None: 1}


def exact_parser(lookup: str) -> Callable[[str], Q]:
    """Return the parser that matches rows whose value, as text, is the text."""

    def parse(text: str) -> Q:
        value = selectors.value_expression(lookup)
        if isinstance(value, str):
            return Q(**{lookup: text})
        # Never NULL: rows without a value have to match the negated condition.
        return Q(Exact(value, text)) & ~Q(IsNull(value, rhs=True))

    return parse


def substring_parser(lookup: str) -> Callable[[str], Q]:
    """Return the parser that matches rows whose field contains the text."""
    return lambda text: Q(**{f"{lookup}__icontains": text})


def parse_actor(text: str) -> Q:
    """Match a user by name or primary key; by the key alone if written `#5`; whoever had exactly
    this name if written `=name`; otherwise whoever had it as a part of the name."""
    if text.startswith("#"):
        return Q(actor_id=_parse_user_key(text))
    users = [] if text.startswith("=") else _users_named(text)
    if not users:
        nobody = Q(actor_id__isnull=True, actor_label="")
        if _is_word(text, "anonymous", _("anonymous")):
            return nobody & ~Q(method="") & ~_FAILED_LOGIN
        if _is_word(text, "unknown", _("unknown")):
            return nobody & _FAILED_LOGIN
    return _named("actor", text, users)


def parse_impersonator(text: str) -> Q:
    """Match what somebody did as somebody else, where either is who `parse_actor` matches."""
    if text.startswith("#"):
        key = _parse_user_key(text)
        # Nothing but the key: a person's own page reads the newest by an index.
        return Q(impersonator_id=key) | (Q(actor_id=key) & _IMPERSONATED)
    users = [] if text.startswith("=") else _users_named(text)
    return _IMPERSONATED & (_named("impersonator", text, users) | _named("actor", text, users))


def _named(field: str, text: str, users: Sequence[Any]) -> Q:
    """Match one of some users, else a name: as a part, or exactly if written `=name`."""
    if text.startswith("="):
        return Q(**{f"{field}_label": text[1:]})
    if not users:
        return Q(**{f"{field}_label__icontains": text})
    # A row without a user can have the name too: an actor that is no user.
    unlinked = Q(**{f"{field}_id__isnull": True, f"{field}_label__iexact": text})
    return Q(**{f"{field}_id__in": users}) | unlinked


def _is_word(text: str, *words: Any) -> bool:
    return text.casefold() in {str(word).casefold() for word in words}


def user_keys(text: str) -> list[Any]:
    """Return the keys of the users that `parse_actor` matches by name or key."""
    if text.startswith("#"):
        return [_parse_user_key(text)]
    return _users_named(text.removeprefix("="))


def _users_named(text: str) -> list[Any]:
    model = get_user_model()
    condition = Q()
    for name in (model.USERNAME_FIELD, model._meta.pk.name):
        try:
            value = model._meta.get_field(name).to_python(text)  # type: ignore[union-attr]
        except (ValidationError, OverflowError):
            continue
        condition |= Q(**{name: value})
    users = model._base_manager.filter(condition) if condition else model._base_manager.none()
    return list(users.values_list("pk", flat=True)[:MAX_USERS])


def _parse_user_key(text: str) -> Any:
    error = ValidationError(_("“%(text)s” is not the ID of a user."), params={"text": text})
    try:
        key = get_user_model()._meta.pk.to_python(text[1:])
    except (ValidationError, OverflowError):
        raise error from None
    if isinstance(key, int) and not -MAX_INT <= key < MAX_INT:
        raise error
    return key


def parse_action_type(text: str) -> Q:
    """Match an action type, also written `login-failed`; "Other" includes rows that have none."""
    name = find_choice(text, [*ActionType.values, OTHER]) or text
    # A project can have an action type of its own that differs from one of ours only in case.
    return Q(action_type__in=["", OTHER] if name == OTHER else sorted({name, text}))


def parse_status(text: str) -> Q:
    """Match Success or Failed, or what `status_code` matches."""
    name = find_choice(text, Status.values)
    return Q(status=name) if name else parse_status_code(text)


def parse_status_code(text: str) -> Q:
    """Match `404`, `5xx`, `>=500` or `400-499`."""
    if match := _CODE_CLASS.fullmatch(text):
        low = int(match["hundreds"]) * 100
        return Q(status_code__gte=low, status_code__lt=low + 100)
    if (match := _CODE_RANGE.fullmatch(text)) and match["low"] <= match["high"]:
        return Q(status_code__gte=int(match["low"]), status_code__lte=int(match["high"]))
    if match := _CODE.fullmatch(text.replace(" ", "")):
        return Q(**{f"status_code__{_LOOKUPS[match['sign'] or '']}": int(match["code"])})
    if close := _closest(text, Status.values):
        raise _did_you_mean(text, close)
    raise ValidationError(
        _("“%(text)s” is not a status code. Enter 404, 5xx, >=500 or 400-499."),
        params={"text": text},
    )


def parse_source(text: str) -> Q:
    """Match a source."""
    if name := find_choice(text, Source.values):
        return Q(source=name)
    if close := _closest(text, Source.values):
        raise _did_you_mean(text, close)
    raise ValidationError(
        _("“%(text)s” is not a source. Enter one of %(names)s."),
        params={"text": text, "names": ", ".join(Source.values)},
    )


def parse_method(text: str) -> Q:
    """Match an HTTP method, which requests write in capitals."""
    return Q(method__in=sorted({text, text.upper()}))


def parse_path(text: str) -> Q:
    """Match the beginning of a path, or any part of it if the text does not start with "/"; a `*`
    matches anything, and a text with one has to match the whole path."""
    if "*" not in text:
        return Q(path__startswith=text) if text.startswith("/") else Q(path__icontains=text)
    return Q(MatchesPattern(F("path"), text))


class MatchesPattern(StartsWith):
    """Matches a whole text; a `*` in the pattern matches anything.

    By LIKE, since a regular expression with several of them can be made to run for hours.
    """

    def process_rhs(self, _compiler: Any, connection: Any) -> tuple[str, tuple[str]]:
        parts = str(self.rhs).split("*")
        return "%s", ("%".join(map(connection.ops.prep_for_like_query, parts)),)


def parse_duration(text: str) -> Q:
    """Match `>1s`, `<=250ms`, `100ms..2s`, or what rounds to `42ms`."""
    low, dots, high = text.partition("..")
    if dots and (low or high):
        condition = Q()
        if low:
            condition &= Q(execution_time__gte=_parse_seconds(low, text))
        if high:
            condition &= Q(execution_time__lte=_parse_seconds(high, text))
        return condition
    if sign := _SIGN.match(text):
        seconds = _parse_seconds(text[sign.end() :], text)
        return Q(**{f"execution_time__{_LOOKUPS[sign[0]]}": seconds})
    seconds, half = _parse_seconds(text, text), _half_unit(text)
    return Q(execution_time__gte=seconds - half, execution_time__lt=seconds + half)


def _parse_seconds(text: str, whole: str) -> float:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValidationError(
            _("“%(text)s” is not a duration. Enter >1s, <=250ms or 100ms..2s."),
            params={"text": whole},
        )
    return float(match["number"]) * _SECONDS[match["unit"]]


def _half_unit(text: str) -> float:
    """Return half of the last digit that a duration is given to, in seconds."""
    match = _DURATION.fullmatch(text.strip())
    assert match is not None
    places = len(match["number"].partition(".")[2])
    return _SECONDS[match["unit"]] * 10.0**-places / 2


def parse_text(text: str) -> Q:
    """Match a text in what a list shows and in the remarks."""
    condition = Q()
    for name in SEARCHED:
        condition |= Q(**{f"{name}__icontains": text})
    return condition


def parse_object(text: str) -> Q:
    """Match `shop.order/42`, or every object of `shop.order`."""
    name, slash, key = text.partition("/")
    app_label, dot, model = name.partition(".")
    if not (app_label and dot and model) or (slash and not key):
        raise ValidationError(
            _("“%(text)s” is not an object. Enter shop.order/42, or shop.order for all."),
            params={"text": text},
        )
    try:
        content_type = ContentType.objects.get_by_natural_key(app_label.lower(), model.lower())
    except ContentType.DoesNotExist:
        raise ValidationError(_("There is no model “%(name)s”."), params={"name": name}) from None
    condition = Q(content_type_id=content_type.pk)
    return condition & Q(object_id=key) if key else condition


def find_choice(text: str, values: Sequence[str]) -> str | None:
    """Return the value that a text means, without regard to case and to `-` or `_` for blanks."""
    wanted = _normalize(text)
    return next((value for value in values if _normalize(value) == wanted), None)


def _normalize(text: str) -> str:
    return text.casefold().replace("-", " ").replace("_", " ")


def _closest(text: str, values: Sequence[str]) -> str | None:
    names = {value.casefold(): value for value in values}
    close = get_close_matches(text.casefold(), names, n=1)
    return names[close[0]] if close else None


def _did_you_mean(text: str, close: str) -> ValidationError:
    return ValidationError(
        _("Unknown value “%(text)s”. Did you mean “%(close)s”?"),
        params={"text": text, "close": close},
    )


def parse_address(text: str) -> Q:
    """Match one address or a network such as `10.2.0.0/16`."""
    try:
        if "/" in text:
            return _within(ip_network(text, strict=False))
        return Q(ip_address=str(_unwrap(ip_address(text))))
    except ValueError:
        raise ValidationError(
            _("“%(text)s” is neither an address nor a network. Enter 10.2.3.4 or 10.2.0.0/16."),
            params={"text": text},
        ) from None


def _unwrap(parsed: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return an address as it is stored: unwrapped from IPv6, without its zone."""
    if isinstance(parsed, IPv4Address):
        return parsed
    return parsed.ipv4_mapped or IPv6Address(int(parsed))


def _within(network: IPv4Network | IPv6Network) -> Q:
    widest = WIDEST_IPV4 if network.version == 4 else WIDEST_IPV6  # noqa: PLR2004 (of the protocol)
    if network.prefixlen < widest:
        raise ValidationError(
            _("“%(text)s” is too wide. Enter at least /%(widest)d."),
            params={"text": str(network), "widest": widest},
        )
    if connections[get_settings().DATABASE].vendor == "postgresql":
        first, last = network.network_address, network.broadcast_address
        return Q(ip_address__gte=str(first), ip_address__lte=str(last))
    if isinstance(network, IPv6Network):
        raise ValidationError(
            _("This database stores addresses as text and cannot search an IPv6 network.")
        )
    return _within_text(network)


def _within_text(network: IPv4Network) -> Q:
    """Match addresses stored as text: by prefixes ("10.2."), for which an index can be used, or one
    by one (at most 128 of either)."""
    parts = -(-network.prefixlen // 8)
    if parts == 4:  # noqa: PLR2004 (parts of an IPv4 address)
        return Q(ip_address__in=[str(each) for each in network])
    if parts * 8 == network.prefixlen:
        return _starts_with(network, parts)
    condition = Q()
    for subnet in network.subnets(new_prefix=parts * 8):
        condition |= _starts_with(subnet, parts)
    # A condition of its own: SQLite refuses a thousand that are joined by OR.
    return _starts_with(network, network.prefixlen // 8) & condition


def _starts_with(network: IPv4Network, parts: int) -> Q:
    begin = ".".join(str(network.network_address).split(".")[:parts])
    # "/" is the character after ".".
    return Q(ip_address__gt=f"{begin}.", ip_address__lt=f"{begin}/")
