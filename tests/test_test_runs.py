"""Test runs of projects: what one test leaves behind never appears in another test or run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SETTINGS = """
from tests.settings import *

DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {name!r}}}}}
TRACKMATE = {{"SPOOL_DIR": {spool!r}}}
"""
TESTS = """
from contextlib import suppress

from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test import TestCase, TransactionTestCase

from trackmate import track
from trackmate.models import ActivityLog


def rows():
    call_command("trackmate_flush", verbosity=0)
    return list(ActivityLog.objects.values_list("action", flat=True))


class {first}(TestCase):
    def test_a_broken_transaction(self):
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM nowhere")
        connection.needs_rollback = True
        track("of.a.broken.transaction")


class {second}(TestCase):
    def test_rows(self):
        track("of.a.test")
        self.assertEqual(rows(), ["of.a.test"])


class {third}(TransactionTestCase):
    def test_rows(self):
        track("of.a.transaction.test")
        self.assertEqual(rows(), ["of.a.transaction.test"])

    def test_no_autocommit(self):
        connection.set_autocommit(False)
        track("of.no.autocommit")
        connection.rollback()
        connection.set_autocommit(True)
"""
NAMES = {
    "test_one": {"first": "ABroken", "second": "BWhole", "third": "CTransaction"},
    "test_two": {"first": "Broken", "second": "Whole", "third": "Transaction"},
}


@pytest.fixture
def project(tmp_path):
    """A project with two modules of tests and a spool of its own."""
    (tmp_path / "leaks").mkdir()
    for module, names in NAMES.items():
        text = TESTS
        for name, value in names.items():
            text = text.replace(f"{{{name}}}", value)
        (tmp_path / "leaks" / f"{module}.py").write_text(text)
    (tmp_path / "leaks" / "__init__.py").write_text("")
    (tmp_path / "host_settings.py").write_text(
        SETTINGS.format(name=str(tmp_path / "db.sqlite3"), spool=str(tmp_path / "spool"))
    )
    return tmp_path


def run_tests(project, *options):
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(project), str(ROOT)]),
        "DJANGO_SETTINGS_MODULE": "host_settings",
    }
    command = [sys.executable, "-m", "django", "test", "leaks", "--noinput", *options]
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("options", [[], ["--reverse"], ["--parallel", "2"]], ids=str)
def test_no_row_comes_from_another_test_or_run(project, options):
    for _ in range(2):
        outcome = run_tests(project, *options)
        assert outcome.returncode == 0, outcome.stderr
        assert "Ran 8 tests" in outcome.stderr
    assert not list((project / "spool").rglob("*.jsonl"))
