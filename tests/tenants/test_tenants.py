"""Nothing that was recorded for one tenant is ever stored in the table of another one."""

import asyncio
from contextlib import contextmanager

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIHandler
from django.core.management import call_command
from django.db import connection
from django.test import Client as HttpClient
from django.test import RequestFactory
from django_tenants.utils import schema_context, tenant_context

from tests.tenants.models import Client, Domain
from trackmate import bind, track, tracking
from trackmate.backends import database
from trackmate.dashboard.http.permissions import visible_rows
from trackmate.exceptions import NotStoredError
from trackmate.models import ActivityLog
from trackmate.pipeline import get_backend

pytestmark = pytest.mark.django_db(transaction=True)

TENANTS = ["acme", "zulu"]
TABLE = ActivityLog._meta.db_table


@pytest.fixture(autouse=True)
def tenants(transactional_db):
    """Two tenants, each with a schema, a domain and a log of its own."""
    connection.set_schema_to_public()
    made = {}
    for name in TENANTS:
        made[name] = Client(schema_name=name, name=name)
        made[name].save(verbosity=0)
        Domain.objects.create(domain=f"{name}.testserver", tenant=made[name], is_primary=True)
    yield made
    connection.set_schema_to_public()
    for tenant in Client.objects.all():
        tenant.delete(force_drop=True)


def rows():
    """Return what each tenant has in its log."""
    found = {}
    for name in TENANTS:
        with schema_context(name):
            found[name] = sorted(ActivityLog.objects.values_list("action", flat=True))
    return found


@contextmanager
def without_table(schema):
    """Take the log of one tenant away."""
    rename(schema, TABLE, "away")
    try:
        yield
    finally:
        rename(schema, "away", TABLE)


def rename(schema, old, new):
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER TABLE {schema}."{old}" RENAME TO "{new}"')


def act_as_each():
    for name in TENANTS:
        with schema_context(name):
            track(f"of.{name}")


EACH = {name: [f"of.{name}"] for name in TENANTS}


def test_a_request_is_a_row_of_its_tenant():
    for name in TENANTS:
        answer = HttpClient().get("/who/", headers={"host": f"{name}.testserver"})
        assert answer.content.decode() == name
    assert rows() == {name: ["who/"] for name in TENANTS}


async def ask_by_asgi(host):
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/who-async/",
        "query_string": b"",
        "headers": [(b"host", host.encode())],
    }
    asked = ApplicationCommunicator(ASGIHandler(), scope)
    await asked.send_input({"type": "http.request", "body": b""})
    await asked.receive_output(timeout=20)  # the first request imports much
    await asked.receive_output(timeout=20)
    await asked.wait(timeout=20)


def test_an_async_request_is_a_row_of_its_tenant(thread_connections):
    for name in TENANTS:
        asyncio.run(ask_by_asgi(f"{name}.testserver"))
    assert rows() == {name: ["who-async/"] for name in TENANTS}


@pytest.mark.parametrize("is_block", [False, True])
def test_what_an_async_task_does_for_a_tenant_is_a_row_of_that_tenant(
    tenants, thread_connections, is_block
):
    async def work():
        for name, tenant in tenants.items():
            with tenant_context(tenant):
                if is_block:
                    async with tracking(f"of.{name}"):
                        pass
                else:
                    track(f"of.{name}")

    asyncio.run(work())
    assert rows() == EACH


def test_what_waited_is_stored_for_its_tenant_whoever_stores_it():
    for name in TENANTS:
        with without_table(name):
            act_as_each()
    with schema_context("zulu"):
        assert get_backend().flush() == 2
        assert connection.schema_name == "zulu"
    assert rows() == {name: [f"of.{name}"] * 2 for name in TENANTS}


def test_the_thread_stores_what_waited_for_its_tenant(monkeypatch):
    monkeypatch.setattr(database, "is_under_test", lambda: False)
    monkeypatch.setattr("trackmate.backends.circuit.FIRST_PAUSE", 0.0)
    backend = get_backend()
    with without_table("acme"):
        act_as_each()
    backend._flusher._step()
    assert rows() == EACH


def test_a_tenant_whose_table_is_missing_keeps_no_other_waiting():
    with without_table("acme"):
        act_as_each()
        with pytest.raises(NotStoredError):
            get_backend().flush()
        with schema_context("zulu"):
            assert ActivityLog.objects.count() == 1
    call_command("trackmate_flush", verbosity=0)
    assert rows() == EACH


def test_what_a_tenant_left_behind_is_nobodys(tenants):
    with without_table("acme"):
        act_as_each()
    tenants["acme"].delete(force_drop=True)
    with pytest.raises(NotStoredError):
        get_backend().flush()
    with schema_context("zulu"):
        assert list(ActivityLog.objects.values_list("action", flat=True)) == ["of.zulu"]


def test_what_is_of_no_tenant_is_in_no_tenants_log():
    connection.set_schema_to_public()
    track("of.nobody")
    with pytest.raises(NotStoredError):
        get_backend().flush()
    assert rows() == {name: [] for name in TENANTS}


# --- one log for all tenants, with the tenant in each row ------------------------------------


def schema_of(request):
    """Name the tenant of a request, as docs/howto/tenants.md does."""
    return request.tenant.schema_name


def only_of_their_tenant(request, queryset):
    """Limit the log to the tenant of whoever looks, as docs/howto/tenants.md does."""
    return queryset.filter(tenant=request.tenant.schema_name)


@pytest.fixture
def one_log(settings):
    """Let every tenant's rows be in one table, as with the app in SHARED_APPS."""
    settings.TRACKMATE = {
        **settings.TRACKMATE,
        "TENANT": "tests.tenants.test_tenants.schema_of",
        "DASHBOARD_QUERYSET": "tests.tenants.test_tenants.only_of_their_tenant",
    }


def ask(name, path):
    return HttpClient().get(path, headers={"host": f"{name}.testserver"})


def test_the_name_of_the_schema_is_in_the_row(one_log):
    for name in TENANTS:
        ask(name, "/who/")
        with schema_context(name):
            assert list(ActivityLog.objects.values_list("tenant", flat=True)) == [name]


@pytest.mark.parametrize("name", TENANTS)
def test_a_person_sees_only_the_rows_of_their_tenant(one_log, tenants, name):
    request = RequestFactory().get("/trackmate/")
    request.tenant = tenants[name]
    with schema_context(name):
        for each in TENANTS:
            with bind(tenant=each):
                track(f"of.{each}")
        track("of.nobody")
        assert [row.action for row in visible_rows(request)] == [f"of.{name}"]


def test_a_tenant_that_there_is_not_costs_nothing(one_log):
    assert ask("nobody", "/who/").status_code == 404
