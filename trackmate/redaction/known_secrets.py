"""What was masked in a request, so that no other text of that request shows it."""

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
"""A shorter secret is masked only where it is a word of its own: it is part of too many others."""
SHORT_SECRET = 3
"""A still shorter one says too little to be one."""
_DIGITS, _NO_DIGITS = re.compile(r"[\d -]{4,24}"), re.compile(r"\D+")
_WORDS = re.compile(r"[^\W\d]+(?:[ .:-][^\W\d]+)*")
FEW_SECRETS = 50
"""So few are looked for one after the other."""
MAX_SECRETS = 1_000
"""Values remembered from one request."""


class KnownSecrets:
    """The secret values of one request, however they are written in its texts."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._replace: Callable[[str], str] | None = None
        self.is_complete = True
        """False once there were too many, or one too long, to remember."""

    def __bool__(self) -> bool:
        return bool(self._values)

    def __contains__(self, value: str) -> bool:
        return value in self._values

    def add(self, value: Any) -> None:
        """Remember a secret: a text, a number, or a list of them."""
        for text in _secret_texts(value):
            if not text.strip() or text == MASK:
                continue
            if len(self._values) >= MAX_SECRETS or len(text) > MAX_TEXT:
                self.is_complete = False
                return
            self._values.add(text)
            self._replace = None

    def mask(self, value: Any) -> Any:
        """Return a text, or JSON-ready data, in which none of the secrets occurs any more."""
        if not self._values or value is None:
            return value
        if self._replace is None:
            self._replace = _compile_replacement(self._values)
        if isinstance(value, str):
            return self._replace(value)
        return Sanitizer(self._replace, is_thorough=True)(value)

    def mask_name(self, text: str) -> str:
        """Return the name of an action or an actor without secrets that are no words.

        Otherwise a client could hide what it did by sending its name as a password.
        """
        for value in self._values:
            if len(value) >= LONG_SECRET and not _WORDS.fullmatch(value):
                text = text.replace(value, MASK)
        return text


def _secret_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, set, frozenset)):
        # What is in them was judged as a whole, and is no container itself.
        yield from (str(each) for each in value if isinstance(each, (str, int, float)))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)


def _compile_replacement(values: set[str]) -> Callable[[str], str]:
    """Return what masks all of them in a text, the longest first."""
    written = sorted(
        {each for value in values for each in _spellings(value)}, key=len, reverse=True
    )
    long = [each for each in written if len(each) >= LONG_SECRET]
    words = "|".join(re.escape(each) for each in written if SHORT_SECRET <= len(each) < LONG_SECRET)
    short = re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])") if words else None

    heads = frozenset(each[:LONG_SECRET] for each in long)

    def replace(text: str) -> str:
        # Of many secrets most texts contain none, which their beginnings tell at once.
        if len(long) < FEW_SECRETS or any(
            text[at : at + LONG_SECRET] in heads for at in range(len(text) - LONG_SECRET + 1)
        ):
            for each in long:
                text = text.replace(each, MASK)
        return short.sub(MASK, text) if short else text

    return replace


def _spellings(value: str) -> set[str]:
    """Return a value as it is, without blanks around, and as programs write it in a text."""
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
