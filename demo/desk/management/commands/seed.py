"""Thirty days of history, through trackmate's own path."""

import random
from datetime import datetime, timedelta
from itertools import islice

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from trackmate import pipeline, suppress
from trackmate.models import ActivityLog

from desk.history import books, cast, diary
from desk.history.calendar import days as days_of
from desk.progress import Bar

BATCH = 500
EXAMPLE = "2025-11-20T16:30"
# So many activities tell of one order, from the first look at it to the approval of its invoice.
ACTIVITIES_PER_ORDER = 80


class Command(BaseCommand):
    help = "Fill the order desk and its activity log with believable history."

    def add_arguments(self, parser):
        parser.add_argument("--activities", type=int, default=50_000, help="How many (50000).")
        parser.add_argument("--days", type=int, default=30, help="Over how many days (30).")
        parser.add_argument("--seed", type=int, default=1, help="Start of the dice (1).")
        parser.add_argument("--until", help="Moment that it ends with, in ISO 8601 (now).")
        parser.add_argument("--more", action="store_true", help="Add to the history that is there.")

    def handle(self, *, activities, days, seed, until, more, **_options):
        self.bound("--activities", activities, most=5_000_000)
        self.bound("--days", days, most=3_650)
        before = ActivityLog.objects.count()
        if before and not more:
            raise CommandError(
                f"The log has {before:,} activities already. Add --more to add {activities:,}."
            )
        end = self.moment(until)
        self.write(
            activities, days_of(end - timedelta(days=days), end), random.Random(seed + before)
        )
        stored = ActivityLog.objects.count() - before
        if stored < activities:
            raise CommandError(f"Only {stored:,} of {activities:,} activities reached the log.")

    def write(self, activities, days, dice):
        """Deliver the history in batches."""
        orders = max(12, min(2_000, activities // ACTIVITIES_PER_ORDER))
        with suppress():
            # The history tells about these people and orders.
            members = cast.hire()
            stories = books.write(dice, days, orders=orders, cast=members)
        told = diary.write(dice, days, activities=activities, cast=members, stories=stories)
        bar = Bar(activities)
        stream = (activity for day in told for activity in day)
        while batch := list(islice(stream, BATCH)):
            pipeline.deliver(batch)
            bar.advance(len(batch))
        self.stderr.write(f"{activities:,} activities in {bar.seconds:.1f} s.", self.style.SUCCESS)
        self.stdout.write(logins())

    def bound(self, name, value, *, most):
        """Refuse what is no count."""
        if not 1 <= value <= most:
            raise CommandError(f"{name} {value}: expected a whole number from 1 to {most:,}.")

    def moment(self, text):
        """Return the end of the window."""
        if text is None:
            return timezone.now()
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise CommandError(f"--until {text!r}: expected a moment like {EXAMPLE}.") from None
        if not 2000 <= moment.year <= timezone.now().year:
            raise CommandError(f"--until {text!r}: expected a year from 2000 to this one.")
        return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def logins():
    """Return the demo's accounts, for people."""
    lines = [f"  {login:<8} {cast.PASSWORD}   {what}" for login, what in cast.LOGINS.items()]
    return "\n".join(["Demo logins (public, not for anything else):", *lines])
