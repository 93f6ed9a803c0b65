"""Time ranges as text in the query line: `-2h..now`, `yesterday`, `2026-11-01..2026-11-02`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _

from trackmate.clock import aware, from_wall_clock
from trackmate.dashboard import time_ranges
from trackmate.dashboard.time_ranges import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Callable

    from trackmate.dashboard.time_ranges import TimeRange

_AGO = re.compile(r"-(?P<number>\d{1,6})(?P<unit>[smhdw])", re.ASCII)
_CLOCK = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

DAYS: dict[str, Callable[[date], date]] = {
    "today": lambda today: today,
    "yesterday": lambda today: today - timedelta(days=1),
}
"""Names of days."""


def parse_range(text: str) -> TimeRange:
    """Return the time range that a text means.

    Raise ValidationError for any other text, with a message that names what is wrong.
    """
    now = aware(timezone.now())
    first, dots, last = text.partition("..")
    if not dots:
        return _parse_one(text, now)
    if _CLOCK.fullmatch(first):
        start, end = _parse_from_clock(first, last, text, now)
    else:
        start = max(BEGINNING, _parse_time(first, now)) if first else BEGINNING
        # After a date with a time, a time of day is one of the same day.
        day = _date_of(min(start, now)) if ":" in first else None
        end = _parse_time(last, now, day=day, is_end=True) if last else now
    end = min(end, now)
    _refuse_empty(start, end, text)
    if not first:
        return time_ranges.until(end) if end < now else time_ranges.preset(time_ranges.ALL)
    if end == now and _AGO.fullmatch(first):
        return time_ranges.last(now - start, now)
    return time_ranges.between(start, end if end < now else None)


def parse_form_time(value: Any, *, is_end: bool = False) -> datetime | None:
    """Return the time that a field of a form has, also in an hour that clocks repeat or skip.

    Raise ValidationError for what is not a date and time.
    """
    field = forms.DateTimeField(required=False)
    try:
        parsed = field.to_python(value)
    except ValidationError as error:
        if error.code != "ambiguous_timezone":
            raise
        # The same text is unambiguous in a zone that never changes its clocks.
        with timezone.override(UTC):
            parsed = cast("datetime", field.to_python(value)).replace(tzinfo=None)
    if parsed is None:
        return None
    return from_wall_clock(parsed, is_end=is_end) if timezone.is_naive(parsed) else aware(parsed)


def _parse_one(text: str, now: datetime) -> TimeRange:
    """Return the range of a text without "..": a day, or everything since some time ago."""
    if _parse_ago(text) is not None:
        return parse_range(f"{text}..")
    day = _parse_day(text)
    if day is None:
        raise ValidationError(
            _("“%(text)s” is not a time range. Enter one such as -2h..now, yesterday or %(date)s."),
            params={"text": text, "date": _today().isoformat()},
        )
    try:
        start, end = aware(day), aware(day + timedelta(days=1))
    except OverflowError:
        raise _not_a_time(text) from None
    _refuse_empty(max(start, BEGINNING), min(end, now), text)
    return time_ranges.between(start, end)


def _parse_time(
    text: str, now: datetime, *, day: date | None = None, is_end: bool = False
) -> datetime:
    """Return a time; a time of day is one of `day`, by default of today."""
    if text.lower() == "now":
        return now
    try:
        if (length := _parse_ago(text)) is not None:
            return now - length
        if (named := _parse_day(text)) is not None:
            parsed = aware(named)
        elif (wall := _parse_wall_clock(text, day)) is None:
            raise _not_a_time(text)
        else:
            naive = timezone.is_naive(wall)
            parsed = from_wall_clock(wall, is_end=is_end) if naive else aware(wall)
        if parsed > BEGINNING:
            return parsed
    except (ValueError, OverflowError):
        pass
    raise _not_a_time(text)


def _parse_from_clock(first: str, last: str, text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the latest range that starts at a time of day: 23:00..01:00 may be last night."""
    today = _today()
    for day in (today, today - timedelta(days=1)):
        start = _parse_time(first, now, day=day)
        end = _parse_time(last, now, day=day, is_end=True) if last else now
        if end <= start and _CLOCK.fullmatch(last):
            end = _parse_time(last, now, day=day + timedelta(days=1), is_end=True)
        if start < now:
            return start, end
    raise _not_a_time(text)


def _date_of(time: datetime) -> date:
    return time.astimezone(timezone.get_current_timezone()).date()


def _today() -> date:
    # Not by localdate(), which takes no naive datetime.
    return timezone.localtime(aware(timezone.now())).date()


def _parse_ago(text: str) -> timedelta | None:
    match = _AGO.fullmatch(text)
    return match and timedelta(**{_UNITS[match["unit"]]: int(match["number"])})


def _parse_day(text: str) -> date | None:
    if text.lower() in DAYS:
        return DAYS[text.lower()](_today())
    try:
        return parse_date(text)
    except ValueError:
        return None


def _parse_wall_clock(text: str, day: date | None) -> datetime | None:
    """Return a date and time, or a time of a day."""
    if match := _CLOCK.fullmatch(text):
        clock = time(int(match["hour"]), int(match["minute"]), int(match["second"] or 0))
        return datetime.combine(day or _today(), clock)
    return parse_datetime(text)


def _refuse_empty(start: datetime, end: datetime, text: str) -> None:
    if start >= end:
        raise ValidationError(
            _("“%(text)s” starts in the future, or after its end."), params={"text": text}
        )


def _not_a_time(text: str) -> ValidationError:
    return ValidationError(
        _("“%(text)s” is not a date or time. Enter now, -2h, 10:30 or %(date)s."),
        params={"text": text, "date": _today().isoformat()},
    )
