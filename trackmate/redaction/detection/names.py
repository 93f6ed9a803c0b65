"""How sensitive a value is by its name, in any naming style."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from unicodedata import normalize
from urllib.parse import unquote

from trackmate.redaction.detection import vocabulary as terms
from trackmate.redaction.detection.pairs import pair_role

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ACCENTS = re.compile("[\u0300-\u036f]+")
_FORM_INDEX = re.compile(r"\A.*-\d+-")
_NO_LETTERS = re.compile(r"[\W\d_]+")
MAX_NAME = 200
_TWO_FACTORS = re.compile("2fa", re.IGNORECASE)
_LAST_PART = re.compile(r"[^\[\].]*(?=\]?(?:\[\d*\])?\Z)")
"""The last part of `fields[2][session]` or `order.session`."""


class Sensitivity(IntEnum):
    """How sensitive a value is by its name."""

    HARMLESS = 0
    """Unknown: only the value itself can reveal a secret."""
    CONTEXTUAL = 1
    """`code`, `key`: secret in the context of authentication, or if random."""
    LIKELY = 2
    """`session`, `auth`: secret unless it consists of words or is a number."""
    SECRET = 3
    """`token`: secret except for numbers."""
    ALWAYS = 4
    """`password`, `pin`: secret, even numbers."""


class CodeContext(IntEnum):
    """What a field says about a `code` next to it."""

    NONE = 0
    AUTHENTICATION = 1
    """An OAuth 2.0 parameter or another secret: the code is secret."""
    STATE = 2
    """Secret if the state is random."""
    CLIENT = 3
    """Secret if the client id is long."""
    METHOD = 4
    """Secret if the value is a second factor."""
    ACCOUNT = 5
    """An account: a code of digits is a one-time code."""


def words_of(name: str) -> tuple[str, ...]:
    """Split a name into lowercase words: `X-Api-Key`, `apiKey`, `api_key1`."""
    # The end is the most significant part.
    name = name[-MAX_NAME:]
    if "2" in name:
        name = _TWO_FACTORS.sub("mfa", name)
    if "%" in name:
        name = unquote(name)
    if not name.isascii():
        name = normalize("NFC", _ACCENTS.sub("", normalize("NFKD", name)))
    spaced = _CAMEL.sub(" ", name)
    return tuple(word for word in _NO_LETTERS.split(spaced.lower()) if word)


_BY_VALUE = {("state",): CodeContext.STATE, ("client", "id"): CodeContext.CLIENT}


class SecretNames:
    """The names whose values are masked: built-in and custom ones, without the exempt ones."""

    def __init__(self, more: Iterable[str] = (), exempt: Iterable[str] = ()) -> None:
        custom = [words_of(name) for name in more]
        self._custom_words = frozenset(words[0] for words in custom if len(words) == 1)
        self._custom_phrases = frozenset(words for words in custom if len(words) > 1)
        phrases = (terms.ALWAYS_PHRASES, terms.SECRET_PHRASES, self._custom_phrases)
        self._ends = frozenset(words[-1].removesuffix("s") for each in phrases for words in each)
        self._exempt = frozenset(words_of(name) for name in exempt)
        # Bounded, since names come from clients.
        self.sensitivity = lru_cache(maxsize=4096)(self._sensitivity)
        self.may_end_phrase = lru_cache(maxsize=4096)(self._may_end_phrase)
        self.code_context = lru_cache(maxsize=4096)(self._code_context)
        self.is_relevant = lru_cache(maxsize=4096)(self._is_relevant)

    def __contains__(self, name: str) -> bool:
        return self.sensitivity(name[-MAX_NAME:]) >= Sensitivity.LIKELY

    def _is_relevant(self, name: str) -> bool:
        """Return False for most names, whose values need not be classified."""
        if self._sensitivity(name) > Sensitivity.HARMLESS or self.is_password_repeat(name):
            return True
        role = pair_role(name)
        return role is not None and role.is_value

    def _code_context(self, name: str) -> CodeContext:
        words, level = words_of(name), self._sensitivity(name)
        if level == Sensitivity.CONTEXTUAL or not words:
            return CodeContext.NONE
        is_parameter = not terms.OAUTH_PARAMETERS.isdisjoint((words[:1], *pairwise(words)))
        is_specific = terms.UNSPECIFIC_WORDS.isdisjoint(words)
        if is_parameter or (is_specific and level >= Sensitivity.SECRET):
            return CodeContext.AUTHENTICATION
        if words in _BY_VALUE:
            return _BY_VALUE[words]
        if words[-1] in terms.METHOD_WORDS:
            return CodeContext.METHOD
        return CodeContext.NONE if terms.ACCOUNT_NAMES.isdisjoint(words) else CodeContext.ACCOUNT

    def is_metadata(self, name: str) -> bool:
        """Return True for metadata of a secret: `type`, `min_length`, `enabled`."""
        words = words_of(name)
        # Not "name", which clients choose, for example for files.
        return bool(words) and (
            (words[-1] in terms.ABOUT and words[-1] != "name") or words[0] in terms.QUESTION_WORDS
        )

    def is_password_repeat(self, name: str) -> bool:
        """Return True for the second field of a password: `confirm`, `retype`."""
        words = words_of(_last_part(name))
        return len(words) == 1 and words[0] in terms.REPEAT_WORDS

    def is_list_of_names(self, name: str) -> bool:
        """Return True for lists of names: `required`, `order_by`, `scopes`."""
        words = words_of(name)
        return not terms.NAMES_OF_FIELDS.isdisjoint(words[-1:] if len(words) == 1 else words)

    def is_field_name(self, text: str) -> bool:
        """Return True for the name of a field, as in ["password", "email"]."""
        is_short = len(text) < MAX_NAME and text.replace("_", "").replace("-", "").isalpha()
        return is_short and (
            self.sensitivity(text) >= Sensitivity.SECRET
            or not terms.COMMON_FIELD_NAMES.isdisjoint(words_of(text))
        )

    def _may_end_phrase(self, name: str) -> bool:
        words = words_of(name)
        return len(words) == 1 and words[0].removesuffix("s") in self._ends

    def phrase_sensitivity(self, text: str) -> Sensitivity:
        """Return the sensitivity of the last words of a text: "the API key"."""
        words = words_of(text)
        for size in (3, 2):
            phrase = words[-size:]
            both = (phrase, (*phrase[:-1], phrase[-1].removesuffix("s"))) if phrase else ()
            if any(each in self._custom_phrases or each in terms.ALWAYS_PHRASES for each in both):
                return Sensitivity.ALWAYS
            if any(each in terms.SECRET_PHRASES for each in both):
                return Sensitivity.SECRET
        return Sensitivity.HARMLESS

    def _sensitivity(self, name: str) -> Sensitivity:
        words = words_of(name)
        if not words:
            return Sensitivity.HARMLESS
        if self._exempt:
            if words in self._exempt:
                return Sensitivity.HARMLESS
            # If "session" is exempt, so is "form-0-session", but not "auth_session".
            last = words_of(_last_part(name))
            if last in self._exempt:
                return self._sensitivity_of(words[: -len(last)])
        if words_of(_last_part(name)) == ("pass",):
            return Sensitivity.ALWAYS  # "account[pass]", but not "boarding_pass"
        return self._sensitivity_of(words)

    def _sensitivity_of(self, words: tuple[str, ...]) -> Sensitivity:
        if not words:
            return Sensitivity.HARMLESS
        # "user_pins" is plural, "pins_count" is a count.
        both = (words, (*words[:-1], words[-1].removesuffix("s")))
        if _has_word_or_phrase(both, self._custom_words, self._custom_phrases):
            return Sensitivity.ALWAYS
        if _is_harmless(words):
            return Sensitivity.HARMLESS
        if _has_word_or_phrase(both, terms.ALWAYS_WORDS, terms.ALWAYS_PHRASES):
            return Sensitivity.ALWAYS
        if _has_word_or_phrase(both, terms.SECRET_WORDS, terms.SECRET_PHRASES) or _has_secret_part(
            words
        ):
            return Sensitivity.SECRET
        return _less_than_secret(both[1])


def is_primary_key(name: str) -> bool:
    """Return True for the primary key of a secret, which is no secret itself: `token_id`."""
    words = words_of(name)
    is_session = any("sess" in word for word in words)
    return bool(words) and words[-1] in terms.PRIMARY_KEY_WORDS and not is_session


def is_identifier(name: str) -> bool:
    """Return True for names of identifiers, whose values may be random: `slug`, `uidb64`."""
    return name.lower().rpartition("_")[2] in terms.IDENTIFIER_WORDS


def _is_harmless(words: tuple[str, ...]) -> bool:
    """Return True for phrases, and the metadata of a secret: `token_type`, `max_tokens`."""
    if len(words) == 1:
        return False
    last = words[-1]
    if any(pair in terms.HARMLESS_PHRASES for pair in pairwise(words)):
        return True
    if last in terms.ABOUT or words[0] in terms.QUESTION_WORDS or words[-2:] in terms.ABOUT_PHRASES:
        return True
    if last in terms.ABOUT_LIKELY and not terms.LIKELY_WORDS.isdisjoint(words[:-1]):
        return True
    before = (
        terms.HARMLESS_BEFORE.get(last, frozenset())
        if last not in terms.CONTEXTUAL_WORDS
        else frozenset()
    )
    return not before.isdisjoint(words[:-1])


def _last_part(name: str) -> str:
    found = _LAST_PART.search(name)
    last = found[0] if found else name
    return _FORM_INDEX.sub("", last)


def _has_word_or_phrase(
    both: tuple[tuple[str, ...], tuple[str, ...]],
    single: frozenset[str],
    phrases: frozenset[tuple[str, ...]],
) -> bool:
    """Return True if one of the words is in `single`, or neighbouring ones are in `phrases`."""
    if any(word in single or word in _squashed(phrases) for words in both for word in words):
        return True
    # "SAMLart" is split into "saml" and "art".
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
    """Return the phrases as single words: "apikey"."""
    return frozenset("".join(phrase) for phrase in phrases)


@lru_cache(maxsize=16)
def _lengths(phrases: frozenset[tuple[str, ...]]) -> list[int]:
    return sorted({len(phrase) for phrase in phrases})


def _has_secret_part(words: tuple[str, ...]) -> bool:
    if any(
        "pwd" in word
        or word.endswith("pw")
        or (word.endswith("pass") and word not in terms.HARMLESS_PASS_WORDS)
        for word in words
    ):
        return True
    squashed = "".join(word for word in words if word not in terms.HARMLESS_WORDS)
    # Without separators: "pass_word" matches, too.
    return any(part in squashed for part in terms.SECRET_PARTS)


def _less_than_secret(words: tuple[str, ...]) -> Sensitivity:
    likely = [position for position, word in enumerate(words) if word in terms.LIKELY_WORDS]
    if likely:
        is_certain = any(
            words[at + 1 : at + 2] and words[at + 1] in terms.IDENTIFYING for at in likely
        )
        return Sensitivity.SECRET if is_certain else Sensitivity.LIKELY
    last = words[-1]
    if last not in terms.CONTEXTUAL_WORDS:
        return Sensitivity.HARMLESS
    is_harmless = not terms.HARMLESS_BEFORE.get(last, frozenset()).isdisjoint(words[:-1])
    return Sensitivity.HARMLESS if is_harmless else Sensitivity.CONTEXTUAL
