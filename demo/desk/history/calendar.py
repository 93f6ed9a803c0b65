"""The hours of a stretch of time, and how busy each of them is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.utils import timezone

HOUR = timedelta(hours=1)

# Share of a working day's visits that begin in each hour, from midnight to midnight.
OFFICE = (0, 0, 0, 0, 0, 0, 1, 4, 9, 12, 12, 10, 5, 8, 11, 10, 8, 5, 2, 1, 1, 0, 0, 0)
# Machines and shoppers keep later hours and know no weekend.
ALWAYS = (2, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6, 5, 5, 5, 5, 5, 4, 4, 3)
WEEKEND = 0.12


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of the window, or the part of it that lies inside."""

    start: datetime
    end: datetime
    local: datetime

    @property
    def share(self):
        """Which part of a full hour it is."""
        return (self.end - self.start) / HOUR

    def busy(self, curve):
        """Say how busy it is, by a curve of 24 figures."""
        quiet = curve is OFFICE and self.local.weekday() >= 5
        # The floor leaves room for the one who works at night.
        return (curve[self.local.hour] * (WEEKEND if quiet else 1) + 0.02) * self.share

    def moment(self, dice):
        """Pick a moment in it."""
        return self.start + (self.end - self.start) * dice.random()


@dataclass(frozen=True, slots=True)
class Day:
    """The hours of one local day that lie in the window."""

    hours: tuple

    @property
    def date(self):
        """Which day it is."""
        return self.hours[0].local.date()

    @property
    def start(self):
        """Where it begins, or the window does."""
        return self.hours[0].start

    @property
    def end(self):
        """Where it ends, or the window does."""
        return self.hours[-1].end

    @property
    def weight(self):
        """How much happens on it, against other days."""
        return sum(hour.busy(OFFICE) + hour.busy(ALWAYS) / 3 for hour in self.hours)

    def moment(self, dice, curve):
        """Pick a moment of it, the likelier the busier."""
        return dice.choices(self.hours, [hour.busy(curve) for hour in self.hours])[0].moment(dice)


def days(start, end):
    """Return the local days from `start` to `end`, the first and the last cut to fit."""
    by_date = groupby(_hours(start, end), key=lambda hour: hour.local.date())
    return [Day(hours=tuple(hours)) for _date, hours in by_date]


def shares(total, weights):
    """Split a whole number by weights into whole numbers that add up to it."""
    ends, so_far, whole = [], 0.0, sum(weights)
    for weight in weights:
        so_far += weight
        ends.append(round(total * so_far / whole))
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def office_moment(moment, dice):
    """Return `moment` if the office is open then, else one in the morning that follows."""
    local = timezone.localtime(moment)
    while local.weekday() >= 5 or not 8 <= local.hour < 18:
        morning = local + timedelta(days=1) if local.hour >= 8 else local
        local = morning.replace(hour=8, minute=0) + timedelta(minutes=dice.triangular(0, 200, 40))
    return local


def _hours(start, end):
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour < end:
        first, last = max(hour, start), min(hour + HOUR, end)
        yield Hour(start=first, end=last, local=timezone.localtime(first))
        hour += HOUR
