"""Cleaning and cutting texts, so that a column, a log and a page can take them."""

from __future__ import annotations

import re

MAX_TEXT = 10_000
"""Characters of one string."""

# Control characters but tab and line feed; bidirectional controls, which reorder what is read
# (Unicode Standard Annex 9); line and paragraph separators; lone surrogates, which nothing
# encodes.
_UNCLEAN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_UNCLEAN_IN_LINE = re.compile("[\t\n]|" + _UNCLEAN.pattern)
REPLACEMENT = "\ufffd"


def clean_text(text: str) -> str:
    """Replace what cannot be stored and what forges or reorders lines; keep tabs and line feeds."""
    if text.isprintable():
        return text
    return _UNCLEAN.sub(REPLACEMENT, text.replace("\r\n", "\n"))


def clean_line(text: str, length: int) -> str:
    """Clean a text that stands on one line, and cut it to `length` characters, visibly."""
    if len(text) > length:
        text = text[: length - 1] + "…"
    return text if text.isprintable() else _UNCLEAN_IN_LINE.sub(REPLACEMENT, text)


def clean_lines(text: str, length: int) -> str:
    """Clean a text of several lines, and cut it to `length` characters, visibly."""
    return clean_text(truncate(text, length))


def truncate(text: str, length: int) -> str:
    """Cut a text to about `length` characters and say how many are missing."""
    # What was cut before has a marker, which must not be cut off and counted itself.
    if len(text) <= length + MARKER:
        return text
    return f"{text[:length]}… [{len(text) - length} more]"


MARKER = 32
"""Characters that "… [123 more]" may take."""
