"""The backend for development and for log collectors: a JSON line for each activity."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from trackmate.activity import Activity
from trackmate.backends.base import BaseBackend

logger = logging.getLogger("trackmate")


class ConsoleBackend(BaseBackend):
    """Write each activity to the logger `trackmate`, level INFO, as one line of ASCII."""

    blocks = False

    def send(self, activities: Sequence[Activity]) -> None:
        """Log the activities. Escapes keep control characters out of the terminal."""
        for activity in activities:
            logger.info("%s", json.dumps(activity.to_dict(), default=str))
