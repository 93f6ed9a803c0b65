"""The backend that goes nowhere."""

from __future__ import annotations

from collections.abc import Sequence

from trackmate.activity import Activity
from trackmate.backends.base import BaseBackend


class DummyBackend(BaseBackend):
    """Forget every activity; for projects that want the dashboard of an old log only."""

    blocks = False

    def send(self, activities: Sequence[Activity]) -> None:
        """Do nothing."""
