"""The tables: the log itself, and what people keep for themselves beside it."""

from trackmate.enums import ActionType, Status
from trackmate.models.log import ActivityLog
from trackmate.models.personal import Preference, SavedView

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
    "Preference",
    "SavedView",
]
