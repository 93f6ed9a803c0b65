"""The secret values of a request, to mask them in its free texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

from trackmate.redaction.sanitizer import Sanitizer
from trackmate.redaction.text import MAX_TEXT, clean_text

MASK = "[redacted]"

LONG_SECRET = 8
"""Minimum length of a secret that is masked within words, too."""
SHORT_SECRET = 3
"""Minimum length of a secret that is masked at all."""
_DIGITS, _NO_DIGITS = re.compile(r"[\d -]{4,24}"), re.compile(r"\D+")
_WORDS = re.compile(r"[^\W\d]+(?:[ .:-][^\W\d]+)*")
FEW_SECRETS = 50
"""Up to so many secrets are searched one by one."""
MAX_SECRETS = 1_000
"""Maximum number of secrets of a request."""


class KnownSecrets:
    """The secret values of one request, in all spellings."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._replace: Callable[[str], str] | None = None
        self.is_complete = True
        """False once there were too many secrets, or one was too long."""

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, value: str) -> bool:
        return value in self._values

    def add(self, value: Any) -> None:
        """Add a secret: a text, a number, or a list of them."""
        for text in _secret_texts(value):
            if not text.strip() or text == MASK:
                continue
            if len(self._values) >= MAX_SECRETS or len(text) > MAX_TEXT:
                self.is_complete = False
                return
            self._values.add(text)
            self._replace = None

    def mask(self, value: Any) -> Any:
        """Return a text, or JSON-ready data, with the secrets masked."""
        if not self._values or value is None:
            return value
        # Threads of the request may add secrets meanwhile.
        replace = self._replace
        if replace is None:
            replace = self._replace = _compile_replacement(self._values.copy())
        if isinstance(value, str):
            return replace(value)
        return Sanitizer(replace, is_thorough=True)(value)

    def mask_name(self, text: str) -> str:
        """Return the name of an action or an actor with secrets masked, except for words.

        Otherwise clients could hide an action by sending its name as a password.
        """
        for value in self._values.copy():
            if len(value) >= LONG_SECRET and not _WORDS.fullmatch(value):
                text = text.replace(value, MASK)
        return text


def _secret_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, set, frozenset)):
        # Lists of secrets contain no other containers.
        yield from (str(each) for each in value if isinstance(each, (str, int, float)))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)


def _compile_replacement(values: set[str]) -> Callable[[str], str]:
    """Return a function that masks all values in a text, the longest first."""
    spellings = sorted(
        {each for value in values for each in _spellings(value)}, key=len, reverse=True
    )
    long = [each for each in spellings if len(each) >= LONG_SECRET]
    words = "|".join(
        re.escape(each) for each in spellings if SHORT_SECRET <= len(each) < LONG_SECRET
    )
    short = re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])") if words else None

    heads = frozenset(each[:LONG_SECRET] for each in long)

    def replace(text: str) -> str:
        # With many secrets, check the first characters before.
        if len(long) < FEW_SECRETS or any(
            text[at : at + LONG_SECRET] in heads for at in range(len(text) - LONG_SECRET + 1)
        ):
            for each in long:
                text = text.replace(each, MASK)
        return short.sub(MASK, text) if short else text

    return replace


def _spellings(value: str) -> set[str]:
    """Return the spellings of a value in texts: stripped, escaped, quoted, encoded."""
    digits = _NO_DIGITS.sub("", value) if _DIGITS.fullmatch(value) else value
    return {
        value,
        digits,
        digits.lstrip("0") if digits.isdecimal() and len(digits) > SHORT_SECRET else digits,
        value.strip(),
        clean_text(value),
        repr(value)[1:-1],
        value.replace("'", "''"),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(value))[3:-3],
        quote(value, safe="", errors="replace"),
        quote_plus(value, errors="replace"),
        escape(value),
    }
