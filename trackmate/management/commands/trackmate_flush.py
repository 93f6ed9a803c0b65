"""`manage.py trackmate_flush`: store the activities of the spool."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from trackmate.backends.base import BaseBackend
from trackmate.exceptions import NotStoredError, SpoolError
from trackmate.pipeline import get_backend
from trackmate.redaction.text import clean_line
from trackmate.spool.locations import find_left_behind


class Command(BaseCommand):
    """Store the activities of the spool, for example after an outage."""

    help = _("Store the activities that the database did not take and that wait in the spool.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--timeout`, `--rejected` and `--schema`."""
        parser.add_argument(
            "--timeout", type=float, default=None, help=_("Stop after this many seconds.")
        )
        parser.add_argument(
            "--rejected",
            action="store_true",
            help=_("Show what was set aside, since it could never be stored, and try it again."),
        )
        parser.add_argument(
            "--schema",
            default=None,
            help=_(
                "Where to store what was recorded while the database could not say for which of"
                " several schemas (PostgreSQL)."
            ),
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Flush the backend, and print the number of stored activities."""
        timeout = options["timeout"]
        if timeout is not None and timeout <= 0:
            raise CommandError(f"--timeout must be more than 0 seconds, not {timeout}")
        backend = get_backend()
        try:
            if options["rejected"]:
                self._show_rejected(backend)
                stored = backend.retry_rejected(unknown_schema=options["schema"])
            else:
                stored = backend.flush(timeout, unknown_schema=options["schema"])
        except (NotStoredError, SpoolError) as error:
            raise CommandError(f"{error}. What waits in the spool is kept.") from error
        self.stdout.write(f"{stored} activities stored.")
        for path in find_left_behind():
            self.stderr.write(
                _(
                    "What waits in %(path)s is of another database, or of this one before it was"
                    " renamed or moved."
                )
                % {"path": path}
            )

    def _show_rejected(self, backend: BaseBackend) -> None:
        for each in backend.rejected():
            activity = each.activity
            description = (
                f"{activity.action_time:%Y-%m-%d %H:%M:%S} {activity.action or activity.path}"
                if activity
                else each.line
            )
            self.stdout.write(clean_line(f"{description}: {each.reason or _('set aside')}", 300))
