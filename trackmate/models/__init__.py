"""The tables: the activity log, its rollups, and what users save for themselves."""

from trackmate.enums import ActionType, Status
from trackmate.models.activity_log import ActivityLog
from trackmate.models.rollups import Invalidation, Rollup
from trackmate.models.tracked import TrackedManager, TrackedQuerySet
from trackmate.models.user_settings import Preference, SavedView

CREATE = ActionType.CREATE
READ = ActionType.READ
UPDATE = ActionType.UPDATE
DELETE = ActionType.DELETE
LOGIN = ActionType.LOGIN
LOGOUT = ActionType.LOGOUT
LOGIN_FAILED = ActionType.LOGIN_FAILED
ACTION = ActionType.ACTION
SUCCESS = Status.SUCCESS
FAILED = Status.FAILED

__all__ = [
    "ACTION",
    "CREATE",
    "DELETE",
    "FAILED",
    "LOGIN",
    "LOGIN_FAILED",
    "LOGOUT",
    "READ",
    "SUCCESS",
    "UPDATE",
    "ActivityLog",
    "Invalidation",
    "Preference",
    "Rollup",
    "SavedView",
    "TrackedManager",
    "TrackedQuerySet",
]
