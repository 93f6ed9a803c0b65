"""The names whose values are secret, in whatever style they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

SECRET_WORDS = frozenset(
    {
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "csrf",
        "csrfmiddlewaretoken",
        "csrftoken",
        "cvc",
        "cvv",
        "iban",
        "jwt",
        "otp",
        "passcode",
        "passphrase",
        "passwd",
        "password",
        "pin",
        "pwd",
        "secret",
        "session",
        "sessionid",
        "sid",
        "sig",
        "signature",
        "ssn",
        "token",
        "totp",
        "xsrf",
    }
)
"""A name is secret when one of its words is; the last one may stand in the plural."""

SECRET_PHRASES = frozenset(
    {
        ("api", "key"),
        ("private", "key"),
        ("access", "key"),
        ("secret", "key"),
        ("signing", "key"),
        ("encryption", "key"),
        ("card", "number"),
        ("account", "number"),
        ("credit", "card"),
    }
)
"""Or when two neighbours of its words are."""

SECRET_PARTS = (
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "credential",
    "authorization",
    "sessid",
)
"""Or when it contains one of these, wherever: too much is better here than too little."""

_SQUASHED = frozenset("".join(phrase) for phrase in SECRET_PHRASES)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_LETTERS = re.compile(r"[\W\d_]+")
MAX_NAME = 200


def words_of(name: str) -> tuple[str, ...]:
    """Split a name at what is no letter and at camelCase: `X-Api-Key`, `apiKey`, `api_key1`."""
    spaced = _CAMEL.sub(" ", name[:MAX_NAME])
    return tuple(word for word in _NO_LETTERS.split(spaced.lower()) if word)


class SecretNames:
    """The names whose values are masked: the built-in ones and a project's own."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        own = [words_of(name) for name in more]
        self._words = SECRET_WORDS | _SQUASHED | {words[0] for words in own if len(words) == 1}
        self._phrases = SECRET_PHRASES | {words for words in own if len(words) > 1}
        self._lengths = sorted({len(phrase) for phrase in self._phrases})
        # Names come from clients, so the memory is bounded in count and in length.
        self._is_secret = lru_cache(maxsize=4096)(self._decide)

    def __contains__(self, name: str) -> bool:
        return self._is_secret(name if len(name) <= MAX_NAME else name[:MAX_NAME])

    def _decide(self, name: str) -> bool:
        words = words_of(name)
        # "user_pins" holds pins, "pins_count" none.
        singular = (*words[:-1], words[-1].removesuffix("s")) if words else ()
        if words == ("pass",) or any(word in self._words for word in (*words, *singular)):
            return True
        squashed = "".join(words)
        if any(part in squashed for part in SECRET_PARTS):
            return True
        return any(
            each[start : start + length] in self._phrases
            for each in (words, singular)
            for length in self._lengths
            for start in range(len(words) - length + 1)
        )
