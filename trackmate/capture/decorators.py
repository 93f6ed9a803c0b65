"""The decorator `tracker`, which records what a view or a function does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from time import perf_counter
from typing import Any, TypeVar, overload

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views import View

from trackmate.activity import Activity, Target, as_plain_str
from trackmate.capture.bodies import CAPTURES_DATA, read_ahead
from trackmate.capture.requests import describe_request
from trackmate.context.scope import Scope, current_scope, enter_scope, leave_scope
from trackmate.db.transactions import protected_transactions
from trackmate.diagnostics import describe_exception
from trackmate.enums import Status
from trackmate.pipeline import call_in_thread, is_recording, never_raise, record, wrap_for_thread
from trackmate.processors import WITHHELD
from trackmate.redaction.sanitizer import Sanitizer

T = TypeVar("T", bound=Callable[..., Any])


@overload
def tracker(target: T, /) -> T: ...
@overload
def tracker(
    *,
    action: str = ...,
    action_type: str = ...,
    content_object: Any = ...,
    remarks: Any = ...,
    reason: Any = ...,
    status: Any = ...,
    data: Any = ...,
    capture_data: bool | None = ...,
    capture_response: bool | None = ...,
) -> Callable[[T], T]: ...


def tracker(target: Any = None, /, **options: Any) -> Any:
    """Record what a view or function does.

    Works with and without parentheses, on views of every type (functions, classes, their methods,
    Django REST framework, Ninja; sync and async) and on any other function. A view changes the row
    of its request, which the decorator writes if there is no middleware. Any other function gets a
    row of its own.

    `action`, `action_type`: the default action is the route or the function's name.
    `content_object`: the model instance it is done to. `remarks`, `reason`, `data`, `status`: the
    values to store. Each of these five may be a callable `(request, response, *args, **kwargs)`
    with the view's arguments; `request` is None for other functions, `response` is the return
    value.
    `capture_data`, `capture_response`: override `CAPTURE_DATA` and `CAPTURE_RESPONSE`.

    >>> @tracker(
    ...     action="invoice.approved",
    ...     content_object=lambda request, response, pk: Invoice.objects.get(pk=pk),
    ... )
    ... def approve(request, pk): ...

    Raise TypeError for an unknown option, and for a target that is neither a callable nor a class
    with a `dispatch` method.
    """
    decorate = TrackerOptions(**options).decorate
    return decorate if target is None else decorate(target)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerOptions:
    """The options of one use of `tracker`."""

    action: str = ""
    action_type: str = ""
    content_object: Any = None
    remarks: Any = None
    reason: Any = None
    status: Any = None
    data: Any = None
    capture_data: bool | None = None
    capture_response: bool | None = None

    def decorate(self, target: Any) -> Any:
        """Return the decorated `target`."""
        if isinstance(target, type):
            if not hasattr(target, "dispatch"):
                raise TypeError(f"tracker decorates classes with a dispatch method, not {target!r}")
            target.dispatch = self.decorate(target.dispatch)
            return target
        if isinstance(target, (staticmethod, classmethod)):
            return type(target)(self.decorate(target.__func__))
        if not callable(target):
            raise TypeError(f"tracker decorates functions and view classes, not {target!r}")
        if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
            raise TypeError(f"tracker cannot tell when the generator {target!r} is done")
        wrapper = self._async_wrapper if iscoroutinefunction(target) else self._wrapper
        tracked = _with_signature_of(target, wrapper(target))
        if self.capture_data is not None:
            # For requests that are rejected before the view is called.
            setattr(tracked, CAPTURES_DATA, self.capture_data)
        return tracked

    def _wrapper(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def tracked(*args: Any, **kwargs: Any) -> Any:
            call = _begin(self, function, args, kwargs)
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                _finish(call, None, error)
                raise
            if inspect.iscoroutine(result):
                # The dispatch method of an async class-based view.
                return _finish_when_done(call, result)
            _finish(call, result)
            return result

        return tracked

    def _async_wrapper(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        async def tracked(*args: Any, **kwargs: Any) -> Any:
            call = _begin(self, function, args, kwargs)
            return await _finish_when_done(call, function(*args, **kwargs))

        return tracked


def _with_signature_of(function: Callable[..., Any], wrapper: Callable[..., Any]) -> Any:
    """Set the signature of `wrapper` with resolved annotations, for Ninja and others.

    They would resolve names in the globals of this module.
    """
    with suppress(NameError, TypeError, ValueError, SyntaxError, AttributeError):
        wrapper.__signature__ = inspect.signature(function, eval_str=True)  # type: ignore[attr-defined]
    return wrapper


# --- one call --------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class TrackedCall:
    """One call of a decorated function."""

    options: TrackerOptions
    name: str
    request: Any
    """The function's request argument, or None."""
    scope: Scope | None
    """The scope of that request: from the middleware, or created for this call."""
    enriches: bool
    """Whether the middleware records the request, which is then only changed."""
    rest: tuple[Any, ...]
    kwargs: dict[str, Any]
    action_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=perf_counter)

    def finish(self, result: Any, error: BaseException | None) -> None:
        """Record the call, or enrich the request that the middleware will record."""
        scope = self.scope
        if scope is None:
            activity = Activity.at(
                self.action_time,
                action=self.name,
                status=Status.SUCCESS if error is None else Status.FAILED,
                execution_time=perf_counter() - self.started,
                extra=None if error is None else {"exception": describe_exception(error)},
            )
            record(self.enrich(activity, result, error) or activity)
        elif self.enriches:
            # Before those of outer decorators, so that the inner decorator wins.
            scope.enrichments.insert(0, lambda activity: self.enrich(activity, result, error))
        else:
            scope.exception = error
            response = result if isinstance(result, HttpResponseBase) else None
            activity = describe_request(scope, response, failed=error is not None)
            activity = self.enrich(activity, result, error) or activity
            # No middleware does this.
            scope.closed = True
            token = enter_scope(scope)
            try:
                record(activity)
            finally:
                leave_scope(token)

    @never_raise
    def enrich(self, activity: Activity, result: Any, error: BaseException | None) -> Activity:
        """Return `activity` with the values of the options."""
        options = self.options
        values: dict[str, Any] = {}
        if options.action:
            values["action"] = as_plain_str(options.action)
        if options.action_type:
            values["action_type"] = as_plain_str(options.action_type)
        content_object = self._value(options.content_object, result)
        if content_object is not None:
            values["target"] = Target.from_instance(content_object)
        has_unknown_data = self.scope is not None and not self.scope.secrets.is_complete
        for name, option in (("remarks", options.remarks), ("reason", options.reason)):
            if (text := self._value(option, result)) is not None:
                may_quote = callable(option) and has_unknown_data
                values[name] = WITHHELD if may_quote else as_plain_str(text)
        if (data := self._value(options.data, result)) is not None:
            if self.scope is not None and activity.data:
                # The replaced data may be quoted elsewhere.
                self.scope.redactor.remember_secrets(activity.data)
            values["data"] = Sanitizer()(data)
        status = self._value(options.status, result)
        if status is not None and error is None and activity.status != Status.FAILED:
            values["status"] = as_plain_str(status)
        return activity.replace(**values)

    @property
    def evaluates(self) -> bool:
        """Whether an option is a callable, which may query the database."""
        values = self.options
        return any(
            map(
                callable,
                (values.content_object, values.remarks, values.reason, values.data, values.status),
            )
        )

    @never_raise
    def _value(self, option: Any, result: Any) -> Any:
        if not callable(option):
            return option
        try:
            with protected_transactions():
                return option(self.request, result, *self.rest, **self.kwargs)
        except (ObjectDoesNotExist, Http404):
            # As in the view, which responds with 404.
            return None


def _qualified_name(function: Callable[..., Any]) -> str:
    # Partial functions and callable objects have no name.
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


@never_raise
def _begin(
    options: TrackerOptions,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> TrackedCall | None:
    if not is_recording():
        return None
    argument, rest = _find_request(args, kwargs)
    request = getattr(argument, "_request", argument)
    outer = current_scope()
    enriches = outer is not None and outer.request is request
    scope = outer if enriches else Scope(request) if request is not None else None
    if scope is not None:
        if options.capture_data is not None:
            scope.capture_data = options.capture_data
        if options.capture_response is not None:
            scope.capture_response = options.capture_response
        read_ahead(scope)
    return TrackedCall(
        options=options,
        name=_qualified_name(function),
        request=argument,
        scope=scope,
        enriches=enriches,
        rest=rest,
        kwargs={name: value for name, value in kwargs.items() if value is not argument},
    )


def _find_request(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, tuple[Any, ...]]:
    """Return the request among the arguments, and the arguments after it."""
    for position, value in enumerate(args[:2]):
        if _is_request(value):
            return value, args[position + 1 :]
    if _is_request(kwargs.get("request")):
        return kwargs["request"], args
    if args and isinstance(args[0], View) and _is_request(getattr(args[0], "request", None)):
        return args[0].request, args[1:]
    return None, args


def _is_request(value: Any) -> bool:
    # Django REST framework's request is a wrapper around Django's.
    return isinstance(getattr(value, "_request", value), HttpRequest)


@never_raise
def _finish(call: TrackedCall | None, result: Any, error: BaseException | None = None) -> None:
    if call is not None:
        call.finish(result, error)


async def _finish_when_done(call: TrackedCall | None, coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        result = await coroutine
    except GeneratorExit as error:
        # The coroutine is being closed and cannot wait.
        _finish(call, None, error)
        raise
    except BaseException as error:
        await _finish_async(call, None, error)
        raise
    await _finish_async(call, result)
    return result


async def _finish_async(
    call: TrackedCall | None, result: Any, error: BaseException | None = None
) -> None:
    if call is None:
        return
    if call.enriches or (current_scope() is not None and not call.evaluates):
        _finish(call, result, error)
    elif current_scope() is not None or call.request is not None:
        # Reading the session, the user or a callable option may query the database.
        await call_in_thread(_finish, call, result, error)
    else:
        await call_in_thread(wrap_for_thread(_finish), call, result, error)
