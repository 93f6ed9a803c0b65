"""The index of objects: it finds them on each database, and costs nothing for rows without one."""

import re

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.db.migrations.state import ProjectState

from tests.factories import UNKNOWN, activities
from tests.shop.models import Order
from tests.test_docs import DOCS, blocks, section_of
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.django_db]

OF_THE_CATALOGUE = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE name = %s",
    "postgresql": "SELECT indexdef FROM pg_indexes WHERE indexname = %s",
}


@pytest.fixture
def no_scans():
    """Have PostgreSQL use an index even where reading a small table would be quicker."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")


@pytest.mark.usefixtures("no_scans")
def test_the_history_of_an_object_is_found_by_it():
    order = Order.objects.create()
    activities(1000)
    activities(20, content_object=order)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {ActivityLog._meta.db_table}")
    plan = ActivityLog.objects.on(order).newest_first()[:10].explain()
    # MariaDB names what it could use, and then what it does.
    assert plan.count("trackmate_object") == (2 if connection.vendor == "mysql" else 1)


@pytest.mark.usefixtures("no_scans")
def test_what_a_person_did_as_somebody_else_is_found_by_an_index():
    activities(1000)
    activities(20, impersonator_id=UNKNOWN)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {ActivityLog._meta.db_table}")
    rows = ActivityLog.objects.filter(impersonator_id=UNKNOWN).newest_first()
    assert "trackmate_impersonator" in rows[:10].explain()


@pytest.mark.only_on("sqlite3", "postgresql")
def test_rows_without_an_object_are_left_out_of_it():
    with connection.cursor() as cursor:
        cursor.execute(OF_THE_CATALOGUE[connection.vendor], ["trackmate_object"])
        (made,) = cursor.fetchone()
    assert "WHERE content_type_id IS NOT NULL" in re.sub('["(]', "", made)


def test_no_project_is_warned_of_what_its_database_cannot_leave_out():
    assert not [each for each in run_checks(databases=["default"]) if each.id == "models.W037"]


# --- the ways of "Add an index to a large log" -------------------------------------------------

ADD_AN_INDEX = (DOCS / "howto" / "add-an-index.md").read_text()


def documented_migration(title):
    """Return the migration that a section of the page shows."""
    scope = {}
    (code,) = blocks(section_of(ADD_AN_INDEX, title), "python")
    exec(code, scope)
    return scope["Migration"]("0007_index", "shop")


def apply(migration, *, backwards=False):
    step = migration.unapply if backwards else migration.apply
    with connection.schema_editor(atomic=migration.atomic) as editor:
        step(ProjectState(), editor)


def columns_of(index, table="trackmate_activitylog"):
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, table)
    return constraints[index]["columns"] if index in constraints else None


def try_documented_migration(title):
    migration = documented_migration(title)
    apply(migration)
    assert columns_of("shop_log_method") == ["method", "id"]
    apply(migration, backwards=True)
    assert columns_of("shop_log_method") is None


@pytest.mark.only_on("postgresql")
@pytest.mark.django_db(transaction=True)
def test_an_index_can_be_added_without_a_lock_on_postgresql():
    try_documented_migration("PostgreSQL")


@pytest.mark.only_on("mysql")
@pytest.mark.django_db(transaction=True)
def test_an_index_can_be_added_without_a_lock_on_mariadb():
    try_documented_migration("MariaDB and MySQL")


@pytest.fixture
def partitioned_table(broken_table):
    """Put a partitioned table in the place of the log's."""
    broken_table("trackmate_activitylog")
    parts = ("a", "00000000", "80000000"), ("b", "80000000", "ffffffff")
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE trackmate_activitylog (LIKE elsewhere) PARTITION BY RANGE (id)"
        )
        for name, start, end in parts:
            cursor.execute(
                f"CREATE TABLE log_{name} PARTITION OF trackmate_activitylog FOR VALUES"
                f" FROM ('{start}-0000-0000-0000-000000000000')"
                f" TO ('{end}-0000-0000-0000-000000000000')"
            )
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE trackmate_activitylog")


@pytest.mark.only_on("postgresql")
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("partitioned_table")
def test_an_index_can_be_added_without_a_lock_to_a_partitioned_table():
    migration = documented_migration("PostgreSQL, with a partitioned table")
    apply(migration)
    assert columns_of("log_a_method", "log_a") == columns_of("log_b_method", "log_b") is not None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'shop_log_method'::regclass"
        )
        assert cursor.fetchone() == (True,)
    apply(migration, backwards=True)
    assert columns_of("log_a_method", "log_a") is None
