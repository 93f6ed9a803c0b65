"""A tag for the dashboard's own templates: `{% load trackmate_keep %}`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import template
from django.urls import get_script_prefix, get_urlconf
from django.utils.translation import get_language

from trackmate.conf import per_settings

if TYPE_CHECKING:
    from collections.abc import Hashable

    from django.template.base import FilterExpression, NodeList, Parser, Token
    from django.template.context import Context
    from django.utils.safestring import SafeString

register = template.Library()

MOST_KEPT = 200
"""Drawings that a tag keeps; a page can be about anything."""


class KeepNode(template.Node):
    """Draws what it holds once for each key, and for each language and place of the site.

    It goes with its template: another that takes the template's place begins anew. What differs
    from visitor to visitor, such as a CSRF token, has no business in it, nor has another template,
    in the place of which a project can put one that knows nothing of this. Where it holds an
    address, its key has one too: a project may have trackmate in several places.
    """

    def __init__(self, nodelist: NodeList, key: list[FilterExpression]) -> None:
        self.nodelist = nodelist
        self.key = key
        self.kept: dict[Hashable, SafeString] = {}

    def render(self, context: Context) -> SafeString:
        """Return the drawing: a new one where a part of the key is None, or is not there."""
        key = tuple(each.resolve(context, ignore_failures=True) for each in self.key)
        if None in key:
            return self.nodelist.render(context)
        where = (get_language(), get_script_prefix(), get_urlconf(), _settings(), key)
        drawing = self.kept.get(where)
        if drawing is None:
            if len(self.kept) >= MOST_KEPT:
                self.kept.clear()
            drawing = self.kept[where] = self.nodelist.render(context)
        return drawing


@register.tag
def keep(parser: Parser, token: Token) -> KeepNode:
    """Draw a part of a page once for all who see the same.

    >>> {% keep look_form.key %}...{% endkeep %}
    """
    _name, *key = token.split_contents()
    nodelist = parser.parse(("endkeep",))
    parser.delete_first_token()
    return KeepNode(nodelist, [parser.compile_filter(each) for each in key])


@per_settings
def _settings() -> object:
    """Return what is the same for as long as no setting changes."""
    return object()
