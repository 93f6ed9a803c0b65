"""Display options of lists: columns and their order, row height, time format, sorting.

They are in the address, so that a copied link shows everybody the same. An address without any
gets those that the reader has saved (see `user_data.preferences`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import dimensions
from trackmate.dashboard.dimensions import BUILT_IN, FIRST_COLUMN
from trackmate.dashboard.http.permissions import may_see
from trackmate.selectors import Order

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from django.http import HttpRequest
    from django_stubs_ext import StrPromise

HEIGHTS: dict[str, StrPromise] = {"normal": _("Comfortable"), "compact": _("Compact")}
ZONES: dict[str, StrPromise] = {"local": _("Local time"), "utc": _("UTC")}
TIMES: dict[str, StrPromise] = {"absolute": _("Date and time"), "relative": _("Relative")}

CHOICES = {"density": HEIGHTS, "zone": ZONES, "times": TIMES}
"""Parameters beside the columns, with their values; the first is the default."""

DISPLAY_PARAMS = ("columns", *CHOICES)

SORT = "sort"
DEFAULT_SORT = "-time"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayOptions:
    """The display options that an address or a person has set; the others have their default."""

    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return parse_columns(self.params.get("columns", "")) or dimensions.default_columns()

    @property
    def with_built_in_columns(self) -> DisplayOptions:
        """The same with the default columns of the log, for a short list of the newest rows."""
        names = (each.name for each in BUILT_IN.values() if each.is_default_column)
        return replace(self, params={**self.params, "columns": ",".join(names)})

    @property
    def is_compact(self) -> bool:
        """Return True for low rows."""
        return self.params.get("density") == "compact"

    @property
    def is_relative(self) -> bool:
        """Return True if times are shown as an age."""
        return self.params.get("times") == "relative"

    @property
    def is_utc(self) -> bool:
        """Return True if times are read and shown in UTC."""
        return self.params.get("zone") == "utc"

    @property
    def time_zone(self) -> AbstractContextManager[Any]:
        """A block in which this time zone is the current one."""
        return timezone.override(UTC) if self.is_utc else nullcontext()


def display_options(params: Mapping[str, str]) -> DisplayOptions:
    """Return the display options among some parameters; values that are not valid are left out."""
    valid = {name: params[name] for name in CHOICES if params.get(name) in CHOICES[name]}
    if names := parse_columns(params.get("columns", "")):
        valid["columns"] = ",".join(names)
    return DisplayOptions(params=valid)


def parse_columns(text: str) -> tuple[str, ...]:
    """Return the columns named in a text such as "time,actor", or none."""
    known = dimensions.columns()
    names = dict.fromkeys(name for name in text.split(",") if name in known)
    has_first = names.pop(FIRST_COLUMN, 0) is None
    return (FIRST_COLUMN, *names) if names or has_first else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorting:
    """The column that a list is sorted by, and the direction."""

    name: str = FIRST_COLUMN
    is_descending: bool = True

    @property
    def order(self) -> Order:
        """The same for the selectors."""
        column = dimensions.columns()[self.name].sort_field
        return Order(column=column, is_descending=self.is_descending)

    @property
    def is_default(self) -> bool:
        """Return True if the newest come first."""
        return self.param == DEFAULT_SORT

    @property
    def param(self) -> str:
        """The same as a parameter: "-time"."""
        return f"-{self.name}" if self.is_descending else self.name

    def toggle(self, name: str) -> str:
        """Return the parameter for a click on the heading of a column."""
        if name == self.name:
            return Sorting(name=name, is_descending=not self.is_descending).param
        # What people look for comes first: the newest, the slowest, the failed, the letter A.
        return Sorting(name=name, is_descending=name in (FIRST_COLUMN, "duration")).param


def can_sort_by(name: str, request: HttpRequest | None) -> bool:
    """Return True if lists can be sorted by a column; the order reveals its values."""
    dimension = dimensions.columns().get(name)
    return bool(dimension and dimension.sort_field and may_see(request, dimension))


def parse_sorting(text: str, request: HttpRequest | None) -> Sorting:
    """Return the sorting of the parameter `sort`: "duration", "-duration"; or the default."""
    name = text.removeprefix("-")
    if not can_sort_by(name, request):
        return Sorting()
    return Sorting(name=name, is_descending=text != name)
