"""The list of activities, its filter form, and the poll for new activities."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseRedirect,
)
from django.utils.translation import gettext as _
from django_htmx.http import push_url

from trackmate import selectors
from trackmate.dashboard.cells import action_type_label
from trackmate.dashboard.db.results import ListState, run_query
from trackmate.dashboard.detail import facts
from trackmate.dashboard.detail.timeline import load_timeline
from trackmate.dashboard.entities import (
    entity_page,
    entity_page_from_query,
    querystring,
)
from trackmate.dashboard.forms.pagination import KeysetForm
from trackmate.dashboard.search.filters import ActivityFilters
from trackmate.dashboard.tables.account_tables import account_tables
from trackmate.dashboard.tables.activity_list import ActivityList, activity_list, list_params
from trackmate.dashboard.undo.links import change_url
from trackmate.dashboard.user_data.sidebar import saved_view_links
from trackmate.dashboard.views.base import DashboardView

if TYPE_CHECKING:
    from trackmate.dashboard.entities import EntityPage
    from trackmate.dashboard.user_data.sidebar import SavedViewLinks


class ActivityListView(DashboardView):
    """The newest activities, or those that match the filters, a page at a time.

    With an `entity_type` it is the page about one value: the same list with a fixed filter.
    """

    has_display_options = True
    entity_type = ""

    def get(self, request: HttpRequest, value: str = "", entity_type: str = "") -> HttpResponse:
        page = entity_page(entity_type or self.entity_type, value)
        if value and not page.type:
            raise Http404
        self.section = "" if page.type else "activity"
        filters = self._filters(page)
        params = list_params(filters, request.GET)
        links = None if page.type else self._saved_view_links(params)
        if not self.is_fragment and (url := self._default_url(page, params, links)):
            return HttpResponseRedirect(url)
        listed = activity_list(self.rows, request, filters, params)
        context: dict[str, Any] = {"list": listed, "filters": filters, "links": links, "page": page}
        if not self.is_fragment:
            context |= self._about(page, listed, params)
            status = 503 if listed.state == ListState.UNAVAILABLE else 200
            return self.render("trackmate/activity_list.html", context, status=status)
        if "blank" not in request.GET and not filters.is_valid():
            return self.render_form("trackmate/includes/filters.html", context)
        # A fragment with a message about a failure replaces the rows, so it has to be a success.
        fragment = self.render("trackmate/includes/activity_list.html", context)
        if "filters" not in request.GET:
            return fragment
        # The address is that of the list; which fields the form has is not part of it.
        is_new = listed.url != self.htmx.current_url_abs_path
        return push_url(fragment, listed.url if is_new else False)

    def _filters(self, page: EntityPage) -> ActivityFilters:
        query = self.request.GET
        has_all_fields = query.get("filters") == "all"
        filters = ActivityFilters(
            query, self.rows, page, request=self.request, has_all_fields=has_all_fields
        )
        if filters.has_field_errors and not has_all_fields:
            return ActivityFilters(
                query, self.rows, page, request=self.request, has_all_fields=True
            )
        return filters

    def _saved_view_links(self, params: dict[str, str]) -> SavedViewLinks | None:
        known_url = self.htmx.current_url if self.is_fragment else None
        return saved_view_links(self.request, querystring(params), known_url)

    def _default_url(
        self, page: EntityPage, params: dict[str, str], links: SavedViewLinks | None
    ) -> str:
        """Return the address that this person has chosen as default, if this one is bare."""
        if links is not None and links.default_url:
            return links.default_url
        if self.display.params and not self.has_display_params:
            query = self.request.GET.copy()
            query.update(self.display.params)
            return f"{self.request.path}?{query.urlencode()}"
        return ""

    def _about(
        self, page: EntityPage, listed: ActivityList, params: dict[str, str]
    ) -> dict[str, Any]:
        """Return what an entity page has beside the list: its name, when it was seen, and the
        timeline of an object."""
        if not page.type:
            return {}
        condition = listed.filters.page_condition
        if condition is None:
            return {"name": page.value}
        seen = run_query(lambda: selectors.seen_range(self.rows, condition, last=listed.newest))
        return {
            "seen": seen,
            "account_tables": account_tables(self.rows, page, self.display),
            "timeline": load_timeline(
                self.rows, page, self.request, params, partial(change_url, self.request)
            ),
            **facts.describe_entity(page, seen.value),
        }


class FilterFormView(DashboardView):
    """The fields of the filter form that the list does not have until they are opened."""

    def get(self, request: HttpRequest) -> HttpResponse:
        page = entity_page_from_query(request.GET)
        filters = ActivityFilters(
            request.GET, self.rows, page, request=request, has_all_fields=True
        )
        if not self.is_fragment:
            params = {**list_params(filters, request.GET), "filters": "all"}
            return HttpResponseRedirect(page.url(params))
        return self.render("trackmate/includes/filter_fields.html", {"filters": filters})


class NewActivitiesView(DashboardView):
    """How many activities are newer than those on the page: one query, 204 for none."""

    def get(self, request: HttpRequest) -> HttpResponse:
        page = entity_page_from_query(request.GET)
        filters = ActivityFilters(request.GET, self.rows, page, request=request)
        keyset = KeysetForm(request.GET)
        keys = keyset.cleaned_data if keyset.is_valid() else {}
        since = keys.get("since")
        if since is None:
            return HttpResponseBadRequest(_("“since” is not the ID of an activity."))
        if not filters.is_valid():
            return HttpResponse(status=204)
        result = run_query(
            lambda: selectors.count_new(
                filters.filter_any_time(self.rows),
                after=since,
                loaded_at=keys["loaded_at"],
                within=filters.time_range.keys,
            )
        )
        if result.state is not None:
            return HttpResponse(status=503)
        new = result.value
        if not new.count:
            return HttpResponse(status=204)
        return self.render(
            "trackmate/includes/new_activities.html",
            {
                "new": new,
                "types": [(action_type_label(name), count) for name, count in new.types],
                "url": page.url(list_params(filters, request.GET)),
            },
        )
