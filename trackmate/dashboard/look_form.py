"""The form in which a person chooses how lists look, and the view that keeps it for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.db import Error
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import columns, preferences
from trackmate.dashboard.answers import failure
from trackmate.dashboard.fields import ColumnsField
from trackmate.dashboard.filters import ActivityFilters
from trackmate.dashboard.listing import asked_of
from trackmate.dashboard.looks import CHOICES, DENSITIES, NAMES, TIMES, ZONES, look_of
from trackmate.dashboard.pages import DashboardView
from trackmate.dashboard.places import place_of
from trackmate.dashboard.widgets import Renderer, with_fixed_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest

    from trackmate.dashboard.looks import Look

KEYS = {"on": _("On"), "off": _("Off")}
USUAL = {**{name: next(iter(choices)) for name, choices in CHOICES.items()}, "keys": "on"}


@with_fixed_fields
class LookForm(forms.Form):
    """What a person can choose."""

    default_renderer = Renderer
    use_required_attribute = False

    columns = ColumnsField(label=_("Columns"), choices=columns.choices)
    density = forms.ChoiceField(label=_("Lines"), choices=DENSITIES.items())
    zone = forms.ChoiceField(label=_("Time zone"), choices=ZONES.items())
    times = forms.ChoiceField(label=_("Times"), choices=TIMES.items())
    keys = forms.ChoiceField(label=_("Keyboard shortcuts"), choices=KEYS.items())

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from others that look otherwise, before anything is typed."""
        return (*self.initial.values(), columns.own_headings())

    @property
    def said(self) -> dict[str, str]:
        """What was chosen otherwise than usual, as parameters."""
        chosen = {name: self.cleaned_data[name] for name in USUAL}
        said = {name: value for name, value in chosen.items() if value != USUAL[name]}
        shown = columns.named(",".join(self.cleaned_data["columns"]))
        return said if shown == columns.usual() else {**said, "columns": ",".join(shown)}


def look_form(look: Look, remembered: Mapping[str, str]) -> LookForm:
    """Return the form as the page looks now."""
    chosen: dict[str, Any] = {**USUAL, **look.said, "columns": look.columns}
    return LookForm(
        initial={**chosen, "keys": remembered.get("keys", USUAL["keys"])}, auto_id="tm-look-%s"
    )


class LookView(DashboardView):
    """Keeps what a person has chosen, and goes back to the list."""

    http_method_names = ("post", "options")

    def post(self, request: HttpRequest) -> HttpResponse:
        query = QueryDict(request.POST.get("query", ""))
        place = place_of(request.POST.get("kind", ""), request.POST.get("value", ""))
        filters, form = ActivityFilters(query, self.rows, place), LookForm(request.POST)
        asked = asked_of(filters, query)
        if form.is_valid():
            try:
                preferences.remember(request, form.said)
            except Error as error:
                return self.show("trackmate/failed.html", {"state": failure(error)}, status=503)
            asked = {name: value for name, value in asked.items() if name not in NAMES}
            asked |= look_of(form.said).said
        return HttpResponseRedirect(place.url(asked))
