"""The backend for tests: a list in memory, like `django.core.mail.outbox`."""

from __future__ import annotations

from collections.abc import Sequence

from trackmate.activity import Activity
from trackmate.backends.base import BaseBackend

outbox: list[Activity] = []
"""The sent activities, oldest first."""


class LocmemBackend(BaseBackend):
    """Append each activity to `outbox`."""

    blocks = False

    def send(self, activities: Sequence[Activity]) -> None:
        outbox.extend(activities)
