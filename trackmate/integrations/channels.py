"""Django Channels: connections by WebSocket, and who is behind what consumers record.

A consumer is called once for each connection, so that call is wrapped; there is no signal. The
project's list of middleware stays as it is.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from functools import wraps
from io import BytesIO
from time import perf_counter
from typing import Any

from channels.consumer import AsyncConsumer
from django.core.handlers.asgi import ASGIRequest

from trackmate.activity import Activity
from trackmate.capture.actors import loaded_value, request_actor
from trackmate.capture.requests import describe_request, remember_header_secrets
from trackmate.context.correlation import trace_of_request
from trackmate.context.scope import Scope, enter_scope, leave_scope
from trackmate.diagnostics import describe_exception
from trackmate.enums import ActionType, status_for
from trackmate.pipeline import call_in_thread, is_recording, never_raise, record
from trackmate.redaction.redactor import MAX_PATH, Redactor
from trackmate.redaction.routes import Argument

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

METHOD = "WEBSOCKET"
ACCEPTED, REFUSED = 101, 403
"""The status codes of a handshake (RFC 6455)."""
SERVER_ERROR = 1011
"""The code of a connection that the server closes because of an error."""

FROM_CLIENT = frozenset({"websocket.connect", "websocket.receive", "websocket.disconnect"})
"""Messages of the client. Those of the channel layer come from somebody else."""

_is_open: ContextVar[bool] = ContextVar("trackmate_websocket", default=False)
"""True inside a consumer: one that passes its messages on to others is one connection."""


def install() -> None:
    """Wrap the call of a consumer."""
    AsyncConsumer.__call__ = _recorded(AsyncConsumer.__call__)


def _recorded(call: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @wraps(call)
    async def recorded(consumer: Any, scope: Message, receive: Receive, send: Send) -> None:
        connection = _connection_for(scope)
        if connection is None:
            return await call(consumer, scope, receive, send)
        await call_in_thread(connection.describe)
        consumer.dispatch = connection.watch_dispatch(consumer.dispatch)
        token = _is_open.set(True)
        try:
            await call(
                consumer, scope, connection.watch_receive(receive), connection.watch_send(send)
            )
        except BaseException as error:
            connection.end(error)
            raise
        finally:
            with suppress(ValueError):  # closed in another context
                _is_open.reset(token)
        connection.end(None)
        return None

    return recorded


@never_raise
def _connection_for(scope: Message) -> Connection | None:
    if scope.get("type") != "websocket" or _is_open.get() or not is_recording():
        return None
    return Connection(scope)


class Connection:
    """A connection: a request that has been answered, and goes on.

    Its scope is closed from the beginning: whatever is recorded in it is stored at once, with the
    values of the request.
    """

    def __init__(self, asgi_scope: Message) -> None:
        self._asgi_scope = asgi_scope
        self.scope = Scope(_as_request(asgi_scope))
        self.scope.trace_id = trace_of_request(self.scope.request)
        # There is neither a body nor a response.
        self.scope.capture_data = self.scope.capture_response = False
        self.scope.closed = True
        self._is_accepted = self._is_recorded = False
        self._close_code: int | None = None

    @never_raise
    def describe(self) -> None:
        """Describe the request; this may run queries, such as those of `ACTOR_LABEL`."""
        self._set_user(loaded_value(self._asgi_scope.get("user")))
        remember_header_secrets(self.scope)
        activity = describe_request(self.scope, None)
        captured = self._asgi_scope.get("url_route", {}).get("kwargs", {})
        self.scope.request_activity = activity.replace(
            action="websocket.connect",
            action_type=ActionType.ACTION.value,
            path=_mask_captured(activity.path, captured, self.scope.redactor),
        )

    # --- the actor

    async def _refresh_actor(self) -> None:
        """Take over the user who has logged in or out by this connection."""
        user = loaded_value(self._asgi_scope.get("user"))
        if user is not self.scope.request.__dict__.get("user"):
            await call_in_thread(self._change_actor, user)

    @never_raise
    def _change_actor(self, user: Any) -> None:
        self._set_user(user)
        actor = request_actor(self.scope.request, self.scope.actor) or (None, "")
        self._replace(actor_id=actor[0], actor_label=actor[1])

    def _set_user(self, user: Any) -> None:
        self.scope.request.__dict__["user"] = user

    def _replace(self, **values: Any) -> None:
        if (activity := self.scope.request_activity) is not None:
            self.scope.request_activity = activity.replace(**values)

    # --- the messages

    def watch_dispatch(self, dispatch: Send) -> Send:
        """Return a function that handles the messages of the client within the scope."""

        @wraps(dispatch)
        async def watched(message: Message) -> None:
            if message.get("type") not in FROM_CLIENT:
                return await dispatch(message)
            await self._refresh_actor()
            token = enter_scope(self.scope)
            try:
                return await dispatch(message)
            finally:
                leave_scope(token)

        return watched

    def watch_receive(self, receive: Receive) -> Receive:
        """Return a function that notices how the client has closed the connection."""

        async def watched() -> Message:
            message = await receive()
            if message.get("type") == "websocket.disconnect" and self._close_code is None:
                self._close_code = message.get("code")
            return message

        return watched

    def watch_send(self, send: Send) -> Send:
        """Return a function that notices what the consumer answers."""

        async def watched(message: Message) -> None:
            await send(message)
            await self._refresh_actor()
            self._on_sent(message)

        return watched

    @never_raise
    def _on_sent(self, message: Message) -> None:
        message_type = message.get("type")
        if message_type == "websocket.accept":
            self._is_accepted = True
            self._record_connect(failed=False, status_code=ACCEPTED)
        elif message_type == "websocket.http.response.start":
            self._record_connect(failed=True, status_code=message.get("status"))
        elif message_type == "websocket.close":
            self._close_code = message.get("code", 1000)
            if not self._is_accepted:
                self._record_connect(failed=True, status_code=REFUSED)

    # --- what is recorded

    def _record_connect(
        self, *, failed: bool, status_code: int | None = None, error: BaseException | None = None
    ) -> None:
        if self._is_recorded or (activity := self.scope.request_activity) is None:
            return
        self._is_recorded = True
        extra = {**(activity.extra or {}), **self._outcome(error)}
        self._replace(
            status=status_for(failed=failed),
            status_code=status_code,
            execution_time=perf_counter() - self.scope.started,
            extra=extra or None,
        )
        self._record(self.scope.request_activity)

    @never_raise
    def end(self, error: BaseException | None) -> None:
        """Record the end of the connection, or that it was never accepted."""
        if isinstance(error, (CancelledError, GeneratorExit)):
            # The server ends the consumer of a client that has gone.
            error = None
        if not self._is_accepted:
            self._record_connect(failed=True, error=error)
        elif (activity := self.scope.request_activity) is not None:
            now = Activity.now()
            self._record(
                activity.replace(
                    id=now.id,
                    action_time=now.action_time,
                    action="websocket.disconnect",
                    status=status_for(failed=error is not None or self._close_code == SERVER_ERROR),
                    status_code=None,
                    execution_time=perf_counter() - self.scope.started,
                    extra=self._outcome(error) or None,
                )
            )

    def _outcome(self, error: BaseException | None) -> dict[str, Any]:
        outcome: dict[str, Any] = {}
        if isinstance(self._close_code, int):
            outcome["close_code"] = self._close_code
        if error is not None:
            outcome["exception"] = describe_exception(error)
        return outcome

    def _record(self, activity: Activity | None) -> None:
        if activity is None:
            return
        token = enter_scope(self.scope)
        try:
            record(activity)
        finally:
            leave_scope(token)


def _as_request(asgi_scope: Message) -> ASGIRequest:
    """Return the handshake as a request, so that proxies and hooks are the same as for others."""
    query = asgi_scope.get("query_string", b"")
    query = query.decode(errors="replace") if isinstance(query, bytes) else query
    request = ASGIRequest({**asgi_scope, "method": METHOD, "query_string": query}, BytesIO())
    session = loaded_value(asgi_scope.get("session"))
    if session is not None:
        request.session = session
    return request


def _mask_captured(path: str, captured: dict[str, Any], redactor: Redactor) -> str:
    """Return a path with the secrets masked that the consumer's route has captured."""
    arguments = [
        Argument(name, start, start + len(str(value)))
        for name, value in captured.items()
        if str(value) and (start := path.rfind(str(value))) >= 0
    ]
    return redactor.mask_arguments(path, arguments, path[:MAX_PATH])
