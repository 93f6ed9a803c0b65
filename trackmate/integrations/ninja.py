"""Operations of Django Ninja: the object that they return, or the model that they declare."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, get_args

import ninja.responses
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja.operation import Operation, PathView

from trackmate.activity import Activity
from trackmate.context.scope import current_scope
from trackmate.enums import CREATED, FIRST_ERROR_STATUS, ActionType, Status
from trackmate.integrations.objects import (
    METHOD_NOT_ALLOWED,
    Seen,
    describe_as,
    is_redirect,
    model_of,
)
from trackmate.integrations.wrapping import call_after, call_before

_STATUS: Any = getattr(ninja.responses, "Status", ())
"""What wraps a result with its status code, since Ninja 1.6."""


def install() -> None:
    """Wrap what selects an operation and what takes its result; there are no signals for them."""
    call_after(PathView, "_find_operation", _watch_operation)
    # Before the result is serialized, when it is still what the operation has made of it.
    call_before(Operation, "_result_to_response", _note_result)


def _watch_operation(operation: Any, _view: Any, request: HttpRequest, *_: Any, **__: Any) -> None:
    scope = current_scope()
    if operation is None or scope is None or scope.request is not request:
        return
    if scope.describe_outcome is None:
        scope.describe_outcome = NinjaOutcome(operation)


def _note_result(
    operation: Any, _request: HttpRequest, result: Any, *_args: Any, **_kwargs: Any
) -> None:
    scope = current_scope()
    outcome = scope.describe_outcome if scope is not None else None
    if isinstance(outcome, NinjaOutcome) and outcome.operation is operation:
        outcome.note_result(result)


class NinjaOutcome:
    """Keeps what an operation returns, and describes its request when it ends."""

    def __init__(self, operation: Any) -> None:
        self.operation = operation
        self._seen: Seen | None = None
        self._listed: type[Model] | None = None

    def note_result(self, result: Any) -> None:
        """Remember the object, or the model of the objects, that the operation returns."""
        value = _unwrap(result)
        self._seen = Seen(value)
        self._listed = _listed_model(value)

    def __call__(self, activity: Activity, response: HttpResponseBase | None) -> Activity:
        """Return the activity of the request with what the operation has returned."""
        if activity.status_code == METHOD_NOT_ALLOWED or is_redirect(activity):
            return activity
        declared, is_list, makes = _declaration(self.operation)
        has_failed = activity.status == Status.FAILED
        seen = None if has_failed else self._seen
        target = seen.target if seen is not None else None
        listed = None if has_failed else self._listed
        model = (target.model if target is not None else None) or listed or declared
        if activity.action_type == ActionType.DELETE:
            return _describe_deletion(activity, seen)
        is_creation = activity.action_type == ActionType.CREATE or (has_failed and makes)
        verb = "create" if is_creation and activity.method != "GET" else _verb(activity.method)
        if verb == "read" and target is None and (listed is not None or is_list):
            verb = "list"
        if model is None or not verb:
            return activity.replace(target=target)
        return describe_as(activity, model, verb, target)


def _verb(method: str | None) -> str:
    return {"GET": "read", "HEAD": "read", "PUT": "update", "PATCH": "update"}.get(method or "", "")


def _describe_deletion(activity: Activity, seen: Seen | None) -> Activity:
    """Describe a DELETE: what it returns and is still stored is not what was deleted."""
    instance = seen.instance if seen is not None else None
    if instance is None or instance.pk is not None:
        return activity
    return describe_as(activity, type(instance), "delete")


def _unwrap(result: Any) -> Any:
    """Return the value of a result with a status code."""
    if isinstance(result, _STATUS):
        return result.value
    if isinstance(result, tuple) and len(result) == 2:  # noqa: PLR2004 (status code and value)
        return result[1]
    return result


def _listed_model(value: Any) -> type[Model] | None:
    """Return the model of a queryset, a list or a page of objects, or None."""
    if isinstance(value, dict):
        # The names that Ninja's paginators use.
        value = value.get("items", value.get("results"))
    if isinstance(value, QuerySet):
        return model_of(value)
    if not isinstance(value, list):
        return None
    models = {type(each) for each in value}
    (model,) = models if len(models) == 1 else (None,)
    return model if model is not None and issubclass(model, Model) else None


def _declaration(operation: Any) -> tuple[type[Model] | None, bool, bool]:
    """Return the model that an operation declares to return, if it is a list, and if it is new."""
    answers: dict[Any, Any] = {
        code: model
        for code, model in getattr(operation, "response_models", {}).items()
        if isinstance(code, int) and code < FIRST_ERROR_STATUS
    }
    makes = set(answers) == {CREATED}
    fields: Collection[Any] = [
        field
        for answer in answers.values()
        if (field := getattr(answer, "model_fields", {}).get("response")) is not None
    ]
    if len(fields) != 1:
        return None, False, makes
    (field,) = fields
    schema, arguments = field.annotation, get_args(field.annotation)
    is_list = len(arguments) == 1
    if is_list:
        (schema,) = arguments
    return model_of(getattr(schema, "Meta", None)), is_list, makes
