"""Autocomplete for the query line and for the fields of dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackmate.dashboard.search.suggestions import suggest_for_field, suggest_for_query
from trackmate.dashboard.search.syntax import MAX_LENGTH
from trackmate.dashboard.views.base import DashboardView

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


class SuggestionsView(DashboardView):
    """Completions of a text, as the options of a listbox."""

    def get(self, request: HttpRequest) -> HttpResponse:
        name, text = request.GET.get("name", "q"), request.GET.get("q", "")[:MAX_LENGTH]
        if name == "q":
            at = request.GET.get("at", "")[:4]
            position = _count_characters(text, int(at)) if at.isdecimal() else len(text)
            found = suggest_for_query(request, self.rows, text, position)
        else:
            found = suggest_for_field(request, self.rows, name, text)
        return self.render("trackmate/includes/suggestions.html", {"suggestions": found})


def _count_characters(text: str, units: int) -> int:
    """Return how many characters the first UTF-16 units of a text are: browsers count these."""
    return len(text.encode("utf-16-le", "replace")[: 2 * units].decode("utf-16-le", "ignore"))
