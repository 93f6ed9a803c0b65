"""The display options that a person has saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackmate.conf import get_settings
from trackmate.dashboard.db.results import read_user_data
from trackmate.dashboard.http.permissions import user_key
from trackmate.models import Preference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet
    from django.http import HttpRequest


def saved_preferences(request: HttpRequest) -> dict[str, str]:
    """Return what this person has saved, as parameters; nothing for somebody who is not a user."""
    key = user_key(request)
    if key is None:
        return {}
    preference = read_user_data(lambda: _preferences().filter(pk=key).first())
    return _valid(preference.display_options) if preference else {}


def save_preferences(request: HttpRequest, params: Mapping[str, str]) -> None:
    """Save display options in place of earlier ones; nothing for somebody who is not a user.

    Raises the errors of the database, so that the page can show that nothing was saved.
    """
    key = user_key(request)
    if key is not None:
        _preferences().update_or_create(pk=key, defaults={"display_options": dict(params)})


def _valid(params: Any) -> dict[str, str]:
    """Leave out what no version of this package has saved."""
    if not isinstance(params, dict):
        return {}
    return {name: value for name, value in params.items() if isinstance(value, str)}


def _preferences() -> QuerySet[Preference]:
    return Preference.objects.using(get_settings().DATABASE)
