"""The log itself: one row for each activity, written once and never updated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, router
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trackmate.enums import ActionType, Source, Status
from trackmate.fields import AwareDateTimeField, FarGenericForeignKey, UUIDv7Field
from trackmate.indexes import SparseIndex
from trackmate.querysets import ActivityLogQuerySet
from trackmate.rollups import noted

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractContextManager

    from django.db.models.fields.mixins import FieldCacheMixin


class ActivityLog(models.Model):
    """One activity: who did what, when, from where, and how it went.

    The primary key is a UUIDv7 made from `action_time`: newest first is `-id`, a range of time is
    a range of ids, a page cursor is an id. Links are free of constraints, so that deleting a user,
    an object or a content type never touches history.
    """

    id = UUIDv7Field(primary_key=True, clock="action_time", editable=False)
    action_time = AwareDateTimeField(_("time"), default=timezone.now)
    recorded_at = AwareDateTimeField(_("recorded at"), default=timezone.now, editable=False)

    source = models.CharField(
        _("source"), max_length=16, choices=Source.choices, default=Source.CUSTOM
    )
    action_type = models.CharField(_("action type"), max_length=32, blank=True)
    action = models.CharField(_("action"), max_length=255, blank=True)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.SUCCESS
    )
    status_code = models.PositiveSmallIntegerField(_("status code"), null=True, blank=True)
    execution_time = models.FloatField(_("execution time (s)"), null=True, blank=True)

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("actor"),
    )
    actor_label = models.CharField(_("actor name"), max_length=255, blank=True)

    ip_address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=512, blank=True)
    session_hash = models.CharField(_("session"), max_length=64, blank=True)

    method = models.CharField(_("method"), max_length=16, blank=True)
    path = models.CharField(_("path"), max_length=2048, blank=True)
    route = models.CharField(_("route"), max_length=255, blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)

    content_type = models.ForeignKey(
        ContentType,
        models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("object type"),
    )
    object_id = models.CharField(_("object id"), max_length=255, null=True, blank=True)  # noqa: DJ001 (GenericForeignKey reads NULL as "none")
    object_repr = models.CharField(_("object"), max_length=255, blank=True)
    content_object = FarGenericForeignKey("content_type", "object_id")

    remarks = models.TextField(_("remarks"), blank=True)
    data = models.JSONField(_("data"), null=True, blank=True, encoder=DjangoJSONEncoder)
    response = models.JSONField(_("response"), null=True, blank=True, encoder=DjangoJSONEncoder)
    changes = models.JSONField(_("changes"), null=True, blank=True, encoder=DjangoJSONEncoder)
    extra = models.JSONField(_("extra"), null=True, blank=True, encoder=DjangoJSONEncoder)

    objects: ClassVar[models.Manager[ActivityLog]] = ActivityLogQuerySet.as_manager()

    class Meta:
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        ordering = ("-id",)
        default_permissions = ("view",)
        permissions = (
            ("view_payload", _("Can view request data, responses and changes")),
            ("export_activitylog", _("Can export activities")),
        )
        # Each ends with the primary key, the clock: "the newest N of these" reads N entries.
        # The primary key itself serves the newest page, every time range and every page cursor.
        indexes = (
            # what did this person do
            models.Index(fields=["actor", "id"], name="trackmate_actor"),
            # what happened to this object; most rows are about none
            SparseIndex(fields=["content_type", "object_id", "id"], name="trackmate_object"),
            # what else did the same request do
            models.Index(fields=["request_id", "id"], name="trackmate_request"),
            # what happened at this route
            models.Index(fields=["route", "id"], name="trackmate_route"),
            # what came from this address
            models.Index(fields=["ip_address", "id"], name="trackmate_address"),
            # the newest logins, failed logins, deletions
            models.Index(fields=["action_type", "id"], name="trackmate_action_type"),
            # the newest failures; the newest answers with one status code
            models.Index(fields=["status", "status_code", "id"], name="trackmate_status"),
        )

    def __str__(self) -> str:
        who = self.who or "\N{EN DASH}"
        return f"{self.action_time:%Y-%m-%d %H:%M:%S} {who}: {self.action or self.action_type}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new row, naming its actor and object as they are called now.

        A failed login has failed, whether or not that was said.
        """
        if self._state.adding:
            if self.action_type == ActionType.LOGIN_FAILED:
                self.status = Status.FAILED
            self.actor_label = self.actor_label or self._name_of("actor")
            self.object_repr = self.object_repr or self._name_of("content_object")
        with self._noted(kwargs.get("using")):
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Remove this row."""
        with self._noted(kwargs.get("using")):
            return super().delete(*args, **kwargs)

    @property
    def who(self) -> str:
        """The actor as people read it: by name, else by key; "anonymous" made a request without
        either, and of a command that says no more nobody is known."""
        if self.actor_label or self.actor_id is not None:
            return self.actor_label or f"#{self.actor_id}"
        return str(_("anonymous")) if self.method else ""

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any
    ) -> Self:
        """Make a row out of what was read of it.

        Django looks for each column of the model among those that were read, which for a list, that
        reads half of them, takes twice as long as the rest. Its way is for those who do something
        of their own when a row is made.
        """
        if _is_made_in_an_own_way(cls):
            return super().from_db(db, field_names, values, **options)
        row = cls.__new__(cls)
        row._state = state = ModelState()
        state.adding, state.db = False, db
        if options.get("fetch_mode") is not None:
            state.fetch_mode = options["fetch_mode"]
        vars(row).update(zip(field_names, values, strict=True))
        return row

    def _noted(self, using: str | None) -> AbstractContextManager[None]:
        """Return what tells the rollups of a change of this row."""
        key = self._meta.pk
        # A key of the same moment stands for the one that a new row gets.
        moment = key.get_pk_value_on_save(self) if self.pk is None else key.to_python(self.pk)
        return noted([moment], using or router.db_for_write(type(self), instance=self))

    def _name_of(self, link: str) -> str:
        """Name what a link points to if it is at hand; nothing is fetched for its name."""
        field = cast("FieldCacheMixin", self._meta.get_field(link))
        target = field.get_cached_value(self, default=None)
        return "" if target is None else str(target)[:255]


def _is_made_in_an_own_way(model: type[ActivityLog]) -> bool:
    """Say whether a project's class has more columns or an own beginning, or somebody listens."""
    if model._meta.concrete_model is not ActivityLog or model.__init__ is not models.Model.__init__:
        return True
    # Few projects listen to any model, and to look who listens to this one takes a while.
    if not (pre_init.receivers or post_init.receivers):
        return False
    return pre_init.has_listeners(model) or post_init.has_listeners(model)
