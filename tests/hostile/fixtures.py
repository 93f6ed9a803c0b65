"""The surroundings of the hostile tests: their URLs, and a log that can fail."""

import json

import pytest
from django.contrib.auth import get_user_model

from tests.hostile.databases import LogDatabase
from tests.hostile.desk import desk_in_files, desk_on_server
from trackmate.backends.schemas import DEFAULT, UNKNOWN
from trackmate.pipeline import get_backend
from trackmate.spool.locations import get_spool


@pytest.fixture
def hostile(settings, configure):
    """Use the hostile URLs; return a way to change our settings."""
    settings.ROOT_URLCONF = "tests.hostile.urls"
    return configure


@pytest.fixture
def spool(log_database):
    """The spool of that log while it is down: nobody can ask then for which schema."""
    return get_spool(UNKNOWN if log_database.vendor == "postgresql" else DEFAULT)


@pytest.fixture
def waiting(spool_directory):
    """Return the lines that wait in the spool, as data."""

    def read():
        files = sorted(spool_directory.parent.rglob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    return read


@pytest.fixture
def flush():
    """Return a way to store what waits, as the thread beside the requests does outside of tests."""
    return lambda: get_backend().flush()


@pytest.fixture
def log_database(transactional_db, hostile, settings, tmp_path):
    """A database for the log alone, in use."""
    hostile(DATABASE="log")
    settings.DATABASE_ROUTERS = ["trackmate.routers.TrackmateRouter"]
    database = LogDatabase(tmp_path)
    try:
        database.prepare()
        yield database
    finally:
        database.forget()


@pytest.fixture(scope="session", autouse=True)
def _drop_log_database(django_db_setup, django_db_blocker, tmp_path_factory):
    yield
    with django_db_blocker.unblock():
        database = LogDatabase(tmp_path_factory.mktemp("log"))
        database.drop()
        database.forget()


@pytest.fixture
def alice(db):
    return get_user_model().objects.create_user("alice", password="correct horse")


@pytest.fixture
def desk(postgres_url, tmp_path):
    """The demo with empty databases on PostgreSQL, its log apart."""
    with desk_on_server(postgres_url, tmp_path) as desk:
        yield desk


@pytest.fixture
def file_desk(tmp_path):
    """The demo with empty databases in SQLite files, its log apart."""
    return desk_in_files(tmp_path)
