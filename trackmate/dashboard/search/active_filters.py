"""The active filters of a list, each with a link that removes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from trackmate.dashboard import time_ranges
from trackmate.dashboard.dimensions import dimension_for, dimensions
from trackmate.dashboard.search.syntax import MAX_LENGTH, format_token, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from trackmate.dashboard.entities import EntityPage
    from trackmate.dashboard.search.syntax import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveFilter:
    """One condition that rows have to match."""

    label: str
    """What is filtered by; "" for free text."""
    value: str
    is_negated: bool = False
    remove_url: str
    """The list without it."""


def active_filters(page: EntityPage, params: Mapping[str, str]) -> list[ActiveFilter]:
    """Return the filters of the query line, then those of single dimensions."""
    return [*_from_query(page, params), *_from_params(page, params)]


def describe_filter(name: str, value: str) -> tuple[str, str]:
    """Return a parameter in the words of the screen: ("Status", "Failed")."""
    if name == "q":
        return _("Search"), value
    if name in time_ranges.TIME_PARAMS:
        labels = {"range": _("Time"), "start": _("From"), "end": _("To")}
        return labels[name], str(dict(time_ranges.choices()).get(value, value))
    dimension = dimensions().get(name)
    if dimension is None:
        return name, value
    return str(dimension.label), dimension.label_for(value)


def excluding_params(params: Mapping[str, str], name: str, value: str) -> dict[str, str] | None:
    """Return the parameters that also exclude a value; None if no token can say that."""
    token = format_token(dimensions()[name].key, value, negated=True)
    line = f"{params.get('q', '')} {token}".strip()
    return {**params, "q": line} if token and len(line) <= MAX_LENGTH else None


def _from_query(page: EntityPage, params: Mapping[str, str]) -> Iterator[ActiveFilter]:
    line = params.get("q", "")
    tokens = tokenize(line)
    words = [token for token in tokens if token.is_word]
    if words:
        rest = " ".join(token.text for token in tokens if not token.is_word)
        text = " ".join(token.value for token in words)
        yield ActiveFilter(label="", value=text, remove_url=_url(page, params, rest))
    for token in tokens:
        if token.value and not token.is_word:
            rest = " ".join(each.text for each in tokens if each is not token)
            yield ActiveFilter(
                label=_label(token),
                value=token.value,
                is_negated=token.is_negated,
                remove_url=_url(page, params, rest),
            )


def _from_params(page: EntityPage, params: Mapping[str, str]) -> Iterator[ActiveFilter]:
    for name in params:
        if name in dimensions():
            label, value = describe_filter(name, params[name])
            rest = {key: params[key] for key in params if key != name}
            yield ActiveFilter(label=label, value=value, remove_url=_url(page, rest))


def _label(token: Token) -> str:
    dimension = dimension_for(token.key)
    return token.key if dimension is None else str(dimension.label)


def _url(page: EntityPage, params: Mapping[str, str], line: str | None = None) -> str:
    if line is not None:
        params = {**params, "q": line}
    rest = {name: value for name, value in params.items() if value}
    return page.url(rest) if rest else page.cleared_url
