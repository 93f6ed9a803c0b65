"""How a person likes lists to look, remembered from visit to visit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackmate.dashboard import people
from trackmate.models import Preference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet
    from django.http import HttpRequest


_OWN = people.Belongings(Preference, lambda every, owner: every.filter(pk=owner))


def look_of(request: HttpRequest) -> dict[str, str]:
    """Return what this person has chosen, as parameters; nothing for those who are no users."""
    key = people.key_of(request)
    if key is None:
        return {}
    found = people.read(lambda: _OWN.of(key))
    return _readable(found[0].look) if found else {}


def remember(request: HttpRequest, look: Mapping[str, str]) -> None:
    """Keep what this person has chosen, in place of what was kept before.

    Nothing is kept for those who are no users. What the database raises is raised: whoever asked
    for it has to be told.
    """
    key = people.key_of(request)
    if key is not None:
        _all().update_or_create(pk=key, defaults={"look": dict(look)})


def _readable(look: Any) -> dict[str, str]:
    """Leave out what no version of ours has written."""
    if not isinstance(look, dict):
        return {}
    return {name: value for name, value in look.items() if isinstance(value, str)}


def _all() -> QuerySet[Preference]:
    return Preference.objects.using(people.alias())
