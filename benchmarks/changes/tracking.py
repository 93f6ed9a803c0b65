"""How each contestant is told of a model, and how it wants many objects to be updated."""

from collections.abc import Sequence
from importlib import import_module

from django.db.models import Model


def nothing(model: type[Model]) -> None:
    """Leave the model as it is: nothing records it, or a setting says so."""


def auditlog(model: type[Model]) -> None:
    import_module("auditlog.registry").auditlog.register(model)


def simple_history(model: type[Model]) -> None:
    import_module("simple_history").register(model)


def pghistory(model: type[Model]) -> None:
    events = import_module("pghistory")
    events.track(events.InsertEvent(), events.UpdateEvent(), events.DeleteEvent())(model)


def bulk_update(objects: Sequence[Model], fields: list[str]) -> None:
    type(objects[0]).objects.bulk_update(objects, fields)


def bulk_update_with_history(objects: Sequence[Model], fields: list[str]) -> None:
    utilities = import_module("simple_history.utils")
    utilities.bulk_update_with_history(objects, type(objects[0]), fields)
