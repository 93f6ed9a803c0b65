"""System checks: what `manage.py check` reports about a project's trackmate settings."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage

from trackmate.checks.models import check_models
from trackmate.checks.project import check_project
from trackmate.checks.settings import check_settings
from trackmate.checks.usability import check_usability


def check_trackmate(**_kwargs: Any) -> list[CheckMessage]:
    """Return everything that is wrong with the project's settings, middleware, URLs and models."""
    return [*check_settings(), *check_project(), *check_usability(), *check_models()]
