"""The page of one activity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackmate import selectors
from trackmate.dashboard.db.results import run_query
from trackmate.dashboard.detail import facts
from trackmate.dashboard.detail.documents import build_documents
from trackmate.dashboard.detail.panels import build_panels
from trackmate.dashboard.detail.snippets import build_snippets
from trackmate.dashboard.detail.timeline import state_url
from trackmate.dashboard.entities import list_url, querystring, row_url
from trackmate.dashboard.http import permissions
from trackmate.dashboard.search.filters import ActivityFilters
from trackmate.dashboard.tables.activity_list import list_params
from trackmate.dashboard.tables.related_table import related_table
from trackmate.dashboard.undo.links import undo_links
from trackmate.dashboard.views.base import DashboardView
from trackmate.dashboard.views.undo import UNDO_MESSAGES

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from trackmate.models import ActivityLog
    from trackmate.selectors import Adjacent

    Related = tuple[ActivityLog, ...]


class DetailView(DashboardView):
    """Everything that one activity has."""

    has_display_options = True

    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        result = run_query(lambda: self._read(pk))
        if result.state is not None:
            return self.respond("errors/unavailable", {"state": result.state}, status=503)
        row, related, object_types = result.value
        if row is None:
            return self.respond("errors/not_found", {"pk": pk}, status=404)
        context = {"row": row, **self._navigation(row), **self._content(row, related, object_types)}
        context["message"] = UNDO_MESSAGES.get(request.GET.get("undo", ""), "")
        return self.respond("activity_detail", context)

    def _read(self, pk: UUID) -> tuple[ActivityLog | None, Related, dict[int, str]]:
        with_payload = permissions.may_see_payload(self.request)
        row = selectors.one(self.rows, pk, with_payload=with_payload)
        if row is None:
            return None, (), {}
        related = selectors.related(self.rows, row)
        return row, related, selectors.object_types([row, *related])

    def _content(
        self, row: ActivityLog, related: Related, object_types: dict[int, str]
    ) -> dict[str, Any]:
        object_type = object_types.get(row.content_type_id or 0, "")
        with_payload = permissions.may_see_payload(self.request)
        undo = undo_links(self.request, row)
        return {
            "undo": undo,
            "sections": facts.build_sections(row, self.request, object_type),
            "documents": build_documents(row, with_payload=with_payload, undo_urls=undo.fields),
            "at_url": state_url(row, object_type),
            "related": related_table(row, related, object_types, self.display),
            "snippets": build_snippets(
                row, self.request, object_type=object_type, with_payload=with_payload
            ),
            # Last: what a project's code does to a connection then affects nothing else.
            "panels": build_panels(row, self.request),
        }

    def _navigation(self, row: ActivityLog) -> dict[str, Any]:
        """Return the links to the list that the reader came from, and to the rows beside this."""
        filters = ActivityFilters(self.request.GET, self.rows, request=self.request)
        params = list_params(filters, self.request.GET) if filters.is_valid() else {}
        adjacent: Adjacent | None = None
        if filters.is_valid():
            rows, within = filters.filter_any_time(self.rows), filters.time_range.keys
            adjacent = run_query(lambda: selectors.adjacent(rows, row.pk, within=within)).value
        return {
            "back_url": row_url(row.pk, params),
            "query": querystring(params) or list_url().partition("?")[2],
            "around_url": facts.around_url(row),
            "adjacent": adjacent,
        }
