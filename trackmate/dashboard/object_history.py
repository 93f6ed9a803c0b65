"""The history of one object, for pages of a project and for the admin."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

from trackmate import selectors
from trackmate.conf import get_settings
from trackmate.dashboard import formatting
from trackmate.dashboard.cells import action_type_label
from trackmate.dashboard.db.results import query_timeout
from trackmate.dashboard.detail.diff import Differ
from trackmate.dashboard.detail.timeline import (
    changed_fields,
    group_by_request,
    shortened_changes,
    split_group,
)
from trackmate.dashboard.entities import entity_url
from trackmate.dashboard.http import permissions
from trackmate.diagnostics import summarize_error
from trackmate.enums import ActionType, Status
from trackmate.models.object_keys import ObjectKey

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from trackmate.dashboard.detail.diff import Change
    from trackmate.models import ActivityLog
    from trackmate.selectors import Rows

logger = logging.getLogger("trackmate")

MAX_EVENTS = 10
ROWS_OF_EVENT = 3
"""Rows that are read for each event: a request has one of its own, and one for each change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What one request, or anything else, did to an object."""

    time: str
    actor: str
    text: str
    failed: bool
    changes: tuple[Change, ...] = ()
    """The fields that changed, for those who may see the payload."""
    fields: str = ""
    """The names of fields in changes of another form, for the same people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The newest activities of an object."""

    events: tuple[Event, ...] = ()
    failed: bool = False
    """Whether the log could not be read."""
    url: str = ""
    """The object's page in the dashboard, for those who may open it."""


def load_history(
    instance: Model, request: HttpRequest | None, *, limit: int = MAX_EVENTS
) -> History:
    """Return the newest activities of an object that this request may see, without those that only
    read it, those of one request together.

    Read the log once, with a timeout. A failure is logged and never raised.
    """
    try:
        with query_timeout():
            return History(
                events=_load_events(instance, request, limit), url=_dashboard_url(instance, request)
            )
    except ImproperlyConfigured as error:
        logger.error("The history of %r could not be shown: %s", type(instance), error)
        return History(failed=True)
    except Exception as error:  # noqa: BLE001 (a page of the project has to render)
        logger.error(
            "The history of %r could not be shown: %s", type(instance), summarize_error(error)
        )
        return History(failed=True)


def _load_events(instance: Model, request: HttpRequest | None, limit: int) -> tuple[Event, ...]:
    about = ObjectKey.of(instance)
    if about is None:
        return ()
    rows = _visible_rows(request).filter(about.condition).exclude(action_type=ActionType.READ)
    with_payload = request is not None and permissions.may_see_payload(request)
    more = ("changes",) if with_payload else ()
    found = selectors.newest(rows, limit * ROWS_OF_EVENT, "request_id", *more)
    differ = Differ() if with_payload else None
    return tuple(_build_event(group, differ) for group in group_by_request(found)[:limit])


def _visible_rows(request: HttpRequest | None) -> Rows:
    if request is not None:
        return permissions.visible_rows(request)
    rows = selectors.every_row()
    # A project's rule needs a request to say which rows are visible.
    return rows if get_settings().DASHBOARD_QUERYSET is None else rows.none()


def _build_event(group: list[ActivityLog], differ: Differ | None) -> Event:
    row, changed = split_group(group)
    visible = changed if differ is not None else []
    changes = [change for each in visible for change in shortened_changes(each, differ)]
    return Event(
        time=formatting.format_time(row.action_time),
        actor=row.actor_text,
        text=row.action or action_type_label(row.action_type),
        failed=row.status == Status.FAILED,
        changes=tuple(changes),
        fields="" if changes else ", ".join(filter(None, map(changed_fields, visible))),
    )


def _dashboard_url(instance: Model, request: HttpRequest | None) -> str:
    about = ObjectKey.of(instance)
    if request is None or about is None or not permissions.may_open(request):
        return ""
    return entity_url("object", about.label)
