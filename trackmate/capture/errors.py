"""Unhandled exceptions."""

from __future__ import annotations

import sys
from typing import Any

from trackmate.context import current_scope
from trackmate.pipeline import never_raise


@never_raise
def on_exception(**_kwargs: Any) -> None:
    """Store the exception in the scope of its request."""
    scope = current_scope()
    if scope is not None:
        scope.exception = sys.exc_info()[1]
