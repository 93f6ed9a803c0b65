"""The values of an activity's fields, and the action types of HTTP methods."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ActionType(TextChoices):
    """What was done. Projects may use other strings as well."""

    CREATE = "Create", _("Create")
    READ = "Read", _("Read")
    UPDATE = "Update", _("Update")
    DELETE = "Delete", _("Delete")
    LOGIN = "Login", _("Login")
    LOGOUT = "Logout", _("Logout")
    LOGIN_FAILED = "Login Failed", _("Failed login")
    ACTION = "Action", _("Action")
    """Something may have changed, and it is not known what: a plain POST."""


OTHER = "Other"
"""The label of activities without an action type."""


class Status(TextChoices):
    """Whether it succeeded."""

    SUCCESS = "Success", _("Success")
    FAILED = "Failed", _("Failed")


class Source(TextChoices):
    """What recorded the activity."""

    REQUEST = "request", _("Request")
    AUTH = "auth", _("Authentication")
    MODEL = "model", _("Model")
    ADMIN = "admin", _("Admin")
    COMMAND = "command", _("Command")
    TASK = "task", _("Task")
    CUSTOM = "custom", _("Custom")


SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""The methods that read (RFC 9110, 9.2.1)."""

CREATED = 201
"""The status code of an answer to a request that has made something (RFC 9110, 15.3.2)."""

# Plain strings: database drivers adapt enum members slowly.
_ACTION_TYPES = {
    **dict.fromkeys(SAFE_METHODS, ActionType.READ.value),
    "PUT": ActionType.UPDATE.value,
    "PATCH": ActionType.UPDATE.value,
    "DELETE": ActionType.DELETE.value,
}
_ACTION, _CREATE = ActionType.ACTION.value, ActionType.CREATE.value
_SUCCESS, _FAILED = Status.SUCCESS.value, Status.FAILED.value


def action_type_for(method: str, status_code: int | None = None) -> str:
    """Return the action type for an HTTP method and a status code.

    It is Create for an answer 201, and Action for a POST or an unknown method otherwise.
    """
    if status_code == CREATED and method not in SAFE_METHODS:
        return _CREATE
    return _ACTION_TYPES.get(method, _ACTION)


FIRST_ERROR_STATUS = 400
"""The lowest status code of an error (RFC 9110, 15.5)."""


def status_for(*, failed: bool) -> str:
    """Return the status of an activity that has `failed` or not."""
    return _FAILED if failed else _SUCCESS
