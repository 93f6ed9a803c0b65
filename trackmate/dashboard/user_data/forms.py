"""Forms for saved views and for display options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import dimensions
from trackmate.dashboard.forms.fields import CheckboxField, CheckboxGroupField
from trackmate.dashboard.forms.renderers import RENDERER
from trackmate.dashboard.tables.display_options import (
    CHOICES,
    HEIGHTS,
    TIMES,
    ZONES,
    parse_columns,
)
from trackmate.dashboard.user_data import saved_views

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trackmate.dashboard.tables.display_options import DisplayOptions

MAX_QUERY_STRING = 4_000
"""Characters of a query string: what servers and browsers accept in a URL."""

FIELD_IDS = "tm-view-%s"
"""Identifiers of the fields; the filters on the same page have Django's."""

KEYS = {"on": _("On"), "off": _("Off")}
DEFAULTS = {**{name: next(iter(choices)) for name, choices in CHOICES.items()}, "keys": "on"}


class ViewForm(forms.Form):
    """The settings of a saved view."""

    default_renderer = RENDERER

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("Replaces your view of the same name."),
        widget=forms.TextInput(
            attrs={"aria-describedby": "tm-error-name tm-help-name", "autocomplete": "off"}
        ),
    )
    shared = CheckboxField(label=_("Share with everyone"), required=False)
    default = CheckboxField(label=_("Make this my default"), required=False)

    def clean_name(self) -> str:
        """Refuse characters that are invisible, or that disturb a list."""
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise ValidationError(_("A name is one line of visible characters."))
        return name

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, as `saved_views` takes them."""
        cleaned = self.cleaned_data
        return {
            "name": cleaned["name"],
            "is_shared": cleaned["shared"],
            "is_default": cleaned["default"],
        }


class NewViewForm(ViewForm):
    """The settings and the query string of a new view."""

    query = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_query(self) -> str:
        """Return the part that is saved, if it fits into a URL."""
        query = saved_views.query_to_save(self.cleaned_data["query"])
        if len(query) > MAX_QUERY_STRING:
            raise ValidationError(_("These filters are too long to be saved."))
        return query

    @property
    def query_string(self) -> str:
        """The query string that the form has."""
        return str(self["query"].value() or "")


def _column_choices() -> list[tuple[str, Any]]:
    return [(each.name, each.label) for each in dimensions.columns().values()]


class DisplayForm(forms.Form):
    """The display options."""

    default_renderer = RENDERER
    use_required_attribute = False

    columns = CheckboxGroupField(label=_("Columns"), choices=_column_choices)
    density = forms.ChoiceField(label=_("Row height"), choices=HEIGHTS.items())
    zone = forms.ChoiceField(label=_("Time zone"), choices=ZONES.items())
    times = forms.ChoiceField(label=_("Time format"), choices=TIMES.items())
    keys = forms.ChoiceField(label=_("Keyboard shortcuts"), choices=KEYS.items())

    @property
    def params(self) -> dict[str, str]:
        """The options that differ from the defaults, as parameters."""
        chosen = {name: self.cleaned_data[name] for name in DEFAULTS}
        params = {name: value for name, value in chosen.items() if value != DEFAULTS[name]}
        columns = parse_columns(",".join(self.cleaned_data["columns"]))
        if columns != dimensions.default_columns():
            params["columns"] = ",".join(columns)
        return params


def display_form(display: DisplayOptions, saved: Mapping[str, str]) -> DisplayForm:
    """Return the form with the current display options."""
    current: dict[str, Any] = {**DEFAULTS, **display.params, "columns": display.columns}
    return DisplayForm(
        initial={**current, "keys": saved.get("keys", DEFAULTS["keys"])},
        auto_id="tm-display-%s",
    )
