"""Names and values in separate fields: `{"name": "password", "value": "..."}`.

They have many forms: `fields[0][name]` and `fields[0][value]`, `fieldName` and `fieldValue`,
`Name` and `Value`, `key1` and `value1`, `path` and `value` of a JSON Patch, and lists or tables:
`{"columns": [...], "rows": [[...]]}`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from trackmate.redaction.detection.vocabulary import words

_NAMING = words("""
    attribute code column columns field fields header headers id k key keys label name names option
    param parameter params path property question setting slug title type var variable
""")
"""Names of fields that contain the name of another one."""
LABELS = words("code id key label question slug title type")
"""Those that may contain a text to read, as may the other field."""
_VALUES = words("""
    answer content current data default input new old previous rows string text v val value values
""")
"""Names of the other fields..."""
_WHOLE = frozenset(("from", "to"))
"""... or as the whole name..."""
_TIMES = frozenset(("new", "old", "previous", "current"))
"""... without these prefixes: `old_value`."""
LOOSE = words("content current data new old previous rows string text")
"""Names that may be next to a label without being its value."""

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TOKENS = re.compile(r"[^\W\d_]+|\d+")


class PairRole(NamedTuple):
    """The role of a field in a pair."""

    is_value: bool
    word: str
    stem: tuple[str, ...]
    """The common part of both names: ("fields", "0")."""


@lru_cache(maxsize=4096)
def pair_role(name: str) -> PairRole | None:
    """Return the role of a field with that name, or None."""
    tokens = _TOKENS.findall(_CAMEL.sub(" ", name).lower())
    at = next((at for at in reversed(range(len(tokens))) if tokens[at].isalpha()), None)
    if at is None:
        return None
    word, stem = tokens[at], (*tokens[:at], *tokens[at + 1 :])
    if word in _VALUES or (word in _WHOLE and not stem):
        return PairRole(True, word, tuple(each for each in stem if each not in _TIMES))  # noqa: FBT003
    if word in _NAMING:
        # "fieldName" may be next to "fieldValue" or "value".
        is_all_naming = all(each in _NAMING for each in stem)
        return PairRole(False, word, () if is_all_naming else stem)  # noqa: FBT003
    return None


def lookup_stems(role: PairRole) -> tuple[tuple[str, ...], ...]:
    """Return the stems by which to look up the field with the name."""
    bare = tuple(each for each in role.stem if each not in _NAMING)
    return (role.stem,) if bare == role.stem else (role.stem, bare)
