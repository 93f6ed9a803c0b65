"""The pages of the dashboard: overview, lists, their figures, what is new, one activity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseRedirect,
)
from django.utils.translation import gettext as _
from django_htmx.http import push_url

from trackmate import selectors
from trackmate.dashboard import access, details, suggestions
from trackmate.dashboard.answers import State, answer
from trackmate.dashboard.cells import action_type_text
from trackmate.dashboard.companions import companions_table
from trackmate.dashboard.copies import copies
from trackmate.dashboard.detail_panels import detail_panels
from trackmate.dashboard.documents import documents
from trackmate.dashboard.figures import figures
from trackmate.dashboard.filters import ActivityFilters, CursorForm
from trackmate.dashboard.listing import asked_of, listing
from trackmate.dashboard.look_form import look_form
from trackmate.dashboard.mirror import LONGEST
from trackmate.dashboard.overview import overview
from trackmate.dashboard.pages import DashboardView
from trackmate.dashboard.places import encoded, explorer_url, place_asked, place_of, row_url
from trackmate.dashboard.shelf import shelf_beside

if TYPE_CHECKING:
    from uuid import UUID

    from trackmate.dashboard.listing import Listing
    from trackmate.dashboard.places import Place
    from trackmate.dashboard.shelf import Shelf
    from trackmate.models import ActivityLog
    from trackmate.selectors import Neighbours


class OverviewView(DashboardView):
    """What a range of time came to."""

    is_page = True
    section = "overview"

    def get(self, request: HttpRequest) -> HttpResponse:
        page = overview(self.rows, request.GET, self.look)
        context = {"page": page, "look": self.look}
        if self.wants_fragment and not page.is_valid:
            return self.show_form("trackmate/overview_form.html", context)
        if self.wants_fragment:
            return self.show("trackmate/overview_parts.html", {**context, "is_fragment": True})
        return self.show("trackmate/overview.html", context)


class ActivityListView(DashboardView):
    """The newest activities, or those that the filters ask for, a page at a time.

    With a `kind`, the page about one thing: the same list with that filter settled.
    """

    is_page = True
    kind = ""

    def get(self, request: HttpRequest, value: str = "") -> HttpResponse:
        place = place_of(self.kind, value)
        self.section = "" if place.kind else "activity"
        filters = ActivityFilters(request.GET, self.rows, place)
        asked = asked_of(filters, request.GET)
        known_url = self.htmx.current_url if self.wants_fragment else None
        shelf = None if place.kind else shelf_beside(request, encoded(asked), known_url)
        if not self.wants_fragment and (url := self._better_url(place, asked, shelf)):
            return HttpResponseRedirect(url)
        found = listing(self.rows, request, place, filters, asked)
        if self.wants_fragment and "blank" not in request.GET and not filters.is_valid():
            return self.show_form("trackmate/filters.html", {"listing": found, "filters": filters})
        context: dict[str, Any] = {
            "listing": found,
            "shelf": shelf,
            "look_form": look_form(self.look, self.remembered),
        }
        if self.wants_fragment:
            # A fragment tells of a failure in the place of the rows, so it has to arrive.
            fragment = self.show("trackmate/rows.html", {**context, "is_fragment": True})
            return self._pushed(fragment, found.newest_url)
        status = 503 if found.state == State.UNAVAILABLE else 200
        context |= {"place": place, **self._about(place, found)}
        return self.show("trackmate/activity.html", context, status=status)

    def _better_url(self, place: Place, asked: dict[str, str], shelf: Shelf | None) -> str:
        """Return the address that says what this page is to show, if its own does not."""
        if "was" in self.request.GET:
            # What a form says in two ways, the address says once.
            return place.url(asked) if asked else place.cleared_url
        if shelf is not None and shelf.home_url:
            return shelf.home_url
        if self.look.said and not self.says_look:
            query = self.request.GET.copy()
            query.update(self.look.said)
            return f"{self.request.path}?{query.urlencode()}"
        return ""

    def _pushed(self, fragment: HttpResponse, url: str) -> HttpResponse:
        """Let the browser's address be the state, and its history hold each state once."""
        if "was" not in self.request.GET:
            return fragment
        is_new = url != self.htmx.current_url_abs_path
        return push_url(fragment, url if is_new else False)

    def _about(self, place: Place, found: Listing) -> dict[str, Any]:
        """Return what stands above the list: the name of the thing, and when it was seen."""
        if not place.kind:
            return {}
        settled = ActivityFilters.of_place(place)
        if settled is None:
            return {"name": place.value}
        ends = answer(lambda: selectors.ends(self.rows, settled, last=found.newest))
        return {"ends": ends, **details.about(place, ends.value)}


class FiguresView(DashboardView):
    """The histogram of a list, and what occurs most in it: a page, or a part of the list's."""

    def get(self, request: HttpRequest) -> HttpResponse:
        place = place_asked(request.GET)
        filters = ActivityFilters(request.GET, self.rows, place)
        context = {
            "figures": figures(self.rows, filters, place, request.GET),
            "form": filters.form,
            "place": place,
            "list_url": place.asked_url(request.GET),
            "admin_page": self._admin_page(place) if filters.is_valid() else "",
        }
        template = "figures" if self.wants_fragment else "figures_page"
        return self.show(f"trackmate/{template}.html", context)

    def _admin_page(self, place: Place) -> str:
        settled = ActivityFilters.of_place(place) if place.kind in {"actor", "object"} else None
        if settled is None:
            return ""
        found = answer(lambda: selectors.newest(self.rows.filter(settled), 1)).value
        return details.admin_page(place, found[0], self.request) if found else ""


class TickView(DashboardView):
    """How many activities came since the newest one on the page: by one query, 204 for none."""

    def get(self, request: HttpRequest) -> HttpResponse:
        place = place_asked(request.GET)
        filters, cursor = ActivityFilters(request.GET, self.rows, place), CursorForm(request.GET)
        asked = cursor.cleaned_data if cursor.is_valid() else {}
        since = asked.get("since")
        if since is None:
            return HttpResponseBadRequest(_("“since” is not the identifier of an activity."))
        if not filters.is_valid():
            return HttpResponse(status=204)
        found = answer(lambda: selectors.tick(filters.qs, since=since, shown=asked["shown"]))
        if found.state is not None:
            return HttpResponse(status=503)
        tick = found.value
        if not tick.count:
            return HttpResponse(status=204)
        url = place.url(asked_of(filters, request.GET))
        kinds = [(action_type_text(kind), count) for kind, count in tick.kinds]
        return self.show("trackmate/pill.html", {"tick": tick, "kinds": kinds, "url": url})


class SuggestView(DashboardView):
    """How a field can go on: options for a list, the number of which comes first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        name, text = request.GET.get("name", "q"), request.GET.get("q", "")[:LONGEST]
        if name == "q":
            at = request.GET.get("at", "")[:4]
            cursor = _characters(text, int(at)) if at.isdecimal() else len(text)
            found = suggestions.of_line(request, self.rows, text, cursor)
        else:
            found = suggestions.of_field(request, self.rows, name, text)
        return self.show("trackmate/options.html", {"options": found})


class DetailView(DashboardView):
    """Everything that one activity holds."""

    is_page = True

    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        found = answer(lambda: self._read(pk))
        if found.state is not None:
            return self._tell("failed", {"state": found.state}, status=503)
        row, companions, types = found.value
        if row is None:
            return self._tell("missing", {"pk": pk}, status=404)
        return self._tell(
            "detail",
            {"row": row, **self._around(row), **self._about(row, companions, types)},
        )

    def _tell(self, name: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        """Answer with a page, or with its parts; those have to arrive, whatever they tell."""
        if self.wants_fragment:
            return self.show(f"trackmate/{name}_parts.html", {**context, "is_fragment": True})
        return self.show(f"trackmate/{name}.html", context, status=status)

    def _read(self, pk: UUID) -> tuple[ActivityLog | None, tuple[ActivityLog, ...], dict[int, str]]:
        with_payload = access.may_see_payload(self.request)
        row = selectors.one(self.rows, pk, with_payload=with_payload)
        if row is None:
            return None, (), {}
        companions = selectors.companions(self.rows, row)
        return row, companions, selectors.object_types([row, *companions])

    def _about(
        self, row: ActivityLog, companions: tuple[ActivityLog, ...], types: dict[int, str]
    ) -> dict[str, Any]:
        kind = types.get(row.content_type_id or 0, "")
        with_payload = access.may_see_payload(self.request)
        return {
            "groups": details.groups(row, self.request, kind),
            "documents": documents(row, with_payload=with_payload),
            "companions": companions_table(row, companions, types, self.look),
            "copies": copies(row, self.request, kind=kind, with_payload=with_payload),
            # Last, for they are the project's: what they do to a connection hurts nobody else.
            "panels": detail_panels(row, self.request),
        }

    def _around(self, row: ActivityLog) -> dict[str, Any]:
        """Return the way back and to the neighbours, within the list that the reader came from."""
        filters = ActivityFilters(self.request.GET, self.rows)
        asked = asked_of(filters, self.request.GET) if filters.is_valid() else {}
        return {
            "back_url": row_url(row.pk, asked),
            "query": explorer_url(asked).partition("?")[2],
            "around_url": details.around_url(row),
            "neighbours": self._neighbours(filters, row),
        }

    def _neighbours(self, filters: ActivityFilters, row: ActivityLog) -> Neighbours | None:
        if not filters.is_valid():
            return None
        neighbours: Neighbours | None = answer(
            lambda: selectors.neighbours(filters.qs, row.pk)
        ).value
        return neighbours


def _characters(text: str, units: int) -> int:
    """Return how many characters the first UTF-16 units of a text are: so a browser counts."""
    return len(text.encode("utf-16-le", "replace")[: 2 * units].decode("utf-16-le", "ignore"))
