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
    CUSTOM = "custom", _("Custom")


# Plain strings: database drivers adapt enum members slowly.
_ACTION_TYPES = {
    "POST": ActionType.CREATE.value,
    "PUT": ActionType.UPDATE.value,
    "PATCH": ActionType.UPDATE.value,
    "DELETE": ActionType.DELETE.value,
}
_READ = ActionType.READ.value
_SUCCESS, _FAILED = Status.SUCCESS.value, Status.FAILED.value


def action_type_for_method(method: str) -> str:
    """Return the action type of an HTTP method: Read for safe and unknown ones."""
    return _ACTION_TYPES.get(method, _READ)


FIRST_ERROR_STATUS = 400
"""The lowest status code of an error (RFC 9110, 15.5)."""


def status_for(*, failed: bool) -> str:
    """Return the status of an activity that has `failed` or not."""
    return _FAILED if failed else _SUCCESS
