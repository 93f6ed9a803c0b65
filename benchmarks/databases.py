"""Fresh databases for the contestants, on SQLite and on PostgreSQL, and their removal."""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg

from tools import machine
from tools.servers import Postgres

URL_VARIABLES = ("TRACKMATE_BENCH_POSTGRES_URL", "TRACKMATE_TEST_POSTGRES_URL")
START_SECONDS = 30

MakeDatabase = Callable[[int], dict]
"""Makes the database of a contestant by its number, and returns its entry in DATABASES."""


class NoDatabaseError(Exception):
    """There is no such server, and none could be started; the text says why."""


@contextmanager
def sqlite() -> Iterator[MakeDatabase]:
    """Yield what makes files, in WAL mode."""
    pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
    with tempfile.TemporaryDirectory() as folder:
        yield lambda number: {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(Path(folder, f"{number}.sqlite3")),
            "OPTIONS": {"init_command": pragmas, "transaction_mode": "IMMEDIATE"},
        }


@contextmanager
def postgresql() -> Iterator[MakeDatabase]:
    """Yield what makes databases of a server that keeps its promises: see `server`."""
    made = []
    with server() as url, psycopg.connect(url, autocommit=True) as connection:

        def make(number: int) -> dict:
            name = f"trackmate_bench_{os.getpid()}_{number}"
            connection.execute(f"CREATE DATABASE {name}")
            made.append(name)
            return {**_entry(url), "NAME": name}

        try:
            yield make
        finally:
            for name in made:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


DATABASES = {"sqlite": sqlite, "postgresql": postgresql}


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server: the one that is named, else one of our own.

    The server of the tests comes last: it does not wait for the disk, so that a commit costs less
    there than it does where anybody keeps data.
    """
    named, of_the_tests = (os.environ.get(variable, "") for variable in URL_VARIABLES)
    if named or not machine.postgres_folder():
        if not (url := named or of_the_tests):
            raise NoDatabaseError(f"set {URL_VARIABLES[0]}, or install PostgreSQL")
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="trackmate-", dir="/tmp" if machine.is_root() else None))
    folder.chmod(0o755)  # root's server runs as somebody else, who has to get in
    server = OwnPostgres(folder / "postgresql", port=_free_port(), password="benchmarks")
    process = server.start()
    try:
        wait_for(server)
        yield server.url
    finally:
        os.kill(process, server.stop_signal)
        os.waitpid(process, 0)
        shutil.rmtree(folder, ignore_errors=True)


class OwnPostgres(Postgres):
    """A throw-away server with PostgreSQL's own defaults: what is committed is on the disk."""

    @property
    def command(self) -> list[str]:
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=")
        options = [part for setting in settings for part in ("-c", setting)]
        return [str(self._bin("postgres")), "-D", str(self._data), "-p", str(self.port), *options]


def wait_for(server: Postgres) -> None:
    until = time.monotonic() + START_SECONDS
    while not server.answers():
        if time.monotonic() > until:
            raise NoDatabaseError("PostgreSQL did not start")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _entry(url: str) -> dict:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
    }
