"""The histogram: which bars a range of time has, and where each of them is drawn.

The server draws it as SVG of plain numbers and classes, so that it needs no script and no inline
style; each bar is a link to its own stretch of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.utils import formats, timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from trackmate.clock import aware, is_repeated
from trackmate.dashboard import texts
from trackmate.dashboard.windows import BEGINNING, CUSTOM, length_text, timeless, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from django.utils.safestring import SafeString

    from trackmate.dashboard.places import Place
    from trackmate.dashboard.windows import Window
    from trackmate.selectors import Bucket, Stretch

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_BARS = 72
QUARTER = timedelta(minutes=15)
HEIGHT = 100
"""Of the drawing, in its own units; a bar is one unit wide."""
LEAST = 2
"""Height of the smallest bar that is not empty: one failure among thousands has to be seen."""

STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        *(1, 2, 5, 10, 15, 30),
        *(minutes * 60 for minutes in (1, 2, 5, 10, 15, 30)),
        *(hours * 3_600 for hours in (1, 2, 3, 6, 12)),
        *(days * 86_400 for days in (1, 2, 7, 14, 30, 90, 365)),
    )
)
"""How much time a bar may stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One stretch of time, drawn."""

    x: int
    time: str
    count: str
    failed: str
    url: str
    good: int
    """Height of what went well..."""
    bad: int
    """... and of what failed, on top of it."""
    ghost: int
    """Height of the same stretch one window earlier."""

    def drawing(self, sentence: str) -> str:
        """Return its rectangles, in a link; the first takes the pointer, wherever over the bar it
        is."""
        x, top = self.x, HEIGHT - self.good - self.bad
        text = escape(sentence % {"time": self.time, "count": self.count, "failed": self.failed})
        drawn = [
            f'<a href="{escape(self.url)}" aria-label="{text}" tabindex="-1"><title>{text}</title>',
            _rectangle("hit", f"{x}", "1", 0, HEIGHT),
        ]
        if self.ghost:
            drawn.append(_rectangle("ghost", f"{x}", "1", HEIGHT - self.ghost, self.ghost))
        if self.good:
            drawn.append(_rectangle("good", f"{x}.1", "0.8", HEIGHT - self.good, self.good))
        if self.bad:
            drawn.append(_rectangle("bad", f"{x}.1", "0.8", top, self.bad))
        return "".join((*drawn, "</a>"))

    @property
    def row(self) -> str:
        """The same as a row of a table."""
        link = f'<a href="{escape(self.url)}">{escape(self.time)}</a>'
        numbers = f"<td>{escape(self.count)}</td><td>{escape(self.failed)}</td>"
        return f'<tr><th scope="row">{link}</th>{numbers}</tr>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A histogram, ready to be drawn."""

    bars: tuple[Bar, ...]
    step: str
    """How much time a bar stands for."""

    @property
    def width(self) -> int:
        """Of the drawing."""
        return len(self.bars)

    @property
    def drawing(self) -> SafeString:
        """All bars."""
        sentence = _("%(time)s: %(count)s, %(failed)s failed")
        return mark_safe("".join(bar.drawing(sentence) for bar in self.bars))  # noqa: S308 (escaped)

    @property
    def rows(self) -> SafeString:
        """The same as the rows of a table."""
        return mark_safe("".join(bar.row for bar in self.bars))  # noqa: S308 (escaped)


def histogram(stretch: Stretch, window: Window, place: Place, asked: Mapping[str, str]) -> Chart:
    """Return the chart of a stretch's rows in a range of time, beside the range of the same length
    before. Two queries."""
    start, end = span(window)
    step = step_of(end - start)
    bounds = bounds_of(start, end, step)
    earlier_by = end - start
    if step >= QUARTER:
        # So that these are whole quarters of an hour too, which are counted already.
        earlier_by = round(earlier_by / QUARTER) * QUARTER
    now = stretch.histogram(bounds)
    before = stretch.histogram([bound - earlier_by for bound in bounds])
    top = max(bucket.count for bucket in (*now, *before))
    urls = _urls(bounds, place, asked)
    date = cache(partial(formats.date_format, format="j M"))
    bars = tuple(
        Bar(
            x=x,
            time=_time(bucket, date),
            count=texts.number(bucket.count),
            failed=texts.number(bucket.failed),
            url=url,
            good=_height(bucket.count - bucket.failed, top),
            bad=_height(bucket.failed, top),
            ghost=_height(earlier.count, top),
        )
        for x, (bucket, earlier, url) in enumerate(zip(now, before, urls, strict=True))
    )
    return Chart(bars=bars, step=length_text(step))


def _urls(bounds: Sequence[datetime], place: Place, asked: Mapping[str, str]) -> Iterator[str]:
    """Yield the address of each stretch of time; what all have in common is worked out once."""
    page = place.url({**timeless(asked), "range": CUSTOM})
    for start, end in pairwise([quote(written(bound)) for bound in bounds]):
        yield f"{page}&start={start}&end={end}"


def span(window: Window) -> tuple[datetime, datetime]:
    """Return both ends of a range of time, aware, in whole seconds."""
    start = aware(window.start).replace(microsecond=0)
    end = aware(window.end) if window.end is not None else aware(timezone.now())
    if end.microsecond:
        end = end.replace(microsecond=0) + timedelta(seconds=1)
    return start, max(end, start + timedelta(seconds=1))


def step_of(length: timedelta) -> timedelta:
    """Return the shortest time per bar that keeps the bars countable."""
    return next((step for step in STEPS if length <= step * MOST_BARS), STEPS[-1])


def bounds_of(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    """Return where bars begin and end: at round local times, and at both ends of the range."""
    bounds = [start]
    bound = _next_bound(aware(start), step)
    while bound < end:
        bounds.append(bound)
        bound = _next_bound(bound, step)
    return [*bounds, end]


def _next_bound(bound: datetime, step: timedelta) -> datetime:
    """Return the next round local time. The bar in which clocks are changed is longer or shorter
    by what they are changed by, so that those behind it begin at round times again."""
    following = bound + step - _beyond(bound, step)
    missed = _beyond(following, step)
    if not missed:
        return following
    back = _offset(bound) - _offset(following)
    moved = following + back
    return moved if not _beyond(moved, step) else moved + step


def _beyond(moment: datetime, step: timedelta) -> timedelta:
    """Return how long the last round local time has been over."""
    return (moment - EPOCH + _offset(moment)) % step


def _offset(moment: datetime) -> timedelta:
    return timezone.localtime(moment).utcoffset() or timedelta()


def between(start: datetime, end: datetime) -> dict[str, str]:
    """Return the filters of a stretch of time, in the form's own format."""
    return {"range": CUSTOM, "start": written(start), "end": written(end)}


def dates(window: Window) -> dict[str, str]:
    """Return a range of time as the form's two dates; all time has no beginning."""
    found = between(*span(window))
    return {**found, "start": ""} if window.start == BEGINNING else found


def _height(count: int, top: int) -> int:
    return max(LEAST, round(count * (HEIGHT - 2 * LEAST) / top)) if count else 0


def _rectangle(kind: str, x: str, width: str, y: int, height: int) -> str:
    return f'<rect class="tm-bar-{kind}" x="{x}" y="{y}" width="{width}" height="{height}"></rect>'


def _time(bucket: Bucket, date_of: Callable[[date], str]) -> str:
    start, end = timezone.localtime(bucket.start), timezone.localtime(bucket.end)
    until = _clock(end)
    if end.date() != start.date():
        until = f"{date_of(end.date())} {until}"
    since = f"{date_of(start.date())} {_clock(start)}"
    return _("%(start)s to %(end)s") % {"start": since, "end": until}


def _clock(local: datetime) -> str:
    # In the hour that comes twice, only the zone tells which one it is.
    return f"{local:%H:%M:%S %Z}" if is_repeated(local) else f"{local:%H:%M:%S}"
