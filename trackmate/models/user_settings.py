"""What users save for themselves: views and display options.

As in the log, foreign keys to users have no constraints: a user can be deleted, and all of it is
in the database of the log, wherever the users are.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models


class SavedView(models.Model):
    """A named query of the activity list."""

    # Named here, so that no DEFAULT_AUTO_FIELD of a project changes it.
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
        # The owner decides, not a permission; the admin does not show them.
        default_permissions = ()
        constraints = (
            # Its index finds the views of a user.
            models.UniqueConstraint(fields=["owner", "name"], name="trackmate_view_name"),
        )

    def __str__(self) -> str:
        return self.name


class Preference(models.Model):
    """A user's display options, as query parameters."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        primary_key=True,
        db_constraint=False,
        related_name="+",
    )
    display_options = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"#{self.pk}"
