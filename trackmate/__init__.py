"""Who did what, when, from where, and how did it go: an activity log for Django."""

from trackmate.api import track, tracking
from trackmate.capture.decorators import tracker
from trackmate.capture.model_changes.registration import register
from trackmate.context.binding import bind, suppress
from trackmate.context.threads import copy_context
from trackmate.enums import ActionType, Status

__version__ = "1.0.0"

__all__ = [
    "ActionType",
    "Status",
    "bind",
    "copy_context",
    "register",
    "suppress",
    "track",
    "tracker",
    "tracking",
]
