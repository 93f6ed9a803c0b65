"""The backend for tests: a list in memory, as `django.core.mail.outbox` is for mail."""

from __future__ import annotations

from collections.abc import Sequence

from trackmate.activity import Activity
from trackmate.backends.base import BaseBackend

outbox: list[Activity] = []
"""What was sent, oldest first."""


class LocmemBackend(BaseBackend):
    """Append each activity to `outbox`."""

    blocks = False

    def send(self, activities: Sequence[Activity]) -> None:
        """Keep the activities of this process."""
        outbox.extend(activities)
