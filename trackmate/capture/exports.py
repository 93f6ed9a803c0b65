"""Exports of the log, which are recorded as activities."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest

from trackmate.activity import Activity, describe_actor
from trackmate.capture.actors import request_user
from trackmate.capture.clients import describe_client
from trackmate.clock import aware
from trackmate.enums import Source
from trackmate.pipeline import never_raise, record

ACTION = "trackmate.export"


@never_raise
def on_export(
    *,
    request: HttpRequest,
    filters: dict[str, str],
    since: datetime | None,
    until: datetime,
    format: str,  # noqa: A002 (the name in the signal)
    rows: int,
    is_complete: bool,
    **_kwargs: Any,
) -> None:
    """Record an export with its filters and number of rows."""
    actor_id, actor_label = describe_actor(request_user(request))
    activity = Activity.now(
        source=Source.CUSTOM.value,
        action=ACTION,
        action_type="Export",
        actor_id=actor_id,
        actor_label=actor_label,
        data={
            "filters": filters,
            "since": since and aware(since).isoformat(),
            "until": aware(until).isoformat(),
            "format": format,
            "rows": rows,
            "is_complete": is_complete,
        },
        **describe_client(request),
    )
    # The response is being streamed, outside of the scope of its request.
    record(activity)
