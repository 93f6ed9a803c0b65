"""The filters of a list: time range, query line and one filter for each dimension in use."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import django_filters
from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trackmate.clock import aware
from trackmate.dashboard import time_ranges
from trackmate.dashboard.dimensions import dimensions
from trackmate.dashboard.entities import EXPLORER
from trackmate.dashboard.forms.fields import RadioGroupField, TimeField
from trackmate.dashboard.forms.renderers import RENDERER
from trackmate.dashboard.http import permissions
from trackmate.dashboard.search.fields import DimensionField, QueryField
from trackmate.dashboard.search.syntax import without_time_filters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import Q
    from django.http import HttpRequest

    from trackmate.dashboard.entities import EntityPage
    from trackmate.dashboard.search.syntax import ParsedQuery
    from trackmate.dashboard.time_ranges import TimeRange
    from trackmate.selectors import Rows


class QueryFilter(django_filters.Filter):  # type: ignore[misc]
    """Filters by the query line."""

    @property
    def field(self) -> QueryField:
        may_filter = partial(permissions.may_see, self.parent.request)
        return QueryField(label=self.label, required=False, may_filter=may_filter)

    def filter(self, rows: Rows, value: ParsedQuery) -> Rows:
        return rows.filter(value.condition) if value.condition else rows


class DimensionFilter(django_filters.Filter):  # type: ignore[misc]
    """Filters by what was entered for a dimension."""

    field_class = DimensionField

    def filter(self, rows: Rows, value: Q | None) -> Rows:
        return rows.filter(value) if value else rows


class TimeRangeForm(forms.Form):
    """The time range; the filters add their fields to it."""

    default_renderer = RENDERER
    use_required_attribute = False

    range = RadioGroupField(label=_("Time"), choices=time_ranges.choices, required=False)
    start = TimeField(name="start", label=_("From"), required=False)
    end = TimeField(name="end", label=_("To"), required=False, is_end=True)

    default_range = ""
    """The choice that `created:` in the query line takes the place of."""
    time_range: TimeRange
    """The range, once the form is valid."""

    def clean(self) -> dict[str, Any]:
        """Set `time_range`."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if (chosen := self._clean_range(cleaned)) is not None:
            queried = getattr(cleaned.get("q"), "time_ranges", ())
            self._set_time_range(chosen, queried, cleaned.get("range"))
        return cleaned

    def _clean_range(self, cleaned: Mapping[str, Any]) -> TimeRange | None:
        name = cleaned.get("range") or time_ranges.default_name()
        if name != time_ranges.CUSTOM:
            return time_ranges.preset(name)
        start, end = cleaned.get("start"), cleaned.get("end")
        if start is None:
            if "start" not in self.errors:
                self.add_error("start", _("Enter a start date."))
        elif not time_ranges.BEGINNING < aware(start) < aware(timezone.now()):
            self.add_error("start", _("The start must be in the past, and after 1970."))
        elif end is not None and end <= start:
            self.add_error("end", _("The end must be after the start."))
        else:
            return time_ranges.between(start, end)
        return None

    def _set_time_range(
        self, chosen: TimeRange, queried: tuple[TimeRange, ...], name: str | None
    ) -> None:
        if queried and (name or self.default_range) == self.default_range:
            chosen, *queried = queried  # type: ignore[assignment]
        for each in queried:
            overlap = chosen.intersect(each)
            if overlap is None:
                self.add_error("q", _("The time ranges do not overlap."))
                return
            chosen = overlap
        self.time_range = chosen


class TimeRangeFilters(django_filters.FilterSet):  # type: ignore[misc]
    """The time range alone."""

    class Meta:
        form = TimeRangeForm

    def __init__(self, params: QueryDict, rows: Rows, request: HttpRequest | None = None) -> None:
        data = params.copy()
        if not data.get("range"):
            dated = data.get("start") or data.get("end")
            data["range"] = time_ranges.CUSTOM if dated else time_ranges.default_name()
        super().__init__(data, rows, request=request)

    def filter_queryset(self, rows: Rows) -> Rows:
        """Return the rows of the time range that match each filter."""
        return self.filter_any_time(self.time_range.filter(rows))

    def filter_any_time(self, rows: Rows) -> Rows:
        """Return the rows of any time that match each filter."""
        for name, each in self.filters.items():
            rows = each.filter(rows, self.form.cleaned_data[name])
        return rows

    @property
    def time_range(self) -> TimeRange:
        """The time range of a valid form."""
        time_range: TimeRange = self.form.time_range
        return time_range

    @property
    def dates(self) -> dict[str, str]:
        """The time range as two dates; empty for a form that is not valid."""
        return self.time_range.to_params() if self.is_valid() else {}


class ActivityFilters(TimeRangeFilters):
    """The filters of a list of activities, all of which a row has to match.

    It has a field for each dimension that is filtered by, and with `has_all_fields` for every
    other too.
    """

    def __init__(
        self,
        params: QueryDict,
        rows: Rows,
        page: EntityPage = EXPLORER,
        *,
        request: HttpRequest | None = None,
        has_all_fields: bool = False,
    ) -> None:
        self.page = page
        self.has_all_fields = has_all_fields
        self.default_range = time_ranges.ALL if page.shows_all_time else time_ranges.default_name()
        self.params = self._active(params)
        """The active parameters, without those that the page fixes."""
        may_filter = partial(permissions.may_see, request)
        self.base_filters = {
            "q": QueryFilter(label=_("Search")),
            **{
                name: DimensionFilter(
                    label=dimension.label, name=name, is_refused=not may_filter(dimension)
                )
                for name, dimension in dimensions().items()
                if name in (*self.params, *page.fixed_filters)
                or (has_all_fields and dimension.in_form and may_filter(dimension))
            },
        }
        data = QueryDict(mutable=True)
        data.update({"range": self.default_range, **self.params, **page.fixed_filters})
        super().__init__(data, rows, request)

    @property
    def form(self) -> TimeRangeForm:
        form: TimeRangeForm = super().form
        if not form.default_range:
            form.default_range = self.default_range
            if self.page.shows_all_time:
                field: Any = form.fields["range"]
                field.choices = [*field.choices, (time_ranges.ALL, _("All"))]
        return form

    @property
    def page_condition(self) -> Q | None:
        """The condition that the page fixes, or None if it is not valid or not allowed."""
        self.is_valid()  # fills cleaned_data with the fields that are valid
        condition: Q | None = self.form.cleaned_data.get(self.page.type)
        return condition

    @property
    def is_narrowed(self) -> bool:
        """Return True if anything but the time range is filtered by."""
        return bool(without_time_filters(self.params))

    @property
    def dimension_fields(self) -> list[forms.BoundField]:
        """The fields of dimensions that people can change here."""
        return [self.form[name] for name in self._names() if dimensions()[name].in_form]

    @property
    def hidden_params(self) -> dict[str, str]:
        """The active parameters that no field on the page has."""
        shown = {"q", *time_ranges.TIME_PARAMS}
        if self.has_all_fields:
            shown |= {each.name for each in self.dimension_fields}
        return {name: value for name, value in self.params.items() if name not in shown}

    @property
    def has_field_errors(self) -> bool:
        """Return True if the value of a dimension is wrong."""
        return self.is_bound and bool(self.form.errors.keys() & set(self._names()))

    def _names(self) -> list[str]:
        return [name for name in self.filters if name not in ("q", *self.page.fixed_filters)]

    def _active(self, params: QueryDict) -> dict[str, str]:
        times = time_ranges.time_params(params)
        if times.get("range", time_ranges.CUSTOM) != time_ranges.CUSTOM:
            times = {"range": times["range"]}
        elif times:
            times = {"range": time_ranges.CUSTOM, **times}
        query = params.get("q", "").strip()
        values = {
            name: str(params[name]).strip()
            for name, dimension in dimensions().items()
            if name in params and dimension.is_param and name not in self.page.fixed_filters
        }
        active = {**times, "q": query, **values}
        return {name: str(value) for name, value in active.items() if value}
