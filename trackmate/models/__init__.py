"""The tables: the log itself, and what is counted of it, and what people keep for themselves."""

from trackmate.enums import ActionType, Status
from trackmate.models.log import ActivityLog
from trackmate.models.personal import Preference, SavedView
from trackmate.rollups import LateChange, Rollup

CREATE = ActionType.CREATE
READ = ActionType.READ
UPDATE = ActionType.UPDATE
DELETE = ActionType.DELETE
LOGIN = ActionType.LOGIN
LOGOUT = ActionType.LOGOUT
LOGIN_FAILED = ActionType.LOGIN_FAILED
SUCCESS = Status.SUCCESS
FAILED = Status.FAILED

__all__ = [
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
    "LateChange",
    "Preference",
    "Rollup",
    "SavedView",
]
