"""The database router for a log that lives in a database of its own."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from trackmate.conf import get_settings

APP_LABEL = "trackmate"


class TrackmateRouter:
    """Send the log to `TRACKMATE["DATABASE"]`, and what a row points to back to where it lives."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Return the alias to read `model` from, or None for "no opinion"."""
        if model._meta.app_label == APP_LABEL:
            return get_settings().DATABASE
        # Without this, Django would look for a row's actor in the database of the row.
        row = hints.get("instance")
        return DEFAULT_DB_ALIAS if row is not None and row._meta.app_label == APP_LABEL else None

    def db_for_write(self, model: type[Model], **_hints: Any) -> str | None:
        """Return the alias to write `model` to, or None for "no opinion"."""
        return get_settings().DATABASE if model._meta.app_label == APP_LABEL else None

    def allow_relation(self, one: Model, other: Model, **_hints: Any) -> bool | None:
        """Allow rows to name actors and content types of other databases."""
        return True if APP_LABEL in (one._meta.app_label, other._meta.app_label) else None

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool | None:
        """Keep the log's tables out of every database but its own."""
        return db == get_settings().DATABASE if app_label == APP_LABEL else None
