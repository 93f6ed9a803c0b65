"""A queryset and a manager whose bulk operations are recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import models

from trackmate.registry import hooks

Row = TypeVar("Row", bound=models.Model)


class TrackedQuerySet(models.QuerySet[Row]):
    """A queryset that records `update()`, `bulk_create()` and `bulk_update()` of a registered
    model, and their async twins; a deletion is recorded with any queryset.

    Each object gets an activity of its own, up to the `bulk_limit` of its registration; more than
    that become one summary.

    >>> class Order(models.Model):
    ...     objects = TrackedManager()
    """

    records_bulk = True

    def update(self, **kwargs: Any) -> int:
        """Update the objects and record what that changes."""
        return int(self._recorded("update", super().update, **kwargs))

    def bulk_create(self, *args: Any, **kwargs: Any) -> list[Row]:
        """Create objects and record them, and what is updated in place of creating it."""
        created: list[Row] = self._recorded("bulk_create", super().bulk_create, *args, **kwargs)
        return created

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        """Update fields of objects and record what that changes."""
        return int(self._recorded("bulk_update", super().bulk_update, *args, **kwargs) or 0)

    # As Django marks its own: templates do not call them.
    update.alters_data = True  # type: ignore[attr-defined]
    bulk_create.alters_data = bulk_update.alters_data = True  # type: ignore[attr-defined]

    def _recorded(self, operation: str, run: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if hooks.record_bulk is None:
            return run(*args, **kwargs)
        return hooks.record_bulk(self, operation, run, *args, **kwargs)


class TrackedManager(models.Manager.from_queryset(TrackedQuerySet)):  # type: ignore[misc]
    """A manager with this queryset."""
