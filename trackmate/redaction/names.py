"""What a name says of its value, in whatever style the name is written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from unicodedata import normalize

from trackmate.redaction.vocabulary import (
    ABOUT,
    ABOUT_PHRASES,
    ALWAYS_PHRASES,
    ALWAYS_WORDS,
    CONTEXTUAL_WORDS,
    HARMLESS_BEFORE,
    HARMLESS_WORDS,
    IDENTIFYING,
    LIKELY_WORDS,
    QUESTIONS,
    SECRET_PARTS,
    SECRET_PHRASES,
    SECRET_WORDS,
)

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ACCENTS = re.compile("[\u0300-\u036f]+")
_NO_LETTERS = re.compile(r"[\W\d_]+")
MAX_NAME = 200
PAIRED = re.compile(r"(|.*[\[\]._-])(value|val|values|content|text)(\]?)", re.IGNORECASE)
"""What the value of a pair is called whose other part is a name: `fields[0][value]`."""


class Sensitivity(IntEnum):
    """How much a name says of its value."""

    HARMLESS = 0
    """Nothing: only its form can give a secret away."""
    CONTEXTUAL = 1
    """`code`, `key`: a secret in the context of authentication, or if it looks random."""
    LIKELY = 2
    """`session`, `auth`: a secret unless it reads like words or is a number."""
    SECRET = 3
    """`token`: a secret, but for numbers."""
    ALWAYS = 4
    """`password`, `pin`: a secret, numbers too."""


def words_of(name: str) -> tuple[str, ...]:
    """Split a name at what is no letter and at camelCase: `X-Api-Key`, `apiKey`, `api_key1`."""
    name = name[:MAX_NAME]
    if not name.isascii():
        name = normalize("NFC", _ACCENTS.sub("", normalize("NFKD", name)))
    spaced = _CAMEL.sub(" ", name)
    return tuple(word for word in _NO_LETTERS.split(spaced.lower()) if word)


class SecretNames:
    """The names whose values are masked: built-in ones and a project's, less the exempt ones."""

    def __init__(self, more: Iterable[str] = (), exempt: Iterable[str] = ()) -> None:
        own = [words_of(name) for name in more]
        self._own_words = frozenset(words[0] for words in own if len(words) == 1)
        self._own_phrases = frozenset(words for words in own if len(words) > 1)
        self._exempt = frozenset(words_of(name) for name in exempt)
        # Names come from clients, so the memory is bounded in count and in length.
        self.sensitivity = lru_cache(maxsize=4096)(self._sensitivity)
        self.says_something = lru_cache(maxsize=4096)(self._says_something)

    def __contains__(self, name: str) -> bool:
        return self.sensitivity(name[:MAX_NAME]) >= Sensitivity.LIKELY

    def _says_something(self, name: str) -> bool:
        """Return False for most names: their values need not be judged."""
        return self._sensitivity(name) > Sensitivity.HARMLESS or PAIRED.fullmatch(name) is not None

    def _sensitivity(self, name: str) -> Sensitivity:
        words = words_of(name)
        if not words:
            return Sensitivity.HARMLESS
        for size in range(len(words), 0, -1):
            # "form-0-session" is exempt if "session" is, "auth_session" is not.
            if words[-size:] in self._exempt:
                return self._sensitivity_of(words[:-size])
        return self._sensitivity_of(words)

    def _sensitivity_of(self, words: tuple[str, ...]) -> Sensitivity:
        if not words:
            return Sensitivity.HARMLESS
        # "user_pins" holds pins, "pins_count" none.
        both = (words, (*words[:-1], words[-1].removesuffix("s")))
        if _has(both, self._own_words, self._own_phrases):
            return Sensitivity.ALWAYS
        if _is_about(words):
            return Sensitivity.HARMLESS
        if _has(both, ALWAYS_WORDS, ALWAYS_PHRASES) or words == ("pass",):
            return Sensitivity.ALWAYS
        if _has(both, SECRET_WORDS, SECRET_PHRASES) or _has_part(words):
            return Sensitivity.SECRET
        return _less_than_secret(both[1])


def _is_about(words: tuple[str, ...]) -> bool:
    """Return True if a name is about a secret and not its name: `token_type`, `max_tokens`."""
    if len(words) == 1:
        return False
    return words[-1] in ABOUT or words[0] in QUESTIONS or words[-2:] in ABOUT_PHRASES


def _has(
    both: tuple[tuple[str, ...], tuple[str, ...]],
    single: frozenset[str],
    phrases: frozenset[tuple[str, ...]],
) -> bool:
    """Return True if one of the words is in `single`, or neighbouring ones are in `phrases`."""
    if any(word in single or word in _squashed(phrases) for words in both for word in words):
        return True
    # "SAMLart" falls into words that are none.
    if "".join(both[0]) in single:
        return True
    return any(
        words[start : start + length] in phrases
        for words in both
        for length in _lengths(phrases)
        for start in range(len(words) - length + 1)
    )


@lru_cache(maxsize=16)
def _squashed(phrases: frozenset[tuple[str, ...]]) -> frozenset[str]:
    """Return the phrases as they are written without a sign between: "apikey"."""
    return frozenset("".join(phrase) for phrase in phrases)


@lru_cache(maxsize=16)
def _lengths(phrases: frozenset[tuple[str, ...]]) -> list[int]:
    return sorted({len(phrase) for phrase in phrases})


def _has_part(words: tuple[str, ...]) -> bool:
    squashed = "".join(word for word in words if word not in HARMLESS_WORDS)
    # What people write with a sign inside is no name of one: "pass_word" is found, "is sued" too.
    return any(part in squashed for part in SECRET_PARTS)


def _less_than_secret(words: tuple[str, ...]) -> Sensitivity:
    likely = [position for position, word in enumerate(words) if word in LIKELY_WORDS]
    if likely:
        is_certain = any(words[at + 1 : at + 2] and words[at + 1] in IDENTIFYING for at in likely)
        return Sensitivity.SECRET if is_certain else Sensitivity.LIKELY
    last = words[-1]
    if last not in CONTEXTUAL_WORDS:
        return Sensitivity.HARMLESS
    is_plain = not HARMLESS_BEFORE[last].isdisjoint(words[:-1])
    return Sensitivity.HARMLESS if is_plain else Sensitivity.CONTEXTUAL
