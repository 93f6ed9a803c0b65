"""What a recorded change is about: the object, its model and the database that it is in."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_permission_codename
from django.contrib.contenttypes.models import ContentType
from django.db import router
from django.utils.translation import gettext as _

from trackmate.dashboard.http.permissions import has_permission
from trackmate.db.keys import parse_key
from trackmate.enums import ActionType, Source, Status

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from trackmate.models import ActivityLog

PERMISSION = "trackmate.undo_change"
PAYLOAD_PERMISSION = "trackmate.view_payload"

_UNDOABLE = frozenset({ActionType.UPDATE.value, ActionType.DELETE.value})


class GoneError(Exception):
    """The model does not exist any more, or not with such keys; the message says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The object of a change."""

    model: type[Model]
    key: Any
    alias: str
    """The database that the model is written to."""
    is_deleted: bool
    """Whether the change was its deletion."""

    @classmethod
    def of_row(cls, row: ActivityLog) -> Subject:
        """Return what a row is about. Raise GoneError if there is no such model any more."""
        model = _model_of(row)
        if model is None:
            raise GoneError(_("The model of this object does not exist any more."))
        key = parse_key(model, row.object_id)
        if key is None:
            raise GoneError(_("The model of this object has keys of another type now."))
        return cls(
            model=model,
            key=key,
            alias=router.db_for_write(model),
            is_deleted=row.action_type == ActionType.DELETE,
        )

    @property
    def permission(self) -> str:
        """The permission of the model that is needed to undo the change."""
        meta = self.model._meta
        codename = get_permission_codename("add" if self.is_deleted else "change", meta)
        return f"{meta.app_label}.{codename}"

    def find(self, *, lock: bool = False) -> Model | None:
        """Return the object, or None; with `lock`, nobody else changes it meanwhile."""
        # Default managers may hide objects.
        objects = self.model._base_manager.using(self.alias)
        if lock:
            # Without effect where the database has no such lock, as in SQLite.
            objects = objects.select_for_update()
        return objects.filter(pk=self.key).first()

    def find_parents(self) -> dict[type[Model], Model]:
        """Return the objects with this key of the models that the model inherits from."""
        found = {
            each: each._base_manager.using(self.alias).filter(pk=self.key).first()
            for each in self.model._meta.get_parent_list()
        }
        return {each: parent for each, parent in found.items() if parent is not None}


def is_undoable(row: ActivityLog) -> bool:
    """Return True for a recorded update or deletion of an object.

    A creation is undone by deleting the object, which is done where objects are deleted: what
    depends on it by now is shown and protected there.
    """
    return (
        row.source == Source.MODEL
        and row.status == Status.SUCCESS
        and row.action_type in _UNDOABLE
        and row.content_type_id is not None
        and bool(row.object_id)
    )


def missing_permission(request: HttpRequest, row: ActivityLog) -> str:
    """Return the first permission that this person lacks to undo a change; "" if there is none."""
    needed = [PAYLOAD_PERMISSION, PERMISSION]
    with suppress(GoneError):
        needed.append(Subject.of_row(row).permission)
    return next((name for name in needed if not has_permission(request, name)), "")


def _model_of(row: ActivityLog) -> type[Model] | None:
    try:
        return ContentType.objects.get_for_id(row.content_type_id or 0).model_class()
    except ContentType.DoesNotExist:
        return None
