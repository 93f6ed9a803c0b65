"""Migrations that no choice of a host project turns into a change of ours."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

ROOT = Path(__file__).parent.parent
OURS = sorted(path.stem for path in (ROOT / "trackmate/migrations").glob("0*.py"))
SETTINGS = """
from tests.settings import *

AUTH_USER_MODEL = {user_model!r}
DEFAULT_AUTO_FIELD = {auto_field!r}
"""
AUTO_FIELDS = ["AutoField", "BigAutoField", "SmallAutoField"]


def django(tmp_path, command, *arguments, user_model, auto_field):
    """Run a command in a project with these settings; each process reads them once."""
    auto_field = f"django.db.models.{auto_field}"
    settings = SETTINGS.format(user_model=user_model, auto_field=auto_field)
    (tmp_path / "host_settings.py").write_text(settings)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        "DJANGO_SETTINGS_MODULE": "host_settings",
        "TRACKMATE_TEST_DATABASE": f"sqlite:///{tmp_path / 'host.sqlite3'}",
    }
    invocation = [sys.executable, "-m", "django", command, *arguments]
    return subprocess.run(
        invocation, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("auto_field", AUTO_FIELDS)
@pytest.mark.parametrize("user_model", ["auth.User", "shop.UUIDUser"])
def test_a_host_project_needs_no_migration_of_ours(tmp_path, user_model, auto_field):
    check = django(
        tmp_path,
        "makemigrations",
        *("--check", "--dry-run", "trackmate"),
        user_model=user_model,
        auto_field=auto_field,
    )
    assert check.stdout == "No changes detected in app 'trackmate'\n", check.stderr
    assert check.returncode == 0


@pytest.mark.parametrize("user_model", ["auth.User", "shop.UUIDUser"])
def test_the_migrations_apply_and_reverse(tmp_path, user_model):
    host = {"user_model": user_model, "auto_field": "BigAutoField"}
    forwards = django(tmp_path, "migrate", **host)
    backwards = django(tmp_path, "migrate", "trackmate", "zero", **host)
    assert re.findall(r"Applying trackmate\.(\w+)\.\.\. OK", forwards.stdout) == OURS, (
        forwards.stderr
    )
    assert "Unapplying trackmate.0001_initial... OK" in backwards.stdout, backwards.stderr


def locks_the_log(migration):
    """Return True if a migration adds an index to the log in the ordinary way."""
    return migration.atomic and any(
        isinstance(operation, migrations.AddIndex) and operation.model_name == "activitylog"
        for operation in migration.operations
    )


@pytest.mark.parametrize("name", OURS)
def test_a_migration_adds_no_index_that_locks_the_log(name):
    assert not locks_the_log(import_module(f"trackmate.migrations.{name}").Migration)


@pytest.mark.parametrize(
    ("operation", "is_atomic", "locks"),
    [(migrations.AddIndex, True, True), (AddIndexConcurrently, False, False)],
)
def test_a_migration_that_would_is_noticed(operation, is_atomic, locks):
    index = models.Index(fields=["method", "id"], name="trackmate_method")
    migration = migrations.Migration("0002_method", "trackmate")
    migration.atomic = is_atomic
    migration.operations = [operation("activitylog", index)]
    assert locks_the_log(migration) is locks


def test_an_app_without_its_migrations_would_be_noticed(tmp_path):
    host = {"user_model": "auth.User", "auto_field": "BigAutoField"}
    check = django(tmp_path, "makemigrations", "--check", "--dry-run", "shop", **host)
    assert check.returncode == 1
