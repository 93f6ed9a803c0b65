"""Checks of the models whose changes are recorded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 (Django's own name)
from django.db import models, router
from django.db.models import ForeignKey, Model

from trackmate.capture.model_changes.registration import find_models
from trackmate.conf import SETTING, accepts, get_settings
from trackmate.registry import (
    VERBS,
    Registration,
    option_types,
    registration_of,
    registrations,
)


def check_models() -> Iterable[CheckMessage]:
    """Yield what is wrong with `MODELS` and with what was registered."""
    for label, options in get_settings().MODELS.items():
        yield from _check_label(str(label))
        yield from _check_options(f"{SETTING}['MODELS'][{label!r}]", options)
    for registration in registrations():
        yield from _check_fields(registration)
        yield from _check_verbs(registration)
        yield from _check_cascades(registration)
        yield from _check_guarantee(registration)


def _check_label(label: str) -> Iterator[CheckMessage]:
    if find_models(label):
        return
    app_label, _dot, _name = label.partition(".")
    known = [each._meta.label for each in apps.get_models()]
    known += [f"{each.label}.*" for each in apps.get_app_configs()]
    lowered = {each.lower(): each for each in known}
    close = difflib.get_close_matches(label.lower(), lowered, n=1)
    is_own = app_label == "trackmate"
    yield Error(
        f"{SETTING}['MODELS'] names {label!r}, which is no model."
        if not is_own
        else f"{SETTING}['MODELS'] names {label!r}: the log does not record itself.",
        hint=f"Did you mean {lowered[close[0]]!r}?"
        if close and not is_own
        else 'Write "app_label.Model", or "app_label.*" for all of an app.',
        id="trackmate.E006",
    )


def _check_options(where: str, options: Any) -> Iterator[CheckMessage]:
    types = option_types()
    if not isinstance(options, Mapping):
        yield Error(
            f"{where} is no dictionary, so that nothing is recorded.",
            hint="Write {} for all defaults.",
            id="trackmate.E009",
        )
        return
    for name, value in options.items():
        if name not in types:
            yield Error(
                f"{where} has no option {name!r}, so that nothing is recorded.",
                hint=_suggest(str(name), types),
                id="trackmate.E007",
            )
        elif not accepts(value, types[name]):
            words = get_args(types[name]) if get_origin(types[name]) is Literal else ()
            yield Error(
                f"{where}[{name!r}] cannot be {value!r}, so that nothing is recorded.",
                hint=_suggest(str(value), words) if words else "Use a value of the right type.",
                id="trackmate.E009",
            )


def _check_fields(registration: Registration) -> Iterator[CheckMessage]:
    model, options = registration.model, registration.options
    columns = [each.name for each in model._meta.concrete_fields]
    many = [each.name for each in model._meta.many_to_many]
    many += [
        name
        for each in model._meta.related_objects
        if each.many_to_many and (name := each.get_accessor_name())
    ]
    for option, known in (
        ("fields", columns + many),
        ("exclude", columns + many),
        ("mask", columns),
        ("m2m", many),
    ):
        for name in getattr(options, option) or ():
            if name not in known:
                yield _unknown_field(model, option, name, known)
    for former, name in options.renamed.items():
        if name not in columns + many:
            yield _unknown_field(model, f"renamed[{former!r}]", name, columns + many)


def _unknown_field(
    model: type[Model], option: str, name: str, known: Iterable[str]
) -> CheckMessage:
    return Error(
        f"{model._meta.label} is registered with {option} {name!r}, which is no such field.",
        hint=_suggest(name, known),
        obj=model,
        id="trackmate.E008",
    )


def _suggest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Use one of {', '.join(names)}."


def _check_verbs(registration: Registration) -> Iterator[CheckMessage]:
    for verb in registration.options.on:
        if verb not in VERBS:
            yield Error(
                f"{registration.model._meta.label} is registered with on {verb!r}.",
                hint=_suggest(verb, VERBS),
                obj=registration.model,
                id="trackmate.E009",
            )


def _check_cascades(registration: Registration) -> Iterator[CheckMessage]:
    """Report foreign keys that the database follows, unseen unless the other model is recorded."""
    followed = [
        getattr(models, name, None) for name in ("DB_CASCADE", "DB_SET_NULL", "DB_SET_DEFAULT")
    ]
    for field in registration.model._meta.concrete_fields:
        related: Any = field.related_model
        if (
            isinstance(field, ForeignKey)
            and field.remote_field.on_delete in followed
            and field.remote_field.on_delete is not None
            and registration_of(related) is None
            and not registration.options.triggers
        ):
            yield Warning(
                f"What the database does to {registration.model._meta.label} when it follows "
                f"{field.name!r} is not recorded.",
                hint=f"Register {related._meta.label} as well.",
                obj=registration.model,
                id="trackmate.W011",
            )


def _check_guarantee(registration: Registration) -> Iterator[CheckMessage]:
    model = registration.model
    alias = router.db_for_write(model)
    if registration.options.guarantee == "transaction" and alias != get_settings().DATABASE:
        yield Warning(
            f"{model._meta.label} is in the database {alias!r} and the log in another: its changes "
            "cannot be stored in the same transaction.",
            hint="Keep the log in the same database, or leave out guarantee.",
            obj=model,
            id="trackmate.W012",
        )
