"""One contestant in a process of its own: it answers the driver's requests and takes the time.

The driver writes a command a line to its standard input and reads an answer a line from its
standard output; both are JSON.
"""

from importlib import import_module
from time import perf_counter_ns
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from benchmarks.contestants import CONTESTANTS, Contestant
from benchmarks.processes import serve
from benchmarks.rivals import OF_EACH_ROW, CreateAtOnce, CreateOnClose
from benchmarks.situations import SITUATIONS

APPS = ("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions")


class Worker:
    """A WSGI handler over a fresh database with one user, whose session is open."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        call_command("migrate", verbosity=0, skip_checks=True)
        # What has no migrations refers to what has.
        call_command("migrate", run_syncdb=True, verbosity=0, skip_checks=True)
        self.cookie = cookie_of_a_user()
        # That the user was created is recorded as well.
        self._rows_before = self._rows()
        self.handler = WSGIHandler()
        self.neighbour = Neighbour(CONTESTANTS[contestant.baseline])

    def ask(self, situation: str, count: int, values: dict | None = None) -> dict[str, list[int]]:
        """Answer `count` requests in a row and as many apart, with a neighbour's between them.

        Return nanoseconds: of those in a row until the body of each was there ("waited") and until
        it was closed ("worked"), of those apart until the body was there ("apart").
        """
        _copy(values)
        waited, worked = zip(*(self._request(situation) for _ in range(count)), strict=True)
        apart = []
        for _ in range(count):
            self.neighbour.ask(situation, self.cookie)
            apart.append(self._request(situation)[0])
        return {"waited": list(waited), "worked": list(worked), "apart": apart}

    def queries(self, situation: str, values: dict | None = None) -> list[str]:
        """Return the SQL of one request."""
        seen = []

        def note(execute: Any, sql: str, *rest: Any) -> Any:
            seen.append(sql)
            return execute(sql, *rest)

        _copy(values)
        with connection.execute_wrapper(note):
            self._request(situation)
        return seen

    def count(self) -> int:
        """Return how many rows there are for the requests."""
        return self._rows() - self._rows_before

    def row(self) -> dict[str, Any]:
        """Return the newest row of an `ActivityLog`, column by column."""
        model = apps.get_model(self.contestant.rows)
        values = model.objects.order_by("-id").values(*_columns(model)).first()
        return {k: str(value) if k in OF_EACH_ROW else value for k, value in values.items()}

    def database(self) -> str:
        return database_title()

    def _rows(self) -> int:
        label = self.contestant.rows
        return apps.get_model(label).objects.count() if label else 0

    def _request(self, situation: str) -> tuple[int, int]:
        environ = SITUATIONS[situation].environ(self.cookie)
        started = perf_counter_ns()
        response = self.handler(environ, start_response)
        body = b"".join(response)
        waited = perf_counter_ns()
        response.close()
        done = perf_counter_ns()
        if response.status_code != 200:
            raise RuntimeError(f"{self.contestant.name} answered {response.status_code}: {body!r}")
        return waited - started, done - started


class Neighbour:
    """The same site in the same process, without what is measured.

    It answers between requests that are, so that each of them finds the processor's caches as a
    plain request leaves them.
    """

    def __init__(self, baseline: Contestant) -> None:
        self.urls = baseline.urls
        self.handler = BaseHandler()
        with override_settings(MIDDLEWARE=baseline.middleware):
            self.handler.load_middleware()

    def ask(self, situation: str, cookie: str) -> None:
        """Answer a request."""
        # Without the signals that begin and end a request, since some contestants listen to them.
        request = WSGIRequest(SITUATIONS[situation].environ(cookie))
        request.urlconf = self.urls
        response = self.handler.get_response(request)
        if response.status_code != 200:
            raise RuntimeError(f"the neighbour answered {response.status_code}")


def database_title() -> str:
    """Return what the database calls itself, and how it keeps what is committed."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sqlite_version()")
            return f"SQLite {cursor.fetchone()[0]} (a file, WAL, synchronous NORMAL)"
        cursor.execute(
            "SELECT split_part(current_setting('server_version'), ' ', 1), "
            "current_setting('fsync'), current_setting('synchronous_commit')"
        )
        version, fsync, commit = cursor.fetchone()
        return f"PostgreSQL {version} (fsync {fsync}, synchronous_commit {commit})"


def build_worker(order: dict) -> Worker:
    contestant = CONTESTANTS[order["contestant"]]
    _configure(contestant, order)
    return Worker(contestant)


def _configure(contestant: Contestant, order: dict) -> None:
    settings.configure(
        SECRET_KEY="benchmarks",
        ALLOWED_HOSTS=["shop.example"],
        ROOT_URLCONF=contestant.urls,
        INSTALLED_APPS=[*APPS, *contestant.apps],
        MIDDLEWARE=contestant.middleware,
        # A connection is kept, as under any server that is meant to be fast.
        DATABASES={"default": {"CONN_MAX_AGE": None, **order["database"]}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        TRACKMATE={"SPOOL_DIR": order["spool"]},
        **contestant.settings,
    )
    django.setup()


def _copy(values: dict | None) -> None:
    """Tell the rivals which row they are to create."""
    if values:
        CreateAtOnce.values = CreateOnClose.values = values


def cookie_of_a_user() -> str:
    """Make a user with an open session, and return the cookie."""
    user = get_user_model()(username="ada")
    user.set_unusable_password()
    user.save()
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def _columns(model: Any) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def start_response(status: str, headers: list) -> None:
    pass


if __name__ == "__main__":
    serve(build_worker)
