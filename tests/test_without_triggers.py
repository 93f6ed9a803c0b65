"""Triggers that a model asks for in a database that has none."""

import pytest
from django.core.management import CommandError, call_command

from tests.library.models import Genre
from trackmate.models import ActivityLog


@pytest.mark.database
@pytest.mark.only_on("sqlite3", "mysql")
@pytest.mark.django_db
def test_capture_records_what_triggers_would(registered):
    registered(Genre, triggers=True)
    with pytest.raises(CommandError, match="Triggers need PostgreSQL"):
        call_command("trackmate_triggers", "install")
    Genre.objects.create(name="a")
    assert ActivityLog.objects.get(source="model").object_repr == "a"
