"""Cleaning, cutting and hashing texts, so that a column, a log and a page can take them."""

from __future__ import annotations

import re

from django.utils.crypto import salted_hmac

MAX_TEXT = 10_000
"""Characters of one string."""

# Control characters except tab and line feed; bidirectional controls (Unicode Standard Annex 9);
# line and paragraph separators; lone surrogates, which cannot be encoded.
_UNCLEAN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_UNCLEAN_IN_LINE = re.compile("[\t\n]|" + _UNCLEAN.pattern)
REPLACEMENT = "\ufffd"


def clean_text(text: str) -> str:
    """Replace control characters except tabs and line feeds."""
    if text.isprintable():
        return text
    return _UNCLEAN.sub(REPLACEMENT, text.replace("\r\n", "\n"))


def clean_line(text: str, length: int) -> str:
    """Clean a text of one line, and truncate it to `length` characters."""
    if len(text) > length:
        text = text[: length - 1] + "…"
    return text if text.isprintable() else _UNCLEAN_IN_LINE.sub(REPLACEMENT, text)


def truncate(text: str, length: int) -> str:
    """Truncate a text to about `length` characters, and append the number of missing ones."""
    # Do not truncate the marker of a text that was truncated before.
    if len(text) <= length + MARKER:
        return text
    return f"{text[:length]}… [{len(text) - length} more]"


MARKER = 32
"""Maximum length of "… [123 more]"."""


def keyed_hash(value: str, purpose: str) -> str:
    """Return a hash of 32 hex digits, keyed with `SECRET_KEY` and a purpose."""
    message = value.encode(errors="replace")
    return salted_hmac(f"trackmate.{purpose}", message, algorithm="sha256").hexdigest()[:32]
