"""The questions that people ask of the log, as chainable QuerySet methods."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction

from trackmate.clock import aware, lowest_uuid7
from trackmate.db.keys import serialize_key
from trackmate.enums import Status
from trackmate.rollups import note, note_between

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from trackmate.models import ActivityLog


class ActivityLogQuerySet(models.QuerySet["ActivityLog"]):
    """Rows of the log; each method narrows them and reads one index."""

    def by(self, actor: Any) -> Self:
        """Keep what one user did (an instance or a primary key); nothing for who is no user, or
        none yet."""
        key = getattr(actor, "pk", actor)
        is_other = isinstance(actor, models.Model) and not isinstance(actor, get_user_model())
        return self.none() if key is None or is_other else self.filter(actor_id=key)

    def by_label(self, label: str) -> Self:
        """Keep what an actor of this name did, users as they were called then and actors that are
        no users alike (`"cron:nightly"`); nothing for no name (`""`)."""
        return self.filter(actor_label=label) if label else self.none()

    def on(self, instance: models.Model) -> Self:
        """Keep what was done to one object; nothing for one that has no key yet."""
        key = serialize_key(instance)
        if key is None:
            return self.none()
        content_type = ContentType.objects.get_for_model(instance)
        return self.filter(content_type_id=content_type.pk, object_id=key)

    def failed(self) -> Self:
        """Keep what did not succeed."""
        return self.filter(status=Status.FAILED)

    def between(self, start: date | None = None, end: date | None = None) -> Self:
        """Keep what happened from `start` (included) to `end` (excluded); None leaves a side open.

        Either is a datetime or a date, which stands for its first moment. What is naive is taken
        in the current time zone.
        A range of time is a range of primary keys, so this needs no index of its own.
        """
        rows = self
        if start is not None:
            rows = rows.filter(pk__gte=lowest_uuid7(aware(start)))
        if end is not None:
            rows = rows.filter(pk__lt=lowest_uuid7(aware(end)))
        return rows

    def of_request(self, request_id: str) -> Self:
        """Keep everything that one request did; nothing where there was none (`""`)."""
        return self.filter(request_id=request_id) if request_id else self.none()

    def newest_first(self) -> Self:
        """Order by the clock, newest first."""
        return self.order_by("-pk")

    def bulk_create(self, objs: Iterable[ActivityLog], *args: Any, **kwargs: Any) -> Any:
        """Store new rows; the rollups are told of those that are late."""
        self._for_write = True
        with transaction.atomic(using=self.db, savepoint=False):
            rows = super().bulk_create(objs, *args, **kwargs)
            note([self.model._meta.pk.to_python(row.pk) for row in rows], self.db)
        return rows

    def update(self, **values: Any) -> int:
        """Change rows, which the application never does; the rollups are told."""
        with self._noted():
            return super().update(**values)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Remove rows; the rollups are told."""
        with self._noted():
            return super().delete()

    # As Django marks its own: templates do not call them, and managers do not offer the latter.
    update.alters_data = delete.alters_data = delete.queryset_only = True  # type: ignore[attr-defined]

    @contextmanager
    def _noted(self) -> Iterator[None]:
        self._for_write = True
        if self.query.is_sliced or self.query.combinator:
            # Django refuses to change these.
            yield
            return
        keys = self.order_by().values_list("pk", flat=True)
        with transaction.atomic(using=self.db, savepoint=False):
            first, last = keys.order_by("pk").first(), keys.order_by("-pk").first()
            yield
            if first is not None and last is not None:
                note_between(first, last, self.db)
