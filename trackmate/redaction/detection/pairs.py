"""Pairs: a name in one field, its value in another: `{"name": "password", "value": "..."}`.

They come in many shapes: `fields[0][name]` and `fields[0][value]`, `fieldName` and `fieldValue`,
`Name` and `Value`, `key1` and `value1`, the `path` and the `value` of a JSON Patch, and as lists or
tables: `{"columns": [...], "rows": [[...]]}`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_NAMING = frozenset(
    """
    attribute code column columns field fields header headers id k key keys label name names option
    param parameter params path property question setting slug title type var variable
    """.split()  # noqa: SIM905 (a list to read)
)
"""What a field is called that contains the name of another one."""
LABELS = frozenset(("code", "id", "key", "label", "question", "slug", "title", "type"))
"""Some of them may contain what people read, and so may the other field."""
_VALUES = frozenset(
    """
    answer content current data default input new old previous rows string text v val value values
    """.split()  # noqa: SIM905
)
"""What the other field is called..."""
_WHOLE = frozenset(("from", "to"))
"""... or with nothing before it..."""
_TIMES = frozenset(("new", "old", "previous", "current"))
"""... but for what these add: `old_value`."""
LOOSE = frozenset("content current data new old previous rows string text".split())  # noqa: SIM905
"""What stands beside a label without being its value."""

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TOKENS = re.compile(r"[^\W\d_]+|\d+")


class PairRole(NamedTuple):
    """What a field is in a pair."""

    is_value: bool
    word: str
    stem: tuple[str, ...]
    """What both fields of a pair have in common: ("fields", "0")."""


@lru_cache(maxsize=4096)
def pair_role(name: str) -> PairRole | None:
    """Return what a field called so is in a pair, if anything."""
    tokens = _TOKENS.findall(_CAMEL.sub(" ", name).lower())
    at = next((at for at in reversed(range(len(tokens))) if tokens[at].isalpha()), None)
    if at is None:
        return None
    word, stem = tokens[at], (*tokens[:at], *tokens[at + 1 :])
    if word in _VALUES or (word in _WHOLE and not stem):
        return PairRole(True, word, tuple(each for each in stem if each not in _TIMES))  # noqa: FBT003
    if word in _NAMING:
        # "fieldName" may stand beside "fieldValue" or beside "value".
        is_all_naming = all(each in _NAMING for each in stem)
        return PairRole(False, word, () if is_all_naming else stem)  # noqa: FBT003
    return None


def lookup_stems(role: PairRole) -> tuple[tuple[str, ...], ...]:
    """Return the stems under which the name of a value may be looked up."""
    bare = tuple(each for each in role.stem if each not in _NAMING)
    return (role.stem,) if bare == role.stem else (role.stem, bare)
