"""The forms of secrets in a text: tokens, keys, signatures, credentials, numbers of cards.

Possessive quantifiers, look-behinds and bounds keep each pattern linear in the length of the text.
Most texts hold nothing of the kind, so what is cheap to look for is looked for first.
"""

from __future__ import annotations

import re

SHORT = 12
"""Characters of a text that is too short for most patterns."""

_CREDENTIAL = r"[\w.~+/=-]"
_SCHEME = re.compile(
    rf"(?<!\w)(bearer\s{{1,3}}){_CREDENTIAL}{{6,}}+"
    rf"|(?<!\w)((?:basic|token|digest|negotiate)\s{{1,3}})(?={_CREDENTIAL}{{0,64}}?[\d=]){_CREDENTIAL}{{8,}}+",
    re.IGNORECASE,
)
_COOKIES = re.compile(r"(?<![\w-])((?:set-)?cookie\s{0,3}:\s{0,3})[^\r\n]++", re.IGNORECASE)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{4,}+\.[\w-]{2,}+(?:\.[\w-]*+)*")
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{1,40}-----.*?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)", re.DOTALL
)
# A port is no password. The last "@" is the one before the host, whatever a password is made of.
_USERINFO = re.compile(
    r"(://[^\s/@:?#]{0,256}+:)(?!\d{1,5}(?:[^\w@]|\Z))[^\r\n\"'<>]{1,256}(?=@[\w\[])"
)
_OTPAUTH = re.compile(r"(otpauth(?:-migration)?:)[^\s\"'<>]++", re.IGNORECASE)
# What AWS, GitHub, GitLab, Slack, Stripe, OpenAI, SendGrid, PyPI, npm, Google and Shopify begin
# their keys with.
_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"
    r"|(?:gh[opsur]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|[rs]k_(?:live|test)_|whsec_|sk-|SG\."
    r"|pypi-|npm_|hf_|AIza|ya29\.|shp(?:at|ca|pa|ss)_)(?=[\w.-]{0,64}?\d)[\w.-]{16,}+)"
)
# PasswordResetTokenGenerator of Django: a time in base 36 and every second digit of a hash.
_RESET_TOKEN = re.compile(
    r"(?<![0-9A-Za-z_])[0-9a-z]{6}-(?:[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{20})(?![\w-])(?!\.[a-z])"
)
# django.core.signing: a value, perhaps a time in base 62, and a hash in base 64.
_SIGNED = re.compile(
    r"(?<![\w.+@-])[\w.+@-]{0,4096}+:(?:[0-9A-Za-z]{6}:)?"
    r"(?=[a-z_-]{0,42}[0-9A-Z])(?:[\w-]{43}|[\w-]{27})(?![\w-])"
)
# itsdangerous: the same with points.
_SIGNED_BY_POINTS = re.compile(
    r"(?<![\w.+@-])[\w+@-]{2,4096}+\.[\w-]{6}\."
    r"(?=[a-z_-]{0,42}[0-9A-Z])(?:[\w-]{43}|[\w-]{27})(?![\w.-])"
)
_TICKET = re.compile(r"(?<![\w-])(?:ST|PT|PGT|PGTIOU|TGT|TGC)-\d{1,9}-[\w.-]{8,}+")
_ONE_TIME_CODE = re.compile(
    r"(?<![^\W_])((?:(?:otp|totp|mfa|2fa|two[ -]?factor|passcode|one[ -]?time)(?:[ -]\w{2,10})?"
    r"|(?:access|authentication|backup|confirmation|login|recovery|reset|security|sign-?in"
    r"|verification|your|the) (?:code|passcode|pin|password|token))"
    r"(?:\s{1,3}is)?\s{0,3}[:=#]?\s{0,3}[\"']?)(?:\d{3}[ -]\d{3}|\d{4,8})(?![^\W_]|[-./:]\d)",
    re.IGNORECASE,
)
# What databases say of the values that they refuse.
_DATABASE = re.compile(
    r"(failing row contains \(|\bkey \([^\r\n]{1,500}?\)=\(|\bline \d{1,6}: |\[parameters: )"
    r"[^\r\n]++"
    r"|(duplicate entry ')[^\r\n]*(?=' for key)",
    re.IGNORECASE,
)

_DIGITS = re.compile(r"\d{4}(?:\D{0,3}\d){9}")
_SEPARATORS = "[ \u00a0\u2000-\u200a\u2010-\u2015\u202f\u2212\u00b7._/*|\\\\-]{1,3}"
# In fours, as American Express (4-6-5) or Diners Club (4-6-4) with any separator, or in any groups
# with blanks and dashes. Not within a UUID or another hexadecimal token: one in a thousand of those
# passes for a card.
_CARD = re.compile(
    rf"(?<![^\W_])(?<!\d\.)(?<![\da-f]{{4}}-)"
    rf"(?:\d{{4}}({_SEPARATORS})\d{{4}}\1\d{{4}}\1\d{{1,4}}(?:\1\d{{1,3}})?"
    rf"|\d{{4}}({_SEPARATORS})\d{{6}}\2\d{{4,5}}"
    rf"|\d(?:[ -]?\d){{12,18}})"
    rf"(?![^\W_])(?!-[\da-f]{{4}})",
    re.IGNORECASE,
)
# In a path, digits and dashes are dates, telephone numbers and keys of several parts.
_CARD_IN_PATH = re.compile(r"(?<![^/=])(?:\d{13,19}|\d{4}( )\d{4}\1\d{4}\1\d{1,7})(?![^/&;])")
# Visa, Mastercard, American Express, Diners Club, JCB, Mir, Discover, UnionPay, Maestro, RuPay.
_ISSUER = re.compile(
    r"4|5[0-8]|2(?:20[0-4]|22[1-9]|2[3-9]|[3-6]|7[01]|720)|3(?:[4-9]|0[0-5])|6[0-7]"
)

NAME_AND_SIGN = re.compile(
    r"(?<![\w.-])(?:--?)?([^\W\d_][\w.-]{1,63}+(?:\[[^\]\s]{0,64}\]){0,4})\\{0,3}['\"]?(\s{0,3}(?:=>|[=:])\s{0,3})"
)
"""A name and what is between it and its value: `name=`, `name: ` or `"name": `."""
VALUE = re.compile(
    r"\[redacted\]|\\{0,3}\"(?:[^\"\\]|\\.)*+\"?|\\{0,3}'(?:[^'\\]|\\.)*+'?"
    r"|(?:(?:bearer|basic|token|digest|negotiate)\s{1,3})?[^\s&;,\"'<>)}\]]++",
    re.IGNORECASE,
)
"""What comes after it."""
WORDS = re.compile(r"[^\r\n,;&\"'<>{}\])]++")
"""What comes after "password: ": people have passwords of several words."""
OPTION = re.compile(r"(?<![\w-])--?([a-z][\w-]{1,63}+)[ =]{1,3}(?=[^\s-])", re.IGNORECASE)
"""An option of a command, which has its value behind a blank."""
ELEMENT = re.compile(
    r"<(?:[\w-]{1,32}:)?([^\W\d_][\w.-]{1,63})(?:\s[^<>]{0,200})?>(?:<!\[CDATA\[)?([^<]{1,2000}+)"
)
"""An XML element and its text."""


def is_harmless(text: str) -> bool:
    """Return True if no pattern can find anything in a short text."""
    # Written out: this is asked of every text.
    return (
        len(text) <= SHORT
        and "=" not in text
        and ":" not in text
        and "/" not in text
        and "%" not in text
        and "<" not in text
        and "--" not in text
        and "eyJ" not in text
        # "OTP 4829"
        and not (text[-1:].isdigit() and text[:1].isalpha())
    )


def mask_forms(text: str, mask: str) -> str:  # noqa: PLR0912 (a list of cases)
    """Return `text` without tokens, keys, signatures and credentials that have a known form."""
    lowered = text.lower()
    if _names_a_scheme(lowered):
        text = _SCHEME.sub(lambda found: f"{found[1] or found[2]}{mask}", text)
    if "cookie" in lowered:
        text = _COOKIES.sub(rf"\1{mask}", text)
    if "://" in text and "@" in text:
        text = _USERINFO.sub(rf"\1{mask}", text)
    if "otpauth:" in lowered or "otpauth-" in lowered:
        text = _OTPAUTH.sub(rf"\1{mask}", text)
    if "-----BEGIN" in text:
        text = _PEM.sub(mask, text)
    if "eyJ" in text:
        text = _JWT.sub(mask, text)
    if _TOKEN.search(text):
        text = _PREFIXED.sub(mask, text)
        if ":" in text:
            text = _SIGNED.sub(mask, text)
        if "." in text:
            text = _SIGNED_BY_POINTS.sub(mask, text)
        if "-" in text:
            text = _TICKET.sub(mask, _RESET_TOKEN.sub(mask, text))
    elif "T-" in text or "U-" in text or "C-" in text:
        text = _TICKET.sub(mask, text)
    if _quotes_a_database(lowered):
        text = _DATABASE.sub(lambda found: f"{found[1] or found[2]}{mask}", text)
    if _names_a_code(lowered):
        text = _ONE_TIME_CODE.sub(rf"\1{mask}", text)
    return text


_TOKEN = re.compile(r"[A-Za-z0-9_.-]{20}")
"""What all keys and signatures have."""


def mask_cards(text: str, mask: str, *, is_path: bool = False) -> str:
    """Return `text` without numbers of payment cards."""
    if not _DIGITS.search(text):
        return text
    pattern = _CARD_IN_PATH if is_path else _CARD
    return pattern.sub(lambda found: mask if _is_card(found[0]) else found[0], text)


def passes_luhn(digits: str) -> bool:
    """Return True if the check digit of a card number is right (ISO/IEC 7812-1, annex B)."""
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    total = sum(map(int, digits[-1::-2])) + sum(two - 9 if two > 9 else two for two in doubled)  # noqa: PLR2004 (the sum of two digits)
    return total % 10 == 0


def _is_card(text: str) -> bool:
    digits = "".join(filter(str.isdigit, text))
    return (
        13 <= len(digits) <= 19  # noqa: PLR2004 (ISO/IEC 7812-1)
        and _ISSUER.match(digits) is not None
        and passes_luhn(digits)
    )


def _names_a_scheme(lowered: str) -> bool:
    # Written out: this is asked of every text, and a loop costs three times as much.
    return (
        "bearer" in lowered
        or "basic" in lowered
        or "token" in lowered
        or "digest" in lowered
        or "negotiate" in lowered
    )


def _quotes_a_database(lowered: str) -> bool:
    return (
        "row contains (" in lowered
        or ")=(" in lowered
        or "duplicate entry '" in lowered
        or "parameters: " in lowered
        or "line " in lowered
    )


def _names_a_code(lowered: str) -> bool:
    return (
        " code" in lowered
        or "otp" in lowered
        or "pass" in lowered
        or " pin" in lowered
        or "2fa" in lowered
        or "mfa" in lowered
        or "factor" in lowered
        or "time" in lowered
    )
