"""`manage.py trackmate_holes`: list the places in the code whose writes are not recorded."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError
from django.utils import timezone
from django.utils.translation import gettext as _

from trackmate.conf import get_settings
from trackmate.db.errors import primary_message
from trackmate.enums import Source
from trackmate.models import ActivityLog


@dataclass(slots=True)
class Hole:
    """A place that writes to a table of a registered model past what records it."""

    table: str
    verb: str
    place: str
    last_seen: datetime
    rows: int = 0
    statements: int = 0


class Command(BaseCommand):
    """List them with what they have written, most rows first."""

    help = _("List the places in the code whose writes to registered models are not recorded.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--days` and `--fail`."""
        parser.add_argument(
            "--days", type=int, default=30, help=_("Number of days to search. Default: 30.")
        )
        parser.add_argument(
            "--fail", action="store_true", help=_("Exit with status 1 if there are any.")
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print a line for each table, verb and place."""
        days = options["days"]
        if days <= 0:
            raise CommandError(f"--days must be more than 0, not {days}")
        try:
            holes = find_holes(timezone.now() - timedelta(days=days))
        except DatabaseError as error:
            raise CommandError(primary_message(error)) from error
        for each in holes:
            last_seen = (
                timezone.localtime(each.last_seen)
                if timezone.is_aware(each.last_seen)
                else each.last_seen
            )
            self.stdout.write(
                f"{each.verb:<8} {each.table}  {each.place}  "
                f"{_count(each.rows, 'row')}, {_count(each.statements, 'statement')}, "
                f"last {last_seen:%Y-%m-%d %H:%M}"
            )
        if not holes:
            self.stdout.write(f"No unrecorded write was seen in {days} days.")
        elif options["fail"]:
            verb = "writes" if len(holes) == 1 else "write"
            raise CommandError(f"{_count(len(holes), 'place')} {verb} without being recorded.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def find_holes(since: datetime) -> list[Hole]:
    """Return the places that have written since a time, those with most rows first."""
    rows: Iterable[ActivityLog] = (
        ActivityLog.objects.using(get_settings().DATABASE)
        .between(since)
        .filter(source=Source.MODEL, object_id=None)
        .newest_first()
        .only("action_time", "extra")
        .iterator()
    )
    found: dict[tuple[str, str, str], Hole] = {}
    for row in rows:
        extra = row.extra if isinstance(row.extra, dict) else {}
        if extra.get("unseen"):
            key = (str(extra["table"]), str(extra["verb"]), str(extra["place"]))
            hole = found.setdefault(key, Hole(*key, row.action_time))
            hole.rows += extra.get("rows") or 0
            hole.statements += extra.get("statements") or 1
    return sorted(found.values(), key=lambda each: -each.rows)
