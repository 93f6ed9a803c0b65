"""Pages with a list of activities: the explorer, and a page about one actor, route, address..."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.urls import NoReverseMatch, reverse

from trackmate.dashboard import time_ranges
from trackmate.dashboard.dimensions import BUILT_IN, dimensions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from django.http import QueryDict

    from trackmate.models import ActivityLog


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityPage:
    """A page with a list. Without a `type` it is the explorer; otherwise the filter of that name is
    fixed to `value`."""

    type: str = ""
    value: str = ""
    path: str = field(default="", compare=False)
    """Its address without parameters, where that is known."""

    @property
    def fixed_filters(self) -> dict[str, str]:
        """The filters that cannot be changed here."""
        return {self.type: self.value} if self.type else {}

    @property
    def shows_all_time(self) -> bool:
        """Return True if the page is not limited in time."""
        return bool(self.type) and dimensions()[self.type].shows_all_time(self.value)

    @property
    def label(self) -> str:
        """What the value is: "Actor"."""
        return str(dimensions()[self.type].label) if self.type else ""

    def url(self, params: Mapping[str, str] | None = None) -> str:
        """Return the address of this page with some parameters."""
        return with_query(self.path or _path(self.type, self.value), params)

    def url_for(self, query: QueryDict) -> str:
        """Return the address of this page for the query of a part of it, valid or not."""
        own = {"page", *self.fixed_filters}
        params = {name: str(query[name]) for name in query if name not in own}
        return self.url(params) if params else self.cleared_url

    @property
    def cleared_url(self) -> str:
        """The address of this page without filters."""
        return self.url(self.default_params)

    @property
    def default_params(self) -> dict[str, str]:
        """The parameters of this page without filters."""
        return {} if self.type else _default_params()

    @property
    def params(self) -> dict[str, str]:
        """The page as parameters, for the parts of it that have an address of their own."""
        return {"page": self.type, **self.fixed_filters} if self.type else {}


EXPLORER = EntityPage()


def entity_page(entity_type: str, value: str) -> EntityPage:
    """Return the page about something; the explorer if it has none."""
    path = entity_url(entity_type, value)
    if not path:
        return EntityPage(path=_path("", ""))
    return EntityPage(type=entity_type, value=value, path=path)


def entity_page_from_query(query: QueryDict) -> EntityPage:
    """Return the page that a part of a page belongs to."""
    entity_type = query.get("page", "")
    return entity_page(entity_type, query.get(entity_type, ""))


def entity_url(entity_type: str, value: str, params: Mapping[str, str] | None = None) -> str:
    """Return the address of the page about something, or "" if it has none."""
    dimension = dimensions().get(entity_type)
    if not value or dimension is None or not dimension.has_page:
        return ""
    try:
        return with_query(_path(entity_type, value), params)
    except NoReverseMatch:
        # A project can show histories without the dashboard; an address never contains a slash.
        return ""


def list_url(params: Mapping[str, str] | None = None) -> str:
    """Return the address of the explorer with some parameters.

    Without any it has the default time range: the bare address opens a person's default view.
    """
    return with_query(reverse("trackmate:activity"), params or _default_params())


def row_url(pk: UUID, params: Mapping[str, str] | None = None) -> str:
    """Return the address of the page of the explorer that a row is on."""
    return f"{list_url({**(params or _default_params()), 'row': str(pk)})}#tm-row-{pk}"


def actor_value(row: ActivityLog) -> str:
    """Return the value of the actor filter for a row."""
    return actor_token(row.actor_id, row.actor_label)


def actor_token(key: object, label: str) -> str:
    """Return the value of the actor filter for a user's key, or for a name without a user."""
    return f"#{key}" if key is not None else label and f"={label}"


def account_token(key: object) -> str:
    """Return the value of the object filter for a user's key."""
    return f"{get_user_model()._meta.label_lower}/{key}" if key not in (None, "") else ""


def with_query(url: str, params: Mapping[str, object] | None) -> str:
    """Return an address with parameters, if there are any."""
    return f"{url}?{querystring(params)}" if params else url


def querystring(params: Mapping[str, object]) -> str:
    """Return parameters as a query string."""
    return urlencode(params, errors="replace")


def _path(entity_type: str, value: str) -> str:
    if not entity_type:
        return reverse("trackmate:activity")
    if entity_type in BUILT_IN:
        return reverse(f"trackmate:{entity_type}", args=[value])
    return reverse("trackmate:entity", args=[entity_type, value])


def _default_params() -> dict[str, str]:
    return {"range": time_ranges.default_name()}
