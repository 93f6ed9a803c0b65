"""Saved views: query strings of the explorer that have a name, private or shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from django.db import IntegrityError, transaction
from django.db.models import Case, Q, When
from django.urls import reverse
from django.utils import timezone

from trackmate.activity import describe_actor
from trackmate.dashboard import access, people, windows
from trackmate.dashboard.filters import CursorForm, worded
from trackmate.models import SavedView

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

NOT_KEPT = {*CursorForm.base_fields, "anyway"}
"""What a question says of one look at its answer only."""

LIMIT = 100
"""Views that a person sees, and can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A saved view, as one person sees it."""

    key: int
    name: str
    query: str
    owner: str
    """Who made it, as they were called then."""
    is_own: bool
    is_shared: bool
    is_default: bool
    """The list opens with it, for this person."""
    may_delete: bool

    @property
    def url(self) -> str:
        """The list that it asks for: always one of ours, whatever the query is."""
        return f"{reverse('trackmate:activity')}?{question_of(self.query)}"

    @property
    def conditions(self) -> list[tuple[str, str]]:
        """What it asks, in the words of the filters where they have them."""
        return [worded(name, value) for name, value in parse_qsl(self.query)]

    def asks(self, question: str) -> bool:
        """Say whether it asks the same; neither the order nor the usual range of time matters."""
        return _gist(self.query) == _gist(question)


def question_of(query: str) -> str:
    """Return what a query string asks beside the page of the list, as it is kept.

    Names that nobody knows are kept too: they may be of another version, or of the project's own.
    """
    kept = [(name, value) for name, value in parse_qsl(query) if name not in NOT_KEPT]
    # Without a question, the address of the list would open the default view.
    return urlencode(kept or [("range", windows.default_name())])


def _seen(every: QuerySet[SavedView], owner: people.Owner) -> QuerySet[SavedView]:
    # People write these by hand, so there are few; only their owner's are found by an index.
    found = every.filter(Q(owner=owner) | Q(is_shared=True))
    return found.order_by(Case(When(owner=owner, then=0), default=1), "name", "pk")[:LIMIT]


_SEEN = people.Belongings(SavedView, _seen)


def seen_by(request: HttpRequest) -> tuple[View, ...]:
    """Return a person's own views, then those that others share, each by name: by one query."""
    key = people.key_of(request)
    user = access.user_of(request)
    return tuple(_view(row, key, may_clear=_may_clear(user)) for row in _SEEN.of(key))


def save(request: HttpRequest, *, name: str, query: str, is_shared: bool, is_default: bool) -> None:
    """Store a view of this person; it takes the place of one that has the name already."""
    key, label = describe_actor(access.user_of(request))
    values = {"name": name, "owner_label": label[:255], "query": query, "is_shared": is_shared}
    view, _is_new = _all().update_or_create(
        owner_id=key, name=name, defaults={**values, "is_default": False}
    )
    if is_default:
        _open_with(key, view.pk)


def change(
    request: HttpRequest, view: View, *, name: str, is_shared: bool, is_default: bool
) -> bool:
    """Give a person's own view other settings; say whether the name was free."""
    key = people.key_of(request)
    values = {"name": name, "is_shared": is_shared, "is_default": False}
    own = _all().filter(pk=view.key, owner=key)
    try:
        with transaction.atomic(using=people.alias()):
            own.update(**values, updated_at=timezone.now())
    except IntegrityError:
        return False
    if is_default:
        _open_with(key, view.key)
    return True


def delete(view: View) -> None:
    """Delete a view."""
    _all().filter(pk=view.key).delete()


def _open_with(owner: Any, pk: int) -> None:
    """Make one view of a person the default and the others not, by one statement: of two at once,
    the last is right."""
    _all().filter(owner=owner).update(is_default=Case(When(pk=pk, then=True), default=False))


def _view(row: SavedView, key: Any, *, may_clear: bool) -> View:
    is_own = row.owner_id == key
    return View(
        key=row.pk,
        name=row.name,
        query=row.query,
        owner=row.owner_label,
        is_own=is_own,
        is_shared=row.is_shared,
        is_default=row.is_default and is_own,
        may_delete=is_own or may_clear,
    )


def _may_clear(user: Any) -> bool:
    """Say whether somebody may delete what others share: what they left behind, for example."""
    return bool(getattr(user, "is_superuser", False))


def _gist(query: str) -> list[tuple[str, str]]:
    usual = ("range", windows.default_name())
    return sorted(pair for pair in parse_qsl(query) if pair != usual)


def _all() -> QuerySet[SavedView]:
    return SavedView.objects.using(people.alias())
