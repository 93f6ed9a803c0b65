"""Which names are those of secrets, as SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable

from trackmate.conf import get_settings
from trackmate.redaction.detection import vocabulary as terms
from trackmate.redaction.detection.names import words_of
from trackmate.redaction.redactor import secret_names
from trackmate.triggers.names import literal


def is_secret_name(*names: str) -> bool:
    """Return True if one of the names is that of a secret."""
    known = secret_names()
    return any(name in known for name in names)


def holds_secret(document: str) -> str:
    """Return SQL that is true for a JSON document with a name of a secret at any depth.

    Unlike in Python, the names alone decide, and what makes some of them harmless is not looked at:
    rather too much is masked than too little.
    """
    return (
        "EXISTS (SELECT FROM jsonb_path_query("
        f"{document}, 'strict $.** ? (@.type() == \"object\").keyvalue().key') AS _tm_key(key)"
        f" WHERE {_words('_tm_key.key')} ~ {literal(_pattern())})"
    )


def _words(key: str) -> str:
    """Return SQL for the words of a JSON text, in lower case, with spaces around each."""
    accents, humps, parts = (
        literal(each) for each in (r"[\u0300-\u036f]", "([a-z])([A-Z])", r"\1 \2")
    )
    plain = f"regexp_replace(normalize({key} #>> '{{}}', NFKD), {accents}, '', 'g')"
    spaced = f"regexp_replace({plain}, {humps}, {parts}, 'g')"
    # Whatever the locale is: letters that it does not know are kept.
    separators = literal(r"[\s\d[:punct:]]+")
    return f"' ' || regexp_replace(lower({spaced}), {separators}, ' ', 'g') || ' '"


def _pattern() -> str:
    """Return a regular expression for the words of a name that may be that of a secret."""
    settings = get_settings()
    exempt = {words_of(name) for name in settings.REDACT_EXEMPT}
    singles = terms.ALWAYS_WORDS | terms.SECRET_WORDS | terms.LIKELY_WORDS
    phrases = terms.ALWAYS_PHRASES | terms.SECRET_PHRASES
    listed = (
        {(word,) for word in singles} | phrases | {words_of(each) for each in settings.REDACT_KEYS}
    )
    wanted = [words for words in listed if words and words not in exempt]
    # Of a phrase written as one word, too: "apikey".
    whole = _alternatives(" ?".join(map(re.escape, words)) for words in wanted)
    parts = _alternatives(word for word in terms.SECRET_PARTS if (word,) not in exempt)
    return f" ({whole})s? |[a-z]*({parts}|pwd)|(pass|pw) "


def _alternatives(texts: Iterable[str]) -> str:
    return "|".join(sorted(texts))
