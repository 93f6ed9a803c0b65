"""`manage.py trackmate_rollup`: build the rollups that the dashboard reads."""

from __future__ import annotations

from argparse import ArgumentParser
from math import inf
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError
from django.utils.translation import gettext as _

from trackmate import selectors
from trackmate.conf import get_settings
from trackmate.db.errors import primary_message


class Command(BaseCommand):
    """Build missing rollups; with `--rebuild`, all of them."""

    help = _("Count the activities of past hours and days for the dashboard.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--rebuild` and `--timeout`."""
        parser.add_argument(
            "--rebuild", action="store_true", help=_("Delete all counts first, and count again.")
        )
        parser.add_argument(
            "--timeout", type=float, default=inf, help=_("Stop after this many seconds.")
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Build what is missing, the newest first, and print how many rollups were built."""
        timeout = options["timeout"]
        if timeout <= 0:
            raise CommandError(f"--timeout must be more than 0 seconds, not {timeout}")
        alias = get_settings().DATABASE
        try:
            if options["rebuild"]:
                selectors.clear(alias)
            built = selectors.build_all(alias, seconds=timeout)
        except DatabaseError as error:
            message = f"{primary_message(error)}. What has been built is kept."
            raise CommandError(message) from error
        self.stdout.write(f"{built} rollups built.")
