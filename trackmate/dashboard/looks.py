"""How a list looks: its columns and their order, how close the lines stand, how times are told.

All of it is in the address, so that a copied link shows the same to everybody. An address that
says nothing of it gets what the reader has chosen for good (see `preferences`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import columns
from trackmate.selectors import CLOCK, Order

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from django_stubs_ext import StrPromise

DENSITIES: dict[str, StrPromise] = {"normal": _("Comfortable"), "compact": _("Compact")}
ZONES: dict[str, StrPromise] = {"local": _("Local time"), "utc": _("UTC")}
TIMES: dict[str, StrPromise] = {"absolute": _("Date and time"), "relative": _("How long ago")}

CHOICES = {"density": DENSITIES, "zone": ZONES, "times": TIMES}
"""What an address can say of the look beside the columns; the first choice is the usual one."""

NAMES = ("columns", *CHOICES)
"""The parameters of the look."""

SORT = "sort"
SORTED = {
    "time": CLOCK,
    "duration": "execution_time",
    "status": "status",
    "actor": "actor_label",
}
"""The columns that a list can be sorted by, and what the log calls them."""
NEWEST_FIRST = "-time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What an address, or else a person, says of the look; what they do not say is usual."""

    said: Mapping[str, str] = field(default_factory=dict)
    """The parameters that were said and can be followed."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return columns.named(self.said.get("columns", "")) or columns.usual()

    @property
    def with_usual_columns(self) -> Look:
        """The same for a short list of the newest, which reads no more than it has to."""
        return replace(self, said={**self.said, "columns": ",".join(columns.USUAL)})

    @property
    def is_compact(self) -> bool:
        """Say whether lines stand close together."""
        return self.said.get("density") == "compact"

    @property
    def is_relative(self) -> bool:
        """Say whether times are told as how long ago they were."""
        return self.said.get("times") == "relative"

    @property
    def is_utc(self) -> bool:
        """Say whether times are read and told in UTC."""
        return self.said.get("zone") == "utc"

    @property
    def zone(self) -> AbstractContextManager[Any]:
        """The block in which times are read and told as they should be."""
        return timezone.override(UTC) if self.is_utc else nullcontext()


def look_of(said: Mapping[str, str]) -> Look:
    """Return the look that some parameters describe; what nobody can follow is left out."""
    kept = {name: said[name] for name in CHOICES if said.get(name) in CHOICES[name]}
    if shown := columns.named(said.get("columns", "")):
        kept["columns"] = ",".join(shown)
    return Look(said=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorting:
    """By which column a list is sorted, and which way."""

    name: str = "time"
    is_descending: bool = True

    @property
    def order(self) -> Order:
        """The same for the log."""
        return Order(column=SORTED[self.name], is_descending=self.is_descending)

    @property
    def is_usual(self) -> bool:
        """Say whether the newest come first."""
        return self.written == NEWEST_FIRST

    @property
    def written(self) -> str:
        """The same as a parameter."""
        return f"-{self.name}" if self.is_descending else self.name

    def turned(self, name: str) -> str:
        """Return the parameter of a click on a column's heading."""
        if name == self.name:
            return Sorting(name=name, is_descending=not self.is_descending).written
        # What one looks for comes first: the newest, the slowest, the failed, the letter A.
        return Sorting(name=name, is_descending=name in ("time", "duration")).written


def sorting_of(text: str) -> Sorting:
    """Return what the parameter `sort` says: "duration", or "-duration" for the largest first."""
    name = text.removeprefix("-")
    return Sorting(name=name, is_descending=text != name) if name in SORTED else Sorting()
