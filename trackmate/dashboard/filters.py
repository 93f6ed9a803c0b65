"""The filter form: what it asks, and how each answer narrows the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self, cast
from uuid import UUID

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trackmate.clock import aware, datetime_of
from trackmate.dashboard import charts, matching, query, times, windows
from trackmate.dashboard.fields import (
    LineField,
    ListedField,
    MomentField,
    OpenChoiceField,
    RangeField,
    TypedField,
)
from trackmate.dashboard.mirror import LONGEST, Mirror
from trackmate.dashboard.places import EXPLORER
from trackmate.dashboard.sharing import twin
from trackmate.dashboard.widgets import Renderer, with_fixed_fields
from trackmate.enums import OTHER, ActionType, Source, Status

if TYPE_CHECKING:
    from collections.abc import Hashable

    from trackmate.dashboard.places import Place
    from trackmate.dashboard.widgets import BoundField
    from trackmate.dashboard.windows import Window
    from trackmate.selectors import Rows

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
LINES = ("q", "was")
SUGGESTED = ("q", "actor", "path", "route", "address", "object")
"""The fields that suggest what to write."""
ANY = _("Any")


class SharedFilter(django_filters.Filter):  # type: ignore[misc]
    """A filter whose options nobody changes, so that all requests may share them."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return twin(self)


class TypedFilter(SharedFilter):
    """Narrows by the condition that its field has read."""

    field_class = TypedField

    def filter(self, rows: Rows, value: Q | None) -> Rows:
        return rows if value is None else rows.filter(value)


class LineFilter(TypedFilter):
    """Narrows by the rest of the query line."""

    field_class = LineField


class ChoiceFilter(SharedFilter):
    """Narrows to one of the values that a column can have."""

    field_class = ListedField


class OpenChoiceFilter(SharedFilter):
    """Narrows to one value of a column, listed or not."""

    field_class = OpenChoiceField


class ActionTypeFilter(OpenChoiceFilter):
    """Narrows to one action type; "Other" is what has none, too."""

    def filter(self, rows: Rows, value: str) -> Rows:
        return rows.filter(query.action_type(value)) if value else rows


class WindowForm(forms.Form):
    """The range of time; the filters add their fields to it."""

    default_renderer = Renderer
    use_required_attribute = False

    range = RangeField(
        label=_("Time"), choices=windows.choices, widget=forms.RadioSelect, required=False
    )
    start = MomentField(label=_("From"), required=False)
    end = MomentField(label=_("To"), required=False, is_end=True)

    window: Window

    @property
    def key(self) -> tuple[Hashable, ...] | None:
        """What tells its own fields from others that look otherwise; None for what is wrong."""
        fields = cast("list[BoundField]", [self[name] for name in WindowForm.base_fields])
        keys = tuple(each.key for each in fields)
        return None if None in keys else keys

    def clean(self) -> dict[str, Any]:
        """Settle the range of time that the answers add up to."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        name = cleaned.get("range") or windows.default_name()
        if name != windows.CUSTOM:
            self.window = times.typed(name) if ".." in name else windows.preset(name)
            return cleaned
        start, end = cleaned.get("start"), cleaned.get("end")
        if start is None:
            if "start" not in self.errors:
                self.add_error("start", _("Say from when."))
        elif not windows.BEGINNING < aware(start) < aware(timezone.now()):
            self.add_error("start", _("This is in the future, or before 1970."))
        elif end is not None and end <= start:
            self.add_error("end", _("This is not after the beginning."))
        else:
            self.window = windows.between(start, end)
        return cleaned


class WindowFilters(django_filters.FilterSet):  # type: ignore[misc]
    """The range of time alone."""

    class Meta:
        form = WindowForm

    _form_classes: ClassVar[dict[type, type[WindowForm]]] = {}
    """Of each set of filters, once it has been asked for."""

    def __init__(self, data: QueryDict, queryset: Rows) -> None:
        answers = data.copy()
        if not answers.get("range"):
            dated = answers.get("start") or answers.get("end")
            answers["range"] = windows.CUSTOM if dated else windows.default_name()
        super().__init__(answers, queryset)

    def get_form_class(self) -> type[WindowForm]:
        """Return the form, which all requests share; each has its own copies of the fields."""
        kind = type(self)
        if kind not in self._form_classes:
            self._form_classes[kind] = _described(super().get_form_class())
        return self._form_classes[kind]

    def filter_queryset(self, rows: Rows) -> Rows:
        """Narrow by the range of time, then by each filter."""
        return self.of_any_time(self.window.narrow(rows))

    def of_any_time(self, rows: Rows) -> Rows:
        """Narrow by each filter, but not by time."""
        for name, each in self.filters.items():
            rows = each.filter(rows, self.form.cleaned_data[name])
        return rows

    @property
    def window(self) -> Window:
        """The range of time that a valid form asks for."""
        window: Window = self.form.window
        return window

    @property
    def dates(self) -> dict[str, str]:
        """The range of time as the form's two dates; nothing where it cannot be read."""
        return charts.dates(self.window) if self.is_valid() else {}


class ActivityFilters(WindowFilters):
    """The filters of every list of activities."""

    q = LineFilter(
        reading=query.read,
        label=_("Search"),
        max_length=LONGEST,
        help_text=_("Any text, or actor:alice -type:Read status:>=500 created:-2h.."),
    )
    actor = TypedFilter(
        reading=matching.actor,
        label=_("Actor"),
        max_length=255,
        help_text=_("User, key, or part of a name."),
    )
    status = ChoiceFilter(label=_("Status"), choices=[("", ANY), *Status.choices])
    action_type = ActionTypeFilter(
        label=_("Action type"),
        choices=[("", ANY), *ActionType.choices, (OTHER, _("Other"))],
        max_length=32,
    )
    source = ChoiceFilter(label=_("Source"), choices=[("", ANY), *Source.choices])
    status_code = TypedFilter(
        reading=matching.status_code,
        label=_("Status code"),
        max_length=20,
        help_text=_("404, 5xx, >=500 or 400-499."),
    )
    method = OpenChoiceFilter(
        label=_("Method"),
        choices=[("", ANY), *((name, name) for name in METHODS)],
        max_length=16,
    )
    path = TypedFilter(
        reading=matching.path,
        label=_("Path"),
        max_length=2048,
        help_text=_("Its beginning with “/”, else any part."),
    )
    route = TypedFilter(
        reading=matching.route,
        label=_("Route"),
        max_length=255,
        help_text=_("The whole URL pattern."),
    )
    address = TypedFilter(
        reading=matching.address,
        label=_("Address"),
        max_length=64,
        help_text=_("10.2.3.4 or 10.2.0.0/16."),
    )
    object = TypedFilter(
        reading=matching.related_object,
        label=_("Related object"),
        max_length=400,
        help_text=_("shop.order/42 or shop.order."),
    )
    request = TypedFilter(
        reading=matching.request,
        label=_("Request id"),
        max_length=64,
        help_text=_("Everything that one request did."),
    )

    FIRST: ClassVar = ("q", "actor", "status")
    """The filters that are always in sight; the others fold away."""

    def __init__(self, data: QueryDict, queryset: Rows, place: Place = EXPLORER) -> None:
        self.settled = place.settled
        usual = windows.ALL if place.is_timeless else windows.default_name()
        mirrored = self._mirror(usual).mirrored(_stripped(data))
        self.asked = mirrored.answers
        """What is asked beside the settled filters, each thing once."""
        self.line = mirrored.line
        answers = QueryDict(mutable=True)
        answers.update({**self.asked, **self.settled})
        if place.is_timeless and not windows.times_of(self.asked):
            answers["range"] = windows.ALL
        super().__init__(answers, queryset)
        self.form.fields["q"].line = self.line
        if place.is_timeless:
            ranges = self.form.fields["range"]
            ranges.choices = [*ranges.choices, (windows.ALL, _("All"))]

    @classmethod
    def of_place(cls, place: Place) -> Q | None:
        """Return what is settled at a place as a condition, or None where that cannot be read."""
        try:
            condition: Q = cls.base_filters[place.kind].field.clean(place.value)
        except ValidationError:
            return None
        return condition

    def _mirror(self, usual: str) -> Mirror:
        names = self.base_filters.keys() - {"q", *self.settled}
        limits = {name: self.base_filters[name].extra.get("max_length") for name in names}
        return Mirror(limits=limits, usual=usual)

    @property
    def is_narrowed(self) -> bool:
        """Say whether anything but the range of time is asked."""
        return any(self.data.get(name) for name in self.filters if name not in self.settled)

    @property
    def first_fields(self) -> list[forms.BoundField]:
        """The fields that are always in sight."""
        return [self.form[name] for name in self.FIRST if name not in self.settled]

    @property
    def folded_fields(self) -> list[forms.BoundField]:
        """The fields that fold away."""
        hidden = {*self.FIRST, *self.settled}
        return [self.form[name] for name in self.filters if name not in hidden]

    @property
    def is_unfolded(self) -> bool:
        """Say whether a folded field holds something to see."""
        return any(bound.data or bound.errors for bound in self.folded_fields)


def worded(name: str, value: str) -> tuple[str, str]:
    """Return a part of a question in the words of the form: ("Status", "Failed")."""
    if name in ActivityFilters.base_filters:
        field = ActivityFilters.base_filters[name].field
    else:
        field = WindowForm.base_fields.get(name)
    if field is None:
        return name, value
    choices: dict[Any, Any] = dict(getattr(field, "choices", ()))
    return str(field.label), str(choices.get(value, value))


TYPED = {
    name for name, each in ActivityFilters.base_filters.items() if isinstance(each, TypedFilter)
}
"""What is asked in somebody's own words; the rest is chosen among a few things."""


def _described(form: type[WindowForm]) -> type[WindowForm]:
    """Say in the tag of each field what describes it, and what suggests how it can go on."""
    for name, field in form.base_fields.items():
        # Django names the help text of a field with errors only; ours always stands there.
        described = f"tm-error-{name}"
        attrs = {
            "aria-describedby": f"{described} tm-help-{name}" if field.help_text else described
        }
        if name in SUGGESTED:
            attrs |= {"data-tm-suggest": query.NAMES.get(name, name), "autocomplete": "off"}
        field.widget.attrs.update(attrs)
    return form


def _stripped(data: QueryDict) -> dict[str, str]:
    """Return a question as the fields read it; the line stays as it was written."""
    asked = {name: str(data[name]) for name in data}
    asked = {name: value if name in LINES else value.strip() for name, value in asked.items()}
    # The log keeps methods as they came, which is in capitals.
    return {**asked, "method": asked.get("method", "").upper()}


@with_fixed_fields
class CursorForm(forms.Form):
    """Which page of a list; a row's identifier in the URL."""

    before = forms.UUIDField(required=False)
    after = forms.UUIDField(required=False)
    row = forms.UUIDField(required=False)
    since = forms.UUIDField(required=False)
    shown = forms.UUIDField(required=False)

    def clean_shown(self) -> UUID | None:
        """Refuse an identifier that carries no moment."""
        shown: UUID | None = self.cleaned_data["shown"]
        try:
            if shown is not None:
                datetime_of(shown)
        except OverflowError as error:
            raise ValidationError(_("This is not the identifier of a moment.")) from error
        return shown

    def clean(self) -> dict[str, Any]:
        """Refuse what would be several pages at once."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if len([name for name in ("before", "after", "row") if cleaned.get(name)]) > 1:
            raise ValidationError(_("A page is either before or after a row, or the one it is on."))
        return cleaned
