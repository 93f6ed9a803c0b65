"""The range of time that a page looks at: a preset, the project's default, or two dates."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils import formats, timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from trackmate.clock import aware, is_repeated, lowest_uuid7
from trackmate.conf import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

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
DEFAULT = "default"
CUSTOM = "custom"
FIELDS = ("range", "start", "end")
"""What the form asks about time."""
ALL = "all"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A range of time: `start` included, `end` excluded, None for "until now"."""

    start: datetime
    end: datetime | None = None
    say: Callable[[], str] = field(compare=False, repr=False)
    """What says it in a sentence. Most are never said, and dates take long to be written."""

    @property
    def text(self) -> str:
        """How to say it in a sentence: "the last hour"."""
        return self.say()

    def narrow(self, rows: Rows) -> Rows:
        """Keep the rows of this range."""
        return rows.filter(self.condition)

    @property
    def condition(self) -> Q:
        """Return it as a range of primary keys."""
        since = Q(pk__gte=self.first)
        return since if self.end is None else since & Q(pk__lt=lowest_uuid7(aware(self.end)))

    @property
    def first(self) -> UUID:
        """Return the smallest identifier that a row of this range can have."""
        return lowest_uuid7(aware(self.start))

    @property
    def is_open(self) -> bool:
        """Say whether new rows still fall into it."""
        return self.end is None or aware(self.end) > aware(timezone.now())


def choices() -> list[tuple[str, StrPromise | str]]:
    """Return the choices of the form: the presets, the default if it is none of them, two dates."""
    offered: list[tuple[str, StrPromise | str]] = [
        (name, short) for name, (_length, short, _text) in PRESETS.items()
    ]
    if default_name() == DEFAULT:
        offered.insert(0, (DEFAULT, length_text(_default_length())))
    return [*offered, (CUSTOM, _("Custom"))]


def default_name() -> str:
    """Return the choice that the dashboard opens with."""
    length = _default_length()
    return next((name for name, preset in PRESETS.items() if preset[0] == length), DEFAULT)


def preset(name: str) -> Window:
    """Return the range of a choice, counted back from now."""
    if name == ALL:
        return Window(start=BEGINNING, say=lambda: gettext("all time"))
    if name in PRESETS:
        length, _short, said = PRESETS[name]
        return Window(start=aware(timezone.now()) - length, say=lambda: str(said))
    return last(_default_length(), aware(timezone.now()))


def last(length: timedelta, now: datetime) -> Window:
    """Return the range of so much time until now."""
    return Window(
        start=now - length,
        say=lambda: gettext("the last %(length)s") % {"length": length_text(length)},
    )


def times_of(asked: Mapping[str, str] | QueryDict) -> dict[str, str]:
    """Return the part of a question that is about time."""
    return {name: str(asked[name]) for name in FIELDS if asked.get(name)}


def timeless(asked: Mapping[str, str]) -> dict[str, str]:
    """Return the rest of a question."""
    return {name: value for name, value in asked.items() if name not in FIELDS}


def reaching(moment: datetime) -> dict[str, str]:
    """Return the question for a range that reaches from some moment until now."""
    age = aware(timezone.now()) - aware(moment)
    if age < _default_length():
        return {}
    name = next((name for name, (length, *_texts) in PRESETS.items() if age < length), CUSTOM)
    return {"range": name} if name != CUSTOM else {"range": CUSTOM, "start": written(moment)}


def written(moment: datetime) -> str:
    """Return a moment as the form takes it: local, in whole seconds."""
    local = timezone.localtime(aware(moment))
    # In the hour that comes twice, only the offset tells which one it is.
    if not is_repeated(local):
        local = local.replace(tzinfo=None)
    return local.isoformat(timespec="seconds")


def between(start: datetime, end: datetime | None) -> Window:
    """Return the range between two dates, or from one date until now."""
    # What is to come has no rows, and a far date is more than a database can reckon with.
    is_over = end is not None and aware(end) <= aware(timezone.now())
    return Window(start=start, end=end if is_over else None, say=lambda: _dates_text(start, end))


def until(end: datetime) -> Window:
    """Return all the time before a date."""
    return Window(
        start=BEGINNING,
        end=end,
        say=lambda: gettext("the time before %(end)s") % {"end": _date_text(end)},
    )


def wider(window: Window) -> list[tuple[str, StrPromise]]:
    """Return the presets that reach further back than a range, with their names."""
    reach = aware(timezone.now()) - aware(window.start)
    return [(name, text) for name, (length, _short, text) in PRESETS.items() if length > reach]


def length_text(length: timedelta) -> str:
    """Say how long a time is, in its largest whole unit."""
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


def _dates_text(start: datetime, end: datetime | None) -> str:
    if end is None:
        return gettext("the time since %(start)s") % {"start": _date_text(start)}
    return gettext("%(start)s to %(end)s") % {"start": _date_text(start), "end": _date_text(end)}


def _date_text(moment: datetime) -> str:
    with suppress(OverflowError):  # the last day of all has no local time everywhere
        moment = timezone.localtime(aware(moment))
    text = formats.date_format(moment, "SHORT_DATETIME_FORMAT")
    return f"{text} {moment.tzname()}" if is_repeated(moment) else text
