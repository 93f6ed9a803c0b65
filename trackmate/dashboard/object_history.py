"""The history of one object, for pages of a project and for the admin."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured

from trackmate import selectors
from trackmate.conf import get_settings
from trackmate.dashboard import formatting
from trackmate.dashboard.cells import action_type_label
from trackmate.dashboard.db.results import query_timeout
from trackmate.dashboard.entities import entity_url
from trackmate.dashboard.http import permissions
from trackmate.db.keys import serialize_key
from trackmate.diagnostics import summarize_error
from trackmate.enums import Status

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from trackmate.models import ActivityLog
    from trackmate.selectors import Rows

logger = logging.getLogger("trackmate")

MAX_EVENTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One activity in an object's history."""

    time: str
    actor: str
    text: str
    failed: bool
    fields: str
    """Names of the fields that changed, for those who may see the payload."""


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
    """Return the newest activities of an object that this request may see.

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
    with_payload = request is not None and permissions.may_see_payload(request)
    key = serialize_key(instance)
    if key is None:
        return ()
    content_type = ContentType.objects.get_for_model(instance)
    rows = _visible_rows(request).filter(content_type_id=content_type.pk, object_id=key)
    more = ("changes",) if with_payload else ()
    return tuple(_build_event(row) for row in selectors.newest(rows, limit, *more))


def _visible_rows(request: HttpRequest | None) -> Rows:
    if request is not None:
        return permissions.visible_rows(request)
    rows = selectors.every_row()
    # A project's rule needs a request to say which rows are visible.
    return rows if get_settings().DASHBOARD_QUERYSET is None else rows.none()


def _build_event(row: ActivityLog) -> Event:
    changes: Any = None if "changes" in row.get_deferred_fields() else row.changes
    return Event(
        time=formatting.format_full_time(row.action_time),
        actor=row.actor_text,
        text=row.action or action_type_label(row.action_type),
        failed=row.status == Status.FAILED,
        fields=", ".join(map(str, changes)) if isinstance(changes, dict) else "",
    )


def _dashboard_url(instance: Model, request: HttpRequest | None) -> str:
    key = serialize_key(instance)
    if request is None or key is None or not permissions.may_open(request):
        return ""
    content_type = ContentType.objects.get_for_model(instance)
    return entity_url("object", f"{content_type.app_label}.{content_type.model}/{key}")
