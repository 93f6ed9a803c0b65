"""The QuerySet of the activity log."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import models

from trackmate.clock import aware, lowest_uuid7
from trackmate.db.keys import serialize_key
from trackmate.enums import Status
from trackmate.models.children import about_children
from trackmate.models.object_keys import ObjectKey
from trackmate.models.rollups import invalidate_rollups

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from datetime import date
    from uuid import UUID

Row = TypeVar("Row", bound=models.Model)


class ActivityLogQuerySet(models.QuerySet[Row]):
    """Rows of the log; each method narrows them and uses one index."""

    def by(self, actor: Any) -> Self:
        """Return the activities of a user (an instance or a primary key); none for an object that
        is not a saved user."""
        key = getattr(actor, "pk", actor)
        is_other = isinstance(actor, models.Model) and not isinstance(actor, get_user_model())
        return self.none() if key is None or is_other else self.filter(actor_id=key)

    def by_label(self, label: str) -> Self:
        """Return the activities of actors with this name, users (by their name at that time) and
        others (`"cron:nightly"`) alike; none for an empty name."""
        return self.filter(actor_label=label) if label else self.none()

    def on(self, instance: models.Model) -> Self:
        """Return the activities about an object; none for an unsaved one."""
        key = serialize_key(instance)
        if key is None:
            return self.none()
        content_type = ContentType.objects.get_for_model(instance)
        return self.filter(content_type_id=content_type.pk, object_id=key)

    def for_object(self, obj: Any, *, children: bool = False) -> Self:
        """Return the activities about an object, also about one that has been deleted: a model
        instance, `(Model, pk)`, or an activity, which stands for its object.

        A child in multi-table inheritance includes its parents' part. With `children`, activities
        of registered objects that point to it by a foreign key are included: of each foreign key
        up to 200 objects, one query each, and of deleted ones those among the newest 1,000.
        """
        about = ObjectKey.of(obj)
        if about is None:
            return self.none()
        if not children:
            return self.filter(about.condition)
        every_row = self.model._base_manager.using(self.db)
        return self.filter(about.condition | about_children(about, every_row.all()))

    def failed(self) -> Self:
        """Return the activities that failed."""
        return self.filter(status=Status.FAILED)

    def between(self, start: date | None = None, end: date | None = None) -> Self:
        """Return the activities from `start` (included) to `end` (excluded); None means no limit.

        Either is a datetime or a date, which means its midnight. Naive values are in the current
        time zone. A time range is a range of primary keys, so this needs no index of its own.
        """
        rows = self
        if start is not None:
            rows = rows.filter(pk__gte=lowest_uuid7(aware(start)))
        if end is not None:
            rows = rows.filter(pk__lt=lowest_uuid7(aware(end)))
        return rows

    def of_request(self, request_id: str) -> Self:
        """Return the activities of one request; none for an empty id."""
        return self.filter(request_id=request_id) if request_id else self.none()

    def newest_first(self) -> Self:
        """Order by time, newest first."""
        return self.order_by("-pk")

    def bulk_create(self, objs: Iterable[Row], *args: Any, **kwargs: Any) -> Any:
        """Store new rows and invalidate the rollups of those that are late."""
        self._for_write = True
        rows = list(objs)
        with invalidate_rollups(map(key_of, rows), self.db):
            return super().bulk_create(rows, *args, **kwargs)

    def update(self, **values: Any) -> int:
        """Change rows, which trackmate never does, and invalidate their rollups."""
        with self._invalidation():
            return super().update(**values)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete rows and invalidate their rollups."""
        with self._invalidation():
            return super().delete()

    # As Django marks its own: templates do not call them, and managers do not offer the latter.
    update.alters_data = delete.alters_data = delete.queryset_only = True  # type: ignore[attr-defined]

    def _invalidation(self) -> AbstractContextManager[None]:
        """Return a context manager that invalidates the rollups covering these rows."""
        self._for_write = True
        if self.query.is_sliced or self.query.combinator:
            # Django refuses to change these.
            return nullcontext()
        keys = self.order_by().values_list("pk", flat=True)
        ends = [*keys.order_by("pk")[:1], *keys.order_by("-pk")[:1]]
        return invalidate_rollups(ends, self.db, is_range=True)


def key_of(row: models.Model) -> UUID:
    """Return the primary key of a row, or for one that has none yet, a key of the same time."""
    field = row._meta.pk
    key: UUID = field.get_pk_value_on_save(row) if row.pk is None else field.to_python(row.pk)
    return key
