"""Template tags for a project's own pages: `{% load trackmate %}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import template

from trackmate.dashboard.object_history import MAX_EVENTS, load_history

if TYPE_CHECKING:
    from django.db.models import Model
    from django.template import Context

register = template.Library()


@register.inclusion_tag("trackmate/history.html", takes_context=True)
def trackmate_history(context: Context, instance: Model, limit: int = MAX_EVENTS) -> dict[str, Any]:
    """Show the newest activities of an object, with what they changed; not who has read it.

    Everybody who sees the page sees them. With a `request` in the context,
    `DASHBOARD_QUERYSET` limits the rows, those with `trackmate.view_payload` see the old and the
    new values, and those who may open the dashboard get a link to it.

    >>> {% load trackmate %}
    ... {% trackmate_history order limit=5 %}
    """
    return {"history": load_history(instance, context.get("request"), limit=limit)}
