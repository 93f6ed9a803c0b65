"""The fields on the page of one activity, in sections, with their links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from trackmate.activity import actor_name
from trackmate.clock import aware
from trackmate.conf import get_settings
from trackmate.dashboard import formatting
from trackmate.dashboard.cells import badge, status_mark
from trackmate.dashboard.entities import actor_token, actor_value, entity_page, row_url
from trackmate.dashboard.time_ranges import params_between, params_since

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from trackmate.dashboard.entities import EntityPage
    from trackmate.models import ActivityLog
    from trackmate.selectors import SeenRange

_TRACE_ID = re.compile(r"[0-9a-f]{32}")

AROUND_SECONDS = 30
"""Seconds before and after an activity that "Show ±30 seconds" includes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailField:
    """A name and a value; an empty value is shown as a dash."""

    name: str
    value: Any = ""
    page: str = ""
    """The address of the page about the value."""
    url: str = ""
    """The address of the value in the admin."""
    trace_url: str = ""
    """The address of the value in the project's tracing tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailSection:
    """Fields under one heading."""

    title: str
    fields: tuple[DetailField, ...]


def build_sections(row: ActivityLog, request: HttpRequest, object_type: str) -> list[DetailSection]:
    """Return all fields of a row but the JSON columns, in sections."""
    return [
        DetailSection(title=_("What"), fields=_action_fields(row, request, object_type)),
        DetailSection(title=_("Who"), fields=_actor_fields(row, request)),
        DetailSection(title=_("Request"), fields=_request_fields(row)),
        DetailSection(title=_("Log entry"), fields=_log_entry_fields(row)),
    ]


def _action_fields(
    row: ActivityLog, request: HttpRequest, object_type: str
) -> tuple[DetailField, ...]:
    key = (
        f"{object_type}/{row.object_id}"
        if object_type and row.object_id
        else row.object_id or object_type
    )
    return (
        DetailField(name=_("Time"), value=formatting.format_full_time(row.action_time)),
        DetailField(name=_("Status"), value=status_mark(row.status, row.status_code)),
        DetailField(name=_("Action type"), value=badge(row.action_type)),
        DetailField(name=_("Action"), value=row.action),
        DetailField(
            name=_("Object"), value=row.object_name, url=_object_url(row, request, object_type)
        ),
        DetailField(
            name=_("Object ID"),
            value=key,
            page=_entity_url(row, "object", key) if object_type else "",
        ),
        DetailField(name=_("Duration"), value=_format_duration(row)),
        DetailField(name=_("Remarks"), value=row.remarks),
        *_if_any(DetailField(name=_("Reason"), value=row.reason)),
        *_if_any(_undone_field(row)),
    )


def _undone_field(row: ActivityLog) -> DetailField:
    """Return the link to the activity that this one has undone."""
    key = row.extra.get("undo_of") if isinstance(row.extra, dict) else None
    try:
        undone = UUID(key) if isinstance(key, str) else None
    except ValueError:
        undone = None
    page = reverse("trackmate:detail", args=[undone]) if undone else ""
    return DetailField(name=_("Puts back"), value=undone or "", page=page)


def _if_any(field: DetailField) -> tuple[DetailField, ...]:
    """Return a field that most projects never have, or none where it is empty."""
    return (field,) if field.value else ()


def _actor_fields(row: ActivityLog, request: HttpRequest) -> tuple[DetailField, ...]:
    user_url = _user_url(row.actor_id, request)
    impersonator = actor_token(row.impersonator_id, row.impersonator_label)
    return (
        DetailField(
            name=_("Actor"),
            value=row.who,
            page=_entity_url(row, "actor", actor_value(row)),
            url=user_url,
        ),
        DetailField(name=_("User ID"), value="" if row.actor_id is None else str(row.actor_id)),
        *_if_any(
            DetailField(
                name=_("Impersonator"),
                value=row.impersonator_name,
                page=_entity_url(row, "actor", impersonator),
                url=_user_url(row.impersonator_id, request),
            )
        ),
        *_if_any(DetailField(name=_("Tenant"), value=row.tenant)),
        DetailField(
            name=_("Address"),
            value=row.ip_address,
            page=_entity_url(row, "address", row.ip_address),
        ),
        DetailField(name=_("User agent"), value=row.user_agent),
        DetailField(name=_("Session"), value=row.session_hash),
    )


def _request_fields(row: ActivityLog) -> tuple[DetailField, ...]:
    return (
        DetailField(name=_("Method"), value=row.method),
        DetailField(name=_("Path"), value=row.path),
        DetailField(name=_("Route"), value=row.route, page=_entity_url(row, "route", row.route)),
        DetailField(name=_("Status code"), value=row.status_code),
        DetailField(
            name=_("Request ID"),
            value=row.request_id,
            page=_entity_url(row, "request", row.request_id),
        ),
        *_if_any(
            DetailField(name=_("Trace"), value=row.trace_id, trace_url=trace_url(row.trace_id))
        ),
    )


def _log_entry_fields(row: ActivityLog) -> tuple[DetailField, ...]:
    return (
        DetailField(name=_("Source"), value=row.get_source_display()),
        DetailField(name=_("Stored at"), value=formatting.format_full_time(row.recorded_at)),
        DetailField(
            name=_("Activity ID"), value=row.pk, page=reverse("trackmate:detail", args=[row.pk])
        ),
    )


def describe_entity(page: EntityPage, seen: SeenRange | None) -> dict[str, Any]:
    """Return the name of what an entity page is about, and when it was first and last seen."""
    first, last = (seen.first, seen.last) if seen else (None, None)
    return {
        "name": (last and _name_of(page, last)) or page.value,
        "first": first and formatting.format_full_time(first),
        "last": last and formatting.format_full_time(last.action_time),
    }


def _name_of(page: EntityPage, row: ActivityLog) -> str:
    # Other values of the actor filter may match several names.
    actor = actor_name(row.actor_label) if page.value.startswith(("#", "=")) else ""
    return {"actor": actor, "object": row.object_name}.get(page.type, "")


def entity_admin_url(page: EntityPage, row: ActivityLog, request: HttpRequest) -> str:
    """Return the address in the admin of what an entity page is about, found by one of its rows;
    "" for those who may not open it."""
    if page.type == "actor" and row.actor_id is not None:
        return admin_url(get_user_model(), row.actor_id, request)
    if page.type == "object":
        return _object_url(row, request, page.value.partition("/")[0])
    return ""


def trace_url(trace_id: str) -> str:
    """Return the address of a trace in the project's tracing tool, if `TRACE_URL` has one."""
    template = get_settings().TRACE_URL or ""
    is_web = template.lower().startswith(("https://", "http://"))
    # Rows of other programs may have anything in place of a trace.
    if not (is_web and _TRACE_ID.fullmatch(trace_id)):
        return ""
    return template.replace("{trace_id}", trace_id)


def _user_url(key: Any, request: HttpRequest) -> str:
    return "" if key is None else admin_url(get_user_model(), key, request)


def _entity_url(row: ActivityLog, entity_type: str, value: str | None) -> str:
    """Return the address of an entity page, with a time range that includes the row."""
    page = entity_page(entity_type, value or "")
    if not page.type:
        return ""
    return page.url({} if page.shows_all_time else params_since(row.action_time))


def around_url(row: ActivityLog) -> str:
    """Return the address of all activity shortly before and after a row."""
    time, span = aware(row.action_time), timedelta(seconds=AROUND_SECONDS)
    start = (time - span).replace(microsecond=0)
    end = (time + span).replace(microsecond=0) + timedelta(seconds=1)
    return row_url(row.pk, params_between(start, end))


def _format_duration(row: ActivityLog) -> str:
    return "" if row.execution_time is None else formatting.format_duration(row.execution_time)


def _object_url(row: ActivityLog, request: HttpRequest, object_type: str) -> str:
    if not (object_type and row.object_id) or row.is_about_unknown:
        return ""
    try:
        model = apps.get_model(object_type)
    except LookupError:
        return ""
    return admin_url(model, row.object_id, request)


def admin_url(model: type[Model], key: Any, request: HttpRequest) -> str:
    """Return the address of an object in the admin, even if it has been deleted; "" if the admin
    does not show its model to this person."""
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
        # The admin needs `is_staff` and `has_perm`, which a user model may not have.
        return False
