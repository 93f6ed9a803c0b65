"""The form that asks why something is undone."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard.forms.renderers import RENDERER

MAX_REASON = 1_000
"""Maximum length, as of the reasons that clients send."""


class ReasonForm(forms.Form):
    """Why something is undone, in the person's own words."""

    default_renderer = RENDERER

    reason = forms.CharField(
        label=_("Reason"),
        max_length=MAX_REASON,
        help_text=_("It is stored in the log."),
        widget=forms.TextInput(
            attrs={"aria-describedby": "tm-error-reason tm-help-reason", "autocomplete": "off"}
        ),
    )
