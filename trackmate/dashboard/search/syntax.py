"""The query line: `actor:alice -type:Read status:>=500 created:-2h.. "free text"`.

Each token `key:value` is a condition and a minus before it negates it; words without a key are
searched as text. A row has to match all of them. A value with blanks is put in quotes, and
`key:a,b` means either of two values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import lookups, time_ranges, time_syntax
from trackmate.dashboard.dimensions import FIRST_COLUMN, Dimension, dimension_for, dimensions
from trackmate.dashboard.time_ranges import TimeRange

Parsed = TypeVar("Parsed")

MAX_LENGTH = 1000
"""Characters of a query line."""

MAX_CONDITIONS = 30
"""Tokens, of which one with several values counts for each. Each may query the database, and
together they become one statement."""

_TOKEN = re.compile(
    r'(?P<minus>-(?=[\w"]))?(?:(?P<key>[A-Za-z_]+):)?'
    r'(?:"(?P<quoted>[^"]*)"?|(?P<word>\S+)|(?(key)|(?!)))'  # nothing only after a key
)
_PLAIN = re.compile(r'[^\s"]\S*')


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One piece of a query line."""

    text: str
    """As it was typed."""
    start: int
    """Its position in the line."""
    key: str
    """In small letters; "" for free text."""
    value: str
    is_quoted: bool
    is_negated: bool

    @property
    def end(self) -> int:
        """The position after it."""
        return self.start + len(self.text)

    @property
    def is_unclosed(self) -> bool:
        """Return True if the second quotation mark is missing."""
        return self.is_quoted and self.text.count('"') == 1

    @property
    def is_empty(self) -> bool:
        """Return True for a pair of quotation marks with nothing in between."""
        return self.is_quoted and not (self.key or self.value or self.is_unclosed)

    @property
    def is_word(self) -> bool:
        """Return True for a word of the free text; words in a row are searched as one text."""
        return not (self.key or self.is_quoted or self.is_negated)

    @property
    def conditions(self) -> int:
        """The number of values that are searched for."""
        dimension = None if self.is_quoted else dimension_for(self.key)
        is_list = dimension is not None and dimension.accepts_several
        return 1 + self.value.count(",") if is_list else 1

    @property
    def is_time(self) -> bool:
        """Return True if it limits the time range."""
        return _is_time(self.key) and not self.is_negated


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """What a query line means."""

    condition: Q = field(default_factory=Q)
    time_ranges: tuple[TimeRange, ...] = ()
    """The ranges of its `created:` tokens, which are not part of the condition."""


def tokenize(line: str) -> list[Token]:
    """Return the tokens of a query line."""
    return [
        Token(
            text=match[0],
            start=match.start(),
            key=(match["key"] or "").lower(),
            value=match["word"] or match["quoted"] or "",
            is_quoted=match["quoted"] is not None,
            is_negated=match["minus"] is not None,
        )
        for match in _TOKEN.finditer(line)
    ]


def parse_query(
    line: str, may_filter: Callable[[Dimension], bool] = lambda _each: True
) -> ParsedQuery:
    """Return what a query line means.

    Raise ValidationError, whose params contain the wrong token, also for a dimension that
    `may_filter` refuses.
    """
    condition, tokens = Q(), tokenize(line)
    if sum(token.conditions for token in tokens) > MAX_CONDITIONS:
        raise ValidationError(
            _("There are too many conditions. Enter at most %(number)d."),
            params={"number": MAX_CONDITIONS},
        )
    ranges = tuple(_parse_token(each, _parse_range) for each in tokens if each.is_time)
    for token in tokens:
        if not (token.is_word or token.is_empty or token.is_time):
            parsed = _parse_token(token, lambda token: _parse_value(token, may_filter))
            condition &= ~parsed if token.is_negated else parsed
    if words := [token.value for token in tokens if token.is_word]:
        condition &= lookups.parse_text(" ".join(words))
    return ParsedQuery(condition, ranges)


def parse_several(dimension: Dimension, text: str) -> Q:
    """Return the condition of a value, or of several with commas between them."""
    assert dimension.parser is not None
    if not dimension.accepts_several:
        return dimension.parser(text)
    condition = Q()
    for value in filter(None, (part.strip() for part in text.split(","))):
        condition |= dimension.parser(value)
    return condition or dimension.parser(text)


def without_time_filters(params: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a list that do not limit its time, neither in the query line."""
    kept = time_ranges.without_time(params)
    tokens = tokenize(kept.get("q", ""))
    if any(each.is_time for each in tokens):
        kept["q"] = " ".join(each.text for each in tokens if not each.is_time)
    return {name: value for name, value in kept.items() if value}


def format_token(key: str, value: str, *, negated: bool = False) -> str:
    """Return the token that means exactly this value; "" if there is none."""
    if not value or '"' in value:
        return ""
    text = value if _PLAIN.fullmatch(value) and "," not in value else f'"{value}"'
    return f"{'-' if negated else ''}{key}:{text}"


def _parse_token(token: Token, parse: Callable[[Token], Parsed]) -> Parsed:
    try:
        _refuse_incomplete(token)
        return parse(token)
    except ValidationError as error:
        error.params = {"key": token.key, **(error.params or {}), "token": token.text}
        raise


def _refuse_incomplete(token: Token) -> None:
    if token.is_unclosed:
        raise ValidationError(_("“%(token)s”: the second quotation mark is missing."))
    if not token.value:
        raise ValidationError(_("“%(token)s”: enter a value after “%(key)s:”."))


def _parse_range(token: Token) -> TimeRange:
    return time_syntax.parse_range(token.value)


def _parse_value(token: Token, may_filter: Callable[[Dimension], bool]) -> Q:
    if not token.key:
        return lookups.parse_text(token.value)
    dimension = dimension_for(token.key)
    if dimension is None or dimension.parser is None:
        raise _unknown(token.key)
    if not may_filter(dimension):
        raise ValidationError(_("“%(token)s”: you need permission to filter by this."))
    return (
        dimension.parser(token.value) if token.is_quoted else parse_several(dimension, token.value)
    )


def _unknown(key: str) -> ValidationError:
    known = [each for each in dimensions().values() if each.parser]
    keys = [each for dimension in known for each in dimension.keys]
    if close := get_close_matches(key, keys, n=1):
        return ValidationError(
            _("Unknown filter “%(key)s”. Did you mean “%(close)s:”?"), params={"close": close[0]}
        )
    return ValidationError(
        _("Unknown filter “%(key)s”. Try %(keys)s, or put the text in quotation marks."),
        params={"keys": ", ".join(f"{each.key}:" for each in known)},
    )


def _is_time(key: str) -> bool:
    dimension = dimension_for(key)
    return dimension is not None and dimension.name == FIRST_COLUMN
