"""Middlewares to compare with: one does nothing, two create a row and do nothing else."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.apps import apps
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from trackmate.clock import uuid7

OF_EACH_ROW = ("id", "action_time", "recorded_at", "request_id")
"""Columns that two rows of the same request have different."""

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class PassThrough:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)


class CreateAtOnce:
    """Create the row that trackmate stored for the same request, as the ORM does it."""

    values: ClassVar[dict[str, Any]] = {}
    """What trackmate's row held, but for what each row has of its own; the worker sets it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.rows = apps.get_model("trackmate", "ActivityLog").objects

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        self.create()
        return response

    def create(self) -> None:
        now = timezone.now()
        key = uuid7(now)
        self.rows.create(id=key, action_time=now, request_id=key.hex, **self.values)


class CreateOnClose(CreateAtOnce):
    """The same when the response closes; what a visitor still waits is not the work itself."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response._resource_closers.append(self.create)
        return response
