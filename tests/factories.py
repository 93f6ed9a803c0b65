"""Rows and people for the tests of the reading wing."""

from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import transaction
from django.utils import timezone

from trackmate.models import ActivityLog

SCRIPT = '<script>alert("tm")</script><img src=x onerror=alert(1)>\'"'


UNKNOWN = get_user_model()._meta.pk.to_python(
    77 if settings.AUTH_USER_MODEL == "auth.User" else "7" * 32
)
"""Key of a user who is not there."""


def user_page(name):
    """Return the name of a page of the admin about users, whichever model they are of."""
    return f"admin:{get_user_model()._meta.label_lower.replace('.', '_')}_{name}"


@contextmanager
def rolled_back():
    """Run the block in a transaction, or a savepoint, that is rolled back at its end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def activity(*, ago: float = 0, **fields):
    """Store an activity of `ago` seconds before now."""
    moment = timezone.now() - timedelta(seconds=ago)
    return ActivityLog.objects.create(**{"action_time": moment, **fields})


def activities(number, *, step: float = 1, **fields):
    """Store so many activities, `step` seconds apart, the newest first in the list."""
    now = timezone.now()
    rows = [
        ActivityLog(action_time=now - timedelta(seconds=step * each), action=f"n{each}", **fields)
        for each in range(number)
    ]
    return ActivityLog.objects.bulk_create(rows)


def hostile_activity(text=SCRIPT, **fields):
    """Store an activity with a script, or this text, in every field that takes text."""
    texts = ("action_type", "action", "actor_label", "user_agent", "session_hash", "method", "path")
    texts += ("route", "object_id", "object_repr", "remarks")
    model = ActivityLog._meta
    values = {name: text[: model.get_field(name).max_length] for name in texts}
    document = {text: [text, text], "list": [text]}
    documents = dict.fromkeys(("data", "response", "changes", "extra"), document)
    return activity(**{**values, **documents, **fields})


def person(name, *permissions, **fields):
    """Store a user who has these permissions of ours."""
    user = get_user_model().objects.create_user(name, password="x", **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def at(year, month, day, hour=0, minute=0):
    """Return a time in the project's time zone."""
    return timezone.make_aware(datetime(year, month, day, hour, minute))  # noqa: DTZ001
