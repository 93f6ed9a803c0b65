"""The pages of the dashboard: the list, what is new in it, and one activity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.utils.translation import gettext as _

from trackmate import selectors
from trackmate.dashboard import details
from trackmate.dashboard.access import may_see_payload
from trackmate.dashboard.budget import BudgetExceededError
from trackmate.dashboard.filters import ActivityFilters, CursorForm
from trackmate.dashboard.listing import State, asked_of, failure, list_url, listing, within_budget
from trackmate.dashboard.pages import DashboardView
from trackmate.dashboard.tables import ASCENDING, ActivityTable

if TYPE_CHECKING:
    from uuid import UUID

    from trackmate.models import ActivityLog
    from trackmate.selectors import Neighbours


class ActivityListView(DashboardView):
    """The newest activities, or those that the filters ask for, a page at a time."""

    def get(self, request: HttpRequest) -> HttpResponse:
        found = listing(self.rows, request.GET)
        if self.wants_fragment:
            # A fragment tells of a failure in the place of the rows, so it has to arrive.
            return self.show("trackmate/rows.html", {"listing": found, "is_fragment": True})
        status = 503 if found.state == State.UNAVAILABLE else 200
        return self.show("trackmate/activity.html", {"listing": found}, status=status)


class TickView(DashboardView):
    """How many activities came since the newest one on the page: by one query, 204 for none."""

    def get(self, request: HttpRequest) -> HttpResponse:
        filters, cursor = ActivityFilters(request.GET, self.rows), CursorForm(request.GET)
        asked = cursor.cleaned_data if cursor.is_valid() else {}
        since = asked.get("since")
        if since is None:
            return HttpResponseBadRequest(_("“since” is not the identifier of an activity."))
        if not filters.is_valid():
            return HttpResponse(status=204)
        try:
            with within_budget():
                tick = selectors.tick(filters.qs, since=since, shown=asked["shown"])
        except (BudgetExceededError, Error) as error:
            failure(error)
            return HttpResponse(status=503)
        if not tick.count:
            return HttpResponse(status=204)
        url = list_url(asked_of(filters, request.GET))
        return self.show("trackmate/pill.html", {"tick": tick, "url": url})


class DetailView(DashboardView):
    """Everything that one activity holds."""

    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        with_payload = may_see_payload(request)
        try:
            with within_budget():
                row = selectors.one(self.rows, pk, with_payload=with_payload)
                if row is None:
                    return self.show("trackmate/missing.html", {"pk": pk}, status=404)
                companions = selectors.companions(self.rows, row)
        except (BudgetExceededError, Error) as error:
            return self.show("trackmate/failed.html", {"state": failure(error)}, status=503)
        return self.show(
            "trackmate/detail.html",
            {"row": row, **self._around(row), **self._about(row, companions)},
        )

    def _about(self, row: ActivityLog, companions: tuple[ActivityLog, ...]) -> dict[str, Any]:
        types = selectors.object_types([row, *companions])
        kind = types.get(row.content_type_id or 0, "")
        return {
            "groups": details.groups(row, self.request, kind),
            "documents": details.documents(row, with_payload=may_see_payload(self.request)),
            "companions": _companions_table(row, companions, types),
        }

    def _around(self, row: ActivityLog) -> dict[str, Any]:
        """Return the way back and to the neighbours, within the list that the reader came from."""
        filters = ActivityFilters(self.request.GET, self.rows)
        asked = asked_of(filters, self.request.GET) if filters.is_valid() else {}
        return {
            "back_url": f"{list_url(asked)}#tm-row-{row.pk}",
            "query": list_url(asked).partition("?")[2],
            "neighbours": self._neighbours(filters, row),
        }

    def _neighbours(self, filters: ActivityFilters, row: ActivityLog) -> Neighbours | None:
        if not filters.is_valid():
            return None
        try:
            with within_budget():
                return selectors.neighbours(filters.qs, row.pk)
        except (BudgetExceededError, Error) as error:
            failure(error)
            return None


def _companions_table(
    row: ActivityLog, companions: tuple[ActivityLog, ...], types: dict[int, str]
) -> ActivityTable | None:
    if len(companions) < 2:  # noqa: PLR2004 (the row itself is one of them)
        return None
    return ActivityTable(
        companions,
        caption=_("Everything that this request did, in order"),
        direction=ASCENDING,
        types=types,
        current=row.pk,
    )
