"""Times, durations, numbers and JSON as people read them."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from trackmate.clock import aware

if TYPE_CHECKING:
    from datetime import date


# Control characters but tab and line feed; what has no width; what reorders or tags text; lone
# surrogates, which no page can be encoded with.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)

_RECORDED_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?\+00:00", re.ASCII)

FACTOR_FROM = 1_000
"""From this percentage on, a change is shown as a factor: "10x"."""

UNGROUPED = 1_000
"""Smaller numbers are the same in every language."""


class Times:
    """Times as a list shows them: with the date unless it is today, or as an age.

    The full time is the title. What many times have in common is formatted once.
    """

    def __init__(self, *, is_relative: bool = False) -> None:
        self.is_relative = is_relative
        self.zone = timezone.get_current_timezone()
        self.today = timezone.localtime(aware(timezone.now()), self.zone).date()
        self.date = cache(lambda date: escape(_date(date)))
        self.short_date = cache(lambda date: escape(formats.date_format(date, "j M")))
        self.zone_name = cache(escape)

    def __call__(self, value: datetime) -> SafeString:
        local = aware(value).astimezone(self.zone)
        date, stamp = local.date(), local.isoformat(timespec="milliseconds")
        clock, zone = stamp[11:19], self.zone_name(local.tzname() or "")
        # In a time stamp of ISO 8601 the clock, to the millisecond, follows the date and a T.
        title = f"{self.date(date)}, {stamp[11:23]} {zone}"
        if self.is_relative:
            shown = escape(format_age(local))
        else:
            shown = clock if date == self.today else f"{self.short_date(date)} {clock}"
        return SafeString(f'<time datetime="{stamp}" title="{title}">{shown}</time>')


def format_full_time(value: datetime) -> SafeString:
    """Return a time in full, and its age."""
    return format_html('{} <span class="tm-quiet">{}</span>', format_time(value), format_age(value))


def format_time(value: datetime) -> SafeString:
    """Return a time in full."""
    local = timezone.localtime(aware(value))
    stamp = local.isoformat(timespec="milliseconds")
    return format_html('<time datetime="{}">{}</time>', stamp, format_exact_time(local))


def format_recorded_time(text: str) -> str:
    """Return the time of a field, as it is recorded, in the current time zone; other texts as they
    are."""
    if not _RECORDED_TIME.fullmatch(text):
        return text
    try:
        local = timezone.localtime(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return text
    return f"{local.replace(tzinfo=None).isoformat(sep=' ')} {local.tzname()}"


def format_exact_time(local: datetime) -> str:
    """Return a local time to the millisecond, with its zone."""
    clock = local.isoformat(timespec="milliseconds")[11:23]
    return f"{_date(local.date())}, {clock} {local.tzname()}"


def _date(value: date) -> str:
    return formats.date_format(value, "DATE_FORMAT")


def format_age(value: datetime) -> str:
    """Return the age of a time: "3 minutes ago"."""
    now = aware(timezone.now())
    if (now - aware(value)).total_seconds() < 60:  # noqa: PLR2004 (a minute)
        return _("just now")
    return _("%(length)s ago") % {"length": timesince(aware(value), now, depth=1)}


class Durations:
    """Durations with a suitable unit, in the reader's language."""

    def __init__(self) -> None:
        self.milliseconds, self.seconds = _("%(number)s ms"), _("%(number)s s")
        self.number = Numbers()

    def __call__(self, seconds: float) -> str:
        if seconds < 1:
            places = 1 if seconds < 0.01 else 0  # noqa: PLR2004 (10 ms)
            return self.milliseconds % {"number": self.number(seconds * 1000, places)}
        places = 2 if seconds < 10 else 1  # noqa: PLR2004 (10 s)
        return self.seconds % {"number": self.number(seconds, places)}


def format_duration(seconds: float) -> str:
    """Return a duration with a suitable unit."""
    return Durations()(seconds)


def format_json(value: Any) -> str:
    """Return indented JSON; characters that hide or reorder text are escaped."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)
    except RecursionError:
        # Without indentation Python goes deeper.
        text = json.dumps(value, ensure_ascii=False, cls=DjangoJSONEncoder)
    return escape_invisible(text)


def escape_invisible(text: str) -> str:
    """Escape the characters of a text that hide or reorder others, as JSON does."""
    return _INVISIBLE.sub(lambda match: json.dumps(match[0])[1:-1], text)


def format_number(value: int) -> str:
    """Return a count with the separators of the reader's language."""
    if 0 <= value < UNGROUPED:
        return str(value)
    return formats.number_format(value, use_l10n=True, force_grouping=True)


def format_share(value: float) -> str:
    """Return a part of one as a percentage."""
    # 99.97 % is not 100 %.
    percent = 100 * value if value >= 1 else min(100 * value, 99.9)
    places = 0 if percent in (0, 100) or 10 <= percent <= 99 else 1  # noqa: PLR2004 (per cent)
    return _("%(number)s %%") % {"number": Numbers()(percent, places)}


def format_change(value: float, previous: float) -> str:
    """Return how a number that was not zero has changed, as a percentage, or as a factor where that
    reads better; "" for less than one per cent."""
    percent = round(100 * (value - previous) / previous)
    if percent >= FACTOR_FROM:
        return _("%(number)sx") % {"number": format_number(round(percent / 100))}
    if value:
        # 99.97 % is not 100 %.
        percent = max(percent, -99)
    return _("%(change)s %%") % {"change": f"{percent:+d}"} if percent else ""


class Numbers:
    """Numbers with a fixed number of decimal places, in the reader's language."""

    def __init__(self) -> None:
        self.point = formats.get_format("DECIMAL_SEPARATOR")

    def __call__(self, value: float, places: int) -> str:
        # Django's function truncates, and does not round.
        rounded = round(value, places)
        if not 0 <= rounded < UNGROUPED:
            return formats.number_format(rounded, decimal_pos=places)
        return f"{rounded:.{places}f}".replace(".", self.point)
