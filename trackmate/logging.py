"""A filter that adds the request, the trace, the actor and the tenant to log records."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Any

from django.db import connections

from trackmate.activity import as_plain_str, describe_actor
from trackmate.capture.actors import loaded_user, tenant_without_query
from trackmate.context.binding import bound_values
from trackmate.context.correlation import current_trace
from trackmate.context.scope import Scope, current_scope
from trackmate.db.transactions import no_queries
from trackmate.redaction.text import clean_line

UNKNOWN = "-"
"""The value of what there is none of."""
MAX_LENGTH = 255

_is_filtering: ContextVar[bool] = ContextVar("trackmate_is_filtering", default=False)


class ActivityContextFilter(logging.Filter):
    """Set `request_id`, `trace_id`, `actor` and `tenant` on each record, "-" without a value.

    They are those of the activities that the same code would record, within a request and outside
    of one. No record is dropped, no query is made, and no session is read: the actor of a request
    is known once the project has used `request.user`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Set the values, and keep the record."""
        values: dict[str, Any] = {}
        # The project's ACTOR_LABEL and TENANT may log, too.
        if not _is_filtering.get():
            token = _is_filtering.set(True)
            try:
                values = _current_values()
            except Exception:  # noqa: BLE001, S110 (a report would be logged, and filtered again)
                pass
            finally:
                _is_filtering.reset(token)
        for name in ("request_id", "trace_id", "actor", "tenant"):
            text = clean_line(as_plain_str(values.get(name)), MAX_LENGTH)
            setattr(record, name, text or UNKNOWN)
        return True


def _current_values() -> dict[str, Any]:
    bound, scope = bound_values(), current_scope()
    values = {
        "request_id": bound.get("request_id") or (scope and scope.request_id),
        "trace_id": bound.get("trace_id") or (scope and scope.trace_id) or current_trace(),
        "actor": bound.get("actor_label"),
        "tenant": bound.get("tenant"),
    }
    if scope is None:
        return values
    connections.all()  # so that no query can be the first one of its connection
    with no_queries():
        values["actor"] = values["actor"] or _actor_of(scope)
        values["tenant"] = values["tenant"] or scope.bound.get("tenant") or _tenant_of(scope)
    return values


def _actor_of(scope: Scope) -> str:
    user = loaded_user(scope.request)
    if getattr(user, "is_authenticated", False):
        return describe_actor(user)[1]
    return scope.actor[1] if scope.actor else ""


def _tenant_of(scope: Scope) -> str:
    if scope.request_activity is not None:
        return scope.request_activity.tenant or ""
    return tenant_without_query(scope.request)
