"""The form with the display options, and where they are saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import Error
from django.http import HttpResponse, HttpResponseRedirect, QueryDict

from trackmate.dashboard.db.results import failure
from trackmate.dashboard.entities import entity_page_from_query, with_query
from trackmate.dashboard.search.filters import ActivityFilters
from trackmate.dashboard.tables.activity_list import list_params
from trackmate.dashboard.tables.display_options import DISPLAY_PARAMS, display_options
from trackmate.dashboard.user_data.forms import DisplayForm, display_form
from trackmate.dashboard.user_data.preferences import save_preferences, saved_preferences
from trackmate.dashboard.views.base import DashboardView

if TYPE_CHECKING:
    from django.http import HttpRequest


class DisplayView(DashboardView):
    """Shows the form for the list with these parameters; saves it, and returns to the list."""

    http_method_names = (*DashboardView.http_method_names, "post")

    def get(self, request: HttpRequest) -> HttpResponse:
        form = display_form(self.display, saved_preferences(request))
        page = entity_page_from_query(request.GET)
        context = {
            "form": form,
            "query": request.GET.urlencode(),
            "list_url": page.url_for(request.GET),
        }
        name = "includes/display_options" if self.is_fragment else "display_options"
        return self.render(f"trackmate/{name}.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        query = QueryDict(request.POST.get("query", ""))
        page, form = entity_page_from_query(query), DisplayForm(request.POST)
        filters = ActivityFilters(query, self.rows, page, request=request)
        params = list_params(filters, query)
        if form.is_valid():
            try:
                save_preferences(request, form.params)
            except Error as error:
                context = {"state": failure(error)}
                return self.render("trackmate/errors/unavailable.html", context, status=503)
            params = {name: value for name, value in params.items() if name not in DISPLAY_PARAMS}
            params |= display_options(form.params).params
        return HttpResponseRedirect(with_query(page.url(), params))
