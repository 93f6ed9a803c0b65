"""The time that a query may take, inside a transaction of the project's and outside of one."""

from contextlib import contextmanager, nullcontext

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.factories import activities
from tests.slow import SLOW
from trackmate.dashboard.db.statement_timeout import StatementTimeoutError, statement_timeout
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


@contextmanager
def without_autocommit():
    connection.set_autocommit(False)
    try:
        yield
    finally:
        connection.rollback()
        connection.set_autocommit(True)


AROUND = {
    "in a transaction": transaction.atomic,
    "on its own": nullcontext,
    "without autocommit": without_autocommit,
}

LIMIT = {
    "postgresql": "SELECT current_setting('statement_timeout')",
    "mysql": "SELECT @@SESSION.max_statement_time",
}
NO_LIMIT = {"postgresql": "0", "mysql": 0}


@pytest.fixture(params=AROUND)
def around(request):
    return AROUND[request.param]


def asked(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_a_slow_query_is_stopped_and_breaks_nothing(around):
    with around():
        with pytest.raises(StatementTimeoutError), statement_timeout("default", milliseconds=50):
            asked(SLOW[connection.vendor])
        assert asked("SELECT 1") == 1
        assert not ActivityLog.objects.exists()


def test_the_limit_is_taken_back(around):
    with around():
        with statement_timeout("default", milliseconds=50):
            assert asked("SELECT 1") == 1
        if connection.vendor == "sqlite":
            counted = SLOW["sqlite"].replace("100000000", "1000000")
            assert asked(counted) == 1_000_000
        else:
            assert asked(LIMIT[connection.vendor]) == NO_LIMIT[connection.vendor]


@pytest.mark.only_on("postgresql")
def test_the_limit_of_the_project_is_given_back(around):
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 4321")
    try:
        with around():
            with statement_timeout("default", milliseconds=50):
                assert asked(LIMIT["postgresql"]) == "50ms"
            assert asked(LIMIT["postgresql"]) == "4321ms"
    finally:
        connection.close()


def test_no_budget_is_no_limit():
    with statement_timeout("default", milliseconds=0):
        assert asked("SELECT 1") == 1


def test_another_error_is_not_taken_for_a_timeout(around):
    budget = statement_timeout("default", milliseconds=500)
    with pytest.raises(Exception, match="nowhere"), around(), budget:
        ActivityLog.objects.raw("SELECT id FROM nowhere")[0]


def test_rows_are_found_as_without_it(around):
    activities(120)
    rows = ActivityLog.objects.order_by("-pk")
    keys = list(rows.values_list("pk", flat=True))
    with around(), statement_timeout("default", milliseconds=500):
        assert [row.pk for row in rows.all()] == keys
        assert [row.pk for row in rows.filter(path__contains="%").iterator(50)] == []
        assert [row.pk for row in rows.iterator(chunk_size=50)] == keys
        assert rows.count() == 120


class Watched:
    """A cursor as tools that watch queries hand it out."""

    def __init__(self, cursor):
        self._cursor = cursor

    def __getattr__(self, name):
        return getattr(self._cursor, name)


def test_a_slow_query_of_a_watched_cursor_is_stopped(around, monkeypatch):
    create = connection.create_cursor
    monkeypatch.setattr(connection, "create_cursor", lambda name=None: Watched(create(name)))
    with around():
        with pytest.raises(StatementTimeoutError), statement_timeout("default", milliseconds=50):
            asked(SLOW[connection.vendor])
        with statement_timeout("default", milliseconds=500):
            assert asked("SELECT 1") == 1


@pytest.mark.only_on("postgresql")
def test_a_transaction_within_a_budget_keeps_it():
    with statement_timeout("default", milliseconds=50), transaction.atomic():
        assert asked(LIMIT["postgresql"]) == "50ms"
    assert asked(LIMIT["postgresql"]) == "0"


@pytest.fixture
def server_side_binding(monkeypatch):
    """Leave it to PostgreSQL to put the values into a statement."""
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "server_side_binding", True)
    connection.close()
    yield
    connection.close()


@pytest.mark.only_on("postgresql")
@pytest.mark.usefixtures("server_side_binding")
def test_a_slow_query_is_stopped_whoever_puts_the_values_in(around):
    with around():
        with connection.cursor() as cursor:
            assert not isinstance(cursor.cursor, connection.Database.ClientCursor)
        with pytest.raises(StatementTimeoutError), statement_timeout("default", milliseconds=50):
            asked(SLOW["postgresql"])
        assert asked("SELECT 1") == 1
        assert asked(LIMIT["postgresql"]) == "0"


@pytest.mark.only_on("postgresql")
def test_a_query_that_is_no_text_is_limited_too(around):
    sql = connection.Database.sql
    with around(), connection.cursor() as cursor:
        with pytest.raises(StatementTimeoutError), statement_timeout("default", milliseconds=50):
            cursor.execute(sql.SQL("SELECT pg_sleep({})").format(sql.Literal(5)))
        with statement_timeout("default", milliseconds=500):
            cursor.execute(sql.SQL("SELECT {}").format(sql.Literal(1)))
            assert cursor.fetchone() == (1,)


@pytest.mark.only_on("postgresql")
def test_a_limit_is_no_message_of_its_own_outside_a_transaction():
    with CaptureQueriesContext(connection) as found, statement_timeout("default", milliseconds=500):
        asked("SELECT 1")
    assert [each["sql"] for each in found] == ["SET LOCAL statement_timeout = 500; SELECT 1"]


@pytest.mark.only_on("postgresql")
def test_a_query_of_several_values_is_not_split(around):
    """Django writes values into the statement; what looks like a statement in one is a value."""
    with around(), statement_timeout("default", milliseconds=500), connection.cursor() as cursor:
        cursor.execute("SELECT %s, %s", ["a; SELECT 2", "%s"])
        assert cursor.fetchall() == [("a; SELECT 2", "%s")]
        cursor.executemany("SELECT %s", [["a"], ["b"]])
