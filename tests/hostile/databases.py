"""A database of its own for the log, which can be taken away and given back."""

import shutil
from pathlib import Path

from django.db import OperationalError, connections

from trackmate.models import ActivityLog

ALIAS = "log"
READ_ONLY = {
    "sqlite": {"init_command": "PRAGMA query_only = ON"},
    "postgresql": {"options": "-c default_transaction_read_only=on"},
    "mysql": {"init_command": "SET SESSION TRANSACTION READ ONLY"},
}
"""What makes each connection one that cannot write."""


class LogDatabase:
    """The database behind the alias "log", on the same server as the default one."""

    def __init__(self, folder):
        default = connections["default"]
        self.vendor = default.vendor
        file = str(folder / "database" / "log.sqlite3")
        name = file if self.vendor == "sqlite" else f"{default.settings_dict['NAME']}_log"
        self.name = name
        self._options = default.settings_dict["OPTIONS"]
        # Django's test cases refuse connections that are in the settings and not in their list.
        connections[ALIAS] = type(default)({**default.settings_dict, "NAME": name}, ALIAS)

    def create(self):
        """Create it with the log's table in it."""
        if self.vendor == "sqlite":
            Path(self.name).parent.mkdir()
        else:
            self._command(f"CREATE DATABASE {self.name}")
        self.create_table()

    def prepare(self):
        """Have it there with an empty table; to create a database takes a while."""
        if self.vendor == "sqlite" or not self._exists():
            self.create()
        elif ActivityLog._meta.db_table in connections[ALIAS].introspection.table_names():
            ActivityLog.objects.using(ALIAS).all()._raw_delete(ALIAS)
        else:
            self.create_table()

    def create_table(self):
        with connections[ALIAS].schema_editor() as editor:
            editor.create_model(ActivityLog)

    def drop_table(self):
        with connections[ALIAS].schema_editor() as editor:
            editor.delete_model(ActivityLog)

    def drop(self):
        """Take it away under whoever is connected."""
        if self.vendor == "sqlite":
            connections[ALIAS].close()
            shutil.rmtree(Path(self.name).parent, ignore_errors=True)
        else:
            force = " WITH (FORCE)" if self.vendor == "postgresql" else ""
            self._command(f"DROP DATABASE IF EXISTS {self.name}{force}")

    def make_read_only(self):
        self._connect_with(self._options | READ_ONLY[self.vendor])

    def make_writable(self):
        self._connect_with(self._options)

    def forget(self):
        """Take the alias back."""
        connections[ALIAS].close()
        del connections[ALIAS]

    def _exists(self):
        try:
            connections[ALIAS].ensure_connection()
        except OperationalError:
            return False
        return True

    def _command(self, statement):
        with connections["default"].cursor() as cursor:
            cursor.execute(statement)

    def _connect_with(self, options):
        connections[ALIAS].close()
        connections[ALIAS].settings_dict["OPTIONS"] = options
