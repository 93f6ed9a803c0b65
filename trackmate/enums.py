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


_ACTION_TYPES = {
    "POST": ActionType.CREATE,
    "PUT": ActionType.UPDATE,
    "PATCH": ActionType.UPDATE,
    "DELETE": ActionType.DELETE,
}


def action_type_of(method: str) -> ActionType:
    """Return the action type of an HTTP method; safe and unknown methods count as reading."""
    return _ACTION_TYPES.get(method, ActionType.READ)
