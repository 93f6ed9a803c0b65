"""`manage.py trackmate_flush`: store what waits in the spool."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError
from django.utils.translation import gettext as _

from trackmate.database_errors import message_of
from trackmate.exceptions import SpoolError
from trackmate.pipeline import get_backend


class Command(BaseCommand):
    """Store what waits; run it after an outage, or from time to time."""

    help = _("Store the activities that the database refused and that wait in the spool.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--timeout`."""
        parser.add_argument(
            "--timeout", type=float, default=None, help=_("Stop after this many seconds.")
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Flush the backend in force, and say how many activities were stored."""
        timeout = options["timeout"]
        if timeout is not None and timeout <= 0:
            raise CommandError(f"--timeout must be more than 0 seconds, not {timeout}")
        try:
            stored = get_backend().flush(timeout)
        except (DatabaseError, SpoolError) as error:
            raise CommandError(f"{message_of(error)}. What waits in the spool is kept.") from error
        self.stdout.write(f"{stored} activities stored.")
