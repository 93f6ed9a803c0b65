"""The state of an object at a recorded change, beside what it is now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from trackmate.conf import get_settings
from trackmate.dashboard.detail.diff import parse_changes
from trackmate.dashboard.http import permissions
from trackmate.history import RelatedObject, as_of
from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.redactor import get_redactor

if TYPE_CHECKING:
    from django.http import HttpRequest

    from trackmate.dashboard.detail.diff import Change
    from trackmate.history import FieldValues
    from trackmate.models import ActivityLog
    from trackmate.models.object_keys import ObjectKey
    from trackmate.selectors import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectState:
    """All known fields of an object at one time, each with its present value if that differs."""

    fields: tuple[Change, ...] = ()
    is_hidden: bool = False
    """Whether this person may not see it."""
    is_absent: bool = False
    """Whether the object did not exist then."""
    is_deleted: bool = False
    """Whether it does not exist now."""


def build_state(
    about: ObjectKey, row: ActivityLog, rows: Rows, request: HttpRequest
) -> ObjectState:
    """Return the state of an object after a row, from the `rows` that this person may see.

    Where `DASHBOARD_QUERYSET` limits these, what the object is now says nothing: it contains
    changes that this person may not see.
    """
    if not permissions.may_see_payload(request):
        return ObjectState(is_hidden=True)
    is_unlimited = get_settings().DASHBOARD_QUERYSET is None
    then = as_of(about, row, among=rows, with_present=is_unlimited)
    if then is None:
        return ObjectState(is_absent=True)
    now = as_of(about, datetime.now(UTC), among=rows, with_present=is_unlimited)
    return ObjectState(fields=_compare(then, now), is_deleted=now is None)


def _compare(then: FieldValues, now: FieldValues | None) -> tuple[Change, ...]:
    """Return each field with its value then, and now; of a deleted object only then."""
    values = {
        name: [_display(then, name), _display(then if now is None else now, name)] for name in then
    }
    names = list(values)
    # Values that never changed were not masked when they were recorded.
    masked = get_redactor().mask_data(values)
    pairs = {name: _as_pair(masked.get(name), values[name]) for name in names}
    return tuple(
        _describe(change, name, then)
        for change, name in zip(parse_changes(pairs), names, strict=True)
    )


def _display(values: FieldValues, name: str) -> Any:
    """Return a value in the form in which changes are recorded."""
    if label := values.labels.get(name):
        return {"value": values[name], "label": label}
    return _as_recorded(values.get(name))


def _as_recorded(value: Any) -> Any:
    if isinstance(value, RelatedObject):
        return {"value": str(value.key), "label": value.label}
    if isinstance(value, list):
        return [_as_recorded(each) for each in value] or None
    return value


def _as_pair(masked: Any, original: list[Any]) -> list[Any]:
    if isinstance(masked, list) and len(masked) == len(original):
        return masked
    return [None if each is None else MASK for each in original]


def _describe(change: Change, name: str, then: FieldValues) -> Change:
    """Return a field with a note of what happened since."""
    if name in then.gone:
        return replace(change, note=_("no longer a field"))
    return replace(change, note="" if change.old == change.new else _("changed since"))
