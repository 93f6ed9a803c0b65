"""The admin's filters: none asks the log for its choices, none lists every user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import matching, windows
from trackmate.enums import ActionType, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.db.models import Q
    from django.http import HttpRequest

    from trackmate.selectors import Rows


class ChoiceFilter(SimpleListFilter):
    """Links for the values of a column with few of them."""

    values: Iterable[tuple[str, Any]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the values to choose from."""
        return list(self.values)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows | None:
        """Keep the rows of the value that is chosen, if it is one of them."""
        chosen = self.value()
        if chosen is None:
            return None
        if chosen not in {value for value, _name in self.values}:
            return queryset.none()
        return self.narrow(queryset, chosen)

    def narrow(self, rows: Rows, chosen: str) -> Rows:
        """Keep the rows of one value."""
        return rows.filter(**{str(self.parameter_name): chosen})


class TimeFilter(ChoiceFilter):
    """A range of time, which is a range of primary keys."""

    title = _("time")
    parameter_name = "range"
    values = tuple((name, short) for name, (_length, short, _text) in windows.PRESETS.items())

    def narrow(self, rows: Rows, chosen: str) -> Rows:
        """Keep the rows since then."""
        return windows.preset(chosen).narrow(rows)


class StatusFilter(ChoiceFilter):
    """How it went."""

    title = _("status")
    parameter_name = "status"
    values = Status.choices


class ActionTypeFilter(ChoiceFilter):
    """What kind of act it was."""

    title = _("action type")
    parameter_name = "action_type"
    values = ActionType.choices


class ObjectTypeFilter(SimpleListFilter):
    """The type of the related object, out of the project's own models."""

    title = _("object type")
    parameter_name = "object_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the types whose model is installed; the log itself is not asked."""
        kinds = [kind for kind in ContentType.objects.all() if kind.model_class() is not None]
        return sorted((f"{kind.app_label}.{kind.model}", kind.app_labeled_name) for kind in kinds)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows | None:
        """Keep what was done to objects of one type."""
        chosen = self.value()
        try:
            return queryset.filter(matching.related_object(chosen)) if chosen else None
        except ValidationError:
            return queryset.none()


class TextFilter(SimpleListFilter):
    """A line to type into; what cannot be read gets a message beside it and finds nothing.

    It belongs to the form `changelist-search`: one of its own would stand inside that of a theme.
    """

    template = "trackmate/admin/text_filter.html"
    reading: Callable[[str], Q]
    hint: Any

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(request, *args)
        self.error = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return nothing to choose from."""
        return []

    def has_output(self) -> bool:
        """Say that there is something to show all the same."""
        return True

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows | None:
        """Keep the rows that the text matches."""
        text = (self.value() or "").replace("\0", "").strip()
        if not text:
            return None
        try:
            return queryset.filter(self.reading(text[:255]))
        except ValidationError as error:
            self.error = " ".join(error.messages)
            return queryset.none()


class ActorFilter(TextFilter):
    """Who it was, without a list of every user."""

    title = _("actor")
    parameter_name = "actor"
    reading = staticmethod(matching.actor)
    hint = _("User, key, or part of a name.")


class ObjectFilter(TextFilter):
    """The object that it was done to."""

    title = _("related object")
    parameter_name = "object"
    reading = staticmethod(matching.related_object)
    hint = _("shop.order/42 or shop.order.")


FILTERS = (
    TimeFilter,
    StatusFilter,
    ActorFilter,
    ObjectFilter,
    ActionTypeFilter,
    ObjectTypeFilter,
)


def kept_parameters(request: HttpRequest) -> list[tuple[str, Any]]:
    """Return what the address asks beside what one can type: it stays when a text is sent."""
    typed = {each.parameter_name for each in FILTERS if issubclass(each, TextFilter)}
    left_out = {*typed, PAGE_VAR, ERROR_FLAG}
    return [(name, value) for name, value in request.GET.items() if name not in left_out]
