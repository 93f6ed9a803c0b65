"""Exports: the page that says what the file will contain, and the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponseNotFound
from django.urls import reverse
from django.utils.translation import gettext as _

from trackmate import selectors
from trackmate.conf import get_settings
from trackmate.dashboard import formatting, time_ranges
from trackmate.dashboard.db.results import run_query
from trackmate.dashboard.entities import entity_page_from_query
from trackmate.dashboard.exports.formats import formats
from trackmate.dashboard.exports.streaming import Export
from trackmate.dashboard.http import permissions
from trackmate.dashboard.search.active_filters import describe_filter
from trackmate.dashboard.search.filters import ActivityFilters
from trackmate.dashboard.views.base import DashboardView

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase


class ExportView(DashboardView):
    """A list as a file; without a format, the page that offers it.

    An export is recorded as an activity.
    """

    def get(self, request: HttpRequest, format: str = "") -> HttpResponseBase:  # noqa: A002 (the URL's)
        page = entity_page_from_query(request.GET)
        filters = ActivityFilters(request.GET, self.rows, page, request=request)
        list_url = page.url_for(request.GET)
        if not permissions.may_export(request):
            refused = {"permission": "trackmate.export_activitylog", "list_url": list_url}
            return self.render("trackmate/errors/forbidden.html", refused, status=403)
        if format and format not in formats():
            text = _("There is no format “%(format)s”, only %(formats)s.") % {
                "format": format[:100],
                "formats": ", ".join(formats()),
            }
            return HttpResponseNotFound(text, content_type="text/plain; charset=utf-8")
        if not filters.is_valid():
            # The page of facets lists the errors, and links to the list.
            context: dict[str, Any] = {"form": filters.form, "page": page, "list_url": list_url}
            return self.render("trackmate/facets.html", context, status=400)
        if not format:
            return self._offer(filters, list_url)
        result = run_query(lambda: Export(request, filters, format).response())
        if result.state is None:
            response: HttpResponseBase = result.value
            return response
        return self.render("trackmate/errors/unavailable.html", {"state": result.state}, status=503)

    def _offer(self, filters: ActivityFilters, list_url: str) -> HttpResponse:
        limit = get_settings().EXPORT_MAX_ROWS
        conditions = time_ranges.without_time(filters.params).items()
        context = {
            "page": filters.page,
            "list_url": list_url,
            "time_range": filters.time_range,
            "conditions": [describe_filter(*each) for each in conditions],
            "limit": formatting.format_number(limit),
            **_count(filters, limit),
            "with_payload": permissions.may_see_payload(self.request),
            "files": _files(self.request),
            "lacks_excel": "xlsx" not in formats(),
        }
        return self.render("trackmate/export.html", context)


def _count(filters: ActivityFilters, limit: int) -> dict[str, Any]:
    """Return how many rows match, if they can be counted in time, and if one file has them all."""
    count = run_query(lambda: selectors.count_up_to(filters.qs, limit + 1)).value
    if count is None:
        return {}
    return {"count": formatting.format_number(count), "is_whole": count <= limit}


def _files(request: HttpRequest) -> list[tuple[Any, str]]:
    """Return label and address of the file in each format."""
    query = request.GET.urlencode()
    return [
        (each.label, f"{reverse('trackmate:export', args=[name])}?{query}")
        for name, each in formats().items()
    ]
