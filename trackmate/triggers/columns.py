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
from django.db.models import Field, FileField, ForeignKey
from django.utils import translation

from trackmate.activity import as_plain_str
from trackmate.db.transactions import QueryNotAllowedError, no_queries
from trackmate.registry import Registration
from trackmate.triggers.conversions import MASKED, Place
from trackmate.triggers.names import literal, quote
from trackmate.triggers.secrets import is_secret_name

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

_EMPTY = literal(json.dumps(""))


@dataclass(frozen=True, slots=True)
class TriggerColumn:
    """A recorded column of a table."""

    name: str
    """The name of the field."""
    column: str
    type: str
    """Its type without modifiers, such as "numeric"."""
    field: Field[Any, Any]
    place: Place
    is_masked: bool
    """Whether its values are masked, whatever they are."""
    is_secret: bool
    """Whether its name is that of a secret; an empty text is none."""
    is_silent: bool
    """Whether a change of it alone is none: a time that each save sets."""

    @classmethod
    def of(cls, field: Field[Any, Any], registration: Registration, place: Place) -> TriggerColumn:
        """Return the column of a recorded field."""
        options, column = registration.options, name_of(field)
        return cls(
            name=field.name,
            column=column,
            type=type_of(field, place.connection),
            field=field,
            place=place,
            is_masked=field.name in options.mask,
            is_secret=is_secret_name(field.name, column),
            is_silent=registration.is_silent(field),
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
            texts = [f"CASE WHEN {each} IS NOT NULL THEN {MASKED} END" for each in values]
        else:
            texts = [self.to_json(each) for each in values]
        return " || ',' || ".join(f"coalesce({each}, 'null')" for each in texts)

    def to_json(self, value: str) -> str:
        """Return SQL for the JSON text of a value, or NULL for none."""
        if self.is_masked:
            return f"CASE WHEN {value} IS NOT NULL THEN {MASKED} END"
        if self.is_secret:
            return (
                f"CASE WHEN {value}::text = '' THEN {_EMPTY}"
                f" WHEN {value} IS NOT NULL THEN {MASKED} END"
            )
        text = _json_of(self.type, value, self.place)
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


def key_as_text(field: Field[Any, Any], value: str, place: Place) -> str:
    """Return SQL for a primary key as `ActivityLog.object_id` has it."""
    kind = type_of(field, place.connection)
    if kind in {"date", "inet", "bytea"}:
        return f"({_json_of(kind, value, place)}::jsonb #>> '{{}}')"
    if kind == "timestamp with time zone":
        return f"replace({_json_of(kind, value, place)}::jsonb #>> '{{}}', 'T', ' ')"
    return f"{value}::text"


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


def _json_of(kind: str, value: str, place: Place) -> str:
    """Return SQL for the JSON text of a value of a type."""
    if kind in _SIMPLE:
        return _SIMPLE[kind].format(value)
    if kind in _CONVERTED:
        return f"{place.conversion}({value}{_CONVERTED[kind]})"
    if kind.endswith("[]"):
        # Elements that JSON has as text.
        cast = "" if kind.removesuffix("[]") in _AS_IN_JSON else "::text[]"
        return f"{place.conversion}(to_jsonb({value}{cast}))"
    return f"{place.conversion}({value}::text)"


_SIMPLE = {
    **dict.fromkeys(("boolean", "smallint", "integer", "bigint"), "{0}::text"),
    **dict.fromkeys(("real", "double precision", "date"), "to_json({0})::text"),
    **dict.fromkeys(("numeric", "uuid"), """'"' || {0}::text || '"'"""),
    "inet": "to_json(host({0}))::text",
}

_CONVERTED = {
    **dict.fromkeys(("timestamp with time zone", "timestamp", "time", "interval", "bytea"), ""),
    **dict.fromkeys(("json", "jsonb", "hstore"), "::jsonb"),
}

_AS_IN_JSON = frozenset(
    {"boolean", "smallint", "integer", "bigint", "real", "double precision", "json", "jsonb"}
)
