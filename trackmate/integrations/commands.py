"""The commands of `manage.py`: each run that has used a database.

There is no signal for commands, and `call_command()` is a part of whatever calls it; so what runs
a command line is wrapped.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import wraps
from time import perf_counter
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import Error as DatabaseError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from trackmate.activity import Activity
from trackmate.clock import uuid7
from trackmate.conf import get_settings
from trackmate.context.binding import bind, bound_values
from trackmate.context.scope import current_scope
from trackmate.db.time_limits import limit_time
from trackmate.diagnostics import describe_exception
from trackmate.enums import ActionType, Source, status_for
from trackmate.integrations.command_lines import mask_arguments
from trackmate.integrations.wrapping import call_before
from trackmate.pipeline import is_recording, never_raise, record
from trackmate.redaction.redactor import get_redactor
from trackmate.redaction.routes import is_about_authentication

SERVERS = frozenset(
    {
        "celery",
        "daphne",
        "db_worker",
        "grpcrunserver",
        "livereload",
        "process_tasks",
        "procrastinate",
        "qcluster",
        "run_huey",
        "runapscheduler",
        "rundramatiq",
        "rungunicorn",
        "runserver",
        "runserver_plus",
        "runworker",
        "rqscheduler",
        "rqworker",
        "rqworker-pool",
        "tailwind",
        "uvicorn",
    }
)
"""Commands that serve requests or tasks, which are recorded one by one."""

TESTS = frozenset({"test", "testserver", "behave", "pytest", "harvest"})

SHELLS = frozenset({"shell", "shell_plus", "dbshell", "notebook", "dbshell_plus"})
"""Commands whose run is not recorded; activities inside have the actor of a command."""

SCHEMA_COMMANDS = frozenset(
    {
        "makemigrations",
        "migrate",
        "migrate_schemas",
        "optimizemigration",
        "showmigrations",
        "sqlflush",
        "sqlmigrate",
        "squashmigrations",
    }
)
"""Commands that run before the log has its table, or take it away."""

INTERRUPTED = 130
"""The exit code of a process that was interrupted from the keyboard."""

RELOADER = "RUN_MAIN"
"""Set to "true" in the process that Django's autoreloader restarts."""

_current_run: ContextVar[CommandRun | None] = ContextVar("trackmate_command", default=None)


def install() -> None:
    """Wrap the methods of commands that run a command line."""
    BaseCommand.run_from_argv = _recorded(BaseCommand.run_from_argv)  # type: ignore[method-assign]
    call_before(BaseCommand, "execute", _note_options)
    BaseCommand.check = _unwatched(BaseCommand.check)  # type: ignore[method-assign]


def _recorded(run_from_argv: Callable[..., None]) -> Callable[..., None]:
    @wraps(run_from_argv)
    def recorded(command: BaseCommand, argv: list[str]) -> None:
        run = _begin(command, argv)
        try:
            run_from_argv(command, argv)
        except BaseException as error:
            if run is not None:
                run.end(error)
            raise
        if run is not None:
            run.end(None)

    return recorded


def _note_options(command: BaseCommand, /, *_args: Any, **options: Any) -> None:
    if (run := _current_run.get()) is not None and run.command is command:
        run.options = options


def _unwatched(check: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(check)
    def unwatched(*args: Any, **options: Any) -> Any:
        run = _current_run.get()
        if run is None or run.is_checking:
            return check(*args, **options)
        run.is_checking = True
        try:
            return check(*args, **options)
        finally:
            run.is_checking = False

    return unwatched


@never_raise
def _begin(command: BaseCommand, argv: Sequence[str]) -> CommandRun | None:
    name = argv[1] if len(argv) > 1 else ""
    is_never_recorded = not name or name in SERVERS or name in TESTS
    if is_never_recorded or name.startswith("trackmate_") or os.environ.get(RELOADER) == "true":
        return None
    run = CommandRun(command, name, list(argv[2:]))
    run.begin()
    return run


class CommandRun:
    """The run of a command line: a context that names it, and its activity."""

    def __init__(self, command: BaseCommand, name: str, arguments: list[str]) -> None:
        self.command = command
        self.name = name
        self.arguments = arguments
        self.options: dict[str, Any] = {}
        """The arguments as they were parsed."""
        self.action_time = datetime.now(UTC)
        self.started = perf_counter()
        self.process = os.getpid()
        self.id = uuid7(self.action_time)
        self.has_used_database = False
        self.is_checking = False
        """Whether the system checks run, which ask databases for what they can do."""
        self.surroundings: dict[str, Any] = {}
        """The actor, and what ties together whatever the command records."""
        if current_scope() is None:
            bound = bound_values()
            bound.pop("extra", None)
            if "actor_id" not in bound and "actor_label" not in bound:
                bound |= {"actor_id": None, "actor_label": actor_label()}
            self.surroundings = {"request_id": self.id.hex, **bound}
        self._stack = ExitStack()

    def begin(self) -> None:
        """Name the command in whatever is recorded until `end()`, and watch the databases."""
        extra = {"command": self.name}
        self._stack.enter_context(bind.of_values({**self.surroundings, "extra": extra}))
        self._stack.enter_context(self._watched_databases())
        token = _current_run.set(self)
        self._stack.callback(_current_run.reset, token)

    @contextmanager
    def _watched_databases(self) -> Iterator[None]:
        """Notice whether the command uses a database, on a new connection or an open one."""
        self._watched: list[BaseDatabaseWrapper] = []
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None:
                self._watch(connection)
        connection_created.connect(self._on_connection)
        try:
            yield
        finally:
            connection_created.disconnect(self._on_connection)
            for connection in self._watched:
                with suppress(ValueError):
                    connection.execute_wrappers.remove(self._on_query)

    def _watch(self, connection: BaseDatabaseWrapper) -> None:
        if self._on_query not in connection.execute_wrappers:
            # First: the end of a wrapper of the project takes the last one away.
            connection.execute_wrappers.insert(0, self._on_query)
            self._watched.append(connection)

    def _on_connection(self, *, connection: BaseDatabaseWrapper, **_kwargs: Any) -> None:
        self._watch(connection)
        self._note_use()

    def _on_query(self, execute: Callable[..., Any], *args: Any) -> Any:
        self._note_use()
        return execute(*args)

    def _note_use(self) -> None:
        self.has_used_database = self.has_used_database or not self.is_checking

    @never_raise
    def end(self, error: BaseException | None) -> None:
        """Record the command, unless it is none that is recorded."""
        seconds = perf_counter() - self.started
        self._stack.close()
        if self._is_wanted(error):
            with _closed_connection():
                record(self._describe(error, seconds))

    def _describe(self, error: BaseException | None, seconds: float) -> Activity:
        redactor = get_redactor(is_authentication=is_about_authentication(self.name))
        arguments = mask_arguments(self.arguments, self.options, redactor)
        extra: dict[str, Any] = {}
        code = exit_code(error)
        if error is not None and code:
            exception = describe_exception(_cause(error))
            # It may quote the arguments.
            extra = {"exit_code": code, "exception": redactor.known_secrets.mask(exception)}
        return Activity(
            id=self.id,
            action_time=self.action_time,
            source=Source.COMMAND.value,
            action=self.name,
            action_type=ActionType.ACTION.value,
            status=status_for(failed=bool(code)),
            execution_time=seconds,
            data={"arguments": arguments} if arguments else None,
            extra=extra or None,
            **self.surroundings,
        )

    def _is_wanted(self, error: BaseException | None) -> bool:
        wanted = get_settings().TRACK_COMMANDS
        is_fork = self.process != os.getpid()
        if self.name in SHELLS or is_fork or not is_recording():
            return False
        if wanted is False or (wanted is not True and self.name not in wanted):
            return False
        is_outage = error is not None and isinstance(_cause(error), DatabaseError)
        if not self.has_used_database and not is_outage:
            return False
        return self.name not in SCHEMA_COMMANDS or (wanted is not True and bool(_has_table()))


def _cause(error: BaseException) -> BaseException:
    """Return the CommandError for which a command exits, or the error itself."""
    cause = error.__context__ if isinstance(error, SystemExit) else None
    return cause or error


def exit_code(error: BaseException | None) -> int:
    """Return the exit code of a process that ends with an exception."""
    if error is None:
        return 0
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, SystemExit):
        # A text is printed, and the code is 1.
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 1


def actor_label() -> str:
    """Return the name of the operating system's user as an actor: "os:deploy"."""
    try:
        return f"os:{getpass.getuser()}"
    except (OSError, KeyError, ImportError):
        # A container may run with a number that has no name.
        return f"os:{os.getuid()}" if hasattr(os, "getuid") else "os"


@never_raise
def _has_table() -> bool:
    """Return True if the database of the log has the log's table."""
    alias = get_settings().DATABASE
    table = apps.get_model("trackmate", "ActivityLog")._meta.db_table
    with _closed_connection(), limit_time(alias, get_settings().WRITE_TIMEOUT):
        return table in connections[alias].introspection.table_names()


@contextmanager
def _closed_connection() -> Iterator[None]:
    """Leave the connection to the log closed, if it was: the command has closed all of them."""
    connection = connections[get_settings().DATABASE]
    was_open = connection.connection is not None or current_scope() is not None
    try:
        yield
    finally:
        if not was_open and not connection.in_atomic_block:
            connection.close()
