"""The columns of a model as SQL: how two values are compared, and one is written as JSON.

Both do what capture does in Python, so that it makes no difference to a reader who recorded a
change.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Field, FileField, ForeignKey
from django.utils import translation

from trackmate.activity import as_plain_str
from trackmate.db.transactions import QueryNotAllowedError, no_queries
from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.sanitizer import MAX_TOTAL
from trackmate.redaction.text import MARKER, MAX_TEXT, REPLACEMENT
from trackmate.registry import Registration
from trackmate.triggers.names import literal, quote
from trackmate.triggers.secrets import holds_secret, is_secret_name

MAX_CHOICES = 200
"""Labels that one function contains."""

_MODIFIERS = re.compile(r"\([^)]*\)")

_COMPARABLE = frozenset(
    {
        "boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric", "date",
        "time", "timestamp", "timestamp with time zone", "interval", "uuid", "inet", "bytea",
        "jsonb", "hstore",
    }
)  # fmt: skip
"""The types whose `=` means that two values are the same. Others are compared as text, since theirs
ignores case (citext), compares boxes (geometry) or does not exist (json)."""

_MASK, _EMPTY = literal(json.dumps(MASK)), literal(json.dumps(""))

_NUMBERS = frozenset({"boolean", "smallint", "integer", "bigint"})
_DOCUMENTS = frozenset({"json", "jsonb", "hstore"})

# As `redaction.text` has them. PostgreSQL's texts have neither NUL nor surrogates.
_UNCLEAN = (
    r"[\u0001-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)


@dataclass(frozen=True, slots=True)
class Column:
    """A recorded column of a table."""

    name: str
    """The name of the field."""
    column: str
    type: str
    """Its type without modifiers, such as "numeric"."""
    field: Field[Any, Any]
    is_masked: bool
    """Whether its values are masked, whatever they are."""
    is_secret: bool
    """Whether its name is that of a secret; an empty text is none."""
    is_silent: bool
    """Whether a change of it alone is none: a time that each save sets."""

    @classmethod
    def of(cls, field: Field[Any, Any], registration: Registration, connection: Any) -> Column:
        """Return the column of a recorded field."""
        options, column = registration.options, name_of(field)
        return cls(
            name=field.name,
            column=column,
            type=type_of(field, connection),
            field=field,
            is_masked=field.name in options.mask,
            is_secret=is_secret_name(field.name, column),
            is_silent=_is_silent(field) and field.name not in (options.fields or ()),
        )

    def of_row(self, row: str) -> str:
        """Return the column of a row as SQL."""
        return f"{row}.{quote(self.column)}"

    def differs(self, old: str, new: str) -> str:
        """Return SQL that is true if two values are not the same."""
        if self.type.removesuffix("[]") in _COMPARABLE:
            return f"{old} IS DISTINCT FROM {new}"
        if isinstance(self.field, FileField):
            old, new = f"coalesce({old}, '')", f"coalesce({new}, '')"
        # Byte by byte: a collation may ignore case.
        return f'{old}::text COLLATE "C" IS DISTINCT FROM {new}::text COLLATE "C"'

    def to_json_pair(self, old: str, new: str) -> str:
        """Return SQL for the JSON texts of two values that differ, with a comma between them."""
        values = [old, new]
        if self.is_secret:
            # With one of them the other is masked, too.
            texts = [f"CASE WHEN {each} IS NOT NULL THEN {_MASK} END" for each in values]
        else:
            texts = [self.to_json(each) for each in values]
        return " || ',' || ".join(f"coalesce({each}, 'null')" for each in texts)

    def to_json(self, value: str) -> str:
        """Return SQL for the JSON text of a value, or NULL for none."""
        if self.is_masked:
            return f"CASE WHEN {value} IS NOT NULL THEN {_MASK} END"
        if self.is_secret:
            return (
                f"CASE WHEN {value}::text = '' THEN {_EMPTY}"
                f" WHEN {value} IS NOT NULL THEN {_MASK} END"
            )
        text = _json_of(self.type, value)
        if isinstance(self.field, FileField):
            return f"CASE WHEN {value} <> '' THEN {text} END"
        if isinstance(self.field, ForeignKey):
            return f"""'{{"value":' || {text} || '}}'"""
        if labels := _choice_labels(self.field):
            label = f"""',"label":' || ({literal(labels)}::jsonb -> {value}::text)::text"""
            return f"""CASE WHEN {literal(labels)}::jsonb ? {value}::text
                THEN '{{"value":' || {text} || {label} || '}}' ELSE {text} END"""
        return text


def name_of(field: Field[Any, Any]) -> str:
    """Return the name of a field's column."""
    # None is that of a composite key, which has no column.
    return field.column or ""


def type_of(field: Field[Any, Any], connection: Any) -> str:
    """Return the type of a field's column without modifiers, such as "numeric" or "text[]"."""
    return " ".join(_MODIFIERS.sub("", field.db_type(connection) or "text").split())


def key_as_text(field: Field[Any, Any], value: str, connection: Any) -> str:
    """Return SQL for a primary key as `ActivityLog.object_id` has it."""
    kind = type_of(field, connection)
    if kind in {"date", "inet", "bytea"}:
        return f"({_json_of(kind, value)}::jsonb #>> '{{}}')"
    if kind == "timestamp with time zone":
        return f"replace({_json_of(kind, value)}::jsonb #>> '{{}}', 'T', ' ')"
    return f"{value}::text"


def _is_silent(field: Field[Any, Any]) -> bool:
    # A login has an activity of its own.
    is_login = field.name == "last_login" and issubclass(get_user_model(), field.model)
    return is_login or bool(getattr(field, "auto_now", False))


def _choice_labels(field: Field[Any, Any]) -> str:
    """Return the labels of a field's choices as JSON, or "" if there are none."""
    try:
        with no_queries(), translation.override(settings.LANGUAGE_CODE):
            choices = field.flatchoices[: MAX_CHOICES + 1]
            labels = {
                _as_text(value): as_plain_str(label)
                for value, label in choices
                if isinstance(value, str | int)
            }
    except QueryNotAllowedError:
        return ""
    return json.dumps(labels) if labels and len(choices) <= MAX_CHOICES else ""


def _as_text(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else as_plain_str(value)


def _json_of(kind: str, value: str) -> str:
    """Return SQL for the JSON text of a value of a type."""
    if kind in _NUMBERS:
        return f"{value}::text"
    if kind in _TEXTS_OF:
        return _TEXTS_OF[kind].format(value)
    if kind == "timestamp with time zone":
        return _aware_time(value)
    if kind == "bytea":
        return f"to_json({_cut(_BASE64.format(value))})::text"
    if kind in _DOCUMENTS:
        return _document(f"{value}::jsonb")
    if kind.endswith("[]"):
        return _document(f"to_jsonb({value}{_element_cast(kind)})")
    return f"to_json({_bounded(f'{value}::text')})::text"


_MICROSECONDS = """CASE WHEN extract(microseconds FROM {0})::bigint % 1000000 <> 0
    THEN to_char({0}, '.US') ELSE '' END"""

_BASE64 = r"replace(encode({0}, 'base64'), E'\n', '')"

_SPAN = """(SELECT '"' || CASE WHEN us < 0 THEN '-' ELSE '' END || 'P' || abs(us) / 86400000000
    || 'DT' || lpad((abs(us) / 3600000000 % 24)::text, 2, '0')
    || 'H' || lpad((abs(us) / 60000000 % 60)::text, 2, '0')
    || 'M' || lpad((abs(us) / 1000000 % 60)::text, 2, '0')
    || CASE WHEN us % 1000000 <> 0
        THEN '.' || lpad((abs(us) % 1000000)::text, 6, '0') ELSE '' END || 'S"'
    FROM (SELECT (extract(epoch FROM {0}) * 1000000)::bigint AS us) AS _tm_span)"""

_TIMESTAMP = f"""'"' || to_char({{0}}, 'YYYY-MM-DD"T"HH24:MI:SS') || {_MICROSECONDS}"""

_TEXTS_OF = {
    "real": "to_json({0})::text",
    "double precision": "to_json({0})::text",
    "numeric": """'"' || {0}::text || '"'""",
    "uuid": """'"' || {0}::text || '"'""",
    "date": "to_json({0})::text",
    "time": f"""'"' || to_char({{0}}, 'HH24:MI:SS') || {_MICROSECONDS} || '"'""",
    "timestamp": f"""{_TIMESTAMP} || '"'""",
    "interval": _SPAN,
    "inet": "to_json(host({0}))::text",
}


def _aware_time(value: str) -> str:
    """Return SQL for a time as Python has it: in UTC, or without `USE_TZ` the local one."""
    zone, end = ("UTC", "+00:00") if settings.USE_TZ else (settings.TIME_ZONE, "")
    local = f"({value} AT TIME ZONE {literal(zone)})"
    return _TIMESTAMP.format(local) + f""" || '{end}"'"""


def _element_cast(kind: str) -> str:
    """Return the cast of an array whose elements JSON has as text."""
    is_plain = kind.removesuffix("[]") in {*_NUMBERS, "real", "double precision", *_DOCUMENTS}
    return "" if is_plain else "::text[]"


def _document(document: str) -> str:
    """Return SQL for the text of a JSON document: cut if it is long, masked if it has secrets."""
    text = f"{document}::text"
    cut = f"left({text}, {MAX_TEXT}) || '… [' || length({text}) - {MAX_TEXT} || ' more]'"
    return (
        f"CASE WHEN {holds_secret(document)} THEN {_MASK}"
        f" WHEN length({text}) > {MAX_TOTAL} THEN to_json({cut})::text ELSE {text} END"
    )


def _bounded(text: str) -> str:
    """Return SQL for a text without control characters, cut if it is long."""
    lines = f"replace({_cut(text)}, E'\\r\\n', E'\\n')"
    return f"regexp_replace({lines}, {literal(_UNCLEAN)}, {literal(REPLACEMENT)}, 'g')"


def _cut(text: str) -> str:
    """Return SQL for a text that is cut as `truncate()` does it."""
    return (
        f"CASE WHEN length({text}) > {MAX_TEXT + MARKER} THEN left({text}, {MAX_TEXT})"
        f" || '… [' || length({text}) - {MAX_TEXT} || ' more]' ELSE {text} END"
    )
