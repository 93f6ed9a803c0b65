"""The functions that write a value as JSON text, one for each type that needs some work.

They are called for what has changed alone. As a part of each trigger's query they would be prepared
for every column of every statement, which takes longer than all the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.sanitizer import MAX_TOTAL
from trackmate.redaction.text import MARKER, MAX_TEXT, REPLACEMENT
from trackmate.triggers.names import PREFIX, literal, quote
from trackmate.triggers.secrets import holds_secret

CONVERSION = f"{PREFIX}to_json"
"""The name of these functions, which differ in the types of their arguments."""

MASKED = literal(json.dumps(MASK))

# As `redaction.text` has them. PostgreSQL's texts have neither NUL nor surrogates.
_UNCLEAN = literal(
    r"[\u0001-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)

_SECONDS = """CASE WHEN extract(microseconds FROM _tm_value)::bigint % 1000000 <> 0
        THEN to_char(_tm_value, '.US') ELSE '' END"""

_TIMESTAMP = f"to_char(_tm_value, 'YYYY-MM-DD\"T\"HH24:MI:SS') || {_SECONDS}"


@dataclass(frozen=True, slots=True)
class Place:
    """The tables and functions that a trigger uses, with their schemas, as SQL."""

    connection: Any
    log: str
    content_types: str
    conversion: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """The function for one type."""

    type: str
    body: str

    def create(self, schema: str) -> str:
        """Return the statement that creates it, or replaces one that is there."""
        return (
            f"CREATE OR REPLACE FUNCTION {quote(schema, CONVERSION)}(_tm_value {self.type})"
            f" RETURNS text LANGUAGE plpgsql STABLE STRICT AS $trackmate${self.body}$trackmate$"
        )


def conversions() -> Iterator[Conversion]:
    """Yield the functions for all types."""
    zone, end = ("UTC", "+00:00") if settings.USE_TZ else (settings.TIME_ZONE, "")
    # As Python has it: in UTC, or without `USE_TZ` the local time.
    aware = _TIMESTAMP.replace("_tm_value", f"(_tm_value AT TIME ZONE {literal(zone)})")
    yield Conversion("timestamp with time zone", _returning(f"{aware} || {literal(end)}"))
    yield Conversion("timestamp without time zone", _returning(_TIMESTAMP))
    yield Conversion(
        "time without time zone",
        _returning(f"to_char(_tm_value, 'HH24:MI:SS') || {_SECONDS}"),
    )
    yield Conversion("interval", _INTERVAL)
    yield Conversion("bytea", _BYTES)
    yield Conversion("text", _TEXT)
    yield Conversion("jsonb", _document())


def _returning(text: str) -> str:
    return f"""
BEGIN
    RETURN '"' || {text} || '"';
END
"""


_CUT = f"""
    IF length(_tm_text) > {MAX_TEXT + MARKER} THEN
        _tm_text := left(_tm_text, {MAX_TEXT})
            || '… [' || length(_tm_text) - {MAX_TEXT} || ' more]';
    END IF;"""

_TEXT = f"""
DECLARE
    _tm_text text := _tm_value;
BEGIN{_CUT}
    RETURN to_json(regexp_replace(
        replace(_tm_text, E'\\r\\n', E'\\n'), {_UNCLEAN}, {literal(REPLACEMENT)}, 'g'));
END
"""

_BYTES = f"""
DECLARE
    _tm_text text := replace(encode(_tm_value, 'base64'), E'\\n', '');
BEGIN{_CUT}
    RETURN to_json(_tm_text);
END
"""

_INTERVAL = """
DECLARE
    _tm_us bigint := extract(epoch FROM _tm_value) * 1000000;
    _tm_sign text := CASE WHEN _tm_us < 0 THEN '-' ELSE '' END;
BEGIN
    _tm_us := abs(_tm_us);
    RETURN '"' || _tm_sign || 'P' || _tm_us / 86400000000
        || 'DT' || lpad((_tm_us / 3600000000 % 24)::text, 2, '0')
        || 'H' || lpad((_tm_us / 60000000 % 60)::text, 2, '0')
        || 'M' || lpad((_tm_us / 1000000 % 60)::text, 2, '0')
        || CASE WHEN _tm_us % 1000000 <> 0
            THEN '.' || lpad((_tm_us % 1000000)::text, 6, '0') ELSE '' END || 'S"';
END
"""


def _document() -> str:
    """Return the source for JSON: masked if it has the name of a secret, cut if it is long."""
    return f"""
DECLARE
    _tm_text text := _tm_value;
BEGIN
    IF jsonb_typeof(_tm_value) IN ('object', 'array') AND {holds_secret("_tm_value")} THEN
        RETURN {MASKED};
    END IF;
    IF length(_tm_text) > {MAX_TOTAL} THEN
        RETURN to_json(left(_tm_text, {MAX_TEXT})
            || '… [' || length(_tm_text) - {MAX_TEXT} || ' more]');
    END IF;
    RETURN _tm_text;
END
"""
