"""The histogram: activities over time, drawn as SVG on the server.

It needs no script and no inline style: numbers, classes, and a link on each bar to its own time
range.
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
from django.utils.translation import get_language_bidi
from django.utils.translation import gettext as _

from trackmate.clock import aware, is_repeated
from trackmate.dashboard import formatting
from trackmate.dashboard.search.syntax import without_time_filters
from trackmate.dashboard.time_ranges import CUSTOM, format_length, to_form_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from django.utils.safestring import SafeString

    from trackmate.dashboard.entities import EntityPage
    from trackmate.dashboard.time_ranges import TimeRange
    from trackmate.selectors import Bucket, PeriodStats

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_BARS = 72
MAX_TICKS = 9
QUARTER_HOUR = timedelta(minutes=15)
DAY = timedelta(days=1)
HEIGHT = 100
"""Of the drawing, in its own units; a bar is one unit wide."""
MIN_HEIGHT = 2
"""Of a bar that is not empty: one failure among thousands has to be visible."""

STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        *(1, 2, 5, 10, 15, 30),
        *(minutes * 60 for minutes in (1, 2, 5, 10, 15, 30)),
        *(hours * 3_600 for hours in (1, 2, 3, 6, 12)),
        *(days * 86_400 for days in (1, 2, 7, 14, 30, 90, 365)),
    )
)
"""Lengths of time that a bar, or the space between two labels, can have."""

ROUND_NUMBERS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: the activities of a short time."""

    x: int
    time: str
    count: int
    failed: int
    url: str
    success_height: int
    failed_height: int
    """Drawn on top of the successes."""
    previous_height: int
    """Of the same bar in the previous period."""

    def svg(self, sentence: str) -> str:
        """Return its rectangles in a link; the first one takes the pointer everywhere above the
        bar."""
        x, top = self.x, HEIGHT - self.success_height - self.failed_height
        text = escape(self._text(sentence))
        parts = [
            f'<a href="{escape(self.url)}" aria-label="{text}" tabindex="-1" '
            f'data-count="{self.count}" data-failed="{self.failed}">',
            _rectangle("hit", f"{x}", "1", 0, HEIGHT),
        ]
        if self.previous_height:
            y = HEIGHT - self.previous_height
            parts.append(_rectangle("previous", f"{x}", "1", y, self.previous_height))
            parts.append(f'<path class="tm-bar-edge" d="M{x} {y}h1"></path>')
        if self.success_height:
            y = HEIGHT - self.success_height
            parts.append(_rectangle("success", f"{x}.1", "0.8", y, self.success_height))
        if self.failed_height:
            parts.append(_rectangle("failed", f"{x}.1", "0.8", top, self.failed_height))
        return "".join((*parts, "</a>"))

    @property
    def row(self) -> str:
        """The same as a row of a table."""
        link = f'<a href="{escape(self.url)}">{escape(self.time)}</a>'
        counts = "".join(
            f"<td>{formatting.format_number(each)}</td>" for each in (self.count, self.failed)
        )
        return f'<tr><th scope="row">{link}</th>{counts}</tr>'

    def _text(self, sentence: str) -> str:
        number = formatting.format_number
        return sentence.format(time=self.time, count=number(self.count), failed=number(self.failed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A label of the time axis."""

    position: float
    """From the left, in per cent."""
    text: str
    is_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """A histogram, ready to be drawn."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    step: str
    """How long a bar is."""
    maximum: int
    """The number at the top of the scale."""

    @property
    def width(self) -> int:
        """Of the drawing."""
        return len(self.bars)

    @property
    def sentence(self) -> str:
        """What is said about a bar, or several: with `{time}`, `{count}` and `{failed}`."""
        return _("{time}: {count} activities, {failed} failed")

    @property
    def summary(self) -> str:
        """What is said about all bars."""
        count, failed = sum(bar.count for bar in self.bars), sum(bar.failed for bar in self.bars)
        return _("{count} activities, {failed} failed").format(
            count=formatting.format_number(count), failed=formatting.format_number(failed)
        )

    @property
    def scale(self) -> str:
        """The number at the top of the scale, as text."""
        return formatting.format_number(self.maximum)

    @property
    def svg(self) -> SafeString:
        """All bars."""
        sentence = self.sentence
        return mark_safe("".join(bar.svg(sentence) for bar in self.bars))  # noqa: S308 (escaped)

    @property
    def rows(self) -> SafeString:
        """The same as the rows of a table."""
        return mark_safe("".join(bar.row for bar in self.bars))  # noqa: S308 (escaped)


def build_histogram(
    period: PeriodStats,
    previous: PeriodStats,
    time_range: TimeRange,
    page: EntityPage,
    params: Mapping[str, str],
) -> Histogram:
    """Return the histogram of a time range, with the range of the same length before it.

    Two queries.
    """
    start, end = time_range.bounds()
    step = step_for(end - start)
    bounds = bounds_between(start, end, step)
    shift = end - start
    if step >= QUARTER_HOUR:
        # Whole quarters of an hour, which may have been counted already.
        shift = round(shift / QUARTER_HOUR) * QUARTER_HOUR
    buckets = period.histogram(bounds)
    earlier = previous.histogram([bound - shift for bound in bounds])
    maximum = round_up(max(bucket.count for bucket in (*buckets, *earlier)))
    format_date = cache(partial(formats.date_format, format="j M"))
    bars = tuple(
        Bar(
            x=x,
            time=_format_bucket(bucket, format_date),
            count=bucket.count,
            failed=bucket.failed,
            url=url,
            success_height=_height(bucket.count - bucket.failed, maximum),
            failed_height=_height(bucket.failed, maximum),
            previous_height=_height(before.count, maximum),
        )
        for x, (bucket, before, url) in enumerate(
            zip(buckets, earlier, _urls(bounds, page, params), strict=True)
        )
    )
    ticks = tuple(_ticks(bounds, step, format_date, is_open=time_range.is_open))
    return Histogram(bars=bars, ticks=ticks, step=format_length(step), maximum=maximum)


def step_for(length: timedelta, at_most: int = MAX_BARS) -> timedelta:
    """Return the shortest step that divides a length of time into at most so many parts."""
    return next((step for step in STEPS if length <= step * at_most), STEPS[-1])


def bounds_between(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    """Return where bars start and end: at round local times, and at both ends of the range."""
    bounds = [start]
    bound = _next_bound(aware(start), step)
    while bound < end:
        bounds.append(bound)
        bound = _next_bound(bound, step)
    return [*bounds, end]


def round_up(count: int) -> int:
    """Return the next round number: 1, 2, 5, 15, 400."""
    magnitude = 10 ** (len(str(count)) - 1)
    for factor in ROUND_NUMBERS:
        number = factor * magnitude
        if number >= count and number == int(number):
            return max(1, int(number))
    return count


def _urls(bounds: Sequence[datetime], page: EntityPage, params: Mapping[str, str]) -> Iterator[str]:
    """Yield the address of each bar's time range."""
    url = page.url({**without_time_filters(params), "range": CUSTOM})
    for start, end in pairwise([quote(to_form_value(bound)) for bound in bounds]):
        yield f"{url}&start={start}&end={end}"


def _ticks(
    bounds: Sequence[datetime],
    step: timedelta,
    format_date: Callable[[date], str],
    *,
    is_open: bool,
) -> Iterator[Tick]:
    """Yield labels at round times, and "now" at the end of a range that is open."""
    length = bounds[-1] - bounds[0]
    space = next(
        (each for each in STEPS if each % step == timedelta() and length <= each * MAX_TICKS),
        STEPS[-1],
    )
    last = 86 if is_open else 97
    for index, bound in enumerate(bounds):
        position = 100 * index / (len(bounds) - 1)
        if 3 < position < last and not _since_round(bound, space):  # noqa: PLR2004 (per cent)
            yield Tick(position=_mirrored(position), text=_format_tick(bound, space, format_date))
    if is_open:
        yield Tick(position=_mirrored(100), text=_("now"), is_last=True)


def _mirrored(position: float) -> float:
    """Return a position for the direction of the reader's language."""
    return round(100 - position if get_language_bidi() else position, 2)


def _format_tick(bound: datetime, space: timedelta, format_date: Callable[[date], str]) -> str:
    local = timezone.localtime(bound)
    if space >= DAY or (local.hour, local.minute, local.second) == (0, 0, 0):
        return format_date(local.date())
    return f"{local:%H:%M}" if space >= timedelta(minutes=1) else f"{local:%H:%M:%S}"


def _next_bound(bound: datetime, step: timedelta) -> datetime:
    """Return the next round local time. The bar in which clocks change is longer or shorter by the
    change, so that those after it start at round times again."""
    following = bound + step - _since_round(bound, step)
    missed = _since_round(following, step)
    if not missed:
        return following
    back = _offset(bound) - _offset(following)
    moved = following + back
    return moved if not _since_round(moved, step) else moved + step


def _since_round(time: datetime, step: timedelta) -> timedelta:
    """Return the time since the last round local time."""
    return (time - EPOCH + _offset(time)) % step


def _offset(time: datetime) -> timedelta:
    return timezone.localtime(time).utcoffset() or timedelta()


def _height(count: int, maximum: int) -> int:
    return max(MIN_HEIGHT, round(count * HEIGHT / maximum)) if count else 0


def _rectangle(name: str, x: str, width: str, y: int, height: int) -> str:
    return f'<rect class="tm-bar-{name}" x="{x}" y="{y}" width="{width}" height="{height}"></rect>'


def _format_bucket(bucket: Bucket, format_date: Callable[[date], str]) -> str:
    start, end = timezone.localtime(bucket.start), timezone.localtime(bucket.end)
    until = _format_clock(end)
    if end.date() != start.date():
        until = f"{format_date(end.date())} {until}"
    since = f"{format_date(start.date())} {_format_clock(start)}"
    return _("%(start)s to %(end)s") % {"start": since, "end": until}


def _format_clock(local: datetime) -> str:
    # The repeated hour is ambiguous without its zone.
    return f"{local:%H:%M:%S %Z}" if is_repeated(local) else f"{local:%H:%M:%S}"
