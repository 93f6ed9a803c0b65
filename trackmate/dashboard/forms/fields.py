"""Form fields of the dashboard that know nothing of activities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from trackmate.clock import naive
from trackmate.dashboard import time_syntax

if TYPE_CHECKING:
    from datetime import datetime


class TimeInput(forms.DateTimeInput):
    """The browser's own picker of a date and time."""

    input_type = "datetime-local"

    def format_value(self, value: Any) -> str | None:
        """Return the value in the one format that the picker accepts, or None."""
        try:
            time = time_syntax.parse_form_time(value)
            return naive(time).isoformat(timespec="seconds") if time else None
        except (ValidationError, OverflowError):
            return None


class TimeField(forms.DateTimeField):
    """A date and time in the current time zone."""

    def __init__(self, *, name: str, is_end: bool = False, **kwargs: Any) -> None:
        widget = TimeInput(attrs={"aria-describedby": f"tm-error-{name}"})
        super().__init__(widget=widget, **kwargs)
        self.is_end = is_end

    def to_python(self, value: Any) -> datetime | None:
        """Return the time; an error quotes the text, which the picker does not show."""
        try:
            return time_syntax.parse_form_time(value, is_end=self.is_end)
        except ValidationError:
            raise ValidationError(
                _("“%(text)s” is not a date and time."), params={"text": str(value)[:100]}
            ) from None


class RadioGroupField(forms.ChoiceField):
    """A few choices, side by side."""

    widget = forms.RadioSelect

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"template_name": "trackmate/forms/radio_group.html"})


class CheckboxGroupField(forms.MultipleChoiceField):
    """Checkboxes, side by side."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"template_name": "trackmate/forms/checkbox_group.html"})


class CheckboxField(forms.BooleanField):
    """A checkbox with its label behind it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"template_name": "trackmate/forms/checkbox.html"})
