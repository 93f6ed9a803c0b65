"""Whether a value is a secret, by its name, its form and the fields next to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trackmate.redaction.detection.names import (
    MAX_NAME,
    CodeContext,
    SecretNames,
    Sensitivity,
    is_identifier,
    is_primary_key,
    words_of,
)
from trackmate.redaction.detection.pairs import LABELS, LOOSE, lookup_stems, pair_role
from trackmate.redaction.detection.randomness import (
    LONG,
    SHORT,
    is_blank,
    is_message,
    is_symbol,
    is_uuid,
    looks_random,
    reads_like_words,
)
from trackmate.redaction.detection.vocabulary import PICTURES, SECOND_FACTORS

LISTS = (list, tuple, set, frozenset)
CONTAINERS = (Mapping, *LISTS)
LARGEST_COUNT = 999
"""Larger numbers may be one-time codes, depending on the context."""
FEW = 3
"""Maximum number of fields in a form for a code and its account."""
LONG_NAME = 4
"""Number of spaces from which a text is a sentence and not a name."""
OPAQUE = 8
"""Minimum length of a generated client id."""
_LONG_CODE = re.compile(
    r"(?!00)\d{6,8}|(?![A-Z]+-?\d+\Z)(?=[A-Z0-9-]*\d)[A-Z0-9]{3,6}-?[A-Z0-9]{3,6}"
)
_SHORT_CODE = re.compile(r"(?!00)\d{4,5}")
_FILE = re.compile(r"/[^/]*\.[a-z]{2,4}\Z")
"""The end of a file path, such as the key of a stored object."""
_SERVICE_TICKET = re.compile(r"(?:ST|PT|PGT|PGTIOU|TGT|TGC)-\d{1,9}-")
"""The prefixes of CAS tickets."""
_IMAGE = re.compile(r"\s*(?:data:image/|<\?xml|<svg)", re.IGNORECASE)
_BASE_32 = re.compile(r"(?:[A-Z2-7]{4}[ -]?){4,16}=*")


@dataclass(frozen=True, slots=True)
class SecretClassifier:
    """Decides which values are secrets, in the context of one request or activity."""

    names: SecretNames
    is_authentication: bool = False
    is_response: bool = False
    is_error: bool = False

    def level(self, name: str, value: Any, inherited: int, siblings: Siblings) -> int:
        """Return how sensitive a value is: by its name, a name-value pair, or its container."""
        level: int = self.names.sensitivity(name)
        if level < Sensitivity.SECRET:
            level = max(level, siblings.level(name, value))
        is_metadata = self.names.is_metadata(name) or (self.is_error and names_an_error(name))
        if level < Sensitivity.LIKELY and inherited and not is_metadata:
            return inherited
        return level

    def is_secret(
        self, level: int, name: str, value: Any, siblings: Siblings | None = None
    ) -> bool:
        """Return True if a value is a secret. Values of mappings are classified on their own."""
        if isinstance(value, str):
            return self._is_secret_text(level, name, value, siblings)
        if value is None or value is True or value is False or isinstance(value, Mapping):
            return False
        if isinstance(value, (int, float)):
            return self._is_secret_number(level, name, value, siblings)
        if isinstance(value, LISTS):
            return not any(isinstance(each, CONTAINERS) for each in value) and any(
                self.is_secret(level, name, each, siblings) for each in value
            )
        return level >= Sensitivity.SECRET

    def _is_secret_number(
        self, level: int, name: str, value: float, siblings: Siblings | None
    ) -> bool:
        if level == Sensitivity.ALWAYS:
            return True
        if self.is_error or abs(value) <= LARGEST_COUNT:
            return False
        last = words_of(name)[-1:] or ("",)
        if level == Sensitivity.CONTEXTUAL:
            is_one_time_code = self.is_authentication or (
                siblings and siblings.suggests_secret_code(str(value))
            )
            return bool(is_one_time_code) and last[0].startswith("code")
        return self.is_authentication and not last[0].endswith("s")  # "tokens" is a count

    def _is_secret_text(self, level: int, name: str, value: str, siblings: Siblings | None) -> bool:
        if is_blank(value) or (self.is_response and is_message(value, any_prose=self.is_error)):
            return False
        if level == Sensitivity.ALWAYS:
            return True
        if level == Sensitivity.SECRET:
            return not self._is_count_or_id(name, value)
        if level == Sensitivity.LIKELY:
            return not reads_like_words(value) or _SERVICE_TICKET.match(value) is not None
        return self._is_secret_code(name, value, siblings)

    def _is_count_or_id(self, name: str, value: str) -> bool:
        if value.isdecimal() and not self.is_authentication:
            return name.endswith(("s", "S")) or is_primary_key(name)
        return is_uuid(value) and is_primary_key(name)

    def _is_secret_code(self, name: str, value: str, siblings: Siblings | None) -> bool:
        if self.is_response and names_an_error(name) and (self.is_error or is_symbol(value)):
            return looks_random(value, SHORT)
        if self.is_authentication or (looks_random(value, SHORT) and not _FILE.search(value)):
            return True
        return siblings is not None and siblings.suggests_secret_code(value)

    def looks_like_credential(self, name: str, value: str) -> bool:
        """Return True for a secret with any name, in the context of authentication.

        It looks random, or is the QR code or the key of a second factor in a response.
        """
        if "/" not in value[:LONG] and looks_random(value):
            return not is_identifier(name)
        if not self.is_response:
            return False
        if _IMAGE.match(value):
            return PICTURES.isdisjoint(words_of(name))
        return _BASE_32.fullmatch(value) is not None and not value.isdecimal()


def names_an_error(name: str) -> bool:
    """Return True for names that responses use for error codes, among others."""
    return name[-4:].lower() == "code"


class Siblings:
    """The fields of a mapping, as the context of each of its values."""

    def __init__(self, names: SecretNames, siblings: Mapping[Any, Any]) -> None:
        self._names = names
        self._siblings = siblings

    # --- pairs

    def level(self, name: str, value: Any) -> int:
        """Return how sensitive other fields make a value: as a pair, or as a repeated password."""
        if self._names.is_password_repeat(name) and self._has_password:
            return Sensitivity.ALWAYS
        role = pair_role(name)
        if role is None or not role.is_value:
            return Sensitivity.HARMLESS
        found = [each for stem in lookup_stems(role) for each in self._naming_fields.get(stem, ())]
        return max((self._level(*each, role.word, value) for each in found), default=0)

    @cached_property
    def _has_password(self) -> bool:
        names = (each[-MAX_NAME:] for each in self._siblings if isinstance(each, str))
        return any(self._names.sensitivity(each) == Sensitivity.ALWAYS for each in names)

    def _level(self, word: str, naming: Any, value_word: str, value: Any) -> int:
        if word in LABELS and (value_word in LOOSE or self._is_label(value)):
            return Sensitivity.HARMLESS
        if value_word in LOOSE and isinstance(value, str) and _is_prose(value):
            return Sensitivity.HARMLESS
        if not isinstance(naming, str) and not isinstance(value, str):
            return Sensitivity.HARMLESS  # perhaps a list of names for a list of values
        return max((self._level_of_text(word, each) for each in _strings(naming)), default=0)

    def _is_label(self, value: Any) -> bool:
        """Return True for a text to read, such as the label of a field."""
        if not isinstance(value, str):
            return False
        is_name = value.isalpha() and self._names.sensitivity(value) >= Sensitivity.SECRET
        return is_name or _is_prose(value)

    def _level_of_text(self, word: str, text: str) -> int:
        if word == "path":
            text = text.rpartition("/")[2]
        if text.count(" ") > LONG_NAME:
            return Sensitivity.HARMLESS
        return self._names.sensitivity(text[-MAX_NAME:])

    def columns(self, name: str) -> list[tuple[str, int]] | None:
        """Return names and levels for the items of a list or table, if another field has them."""
        role = pair_role(name)
        if role is None or not role.is_value:
            return None
        for stem in lookup_stems(role):
            for word, naming in self._naming_fields.get(stem, ()):
                if isinstance(naming, LISTS) and _strings(naming):
                    return [(each, self._level_of_text(word, each)) for each in _strings(naming)]
        return None

    @cached_property
    def _naming_fields(self) -> dict[tuple[str, ...], list[tuple[str, Any]]]:
        fields: dict[tuple[str, ...], list[tuple[str, Any]]] = {}
        for name, value in self._siblings.items():
            if isinstance(name, str) and isinstance(value, (str, list, tuple)):
                role = pair_role(name[-MAX_NAME:])
                if role is not None and not role.is_value:
                    fields.setdefault(role.stem, []).append((role.word, value))
        return fields

    # --- codes

    def suggests_secret_code(self, value: str) -> bool:
        """Return True if the siblings of a `code` or `key` suggest that it is a secret."""
        is_certain, is_for_account = self._code_evidence
        if is_certain:
            return True
        if not is_for_account:
            return False
        is_few = len(self._siblings) <= FEW
        return bool(_LONG_CODE.fullmatch(value) or (is_few and _SHORT_CODE.fullmatch(value)))

    @cached_property
    def _code_evidence(self) -> tuple[bool, bool]:
        is_for_account, context_of = False, self._names.code_context
        for name, other in self._siblings.items():
            if not isinstance(name, str):
                continue
            context = context_of(name if len(name) <= MAX_NAME else name[-MAX_NAME:])
            if not context or not isinstance(other, str) or is_blank(other):
                continue
            opens_account = _OPENS_ACCOUNT.get(context)
            if context is CodeContext.AUTHENTICATION or (opens_account and opens_account(other)):
                return True, True
            is_for_account |= context is CodeContext.ACCOUNT or (
                context is CodeContext.METHOD and other.lower() in SECOND_FACTORS
            )
        return False, is_for_account


_OPENS_ACCOUNT: dict[CodeContext, Callable[[str], bool]] = {
    # Random in OAuth 2.0; elsewhere that of a country or an order.
    CodeContext.STATE: lambda value: not reads_like_words(value) or looks_random(value, SHORT),
    CodeContext.CLIENT: lambda value: len(value) >= OPAQUE,
}


def _is_prose(value: str) -> bool:
    return " " in value.strip() and reads_like_words(value)


def _strings(naming: Any) -> list[str]:
    items = naming if isinstance(naming, LISTS) else [naming]
    return [each for each in items if isinstance(each, str)]
