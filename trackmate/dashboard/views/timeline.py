"""The recorded changes of an object: a part of its page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.http import Http404, HttpResponseRedirect

from trackmate.dashboard.detail.timeline import load_timeline
from trackmate.dashboard.entities import entity_page_from_query
from trackmate.dashboard.search.filters import ActivityFilters
from trackmate.dashboard.tables.activity_list import list_params
from trackmate.dashboard.undo.links import change_url
from trackmate.dashboard.views.base import DashboardView

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


class TimelineView(DashboardView):
    """The timeline of an object."""

    def get(self, request: HttpRequest) -> HttpResponse:
        page = entity_page_from_query(request.GET)
        if page.type != "object":
            raise Http404
        if not self.is_fragment:
            return HttpResponseRedirect(page.url_for(request.GET))
        filters = ActivityFilters(request.GET, self.rows, page, request=request)
        params = list_params(filters, request.GET) if filters.is_valid() else {}
        timeline = load_timeline(self.rows, page, request, params, partial(change_url, request))
        return self.render("trackmate/includes/timeline.html", {"timeline": timeline})
