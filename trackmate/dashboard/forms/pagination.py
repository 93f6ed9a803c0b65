"""The parameters that select a page of a list: a row's key and the side of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from trackmate.clock import datetime_of

if TYPE_CHECKING:
    from uuid import UUID

PAGE_PARAMS = ("before", "after", "row", "since", "loaded_at", "open")
"""Parameters that a link to the list does not keep."""


_NOT_AN_ID = {"invalid": _("The address contains something that is not the ID of an activity.")}


class KeysetForm(forms.Form):
    """Keys of rows: the page before, after or around one; the newest one that was shown."""

    before = forms.UUIDField(required=False)
    after = forms.UUIDField(required=False)
    row = forms.UUIDField(required=False)
    since = forms.UUIDField(required=False)
    loaded_at = forms.UUIDField(required=False)
    """The time when a page was loaded, as a key."""
    open = forms.UUIDField(required=False)
    """The activity that is open beside the list."""

    def clean_loaded_at(self) -> UUID | None:
        """Refuse a key that contains no time."""
        key: UUID | None = self.cleaned_data["loaded_at"]
        try:
            if key is not None:
                datetime_of(key)
        except OverflowError as error:
            raise ValidationError(_("This ID contains no time.")) from error
        return key

    def clean(self) -> dict[str, Any]:
        """Refuse a combination of pages."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if len([name for name in ("before", "after", "row") if cleaned.get(name)]) > 1:
            raise ValidationError(_("Use only one of “before”, “after” and “row”."))
        return cleaned


class TimelineForm(forms.Form):
    """Keys of rows: the page of a timeline, and the row whose state is shown."""

    at = forms.UUIDField(required=False, error_messages=_NOT_AN_ID)
    """The activity at which the state of the object is shown."""
    changes_before = forms.UUIDField(required=False, error_messages=_NOT_AN_ID)
    """The activity before which the changes begin."""
