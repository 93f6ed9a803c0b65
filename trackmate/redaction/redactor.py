"""The redactor, which masks secrets in texts, URLs and data, and remembers them."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlencode

from django.http import HttpRequest

from trackmate.conf import get_settings, per_settings
from trackmate.redaction.assignments import AssignmentMasker, may_assign
from trackmate.redaction.detection.classifier import SecretClassifier, Siblings
from trackmate.redaction.detection.names import SecretNames, Sensitivity, is_identifier
from trackmate.redaction.detection.randomness import SHORT, looks_random, reads_like_words
from trackmate.redaction.graphql import MAX_DOCUMENT, find_arguments
from trackmate.redaction.known_secrets import MASK, KnownSecrets
from trackmate.redaction.patterns import cannot_match, mask_cards, mask_known_formats
from trackmate.redaction.routes import (
    Argument,
    SiteRoutes,
    find_operation,
    is_about_authentication,
    route_words,
)
from trackmate.redaction.sanitizer import Sanitizer
from trackmate.redaction.text import MAX_TEXT
from trackmate.redaction.urls import RELATIVE_URL, URL_IN_TEXT, UrlParts, path_variants

URL_MASK = "REDACTED"
"""The mask in query strings, where brackets would be encoded."""

LAYERS = 3
"""Maximum number of nested encodings: percent-encoding, JSON, a URL within a URL."""

_AROUND_JSON = " \t\r\n\ufeff\ufffd"
_FIRST_OF_JSON = f'{{["{_AROUND_JSON}'
_FORM = re.compile(r"[\w.%\[\]+-]{1,64}=[^&\s]*+(?:&[\w.%\[\]+-]{1,64}=[^&\s]*+)++")
"""A form within a text."""
_HOLDS_MORE = re.compile(r"\A\s*[\[{]|%[0-9A-Fa-f]{2}|(?<!\w)/\w[^\s/]*/")
"""JSON, percent-encoding, or a path."""
_CODE = re.compile(
    r"(?!(?:19|20)\d\d\Z)\d{4,8}|[A-Z]{4,5}-[A-Z]{4,5}"
    r"|(?=[^\d]*\d)(?=[^a-zA-Z]*[a-zA-Z])(?!.*[a-zA-Z]{4})[0-9A-Za-z]{2,8}(?:-?[0-9A-Za-z]{2,8}){1,3}"
)
"""A one-time code: digits, or digits among letters that are no word."""
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")

UUID_LENGTH = 36
"""Characters of a UUID, which is no secret as the key of an object."""


class CleanTextCache(set[Hashable]):
    """Texts without secrets, which are not searched again. Bounded, since clients write them."""

    MAX_TEXTS = 1_000
    MAX_LENGTH = 512

    def remember(self, text: str, *context: Hashable) -> None:
        if len(text) > self.MAX_LENGTH:
            return
        if len(self) >= self.MAX_TEXTS:
            self.clear()
        self.add((text, *context) if context else text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redactor:
    """Masks secrets in texts, URLs and data of one request or activity."""

    names: SecretNames
    patterns: tuple[re.Pattern[str], ...] = ()
    clean_texts: CleanTextCache = field(default_factory=CleanTextCache)
    """Shared by all redactors."""
    known_secrets: KnownSecrets = field(default_factory=KnownSecrets)
    """The masked values."""
    site: SiteRoutes | None = None
    """The routes for paths in URLs; None without a request."""
    is_authentication: bool = False
    """Whether the context is a login, a reset and the like, in which a `code` is a secret."""
    is_response: bool = False
    """Whether the data are a response, in which a `code` may be an error code."""
    is_error: bool = False
    """Whether the response is an error, whose texts are messages."""
    layers: int = LAYERS
    """How many layers of encoding may be decoded."""

    @property
    def classifier(self) -> SecretClassifier:
        return SecretClassifier(self.names, self.is_authentication, self.is_response, self.is_error)

    # --- texts

    def mask_text(self, text: str, *, mask: str = MASK, named: bool = True) -> str:
        """Return `text` with secrets masked: by their format and, if `named`, by their names."""
        if not self.patterns and cannot_match(text):
            return text
        if not self.layers and named and _HOLDS_MORE.search(text):
            return mask  # nested too deeply
        may_be_encoded = "%" in text or text[0] in _FIRST_OF_JSON or "&" in text
        if may_be_encoded and named and self.layers and (inner := self._decoded(text)) is not None:
            return inner
        outside = text = mask_known_formats(text, mask)
        if "/" in text and self.layers:
            text, outside = self._mask_urls(text, mask)
        else:
            text = mask_cards(text, mask)
        if named and may_assign(outside):
            text = self._mask_assignments(text, mask)
        for pattern in self.patterns:
            text = pattern.sub(mask, text)
        return text

    def mask_shared_text(self, text: str) -> str:
        """Like `mask_text()`, cached: for texts of many requests, such as the user agent."""
        if text in self.clean_texts:
            return text
        if (masked := self.mask_text(text)) == text:
            self.clean_texts.remember(text)
        return masked

    def _decoded(self, text: str) -> str | None:
        """Return a JSON or encoded text decoded and masked, or None if it has no secrets."""
        bare = text.strip(_AROUND_JSON)
        if bare[:1] in _FIRST_OF_JSON and bare[-1:] in '}]"' and len(text) <= MAX_TEXT:
            try:
                data = json.loads(bare)
            except (ValueError, RecursionError):
                data = None
            if data is not None:
                safe = self._next_layer().mask_data(data)
                return text if safe == data else str(json.dumps(safe, ensure_ascii=False))
        is_form = "&" in text and _FORM.fullmatch(text)
        if is_form and (form := self._next_layer().mask_query(text)) != text:
            return form
        if "%" in text and _ENCODED.search(text):
            decoded = unquote_plus(text) if " " not in text else unquote(text)
            if decoded != text and (masked := self._next_layer().mask_text(decoded)) != decoded:
                return masked
        return None

    def _next_layer(self, *, is_authentication: bool | None = None) -> Redactor:
        """Return the redactor for the next layer of encoding."""
        about = self.is_authentication if is_authentication is None else is_authentication
        return replace(self, layers=max(0, self.layers - 1), is_authentication=about)

    def _mask_urls(self, text: str, mask: str) -> tuple[str, str]:
        """Mask URLs, and card numbers outside of them. Return the text and the outside part."""
        parts, outside, done = [], [], 0
        for found in URL_IN_TEXT.finditer(text):
            address = found[0].rstrip(_PUNCTUATION)
            before = mask_cards(text[done : found.start()], mask)
            parts += [before, self.mask_url(address)]
            outside.append(before)
            done = found.start() + len(address)
        if not done and text[-1] == "/" and self.site and RELATIVE_URL.fullmatch(text):
            masked = self.mask_path(f"/{text}")
            return (masked[1:], "") if masked != f"/{text}" else (text, text)
        rest = mask_cards(text[done:], mask)
        return "".join((*parts, rest)), "".join((*outside, rest))

    def _mask_assignments(self, text: str, mask: str) -> str:
        """Mask the values with a name: `name=value`, `"name": "value"`, `--name value`..."""
        return AssignmentMasker(self.classifier, self.known_secrets.add, mask)(text)

    # --- URLs

    def mask_url(self, url: str) -> str:
        """Return a URL with the secrets in its host, path, query and fragment masked."""
        if "@" in url:
            url = mask_known_formats(url, MASK)
        origin, raw_path, query, fragment = UrlParts.split(url)
        if origin.startswith("//") and self._is_path(f"{origin}{raw_path}"):
            origin, raw_path = "", f"{origin}{raw_path}"
        path = self.mask_path(raw_path, encoded=True) if raw_path else ""
        if query:
            about = self._leads_to_authentication(raw_path)
            query = f"?{self._next_layer(is_authentication=about).mask_query(query[1:])}"
        if fragment:
            is_url = fragment.startswith(("#/", "#!/")) and self.layers
            inner = self._next_layer()
            mask = inner.mask_url if is_url else inner.mask_text
            fragment = f"#{mask(fragment[1:])}"
        for pattern in self.patterns:
            origin = pattern.sub(MASK, origin)
        return f"{origin}{path}{query}{fragment}"

    def _is_path(self, path: str) -> bool:
        """Return True for "//invite/..." if it is a path of the site with an extra slash."""
        if self.site is None or self.site.is_exhausted:
            return False
        plain = next(path_variants(path), path)
        return bool(self.site.arguments(self._unquoted(plain))[0])

    def _leads_to_authentication(self, path: str) -> bool:
        if self.is_authentication or is_about_authentication(path[:MAX_PATH]):
            return True
        if self.site is None or not path.startswith("/"):
            return False
        context = ("elsewhere", self.site.key)
        if (path, *context) in self.clean_texts:
            return False
        if self.site.is_exhausted:
            return True
        about = is_about_authentication(self.site.arguments(self._unquoted(path))[1])
        if not about:
            self.clean_texts.remember(path, *context)
        return about

    def mask_path(self, path: str, *, encoded: bool = False) -> str:
        """Return a path with the secrets in it masked, by its route and by their format.

        With `encoded` the path may be percent-encoded.
        """
        context = ("path", self.is_authentication, self.site and self.site.key)
        if (path, *context) in self.clean_texts:
            return path
        decoded = self._unquoted(path) if encoded else path
        masked = self.mask_path_formats(self._mask_path_arguments(decoded))
        if masked == decoded:
            self.clean_texts.remember(path, *context)
            return path
        if decoded == path:
            return masked
        return quote(masked, safe="/[]:@!$&'()*+,;=~-._", errors="replace")

    def _unquoted(self, path: str) -> str:
        for _layer in range(LAYERS):
            if "%" not in path:
                break
            path = unquote(path)
        return path

    def mask_path_formats(self, path: str) -> str:
        """Return a path masked by formats and names only, if its route captures no secrets."""
        masked = mask_known_formats(path, MASK)
        if "=" in masked or ":" in masked:
            # Each segment by itself: ";jsessionid=..." ends with it.
            masked = "/".join(self._mask_assignments(part, MASK) for part in masked.split("/"))
        masked = mask_cards(masked, MASK, is_path=True)
        for pattern in self.patterns:
            masked = pattern.sub(MASK, masked)
        return masked

    def _mask_path_arguments(self, path: str) -> str:
        if self.site is None or not path.startswith("/"):
            return path
        if self.site.is_exhausted:
            self.known_secrets.is_complete = False
            return f"/{MASK}"
        for each in (path, *path_variants(path)):
            arguments, route = self.site.arguments(each)
            if route:
                break
        if not arguments:
            return self.mask_unrouted_path(path)
        rest = path[len(each) :] if path.startswith(each) else ""
        masked = self.mask_arguments(each, arguments, route)
        return masked + rest if masked != each else path

    def mask_unrouted_path(self, path: str) -> str:
        """Return the path of a frontend with random segments masked, if about authentication."""
        if not is_about_authentication(path[:MAX_PATH]):
            return path
        parts = path.split("/")
        random = {part for part in parts if looks_random(part, SHORT)}
        self.known_secrets.add(random)
        return "/".join(MASK if part in random else part for part in parts)

    def mask_arguments(self, path: str, arguments: Sequence[Argument], route: str) -> str:
        """Return a path with the secret arguments of its route masked."""
        about = self.is_authentication or is_about_authentication(route)
        for name, start, end in sorted(arguments, key=lambda each: each.start, reverse=True):
            text = path[start:end]
            if text and text != MASK and self._is_secret_argument(name, text, about=about):
                self.known_secrets.add(text)
                path = f"{path[:start]}{MASK}{path[end:]}"
        return path

    def _is_secret_argument(self, name: str, text: str, *, about: bool) -> bool:
        level = self.names.sensitivity(name) if name else Sensitivity.HARMLESS
        if level == Sensitivity.ALWAYS or (level == Sensitivity.CONTEXTUAL and about):
            return True
        if level == Sensitivity.SECRET:
            return not (text.isdigit() and is_identifier(name))
        if level == Sensitivity.LIKELY:
            return not reads_like_words(text)
        if is_identifier(name):
            # The key of a token may be the token.
            return about and len(text) > UUID_LENGTH and looks_random(text, LONG_IN_PATH)
        about = about or ("/" in text and is_about_authentication(text))
        return (about and _CODE.fullmatch(text) is not None) or any(
            looks_random(part, SHORT_IN_CONTEXT if about else LONG_IN_PATH)
            for part in text.split("/")
            if "." not in part[-6:]
        )

    def mask_query(self, query: str) -> str:
        context = ("query", self.is_authentication, self.site and self.site.key)
        if (query, *context) in self.clean_texts:
            return query
        pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
        # The query of a URL in a response is not a response itself.
        redactor = replace(self._about(dict(pairs)), is_response=False, is_error=False)
        classifier = redactor.classifier
        siblings = Siblings(self.names, dict(pairs))
        operation = redactor._mask_operations(dict(pairs), mask=URL_MASK)
        masked = [
            redactor._mask_parameter(classifier, name, operation.get(name, value), siblings)
            if name in OPERATION_PARTS
            else redactor._mask_parameter(classifier, name, value, siblings)
            for name, value in pairs
        ]
        if masked != pairs:
            return urlencode(masked, errors="replace")
        self.clean_texts.remember(query, *context)
        return query

    def _mask_parameter(
        self, classifier: SecretClassifier, name: str, value: str, siblings: Siblings
    ) -> tuple[str, str]:
        # "/activate?4f9d2b7c61e8..."
        is_credential = not value and self._looks_like_credential(name)
        masked_name = URL_MASK if is_credential else self.mask_text(name)
        level = classifier.level(name, value, 0, siblings)
        is_secret = level and classifier.is_secret(level, name, value, siblings)
        if is_secret or (self._looks_like_credential(value) and not is_identifier(name)):
            self.known_secrets.add(value)
            return masked_name, URL_MASK
        return masked_name, self.mask_text(value, mask=URL_MASK)

    def _looks_like_credential(self, value: str) -> bool:
        """Return True for random values in the context of authentication."""
        return self.is_authentication and "/" not in value and looks_random(value, SHORT)

    # --- data

    def mask_data(self, value: Any, *, may_be_quoted: bool = False) -> Any:
        """Return JSON-ready data of limited size with secrets masked.

        With `may_be_quoted`, secrets in the truncated parts are remembered, too.
        """
        redactor = self._about(value)
        value = redactor._mask_operations(value)
        sanitize = redactor._sanitizer()
        masked = sanitize(value)
        if may_be_quoted and not sanitize.is_complete:
            self.remember_secrets(value)
        return masked

    def remember_secrets(self, value: Any) -> None:
        """Remember the secrets in data that are not stored."""
        redactor = self._about(value)
        search = redactor._sanitizer(nodes=MAX_NODES, characters=MAX_CHARACTERS)
        search(redactor._mask_operations(value))
        if not search.is_complete:
            self.known_secrets.is_complete = False

    def _mask_operations(self, value: Any, *, mask: str = MASK) -> Any:
        """Return GraphQL operations with the values of secret arguments masked.

        In the query, and in the variables that are passed to them under other names.
        """
        if type(value) is list:
            return [self._mask_operations(each) if type(each) is dict else each for each in value]
        query = value.get("query") if type(value) is dict else None
        if not isinstance(query, str) or "(" not in query or "{" not in query:
            return value
        variables, is_text = value.get("variables"), False
        if isinstance(variables, str):
            variables, is_text = _parse_object(variables), True
        is_cut = len(query) > MAX_DOCUMENT
        query, passed = self._mask_arguments_of(query, mask)
        masked = {**value, "query": query}
        if is_cut and value.get("variables"):
            # The rest of the query may pass them as secrets.
            masked["variables"] = self.mask(value["variables"])
        elif isinstance(variables, dict):
            safe = {
                name: self._mask_as(names, variables[name])
                for name, names in passed.items()
                if name in variables
            }
            if any(safe[name] != variables[name] for name in safe):
                variables = {**variables, **safe}
                masked["variables"] = json.dumps(variables) if is_text else variables
        elif is_text and passed:
            # Cut, or no JSON.
            masked["variables"] = self.mask(value["variables"])
        return masked

    def _mask_as(self, names: Sequence[str], value: Any) -> Any:
        """Return a value masked if it is a secret under one of these names."""
        for name in names:
            (masked,) = self._sanitizer()({name: value}).values()
            if masked != value:
                return masked
        return value

    def _mask_arguments_of(self, query: str, mask: str) -> tuple[str, dict[str, list[str]]]:
        """Return a query with secrets masked, and the secret arguments for each variable."""
        passed: dict[str, list[str]] = {}
        arguments = list(find_arguments(query, self.names.sensitivity))
        for each in arguments:
            if each.variables and self.names.sensitivity(each.name):
                for variable in each.variables:
                    passed.setdefault(variable, []).append(each.name)
        parts, done = [], 0
        for each in arguments:
            names = [each.name, *passed.get(each.name, ())]
            text = query[each.start : each.end]
            if each.start < done or each.variables or not any(map(self.names.sensitivity, names)):
                continue
            if self._mask_as(names, text) != text:
                self.known_secrets.add(text)
                parts += [query[done : each.start], mask]
                done = each.end
        return "".join((*parts, query[done:])), passed

    def _about(self, value: Any) -> Redactor:
        """Return the redactor for data that may name an operation about authentication."""
        if self.is_authentication or not is_about_authentication(find_operation(value)):
            return self
        return replace(self, is_authentication=True)

    def _sanitizer(self, **bounds: int) -> Sanitizer:
        return Sanitizer(
            self.mask_text,
            classifier=self.classifier,
            mask=self.mask,
            is_thorough=bool(self.patterns),
            **bounds,  # type: ignore[arg-type]
        )

    def mask(self, value: Any) -> str:
        """Return the mask for a value, and remember the value."""
        self.known_secrets.add(value)
        return MASK

    def mask_header(self, name: str, value: str) -> str:
        if name in self.names:
            return self.mask(value)
        if " " in value:
            return self.mask_shared_text(value)
        context = ("header", self.is_authentication, self.site and self.site.key)
        if (value, *context) in self.clean_texts:
            return value
        if (masked := self.mask_url(value)) == value:
            self.clean_texts.remember(value, *context)
        return masked


OPERATION_PARTS = ("query", "variables")
"""The parts of a GraphQL operation that have arguments."""
MAX_NODES, MAX_CHARACTERS = 50_000, 1_000_000
"""Limits of the data that are searched for secrets which texts may quote."""
_PUNCTUATION = ".,;:=!?)]}*_~…。、"
"""Punctuation after a URL in a sentence."""
MAX_PATH = 512
"""Maximum length of a path that is searched for words."""
SHORTEST_CODE = 4
"""Minimum length of a one-time code."""
LONG_IN_PATH, SHORT_IN_CONTEXT = 20, 10
"""Minimum length of random segments, in general and on routes about authentication."""


def _parse_object(text: str) -> dict[str, Any] | None:
    try:
        data = json.loads(text) if len(text) <= MAX_CHARACTERS else None
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


@per_settings
def _configured_fields() -> dict[str, Any]:
    settings = get_settings()
    return {
        "names": SecretNames(settings.REDACT_KEYS, settings.REDACT_EXEMPT),
        "patterns": tuple(re.compile(pattern) for pattern in settings.REDACT_PATTERNS),
        "clean_texts": CleanTextCache(),
    }


def get_redactor(**values: Any) -> Redactor:
    """Return a redactor for the settings, with fields for one request."""
    return Redactor(**_configured_fields(), **values)


def redactor_for_request(request: HttpRequest, **values: Any) -> Redactor:
    """Return a redactor for the values of a request, whose route should be known."""
    match = request.resolver_match
    site = SiteRoutes.from_request(request)
    if match:
        about = route_words(match)
    else:
        # A middleware responded before the URL was resolved, for example with a redirect.
        about = f"{request.path_info[:MAX_PATH]} {site.arguments(request.path_info)[1]}"
    return get_redactor(site=site, is_authentication=is_about_authentication(about), **values)


def may_be_secret(name: str, value: Any, *, about: bool) -> bool:
    """Return False for most arguments of routes, which cannot be secrets.

    `about` means that the route is about authentication.
    """
    return bool(secret_names().sensitivity(name)) or (
        not isinstance(value, int) and len(str(value)) >= (SHORTEST_CODE if about else LONG_IN_PATH)
    )


def secret_names() -> SecretNames:
    """Return the names whose values are masked, from the settings."""
    return get_redactor().names
