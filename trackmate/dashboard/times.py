"""Ranges of time as the query line writes them: `-2h..now`, `2026-11-01..2026-11-02`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _

from trackmate.clock import aware
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
    end = min(_moment(last, now), now) if last else now
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
        end = {} if is_open else {"end": windows.written(_moment(last, now))}
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
        text = f"{_short(start)}..{end and _short(end)}" if name == CUSTOM else name
        typed(text)
    except (ValidationError, OverflowError):
        return ""
    return text


def _moment(text: str, now: datetime) -> datetime:
    if text.lower() == "now":
        return now
    try:
        if (length := _ago(text)) is not None:
            return now - length
        if (when := parse_date(text) or parse_datetime(text)) and aware(when) > BEGINNING:
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


def _short(text: str) -> str:
    """Return a moment of the form, without the zeros that a date does not need."""
    return _ZEROS.sub("", windows.written(forms.DateTimeField().clean(text)))
