"""The fields of the filter form: how each answer is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import query, times
from trackmate.dashboard.sharing import twin
from trackmate.dashboard.widgets import BoundField, MomentInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from django.db.models import Q


class TypedField(forms.CharField):
    """A text that is read as a condition on rows."""

    def __init__(self, *, reading: Callable[[str], Q], **kwargs: Any) -> None:
        # A form takes blanks off before this; those of a settled value belong to it.
        super().__init__(strip=False, **kwargs)
        self.reading = reading

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # No form has a field of its own where none changes it.
        return self

    def clean(self, value: Any) -> Q | None:
        """Return the condition, or None for an empty text."""
        text = super().clean(value)
        return self.reading(text) if text else None


class BoundLine(BoundField):
    """The query line of a form."""

    field: LineField

    @property
    def pointed(self) -> tuple[str, str, str] | None:
        """The line with its wrong token apart: what stands before it, it, and what follows."""
        line = self.field.line
        for error in self.errors.as_data():
            wrong = (error.params or {}).get("token")
            for token in query.tokens(line):
                if token.text == wrong:
                    return line[: token.start], wrong, line[token.end :]
        return None


class LineField(TypedField):
    """The query line: it reads the rest, and shows the line that says all of the state."""

    bound_field_class = BoundLine
    line = ""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return twin(self)

    def bound_data(self, data: Any, initial: Any) -> str:
        return self.line


class ListedField(forms.ChoiceField):
    """A choice, to the list of which a form may add, and change nothing else."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        field = twin(self)
        field.widget = twin(self.widget)
        return field


class RangeField(ListedField):
    """A range of time out of a list, or one that was typed: `-3d..-1d`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"template_name": "trackmate/range.html"})

    def valid_value(self, value: str) -> bool:
        """Accept what can be read as a range; the choice is then offered too."""
        if super().valid_value(value):
            return True
        try:
            times.typed(value)
        except ValidationError:
            return False
        offered: Any = self.choices
        self.choices = [*offered, (value, value)]
        return True


class ColumnsField(forms.MultipleChoiceField):
    """Boxes to check, side by side."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"template_name": "trackmate/columns.html"})


class CheckField(forms.BooleanField):
    """A box to check, with its label behind it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"template_name": "trackmate/check.html"})


class OpenChoiceField(ListedField):
    """A choice that also takes a value which nobody listed, such as a project's own action type."""

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_length = max_length

    def valid_value(self, value: str) -> bool:
        """Accept whatever the column could hold; the select then offers it too."""
        if super().valid_value(value):
            return True
        if len(value) > self.max_length or not value.isprintable():
            return False
        offered: Any = self.choices
        self.choices = [*offered, (value, value)]
        return True


class MomentField(forms.DateTimeField):
    """A date and time in the project's time zone, with the browser's own picker."""

    widget = MomentInput(attrs={"step": 1})

    def __init__(self, *, is_end: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_end = is_end

    def to_python(self, value: Any) -> datetime | None:
        """Return the moment; the message names the text, since the picker does not show it."""
        try:
            return times.read(value, is_end=self.is_end)
        except ValidationError:
            raise ValidationError(
                _("“%(text)s” is not a date and time."), params={"text": str(value)[:100]}
            ) from None
