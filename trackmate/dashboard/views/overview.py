"""The overview page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackmate.dashboard.stats.overview import build_overview
from trackmate.dashboard.views.base import DashboardView

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


class OverviewView(DashboardView):
    """A time range in numbers."""

    has_display_options = True
    section = "overview"

    def get(self, request: HttpRequest) -> HttpResponse:
        overview = build_overview(self.rows, request.GET, self.display)
        context = {"overview": overview, "display": self.display}
        if not self.is_fragment:
            return self.render("trackmate/overview.html", context)
        if not overview.is_valid:
            return self.render_form("trackmate/includes/overview_form.html", context)
        return self.render("trackmate/includes/overview.html", context)
