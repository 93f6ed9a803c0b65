"""Host projects with settings of their own, each in processes of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SETTINGS = """
from tests.settings import *

TRACKMATE = {{'SPOOL_DIR': {spool!r}}}
"""


class Project:
    """A project in a folder: the one of the tests, with some settings otherwise."""

    def __init__(self, folder, *lines):
        self.folder = folder
        text = SETTINGS.format(spool=str(folder / "spool"))
        (folder / "host_settings.py").write_text("\n".join([text, *lines]))

    def run(self, *arguments):
        """Run Python with these arguments; a warning is an error."""
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)]),
            "DJANGO_SETTINGS_MODULE": "host_settings",
            "TRACKMATE_TEST_DATABASE": "sqlite",
        }
        return subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def say(self, script):
        """Return the lines that a script prints in the project, whose tables are there."""
        done = self.run("-c", f"{SET_UP}\n{script}")
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


SET_UP = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
"""
