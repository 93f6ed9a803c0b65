"""What people keep for themselves: views that they have saved, and how they like their lists.

As in the log, links to users are free of constraints: nothing here stands in the way when a user
is deleted, and all of it lives in the database of the log, wherever the users are.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models


class SavedView(models.Model):
    """A question to the log that somebody has given a name."""

    # Said here, so that no DEFAULT_AUTO_FIELD of a project changes it.
    id = models.BigAutoField(primary_key=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    owner_label = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=80)
    query = models.TextField(blank=True)
    is_shared = models.BooleanField(default=False)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        # Whose view it is decides what one may do with it; the admin does not show it.
        default_permissions = ()
        constraints = (
            # Its index serves the views of a person.
            models.UniqueConstraint(fields=["owner", "name"], name="trackmate_view_name"),
        )

    def __str__(self) -> str:
        return self.name


class Preference(models.Model):
    """How one person likes lists to look, as parameters of their addresses."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        primary_key=True,
        db_constraint=False,
        related_name="+",
    )
    look = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"#{self.pk}"
