"""What happened to one object, for a project's own pages and for the admin."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured

from trackmate import selectors
from trackmate.conf import get_settings
from trackmate.dashboard import access, texts
from trackmate.dashboard.answers import within_budget
from trackmate.dashboard.cells import action_type_text
from trackmate.dashboard.places import url_of
from trackmate.db.keys import serialize_key
from trackmate.diagnostics import summarize_error
from trackmate.enums import Status

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from trackmate.models import ActivityLog
    from trackmate.selectors import Rows

logger = logging.getLogger("trackmate")

LIMIT = 10


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


def history(instance: Model, request: HttpRequest | None, *, limit: int = LIMIT) -> History:
    """Return the newest activities of an object, as far as this request may see them.

    Reads the log once, within the time budget, and never raises because of it.
    """
    try:
        with within_budget():
            return History(events=_events(instance, request, limit), url=_url(instance, request))
    except ImproperlyConfigured as error:
        logger.error("The history of %r could not be shown: %s", type(instance), error)
        return History(failed=True)
    except Exception as error:  # noqa: BLE001 (it is on a page of the project's)
        logger.error(
            "The history of %r could not be shown: %s", type(instance), summarize_error(error)
        )
        return History(failed=True)


def _events(instance: Model, request: HttpRequest | None, limit: int) -> tuple[Event, ...]:
    with_payload = request is not None and access.may_see_payload(request)
    key = serialize_key(instance)
    if key is None:
        return ()
    kind = ContentType.objects.get_for_model(instance)
    rows = _rows(request).filter(content_type_id=kind.pk, object_id=key)
    more = ("changes",) if with_payload else ()
    return tuple(_event(row) for row in selectors.newest(rows, limit, *more))


def _rows(request: HttpRequest | None) -> Rows:
    if request is not None:
        return access.visible_rows(request)
    rows = selectors.every_row()
    # Without a request nobody can say which rows a project's own rule would leave.
    return rows if get_settings().DASHBOARD_QUERYSET is None else rows.none()


def _event(row: ActivityLog) -> Event:
    changes: Any = None if "changes" in row.get_deferred_fields() else row.changes
    return Event(
        time=texts.full_moment(row.action_time),
        actor=row.who,
        text=row.action or action_type_text(row.action_type),
        failed=row.status == Status.FAILED,
        fields=", ".join(map(str, changes)) if isinstance(changes, dict) else "",
    )


def _url(instance: Model, request: HttpRequest | None) -> str:
    key = serialize_key(instance)
    if request is None or key is None or not access.may_open(request):
        return ""
    kind = ContentType.objects.get_for_model(instance)
    return url_of("object", f"{kind.app_label}.{kind.model}/{key}")
