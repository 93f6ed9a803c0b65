"""The histogram and the top values of a list: a page of their own, or a part of the list's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackmate import selectors
from trackmate.dashboard.db.results import run_query
from trackmate.dashboard.detail import facts
from trackmate.dashboard.entities import entity_page_from_query
from trackmate.dashboard.search.filters import ActivityFilters
from trackmate.dashboard.stats.facets import build_facets
from trackmate.dashboard.views.base import DashboardView

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


class FacetsView(DashboardView):
    """The facets of a list."""

    def get(self, request: HttpRequest) -> HttpResponse:
        page = entity_page_from_query(request.GET)
        filters = ActivityFilters(request.GET, self.rows, page, request=request)
        context = {
            "facets": build_facets(self.rows, filters, request),
            "form": filters.form,
            "page": page,
            "list_url": page.url_for(request.GET),
            "admin_page": self._admin_page(filters) if filters.is_valid() else "",
        }
        template = "includes/facets" if self.is_fragment else "facets"
        return self.render(f"trackmate/{template}.html", context)

    def _admin_page(self, filters: ActivityFilters) -> str:
        page, condition = filters.page, filters.page_condition
        if condition is None or page.type not in {"actor", "object"}:
            return ""
        newest = run_query(lambda: selectors.newest(self.rows.filter(condition), 1)).value
        return facts.entity_admin_url(page, newest[0], self.request) if newest else ""
