"""The recorded changes of one object, what differed between two times, and its state at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackmate.conf import get_settings
from trackmate.enums import Source
from trackmate.history.states import reconstruct, upper_bound
from trackmate.history.values import (
    CutText,
    FieldValues,
    MaskedText,
    RelatedObject,
    is_complete,
)
from trackmate.models import ActivityLog
from trackmate.models.object_keys import ObjectKey

if TYPE_CHECKING:
    from datetime import date

    from django.db.models import QuerySet

    Rows = QuerySet[ActivityLog]
    Moment = date | ActivityLog

__all__ = [
    "CutText",
    "FieldValues",
    "MaskedText",
    "RelatedObject",
    "as_of",
    "diff",
    "history",
    "is_complete",
]


def history(obj: Any, *, among: Rows | None = None) -> Rows:
    """Return the recorded changes of an object as a queryset, the newest first.

    `obj` is a model instance, or for a deleted one `(Model, pk)` or an activity about it. `among`
    limits the activities that are read, to those that somebody may see for example. Raise TypeError
    for anything else.

    >>> history(book)[:10]
    >>> history((Book, 7)).by(user)
    """
    about = ObjectKey.of(obj)
    rows = _rows(among)
    changes = rows.none() if about is None else rows.filter(about.condition)
    return changes.filter(source=Source.MODEL).order_by("-pk")


def as_of(
    obj: Any, moment: Moment, *, among: Rows | None = None, with_present: bool = True
) -> FieldValues | None:
    """Return the fields of an object as they were at a time; None before its creation and after
    its deletion.

    `moment` is a datetime, naive in the current time zone; a date, which means its midnight; or an
    activity, which means right after it. Of an object that was there before its model was
    registered, values that no change mentions are those that it has now; `with_present=False`
    leaves them out. Raise TypeError for anything else than an object or a time.
    """
    bound, about = upper_bound(moment), ObjectKey.of(obj)
    if about is None:
        return None
    return reconstruct(about, bound, _rows(among), with_present=with_present)


def diff(
    obj: Any, a: Moment, b: Moment, *, among: Rows | None = None, with_present: bool = True
) -> FieldValues:
    """Return `{field: [then, later]}` for the fields of an object that differ between two times.

    A time at which it did not exist has no values: None. Values that are masked or cut differ if
    a change of them was recorded in between. Raise TypeError as `as_of()` does.
    """
    then = as_of(obj, a, among=among, with_present=with_present)
    later = as_of(obj, b, among=among, with_present=with_present)
    return FieldValues.between(then, later)


def _rows(among: Rows | None) -> Rows:
    return ActivityLog.objects.using(get_settings().DATABASE) if among is None else among
