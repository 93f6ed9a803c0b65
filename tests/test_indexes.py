"""The index of objects: it finds them on each database, and costs nothing for rows without one."""

import re

import pytest
from django.core.checks import run_checks
from django.db import connection

from tests.rows import activities
from tests.shop.models import Order
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
    activities(20)
    activities(20, content_object=order)
    plan = ActivityLog.objects.on(order).newest_first()[:10].explain()
    # MariaDB names what it could use, and then what it does.
    assert plan.count("trackmate_object") == (2 if connection.vendor == "mysql" else 1)


@pytest.mark.only_on("sqlite3", "postgresql")
def test_rows_without_an_object_are_left_out_of_it():
    with connection.cursor() as cursor:
        cursor.execute(OF_THE_CATALOGUE[connection.vendor], ["trackmate_object"])
        (made,) = cursor.fetchone()
    assert "WHERE content_type_id IS NOT NULL" in re.sub('["(]', "", made)


def test_no_project_is_warned_of_what_its_database_cannot_leave_out():
    assert not [each for each in run_checks(databases=["default"]) if each.id == "models.W037"]
