"""The query line: `actor:alice -type:Read status:>=500 created:-2h.. "free text"`.

Each token `name:value` is a condition, a minus before it its opposite, and what has no name is
searched as text. All of them have to hold. A value with blanks stands in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from difflib import get_close_matches

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _

from trackmate.clock import aware, lowest_uuid7
from trackmate.dashboard import matching
from trackmate.enums import ActionType, Source, Status

_TOKEN = re.compile(
    r'(?P<minus>-(?=[\w"]))?(?:(?P<name>[A-Za-z_]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<word>\S+))'
)
_AGO = re.compile(r"-(?P<number>\d{1,6})(?P<unit>[smhdw])", re.ASCII)
MOST_TOKENS = 30
"""Each may ask a database of its own, and all of them make one statement."""
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read(text: str) -> Q:
    """Return the condition of a query line. Raise ValidationError, which names the wrong token."""
    condition, words = Q(), []
    tokens = list(_TOKEN.finditer(text))
    if len(tokens) > MOST_TOKENS:
        raise ValidationError(
            _("These are too many conditions. Write at most %(number)d."),
            params={"number": MOST_TOKENS},
        )
    for token in tokens:
        value = token["word"] if token["quoted"] is None else token["quoted"]
        if token["name"] is None and token["minus"] is None and token["quoted"] is None:
            words.append(value)
        elif value:
            meant = _condition(token, value)
            condition &= ~meant if token["minus"] else meant
    return condition & matching.anywhere(" ".join(words)) if words else condition


def written(name: str, value: str, *, minus: bool = False) -> str:
    """Return a token that `read()` reads as this condition; "" where no token can say it."""
    if '"' in value:
        return ""
    return f'{"-" if minus else ""}{name}:"{value}"'


def _condition(token: re.Match[str], value: str) -> Q:
    if token["name"] is None:
        return matching.anywhere(value)
    name = token["name"].lower()
    if name not in READINGS:
        close = get_close_matches(name, READINGS, n=1)
        raise ValidationError(
            _("“%(token)s”: there is no “%(name)s:”. Write %(names)s, or put the text in quotes."),
            params={
                "token": token[0],
                "name": name,
                "names": ", ".join(f"{each}:" for each in (close or READINGS)),
            },
        )
    return READINGS[name](value)


def _status(text: str) -> Q:
    found = _named(text, Status.values)
    return Q(status=found) if found else matching.status_code(text)


def _action_type(text: str) -> Q:
    return Q(action_type=_named(text, ActionType.values) or text)


def _source(text: str) -> Q:
    if (found := _named(text, Source.values)) is None:
        raise ValidationError(
            _("“%(text)s” is not a source. Write %(names)s."),
            params={"text": text, "names": ", ".join(Source.values)},
        )
    return Q(source=found)


def _named(text: str, values: list[str]) -> str | None:
    """Return the one of some values that a text means, in capitals or not."""
    return next((value for value in values if value.casefold() == text.casefold()), None)


def _created(text: str) -> Q:
    """Read `-2h..now`, `2026-11-01..2026-11-02`, `-2h..` or `..2026-11-01`."""
    start, dots, end = text.partition("..")
    if not dots:
        raise ValidationError(
            _("“%(text)s” is not a range of time. Write -2h..now or 2026-11-01..2026-11-02."),
            params={"text": text},
        )
    condition = Q()
    if start:
        condition &= Q(pk__gte=lowest_uuid7(_moment(start)))
    if end:
        condition &= Q(pk__lt=lowest_uuid7(_moment(end)))
    return condition


def _moment(text: str) -> datetime:
    now = aware(timezone.now())
    if text.lower() == "now":
        return now
    try:
        if found := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[found["unit"]]: int(found["number"])})
        if when := parse_date(text) or parse_datetime(text):
            return aware(when)
    except (ValueError, OverflowError):
        pass
    raise ValidationError(
        _("“%(text)s” is not a moment. Write now, -2h, or 2026-11-01."), params={"text": text}
    )


READINGS: dict[str, Callable[[str], Q]] = {
    "actor": matching.actor,
    "type": _action_type,
    "action": lambda text: Q(action=text),
    "status": _status,
    "source": _source,
    "method": lambda text: Q(method=text.upper()),
    "route": matching.route,
    "path": matching.path,
    "object": matching.related_object,
    "ip": matching.address,
    "request": matching.request,
    "created": _created,
}
"""The names that a token may have, and how the value behind each is read."""
