"""Masking, cleaning and truncating the values of an activity.

Everything here works on copies, in bounded and linear time.
"""

from trackmate.redaction.detection.names import SecretNames, Sensitivity, words_of
from trackmate.redaction.detection.randomness import looks_random
from trackmate.redaction.hashes import keyed_hash
from trackmate.redaction.known_secrets import MASK, KnownSecrets
from trackmate.redaction.patterns import basic_auth_password
from trackmate.redaction.redactor import (
    Redactor,
    get_redactor,
    may_be_secret,
    redactor_for_request,
    secret_names,
)
from trackmate.redaction.routes import SiteRoutes, is_about_authentication, route_words
from trackmate.redaction.sanitizer import Sanitizer, describe_file
from trackmate.redaction.text import MAX_TEXT, clean_line, clean_lines, clean_text, truncate

__all__ = [
    "MASK",
    "MAX_TEXT",
    "KnownSecrets",
    "Redactor",
    "Sanitizer",
    "SecretNames",
    "Sensitivity",
    "SiteRoutes",
    "basic_auth_password",
    "clean_line",
    "clean_lines",
    "clean_text",
    "describe_file",
    "get_redactor",
    "is_about_authentication",
    "keyed_hash",
    "looks_random",
    "may_be_secret",
    "redactor_for_request",
    "route_words",
    "secret_names",
    "truncate",
    "words_of",
]
