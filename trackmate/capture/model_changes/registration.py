"""`register()`: record what changes objects of a model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Literal, TypeVar, overload

from django.apps import apps
from django.core.signals import setting_changed
from django.db.models import Model

from trackmate.capture.model_changes import links
from trackmate.capture.model_changes.columns import plans
from trackmate.capture.model_changes.connecting import connect, disconnect
from trackmate.capture.model_changes.deletions import dependents
from trackmate.conf import SETTING, get_settings
from trackmate.registry import (
    VERBS,
    Options,
    add_registration,
    concrete_model,
    registrations,
    remove_registration,
)

M = TypeVar("M", bound=type[Model])

_UID = "trackmate.model_changes"

_from_settings: set[type[Model]] = set()


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
        _from_settings.discard(concrete_model(each))
        return each

    return add if model is None else add(model)


def _register(model: type[Model], options: Options) -> None:
    meta = getattr(model, "_meta", None)
    if meta is None or meta.abstract or meta.swapped or meta.app_label == "trackmate":
        raise TypeError(f"{model!r} has no table whose changes could be recorded.")
    concrete = concrete_model(model)
    unregister(concrete)
    registration = add_registration(concrete, options)
    _forget_plans()
    if apps.models_ready:
        connect(registration)


def unregister(model: type[Model]) -> None:
    """Record the changes of a model no longer."""
    concrete = concrete_model(model)
    if remove_registration(concrete) is None:
        return
    _forget_plans()
    disconnect(concrete)


def _forget_plans() -> None:
    plans.plan_for.cache_clear()
    links.all_links.cache_clear()
    links.linking_fields.cache_clear()
    dependents.keys_to.cache_clear()


def connect_registered() -> None:
    """Connect what was registered while models were loaded, and what the settings name."""
    _forget_plans()
    for each in registrations():
        connect(each)
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
        for each in map(concrete_model, found)
        # A swapped model has no table.
        if each._meta.app_label != "trackmate" and not each._meta.swapped
    ]
