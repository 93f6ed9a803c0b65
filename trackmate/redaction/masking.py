"""The redactor: it masks by name and by pattern, and remembers what it masked by name."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from trackmate.conf import get_settings, per_settings
from trackmate.redaction.names import SecretNames
from trackmate.redaction.patterns import (
    NAME_AND_SIGN,
    VALUE,
    is_harmless,
    mask_cards,
    mask_credentials,
)
from trackmate.redaction.values import MAX_TEXT, Walk

MASK = "[redacted]"
URL_MASK = "REDACTED"

MIN_SECRET = 8
"""A shorter value is too common to be masked wherever it occurs."""
MAX_SECRETS = 20
"""Values remembered from one request."""


class Harmless(set[Hashable]):
    """Things that were looked at and hold no secret, so that nobody has to look again.

    Only so many and none that is long, since clients write them.
    """

    MOST = 1_000
    LONGEST = 512

    def note(self, text: str, *context: Hashable) -> None:
        """Remember a text, or with what else decides about it, `(text, *context)`."""
        if len(text) > self.LONGEST:
            return
        if len(self) >= self.MOST:
            self.clear()
        self.add((text, *context) if context else text)


@dataclass(frozen=True, slots=True)
class Redactor:
    """Masks by name and by pattern, and remembers in `found` what it masked by name."""

    names: SecretNames
    patterns: tuple[re.Pattern[str], ...] = ()
    harmless: Harmless = field(default_factory=Harmless)
    found: set[str] = field(default_factory=set)

    def text(self, text: str, *, mask: str = MASK, named: bool = True) -> str:
        """Return `text` with every secret in it masked: by shape and, if `named`, by name."""
        if is_harmless(text) and not self.patterns:
            return text
        text = mask_credentials(text, mask)
        if named and ("=" in text or ":" in text):
            text = self._assignments(text, mask)
        text = mask_cards(text, mask)
        for pattern in self.patterns:
            text = pattern.sub(mask, text)
        return text

    def common_text(self, text: str) -> str:
        """Return the same of a text that many requests share, such as the name of a browser."""
        if text in self.harmless:
            return text
        if (masked := self.text(text)) == text:
            self.harmless.note(text)
        return masked

    def query(self, query: str) -> str:
        """Return a query string that keeps its keys and lost its secret values."""
        if (query, "query") in self.harmless:
            return query
        pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
        masked = [(self.text(name), self._parameter(name, value)) for name, value in pairs]
        if masked != pairs:
            return urlencode(masked, errors="replace")
        self.harmless.note(query, "query")
        return query

    def url(self, url: str) -> str:
        """Return a URL whose query and other parts are masked."""
        if "?" not in url:
            return self.common_text(url)
        start, sign, query = url.partition("?")
        query, hash_sign, fragment = query.partition("#")
        return f"{self.common_text(start)}{sign}{self.query(query)}{hash_sign}{self.text(fragment)}"

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
        for sign in NAME_AND_SIGN.finditer(text):
            if sign.start() < done or sign[1] not in self.names:
                continue
            if (value := VALUE.match(text, sign.end())) is None or value[0] in (MASK, mask):
                continue
            quote = value[0][0] if value[0][0] in "\"'" else ""
            self.hide(value[0].strip("\"'"))
            parts += [text[done : sign.end()], quote, mask, quote]
            done = value.end()
        return "".join([*parts, text[done:]])


@per_settings
def _rules() -> tuple[SecretNames, tuple[re.Pattern[str], ...], Harmless]:
    settings = get_settings()
    patterns = tuple(re.compile(pattern) for pattern in settings.REDACT_PATTERNS)
    return SecretNames(settings.REDACT_KEYS), patterns, Harmless()


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
