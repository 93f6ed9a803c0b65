"""Known formats of secrets in texts: tokens, keys, signatures, credentials, card numbers.

Possessive quantifiers, look-behinds and bounds keep each pattern linear in the length of the text.
Cheap checks come first, since most texts contain no secrets.
"""

from __future__ import annotations

import re
from binascii import a2b_base64

from trackmate.redaction.detection.randomness import looks_random

SHORT = 12
"""Maximum length of texts that are too short for most patterns."""
LINE = 80
MIN_RANDOM = 10
"""Minimum length of a random credential after its scheme or prefix."""
LONGEST_WORD = 24

_CREDENTIAL = r"[\w.~+/=-]"
_SCHEME = re.compile(
    rf"(?<!\w)(basic|bearer|digest|negotiate|token)(\s{{1,3}})({_CREDENTIAL}{{6,}}+)", re.IGNORECASE
)
_COOKIES = re.compile(
    r"(?<![\w-])((?:set-)?cookie\s{0,3}:\s{0,3})(?=[^\r\n=]{1,200}=)[^\r\n]++", re.IGNORECASE
)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{4,}+\.[\w-]{2,}+(?:\.[\w-]*+)*")
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{1,40}-----.*?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)", re.DOTALL
)
# A port is no password. The last "@" precedes the host.
_USERINFO = re.compile(
    r"(://[^\s/:?#]{0,256}+:)(?!\s|\d{1,5}(?:[^\w@]|\Z))[^\r\n\"'<>]{1,256}(?=@[\w\[])"
)
# A token as the user: GitHub, Stripe, Sentry.
_USER = re.compile(r"(://)([^\s/@:?#]{1,256}+)(?=(:(?:x-oauth-basic)?)?@[\w\[])")
# curl -u bob:... Numbers are ids of users and groups in other commands.
_USER_OPTION = re.compile(
    r"(?<![\w-])((?:-u\s?|--(?:(?:proxy-)?user|auth)[= ])[\"']?[^\s:\"'/=]{1,64}+:)"
    r"(?!\d+(?:\s|\Z))[^\s\"']++"
)
_OTPAUTH = re.compile(r"(otpauth(?:-migration)?:)[^\s\"'<>]++", re.IGNORECASE)
_AWS = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")
# The prefixes of GitHub, GitLab, Slack, Stripe, OpenAI, SendGrid, PyPI, npm, Hugging Face, Google,
# Shopify, Vault, DigitalOcean, Atlassian, Linear, Square, Databricks and PlanetScale.
_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:gh[opsur]_|github_pat_|gl(?:pat|dt|rt)-|xox[abeoprs][-.]|xapp-"
    r"|[rs]k_(?:live|test)_|whsec_|sk-|SG\.|pypi-|npm_|hf_|AIza|ya29\.|GOCSPX-|1//0"
    r"|shp(?:at|ca|pa|ss)_|hv[sb]\.|do[opr]_v1_|ATATT3|lin_api_|sq0[a-z]{3}-|dapi|pscale_[a-z]{3}_)"
    r"(?=[\w.-]{0,64}?\d)[\w.-]{16,}+"
)
_HOOK = re.compile(
    r"(hooks\.slack\.com/services/|discord(?:app)?\.com/api/webhooks/\d{1,20}/|"
    r"api\.telegram\.org/bot)[\w/:-]{20,}+"
)
# Django's hashers, crypt(3) and PHC strings.
_PASSWORD_HASH = re.compile(
    r"(?<![\w$])(?:(?:argon2|bcrypt(?:_sha256)?|md5|pbkdf2_sha\d{1,3}|scrypt|sha1|unsalted_\w{3,4})"
    r"\$[\w$./+=,-]{16,}+|\$(?:2[abxy]?|argon2\w{0,2}|apr1|[1567y])\$[\w$./+=,-]{8,}+)"
)
_DJANGO_KEY = re.compile(r"django-insecure-[^\s\"']{20,}+")
# Django's PasswordResetTokenGenerator: a time in base 36 and half of a hash.
_RESET_TOKEN = re.compile(
    r"(?<![0-9A-Za-z_])[0-9a-z]{6}-(?:[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{20})(?![\w-])(?!\.[a-z])"
)
# django.core.signing: a value, perhaps a time in base 62, and a hash (SHA-1, SHA-256 or SHA-512) in
# base 64, with any usual separator.
_SIGNED = re.compile(
    r"(?<![\w.+@-])[\w.+@-]{0,4096}+([:|~])(?:[0-9A-Za-z]{6}\1)?"
    r"(?=[a-z_-]{0,85}[0-9A-Z])([\w-]{86}|[\w-]{43}|[\w-]{27})(?![\w-])"
)
# itsdangerous: the same with dots.
_SIGNED_BY_POINTS = re.compile(
    r"(?<![\w.+@-])[\w+@-]{2,4096}+\.[\w-]{6}\."
    r"(?=[a-z_-]{0,42}[0-9A-Z])(?:[\w-]{43}|[\w-]{27})(?![\w.-])"
)
_TICKET = re.compile(r"(?<![\w-])(?:ST|PT|PGT|PGTIOU|TGT|TGC)-\d{1,9}-([\w.-]{8,}+)")

_DIGITS_OF_CODE = r"(?:\d{3}[ -]\d{3}|\d{4,8})"
_CODE = (
    rf"(?:{_DIGITS_OF_CODE}|[A-Z0-9]{{3,5}}-[A-Z0-9]{{3,5}}"
    r"|(?=[A-Z]{1,7}\d|\d{1,7}[A-Z])[A-Z0-9]{5,8})(?![^\W_]|[-./:]\d)"
)
_COUNTED = r"(?!\s(?:bytes|edition|items|lines|more|of|policy|series|times|usd|usdt|users)\b)"
_YEAR = r"(?!(?:19|20)\d\d(?:\W|\Z))"
_NOUN = (
    r"(?:[a-zäöü]{0,24}(?:code|kennwort|passwor[dt])|c[oó]digo|codice|passcode|pass|pin|tan|token)"
    r"(?:\sd[ei]\s[^\W\d_]{1,20})?"
)
_OTP = r"(?:otp|totp|mfa|2fa|two[ -]?factor|passcode)(?:[ -](?:code|pin|token))?"
_QUALIFIED = (
    r"(?:one[ -]?time|access|authentication|backup|confirmation|login|recovery|reset|security"
    rf"|sign-?in|verification)[ -]{_NOUN}"
    r"|(?:aktivierungs|anmelde|best(?:ä|ae)tigungs|einmal|freischalt|sicherheits|zugangs)"
    r"(?:code|kennwort|passwort)"
)
_WHOSE = (
    r"(?:your|the|ihre?|deine?|votre|ton|le|su|tuo?|seu|uw)(?:\s[^\W\d_]{1,20}(?:-time)?){0,2}\s"
)
_IS = r"(?:is|was|lautet|ist|est|es|è|é)"
_FOR = r"(?:\s(?:for|für|pour|para)\s\S{1,40})?"
_UP_TO = rf"\s(?:is|as|ist|lautet|est|es)\s{_WHOSE}{_NOUN}\b"
_ONE_TIME_CODE = re.compile(
    # "OTP 482913", "2FA code for bob: ...", "one-time password ..."
    rf"(?<![^\W_])((?:{_OTP}|{_QUALIFIED}){_FOR}(?:\s{_IS})?\s{{0,3}}[:=#(]?\s{{0,3}}[\"']?)"
    rf"{_YEAR}(?-i:{_CODE}){_COUNTED}"
    # "Your login code is 482913", "Ihr Code lautet ..."
    rf"|(?<![^\W_])({_WHOSE}{_NOUN}{_FOR}"
    rf"(?:\s{_IS}\s{{0,3}}:?|\s{{0,3}}[:=#(])\s{{0,3}}[\"']?)(?-i:{_CODE}){_COUNTED}"
    # "482913 is your code", "Use 482913 to sign in"
    rf"|(?<![\w.-])((?:use|enter)\s(?:code\s)?|[A-Z]-)?{_DIGITS_OF_CODE}"
    rf"(?={_UP_TO}|\sto\s(?:complete|confirm|continue|log|reset|sign|verify)\b)"
    # "PIN 1234"
    r"|(?<![^\W_])((?:pin|cv[cv]2?|m?tan)\s(?:is\s)?)\d{3,8}(?![^\W_]|[-./:]\d)",
    re.IGNORECASE,
)
_THREE_DIGITS = re.compile(r"\d{3}|[A-Z\d]{3}-[A-Z\d]{3}|[A-Z\d]{5}")
"""Part of every one-time code."""
# Values in messages of databases, in several languages.
_DATABASE = re.compile(
    r"((?:row contains|zeile enthält|échec contient|falla contiene|contém|contiene) \()"
    r"(?:[^\r\n]|\r?\n(?!(?-i:CONTEXT|DETAIL|HINT|LINE|STATEMENT)\b))++"
    r"|(\)[»\"]?=\(|(?-i:^LINE \d{1,6}: |\bSTATEMENT:\s{1,3}|\[SQL: "
    r"|\bCOPY [^\r\n:]{1,200}: (?=[\"']))|\[parameters: (?=[\[({])"
    r"|\bparameter \$\d{1,5} = ')[^\r\n]++"
    r"|((?:input (?:syntax|value)|eingabesyntax|eingabewert|syntaxe en entrée|valeur en entrée"
    r"|sintaxis de entrada|valor de entrada)[^\r\n\"»«“„']{1,80}[\"»«“„'])[^\r\n]++"
    r"|(duplicate entry ')[^\r\n]{0,1000}(?=' for key)|(duplicate key value is \()[^\r\n]++"
    r"|(\bvalue ')[^\r\n]{0,1000}(?=' to data type)"
    r"|(incorrect [\w ]{1,30} value: ')[^\r\n]{0,1000}(?=' for column)"
    r"|(\bvalue \")[^\r\n]{0,1000}(?=\" is out of range)",
    re.MULTILINE | re.IGNORECASE,
)

_DIGITS = re.compile(r"\d{4}(?:\D{0,3}\d){9}")
_SEPARATORS = (
    "[ \t\r\n\u3000\u200b\u00a0\u2000-\u200a\u2010-\u2015\u202f\u2212\u00b7._/*|'’~+=#\\\\-]{1,3}"  # noqa: RUF001
)
# In fours, as American Express (4-6-5) or Diners Club (4-6-4) with any separator, or in any groups
# with blanks and dashes. Not within a UUID or another hexadecimal token: one in a thousand of those
# passes for a card.
_CARD = re.compile(
    rf"(?<![^\W_])(?<!\d\.)(?<![\da-f]{{4}}-)"
    rf"(?:\d{{4}}({_SEPARATORS})\d{{4}}\1\d{{4}}\1\d{{1,4}}(?:\1\d{{1,3}})?"
    rf"|\d{{4}}({_SEPARATORS})\d{{6}}\2\d{{4,5}}"
    # More groups are a list of numbers.
    r"|(?<!\d[:;])(?<!\d[:;] )\d{4}([:;] ?)\d{4}\3\d{4}\3\d{4}(?![:;] ?\d)"
    rf"|\d(?:[ -]?\d){{12,18}})"
    rf"(?![^\W_])(?!-[\da-f]{{4}})",
    re.IGNORECASE,
)
# In paths, digits with dashes are dates, phone numbers or composite keys.
_CARD_IN_PATH = re.compile(r"(?<![^/=])(?:\d{13,19}|\d{4}( )\d{4}\1\d{4}\1\d{1,7})(?![^/&;])")
_ISSUERS = (
    (re.compile(r"4"), (16, 19)),  # Visa
    (re.compile(r"5[1-5]|2(?:20[0-4]|22[1-9]|2[3-9]|[3-6]|7[01]|720)"), (16,)),  # Mastercard, Mir
    (re.compile(r"3[47]"), (15,)),  # American Express
    (re.compile(r"3(?:0[0-59]|[689])"), (14,)),  # Diners Club
    (re.compile(r"35(?:2[89]|[3-8])"), (16, 17, 18, 19)),  # JCB
    (re.compile(r"5[06-8]|6[0-7]"), (16, 17, 18, 19)),  # Maestro, Discover, UnionPay, RuPay
)
"""Prefixes and lengths of card numbers; EANs, IMEIs and phone numbers are shorter."""

_PLAIN = re.compile(
    r"(?:[A-Z]{0,2}[^\W\dA-Z_]{1,19}+|[A-Z]|\d{1,2})"
    r"(?:(?:[.,]? |[.@+'-])(?:[A-Z]{0,2}[^\W\dA-Z_]{1,19}+|[A-Z]|\d{1,2}))*+[.!?]?"
)
"""Words, names and short numbers, as in most fields."""

_DIGIT = re.compile(r"\d")
_SIGN = re.compile(r"[=:/%<]|--|eyJ")
"""Part of everything that the patterns match in a short text, except for codes."""


def cannot_match(text: str) -> bool:
    """Return True if no pattern can match, as in most short texts."""
    if len(text) > SHORT:
        return len(text) <= LINE and _PLAIN.fullmatch(text) is not None
    # "OTP 4829", "2FA 482913"
    return not _SIGN.search(text) and (" " not in text or _DIGIT.search(text) is None)


def mask_known_formats(text: str, mask: str) -> str:
    """Return `text` with tokens, keys, signatures and credentials of known formats masked."""
    lowered = text.lower()
    if _contains_any(lowered, _SCHEME_HINTS):
        text = _SCHEME.sub(lambda found: _mask_credential(found, mask), text)
    if "cookie" in lowered:
        text = _COOKIES.sub(rf"\1{mask}", text)
    if ":" in text:
        text = _mask_userinfo(text, mask)
    if "otpauth:" in lowered or "otpauth-" in lowered:
        text = _OTPAUTH.sub(rf"\1{mask}", text)
    if "-----BEGIN" in text:
        text = _PEM.sub(mask, text)
    if "eyJ" in text:
        text = _JWT.sub(mask, text)
    if "$" in text:
        text = _PASSWORD_HASH.sub(mask, text)
    if _TOKEN.search(text):
        text = _mask_tokens(text, mask)
    elif "T-" in text or "U-" in text or "C-" in text:
        text = _TICKET.sub(lambda found: _unless_words(found, mask), text)
    if " " not in text and "=" not in text and ":" not in text:
        return text  # a single word
    if _contains_any(lowered, _DATABASE_HINTS):
        text = _DATABASE.sub(lambda found: _after_group(found, mask), text)
    if _contains_any(lowered, _CODE_HINTS) and _THREE_DIGITS.search(text):
        text = _ONE_TIME_CODE.sub(lambda found: _after_group(found, mask), text)
    return text


def _mask_userinfo(text: str, mask: str) -> str:
    if "-u" in text or "-a" in text:
        text = _USER_OPTION.sub(rf"\1{mask}", text)
    if "://" in text and "@" in text:
        text = _USER.sub(lambda found: _mask_user(found, mask), text)
        text = _USERINFO.sub(rf"\1{mask}", text)
    return text


_TOKEN = re.compile(r"[A-Za-z0-9_.-]{20}")
"""Part of all keys and signatures."""


def _mask_tokens(text: str, mask: str) -> str:
    text = _PREFIXED.sub(lambda found: _unless_words(found, mask), _AWS.sub(mask, text))
    if "/" in text:
        text = _HOOK.sub(rf"\1{mask}", text)
    if ":" in text or "|" in text or "~" in text:
        text = _SIGNED.sub(lambda found: _unless_words(found, mask), text)
    if "." in text:
        text = _SIGNED_BY_POINTS.sub(mask, text)
    if "-" in text:
        text = _RESET_TOKEN.sub(mask, _DJANGO_KEY.sub(mask, text))
        text = _TICKET.sub(lambda found: _unless_words(found, mask), text)
    return text


def _after_group(found: re.Match[str], mask: str) -> str:
    """Keep the group that matched and mask what comes after it."""
    before = found[found.lastindex] if found.lastindex else ""
    return f"{before}{mask}"


def _unless_words(found: re.Match[str], mask: str) -> str:
    """Keep words with the prefix of a token: "sk-learn-model-2024"."""
    token = found[found.lastindex or 0]
    return mask if looks_random(token, MIN_RANDOM) else found[0]


def _mask_credential(found: re.Match[str], mask: str) -> str:
    scheme, credential = found[1].lower(), found[3]
    if scheme == "bearer":
        is_secret = not credential.isalpha() or len(credential) > LONGEST_WORD
    elif scheme == "basic":
        is_secret = b":" in _decoded(credential)
    else:
        is_secret = looks_random(credential, MIN_RANDOM)
    return f"{found[1]}{found[2]}{mask}" if is_secret else found[0]


def basic_auth_password(header: str) -> str:
    """Return the password in an `Authorization: Basic ...` (RFC 7617), if there is one."""
    scheme, _blank, credential = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    return _decoded(credential.strip()).partition(b":")[2].decode(errors="replace")


def _decoded(credential: str) -> bytes:
    """Decode base64 as far as possible."""
    whole = credential if len(credential) % 4 == 0 else credential.rstrip("=")
    try:
        return a2b_base64(whole[: len(whole) // 4 * 4])
    except ValueError:
        return b""


def _mask_user(found: re.Match[str], mask: str) -> str:
    is_token = found[3] is not None or looks_random(found[2], MIN_RANDOM)
    return f"{found[1]}{mask}" if is_token and found[2] != mask else found[0]


def mask_cards(text: str, mask: str, *, is_path: bool = False) -> str:
    """Return `text` with the numbers of payment cards masked."""
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
    digits = "".join(str(int(each)) for each in text if each.isdecimal())
    is_issued = any(len(digits) in lengths and begin.match(digits) for begin, lengths in _ISSUERS)
    return is_issued and passes_luhn(digits)


def _contains_any(text: str, hints: tuple[str, ...]) -> bool:
    return any(hint in text for hint in hints)


# One of these is in every text that the patterns match.
_SCHEME_HINTS = ("bearer", "basic", "token", "digest", "negotiate")
_DATABASE_HINTS = (
    *("=(", "cont", "enth", "duplicate entry", "duplicate key", "converting", "incorrect "),
    *("line ", "input ", "parameter", "statement:", "[sql: ", "out of range", "copy ", "eingabe"),
    "entr",
)
_CODE_HINTS = (
    *("code", "otp", "pass", "pin ", "2fa", "mfa", "factor", "one time", "one-time", "tan "),
    *("tan:", "codice", "wort", "cv", " to ", "digo "),
)
