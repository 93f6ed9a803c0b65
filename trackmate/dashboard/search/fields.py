"""Form fields whose cleaned value is a condition on rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard.dimensions import dimensions
from trackmate.dashboard.search import syntax
from trackmate.dashboard.search.syntax import MAX_LENGTH, ParsedQuery, tokenize

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import Q

    from trackmate.dashboard.dimensions import Dimension

ANY = _("Any")


class DimensionField(forms.CharField):
    """What somebody enters for a dimension; the cleaned value is a `Q`, or None for nothing."""

    def __init__(self, *, name: str, is_refused: bool = False, **kwargs: Any) -> None:
        self.dimension = dimension = dimensions()[name]
        self.is_refused = is_refused
        attrs = {"aria-describedby": f"tm-error-{name} tm-help-{name}"}
        widget: forms.Widget
        if dimension.choices:
            widget = forms.Select(attrs=attrs, choices=[("", ANY), *dimension.choices])
        else:
            suggest = {"data-tm-suggest": dimension.key, "autocomplete": "off"}
            widget = forms.TextInput(attrs={**attrs, **suggest})
        # Values that are fixed by a page keep their blanks; others have been stripped.
        super().__init__(
            strip=False,
            widget=widget,
            max_length=dimension.max_length,
            help_text=dimension.help_text,
            **kwargs,
        )

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Return the attributes of a text; a list of choices has none of them."""
        return {} if isinstance(widget, forms.Select) else super().widget_attrs(widget)

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> forms.BoundField:
        """Return the bound field; a list of choices gets the current value if that is another."""
        bound = super().get_bound_field(form, field_name)
        value = bound.value()
        if isinstance(self.widget, forms.Select) and value:
            choices = list(self.widget.choices)
            if value not in dict(choices):
                self.widget.choices = [*choices, (value, value)]
        return bound

    def clean(self, value: Any) -> Q | None:
        text = super().clean(value)
        if not text or self.dimension.parser is None:
            return None
        if self.is_refused:
            raise ValidationError(_("You need permission to filter by this."))
        return self.dimension.parser(text)


class BoundQueryField(forms.BoundField):
    """The query line of a form."""

    @property
    def marked(self) -> tuple[str, str, str] | None:
        """The line in three parts, of which the one in the middle is the wrong token."""
        line = str(self.value() or "")
        for error in self.errors.as_data():
            wrong = (error.params or {}).get("token")
            for token in tokenize(line):
                if token.text == wrong:
                    return line[: token.start], wrong, line[token.end :]
        return None


class QueryField(forms.CharField):
    """The query line; the cleaned value is a `ParsedQuery`."""

    bound_field_class = BoundQueryField

    def __init__(self, *, may_filter: Callable[[Dimension], bool], **kwargs: Any) -> None:
        attrs = {
            "aria-describedby": "tm-error-q tm-help-q",
            "data-tm-suggest": "q",
            "autocomplete": "off",
            "placeholder": "actor:alice -type:read status:>=500 created:yesterday",
        }
        super().__init__(
            strip=False, max_length=MAX_LENGTH, widget=forms.TextInput(attrs=attrs), **kwargs
        )
        self.may_filter = may_filter

    def clean(self, value: Any) -> ParsedQuery:
        text = super().clean(value)
        return syntax.parse_query(text, self.may_filter) if text else ParsedQuery()
