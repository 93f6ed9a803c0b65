"""Masking, cleaning and bounding: what every value passes before it leaves the process.

Everything here works on a copy and in one bounded, linear pass; what the view sees is unchanged.
"""

from trackmate.redaction.hashes import keyed_hash
from trackmate.redaction.masking import MASK, Harmless, Redactor, redactor, without
from trackmate.redaction.names import SecretNames, words_of
from trackmate.redaction.values import (
    MAX_TEXT,
    Walk,
    clean_line,
    clean_lines,
    clean_text,
    cut,
    describe_file,
    is_plain,
)

__all__ = [
    "MASK",
    "MAX_TEXT",
    "Harmless",
    "Redactor",
    "SecretNames",
    "Walk",
    "clean_line",
    "clean_lines",
    "clean_text",
    "cut",
    "describe_file",
    "is_plain",
    "keyed_hash",
    "redactor",
    "without",
    "words_of",
]
