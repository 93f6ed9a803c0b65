"""Converting any data to JSON-ready data of limited size."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet

from trackmate.activity import safe_str
from trackmate.redaction.detection.classifier import SecretClassifier, Siblings
from trackmate.redaction.detection.names import MAX_NAME, Sensitivity
from trackmate.redaction.text import MAX_TEXT, clean_line, clean_text, truncate

MAX_TOTAL = 100_000
"""Maximum length of all strings of a JSON value."""
MAX_NODES = 2_000
"""Maximum number of keys and items of a JSON value."""
MAX_DEPTH = 20
"""Maximum depth of a JSON value."""
_BIGINT = 2**63
"""PostgreSQL's jsonb accepts larger integers, other readers of JSON do not."""
HARMLESS = 12
"""Maximum length of an identifier that no pattern matches."""

_MORE = re.compile(r"\[\d{1,20} more\]")


@dataclass(slots=True)
class Sanitizer:
    """Converts any data to JSON-ready data of limited size and depth, in one pass.

    With a `classifier` it masks secrets, too.
    """

    text: Callable[[str], str] = clean_text
    classifier: SecretClassifier | None = None
    mask: Callable[[Any], str] = str
    is_thorough: bool = False
    """Whether numbers and short names are searched for secrets, too."""
    nodes: int = MAX_NODES
    characters: int = MAX_TOTAL
    is_complete: bool = True
    """False once a limit was exceeded."""

    def __call__(self, value: Any, depth: int = 0, level: int = 0, name: str = "") -> Any:
        """Return a JSON-ready copy of `value`.

        `name` is the name of its field, `level` the sensitivity of its items.
        """
        if isinstance(value, str):
            return self._string(value if type(value) is str else str(value), name)
        if value is None or value is True or value is False:
            return value
        if isinstance(value, int):
            if not -_BIGINT <= value < _BIGINT:
                # Python does not convert more than 4,300 digits.
                return f"[integer of {value.bit_length()} bits]"
            return self._number(value) if self.is_thorough or value > 10**12 else int(value)
        if isinstance(value, float):
            if not math.isfinite(value):
                return str(value)
            return self._number(value) if self.is_thorough else value
        if depth >= MAX_DEPTH:
            self.is_complete = False
            return "[too deep]"
        if isinstance(value, Mapping):
            return self._mapping(value, depth + 1, level)
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._items(value, depth + 1, level, name)
        return self._other(value)

    def _string(self, text: str, name: str = "") -> str:
        classifier = self.classifier
        if (
            classifier
            and classifier.is_authentication
            and classifier.looks_like_credential(name, text)
        ):
            return self.mask(text)
        if len(text) > MAX_TEXT or len(text) > self.characters:
            self.is_complete = False
            if self.characters <= 0:
                return "[too much]"
            text = truncate(text, min(MAX_TEXT, self.characters))
        self.characters -= len(text)
        return self.text(text if text.isprintable() else clean_text(text))

    def _number(self, value: float) -> Any:
        # It may be a card number.
        masked = self.text(str(value))
        return value if masked == str(value) else masked

    def _mapping(self, value: Mapping[Any, Any], depth: int, inherited: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        classifier, text = self.classifier, self.text
        siblings: Siblings | None = None
        for key, item in value.items():
            self.nodes -= 1
            if self.nodes < 0:
                self.is_complete = False
                result["…"] = _missing_marker(len(value) - len(result), item)
                break
            name = key_text = key if type(key) is str else safe_str(key)
            if len(name) > HARMLESS or not name.isidentifier() or self.is_thorough:
                key_text = name[-MAX_NAME:]
                name = text(clean_line(name, MAX_NAME))
            if classifier and (inherited or classifier.names.is_relevant(key_text)):
                siblings = siblings or Siblings(classifier.names, value)
                if inherited >= Sensitivity.SECRET and _looks_generated(key_text):
                    # {"tokens": {"4f9d2b7c": "active"}}
                    name = self.mask(key_text)
                result[name] = self._named(key_text, item, siblings, depth, inherited)
            elif type(item) is str:
                result[name] = self._string(item, key_text)
            else:
                result[name] = self(item, depth, 0, key_text)
        return result

    def _named(self, name: str, item: Any, siblings: Siblings, depth: int, inherited: int) -> Any:
        """Return an item, masked if its name or its siblings make it a secret."""
        assert self.classifier is not None
        if isinstance(item, (list, tuple)) and (columns := siblings.columns(name)):
            return self._rows(item, columns, depth + 1)
        level = self.classifier.level(name, item, inherited, siblings)
        if level and self.classifier.is_secret(level, name, item, siblings):
            return self.mask(item)
        return self(item, depth, level if level >= Sensitivity.LIKELY else 0, name)

    def _items(self, value: Any, depth: int, level: int, name: str) -> list[Any]:
        result: list[Any] = []
        before: Any = None
        for item in value:
            self.nodes -= 1
            if self.nodes < 0:
                self.is_complete = False
                result.append(_missing_marker(len(value) - len(result), item))
                break
            if not level and (item is None or item is True or item is False):
                # Half of the values of what was created or deleted.
                result.append(item)
                before = item
                continue
            is_secret = (
                type(before) is str and self._follows_its_name(before, item, value, name)
            ) or (level and self.classifier and self.classifier.is_secret(level, name, item))
            result.append(self.mask(item) if is_secret else self(item, depth, level, name))
            before = item
        return result

    def _follows_its_name(self, name: str, item: Any, items: Any, of: str) -> bool:
        """Return True for the second item of `["password", "..."]`, and after "--password"."""
        if self.classifier is None or not (len(items) == PAIR or name.startswith("-")):
            return False
        names = self.classifier.names
        level = names.sensitivity(name[-MAX_NAME:])
        if level < Sensitivity.SECRET or name.count(" ") > 1 or names.is_list_of_names(of):
            return False
        if isinstance(item, str) and names.is_field_name(item):
            return False  # ["password", "email"]
        return self.classifier.is_secret(level, name, item)

    def _rows(self, rows: Any, columns: Columns, depth: int) -> list[Any]:
        """Return a list of items or rows whose names are in another field."""
        if any(isinstance(each, (list, tuple)) for each in rows):
            return [
                self._row(each, columns, depth)
                if isinstance(each, (list, tuple))
                else self(each, depth)
                for each in self._within_bounds(rows)
            ]
        return self._row(rows, columns, depth)

    def _row(self, row: Any, columns: Columns, depth: int) -> list[Any]:
        assert self.classifier is not None
        is_known = len(row) == len(columns)
        strictest = max(columns, key=lambda column: column[1])
        result = []
        for at, item in enumerate(self._within_bounds(row)):
            name, level = columns[at] if is_known else strictest
            is_secret = level and self.classifier.is_secret(level, name, item)
            result.append(self.mask(item) if is_secret else self(item, depth, level, name))
        return result

    def _within_bounds(self, items: Any) -> Any:
        kept = items[: max(0, self.nodes)]
        self.nodes -= len(items)
        if len(kept) == len(items):
            return kept
        self.is_complete = False
        return [*kept, _missing_marker(len(items) - len(kept), items[-1])]

    def _other(self, value: Any) -> Any:
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"[{len(value)} bytes]"
        if isinstance(value, UploadedFile):
            return describe_file(value)
        if isinstance(value, (date, time)):
            return value.isoformat()
        if isinstance(value, QuerySet):
            # str() would execute a query.
            return f"[QuerySet of {value.model._meta.label}]"
        return self._string(safe_str(value))


Columns = list[tuple[str, int]]
"""The names of the items of a list, and their sensitivity."""
PAIR = 2


def _looks_generated(name: str) -> bool:
    """Return True for a name that may be a secret itself."""
    letters = sum(map(str.isalpha, name))
    return len(name) >= HARMLESS // 2 and 0 < letters < len(name) and any(map(str.isdigit, name))


def _missing_marker(missing: int, last: object) -> str:
    """Return a marker with the number of missing items, or that of an earlier pass."""
    if missing == 1 and isinstance(last, str) and _MORE.fullmatch(last):
        return last
    return f"[{missing} more]"


def describe_file(file: UploadedFile[bytes]) -> dict[str, Any]:
    """Describe an uploaded file by its name, size in bytes and content type."""
    return {"name": file.name, "size": file.size, "type": file.content_type}
