"""Where a list stands: the explorer, or a page about one thing, whose filter is settled."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import windows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from django.http import QueryDict

    from trackmate.models import ActivityLog

KINDS: dict[str, Any] = {
    "actor": _("Actor"),
    "object": _("Object"),
    "route": _("Route"),
    "address": _("Address"),
    "request": _("Request"),
}
"""What has a page of its own: each is a filter, and the name of a URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A page with a list; without a `kind` it is the explorer."""

    kind: str = ""
    value: str = ""
    """What the filter of that name is settled to."""
    page: str = field(default="", compare=False)
    """Its address, where somebody has looked it up already."""

    @property
    def settled(self) -> dict[str, str]:
        """The filters that nobody can change here."""
        return {self.kind: self.value} if self.kind else {}

    @property
    def is_timeless(self) -> bool:
        """Say whether there is so little about it that nobody asks when that was."""
        return self.kind == "request" or (self.kind == "object" and "/" in self.value)

    @property
    def label(self) -> str:
        """What kind of thing this is."""
        return str(KINDS[self.kind]) if self.kind else ""

    def url(self, asked: Mapping[str, str] | None = None) -> str:
        """Return the address of this page with some filters."""
        return with_query(self.page or self._reversed(), asked)

    def _reversed(self) -> str:
        return reverse(f"trackmate:{self.kind}", args=[self.value]) if self.kind else _explorer()

    def asked_url(self, query: QueryDict) -> str:
        """Return the address of this page with what a part of it was asked, wrong or not."""
        own = {"place", *self.settled}
        asked = {name: str(query[name]) for name in query if name not in own}
        return self.url(asked) if asked else self.cleared_url

    @property
    def cleared_url(self) -> str:
        """The address of this page without any filter."""
        return self.url(None if self.kind else _usual())


EXPLORER = Place()


def place_of(kind: str, value: str) -> Place:
    """Return the page about a thing; the explorer for what has none."""
    page = url_of(kind, value)
    return Place(kind=kind, value=value, page=page) if page else Place(page=_explorer())


def place_asked(query: QueryDict) -> Place:
    """Return the place that a part of a page belongs to, as the address of the part says it."""
    kind = query.get("place", "")
    return place_of(kind, query.get(kind, ""))


def url_of(kind: str, value: str, asked: Mapping[str, str] | None = None) -> str:
    """Return the address of the page about a thing with some filters, or nothing."""
    if not value or kind not in KINDS:
        return ""
    try:
        return Place(kind=kind, value=value).url(asked)
    except NoReverseMatch:
        # A project can show histories without the dashboard; and no client's address has a slash.
        return ""


def explorer_url(asked: Mapping[str, str] | None = None) -> str:
    """Return the address of the explorer with some filters.

    Without any it names the usual range of time: the bare address opens a person's default view.
    """
    return with_query(_explorer(), asked or _usual())


def row_url(pk: UUID, asked: Mapping[str, str] | None = None) -> str:
    """Return the address of a row in the explorer with some filters: on whichever page it is."""
    return f"{explorer_url({**(asked or _usual()), 'row': str(pk)})}#tm-row-{pk}"


def actor_value(row: ActivityLog) -> str:
    """Return what the filter of actors calls the actor of a row."""
    return actor_token(row.actor_id, row.actor_label)


def actor_token(key: object, label: str) -> str:
    """Return what the filter of actors calls an actor with a key, or with a name only."""
    return f"#{key}" if key is not None else label and f"={label}"


def _usual() -> dict[str, str]:
    return {"range": windows.default_name()}


def _explorer() -> str:
    return reverse("trackmate:activity")


def with_query(url: str, asked: Mapping[str, str] | None) -> str:
    """Return an address with what is asked there, if anything is."""
    return f"{url}?{encoded(asked)}" if asked else url


def encoded(asked: Mapping[str, object]) -> str:
    """Return a question as a query string.

    The links of a page ask nearly the same, and so does the next page: each pair is written once.
    """
    return "&".join([_pair(name, str(value)) for name, value in asked.items()])


@lru_cache(maxsize=1_000)
def _pair(name: str, value: str) -> str:
    return f"{quote_plus(name)}={quote_plus(value)}"
