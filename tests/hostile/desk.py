"""The demo with databases of its own, for tests that start it."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

ROOT = Path(__file__).parent.parent.parent


class Desk:
    """The order desk: its data, its log, its spool and the environment that says where they are."""

    def __init__(self, data_url, log_url, folder):
        self.spool = folder / "spool"
        self.environment = {
            "DEMO_DATABASE_URL": data_url,
            "DEMO_LOG_DATABASE_URL": log_url,
            "DEMO_SPOOL_DIR": str(self.spool),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }

    def migrate(self, alias):
        self.manage("migrate", f"--database={alias}", "--verbosity=0")

    def manage(self, *arguments):
        """Run a management command of the demo."""
        command = [sys.executable, ROOT / "demo" / "manage.py", *arguments]
        environment = os.environ | self.environment | {"PYTHONPATH": str(ROOT)}
        subprocess.run(command, check=True, cwd=ROOT, env=environment)


class FileDesk(Desk):
    """One in SQLite files, as the demo comes."""

    def __init__(self, folder):
        self.log = folder / "log.sqlite3"
        super().__init__(f"sqlite:///{folder}/data.sqlite3", f"sqlite:///{self.log}", folder)

    def rows(self, columns):
        """Return these columns of the whole log, oldest first; the last one is JSON."""
        with closing(sqlite3.connect(self.log)) as connection:
            found = connection.execute(_all(columns)).fetchall()
        return [(*rest, json.loads(last or "null")) for *rest, last in found]


class ServerDesk(Desk):
    """One on a PostgreSQL server, which can lose databases and get them back."""

    def __init__(self, server_url, folder):
        self.server_url = server_url
        self.data = f"hostile_desk_{os.getpid()}"
        self.log = f"{self.data}_log"
        self.copy = f"{self.data}_log_copy"
        super().__init__(self.url(self.data), self.url(self.log), folder)

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

    def rows(self, columns, name=""):
        """Return these columns of the whole log, oldest first; the last one is JSON."""
        with psycopg.connect(self.url(name or self.log)) as connection:
            return connection.execute(_all(columns)).fetchall()

    def _command(self, statement, *names):
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _all(columns):
    return f"SELECT {columns} FROM trackmate_activitylog ORDER BY id"


@contextmanager
def desk_on_server(server_url, folder):
    """Make a desk with empty tables, and remove it when the block ends."""
    desk = ServerDesk(server_url, folder)
    try:
        for alias, name in (("default", desk.data), ("log", desk.log)):
            desk.create(name)
            desk.migrate(alias)
        yield desk
    finally:
        for name in (desk.data, desk.log, desk.copy):
            desk.drop(name)


def desk_in_files(folder):
    """Make a desk with empty tables."""
    desk = FileDesk(folder)
    for alias in ("default", "log"):
        desk.migrate(alias)
    return desk
