"""Taking a list out: the page that says what would be in the file, and the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import Error
from django.http import HttpResponseNotFound
from django.urls import reverse
from django.utils.translation import gettext as _

from trackmate import selectors
from trackmate.conf import get_settings
from trackmate.dashboard import access, texts, windows
from trackmate.dashboard.answers import answer, failure
from trackmate.dashboard.budget import BudgetExceededError
from trackmate.dashboard.downloads import Download
from trackmate.dashboard.filters import ActivityFilters, worded
from trackmate.dashboard.formats import formats
from trackmate.dashboard.listing import set_filters
from trackmate.dashboard.pages import DashboardView
from trackmate.dashboard.places import place_asked

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from trackmate.dashboard.places import Place


class ExportView(DashboardView):
    """A list as a file, or without a format the page that offers it.

    That a file was taken is an activity of its own.
    """

    def get(self, request: HttpRequest, format: str = "") -> HttpResponseBase:  # noqa: A002 (the URL's)
        place = place_asked(request.GET)
        filters = ActivityFilters(request.GET, self.rows, place)
        list_url = place.asked_url(request.GET)
        if not access.may_export(request):
            needed = {"permission": "trackmate.export_activitylog", "list_url": list_url}
            return self.show("trackmate/forbidden.html", needed, status=403)
        if format and format not in formats():
            text = _("There is no format “%(format)s”, only %(formats)s.") % {
                "format": format[:100],
                "formats": ", ".join(formats()),
            }
            return HttpResponseNotFound(text, content_type="text/plain; charset=utf-8")
        if not filters.is_valid():
            # The page of figures says what is wrong too, and has the way back.
            context = {"form": filters.form, "place": place, "list_url": list_url}
            return self.show("trackmate/figures_page.html", context, status=400)
        if not format:
            return self._offer(filters, place, list_url)
        try:
            return Download(request, filters, place, format).response()
        except (BudgetExceededError, Error) as error:
            return self.show("trackmate/failed.html", {"state": failure(error)}, status=503)

    def _offer(self, filters: ActivityFilters, place: Place, list_url: str) -> HttpResponse:
        limit = get_settings().EXPORT_MAX_ROWS
        context = {
            "place": place,
            "list_url": list_url,
            "window": filters.window,
            "conditions": _conditions(filters),
            "limit": texts.number(limit),
            **_rows(filters, limit),
            "with_payload": access.may_see_payload(self.request),
            "files": _files(self.request),
            "lacks_excel": "xlsx" not in formats(),
        }
        return self.show("trackmate/export.html", context)


def _rows(filters: ActivityFilters, limit: int) -> dict[str, Any]:
    """Return how many rows there are, if they can be counted in time, and whether all of them go
    into one file."""
    count = answer(lambda: selectors.count_up_to(filters.qs, limit + 1)).value
    if count is None:
        return {}
    return {"count": texts.number(count), "is_whole": count <= limit}


def _conditions(filters: ActivityFilters) -> list[tuple[str, str]]:
    """Return what is asked beside the time."""
    return [worded(*each) for each in windows.timeless(set_filters(filters)).items()]


def _files(request: HttpRequest) -> list[tuple[Any, str]]:
    """Return the formats that there are, with the addresses of the files."""
    question = request.GET.urlencode()
    return [
        (each.label, f"{reverse('trackmate:export', args=[name])}?{question}")
        for name, each in formats().items()
    ]
