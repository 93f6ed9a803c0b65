"""The activity log: one row for each activity, written once and never updated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trackmate.activity import actor_name, is_hashed
from trackmate.enums import ActionType, Source, Status
from trackmate.fields import AwareDateTimeField, FarGenericForeignKey, UUIDv7Field
from trackmate.indexes import SparseIndex
from trackmate.models.querysets import ActivityLogQuerySet, key_of
from trackmate.models.rollups import invalidate_rollups

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from django.db.models.fields.mixins import FieldCacheMixin


class ActivityLog(models.Model):
    """One activity: who did what, when, from where, and how it went.

    The primary key is a UUIDv7 made from `action_time`: newest first is `-id`, a time range is a
    range of ids, a page cursor is an id. Foreign keys have no constraints, so that deleting a user,
    an object or a content type never changes the log.
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

    impersonator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("impersonator"),
    )
    impersonator_label = models.CharField(_("impersonator name"), max_length=255, blank=True)
    tenant = models.CharField(_("tenant"), max_length=64, null=True, blank=True)  # noqa: DJ001 (NULL keeps rows without one out of the index)

    ip_address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=512, blank=True)
    session_hash = models.CharField(_("session"), max_length=64, blank=True)

    method = models.CharField(_("method"), max_length=16, blank=True)
    path = models.CharField(_("path"), max_length=2048, blank=True)
    route = models.CharField(_("route"), max_length=255, blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)
    trace_id = models.CharField(_("trace id"), max_length=32, blank=True)

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
    reason = models.TextField(_("reason"), blank=True)
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
            ("undo_change", _("Can undo recorded changes")),
        )
        # Each ends with the primary key, the clock: "the newest N of these" reads N entries.
        # The primary key itself serves the newest page, every time range and every page cursor.
        indexes = (
            # what did this person do
            models.Index(fields=["actor", "id"], name="trackmate_actor"),
            # what happened to this object; most rows are about none
            SparseIndex(fields=["content_type", "object_id", "id"], name="trackmate_object"),
            # what did this person do as somebody else; most rows are of nobody's
            SparseIndex(fields=["impersonator", "id"], name="trackmate_impersonator"),
            # what happened in this tenant; most projects have none
            SparseIndex(fields=["tenant", "id"], name="trackmate_tenant"),
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
        """Store a new row with the names that its actor and object have now.

        A failed login is always stored as failed.
        """
        if self._state.adding:
            if self.action_type == ActionType.LOGIN_FAILED:
                self.status = Status.FAILED
            self.actor_label = self.actor_label or self._name_of("actor")
            self.object_repr = self.object_repr or self._name_of("content_object")
        with self._invalidation(kwargs.get("using")):
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete this row."""
        with self._invalidation(kwargs.get("using")):
            return super().delete(*args, **kwargs)

    @property
    def who(self) -> str:
        """The actor's name, else its key; "unknown" for a failed login, "anonymous" for another
        request without an actor, and nothing for a command without one."""
        if self.actor_label or self.actor_id is not None:
            return actor_name(self.actor_label) or f"#{self.actor_id}"
        if self.action_type == ActionType.LOGIN_FAILED:
            # It may have been anybody, the owner of the account included.
            return str(_("unknown"))
        return str(_("anonymous")) if self.method else ""

    @property
    def impersonator_name(self) -> str:
        """The name of whoever acted as the actor, else the key; "" for nobody."""
        if self.impersonator_label or self.impersonator_id is None:
            return self.impersonator_label
        return f"#{self.impersonator_id}"

    @property
    def actor_text(self) -> str:
        """The actor, and whoever acted as the actor: "alice (by admin)"."""
        if not (impersonator := self.impersonator_name):
            return self.who
        return _("%(actor)s (by %(impersonator)s)") % {
            "actor": self.who,
            "impersonator": impersonator,
        }

    @property
    def object_name(self) -> str:
        """The object's name; "Unknown account (6fc8)" for one that is stored as a hash."""
        return actor_name(self.object_repr) if self.is_about_unknown else self.object_repr

    @property
    def is_about_unknown(self) -> bool:
        """Whether its object is an account that does not exist, stored as a hash."""
        return self.object_repr == self.object_id and is_hashed(self.object_repr)

    def _invalidation(self, using: str | None) -> AbstractContextManager[None]:
        """Return a context manager that invalidates the rollups covering this row."""
        alias = using or router.db_for_write(type(self), instance=self)
        return invalidate_rollups([key_of(self)], alias)

    def _name_of(self, link: str) -> str:
        """Return the name of a related object that is loaded already; nothing is fetched."""
        field = cast("FieldCacheMixin", self._meta.get_field(link))
        target = field.get_cached_value(self, default=None)
        return "" if target is None else str(target)[:255]
