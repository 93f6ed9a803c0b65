"""The surroundings of the hostile tests: their URLs, a spool of their own, a log that can fail."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db.backends.signals import connection_created

from tests.hostile.databases import LogDatabase
from tests.shop.models import Order
from trackmate import reporting
from trackmate.models import ActivityLog
from trackmate.spool import Spool


@pytest.fixture
def hostile(settings, tmp_path):
    """Use the hostile URLs and an empty spool; return a way to change our settings."""
    settings.ROOT_URLCONF = "tests.hostile.urls"
    reporting.forget()

    def change(**values):
        settings.TRACKMATE = {**settings.TRACKMATE, **values}

    settings.TRACKMATE = {"SPOOL_DIR": tmp_path / "spool"}
    yield change
    reporting.forget()


@pytest.fixture
def spool(hostile, settings):
    """The spool of this test."""
    return Spool(settings.TRACKMATE["SPOOL_DIR"])


@pytest.fixture
def waiting(settings):
    """Return the lines that wait in the spool, as data."""

    def read():
        files = sorted(settings.TRACKMATE["SPOOL_DIR"].glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    return read


@pytest.fixture
def only_row(hostile):
    """Return the one row that was stored, which nothing had to wait for."""

    def get(**filters):
        assert not reporting.counts
        return ActivityLog.objects.get(**filters)

    return get


@pytest.fixture
def log_database(django_db_setup, django_db_blocker, hostile, settings, monkeypatch, tmp_path):
    """A database for the log alone, in use.

    Django's test cases let nobody open a connection that was not there when they began, so this
    one cleans up itself.
    """
    hostile(DATABASE="log")
    # However busy the machine, a refusal never counts as slow.
    monkeypatch.setattr("trackmate.backends.database.SLOW_SECONDS", float("inf"))
    settings.DATABASE_ROUTERS = ["trackmate.routers.TrackmateRouter"]
    with django_db_blocker.unblock():
        database = LogDatabase(tmp_path)
        try:
            database.drop()
            database.create()
            yield database
        finally:
            database.remove()
            for model in (Order, Session, get_user_model()):
                model.objects.all().delete()


@pytest.fixture
def thread_connections():
    """Close the database connections that other threads opened, and left open when they ended."""
    opened = []

    def note(connection, **_kwargs):
        opened.append(connection)

    connection_created.connect(note)
    yield opened
    connection_created.disconnect(note)
    for connection in opened:
        connection.inc_thread_sharing()
        connection.close()


@pytest.fixture
def alice(db):
    return get_user_model().objects.create_user("alice", password="correct horse")
