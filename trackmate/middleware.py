"""The middleware, which opens a scope for each request and closes it with the response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from trackmate.activity import Activity, as_plain_str
from trackmate.capture.bodies import read_ahead
from trackmate.capture.requests import describe_request, minimal_activity
from trackmate.capture.responses import watch_stream
from trackmate.conf import get_settings
from trackmate.context.correlation import (
    is_valid_request_id,
    received_request_id,
    trace_of_request,
)
from trackmate.context.scope import Scope, current_scope, enter_scope, leave_scope
from trackmate.pipeline import call_in_thread, flush, is_recording, never_raise

Response = HttpResponseBase
GetResponse = Callable[[HttpRequest], Response | Awaitable[Response]]


class TrackmateMiddleware:
    """Record each request. List it first in `MIDDLEWARE`, so that it covers the others.

    The activities are written when the server closes the response, or before the response is
    returned with `WRITE="before_response"`. Works with sync and async sites.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Response | Awaitable[Response]:
        """Return the response of the site."""
        if self._is_async:
            return self._call_async(request)
        scope = _open_scope(request)
        if scope is None:
            return self.get_response(request)
        token = enter_scope(scope)
        try:
            response = cast("Response", self.get_response(request))
        except BaseException as error:
            scope.exception = error
            _close_scope(scope, None)
            raise
        finally:
            leave_scope(token)
        _send_request_id(scope, response)
        if not _close_with_response(scope, response):
            _close_scope(scope, response)
        return response

    async def _call_async(self, request: HttpRequest) -> Response:
        get_response = cast("Callable[[HttpRequest], Awaitable[Response]]", self.get_response)
        scope = _open_scope(request)
        if scope is None:
            return await get_response(request)
        token = enter_scope(scope)
        try:
            response = await get_response(request)
        except GeneratorExit as error:
            # The coroutine is being closed and cannot wait.
            scope.exception = error
            _close_scope(scope, None)
            raise
        except BaseException as error:
            # Also when the client disconnects.
            scope.exception = error
            await call_in_thread(_close_scope, scope, None)
            raise
        finally:
            leave_scope(token)
        _send_request_id(scope, response)
        if not _close_with_response(scope, response):
            await call_in_thread(_close_scope, scope, response)
        return response


@never_raise
def _open_scope(request: HttpRequest) -> Scope | None:
    outer = current_scope()
    if not is_recording() or (outer is not None and outer.request is request):
        # The second case: the middleware is listed twice, which a system check reports.
        return None
    scope = Scope(request)
    scope.received_id = received_request_id(request) or ""
    scope.trace_id = trace_of_request(request)
    read_ahead(scope)
    return scope


@never_raise
def _send_request_id(scope: Scope, response: Response) -> None:
    if (header := get_settings().REQUEST_ID_HEADER) is None:
        return
    request_id = as_plain_str(scope.request_id)
    # A bound id may be any text.
    if is_valid_request_id(request_id):
        response.headers[header] = request_id


@never_raise
def _close_with_response(scope: Scope, response: Response) -> bool:
    """Close the scope with the response, unless `WRITE` is "before_response"."""
    if get_settings().WRITE == "before_response":
        return False

    request = scope.request
    close_request = request.close

    def close() -> None:
        try:
            _close_scope(scope, response)
        finally:
            close_request()

    # Django closes the request with the final response. The response itself is not changed: another
    # middleware may replace it, or pickle it into a cache.
    request.close = close  # type: ignore[method-assign]
    if response.streaming:
        watch_stream(response, lambda error: _fail(scope, response, error))
    return True


@never_raise
def _close_scope(scope: Scope, response: Response | None) -> None:
    if scope.closed:
        return
    # Break the reference cycle.
    scope.request.__dict__.pop("close", None)
    flush(scope, _describe(scope, response) or minimal_activity(scope, response))


@never_raise
def _fail(scope: Scope, response: Response, error: BaseException) -> None:
    # Not every server closes a response whose body has failed.
    scope.exception = error
    _close_scope(scope, response)


@never_raise
def _describe(scope: Scope, response: Response | None) -> Activity:
    return describe_request(scope, response, failed=response is None or scope.exception is not None)
