"""Connecting what notices the changes of registered models, and disconnecting it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.apps import apps
from django.db import connections
from django.db.backends.signals import connection_created
from django.db.models import ForeignKey, Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save

from trackmate import pipeline
from trackmate.capture.model_changes import links, old_values, saves, unseen
from trackmate.capture.model_changes.bulk.creations import after_members_added
from trackmate.capture.model_changes.bulk.recorder import record_bulk
from trackmate.capture.model_changes.columns.rows import watch_rows
from trackmate.capture.model_changes.deletions import receivers
from trackmate.capture.model_changes.finishing import finish_changes
from trackmate.capture.model_changes.guarantees import hold_transactions
from trackmate.capture.model_changes.statements import (
    cascading_tables,
    statements_of,
    table_names,
    watched_tables,
    write_listeners,
)
from trackmate.db.tables import table_name
from trackmate.registry import Registration, concrete_model, hooks, registrations
from trackmate.triggers.installed import LEFT_TO_DATABASE, find_cascading_tables

_UID = "trackmate.model_changes"


_undo: dict[type[Model], list[Callable[[], None]]] = {}


def connect(registration: Registration) -> None:
    """Connect the receivers of a registered model, once."""
    install()
    model = registration.model
    undo = _undo.setdefault(model, [])
    if not undo:
        undo.append(watch_rows(model))
        if registration.options.guarantee == "transaction":
            undo.append(hold_transactions(model))
    for signal, receiver, sender in _receivers(registration):
        # A model can be registered, and link two that are.
        uid = f"{_UID}.{receiver.__qualname__}"
        signal.connect(receiver, sender=sender, dispatch_uid=uid)
        undo.append(partial(signal.disconnect, sender=sender, dispatch_uid=uid))
    for table in _tables(registration):
        _watch_table(watched_tables, table, registration, undo)
    if registration.options.triggers:
        for table in find_cascading_tables(model):
            _watch_table(cascading_tables, table, registration, undo)


def disconnect(model: type[Model]) -> None:
    """Disconnect the receivers of a model that is registered no longer."""
    for undo in _undo.pop(model, ()):
        undo()
    for each in registrations():
        # They may share receivers and tables with it.
        if each.model in _undo:
            connect(each)


def _watch_table(
    tables: dict[str, list[Any]],
    table: str,
    registration: Registration,
    undo: list[Callable[[], None]],
) -> None:
    name = table_name(table)
    listed = tables.setdefault(name, [])
    table_names[name] = table
    if registration in listed:
        return
    listed.append(registration)

    def end() -> None:
        if registration in listed:
            listed.remove(registration)
        if not listed:
            tables.pop(name, None)

    undo.append(end)


def _receivers(registration: Registration) -> Iterator[tuple[Any, Callable[..., Any], type[Model]]]:
    """Yield signals with their receivers and senders; a sender always, so that Django deletes the
    objects of other models as fast as before."""
    model = registration.model
    for each in apps.get_models(include_auto_created=True):
        if issubclass(each, model):
            # Each class sends its own.
            yield pre_save, old_values.before_save, each
            yield post_save, saves.after_save, each
            yield post_delete, receivers.after_delete, each
            yield pre_delete, receivers.before_delete, each
    for related in _deleted_first(registration):
        yield from _before_deletions(related)
    if links.linking_fields(model) is not None:
        yield m2m_changed, after_members_added, model
    for link in links.all_links():
        if link.registration is registration:
            yield from _link_receivers(link)


def _deleted_first(registration: Registration) -> Iterator[type[Model]]:
    """Yield the models whose deletion changes objects of this one.

    Django loads what it deletes of them in any case, to find what points to it.
    """
    for each in registration.model._meta.concrete_fields:
        related: Any = each.related_model
        if isinstance(each, ForeignKey) and each.remote_field.on_delete not in LEFT_TO_DATABASE:
            yield related


def _before_deletions(
    model: type[Model],
) -> Iterator[tuple[Any, Callable[..., Any], type[Model]]]:
    for each in apps.get_models(include_auto_created=True):
        # Its proxies send their own.
        if concrete_model(each) is concrete_model(model):
            yield pre_delete, receivers.before_delete, each


def _link_receivers(link: links.Link) -> Iterator[tuple[Any, Callable[..., Any], type[Model]]]:
    yield m2m_changed, links.on_m2m_changed, link.through
    yield from _before_deletions(link.other_model)
    if not link.through._meta.auto_created:
        yield post_save, links.after_through_save, link.through
        yield post_delete, receivers.after_through_delete, link.through


def _tables(registration: Registration) -> Iterator[str]:
    meta = registration.model._meta
    yield meta.db_table
    for parent in meta.all_parents:
        yield parent._meta.db_table
    for link in links.all_links():
        if link.registration is registration:
            yield link.through._meta.db_table


def install() -> None:
    """Install what all registered models share, once."""
    if finish_changes not in pipeline.finishers:
        pipeline.finishers.append(finish_changes)
    if unseen.note_writes not in write_listeners:
        write_listeners.append(unseen.note_writes)
    hooks.record_bulk = record_bulk
    connection_created.connect(_on_connection, dispatch_uid=_UID)
    for connection in connections.all(initialized_only=True):
        statements_of(connection.alias)


def _on_connection(*, connection: Any, **_kwargs: Any) -> None:
    if connection.alias in connections:
        statements_of(connection.alias)
