"""Where on the page of an activity its changes can be put back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import reverse

from trackmate.conf import get_settings
from trackmate.dashboard.undo.subjects import is_undoable, missing_permission
from trackmate.dashboard.undo.values import is_known
from trackmate.enums import ActionType

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from django.http import HttpRequest

    from trackmate.models import ActivityLog


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoLinks:
    """The addresses that ask whether to put back a change, or one of its fields."""

    url: str = ""
    """That of the whole change; "" if this person cannot undo it."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Those of single fields. A deleted object comes back as a whole."""


def undo_links(request: HttpRequest, row: ActivityLog) -> UndoLinks:
    """Return what this person may put back of an activity."""
    if not get_settings().UNDO or not is_undoable(row) or missing_permission(request, row):
        return UndoLinks()
    changes = row.changes
    if not isinstance(changes, dict) or not changes:
        return UndoLinks()
    if row.action_type == ActionType.DELETE:
        return UndoLinks(url=undo_url(row.pk))
    known = [name for name, change in changes.items() if is_known(change)]
    return UndoLinks(
        url=undo_url(row.pk), fields={name: undo_url(row.pk, [name]) for name in known}
    )


def change_url(request: HttpRequest, row: ActivityLog) -> str:
    """Return the address for putting back an activity; "" if this person cannot."""
    return undo_links(request, row).url


def undo_url(pk: UUID, names: Collection[str] = ()) -> str:
    """Return the address that asks whether to put back a change, or some fields of it."""
    url = reverse("trackmate:undo", args=[pk])
    query = urlencode([("field", name) for name in names], errors="replace")
    return f"{url}?{query}" if query else url
