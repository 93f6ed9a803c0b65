"""Time ranges: the presets, the project's default, and ranges between two dates."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import formats, timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from trackmate.clock import aware, is_repeated
from trackmate.conf import get_settings
from trackmate.selectors import KeyRange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.db.models import Q
    from django.http import QueryDict
    from django_stubs_ext import StrPromise

    from trackmate.selectors import Rows

PRESETS: dict[str, tuple[timedelta, StrPromise, StrPromise]] = {
    "15m": (timedelta(minutes=15), _("15 min"), _("the last 15 minutes")),
    "1h": (timedelta(hours=1), _("1 h"), _("the last hour")),
    "24h": (timedelta(hours=24), _("24 h"), _("the last 24 hours")),
    "7d": (timedelta(days=7), _("7 d"), _("the last 7 days")),
    "30d": (timedelta(days=30), _("30 d"), _("the last 30 days")),
}
DEFAULT, CUSTOM, ALL = "default", "custom", "all"
"""Other values of the parameter `range`: a default that is no preset, two dates, no limit."""

TIME_PARAMS = ("range", "start", "end")
"""The query parameters of a time range."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """A range of time: `start` is included, `end` is not; None means "until now"."""

    start: datetime
    end: datetime | None = None
    describe: Callable[[], str] = field(compare=False, repr=False)
    """Returns the text. Most are never shown, and dates are slow to format."""
    short: StrPromise | str = ""
    """The length of a preset: "24 h"."""

    @property
    def text(self) -> str:
        """The range in a sentence: "the last hour"."""
        return self.describe()

    @property
    def keys(self) -> KeyRange:
        """The range of primary keys, which contain the time."""
        return KeyRange.of_times(self.start, self.end)

    @property
    def condition(self) -> Q:
        """The range as a condition."""
        return self.keys.condition

    @property
    def is_open(self) -> bool:
        """Return True if new rows still belong to the range."""
        return self.end is None or aware(self.end) > aware(timezone.now())

    @property
    def is_unlimited(self) -> bool:
        """Return True if the range has no start."""
        return self.start == BEGINNING

    def filter(self, rows: Rows) -> Rows:
        """Return the rows of this range."""
        return self.keys.filter(rows)

    def intersect(self, other: TimeRange) -> TimeRange | None:
        """Return the part that two ranges have in common, or None."""
        start = max(aware(self.start), aware(other.start))
        ends = [aware(each.end) for each in (self, other) if each.end is not None]
        end = min(ends, default=None)
        if start >= (end or aware(timezone.now())):
            return None
        for each in (self, other):
            if aware(each.start) == start and (each.end and aware(each.end)) == end:
                return each
        return between(start, end)

    def bounds(self) -> tuple[datetime, datetime]:
        """Return start and end, aware and in whole seconds."""
        start = aware(self.start).replace(microsecond=0)
        end = aware(self.end) if self.end is not None else aware(timezone.now())
        if end.microsecond:
            end = end.replace(microsecond=0) + timedelta(seconds=1)
        return start, max(end, start + timedelta(seconds=1))

    def to_params(self) -> dict[str, str]:
        """Return the range as two dates; a range without a limit has no start."""
        params = params_between(*self.bounds())
        return {**params, "start": ""} if self.is_unlimited else params


def choices() -> list[tuple[str, StrPromise | str]]:
    """Return the choices of the form: presets, the default if it is not one of them, two dates."""
    presets: list[tuple[str, StrPromise | str]] = [
        (name, short) for name, (_length, short, _text) in PRESETS.items()
    ]
    if default_name() == DEFAULT:
        presets.insert(0, (DEFAULT, format_length(_default_length())))
    return [*presets, (CUSTOM, _("Custom"))]


def default_name() -> str:
    """Return the choice that the dashboard opens with."""
    length = _default_length()
    return next((name for name, preset in PRESETS.items() if preset[0] == length), DEFAULT)


def preset(name: str) -> TimeRange:
    """Return the range of a choice, counted back from now; the default for an unknown name."""
    if name == ALL:
        return TimeRange(start=BEGINNING, describe=lambda: gettext("all time"))
    if name in PRESETS:
        length, short, text = PRESETS[name]
        start = aware(timezone.now()) - length
        return TimeRange(start=start, describe=lambda: str(text), short=short)
    return last(_default_length(), aware(timezone.now()))


def last(length: timedelta, now: datetime) -> TimeRange:
    """Return the range of this length that ends now."""
    return TimeRange(
        start=now - length,
        describe=lambda: gettext("the last %(length)s") % {"length": format_length(length)},
    )


def between(start: datetime, end: datetime | None) -> TimeRange:
    """Return the range between two dates, or from a date until now."""
    # Rows are never in the future, and databases cannot calculate with far dates.
    is_over = end is not None and aware(end) <= aware(timezone.now())
    return TimeRange(
        start=start, end=end if is_over else None, describe=lambda: _format_dates(start, end)
    )


def until(end: datetime) -> TimeRange:
    """Return the range of everything before a date."""
    return TimeRange(
        start=BEGINNING,
        end=end,
        describe=lambda: gettext("the time before %(end)s") % {"end": _format_date(end)},
    )


def wider_presets(time_range: TimeRange) -> list[tuple[str, StrPromise]]:
    """Return names and texts of the presets that start earlier than a range."""
    age = aware(timezone.now()) - aware(time_range.start)
    return [(name, text) for name, (length, _short, text) in PRESETS.items() if length > age]


def time_params(params: Mapping[str, str] | QueryDict) -> dict[str, str]:
    """Return the parameters that are about time."""
    return {name: str(params[name]) for name in TIME_PARAMS if params.get(name)}


def without_time(params: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that are not about time."""
    return {name: value for name, value in params.items() if name not in TIME_PARAMS}


def params_between(start: datetime, end: datetime) -> dict[str, str]:
    """Return the parameters of a range between two dates."""
    return {"range": CUSTOM, "start": to_form_value(start), "end": to_form_value(end)}


def params_since(time: datetime) -> dict[str, str]:
    """Return the parameters of the shortest range that includes a time; none for the default."""
    age = aware(timezone.now()) - aware(time)
    if age < _default_length():
        return {}
    name = next((name for name, (length, *_texts) in PRESETS.items() if age < length), CUSTOM)
    return {"range": name} if name != CUSTOM else {"range": CUSTOM, "start": to_form_value(time)}


def to_form_value(time: datetime) -> str:
    """Return a time as the form's fields take it: local, in whole seconds."""
    local = timezone.localtime(aware(time))
    # The repeated hour is ambiguous without its offset.
    if not is_repeated(local):
        local = local.replace(tzinfo=None)
    return local.isoformat(timespec="seconds")


def format_length(length: timedelta) -> str:
    """Return a length of time in its largest whole unit: "90 minutes"."""
    seconds = int(length.total_seconds())
    if seconds % 86_400 == 0:
        return ngettext("%d day", "%d days", seconds // 86_400) % (seconds // 86_400)
    if seconds % 3_600 == 0:
        return ngettext("%d hour", "%d hours", seconds // 3_600) % (seconds // 3_600)
    if seconds % 60 == 0:
        return ngettext("%d minute", "%d minutes", seconds // 60) % (seconds // 60)
    return ngettext("%d second", "%d seconds", seconds) % seconds


def _default_length() -> timedelta:
    return timedelta(seconds=max(60, get_settings().DASHBOARD_WINDOW))


def _format_dates(start: datetime, end: datetime | None) -> str:
    if end is None:
        return gettext("the time since %(start)s") % {"start": _format_date(start)}
    dates = {"start": _format_date(start), "end": _format_date(end)}
    return gettext("%(start)s to %(end)s") % dates


def _format_date(time: datetime) -> str:
    with suppress(OverflowError):  # the last day of the calendar has no local time everywhere
        time = timezone.localtime(aware(time))
    text = formats.date_format(time, "SHORT_DATETIME_FORMAT")
    return f"{text} {time.tzname()}" if is_repeated(time) else text
