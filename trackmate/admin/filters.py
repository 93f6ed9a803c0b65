"""The admin's filters, made from the dimensions. None queries the log, none lists every user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import lookups, time_ranges
from trackmate.dashboard.dimensions import Dimension, dimensions
from trackmate.dashboard.http import permissions

if TYPE_CHECKING:
    from django.http import HttpRequest

    from trackmate.selectors import Rows


class TimeFilter(SimpleListFilter):
    """A time range, which is a range of primary keys."""

    title = _("time")
    parameter_name = "range"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the presets."""
        return [(name, short) for name, (_length, short, _text) in time_ranges.PRESETS.items()]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows | None:
        """Return the rows since then."""
        name = self.value()
        if name is None:
            return None
        if name not in time_ranges.PRESETS:
            return queryset.none()
        return time_ranges.preset(name).filter(queryset)


class ObjectTypeFilter(SimpleListFilter):
    """The model of the related object, among the installed ones."""

    title = _("object type")
    parameter_name = "object_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the installed models; the log itself is not queried."""
        types = [each for each in ContentType.objects.all() if each.model_class() is not None]
        return sorted((f"{each.app_label}.{each.model}", each.app_labeled_name) for each in types)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows | None:
        """Return the rows about objects of one model."""
        name = self.value()
        try:
            return queryset.filter(lookups.parse_object(name)) if name else None
        except ValidationError:
            return queryset.none()


class DimensionListFilter(SimpleListFilter):
    """The values of a dimension that has choices, as links."""

    dimension: Dimension

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the choices."""
        return list(self.dimension.choices)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows | None:
        """Return the rows with one value."""
        value = self.value()
        if value is None:
            return None
        if value not in dict(self.dimension.choices) or self.dimension.parser is None:
            return queryset.none()
        return queryset.filter(self.dimension.parser(value))


class DimensionTextFilter(DimensionListFilter):
    """A text field; a value that is not valid gets a message beside it and matches nothing.

    It belongs to the form `changelist-search`: a form of its own would be inside that of a theme.
    """

    template = "trackmate/admin/text_filter.html"

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(request, *args)
        self.error = ""

    @property
    def hint(self) -> Any:
        """The help text beside the field."""
        return self.dimension.help_text

    def has_output(self) -> bool:
        """Return True: there is a field, though there are no choices."""
        return True

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows | None:
        """Return the rows that match the text."""
        text = (self.value() or "").replace("\0", "").strip()
        if not text or self.dimension.parser is None:
            return None
        try:
            return queryset.filter(self.dimension.parser(text[: self.dimension.max_length]))
        except ValidationError as error:
            self.error = " ".join(error.messages)
            return queryset.none()


def build_filters(request: HttpRequest) -> list[type[SimpleListFilter]]:
    """Return the filters of the admin's list that this request may see."""
    filters: list[type[SimpleListFilter]] = [
        _build_filter(each)
        for each in dimensions().values()
        if each.in_admin and permissions.may_see(request, each)
    ]
    return [TimeFilter, *filters, ObjectTypeFilter]


def other_parameters(request: HttpRequest) -> list[tuple[str, Any]]:
    """Return the parameters that no text field sends: its form keeps them."""
    texts = {each.name for each in dimensions().values() if each.in_admin and not each.choices}
    left_out = {*texts, PAGE_VAR, ERROR_FLAG}
    return [(name, value) for name, value in request.GET.items() if name not in left_out]


def _build_filter(dimension: Dimension) -> type[SimpleListFilter]:
    base = DimensionListFilter if dimension.choices else DimensionTextFilter
    attributes = {
        "dimension": dimension,
        "title": dimension.label,
        "parameter_name": dimension.name,
    }
    return type(f"{dimension.name.title()}Filter", (base,), attributes)
