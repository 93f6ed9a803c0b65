"""Short tables of what occurs most, each read within a time budget of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from trackmate.dashboard import query, texts
from trackmate.dashboard.answers import Answer, answer
from trackmate.dashboard.places import EXPLORER, actor_token, place_of
from trackmate.dashboard.windows import times_of
from trackmate.enums import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trackmate.dashboard.places import Place
    from trackmate.selectors import Top

Figure = Literal["count", "failed", "mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a panel."""

    label: str
    page_url: str = ""
    """The page about it, if it has one."""
    url: str = ""
    """The activities that were counted, if a filter can ask for them."""
    number: str
    without_url: str = ""
    """The same list without these."""
    failed: int = 0
    failed_url: str = ""
    share: int = 0
    """Of the first line's number, in hundredths."""
    change: str = ""
    """Against the range of time before, where that was counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What occurs most, under one heading."""

    title: str
    column: str
    """What the numbers are."""
    answer: Answer

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The lines, if there are any."""
        return self.answer.value or ()


def panel(
    title: str,
    find: Callable[[], tuple[Top, ...]],
    *,
    name: str,
    asked: Mapping[str, str],
    place: Place = EXPLORER,
    by: Figure = "count",
    column: str,
) -> Panel:
    """Return the panel of what `find` finds.

    `name` is the filter that a line stands for, `asked` what was asked beside it, `place` the list
    that the lines lead to, `by` the figure that is shown: "count", "failed" or "mean".
    """
    read = partial(entries, name=name, asked=asked, place=place, by=by)
    return Panel(title=title, column=column, answer=answer(lambda: read(find())))


def entries(
    found: tuple[Top, ...],
    *,
    name: str,
    asked: Mapping[str, str],
    place: Place = EXPLORER,
    by: Figure = "count",
    former: Mapping[tuple[Any, ...], int] | None = None,
) -> tuple[Entry, ...]:
    """Return the lines of a panel; `former` says how often each occurred in the time before."""
    most = max((getattr(top, by) or 0 for top in found), default=0)
    line = partial(
        _entry,
        name=name,
        asked=asked,
        place=place,
        page=place.url(),
        by=by,
        most=most,
        former=former,
    )
    return tuple(line(top) for top in found)


def _entry(
    top: Top,
    *,
    name: str,
    asked: Mapping[str, str],
    place: Place,
    page: str,
    by: Figure,
    most: float,
    former: Mapping[tuple[Any, ...], int] | None,
) -> Entry:
    value, label = _value_and_label(top)
    about = place_of(name, value)
    url = f"{page}?{urlencode({**asked, name: value})}"
    failed_url = f"{page}?{urlencode({**asked, name: value, 'status': Status.FAILED.value})}"
    size = getattr(top, by) or 0
    return Entry(
        label=label,
        page_url=about.url(times_of(asked)) if about.kind else "",
        url=failed_url if by == "failed" else url,
        number=texts.duration(size) if by == "mean" else texts.number(size),
        without_url=_without_url(place, asked, name, value) if by == "count" else "",
        failed=top.failed if by == "count" else 0,
        failed_url=failed_url,
        share=round(100 * size / most) if most else 0,
        change="" if former is None else texts.change(top.count, former.get(top.values, 0)),
    )


def _without_url(place: Place, asked: Mapping[str, str], name: str, value: str) -> str:
    if name in asked or not (token := query.written(query.NAMES[name], value, minus=True)):
        return ""
    return place.url({**asked, "q": f"{asked.get('q', '')} {token}".strip()})


def _value_and_label(top: Top) -> tuple[str, str]:
    """Return how the filter says a value, and how people do; an actor has a key and a name."""
    if len(top.values) == 1:
        return str(top.values[0]), str(top.values[0])
    key, label = top.values
    value = actor_token(key, label)
    return value, label or value
