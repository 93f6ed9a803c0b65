"""Links to saved views above the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trackmate.dashboard.db.results import read_user_data
from trackmate.dashboard.http import permissions
from trackmate.dashboard.user_data import saved_views
from trackmate.dashboard.user_data.forms import FIELD_IDS, NewViewForm

if TYPE_CHECKING:
    from django.http import HttpRequest

    from trackmate.dashboard.user_data.saved_views import SavedViewItem

SHOWN = 12
"""Views that have a link; the others are on the page of all views."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedViewLinks:
    """The saved views of a person, above a list."""

    views: tuple[SavedViewItem, ...]
    query: str
    """The list's query string, as it would be saved."""
    can_save: bool
    default_url: str = ""
    """The default view, for an address without parameters."""

    @property
    def links(self) -> list[tuple[SavedViewItem, bool]]:
        """The views to show, and whether each is the current one."""
        marked = [(view, view.matches(self.query)) for view in self.views]
        return [each for index, each in enumerate(marked) if index < SHOWN or each[1]]

    @property
    def form(self) -> NewViewForm:
        """The form that saves the list."""
        return NewViewForm(auto_id=FIELD_IDS, initial={"query": self.query})


def saved_view_links(
    request: HttpRequest, query: str, known_url: str | None
) -> SavedViewLinks | None:
    """Return the links for a list with this query string.

    None if they cannot be read, or if the page at `known_url` has the same already.
    """
    query = saved_views.query_to_save(query)
    if known_url is not None and query == saved_views.query_to_save(_query_of(known_url)):
        return None
    views = read_user_data(lambda: saved_views.visible_views(request))
    if views is None:
        return None
    default = next((view.url for view in views if view.is_default), "")
    return SavedViewLinks(
        views=views,
        query=query,
        can_save=permissions.user_key(request) is not None,
        default_url="" if request.GET else default,
    )


def _query_of(url: str) -> str:
    # Not by urlsplit(), which raises for some of what a header can contain.
    return url.partition("?")[2].partition("#")[0]
