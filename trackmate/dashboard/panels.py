"""Short tables of what occurs most, each read within a time budget of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from trackmate.dashboard import query, texts
from trackmate.dashboard.answers import Answer, answer
from trackmate.dashboard.places import EXPLORER, actor_token, url_of, with_query
from trackmate.dashboard.windows import times_of
from trackmate.enums import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.utils.safestring import SafeString

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

    @property
    def body(self) -> SafeString:
        """The lines as rows of a table: there are a hundred on a page."""
        words = Words()
        return mark_safe("".join(_row(entry, words) for entry in self.entries))  # noqa: S308 (escaped)


class Words:
    """What every line of a panel says, in the reader's language."""

    def __init__(self) -> None:
        self.against = escape(_("against the time before"))
        self.leave_out = escape(_("Leave out"))
        self.failed = escape(_("Failed"))


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
        times=times_of(asked),
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
    times: Mapping[str, str],
    page: str,
    by: Figure,
    most: float,
    former: Mapping[tuple[Any, ...], int] | None,
) -> Entry:
    value, label = _value_and_label(top)
    url = with_query(page, {**asked, name: value})
    failed_url = with_query(page, {**asked, name: value, "status": Status.FAILED.value})
    size = getattr(top, by) or 0
    return Entry(
        label=label,
        page_url=url_of(name, value, times),
        url=failed_url if by == "failed" else url,
        number=texts.duration(size) if by == "mean" else texts.number(size),
        # Where the time before counts, a line can be left out too.
        without_url="" if former is None else _without_url(page, asked, name, value),
        failed=top.failed if by == "count" else 0,
        failed_url=failed_url,
        share=round(100 * size / most) if most else 0,
        change="" if former is None else _change(top.count, former.get(top.values, 0)),
    )


def _without_url(page: str, asked: Mapping[str, str], name: str, value: str) -> str:
    if name in asked or not (token := query.written(query.NAMES[name], value, minus=True)):
        return ""
    line = f"{asked.get('q', '')} {token}".strip()
    return with_query(page, {**asked, "q": line})


def _change(value: int, former: int) -> str:
    return (texts.change(value, former) or "=") if former else _("new")


def _value_and_label(top: Top) -> tuple[str, str]:
    """Return how the filter says a value, and how people do; an actor has a key and a name."""
    if len(top.values) == 1:
        return str(top.values[0]), str(top.values[0])
    key, label = top.values
    value = actor_token(key, label)
    return value, label or value


def _row(entry: Entry, words: Words) -> str:
    label, url = escape(entry.label), escape(entry.url)
    about = escape(entry.page_url) or url
    name, number, share, without, failed = f"<bdi>{label}</bdi>", escape(entry.number), "", "", ""
    if about:
        name = f'<a href="{about}" title="{label}">{name}</a>'
    if url:
        number = f'<a href="{url}">{number}</a>'
    if entry.share:
        share = (
            '<svg class="tm-share" viewBox="0 0 100 1" preserveAspectRatio="none" '
            f'aria-hidden="true"><rect width="{entry.share}" height="1"></rect></svg>'
        )
    if entry.without_url:
        without = (
            f'<a href="{escape(entry.without_url)}" title="{words.leave_out}"><span '
            f'aria-hidden="true">\N{MINUS SIGN}</span><span class="tm-unseen">{words.leave_out} '
            f"{label}</span></a>"
        )
    if entry.failed:
        failed = (
            f'<a class="tm-bad" href="{escape(entry.failed_url)}" title="{words.failed}"><svg '
            'class="tm-icon" aria-hidden="true"><use href="#tm-icon-failed"></use></svg>'
            f"{texts.number(entry.failed)}</a>"
        )
    return (
        f'<tr><th scope="row">{name} {share}</th><td>{number}</td>'
        f'<td class="tm-quiet" title="{words.against}">{escape(entry.change)}</td>'
        f"<td>{without}</td><td>{failed}</td></tr>\n"
    )
