"""The fields of the dashboard's forms as the browser shows them."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import DjangoTemplates
from django.template.loader import get_template
from django.utils.html import conditional_escape
from django.utils.safestring import mark_safe
from django.utils.timezone import get_current_timezone_name

from trackmate.clock import naive
from trackmate.dashboard import times

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from django.http import HttpRequest
    from django.utils.safestring import SafeString

    Context = Mapping[str, Any]


class MomentInput(forms.DateTimeInput):
    """The browser's own picker of a date and time."""

    input_type = "datetime-local"

    def format_value(self, value: Any) -> str | None:
        """Return what the picker can show: it takes one form, and any other is no valid HTML."""
        try:
            moment = times.read(value)
            return naive(moment).isoformat(timespec="seconds") if moment else None
        except (ValidationError, OverflowError):
            return None


class BoundField(forms.BoundField):
    """A field of a form; its templates draw it once for all who see the same.

    Of the twenty fields above a list most are empty or hold a choice, and look alike to everybody
    who reads the same language.
    """

    def as_field_group(self) -> SafeString:
        """Return the field with its label, help text and errors."""
        template = get_template(self.template_name)
        return mark_safe(template.render({"field": self}))  # noqa: S308 (a template's)

    @property
    def key(self) -> Hashable:
        """What tells this field from others that look otherwise; None for a typed text."""
        if self.errors:
            return None
        value = self.value()
        shown: Hashable = ()
        if isinstance(self.field, forms.ChoiceField):
            offered: Any = self.field.choices
            # A lazy text is the same in one language; another may tell of a setting, or of data.
            shown = tuple((each, text if type(text) is str else "") for each, text in offered)
            value = tuple(value) if isinstance(value, (list, tuple)) else value
        elif isinstance(self.field, forms.DateTimeField):
            # Typed, too, but page after page of a list has the same two.
            shown = get_current_timezone_name()
        elif value not in (None, "", True, False):
            return None
        return type(self.form), self.auto_id, value, shown


class Fixed(dict[str, forms.Field]):
    """The fields of a form that nobody changes, so that all requests share them."""

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, forms.Field]:
        return dict(self)


Form = TypeVar("Form", bound=forms.Form)


def with_fixed_fields(form: type[Form]) -> type[Form]:
    """Let all forms of a class have the same fields, which are not copied for each."""
    form.base_fields = Fixed(form.base_fields)
    return form


class Renderer(DjangoTemplates):
    """Writes Django's commonest widgets without Django's templates, and every other with them.

    A list has forty of them, and their templates would take longer than its rows.
    """

    bound_field_class = BoundField
    field_template_name = "trackmate/field.html"

    def render(
        self, template_name: str, context: Context, request: HttpRequest | None = None
    ) -> SafeString:
        """Return the HTML of a widget."""
        write = WRITERS.get(template_name.removeprefix("django/forms/widgets/"))
        if write is None or context["widget"].get("wrap_label"):
            return mark_safe(super().render(template_name, dict(context), request))  # noqa: S308
        return mark_safe(write(context["widget"]))  # noqa: S308 (escaped there)


def _input(widget: Context) -> str:
    value = widget["value"]
    shown = "" if value is None else f' value="{escape(str(value))}"'
    kind, name = escape(widget["type"]), escape(widget["name"])
    return f'<input type="{kind}" name="{name}"{shown}{_attributes(widget)}>'


def _select(widget: Context) -> str:
    options = [
        f'<option value="{escape(str(option["value"]))}"{_attributes(option)}>'
        f"{conditional_escape(option['label'])}</option>"
        for _name, options, _index in widget["optgroups"]
        for option in options
    ]
    start = f'<select name="{escape(widget["name"])}"{_attributes(widget)}>'
    return f"{start}{''.join(options)}</select>"


def _attributes(widget: Context) -> str:
    return "".join(
        f" {escape(name)}" if value is True else f' {escape(name)}="{escape(str(value))}"'
        for name, value in widget["attrs"].items()
        if value is not False
    )


WRITERS: dict[str, Callable[[Context], str]] = {
    "text.html": _input,
    "hidden.html": _input,
    "datetime.html": _input,
    "checkbox.html": _input,
    "checkbox_option.html": _input,
    "radio_option.html": _input,
    "select.html": _select,
}
"""What writes the widgets of a template of Django's; of a select without groups."""
