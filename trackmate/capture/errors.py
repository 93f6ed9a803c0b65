"""Exceptions that no view and no middleware handled."""

from __future__ import annotations

import sys
from typing import Any

from trackmate.context import current_scope
from trackmate.pipeline import never_raise


@never_raise
def on_exception(**_kwargs: Any) -> None:
    """Remember what made a request end with status 500."""
    scope = current_scope()
    if scope is not None:
        scope.exception = sys.exc_info()[1]
