"""GraphQL documents: the arguments in a query, with their values and the variables they are given.

Linear in the length of the text, and without a parser of GraphQL, which not every project has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

MAX_DOCUMENT = 20_000
"""Number of characters of a document that are searched."""
_TOKEN = re.compile(
    r'(?P<block>"""(?:[^"\\]|\\.|"(?!""))*+(?:"""|\Z))'
    r'|(?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*+"?)'
    r"|(?P<name>[^\W\d]\w*+)"
    r"|(?P<number>-?\d[\w.+-]*+)"
    r"|(?P<sign>[$:=()\[\]{}!])"
    r"|\#[^\r\n]*+",
    re.DOTALL,
)
"""The tokens that matter; comments, commas and blanks have no meaning between them."""
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_IN_TYPE = ("", "[", "]", "!")
_QUOTES = {"block": '"""', "string": '"'}
MAX_TOKENS = 100
"""Number of tokens of a value that are searched for variables."""


class QueryArgument(NamedTuple):
    """An argument, a field of an input object, or a variable with a default."""

    name: str
    variables: tuple[str, ...]
    """The variables in its value."""
    start: int
    end: int
    """Where its value is, without quotes."""


def find_arguments(document: str, may_be_secret: Callable[[str], Any]) -> Iterator[QueryArgument]:
    """Yield the arguments whose names may be of secrets, and the variables that have a default."""
    found = [each for each in _TOKEN.finditer(document[:MAX_DOCUMENT]) if each.lastgroup]
    signs = [each[0] if each.lastgroup == "sign" else "" for each in found]
    closing = _closing(signs)
    depth = 0
    for at, token in enumerate(found):
        depth += (signs[at] == "(") - (signs[at] == ")")
        if depth <= 0 or token.lastgroup != "name" or signs[at + 1 : at + 2] != [":"]:
            continue
        is_definition = at > 0 and signs[at - 1] == "$"
        if not is_definition and not may_be_secret(token[0]):
            continue
        first = _default(signs, at + 2) if is_definition else at + 2
        if first is None or first >= len(found):
            continue
        is_variable = signs[first] == "$"
        last = min(first + is_variable, len(found) - 1)
        last = closing.get(first, last)
        variables = [
            found[each + 1][0]
            for each in range(first, min(last, first + MAX_TOKENS))
            if signs[each] == "$"
        ]
        start, _end = _bare(found[first])
        _start, end = _bare(found[last])
        yield QueryArgument(token[0], tuple(variables), start, max(start, end))


def _closing(signs: list[str]) -> dict[int, int]:
    """Return where each bracket is closed; the last token for one that is not."""
    closing: dict[int, int] = {}
    waiting: list[int] = []
    for at, sign in enumerate(signs):
        if sign in _OPENING:
            waiting.append(at)
        elif sign in _CLOSING and waiting:
            closing[waiting.pop()] = at
    return {**dict.fromkeys(waiting, len(signs) - 1), **closing}


def _default(signs: list[str], at: int) -> int | None:
    """Return where the default of a variable begins, after its type."""
    for each in range(at, min(at + MAX_TOKENS, len(signs))):
        if signs[each] == "=":
            return each + 1
        if signs[each] not in _IN_TYPE:
            return None
    return None


def _bare(token: re.Match[str]) -> tuple[int, int]:
    """Return where a token is, without quotes."""
    start, end = token.span()
    quote = _QUOTES.get(token.lastgroup or "", "")
    is_closed = len(token[0]) >= 2 * len(quote) and token[0].endswith(quote)
    return start + len(quote), end - len(quote) * is_closed
