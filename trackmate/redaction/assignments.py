"""Secrets with a name in a text: `password=...`, `"token": ["..."]`, `--key ...`, `<secret>...`.

Possessive quantifiers and bounds keep each pattern linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trackmate.redaction.detection.classifier import SecretClassifier
from trackmate.redaction.detection.names import Sensitivity
from trackmate.redaction.detection.randomness import reads_like_words
from trackmate.redaction.detection.vocabulary import GUIDANCE, REMARKS
from trackmate.redaction.known_secrets import MASK

_CLOSING = (
    r"(?:(?=[\\'\"`&”“»«’*])(?:\\{0,3}['\"`]|&(?:quot|#39|#x27);|\\(?:u00|x)22|[”“»«’*]{1,2}))?"  # noqa: RUF001
)
_SIGN = r"\s{0,8}(?=[=:!→：-])(?:=>|->|→|[:!=]?=|[:：])\s{0,8}"  # noqa: RUF001
NAME_AND_SIGN = re.compile(
    r"(?<![\w.-])(?:--?)?([^\W\d][\w.-]{1,199}+(?:\[[^\]\s]{0,64}\]){0,8})"
    rf"{_CLOSING}(?:(?=\s?[(#\d])\s?(?:\(\w{{1,20}}\)|#?\d{{1,2}}))?({_SIGN})"
)
"""A name and the separator before its value: `name=`, `name: `, `"name": `, `name => `."""
_BEFORE = re.compile(r"(?<![^\W_])((?:[^\W\d_]{1,20}[ -]){1,2})\Z")
"""One or two words before the name: "the API key: ..."."""

_MASKED = re.compile(r"\[redacted\]|REDACTED(?!\w)")
_QUOTED = re.compile(
    r"[bBfFrRuU]{0,2}(\"\"\"|''')(.*?)(?:\1|\Z)"
    r"|(\\{1,3}[\"'])([^\r\n]*?)\3"
    r"|[bBfFrRuU]{0,2}(\")((?:[^\"\\]|\\.)*+)\"?"
    r"|[bBfFrRuU]{0,2}(')((?:[^'\\]|\\.|'')*+)'?"
    r"|(&quot;|&#39;|&#x27;|\\u0022|\\x22)([^\r\n]*?)(?:\9|(?=[\r\n])|\Z)"
    r"|([“„«‘»`])([^“”„»«’‘`\r\n]*)[”“»«’`]?",  # noqa: RUF001
    re.DOTALL,
)
_BLOCK = re.compile(r"[|>][+-]?[ \t]*\r?\n((?:[ \t]+[^\r\n]*(?:\r?\n|\Z))++)")
"""A block of lines in YAML."""
_OPENING = re.compile(r"[\w.]{0,64}[\[({]")
_BRACKETS = re.compile(r"\"(?:[^\"\\\r\n]|\\.)*+\"|'(?:[^'\\\r\n]|\\.)*+'|[\[\](){}\r\n]")
_LINE = re.compile(r"[^\r\n]++")
_LINE_IN_QUOTES = re.compile(r"[^\r\n\"'<>]++")
_END = r"&;,\"'<>)}\]"
_NEXT = r"(?:--?)?[^\W\d][\w.%-]{0,63}+(?:\[[^\]\s]{0,64}\])?[\"']?\s{0,2}(?:=>|[=:])"
_SCHEME = r"(?:(?:api-?key|basic|bearer|digest|negotiate|ntlm|token)\s{1,3})?"
_RUN = re.compile(rf"{_SCHEME}(?:\[redacted\]|[^\s{_END}])++", re.IGNORECASE)
_RUN_OF_SECRET = re.compile(
    # Punctuation is part of a secret unless it ends a word or starts the next name.
    rf"{_SCHEME}(?:\[redacted\]|[^\s{_END}]|[{_END}](?=[^\s{_END}/.])(?!{_NEXT}))++",
    re.IGNORECASE,
)
_WORDS = re.compile(
    rf"(?:[^\s{_END}{{]|[ \t](?!\s{{0,8}}{_NEXT})|[{_END}{{](?=[^\s{_END}{{/.])(?!{_NEXT}))++"
)
"""The value after "password: ", which may have several words."""
_LIST = re.compile(rf"(?:[^\s{_END}{{]|,?[ \t](?!\s{{0,8}}{_NEXT})|,(?!{_NEXT}))++")
"""The value after "recovery codes: "."""

_OPTION = re.compile(
    r"(?<![\w-])--?([a-z][\w-]{1,63}+)(?:=\s?|\s{1,3}(?!-))(?=\S)(?!=|(?:and|are|for|if|in|is|must"
    r"|of|on|option|options|or|should|to|with)\b"
    r"|(?-i:FILE|KEY|NAME|PASSWORD|PATH|SECRET|STRING|TEXT|TOKEN|VALUE)\b)",
    re.IGNORECASE,
)
"""A command-line option with its value after a space, and not prose about an option."""
_TUPLE = re.compile(r"[\"']([\w. -]{2,64})[\"']\s{0,3},\s{0,3}(?=[bru]?[\"'])", re.IGNORECASE)
"""`('password', '...')`."""
_PAIR = re.compile(
    r"(?:field|header|key|name|param|variable)[\"']?\s{0,3}[:=]\s{0,3}[\"']([\w. -]{2,64})[\"']"
    r"\s{0,3},\s{0,3}[\"']?(?:content|data|val|value)[\"']?\s{0,3}[:=]\s{0,3}",
    re.IGNORECASE,
)
"""`"name": "password", "value": "..."`."""
_SPOKEN = re.compile(
    r"(?<![\w.-])((?:\w{1,20}[ _-])?(?:passcode|passphrase|passw(?:or[dt]|d)|pwd|mot de passe"
    r"|identified by))(?:\sfor\s\S{1,64})?(?:\s(?:is|was|ist|war|lautet|est))?[\s(=|→–-]{1,4}"  # noqa: RUF001
    r"(?=[\"']|[^\s,;'\"<>()]{0,63}?\d)(?=[\"']|[^\s,;'\"<>()]{0,63}?[^\W\d_])(?=[^\s,;<>()]{6})"
    r"(?![^\s]{0,64}[=:])",
    re.IGNORECASE,
)
"""A password in a sentence: "password hunter2 was wrong"."""
_ELEMENT = re.compile(
    r"<(?:[\w-]{1,32}:)?([^\W\d_][\w.-]{1,63})(?:\s[^<>]{0,200})?>\s{0,20}"
    r"(?:<!\[CDATA\[(.{1,2000}?)\]\]>|([^<]{1,2000}+))",
    re.DOTALL,
)
"""An XML element and its text."""
_TAG = re.compile(r"<[\w:-]{1,32}\s([^<>]{1,500})>([^<]{1,2000}+)?")
"""A tag with attributes, and the text after it."""
_PROPERTY = re.compile(r"<key>([\w. -]{1,64})</key>\s{0,20}<\w{1,32}>([^<]{1,2000}+)")
"""A key and a value of a property list."""
_NAMED_BY = re.compile(r"\b(?:id|key|name|type)\s?=\s?[\"']?([\w.\[\]-]{1,64})", re.IGNORECASE)
_VALUE_OF_TAG = re.compile(r"\b(?:content|value)\s?=\s?(?:\"([^\"]+)\"|'([^']+)'|([^\s\"'>]+))")

_IS_NAME = re.compile(r"\s{0,3}[:=]")
_HINTS = ("=", ":", "<", " -", "ass", "PASS", "pwd", "dentif", "DENTIF", "→", "：")  # noqa: RUF001

Span = tuple[int, int]


def may_assign(text: str) -> bool:
    """Return False for most texts, which contain no names of values."""
    return (
        any(hint in text for hint in _HINTS)
        or text.startswith("-")
        or ("," in text and ('"' in text or "'" in text))
    )


@dataclass(frozen=True, slots=True)
class AssignmentMasker:
    """Masks the secrets that have a name in a text."""

    classifier: SecretClassifier
    remember: Callable[[Any], None]
    mask: str

    def __call__(self, text: str) -> str:
        if "=" in text or ":" in text or "->" in text or "：" in text or "→" in text:  # noqa: RUF001
            text = self._mask_assignments(text)
        if "-" in text and _OPTION.search(text):
            text = self._mask_following(_OPTION, text)
        if ("," in text) and ('"' in text or "'" in text):
            text = self._mask_following(_PAIR, text)
            text = self._mask_following(_TUPLE, text, is_name=self.classifier.names.is_field_name)
        lowered = text.lower()
        if "pass" in lowered or "pwd" in lowered or "identified by" in lowered:
            text = self._mask_following(_SPOKEN, text, least=Sensitivity.ALWAYS)
        if "<" in text and ">" in text:
            text = self._mask_elements(text)
        return text

    # --- name=value

    def _mask_assignments(self, text: str) -> str:
        spans: list[Span] = []
        done = 0
        for sign in NAME_AND_SIGN.finditer(text):
            if sign.start() < done:
                continue
            level = self._level(text, sign)
            if not level:
                continue
            start, end = self._value_span(text, sign, level)
            if start < end:
                spans.append((start, end))
                done = end
        return self._mask_spans(text, spans)

    def _level(self, text: str, sign: re.Match[str]) -> int:
        names, name = self.classifier.names, sign[1]
        level = names.sensitivity(name)
        if level < Sensitivity.SECRET and names.may_end_phrase(name):
            before = _BEFORE.search(text[max(0, sign.start() - 42) : sign.start()])
            if before:
                return max(level, names.phrase_sensitivity(before[1] + name))
        return level

    def _value_span(self, text: str, sign: re.Match[str], level: int) -> Span:
        """Return the span of the secret after a name, empty if there is none."""
        start, name = sign.end(), sign[1]
        empty = (start, start)
        if masked := _MASKED.match(text, start):
            # "token=[redacted]/rest": a known format was only a part of it.
            rest = _RUN.match(text, masked.end()) if masked[0] == MASK else None
            return (start, rest.end()) if rest and level >= Sensitivity.SECRET else empty
        if quoted := _QUOTED.match(text, start):
            span = _quoted_span(quoted)
            return span if self._is_secret(level, name, text, span) else empty
        if level >= Sensitivity.SECRET:
            if block := _BLOCK.match(text, start):
                return block.span(1)
            if opening := _OPENING.match(text, start):
                return self._structure_span(text, start, opening, level)
        found = self._value_pattern(text, sign, level).match(text, start)
        if not found or not self._is_secret(level, name, text, found.span(), is_prose=True):
            return empty
        return found.start(), found.start() + len(found[0].rstrip())

    def _value_pattern(self, text: str, sign: re.Match[str], level: int) -> re.Pattern[str]:
        name = sign[1].lower()
        is_prose = "=" not in sign[2] or ">" in sign[2]
        if is_prose and name.endswith("authorization"):
            return _LINE_IN_QUOTES if text[sign.end(1)] in "\\\"'" else _LINE
        # "PASSWORD=two words" in a file of settings, "Pwd=two words;" for a driver.
        is_setting = sign.start() == 0 or text[sign.start() - 1] in "\n;"
        if level == Sensitivity.ALWAYS and (is_prose or is_setting):
            return _LIST if name.endswith("s") and name[-2:] != "ss" else _WORDS
        return _RUN_OF_SECRET if level >= Sensitivity.SECRET else _RUN

    def _structure_span(self, text: str, start: int, opening: re.Match[str], level: int) -> Span:
        """Return the span of a list, mapping or call, up to its bracket or the end of the line."""
        depth, end = 0, len(text)
        for found in _BRACKETS.finditer(text, opening.end() - 1):
            depth += (found[0] in "[({") - (found[0] in "])}")
            if depth == 0 or found[0] in "\r\n":
                end = found.end() if depth == 0 else found.start()
                break
        inside = text[opening.end() - 1 : end]
        if rest := _RUN_OF_SECRET.match(text, end):
            end = rest.end()
        if level < Sensitivity.ALWAYS and not any(map(str.isalpha, inside)):
            return start, start  # counts
        for each in _STRINGS.findall(inside) or [inside.strip("[](){} ")]:
            self.remember(each.strip("\"'"))
        return start, end

    def _is_secret(
        self, level: int, name: str, text: str, span: Span, *, is_prose: bool = False
    ) -> bool:
        value = text[slice(*span)].strip("\\\"' ")
        if not value or (is_prose and _is_remark(value)):
            return False
        is_count = name.endswith(("s", "S")) and not value.strip("0123456789.,")
        if is_count and level == Sensitivity.SECRET:
            return False  # "tokens: 1,024"
        if not self.classifier.is_secret(level, name, value):
            return False
        self.remember(value)
        return True

    # --- a name, then a value

    def _mask_following(
        self,
        pattern: re.Pattern[str],
        text: str,
        *,
        least: int = Sensitivity.SECRET,
        is_name: Callable[[str], bool] = lambda _value: False,
    ) -> str:
        """Mask the values after the matches of a pattern that are names of secrets."""
        spans: list[Span] = []
        for found in pattern.finditer(text):
            is_phrase = found[1].lower() == "identified by"
            level = Sensitivity.ALWAYS if is_phrase else self.classifier.names.sensitivity(found[1])
            if level < least or (spans and found.start() < spans[-1][1]):
                continue
            quoted = _QUOTED.match(text, found.end())
            value = quoted or _RUN.match(text, found.end())
            if value is None or _MASKED.match(text, value.start()):
                continue
            span = _quoted_span(quoted) if quoted else value.span()
            if is_name(text[slice(*span)]) or _IS_NAME.match(text, value.end()):
                continue
            if self._is_secret(level, found[1], text, span, is_prose=quoted is None):
                spans.append(span)
        return self._mask_spans(text, spans)

    # --- elements

    def _mask_elements(self, text: str) -> str:
        spans: list[Span] = []
        for found in _ELEMENT.finditer(text):
            self._add(spans, text, found[1], found.span(2) if found[2] else found.span(3))
        text = self._mask_spans(text, spans)
        spans = []
        for found in _TAG.finditer(text):
            names = [each[1] for each in _NAMED_BY.finditer(found[1])]
            name = max(names, key=self.classifier.names.sensitivity, default="")
            value = _VALUE_OF_TAG.search(text, *found.span(1))
            span = value.span(value.lastindex or 0) if value else found.span(2)
            self._add(spans, text, name, span)
        text = self._mask_spans(text, spans)
        spans = []
        for found in _PROPERTY.finditer(text):
            self._add(spans, text, found[1], found.span(2))
        return self._mask_spans(text, spans)

    def _add(self, spans: list[Span], text: str, name: str, span: Span) -> None:
        level = self.classifier.names.sensitivity(name)
        value = text[slice(*span)].strip() if span[0] >= 0 else ""
        if level < Sensitivity.SECRET or not value or _MASKED.match(value):
            return
        if self._is_secret(level, name, text, span):
            spans.append(span)

    def _mask_spans(self, text: str, spans: list[Span]) -> str:
        parts, done = [], 0
        for start, end in spans:
            if start >= done:
                parts += [text[done:start], self.mask]
                done = end
        return "".join((*parts, text[done:])) if parts else text


_STRINGS = re.compile(r"\"[^\"\\\r\n]{3,}+\"(?!\s?:)|'[^'\\\r\n]{3,}+'(?!\s?:)")
"""Strings in a structure that are not keys."""


def _is_remark(value: str) -> bool:
    """Return True for prose in place of a secret: "expired", "must be longer"."""
    first, _blank, rest = value.lower().rstrip(".!,").partition(" ")
    return (not rest and first in REMARKS) or (first in GUIDANCE and reads_like_words(value))


def _quoted_span(quoted: re.Match[str]) -> Span:
    groups = range(2, quoted.re.groups + 1, 2)
    return next(quoted.span(group) for group in groups if quoted[group] is not None)
