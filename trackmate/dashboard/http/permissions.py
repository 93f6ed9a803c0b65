"""Who may open the dashboard, and which rows they may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest

from trackmate.conf import SETTING, get_settings, load_dotted
from trackmate.models import ActivityLog
from trackmate.selectors import every_row

if TYPE_CHECKING:
    from trackmate.dashboard.dimensions import Dimension
    from trackmate.selectors import Rows


def may_open(request: HttpRequest) -> bool:
    """Return True if this request may open the dashboard."""
    predicate = get_settings().DASHBOARD_ACCESS
    if predicate is not None:
        return bool(load_dotted(predicate)(request))
    return is_staff(user_of(request))


def may_see_payload(request: HttpRequest) -> bool:
    """Return True if this request may see request data, responses and changes."""
    return has_permission(request, "trackmate.view_payload")


def may_export(request: HttpRequest) -> bool:
    """Return True if this request may export activities."""
    return has_permission(request, "trackmate.export_activitylog")


def is_staff(user: Any) -> bool:
    """Return True for an active staff member; a user model may have no `is_staff`."""
    return bool(getattr(user, "is_active", True) and getattr(user, "is_staff", False))


def may_see(request: HttpRequest | None, dimension: Dimension) -> bool:
    """Return True if this request may see a dimension."""
    return not dimension.permission or (
        request is not None and has_permission(request, dimension.permission)
    )


def has_permission(request: HttpRequest, name: str) -> bool:
    # A user model without permissions grants none.
    has_perm = getattr(user_of(request), "has_perm", None)
    return has_perm is not None and bool(has_perm(name))


def visible_rows(request: HttpRequest) -> Rows:
    """Return the rows that this request may see, with which every page and count starts."""
    limit = get_settings().DASHBOARD_QUERYSET
    if limit is None:
        return every_row()
    rows: Rows = load_dotted(limit)(request, every_row())
    if reason := _reason_against(rows):
        name = limit if isinstance(limit, str) else getattr(limit, "__qualname__", repr(limit))
        raise ImproperlyConfigured(
            f"{SETTING}['DASHBOARD_QUERYSET']: {name} returned {reason}. It has to filter the "
            "queryset that it is given, by filter() or exclude()."
        )
    return rows


def _reason_against(rows: Any) -> str:
    """Return why the return value of a project's callable cannot be filtered; "" if it can."""
    if not isinstance(rows, QuerySet) or rows.model._meta.concrete_model is not ActivityLog:
        return f"{type(rows).__name__}, which is not a queryset of activities"
    if rows.query.is_sliced:
        return "a slice, which cannot be filtered"
    if rows.query.combinator:
        return f"a {rows.query.combinator}, which cannot be filtered"
    if rows._fields is not None:  # type: ignore[attr-defined]
        return "values, which are not activities"
    return ""


def user_of(request: HttpRequest) -> Any:
    """Return the logged-in user, or None (also where no authentication middleware runs)."""
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def user_key(request: HttpRequest) -> Any:
    """Return the primary key of the logged-in user, or None if it is not of the user model."""
    user = user_of(request)
    return user.pk if isinstance(user, get_user_model()) else None
