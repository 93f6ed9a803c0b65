"""`manage.py trackmate_rollup`: count what is over, so that the dashboard need not."""

from __future__ import annotations

from argparse import ArgumentParser
from math import inf
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError
from django.utils.translation import gettext as _

from trackmate import selectors
from trackmate.conf import get_settings
from trackmate.db.errors import message_without_values


class Command(BaseCommand):
    """Roll up what is closed; run it from time to time, and after rows came in by other ways."""

    help = _("Count the activities of the past, quarter of an hour by quarter, for the dashboard.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--rebuild` and `--timeout`."""
        parser.add_argument(
            "--rebuild", action="store_true", help=_("Forget what was counted, and count again.")
        )
        parser.add_argument(
            "--timeout", type=float, default=inf, help=_("Stop after this many seconds.")
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Fill what is missing, the newest first, and say how many rollups were made."""
        timeout = options["timeout"]
        if timeout <= 0:
            raise CommandError(f"--timeout must be more than 0 seconds, not {timeout}")
        alias = get_settings().DATABASE
        try:
            if options["rebuild"]:
                selectors.forget(alias)
            made = selectors.fill_all(alias, seconds=timeout)
        except DatabaseError as error:
            raise CommandError(
                f"{message_without_values(error)}. What has been rolled up is kept."
            ) from error
        self.stdout.write(f"{made} rollups made.")
