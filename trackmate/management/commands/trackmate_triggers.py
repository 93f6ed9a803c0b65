"""`manage.py trackmate_triggers`: let PostgreSQL record the changes of models itself."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from trackmate.exceptions import TriggerError
from trackmate.triggers import installation


class Command(BaseCommand):
    """Install, remove or check the triggers of the models that are registered with some."""

    help = _("Install, remove or check the triggers that record the changes of models.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add what to do, the labels of models, and `--sql`."""
        parser.add_argument("action", choices=("install", "remove", "check"))
        parser.add_argument(
            "labels",
            nargs="*",
            help=_('Models such as "shop.Order"; all that are registered with triggers if none.'),
        )

        parser.add_argument(
            "--sql",
            action="store_true",
            help=_("Print the statements of install instead of executing them."),
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do it, and print what was done. What `check` finds ends with status 1."""
        act = {"install": self._install, "remove": self._remove, "check": self._check}
        action = options["action"]
        if options["sql"] and action != "install":
            raise CommandError("--sql is for install.")
        try:
            (self._print if options["sql"] else act[action])(options["labels"])
        except TriggerError as error:
            raise CommandError(str(error)) from error

    def _install(self, labels: list[str]) -> None:
        installed = installation.install(labels)
        if not installed:
            self.stdout.write('No model is registered with "triggers": True.')
        for label in installed:
            self.stdout.write(f"{label}: triggers installed.")

    def _print(self, labels: list[str]) -> None:
        for statement in installation.statements(labels):
            self.stdout.write(f"{statement};")

    def _remove(self, labels: list[str]) -> None:
        self.stdout.write(f"{installation.remove(labels)} triggers removed.")

    def _check(self, labels: list[str]) -> None:
        problems = installation.check(labels)
        if problems:
            lines = "\n".join(map(str, problems))
            raise CommandError(f"{lines}\nRun: manage.py trackmate_triggers install")
        self.stdout.write("All triggers are up to date.")
