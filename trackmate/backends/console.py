"""The backend for development and for log collectors: one JSON line per activity."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from trackmate.activity import Activity
from trackmate.backends.base import BaseBackend
from trackmate.spool.segments import to_line

logger = logging.getLogger("trackmate")


class ConsoleBackend(BaseBackend):
    """Log each activity as one line of ASCII, by the logger `trackmate` with level INFO."""

    blocks = False

    def send(self, activities: Sequence[Activity]) -> None:
        """Log the activities, with control characters escaped."""
        for activity in activities:
            logger.info("%s", to_line(activity))
