"""How the forms of the dashboard are rendered."""

from __future__ import annotations

from django.forms.renderers import DjangoTemplates


class Renderer(DjangoTemplates):
    """Renders fields by the dashboard's template, whatever the project's forms use."""

    field_template_name = "trackmate/forms/field.html"


RENDERER = Renderer()
"""One for all forms: it caches the templates that it has compiled."""
