"""Masking, cleaning and bounding: what every value passes before it leaves the process.

Everything here works on a copy and in one bounded, linear pass; what the view sees is unchanged.
"""

from trackmate.redaction.detection.names import SecretNames, Sensitivity, words_of
from trackmate.redaction.detection.randomness import looks_random
from trackmate.redaction.hashes import keyed_hash
from trackmate.redaction.known_secrets import MASK, FoundSecrets
from trackmate.redaction.patterns import password_of
from trackmate.redaction.redactor import (
    Redactor,
    may_be_secret,
    redactor,
    redactor_of,
    secret_names,
)
from trackmate.redaction.routes import Site, is_about_authentication, name_of
from trackmate.redaction.sanitizer import Sanitizer, describe_file, is_plain
from trackmate.redaction.text import MAX_TEXT, clean_line, clean_lines, clean_text, cut

__all__ = [
    "MASK",
    "MAX_TEXT",
    "FoundSecrets",
    "Redactor",
    "Sanitizer",
    "SecretNames",
    "Sensitivity",
    "Site",
    "clean_line",
    "clean_lines",
    "clean_text",
    "cut",
    "describe_file",
    "is_about_authentication",
    "is_plain",
    "keyed_hash",
    "looks_random",
    "may_be_secret",
    "name_of",
    "password_of",
    "redactor",
    "redactor_of",
    "secret_names",
    "words_of",
]
