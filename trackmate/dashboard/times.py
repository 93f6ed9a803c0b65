"""Ranges of time as the query line writes them: `-2h..now`, `2026-11-01..2026-11-02`."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _

from trackmate.clock import aware, from_wall_clock
from trackmate.dashboard import windows
from trackmate.dashboard.windows import BEGINNING, CUSTOM, PRESETS, Window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_AGO = re.compile(r"-(?P<number>\d{1,6})(?P<unit>[smhdw])", re.ASCII)
_ZEROS = re.compile(r"T00:00:00$|(?<=T\d\d:\d\d):00$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def typed(text: str) -> Window:
    """Return the range that a text means. Raise ValidationError, which names what is wrong."""
    now = aware(timezone.now())
    first, dots, last = text.partition("..")
    if not dots:
        raise ValidationError(
            _("“%(text)s” is not a range of time. Write -2h..now or 2026-11-01..2026-11-02."),
            params={"text": text},
        )
    start = max(BEGINNING, _moment(first, now)) if first else BEGINNING
    end = min(_moment(last, now, is_end=True), now) if last else now
    if start >= end:
        raise ValidationError(
            _("“%(text)s” begins in the future, or after its end."), params={"text": text}
        )
    if not first:
        return windows.until(end) if end < now else windows.preset(windows.ALL)
    if end == now and _AGO.fullmatch(first):
        return windows.last(now - start, now)
    return windows.between(start, end if end < now else None)


def answers(text: str) -> dict[str, str]:
    """Return what the form says for a text that can be read: a preset or two dates where it has
    them, else the text as it is."""
    first, _dots, last = text.partition("..")
    is_open = last.lower() in ("", "now")
    if is_open and (length := _ago(first)) is not None:
        names = (name for name, preset in PRESETS.items() if preset[0] == length)
        return {"range": next(names, f"{first}..")}
    if _is_date(first) and (is_open or _is_date(last)):
        now = aware(timezone.now())
        end = {} if is_open else {"end": windows.written(_moment(last, now, is_end=True))}
        return {"range": CUSTOM, "start": windows.written(_moment(first, now)), **end}
    return {"range": text}


def text_of(answered: Mapping[str, str], usual: str) -> str:
    """Return what the line says for what the form says; nothing for the usual range, and for what
    cannot be read."""
    start, end = answered.get("start", ""), answered.get("end", "")
    name = answered.get("range") or (CUSTOM if start or end else usual)
    if name == usual:
        return ""
    if name in PRESETS:
        return f"-{name}.."
    try:
        text = f"{_short(start)}..{end and _short(end, is_end=True)}" if name == CUSTOM else name
        typed(text)
    except (ValidationError, OverflowError):
        return ""
    return text


def read(value: Any, *, is_end: bool = False) -> datetime | None:
    """Return the moment that a field of the form says, also in an hour that clocks repeat or skip.
    Raise ValidationError for what is no date and time."""
    field = forms.DateTimeField(required=False)
    try:
        moment = field.to_python(value)
    except ValidationError as error:
        if error.code != "ambiguous_timezone":
            raise
        # What the clocks show is the same text in a zone that never changes them.
        with timezone.override(UTC):
            moment = cast("datetime", field.to_python(value)).replace(tzinfo=None)
    if moment is None:
        return None
    return from_wall_clock(moment, is_end=is_end) if timezone.is_naive(moment) else aware(moment)


def _moment(text: str, now: datetime, *, is_end: bool = False) -> datetime:
    if text.lower() == "now":
        return now
    try:
        if (length := _ago(text)) is not None:
            return now - length
        day, when = parse_date(text), parse_datetime(text)
        if day is not None:
            when = aware(day)
        elif when is not None and timezone.is_naive(when):
            when = from_wall_clock(when, is_end=is_end)
        if when is not None and aware(when) > BEGINNING:
            return aware(when)
    except (ValueError, OverflowError):
        pass
    raise ValidationError(
        _("“%(text)s” is not a moment. Write now, -2h, or 2026-11-01."), params={"text": text}
    )


def _ago(text: str) -> timedelta | None:
    found = _AGO.fullmatch(text)
    return found and timedelta(**{_UNITS[found["unit"]]: int(found["number"])})


def _is_date(text: str) -> bool:
    return text[:1].isdigit()


def _short(text: str, *, is_end: bool = False) -> str:
    """Return a moment of the form, without the zeros that a date does not need."""
    moment = read(text, is_end=is_end)
    return _ZEROS.sub("", windows.written(moment)) if moment else ""
