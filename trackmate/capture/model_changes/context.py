"""Who changes something, and why, for the triggers of a database.

It is a setting of the transaction, which ends with it: whoever gets the server's session next, by a
pool such as pgbouncer, does not inherit it. It is sent with the first write of a transaction to a
table with triggers, and again if it is another one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from weakref import ref

from django.db import transaction

from trackmate.activity import Activity
from trackmate.capture.actors import (
    hash_session,
    loaded_user,
    request_actor,
    request_impersonator,
    tenant_without_query,
)
from trackmate.capture.clients import describe_client, readable_route
from trackmate.clock import datetime_of
from trackmate.context.binding import apply_context
from trackmate.context.scope import Scope, current_scope
from trackmate.enums import Source
from trackmate.pipeline import is_recording, never_raise
from trackmate.processors import clean, redact
from trackmate.triggers.names import CONTEXT, OFF

_STATE = "_trackmate_context"

_NAMES = (
    "actor_id", "actor_label", "impersonator_id", "impersonator_label", "tenant", "ip_address",
    "user_agent", "session_hash", "method", "path", "route", "request_id", "trace_id", "reason",
    "extra",
)  # fmt: skip

_NO_ID = UUID(int=0)


@dataclass(slots=True)
class _State:
    """What a connection has sent, and what it is made from."""

    sent: str | None = None
    transaction: Any = None
    """The connection's `run_on_commit`, which Django replaces when a transaction or a savepoint has
    ended: with the latter PostgreSQL forgets what was set inside of it."""
    key: Any = None
    text: str = field(default=OFF)


def execute_with_context(
    execute: Callable[..., Any],
    sql: Any,
    params: Any,
    many: bool,  # noqa: FBT001 (Django passes it by position)
    context: Any,
) -> Any:
    """Execute a statement of a table with triggers; those read the context."""
    connection = context["connection"]
    state: _State = connection.__dict__.setdefault(_STATE, _State())
    text = current_context(state)
    if (
        connection.in_atomic_block
        and state.transaction is connection.run_on_commit
        and state.sent == text
    ):
        return execute(sql, params, many, context)
    setting = f"SELECT set_config('{CONTEXT}', '{text}', true)"
    if many or type(sql) is not str or _takes_one(connection):
        # In autocommit each of its statements would be a transaction of its own.
        is_alone = connection.get_autocommit()
        with transaction.atomic(using=connection.alias) if is_alone else nullcontext():
            with connection.cursor() as cursor:
                cursor.execute(setting)
            result = execute(sql, params, many, context)
    else:
        # One message, which is one transaction, spares a round trip.
        result = execute(f"{setting}; {sql}", params, many, context)
        _skip_first_result(context["cursor"].cursor)
    # In autocommit the setting has ended with the statement; a block that begins now has the same
    # `run_on_commit`.
    state.transaction = connection.run_on_commit if connection.in_atomic_block else None
    state.sent = text
    return result


def _takes_one(connection: Any) -> bool:
    """Return True if a message takes one statement."""
    return bool(connection.settings_dict["OPTIONS"].get("server_side_binding"))


def _skip_first_result(cursor: Any) -> None:
    """Leave the result of the statement proper; psycopg2 has no other."""
    if hasattr(cursor, "nextset") and hasattr(cursor, "pgresult"):
        cursor.nextset()


def current_context(state: _State | None = None) -> str:
    """Return the context as JSON without quotes and percent signs, or `OFF`."""
    if not is_recording():
        return OFF
    return _context_text(state or _State()) or "{}"


@never_raise
def _context_text(state: _State) -> str:
    activity = apply_context(
        Activity(id=_NO_ID, action_time=datetime_of(_NO_ID), source=Source.MODEL.value)
    )
    scope = current_scope()
    request = scope.request if scope is not None else None
    key = (
        scope and ref(scope),
        request and (request.resolver_match is None, id(loaded_user(request))),
        activity,
    )
    if state.key == key:
        return state.text
    if scope is not None:
        activity = _with_request(activity, scope)
    activity = clean(redact(activity))
    values = {name: value for name in _NAMES if (value := getattr(activity, name))}
    # It is quoted as it is, whether the statement has parameters or not.
    text = json.dumps(values, default=str).replace("'", "\\u0027").replace("%", "\\u0025")
    state.key, state.text = key, text
    return text


def _with_request(activity: Activity, scope: Scope) -> Activity:
    """Return the activity with what is known of the request by now."""
    request = scope.request
    match = request.resolver_match
    known = describe_client(request)
    known["route"] = readable_route(match.route or "/") if match else ""
    known["session_hash"] = hash_session(request) or ""
    known["tenant"] = activity.tenant or tenant_without_query(request) or None
    if not activity.has_actor:
        actor_id, actor_label = request_actor(request, scope.actor) or (None, "")
        known |= {"actor_id": actor_id, "actor_label": actor_label}
        if not activity.has_impersonator:
            known |= request_impersonator(request, actor_id) or {}
    return activity.replace(**known)
