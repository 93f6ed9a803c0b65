"""What the page of one activity says: its facts in groups, and where they lead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from trackmate.clock import aware
from trackmate.dashboard import texts
from trackmate.dashboard.cells import badge, status_mark
from trackmate.dashboard.charts import between
from trackmate.dashboard.places import actor_value, place_of, row_url
from trackmate.dashboard.windows import reaching

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from trackmate.dashboard.places import Place
    from trackmate.models import ActivityLog
    from trackmate.selectors import Ends

AROUND_SECONDS = 30
"""How far "around this" reaches, before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line: a name and its value; no value is shown as a dash."""

    name: str
    value: Any = ""
    page: str = ""
    """The page about it."""
    url: str = ""
    """Where the value leads to in the admin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Facts under one heading."""

    title: str
    facts: tuple[Fact, ...]


def groups(row: ActivityLog, request: HttpRequest, kind: str) -> list[Group]:
    """Return everything that a row holds beside its documents; `kind` names its object's type."""
    return [
        Group(title=_("What"), facts=_what(row, request, kind)),
        Group(title=_("Who"), facts=_who(row, request)),
        Group(title=_("Request"), facts=_request(row)),
        Group(title=_("Record"), facts=_record(row)),
    ]


def _what(row: ActivityLog, request: HttpRequest, kind: str) -> tuple[Fact, ...]:
    key = f"{kind}/{row.object_id}" if kind and row.object_id else row.object_id or kind
    return (
        Fact(name=_("Time"), value=texts.full_moment(row.action_time)),
        Fact(name=_("Status"), value=status_mark(row.status, row.status_code)),
        Fact(name=_("Action type"), value=badge(row.action_type)),
        Fact(name=_("Action"), value=row.action),
        Fact(name=_("Object"), value=row.object_repr, url=_object_url(row, request, kind)),
        Fact(name=_("Object key"), value=key, page=_page(row, "object", key) if kind else ""),
        Fact(name=_("Duration"), value=_duration(row)),
        Fact(name=_("Remarks"), value=row.remarks),
    )


def _who(row: ActivityLog, request: HttpRequest) -> tuple[Fact, ...]:
    user_url = admin_url(get_user_model(), row.actor_id, request) if row.actor_id else ""
    return (
        Fact(
            name=_("Actor"),
            value=row.who,
            page=_page(row, "actor", actor_value(row)),
            url=user_url,
        ),
        Fact(name=_("User key"), value="" if row.actor_id is None else str(row.actor_id)),
        Fact(name=_("Address"), value=row.ip_address, page=_page(row, "address", row.ip_address)),
        Fact(name=_("User agent"), value=row.user_agent),
        Fact(name=_("Session"), value=row.session_hash),
    )


def _request(row: ActivityLog) -> tuple[Fact, ...]:
    return (
        Fact(name=_("Method"), value=row.method),
        Fact(name=_("Path"), value=row.path),
        Fact(name=_("Route"), value=row.route, page=_page(row, "route", row.route)),
        Fact(name=_("Status code"), value=row.status_code),
        Fact(
            name=_("Request id"), value=row.request_id, page=_page(row, "request", row.request_id)
        ),
    )


def _record(row: ActivityLog) -> tuple[Fact, ...]:
    return (
        Fact(name=_("Source"), value=row.get_source_display()),
        Fact(name=_("Recorded"), value=texts.full_moment(row.recorded_at)),
        Fact(name=_("Identifier"), value=row.pk, page=reverse("trackmate:detail", args=[row.pk])),
    )


def about(place: Place, ends: Ends | None) -> dict[str, Any]:
    """Return the name of the thing that a page is about, and when it was seen."""
    first, last = (ends.first, ends.last) if ends else (None, None)
    return {
        "name": (last and _name_of(place, last)) or place.value,
        "first": first and texts.full_moment(first),
        "last": last and texts.full_moment(last.action_time),
    }


def _name_of(place: Place, row: ActivityLog) -> str:
    # What a person typed may be a part of several names.
    actor = row.actor_label if place.value.startswith(("#", "=")) else ""
    return {"actor": actor, "object": row.object_repr}.get(place.kind, "")


def admin_page(place: Place, row: ActivityLog, request: HttpRequest) -> str:
    """Return the admin's page of the thing that a page is about, by a row about it, for those who
    may open it.

    To know that takes Django two queries, which is more than the page itself: its figures, which
    come later, bring the link along.
    """
    if place.kind == "actor" and row.actor_id is not None:
        return admin_url(get_user_model(), row.actor_id, request)
    if place.kind == "object":
        return _object_url(row, request, place.value.partition("/")[0])
    return ""


def _page(row: ActivityLog, kind: str, value: str | None) -> str:
    """Return the address of the page about something, over a time in which the row is seen."""
    place = place_of(kind, value or "")
    if not place.kind:
        return ""
    return place.url({} if place.is_timeless else reaching(row.action_time))


def around_url(row: ActivityLog) -> str:
    """Return the address of what happened shortly before and after a row, whatever it was."""
    moment, span = aware(row.action_time), timedelta(seconds=AROUND_SECONDS)
    start = (moment - span).replace(microsecond=0)
    end = (moment + span).replace(microsecond=0) + timedelta(seconds=1)
    return row_url(row.pk, between(start, end))


def _duration(row: ActivityLog) -> str:
    return "" if row.execution_time is None else texts.duration(row.execution_time)


def _object_url(row: ActivityLog, request: HttpRequest, kind: str) -> str:
    if not (kind and row.object_id):
        return ""
    try:
        model = apps.get_model(kind)
    except LookupError:
        return ""
    return admin_url(model, row.object_id, request)


def admin_url(model: type[Model], key: Any, request: HttpRequest) -> str:
    """Return the admin's page of an object, whether or not that object is still there; nothing
    where the admin does not show its kind, or not to this person."""
    if not apps.is_installed("django.contrib.admin") or not admin.site.is_registered(model):
        return ""
    if not _may_view(model, request):
        return ""
    try:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        return reverse(name, args=[quote(key)])
    except NoReverseMatch:
        return ""


def _may_view(model: type[Model], request: HttpRequest) -> bool:
    """Return True if the admin shows this person the objects of a model."""
    try:
        return admin.site.has_permission(request) and bool(
            admin.site.get_model_admin(model).has_view_permission(request)
        )
    except AttributeError:
        # Django's admin asks for `is_staff` and `has_perm`, which a user model need not have.
        return False
