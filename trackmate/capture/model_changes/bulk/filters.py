"""The filter of a queryset in words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from django.db.models import Model, QuerySet
from django.db.models.lookups import Lookup
from django.db.models.sql.where import WhereNode

from trackmate.activity import safe_str
from trackmate.capture.model_changes.columns.rows import is_encrypted
from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.redactor import secret_names
from trackmate.registry import registration_of

MAX_DEPTH = 10
MAX_VALUES = 10

_WORDS = {
    "exact": "=",
    "iexact": "=",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "isnull": "is null:",
}


def describe_queryset(queryset: QuerySet[Any], masked: Collection[str] = ()) -> str:
    """Return the filter of a queryset: "state = d and copies > 3"; "" without one.

    The values of masked and excluded fields, and of those whose names are secret, are left out.
    """
    return _describe(queryset.query.where, masked, MAX_DEPTH)


def _describe(node: Any, masked: Collection[str], depth: int) -> str:
    if depth == 0:
        return "..."
    if isinstance(node, WhereNode):
        return _describe_all(node, masked, depth)
    if isinstance(node, Lookup):
        return _describe_lookup(node, masked)
    return type(node).__name__


def _describe_all(node: WhereNode, masked: Collection[str], depth: int) -> str:
    parts = [_describe(each, masked, depth - 1) for each in node.children]
    nested = [
        f"({part})" if isinstance(each, WhereNode) and len(each.children) > 1 else part
        for each, part in zip(node.children, parts, strict=True)
    ]
    text = f" {node.connector.lower()} ".join(filter(None, nested))
    return f"not ({text})" if node.negated and text else text


def _describe_lookup(lookup: Any, masked: Collection[str]) -> str:
    target = getattr(lookup.lhs, "target", None)
    name = getattr(target, "name", None) or type(lookup.lhs).__name__
    word = _WORDS.get(lookup.lookup_name, lookup.lookup_name)
    is_secret = any(_is_secret(each, masked) for each in _sources(lookup.lhs, MAX_DEPTH))
    return f"{name} {word} {MASK if is_secret else _describe_value(lookup.rhs)}"


def _sources(expression: Any, depth: int) -> Iterator[Any]:
    """Yield the fields that an expression is made of, and the keys of documents."""
    target, key = getattr(expression, "target", None), getattr(expression, "key_name", None)
    yield from (each for each in (target, key) if each is not None)
    if depth and hasattr(expression, "get_source_expressions"):
        for each in expression.get_source_expressions():
            yield from _sources(each, depth - 1)


def _is_secret(source: Any, masked: Collection[str]) -> bool:
    name = str(getattr(source, "name", source))
    if name in masked or name in secret_names() or is_encrypted(source):
        return True
    model = getattr(source, "model", None)
    registration = registration_of(model) if model is not None else None
    return registration is not None and (
        name in registration.options.mask or name in registration.options.exclude
    )


def describe_expression(expression: Any, masked: Collection[str] = ()) -> str:
    """Return an expression as it is written; masked if it is about secret fields."""
    text = str(expression)
    words = {part for word in re.findall(r"\w+", text) for part in (word, *word.split("__"))}
    is_secret = any(word in masked or word in secret_names() for word in words)
    return MASK if is_secret else text


def _describe_value(value: Any) -> str:
    if isinstance(value, QuerySet) or hasattr(value, "as_sql") or hasattr(value, "get_compiler"):
        return "(a query)"
    if isinstance(value, Model):
        return safe_str(value.pk)
    if isinstance(value, Mapping):
        return "(a document)"
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        values = [_describe_item(each) for each in value]
        more = ", ..." if len(values) > MAX_VALUES else ""
        return f"({', '.join(values[:MAX_VALUES])}{more})"
    return safe_str(value)


def _describe_item(value: Any) -> str:
    is_container = isinstance(value, Iterable) and not isinstance(value, str | bytes)
    return "(a document)" if is_container else safe_str(value)
