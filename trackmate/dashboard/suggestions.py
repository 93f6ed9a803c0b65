"""What a token of the query line, or another field, may go on with.

Values are those of the newest activities that this person may see: one bounded read, which is
remembered for a minute. Whatever fails, there are fewer suggestions and no error.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.exceptions import EmptyResultSet
from django.db import Error

from trackmate.conf import get_settings
from trackmate.dashboard.access import user_of
from trackmate.dashboard.answers import failure
from trackmate.dashboard.budget import BudgetExceededError, time_budget
from trackmate.dashboard.filters import METHODS
from trackmate.dashboard.query import READINGS, tokens, written
from trackmate.dashboard.windows import PRESETS
from trackmate.enums import OTHER, ActionType, Source, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet
    from django.http import HttpRequest

    from trackmate.selectors import Rows

MOST = 10
"""Values that are suggested at once."""
NEWEST = 5_000
"""Activities that are looked at."""
KEPT = 500
"""Values that are remembered of them."""
SECONDS = 60
BUDGET = 150
"""Milliseconds for the look; nobody waits for a suggestion."""

FIXED: dict[str, tuple[str, ...]] = {
    "type": (*ActionType.values, OTHER),
    "status": (*Status.values, "5xx", "4xx"),
    "source": tuple(Source.values),
    "method": METHODS,
    "created": tuple(f"-{name}.." for name in PRESETS),
}
"""Values that are always suggested."""

COLUMNS = {
    "actor": ("actor_id", "actor_label", "method"),
    "type": ("action_type",),
    "action": ("action",),
    "status": ("status_code",),
    "method": ("method",),
    "route": ("route",),
    "path": ("path",),
    "object": ("content_type_id",),
    "ip": ("ip_address",),
}
"""Where the values that occur are."""

_BEGUN = re.compile(r'(?P<minus>-?)(?P<name>[A-Za-z_]*)(?:(?P<colon>:)"?(?P<value>[^"]*)"?)?')


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One way to go on."""

    text: str
    """What is put in."""
    before: str
    """All that stands before the cursor then."""
    after: str = ""
    """All that stands behind it."""


def of_line(request: HttpRequest, rows: Rows, line: str, at: int) -> tuple[Suggestion, ...]:
    """Return how the token can go on in which the cursor stands, behind `at` characters."""
    token = next((each for each in tokens(line) if each.start < at <= each.end), None)
    start, end = (token.start, token.end) if token else (at, at)
    if token and token.is_unclosed:
        # What follows has become a part of it only because the second quote is not there yet.
        end = at
    begun = _BEGUN.fullmatch(line[start:at])
    if begun is None:
        return ()
    texts = list(_texts(request, rows, begun))
    if texts == [line[start:end]]:
        return ()
    rest = line[end:].lstrip()
    return tuple(
        Suggestion(
            text=text,
            before=line[:start] + text + ("" if text.endswith(":") else " "),
            after=rest and (f" {rest}" if text.endswith(":") else rest),
        )
        for text in texts
    )


def of_field(request: HttpRequest, rows: Rows, name: str, text: str) -> tuple[Suggestion, ...]:
    """Return values for a field that takes what the token of this name takes."""
    found = [value for value in _values(request, rows, name, text.strip()) if value != text]
    return tuple(Suggestion(text=value, before=value) for value in found)


def _texts(request: HttpRequest, rows: Rows, begun: re.Match[str]) -> Iterator[str]:
    name, minus = begun["name"].lower(), begun["minus"]
    if not begun["colon"]:
        yield from (f"{minus}{each}:" for each in READINGS if each.startswith(name))
        return
    for value in _values(request, rows, name, begun["value"]):
        if text := written(name, value, minus=bool(minus)):
            yield text


def _values(request: HttpRequest, rows: Rows, name: str, begun: str) -> list[str]:
    """Return values that begin so, then values that hold it, each the most frequent first."""
    begun = begun.casefold()
    known = dict.fromkeys([*FIXED.get(name, ()), *_occurring(request, rows, name)])
    holding = [value for value in known if begun in value.casefold()]
    return sorted(holding, key=lambda value: not value.casefold().startswith(begun))[:MOST]


def _occurring(request: HttpRequest, rows: Rows, name: str) -> list[str]:
    if name not in COLUMNS:
        return []
    asked = rows.order_by("-pk").values_list(*COLUMNS[name])[:NEWEST]
    try:
        key = _key(request, asked)
    except EmptyResultSet:
        return []
    found: Any = None
    with suppress(Exception):
        # A cache may fail in whichever way it likes.
        found = cache.get(key)
    if found is None:
        found = _read(name, asked)
        with suppress(Exception):
            cache.set(key, found, SECONDS)
    return list(found)


def _key(request: HttpRequest, asked: QuerySet[Any, Any]) -> str:
    """Return where values are remembered: for one person, on one site, who may see just these
    rows, so that nobody is told of what another may see."""
    user = user_of(request)
    sql = asked.query.get_compiler(asked.db).as_sql()
    question = repr((request.get_host(), user and user.pk, asked.db, sql))
    return f"trackmate.suggestions.{sha256(question.encode()).hexdigest()}"


def _read(name: str, asked: QuerySet[Any, Any]) -> list[str]:
    try:
        settings = get_settings()
        milliseconds = min(BUDGET, settings.QUERY_TIMEOUT) or BUDGET
        with time_budget(settings.DATABASE, milliseconds=milliseconds):
            counted = Counter(asked).most_common(KEPT)
        return _named(name, [values for values, _count in counted])
    except (BudgetExceededError, Error) as error:
        failure(error)
        return []


def _named(name: str, found: list[tuple[Any, ...]]) -> list[str]:
    """Return values as a token says them, without those that are empty or cannot be typed."""
    if name == "actor":
        texts = [
            label or (f"#{key}" if key is not None else method and "anonymous")
            for key, label, method in found
        ]
    elif name == "object":
        kinds = ContentType.objects.in_bulk([key for (key,) in found if key is not None])
        types = [kinds[key] for (key,) in found if key in kinds]
        texts = [f"{kind.app_label}.{kind.model}" for kind in types]
    else:
        texts = [str(value) for (value,) in found if value is not None]
    return [text for text in dict.fromkeys(texts) if text and text.isprintable()]
