"""The database router for a log in a separate database."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from trackmate.conf import get_settings

APP_LABEL = "trackmate"


class TrackmateRouter:
    """Use `TRACKMATE["DATABASE"]` for the log, and the default one for objects of its rows."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Return the alias to read `model` from, or None."""
        if model._meta.app_label == APP_LABEL:
            return get_settings().DATABASE
        # Otherwise Django would read the actor of a row from the database of the row.
        row = hints.get("instance")
        return DEFAULT_DB_ALIAS if row is not None and row._meta.app_label == APP_LABEL else None

    def db_for_write(self, model: type[Model], **_hints: Any) -> str | None:
        """Return the alias to write `model` to, or None."""
        return get_settings().DATABASE if model._meta.app_label == APP_LABEL else None

    def allow_relation(self, one: Model, other: Model, **_hints: Any) -> bool | None:
        """Allow rows to refer to users and content types of other databases."""
        return True if APP_LABEL in (one._meta.app_label, other._meta.app_label) else None

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool | None:
        """Create the tables of the log only in its database."""
        return db == get_settings().DATABASE if app_label == APP_LABEL else None
