"""The questions that people ask of the log, as chainable QuerySet methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.contrib.contenttypes.models import ContentType
from django.db import models

from trackmate.clock import aware, lowest_uuid7
from trackmate.enums import Status

if TYPE_CHECKING:
    from datetime import date

    from trackmate.models import ActivityLog  # noqa: F401 (read in a string)


class ActivityLogQuerySet(models.QuerySet["ActivityLog"]):
    """Rows of the log; each method narrows them and reads one index."""

    def by(self, actor: Any) -> Self:
        """Keep what one user did (an instance or a primary key)."""
        return self.filter(actor_id=getattr(actor, "pk", actor))

    def by_label(self, label: str) -> Self:
        """Keep what an actor of this name did, users as they were called then and actors that are
        no users alike (`"cron:nightly"`)."""
        return self.filter(actor_label=label)

    def on(self, instance: models.Model) -> Self:
        """Keep what was done to one object."""
        content_type = ContentType.objects.get_for_model(instance)
        return self.filter(content_type_id=content_type.pk, object_id=str(instance.pk))

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
        """Keep everything that one request did."""
        return self.filter(request_id=request_id)

    def newest_first(self) -> Self:
        """Order by the clock, newest first."""
        return self.order_by("-pk")
