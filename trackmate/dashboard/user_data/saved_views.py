"""Saved views: query strings of the explorer with a name, private or shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from django.db import IntegrityError, transaction
from django.db.models import Case, Q, When
from django.urls import reverse
from django.utils import timezone

from trackmate.activity import describe_actor
from trackmate.conf import get_settings
from trackmate.dashboard import time_ranges
from trackmate.dashboard.forms import pagination
from trackmate.dashboard.http import permissions
from trackmate.dashboard.search.active_filters import describe_filter
from trackmate.models import SavedView

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

NOT_SAVED = {*pagination.PAGE_PARAMS, "extended", "filters"}
"""Parameters that are not part of a view."""

MAX_VIEWS = 100
"""Views that a person sees, and can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedViewItem:
    """A saved view, as one person sees it."""

    key: int
    name: str
    query: str
    owner: str
    """The name of who saved it, as it was then."""
    is_own: bool
    is_shared: bool
    is_default: bool
    """Whether the list opens with it, for this person."""
    can_delete: bool

    @property
    def url(self) -> str:
        """The list that it shows: always one of ours, whatever the query is."""
        return f"{reverse('trackmate:activity')}?{query_to_save(self.query)}"

    @property
    def conditions(self) -> list[tuple[str, str]]:
        """Its parameters in the words of the screen."""
        return [describe_filter(name, value) for name, value in parse_qsl(self.query)]

    def matches(self, query: str) -> bool:
        """Return True for the same filters, in any order, with or without the default range."""
        return _normalized(self.query) == _normalized(query)


def query_to_save(query: str) -> str:
    """Return the part of a query string that a view keeps.

    Unknown names are kept: they may be of another version, or a project's.
    """
    kept = [(name, value) for name, value in parse_qsl(query) if name not in NOT_SAVED]
    # Without parameters the address would open the default view.
    return urlencode(kept or [("range", time_ranges.default_name())])


def visible_views(request: HttpRequest) -> tuple[SavedViewItem, ...]:
    """Return a person's own views, then those that others share, each by name: one query."""
    key = permissions.user_key(request)
    can_delete = _can_delete_shared(permissions.user_of(request))
    # People write these by hand, so there are few; an index serves only their owner's.
    found = _views().filter(Q(owner=key) | Q(is_shared=True))
    rows = found.order_by(Case(When(owner=key, then=0), default=1), "name", "pk")[:MAX_VIEWS]
    return tuple(_item(row, key, can_delete=can_delete) for row in rows)


def save_view(
    request: HttpRequest, *, name: str, query: str, is_shared: bool, is_default: bool
) -> None:
    """Save a view of this person; it replaces one with the same name."""
    key, label = describe_actor(permissions.user_of(request))
    values = {"name": name, "owner_label": label[:255], "query": query, "is_shared": is_shared}
    view, _is_new = _views().update_or_create(
        owner_id=key, name=name, defaults={**values, "is_default": False}
    )
    if is_default:
        _make_default(key, view.pk)


def change_view(
    request: HttpRequest, view: SavedViewItem, *, name: str, is_shared: bool, is_default: bool
) -> bool:
    """Change a person's own view; return False if another one has the name."""
    key = permissions.user_key(request)
    values = {"name": name, "is_shared": is_shared, "is_default": False}
    own = _views().filter(pk=view.key, owner=key)
    try:
        with transaction.atomic(using=get_settings().DATABASE):
            own.update(**values, updated_at=timezone.now())
    except IntegrityError:
        return False
    if is_default:
        _make_default(key, view.key)
    return True


def delete_view(view: SavedViewItem) -> None:
    """Delete a view."""
    _views().filter(pk=view.key).delete()


def _make_default(owner: Any, pk: int) -> None:
    """Make one view of a person the default and the others not, in one statement: of two at once,
    the last one counts."""
    _views().filter(owner=owner).update(is_default=Case(When(pk=pk, then=True), default=False))


def _item(row: SavedView, key: Any, *, can_delete: bool) -> SavedViewItem:
    is_own = row.owner_id == key
    return SavedViewItem(
        key=row.pk,
        name=row.name,
        query=row.query,
        owner=row.owner_label,
        is_own=is_own,
        is_shared=row.is_shared,
        is_default=row.is_default and is_own,
        can_delete=is_own or can_delete,
    )


def _can_delete_shared(user: Any) -> bool:
    """Return True for a superuser: somebody has to delete what people leave behind."""
    return bool(getattr(user, "is_superuser", False))


def _normalized(query: str) -> list[tuple[str, str]]:
    default = ("range", time_ranges.default_name())
    return sorted(pair for pair in parse_qsl(query) if pair != default)


def _views() -> QuerySet[SavedView]:
    return SavedView.objects.using(get_settings().DATABASE)
