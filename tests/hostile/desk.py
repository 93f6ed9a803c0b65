"""The demo with databases of its own on a PostgreSQL server, for tests that start it."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

ROOT = Path(__file__).parent.parent.parent


class Desk:
    """The order desk: its data, its log, its spool and the environment that says where they are."""

    def __init__(self, server_url, folder):
        self.server_url = server_url
        self.spool = folder / "spool"
        self.data = f"hostile_desk_{os.getpid()}"
        self.log = f"{self.data}_log"
        self.copy = f"{self.data}_log_copy"
        self.environment = {
            "DEMO_DATABASE_URL": self.url(self.data),
            "DEMO_LOG_DATABASE_URL": self.url(self.log),
            "DEMO_SPOOL_DIR": str(self.spool),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }

    def url(self, name):
        return f"{self.server_url.rpartition('/')[0]}/{name}"

    def create(self, name):
        """Make an empty database; one that an earlier run left is dropped."""
        self.drop(name)
        self._command("CREATE DATABASE {}", name)

    def drop(self, name):
        """Drop a database, whoever uses it."""
        self._command("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def close_and_copy(self, name, copy):
        """Let nobody in any more, and keep a copy of what is in it."""
        self.drop(copy)
        self._command("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                [name],
            )
        self._command("CREATE DATABASE {} TEMPLATE {}", copy, name)

    def migrate(self, alias):
        self.manage("migrate", f"--database={alias}", "--verbosity=0")

    def manage(self, *arguments):
        """Run a management command of the demo."""
        command = [sys.executable, ROOT / "demo" / "manage.py", *arguments]
        environment = os.environ | self.environment | {"PYTHONPATH": str(ROOT)}
        subprocess.run(command, check=True, cwd=ROOT, env=environment)

    def rows(self, columns, name=""):
        """Return these columns of the whole log, oldest first."""
        with psycopg.connect(self.url(name or self.log)) as connection:
            return connection.execute(
                f"SELECT {columns} FROM trackmate_activitylog ORDER BY id"
            ).fetchall()

    def _command(self, statement, *names):
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def open_desk(server_url, folder):
    """Make a desk with empty tables, and remove it when the block ends."""
    desk = Desk(server_url, folder)
    try:
        for alias, name in (("default", desk.data), ("log", desk.log)):
            desk.create(name)
            desk.migrate(alias)
        yield desk
    finally:
        for name in (desk.data, desk.log, desk.copy):
            desk.drop(name)
