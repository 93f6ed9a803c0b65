"""Masking, cleaning and bounding: what every value passes before it leaves the process.

Everything here works on a copy and in one bounded, linear pass; what the view sees is unchanged.
"""

from __future__ import annotations

import hmac
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from trackmate.activity import text_of
from trackmate.conf import get_settings, per_settings

MASK = "[redacted]"
URL_MASK = "REDACTED"

MAX_TEXT = 10_000
"""Characters of one string."""
MAX_TOTAL = 100_000
"""Characters of all strings of one JSON value together."""
MAX_NODES = 2_000
"""Keys and items of one JSON value."""
MAX_DEPTH = 20
"""Levels of one JSON value."""
MAX_INT = 2**63
"""PostgreSQL's jsonb takes more, other readers of JSON do not."""
MIN_SECRET = 8
"""A shorter value is too common to be masked wherever it occurs."""
REMEMBERED, MAX_REMEMBERED = 1_000, 512
"""Common texts that are known to hold no secret, and characters of one."""
MAX_SECRETS = 20
"""Values remembered from one request."""


# --- names -----------------------------------------------------------------------------------

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


# --- texts -----------------------------------------------------------------------------------

# Possessive quantifiers and look-behinds keep each of these linear in the length of the text. Most
# texts hold nothing of the kind, so what is cheap to look for is looked for first.
_CREDENTIAL = r"[\w.~+/=-]"
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{4,}+\.[\w-]{2,}+(?:\.[\w-]*+)*")
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{1,40}-----.*?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)", re.DOTALL
)
_AWS = re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")
_SCHEME = re.compile(
    rf"(?<!\w)(bearer\s{{1,3}}){_CREDENTIAL}{{6,}}+"
    rf"|(?<!\w)((?:basic|token|digest|negotiate)\s{{1,3}})(?={_CREDENTIAL}{{0,64}}?[\d=]){_CREDENTIAL}{{8,}}+",
    re.IGNORECASE,
)
_COOKIES = re.compile(r"(?<![\w-])((?:set-)?cookie\s{0,3}:\s{0,3})[^\r\n]++", re.IGNORECASE)
_USERINFO = re.compile(r"(://[^\s/@:]{0,64}+:)[^\s/@]{1,256}+(?=@)")
_DIGITS = re.compile(r"\d{4}(?:[ -]?\d){9}")
# Not within a UUID or another hexadecimal token: one in a thousand of those passes for a card.
_CARD = re.compile(
    r"(?<![^\W_])(?<!\d\.)(?<![\da-f]{4}-)[2-6]\d{3}(?:[ -]?\d){9,15}(?![^\W_])(?!-[\da-f]{4})",
    re.IGNORECASE,
)
_NAME_AND_SIGN = re.compile(
    r"(?<![\w.-])([\w.-]{2,64}+(?:\[[^\]\s]{0,64}\])?)['\"]?\s{0,3}[=:]\s{0,3}", re.IGNORECASE
)
_VALUE = re.compile(
    r"\[redacted\]|\"[^\"]*+\"|'[^']*+'"
    r"|(?:(?:bearer|basic|token|digest|negotiate)\s{1,3})?[^\s&;,\"'<>)}\]]++",
    re.IGNORECASE,
)


HARMLESS = 12
"""Letters and digits of no more than this are nothing that a pattern of ours finds."""


def _names_a_scheme(lowered: str) -> bool:
    # Written out: this is asked of every text, and a loop costs three times as much.
    return (
        "bearer" in lowered
        or "basic" in lowered
        or "token" in lowered
        or "digest" in lowered
        or "negotiate" in lowered
    )


def passes_luhn(digits: str) -> bool:
    """Say whether the check digit of a card number is right (ISO/IEC 7812-1, annex B)."""
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    total = sum(map(int, digits[-1::-2])) + sum(two - 9 if two > 9 else two for two in doubled)  # noqa: PLR2004 (the sum of two digits)
    return total % 10 == 0


def _is_card(text: str) -> bool:
    return passes_luhn(text.replace(" ", "").replace("-", ""))


@dataclass(frozen=True, slots=True)
class Redactor:
    """Masks by name and by pattern, and remembers in `found` what it masked by name."""

    names: SecretNames
    patterns: tuple[re.Pattern[str], ...] = ()
    harmless: set[str] = field(default_factory=set)
    found: set[str] = field(default_factory=set)

    def text(self, text: str, *, mask: str = MASK, named: bool = True) -> str:
        """Return `text` with every secret in it masked: by shape and, if `named`, by name."""
        if len(text) <= HARMLESS and text.isalnum() and not self.patterns:
            return text
        if "eyJ" in text:
            text = _JWT.sub(mask, text)
        if "-----BEGIN" in text:
            text = _PEM.sub(mask, text)
        if "AKIA" in text or "ASIA" in text:
            text = _AWS.sub(mask, text)
        lowered = text.lower()
        if _names_a_scheme(lowered):
            text = _SCHEME.sub(lambda m: f"{m[1] or m[2]}{mask}", text)
        if "://" in text and "@" in text:
            text = _USERINFO.sub(lambda m: f"{m[1]}{mask}", text)
        if "cookie" in lowered:
            text = _COOKIES.sub(lambda m: f"{m[1]}{mask}", text)
        if named and ("=" in text or ":" in text):
            text = self._assignments(text, mask)
        if _DIGITS.search(text):
            text = _CARD.sub(lambda m: mask if _is_card(m[0]) else m[0], text)
        for pattern in self.patterns:
            text = pattern.sub(mask, text)
        return text

    def common_text(self, text: str) -> str:
        """Return the same of a text that many requests share, such as the name of a browser.

        Only texts without a secret are remembered, and only so many, since clients write them.
        """
        if text in self.harmless:
            return text
        if (masked := self.text(text)) == text and len(text) <= MAX_REMEMBERED:
            if len(self.harmless) >= REMEMBERED:
                self.harmless.clear()
            self.harmless.add(text)
        return masked

    def query(self, query: str) -> str:
        """Return a query string that keeps its keys and lost its secret values."""
        pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
        masked = [(self.text(name), self._parameter(name, value)) for name, value in pairs]
        return query if masked == pairs else urlencode(masked, errors="replace")

    def url(self, url: str) -> str:
        """Return a URL whose query and other parts are masked."""
        if "?" not in url:
            return self.text(url)
        start, sign, query = url.partition("?")
        query, hash_sign, fragment = query.partition("#")
        return f"{self.text(start)}{sign}{self.query(query)}{hash_sign}{self.text(fragment)}"

    def value(self, value: Any) -> Any:
        """Return JSON-ready data with every secret in it masked; cleaned and bounded too."""
        return Walk(text=self.text, is_secret=self.names.__contains__, hide=self.hide)(value)

    def hide(self, value: Any) -> str:
        """Mask a value, and remember it if it is long enough to be recognised elsewhere."""
        if isinstance(value, str):
            if (
                MIN_SECRET <= len(value) <= MAX_TEXT
                and value != MASK
                and len(self.found) < MAX_SECRETS
            ):
                self.found.add(value)
        elif isinstance(value, (list, tuple)):
            for item in value[:MAX_SECRETS]:
                self.hide(item)
        return MASK

    def _parameter(self, name: str, value: str) -> str:
        if value and name in self.names:
            self.hide(value)
            return URL_MASK
        return self.text(value, mask=URL_MASK)

    def _assignments(self, text: str, mask: str) -> str:
        """Mask the value of each `name=value`, `name: value` and `"name": "value"` in a text."""
        parts, done = [], 0
        for sign in _NAME_AND_SIGN.finditer(text):
            if sign.start() < done or sign[1] not in self.names:
                continue
            if (value := _VALUE.match(text, sign.end())) is None or value[0] in (MASK, mask):
                continue
            quote = value[0][0] if value[0][0] in "\"'" else ""
            self.hide(value[0].strip("\"'"))
            parts += [text[done : sign.end()], quote, mask, quote]
            done = value.end()
        return "".join([*parts, text[done:]])


@per_settings
def _rules() -> tuple[SecretNames, tuple[re.Pattern[str], ...], set[str]]:
    settings = get_settings()
    patterns = tuple(re.compile(pattern) for pattern in settings.REDACT_PATTERNS)
    return SecretNames(settings.REDACT_KEYS), patterns, set()


def redactor(found: set[str] | None = None) -> Redactor:
    """Return a redactor by the project's settings; what it masks by name is added to `found`."""
    return Redactor(*_rules(), set() if found is None else found)


def without(secrets: Iterable[str], value: Any) -> Any:
    """Return a text, or JSON-ready data, in which none of `secrets` occurs any more."""
    longest_first = sorted(secrets, key=len, reverse=True)

    def replace(text: str) -> str:
        for secret in longest_first:
            text = text.replace(secret, MASK)
        return text

    return replace(value) if isinstance(value, str) else Walk(text=replace)(value)


# --- cleaning and bounding -------------------------------------------------------------------

# Control characters but tab and line feed; bidirectional controls, which reorder what is read
# (Unicode Standard Annex 9); line and paragraph separators; lone surrogates, which nothing
# encodes.
_UNCLEAN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_UNCLEAN_IN_LINE = re.compile("[\t\n]|" + _UNCLEAN.pattern)
REPLACEMENT = "\ufffd"


def clean_text(text: str) -> str:
    """Replace what cannot be stored and what forges or reorders lines; keep tabs and line feeds."""
    if text.isprintable():
        return text
    return _UNCLEAN.sub(REPLACEMENT, text.replace("\r\n", "\n"))


def clean_line(text: str, length: int) -> str:
    """Clean a text that stands on one line, and cut it to `length` characters, visibly."""
    if len(text) > length:
        text = text[: length - 1] + "…"
    return text if text.isprintable() else _UNCLEAN_IN_LINE.sub(REPLACEMENT, text)


def clean_lines(text: str, length: int) -> str:
    """Clean a text of several lines, and cut it to `length` characters, visibly."""
    return clean_text(cut(text, length))


def cut(text: str, length: int) -> str:
    """Cut a text to about `length` characters and say how many are missing."""
    # What was cut before has a marker, which must not be cut off and counted itself.
    if len(text) <= length + MARKER:
        return text
    return f"{text[:length]}… [{len(text) - length} more]"


MARKER = 32
"""Characters that "… [123 more]" may take."""
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_LONG_NUMBER = re.compile(r"\d{18}")
_MORE = re.compile(r"\[\d{1,20} more\]")


@dataclass(slots=True)
class Walk:
    """One pass over any data that makes JSON-ready data of it, within bounds of size and depth."""

    text: Callable[[str], str] = clean_text
    is_secret: Callable[[str], bool] | None = None
    hide: Callable[[Any], Any] | None = None
    nodes: int = MAX_NODES
    characters: int = MAX_TOTAL

    def __call__(self, value: Any, depth: int = 0) -> Any:
        """Return a JSON-ready copy of `value`."""
        if isinstance(value, str):
            return self._string(value)
        if value is None or value is True or value is False:
            return value
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if depth >= MAX_DEPTH:
            return "[too deep]"
        if isinstance(value, Mapping):
            return self._mapping(value, depth + 1)
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._items(value, depth + 1)
        return self._other(value)

    def _string(self, value: str) -> str:
        if self.characters <= 0:
            return "[too much]"
        text = cut(str(value), min(MAX_TEXT, self.characters))
        self.characters -= len(text)
        return self.text(clean_text(text))

    def _integer(self, value: int) -> Any:
        if -MAX_INT <= value < MAX_INT:
            return self._number(value) if value > 10**12 else int(value)
        # Not the digits: beyond 4,300 of them Python itself refuses to write them.
        return f"[integer of {value.bit_length()} bits]"

    def _number(self, value: int) -> Any:
        # A card number may come without quotes.
        masked = self.text(str(value))
        return value if masked == str(value) else masked

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in value.items():
            if not self._take():
                result["…"] = _more(len(value) - len(result), item)
                break
            name = key if type(key) is str else text_of(key)
            secret = self.is_secret is not None and self.is_secret(name) and not is_empty(item)
            result[self._name(name)] = (
                self.hide(item) if secret and self.hide else self(item, depth)
            )
        return self._pair(result, value)

    def _name(self, name: str) -> str:
        if len(name) <= HARMLESS and name.isidentifier():
            return name
        return self.text(clean_line(name, MAX_NAME))

    def _pair(self, result: dict[str, Any], value: Mapping[Any, Any]) -> dict[str, Any]:
        # {"name": "password", "value": "..."}, as in lists of headers, fields and settings.
        if self.is_secret and self.hide and "value" in result:
            for naming in ("name", "key"):
                if isinstance(name := value.get(naming), str) and self.is_secret(name):
                    result["value"] = self.hide(value.get("value"))
        return result

    def _items(self, value: Any, depth: int) -> list[Any]:
        result: list[Any] = []
        for item in value:
            if not self._take():
                result.append(_more(len(value) - len(result), item))
                break
            result.append(self(item, depth))
        return result

    def _other(self, value: Any) -> Any:
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"[{len(value)} bytes]"
        if isinstance(value, UploadedFile):
            return describe_file(value)
        if isinstance(value, (date, time)):
            return value.isoformat()
        if isinstance(value, QuerySet):
            # Its text would be a query.
            return f"[QuerySet of {value.model._meta.label}]"
        return self._string(text_of(value))

    def _take(self) -> bool:
        self.nodes -= 1
        return self.nodes >= 0


def _more(missing: int, last: object) -> str:
    """Say how many items are missing, or let an earlier pass say it."""
    if missing == 1 and isinstance(last, str) and _MORE.fullmatch(last):
        return last
    return f"[{missing} more]"


def is_plain(value: Any) -> bool:
    """Say of small data that a `Walk` would return it as it is; quicker than the walk.

    False may mean that nobody looked closely.
    """
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return (
        len(text) <= MAX_NODES
        and text.isprintable()
        # What is not printable is written with one, as are quotes and line feeds, which may stay.
        and "\\" not in text
        and text.count("{") + text.count("[") <= MAX_DEPTH
        and not _LONG_NUMBER.search(text)
    )


def is_empty(value: object) -> bool:
    """Say whether there is nothing to hide in a value."""
    return value is None or (isinstance(value, str) and not value)


def describe_file(file: UploadedFile[bytes]) -> dict[str, Any]:
    """Describe an uploaded file by what the client said of it and by its size in bytes."""
    return {"name": file.name, "size": file.size, "type": file.content_type}


def keyed_hash(value: str, purpose: str) -> str:
    """Return 32 hex digits that only this project can make of `value`, for one purpose."""
    return hmac.digest(_key(purpose), value.encode(errors="replace"), "sha256").hex()[:32]


def _key(purpose: str) -> bytes:
    keys = _keys()
    if purpose not in keys:
        keys[purpose] = salted_hmac("trackmate", purpose, algorithm="sha256").digest()
    return keys[purpose]


@per_settings
def _keys() -> dict[str, bytes]:
    # Made of SECRET_KEY, which is a setting.
    return {}
