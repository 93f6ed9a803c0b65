"""`register()`: record what changes objects of a model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, Literal, TypeVar, overload

from django.apps import apps
from django.core.signals import setting_changed
from django.db import connections, models
from django.db.backends.signals import connection_created
from django.db.models import ForeignKey, Model
from django.db.models.signals import (
    m2m_changed,
    post_delete,
    post_save,
    pre_delete,
    pre_save,
)

from trackmate import pipeline
from trackmate.capture.model_changes import bulk, deletions, links, saves, unseen
from trackmate.capture.model_changes.columns import plans
from trackmate.capture.model_changes.columns.rows import watch_rows
from trackmate.capture.model_changes.finishing import finish_changes
from trackmate.capture.model_changes.guarantees import hold_transactions
from trackmate.capture.model_changes.statements import (
    cascading_tables,
    statements_of,
    table_names,
    watched_tables,
    write_listeners,
)
from trackmate.conf import SETTING, get_settings
from trackmate.db.tables import table_name
from trackmate.registry import (
    VERBS,
    Options,
    Registration,
    add_registration,
    hooks,
    registrations,
    remove_registration,
)
from trackmate.triggers.installed import find_cascading_tables

M = TypeVar("M", bound=type[Model])

_UID = "trackmate.model_changes"

_from_settings: set[type[Model]] = set()
_undo: dict[type[Model], list[Callable[[], None]]] = {}


@overload
def register(model: M, /, **options: Any) -> M: ...
@overload
def register(**options: Any) -> Callable[[M], M]: ...


def register(
    model: Any = None,
    /,
    *,
    fields: Collection[str] | None = None,
    exclude: Collection[str] = (),
    mask: Collection[str] = (),
    m2m: Collection[str] | None = None,
    on: Collection[str] = VERBS,
    old: Literal["loaded", "stored"] = "loaded",
    guarantee: Literal["close", "transaction"] = "close",
    triggers: bool = False,
    renamed: Mapping[str, str] | None = None,
    bulk_limit: int | None = None,
    **more: Any,
) -> Any:
    """Record the changes of a model's objects; also a decorator of the class.

    `fields` are those to record (default: all), `exclude` those not to; of those in `mask` only
    that they change. `m2m` names the many-to-many fields (default: those among `fields`), `on` what
    to record: "create", "update", "delete", "m2m". With `old="stored"` each update and deletion
    reads the old values from the database; otherwise they are those that the instance was loaded
    with. `guarantee="transaction"` stores each change within the transaction that makes it. With
    `triggers` those of the database record its changes, once they are installed. `renamed` has the
    former names of fields, `bulk_limit` the number of objects from which on a bulk operation
    becomes a summary. Return the class. Raise TypeError for an abstract or swapped model, and for
    trackmate's own.

    >>> @register(exclude=["internal_note"])
    ... class Order(models.Model): ...
    """
    values: dict[str, Any] = {
        "fields": fields, "exclude": exclude, "mask": mask, "m2m": m2m, "on": on, "old": old,
        "guarantee": guarantee, "triggers": triggers, "renamed": renamed or {}, **more,
    }  # fmt: skip
    if bulk_limit is not None:
        values["bulk_limit"] = bulk_limit
    options = Options(**values)

    def add(each: M) -> M:
        _register(each, options)
        _from_settings.discard(_concrete(each))
        return each

    return add if model is None else add(model)


def _register(model: type[Model], options: Options) -> None:
    meta = getattr(model, "_meta", None)
    if meta is None or meta.abstract or meta.swapped or meta.app_label == "trackmate":
        raise TypeError(f"{model!r} has no table whose changes could be recorded.")
    concrete = _concrete(model)
    unregister(concrete)
    registration = add_registration(concrete, options)
    if apps.models_ready:
        connect(registration)
    _forget_plans()


def unregister(model: type[Model]) -> None:
    """Record the changes of a model no longer."""
    concrete = _concrete(model)
    if remove_registration(concrete) is None:
        return
    for undo in _undo.pop(concrete, ()):
        undo()
    _forget_plans()
    for each in registrations():
        # They may share receivers and tables with it.
        if each.model in _undo:
            connect(each)


def _concrete(model: type[Model]) -> type[Model]:
    return model._meta.concrete_model or model


def _forget_plans() -> None:
    plans.plan_for.cache_clear()
    links.all_links.cache_clear()


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
            yield pre_save, saves.before_save, each
            yield post_save, saves.after_save, each
            yield post_delete, deletions.after_delete, each
            yield pre_delete, deletions.before_delete, each
    for related in _deleted_first(registration):
        yield pre_delete, deletions.before_delete, related
    if links.linking_fields(model) is not None:
        yield m2m_changed, bulk.after_members_added, model
    for link in links.all_links():
        if link.registration is registration:
            yield from _link_receivers(link)


def _deleted_first(registration: Registration) -> Iterator[type[Model]]:
    """Yield the models whose deletion changes objects of this one.

    Django loads what it deletes of them in any case, to find what points to it.
    """
    for each in registration.model._meta.concrete_fields:
        related: Any = each.related_model
        if isinstance(each, ForeignKey) and each.remote_field.on_delete not in _BY_DATABASE:
            yield related


_BY_DATABASE = tuple(
    each
    for name in ("DO_NOTHING", "DB_CASCADE", "DB_SET_NULL", "DB_SET_DEFAULT")
    if (each := getattr(models, name, None)) is not None
)


def _link_receivers(link: links.Link) -> Iterator[tuple[Any, Callable[..., Any], type[Model]]]:
    yield m2m_changed, links.on_m2m_changed, link.through
    yield pre_delete, deletions.before_delete, link.other_model
    yield pre_delete, deletions.before_delete, link.model
    if not link.through._meta.auto_created:
        yield post_save, links.after_through_save, link.through
        yield post_delete, deletions.after_through_delete, link.through


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
    hooks.record_bulk = bulk.record_bulk
    connection_created.connect(_on_connection, dispatch_uid=_UID)
    for connection in connections.all(initialized_only=True):
        statements_of(connection.alias)


def _on_connection(*, connection: Any, **_kwargs: Any) -> None:
    if connection.alias in connections:
        statements_of(connection.alias)


def connect_registered() -> None:
    """Connect what was registered while models were loaded, and what the settings name."""
    for each in registrations():
        connect(each)
    _forget_plans()
    apply_settings()
    setting_changed.connect(_on_setting_changed, dispatch_uid=_UID)


def _on_setting_changed(*, setting: str, **_kwargs: Any) -> None:
    if setting == SETTING:
        apply_settings()


def apply_settings() -> None:
    """Register the models that `MODELS` names, and no others of those that it named before."""
    wanted = dict(models_from_settings())
    for model in _from_settings - wanted.keys():
        unregister(model)
    _from_settings.intersection_update(wanted)
    registered = {each.model: each.options for each in registrations()}
    for model, options in wanted.items():
        if model in registered and model not in _from_settings:
            # What the code says wins.
            continue
        if registered.get(model) != options:
            _register(model, options)
        _from_settings.add(model)


def models_from_settings() -> Iterator[tuple[type[Model], Options]]:
    """Yield the models that `MODELS` names with their options, without those that are wrong."""
    # A model that is named itself has other options than all of its app.
    named = sorted(get_settings().MODELS.items(), key=lambda item: not str(item[0]).endswith(".*"))
    for label, values in named:
        for model in find_models(str(label)):
            try:
                yield model, Options(**values)
            except TypeError:
                continue


def find_models(label: str) -> list[type[Model]]:
    """Return the models that "shop.Order" or "shop.*" names; none if it names nothing."""
    app_label, _dot, name = label.partition(".")
    try:
        config = apps.get_app_config(app_label)
        found = list(config.get_models()) if name == "*" else [config.get_model(name)]
    except LookupError:
        return []
    return [
        each
        for each in map(_concrete, found)
        if each._meta.app_label != "trackmate" and not each._meta.swapped
    ]
