"""The closed vocabularies of an activity, and which HTTP method is which action."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ActionType(TextChoices):
    """What kind of act it was; a project may use strings of its own beside these."""

    CREATE = "Create", _("Create")
    READ = "Read", _("Read")
    UPDATE = "Update", _("Update")
    DELETE = "Delete", _("Delete")
    LOGIN = "Login", _("Login")
    LOGOUT = "Logout", _("Logout")
    LOGIN_FAILED = "Login Failed", _("Login Failed")


OTHER = "Other"
"""What an activity without an action type is called where one asks for it."""


class Status(TextChoices):
    """How it went."""

    SUCCESS = "Success", _("Success")
    FAILED = "Failed", _("Failed")


class Source(TextChoices):
    """Which capture made it."""

    REQUEST = "request", _("Request")
    AUTH = "auth", _("Authentication")
    MODEL = "model", _("Model")
    CUSTOM = "custom", _("Custom")


# Plain strings: drivers of databases look long at a member of an enumeration.
_ACTION_TYPES = {
    "POST": ActionType.CREATE.value,
    "PUT": ActionType.UPDATE.value,
    "PATCH": ActionType.UPDATE.value,
    "DELETE": ActionType.DELETE.value,
}
_READ = ActionType.READ.value
_SUCCESS, _FAILED = Status.SUCCESS.value, Status.FAILED.value


def action_type_for_method(method: str) -> str:
    """Return the action type of an HTTP method; safe and unknown methods count as reading."""
    return _ACTION_TYPES.get(method, _READ)


FIRST_ERROR_STATUS = 400
"""The first status code that is a failure (RFC 9110, 15.5)."""


def status_for(*, failed: bool) -> str:
    """Return the status of what failed or did not."""
    return _FAILED if failed else _SUCCESS
