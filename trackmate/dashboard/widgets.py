"""The fields of the filter form as the browser shows them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import to_current_timezone


class MomentInput(forms.DateTimeInput):
    """The browser's own picker of a date and time."""

    input_type = "datetime-local"

    def format_value(self, value: Any) -> str | None:
        """Return what the picker can show: it takes one form, and any other is no valid HTML."""
        try:
            moment = to_current_timezone(forms.DateTimeField(required=False).clean(value))
        except (ValidationError, OverflowError):
            return None
        return moment.isoformat(timespec="seconds") if moment else None
