"""A page and a snippet."""

from typing import ClassVar

from django.db import models
from wagtail.models import Page
from wagtail.snippets.models import register_snippet


class HomePage(Page):
    intro = models.CharField(max_length=50, blank=True)
    content_panels: ClassVar = [*Page.content_panels, "intro"]


@register_snippet
class Advert(models.Model):
    text = models.CharField(max_length=50)
    panels: ClassVar = ["text"]

    def __str__(self):
        return self.text
