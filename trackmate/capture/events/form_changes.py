"""What a form changed, by its initial and its cleaned values, without a query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from django import forms
from django.core.files import File
from django.db.models import Model, QuerySet
from django.db.models.fields.files import FieldFile
from django.utils.choices import flatten_choices
from django.utils.translation import override

from trackmate.activity import Target, as_plain_str
from trackmate.context.scope import current_scope
from trackmate.db.keys import serialize_key
from trackmate.db.transactions import QueryNotAllowedError, no_queries
from trackmate.redaction.keys import has_secret_keys, visible_key
from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.redactor import get_redactor

Change = Any
"""A pair of an old and a new value, or the added and the removed of a many-to-many field."""

MAX_CHOICES = 1_000
"""So many choices are searched for the label of a value."""


def describe_forms(form: Any, formsets: Iterable[Any], *, add: bool) -> dict[str, Change]:
    """Return what a form and its formsets changed, as `{field: [old, new]}`.

    A field of an inline is called "lines[7].quantity", the inline itself "lines[7]". Call it once
    they are saved. Labels of choices are in English; an object whose `str()` needs a query has its
    model and key as its label.
    """
    with no_queries(), override("en"):
        changes = dict(_form_changes(form, None if add else form.changed_data))
        for formset in formsets or ():
            changes.update(_formset_changes(formset))
    return changes


def _form_changes(form: Any, names: Iterable[str] | None) -> Iterator[tuple[str, Change]]:
    """Yield the changes of these fields, or the values of all fields of a new object."""
    secret = _secret_fields(form)
    for name in form.cleaned_data if names is None else names:
        field = form.fields.get(name)
        value = form.cleaned_data.get(name)
        if name in secret:
            old = None if names is None else form.initial.get(name)
            yield name, [MASK if each else None for each in (old, value)]
            continue
        if isinstance(field, forms.FileField):
            value = _stored_file(form, name, value)
        if names is not None:
            change = _compare(field, form.initial.get(name), value)
            # Forms that set a password have a field of another name.
            yield name, [MASK, MASK] if change == [None, None] else change
        elif (new := _value(field, value)) not in (None, "", []):
            yield name, [None, new]


def _secret_fields(form: Any) -> set[str]:
    """Return the names of fields that are secrets because of another field.

    `value` is one beside `name="password"`. Its change alone would not show that.
    """
    scope = current_scope()
    redactor = scope.redactor if scope is not None else get_redactor()
    found: set[str] = set()
    for values in (form.initial, form.cleaned_data):
        texts = {name: value for name, value in values.items() if isinstance(value, str)}
        masked = redactor.mask_data(texts)
        found |= {name for name in texts if masked.get(name) == MASK}
    return found


def _formset_changes(formset: Any) -> Iterator[tuple[str, Change]]:
    # Django lists what `save()` did to the instances of its forms.
    added = set(map(id, formset.new_objects))
    deleted = set(map(id, formset.deleted_objects))
    changed = {id(instance): names for instance, names in formset.changed_objects}
    # The key of an inline and that of its parent are no news.
    own = {formset.model._meta.pk.name, getattr(getattr(formset, "fk", None), "name", ""), "DELETE"}
    for form in formset.forms:
        instance = form.instance
        name = f"{formset.prefix}[{_inline_key(formset, form)}]"
        if id(instance) in deleted:
            yield name, [_inline(formset, form), None]
        elif id(instance) in added:
            yield name, [None, _inline(formset, form)]
            names = None
        elif (names := changed.get(id(instance))) is None:
            continue
        if id(instance) not in deleted:
            for field, change in _form_changes(form, names):
                if field not in own:
                    yield f"{name}.{field}", change


def _inline_key(formset: Any, form: Any) -> str:
    key = serialize_key(form.instance)
    if key is None:
        # Django takes the key from an instance that it deletes.
        field = form.fields.get(formset.model._meta.pk.name)
        key = str(field.initial) if field is not None else ""
    return str(visible_key(form.instance.__class__, key))


def _inline(formset: Any, form: Any) -> dict[str, Any]:
    return {"value": _inline_key(formset, form), "label": _label(form.instance)}


def _stored_file(form: Any, name: str, value: Any) -> Any:
    """Return the file as the object has it now, whose name is the one in the storage."""
    stored = getattr(getattr(form, "instance", None), name, None)
    return stored if isinstance(stored, FieldFile) else value


def _compare(field: Any, old: Any, new: Any) -> Change:
    if not isinstance(field, forms.ModelMultipleChoiceField):
        return [_value(field, old), _value(field, new)]
    if any(isinstance(each, QuerySet) and each._result_cache is None for each in (old, new)):
        return [None, None]
    before = {_key(field, each): each for each in old or ()}
    after = {_key(field, each): each for each in new or ()}
    return {
        "added": [_value(field, after[key]) for key in after if key not in before],
        "removed": [_value(field, before[key]) for key in before if key not in after],
    }


def _value(field: Any, value: Any) -> Any:
    """Return a value of a form field as it is stored."""
    if isinstance(value, Model):
        return _reference(field, value)
    if isinstance(value, QuerySet):
        return None if value._result_cache is None else [_value(field, each) for each in value]
    if isinstance(value, (list, tuple, set)):
        return [_value(field, each) for each in value]
    if isinstance(value, File):
        return value.name or None
    if isinstance(field, forms.FileField):
        # False for a file that was removed.
        return value or None
    if callable(value) or value is None:
        return None
    if isinstance(field, forms.ModelChoiceField):
        # The name of what was chosen before is not known.
        return {"value": value} if value != "" else None
    if isinstance(field, forms.ChoiceField) and (label := _choice_label(field, value)):
        return {"value": value, "label": label}
    return value


def _key(field: Any, value: Any) -> str:
    return str(field.prepare_value(value) if isinstance(value, Model) else value)


def _reference(field: Any, instance: Model) -> dict[str, Any]:
    is_choice = isinstance(field, forms.ModelChoiceField)
    key = field.prepare_value(instance) if is_choice else serialize_key(instance)
    return {"value": visible_key(instance.__class__, key), "label": _label(instance)}


def _label(instance: Model) -> str:
    label = Target.without_query(instance).object_repr
    if not has_secret_keys(instance.__class__):
        return label
    if (scope := current_scope()) is not None:
        # The message of the log entry quotes it.
        scope.secrets.add(label)
    return MASK


def _choice_label(field: Any, value: Any) -> str:
    with suppress(QueryNotAllowedError):  # choices of a callable
        choices: Iterable[Any] = flatten_choices(field.choices)
        for each, label in islice(choices, MAX_CHOICES):
            if str(each) == str(value):
                return as_plain_str(label)
    return ""
