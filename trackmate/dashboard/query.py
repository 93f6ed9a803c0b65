"""The query line: `actor:alice -type:Read status:>=500 created:-2h.. "free text"`.

Each token `name:value` is a condition, a minus before it its opposite, and what has no name is
searched as text. All of them have to hold. A value with blanks stands in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import matching, times
from trackmate.enums import OTHER, ActionType, Source, Status

MOST_TOKENS = 30
"""Each may ask a database of its own, and all of them make one statement."""

_TOKEN = re.compile(
    r'(?P<minus>-(?=[\w"]))?(?:(?P<name>[A-Za-z_]+):)?'
    r'(?:"(?P<quoted>[^"]*)"?|(?P<word>\S+)|(?(name)|(?!)))'  # nothing, but behind a name alone
)
_WORD = re.compile(r'[^\s"]\S*')


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One piece of a line."""

    text: str
    """As it was written."""
    start: int
    """Where it stands in the line."""
    name: str
    """In small letters; none for free text."""
    value: str
    is_quoted: bool
    is_negated: bool

    @property
    def end(self) -> int:
        """Where it has ended in the line."""
        return self.start + len(self.text)

    @property
    def is_unclosed(self) -> bool:
        """Say whether its second quote is missing."""
        return self.is_quoted and self.text.count('"') == 1

    @property
    def is_empty(self) -> bool:
        """Say whether this is a pair of quotes with nothing in it."""
        return self.is_quoted and not (self.value or self.is_unclosed)

    @property
    def is_word(self) -> bool:
        """Say whether this is a word of the free text, which is searched as one piece."""
        return not (self.name or self.is_quoted or self.is_negated)


def tokens(line: str) -> list[Token]:
    """Return the pieces of a line."""
    return [
        Token(
            text=found[0],
            start=found.start(),
            name=(found["name"] or "").lower(),
            value=found["word"] or found["quoted"] or "",
            is_quoted=found["quoted"] is not None,
            is_negated=found["minus"] is not None,
        )
        for found in _TOKEN.finditer(line)
    ]


def read(line: str) -> Q:
    """Return the condition of a query line. Raise ValidationError, which names the wrong token."""
    condition, found = Q(), tokens(line)
    if len(found) > MOST_TOKENS:
        raise ValidationError(
            _("These are too many conditions. Write at most %(number)d."),
            params={"number": MOST_TOKENS},
        )
    for token in found:
        if not (token.is_word or token.is_empty):
            meant = _condition(token)
            condition &= ~meant if token.is_negated else meant
    words = [token.value for token in found if token.is_word]
    return condition & matching.anywhere(" ".join(words)) if words else condition


def written(name: str, value: str, *, minus: bool = False) -> str:
    """Return a token that `read()` reads as this condition; "" where no token can say it."""
    if '"' in value:
        return ""
    word = value if _WORD.fullmatch(value) else f'"{value}"'
    return f"{'-' if minus else ''}{name}:{word}"


def _condition(token: Token) -> Q:
    try:
        return _reading(token)(token.value)
    except ValidationError as error:
        error.params = {"name": token.name, **(error.params or {}), "token": token.text}
        raise


def _reading(token: Token) -> Callable[[str], Q]:
    if token.is_unclosed:
        raise ValidationError(_("“%(token)s”: the second quotation mark is missing."))
    read_value = reading(token.name) if token.name else matching.anywhere
    if not token.value:
        raise ValidationError(_("“%(token)s”: there is nothing behind “%(name)s:”."))
    return read_value


def reading(name: str) -> Callable[[str], Q]:
    """Return how the value behind a name is read. Raise ValidationError for an unknown name."""
    if name in READINGS:
        return READINGS[name]
    close = get_close_matches(name, READINGS, n=1)
    raise ValidationError(
        _("“%(token)s”: there is no “%(name)s:”. Write %(names)s, or put the text in quotes."),
        params={"names": ", ".join(f"{each}:" for each in (close or READINGS))},
    )


def _status(text: str) -> Q:
    found = named(text, Status.values)
    return Q(status=found) if found else matching.status_code(text)


def action_type(text: str) -> Q:
    """Match an action type; "Other" is what has none, too."""
    found = named(text, [*ActionType.values, OTHER]) or text
    return Q(action_type__in=["", OTHER]) if found == OTHER else Q(action_type=found)


def _source(text: str) -> Q:
    if (found := named(text, Source.values)) is None:
        raise ValidationError(
            _("“%(text)s” is not a source. Write %(names)s."),
            params={"text": text, "names": ", ".join(Source.values)},
        )
    return Q(source=found)


def named(text: str, values: list[str]) -> str | None:
    """Return the one of some values that a text means, in capitals or not."""
    return next((value for value in values if value.casefold() == text.casefold()), None)


READINGS: dict[str, Callable[[str], Q]] = {
    "actor": matching.actor,
    "type": action_type,
    "action": lambda text: Q(action=text),
    "status": _status,
    "source": _source,
    "method": lambda text: Q(method=text.upper()),
    "route": matching.route,
    "path": matching.path,
    "object": matching.related_object,
    "ip": matching.address,
    "request": matching.request,
    "created": lambda text: times.typed(text).condition,
}
"""The names that a token may have, and how the value behind each is read."""

NAMES = {
    "actor": "actor",
    "action_type": "type",
    "status": "status",
    "status_code": "status",
    "source": "source",
    "method": "method",
    "path": "path",
    "route": "route",
    "address": "ip",
    "object": "object",
    "request": "request",
    "created": "created",
}
"""What the line calls each filter; the range of time is one."""
