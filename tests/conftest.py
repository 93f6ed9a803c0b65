"""What the tests stand on: the databases, servers and browser of `make services`."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from playwright.sync_api import expect, sync_playwright

from tests.factories import person
from tests.servers import application_server
from tools.checkers import VARIABLE as CHECKERS_VARIABLE
from tools.machine import is_ci
from tools.services import CHROMIUM_VARIABLE
from trackmate import diagnostics, register
from trackmate.capture.model_changes.registration import unregister
from trackmate.spool.locations import get_spool
from trackmate.testing import capture_activities

CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# The dashboard asks for news every five seconds, give or take a tenth; a busy machine takes longer.
expect.set_options(timeout=20_000)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Leave out what is not for this database; a skip would say that something is missing.

    Tests with a browser come last: Playwright keeps an event loop running in this thread, and
    asyncio refuses a second one.
    """
    vendor = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]
    foreign = [item for item in items if not _is_for(item, vendor)]
    if foreign:
        config.hook.pytest_deselected(items=foreign)
    left_out = set(foreign)
    items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: "browser" in item.fixturenames)


def _is_for(item, vendor):
    if item.get_closest_marker("browser") and vendor == "sqlite3":
        # In memory, the test and the live server would share one connection.
        return False
    mark = item.get_closest_marker("only_on")
    return mark is None or vendor in mark.args


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    return _without_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    return _without_skip(report)


def _without_skip(report):
    """With CI=true nothing may be skipped: what would be is a failure with the same reason."""
    if report.skipped and is_ci() and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} (nothing may be skipped with CI=true)"
    return report


# Projects of their own, with settings of their own.
collect_ignore = [
    str(Path(__file__).parent / name)
    for name in ("graphene", "packages", "peers", "tenants", "wagtail")
    if f"tests.{name}.urls" != settings.ROOT_URLCONF
]


@pytest.fixture(autouse=True)
def spool_directory(settings, tmp_path, monkeypatch):
    """Give each test a spool of its own, in use, and a process that has reported nothing yet."""
    monkeypatch.setattr("trackmate.backends.database._may_spool", lambda: True)
    settings.TRACKMATE = {"SPOOL_DIR": tmp_path / "spool"}
    diagnostics.reset()
    return get_spool().directory


@pytest.fixture(autouse=True)
def unrecorded_accounts(monkeypatch):
    """Record no account that a test makes for itself. Tests of accounts have another fixture."""
    monkeypatch.setattr("trackmate.integrations.accounts.is_tracked", lambda: False)


@pytest.fixture
def configure(settings):
    """Change trackmate's settings for this test: `configure(SAMPLE_RATE=0.5)`."""

    def change(**values):
        settings.TRACKMATE = {**settings.TRACKMATE, **values}

    return change


@pytest.fixture
def registered():
    """Record the changes of a model for this test: `registered(Book, exclude=["text"])`."""
    models = []

    def add(model, **options):
        models.append(model)
        return register(model, **options)

    yield add
    for model in models:
        unregister(model)


@pytest.fixture
def unrecorded(settings):
    """Record nothing of what the test asks for: its rows are those that it makes."""
    settings.TRACKMATE = {"ENABLED": False}


@pytest.fixture
def staff(client):
    """A client of somebody who may open the dashboard, and no more."""
    client.force_login(person("staff", is_staff=True))
    return client


@pytest.fixture
def activities(spool_directory):
    """What is recorded, in a list in place of the database."""
    with capture_activities() as found:
        yield found


@pytest.fixture
def broken_table():
    """Move a table out of sight: `broken_table("trackmate_savedview")`; not in a transaction."""
    moved = []

    def rename(old, new):
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    def move(table):
        rename(table, "elsewhere")
        moved.append(table)

    yield move
    for table in moved:
        rename("elsewhere", table)


@pytest.fixture
def failing_query():
    """Let the database refuse what is about a table: `with failing_query("a_table"): ...`."""

    def failing(table):
        def execute_badly(execute, sql, params, many, context):
            if table in sql:
                sql, params = "SELECT nothing FROM nowhere", None
            return execute(sql, params, many, context)

        return connections[DEFAULT_DB_ALIAS].execute_wrapper(execute_badly)

    return failing


@pytest.fixture
def thread_connections():
    """Close the connections that other threads opened, which nobody does for them in tests."""
    opened = []

    def note(connection, **_kwargs):
        opened.append(connection)

    connection_created.connect(note)
    yield opened
    connection_created.disconnect(note)
    for connection in opened:
        if connection is not connections[connection.alias]:
            connection.inc_thread_sharing()
            BaseDatabaseWrapper.close(connection)  # SQLite's own leaves one in memory open


def _needed(variable):
    if variable not in os.environ:
        pytest.skip(f"{variable} is not set: make services")
    return os.environ[variable]


@pytest.fixture(scope="session")
def postgres_url():
    return _needed("TRACKMATE_TEST_POSTGRES_URL")


@pytest.fixture(scope="session")
def mariadb_url():
    return _needed("TRACKMATE_TEST_MARIADB_URL")


@pytest.fixture(scope="session")
def chromium_path():
    return _needed(CHROMIUM_VARIABLE)


@pytest.fixture(scope="session")
def checkers():
    """The folder of what judges pages: axe-core, vnu, Lighthouse."""
    return Path(_needed(CHECKERS_VARIABLE))


@pytest.fixture
def serve(tmp_path):
    """Start application servers that end with the test: `serve("shop.wsgi:application").url`."""
    started = []
    with ExitStack() as stack:

        def start(application, **options):
            log = tmp_path / f"server-{len(started)}.log"
            started.append(application)
            return stack.enter_context(application_server(application, log, **options))

        yield start


@pytest.fixture(scope="session")
def browser(chromium_path):
    """A Chromium for the browser tests of one worker."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Of the event loop in this thread Django concludes that the ORM would block it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def complaints():
    """What the browser complained about: it fails the test, unless the test clears it."""
    noted = []
    yield noted
    assert noted == []


@pytest.fixture
def open_page(browser, complaints):
    """Open pages in fresh contexts of their own: `open_page(color_scheme="dark")`."""
    with ExitStack() as stack:

        def open_one(**options):
            context = browser.new_context(**options)
            stack.callback(context.close)
            context.on("console", lambda message: _note(complaints, message))
            context.on("weberror", lambda weberror: complaints.append(str(weberror.error)))
            return context.new_page()

        yield open_one


def _note(complaints, message):
    if message.type == "error":
        complaints.append(f"{message.text} ({message.location['url']})")


@pytest.fixture
def page(open_page):
    """A page in a context of its own."""
    return open_page()
