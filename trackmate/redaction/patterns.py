"""The shapes of secrets: tokens, keys, credentials in a text, numbers of cards.

Possessive quantifiers and look-behinds keep each pattern linear in the length of the text. Most
texts hold nothing of the kind, so what is cheap to look for is looked for first.
"""

from __future__ import annotations

import re

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
NAME_AND_SIGN = re.compile(
    r"(?<![\w.-])([\w.-]{2,64}+(?:\[[^\]\s]{0,64}\])?)['\"]?\s{0,3}[=:]\s{0,3}", re.IGNORECASE
)
"""A name and what stands between it and its value: `name=`, `name: ` or `"name": `."""
VALUE = re.compile(
    r"\[redacted\]|\"[^\"]*+\"|'[^']*+'"
    r"|(?:(?:bearer|basic|token|digest|negotiate)\s{1,3})?[^\s&;,\"'<>)}\]]++",
    re.IGNORECASE,
)
"""What stands behind it."""


SHORT = 12
"""Characters of a text that is too short for most patterns."""


def is_harmless(text: str) -> bool:
    """Say at a glance of a short text that no pattern finds anything in it."""
    return len(text) <= SHORT and "=" not in text and ":" not in text and "eyJ" not in text


def mask_credentials(text: str, mask: str) -> str:
    """Return `text` without the tokens, keys, passwords and cookies that show by their shape."""
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
    return text


def mask_cards(text: str, mask: str) -> str:
    """Return `text` without numbers of payment cards."""
    if _DIGITS.search(text):
        text = _CARD.sub(lambda m: mask if _is_card(m[0]) else m[0], text)
    return text


def passes_luhn(digits: str) -> bool:
    """Say whether the check digit of a card number is right (ISO/IEC 7812-1, annex B)."""
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    total = sum(map(int, digits[-1::-2])) + sum(two - 9 if two > 9 else two for two in doubled)  # noqa: PLR2004 (the sum of two digits)
    return total % 10 == 0


def _is_card(text: str) -> bool:
    return passes_luhn(text.replace(" ", "").replace("-", ""))


def _names_a_scheme(lowered: str) -> bool:
    # Written out: this is asked of every text, and a loop costs three times as much.
    return (
        "bearer" in lowered
        or "basic" in lowered
        or "token" in lowered
        or "digest" in lowered
        or "negotiate" in lowered
    )
