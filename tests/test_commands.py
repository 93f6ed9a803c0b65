"""Commands of `manage.py`: who ran which, with what, how it went, and what it recorded."""

import getpass
import os

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command, execute_from_command_line
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import RequestFactory

from tests.factories import person
from tests.projects import Project
from trackmate import bind, suppress, track
from trackmate.integrations.command_lines import mask_arguments
from trackmate.middleware import TrackmateMiddleware
from trackmate.models import ActivityLog
from trackmate.redaction.redactor import get_redactor

pytestmark = pytest.mark.django_db(transaction=True)

ME = f"os:{getpass.getuser()}"


def count_users():
    return get_user_model().objects.count()


class Invoices(BaseCommand):
    """A command that does what a test wants, with options of every kind."""

    requires_system_checks = ()

    def __init__(self, work=count_users, **options):
        super().__init__(**options)
        self.work = work

    def add_arguments(self, parser):
        parser.add_argument("shops", nargs="*")
        parser.add_argument("-p", "--password")
        parser.add_argument("--api-token", dest="api_token")
        parser.add_argument("--recovery-codes", nargs="+")
        parser.add_argument("--month")
        # A name that is also one of Django's own parameters, as of `shell`.
        parser.add_argument("--command", default="none")

    def handle(self, **_options):
        self.work()


def run(*arguments, work=count_users, name="send_invoices"):
    Invoices(work).run_from_argv(["manage.py", name, *arguments])


def fail(error):
    def work():
        count_users()
        raise error

    return work


def test_a_command_is_an_activity_of_the_user_of_the_system(activities):
    run("north", "--month=may")
    (row,) = activities
    assert (row.source, row.action, row.action_type) == ("command", "send_invoices", "Action")
    assert (row.status, row.actor_id, row.actor_label) == ("Success", None, ME)
    assert row.data == {"arguments": ["north", "--month=may"]}
    assert row.execution_time > 0
    assert row.extra is None


@pytest.mark.parametrize(
    ("error", "code", "raised"),
    [
        (CommandError("no paper", returncode=3), 3, "CommandError"),
        (RuntimeError("no paper"), 1, "RuntimeError"),
        (KeyboardInterrupt(), 130, "KeyboardInterrupt"),
        (SystemExit(4), 4, "SystemExit"),
        (SystemExit("no paper"), 1, "SystemExit"),
    ],
)
def test_a_command_that_ends_badly_has_failed(activities, capsys, error, code, raised):
    with pytest.raises((SystemExit, RuntimeError, KeyboardInterrupt)):
        run(work=fail(error))
    (row,) = activities
    assert row.status == "Failed"
    assert (row.extra["exit_code"], row.extra["exception"]["type"]) == (code, raised)


@pytest.mark.parametrize("code", [0, None, False])
def test_a_command_that_exits_without_an_error_has_succeeded(activities, code):
    with pytest.raises(SystemExit):
        run(work=fail(SystemExit(code)))
    assert activities[0].status == "Success"


SECRET = "hunter22hunter"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([f"--password={SECRET}"], ["--password=[redacted]"]),
        (["--password", SECRET, "north"], ["--password", "[redacted]", "north"]),
        (["-p", SECRET], ["-p", "[redacted]"]),
        ([f"-p{SECRET}"], ["-p[redacted]"]),
        (["--passw", SECRET], ["--passw", "[redacted]"]),
        (["--api-token", SECRET], ["--api-token", "[redacted]"]),
        (["--recovery-codes", SECRET, "b7x-22"], ["--recovery-codes", "[redacted]", "[redacted]"]),
        ([f"password={SECRET}"], ["password=[redacted]"]),
        ([f"postgres://me:{SECRET}@db/shop"], ["postgres://me:[redacted]@db/shop"]),
        (["--password", SECRET, SECRET], ["--password", "[redacted]", "[redacted]"]),
        (["--password", "--month", "may"], None),
    ],
)
def test_secrets_of_a_command_line_are_masked(activities, capsys, given, kept):
    if kept is None:
        # Not a command line that it takes: it has not run.
        with pytest.raises(SystemExit):
            run(*given)
        assert activities == []
        return
    run(*given)
    assert activities[0].data == {"arguments": kept}


def test_an_error_that_quotes_a_secret_argument_is_masked(activities, capsys):
    with pytest.raises(SystemExit):
        run("-p", SECRET, work=fail(CommandError(f"{SECRET} is too short")))
    assert SECRET not in repr(activities)


def test_positional_arguments_have_names_too(activities):
    class SetPassword(BaseCommand):
        requires_system_checks = ()

        def add_arguments(self, parser):
            parser.add_argument("username")
            parser.add_argument("password")

        def handle(self, **_options):
            count_users()

    SetPassword().run_from_argv(["manage.py", "set_password", "alice", SECRET])
    assert activities[0].data == {"arguments": ["alice", "[redacted]"]}


@pytest.mark.parametrize(
    "hostile",
    ["a\x00b", "\ud800", "\u202e" + "x" * 20_000, "--", "-", "--=", "=", "--password=", ""],
)
def test_any_argument_is_recorded(activities, hostile):
    # As the arguments of a process, which nobody has to parse.
    run("--month", "x", work=count_users)
    masked = mask_arguments([hostile], {}, get_redactor())
    assert len(masked) == 1
    assert len(activities) == 1


def test_what_a_command_records_names_the_command_and_its_actor(activities):
    run(work=lambda: (count_users(), track("invoice.sent")))
    sent, command = activities
    assert (sent.actor_label, sent.extra) == (ME, {"command": "send_invoices"})
    assert sent.request_id == command.request_id == command.id.hex


def test_what_a_command_binds_itself_wins(activities):
    def work():
        with bind(actor="cron:nightly"):
            track("invoice.sent")

    run(work=work)
    assert activities[0].actor_label == "cron:nightly"


def test_a_command_within_a_block_is_an_act_of_who_is_bound(activities):
    with bind(actor=person("alice"), job="x"):
        run()
    (command,) = activities
    assert (command.actor_label, command.actor_id is None) == ("alice", False)


def test_a_failed_login_in_a_command_is_an_act_of_nobody(activities):
    run(work=lambda: authenticate(username="alice", password="wrong"))
    login = activities[0]
    assert (login.action_type, login.actor_label) == ("Login Failed", "")
    assert login.extra == {"command": "send_invoices"}


def test_a_command_line_within_a_request_belongs_to_the_request(activities):
    def get_response(_request):
        run(work=lambda: (count_users(), track("invoice.sent")))
        return HttpResponse()

    request = RequestFactory().get("/")
    request.user = person("alice")
    TrackmateMiddleware(get_response)(request)
    request.close()
    row, sent, command = activities
    assert {each.actor_label for each in activities} == {"alice"}
    assert sent.request_id == command.request_id == row.request_id == row.id.hex


def test_nothing_of_a_command_stays_behind(activities):
    run()
    track("later")
    assert (activities[1].actor_label, activities[1].extra) == ("", None)


@pytest.mark.usefixtures("thread_connections")
def test_a_wrapper_of_the_project_is_taken_away_from_a_new_connection():
    opened = connection.copy()
    asked = []

    def note(execute, *args):
        asked.append(args)
        return execute(*args)

    def ask():
        with opened.cursor() as cursor:
            cursor.execute("SELECT 1")

    def work():
        with opened.execute_wrapper(note):
            ask()
        ask()

    run(work=work)
    assert len(asked) == 1
    assert opened.execute_wrappers == []


def test_a_called_command_is_a_part_of_its_caller(activities):
    call_command(Invoices())
    assert activities == []


def test_a_command_without_a_database_is_not_recorded(activities):
    run(work=lambda: None)
    assert activities == []


def test_a_command_whose_database_is_down_has_failed(activities):
    def work():
        raise OperationalError("down")

    with pytest.raises(OperationalError):
        run(work=work)
    assert activities[0].status == "Failed"


@pytest.mark.parametrize(
    "name", ["runserver", "test", "celery", "rqworker", "db_worker", "trackmate_flush"]
)
def test_what_serves_or_tests_is_not_recorded_and_names_nobody(activities, name):
    run(name=name, work=lambda: (count_users(), track("inside")))
    (inside,) = activities
    assert (inside.action, inside.actor_label, inside.extra) == ("inside", "", None)


def test_a_shell_is_not_recorded_but_what_is_done_in_it_has_its_actor(activities):
    run(name="shell", work=lambda: (count_users(), track("inside")))
    (inside,) = activities
    assert (inside.actor_label, inside.extra) == (ME, {"command": "shell"})


@pytest.mark.parametrize(
    ("setting", "recorded"),
    [(True, 2), (False, 1), (["send_invoices"], 2), (("other",), 1), ([], 1)],
)
def test_the_setting_narrows_the_commands(activities, settings, setting, recorded):
    settings.TRACKMATE = {**settings.TRACKMATE, "TRACK_COMMANDS": setting}
    run(work=lambda: (count_users(), track("inside")))
    assert len(activities) == recorded
    assert activities[0].actor_label == ME


def test_nothing_is_recorded_where_nothing_is_to_be(activities):
    with suppress():
        run()
    assert activities == []


def test_the_reloaded_process_records_no_command(activities, monkeypatch):
    monkeypatch.setenv("RUN_MAIN", "true")
    run()
    assert activities == []


def test_a_forked_process_does_not_record_the_command_again(activities, monkeypatch):
    pid = os.getpid()
    run(work=lambda: (count_users(), monkeypatch.setattr(os, "getpid", lambda: pid + 1)))
    assert activities == []


def test_a_user_without_a_name_is_a_number(activities, monkeypatch):
    def nameless():
        raise OSError("no such user")

    monkeypatch.setattr(getpass, "getuser", nameless)
    run()
    assert activities[0].actor_label == f"os:{os.getuid()}"


def test_a_command_is_stored_and_leaves_the_database_to_others():
    run()
    assert ActivityLog.objects.get().action == "send_invoices"


def test_a_command_without_the_table_of_the_log_ends_as_before(
    broken_table, spool_directory, caplog
):
    broken_table("trackmate_activitylog")
    run()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert any(each.stat().st_size for each in spool_directory.iterdir())


def test_migrations_are_not_recorded_unless_they_are_named(activities):
    run(name="migrate")
    assert activities == []


def test_migrations_are_recorded_if_the_log_has_its_table(activities, configure, broken_table):
    configure(TRACK_COMMANDS=["migrate"])
    run(name="migrate")
    assert [each.action for each in activities] == ["migrate"]
    broken_table("trackmate_activitylog")
    run(name="migrate")
    assert len(activities) == 1


def test_a_command_counts_what_it_asks_on_an_open_connection(activities):
    connection.ensure_connection()
    run(work=lambda: None)
    assert activities == []
    run()
    assert len(activities) == 1


def test_a_real_command_of_django(activities, capsys):
    execute_from_command_line(["manage.py", "clearsessions", "--skip-checks"])
    assert activities[-1].action == "clearsessions"


@pytest.mark.django_db(transaction=True, databases=["default", "apart"])
def test_system_checks_are_no_use_of_a_database(activities, capsys):
    connection.close()
    execute_from_command_line(["manage.py", "check"])
    assert activities == []


def test_a_project_from_its_first_migration_to_the_last(tmp_path):
    project = Project(
        tmp_path,
        f"DATABASES = {{'default': {{'ENGINE': 'django.db.backends.sqlite3',"
        f" 'NAME': {str(tmp_path / 'db.sqlite3')!r}}}}}",
        "MIGRATION_MODULES = {'shop': None}",
    )
    for arguments in (
        ["check"],
        ["migrate", "-v0"],
        ["clearsessions"],
        ["migrate", "trackmate", "zero", "-v0"],
        ["migrate", "-v0"],
    ):
        done = project.run("-m", "django", *arguments)
        assert (done.returncode, done.stderr) == (0, ""), arguments
    rows = project.run(
        "-m",
        "django",
        "shell",
        "-v0",
        "-c",
        (
            "from trackmate.models import ActivityLog\n"
            "print([(row.action, row.status) for row in ActivityLog.objects.order_by('id')])"
        ),
    )
    assert (rows.returncode, rows.stderr) == (0, "")
    assert rows.stdout.splitlines()[-1] == "[]"
    assert not list((tmp_path / "spool").rglob("*.*"))
