"""Which columns a list of activities can have: its own, and those that the project adds.

A column of the project's is a callable `(row, request)` that returns what the cell shows, named
in `TABLE_COLUMNS`. As in Django's admin, its `short_description` is the heading. What it needs of
a row beside the columns of every list stands in an attribute, `tenant.needs = ("extra",)`; the
rest of the row is None to it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from trackmate.conf import get_settings, per_settings
from trackmate.selectors import PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from django_stubs_ext import StrPromise

    from trackmate.conf import Dotted
    from trackmate.models import ActivityLog

logger = logging.getLogger("trackmate")

FIRST = "time"
"""Always there, and first: it leads to the activity."""

BUILT_IN: dict[str, StrPromise] = {
    FIRST: _("Time"),
    "actor": _("Actor"),
    "action": _("Action"),
    "object": _("Object"),
    "request": _("Request"),
    "status": _("Status"),
    "duration": _("Duration"),
    "address": _("Address"),
    "source": _("Source"),
    "route": _("Route"),
    "agent": _("User agent"),
    "request_id": _("Request id"),
}
USUAL = tuple(BUILT_IN)[:8]
"""The columns of a list when nobody has chosen any; those of the project follow them."""

NEEDS = {"agent": "user_agent", "request_id": "request_id"}
"""What a column shows that not every list reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A column of the project's."""

    name: str
    label: str
    content: Callable[..., Any]
    needs: tuple[str, ...]

    @property
    def is_payload(self) -> bool:
        """Say whether it shows what takes a permission to see."""
        return not set(PAYLOAD).isdisjoint(self.needs)


@per_settings
def own() -> Mapping[str, Own]:
    """Return the columns of the project by name, without those that cannot be loaded."""
    found: dict[str, Own] = {}
    for dotted in get_settings().TABLE_COLUMNS:
        try:
            column = _own(dotted)
        except (ImportError, AttributeError) as error:
            logger.error("TABLE_COLUMNS: %r cannot be loaded: %s", dotted, error)
        else:
            if column.name not in BUILT_IN:
                found[column.name] = column
    return found


def _own(dotted: Dotted) -> Own:
    content: Any = import_string(dotted) if isinstance(dotted, str) else dotted
    name = content.__name__
    label = getattr(content, "short_description", capfirst(name.replace("_", " ")))
    return Own(name=name, label=label, content=content, needs=tuple(getattr(content, "needs", ())))


def choices() -> list[tuple[str, StrPromise | str]]:
    """Return the columns that a person can choose, with their headings."""
    return [*BUILT_IN.items(), *((name, str(column.label)) for name, column in own().items())]


def own_headings() -> tuple[str, ...]:
    """Return what the project calls its columns now; that may depend on more than the language."""
    return tuple(str(column.label) for column in own().values())


def usual() -> tuple[str, ...]:
    """Return the columns of a list when nobody has chosen any."""
    return (*USUAL, *own())


def named(text: str) -> tuple[str, ...]:
    """Return the columns that a text such as "time,actor" names, or none if it names none."""
    known = {name for name, _label in choices()}
    found = dict.fromkeys(name for name in text.split(",") if name in known)
    found.pop(FIRST, None)
    return (FIRST, *found) if found or FIRST in text.split(",") else ()


def settle(rows: Iterable[ActivityLog]) -> None:
    """Make what was not read for all rows None, so that no column fetches it row by row."""
    if not own():
        return
    for row in rows:
        for name in row.get_deferred_fields():
            setattr(row, name, None)


def hold_payload(names: tuple[str, ...]) -> bool:
    """Say whether some columns of a list show what takes a permission to see."""
    return any(column.is_payload for column in own().values() if column.name in names)


def needed(names: tuple[str, ...], *, with_payload: bool) -> tuple[str, ...]:
    """Return the columns of the log that some columns of a list need beside the usual ones."""
    needs = [NEEDS[name] for name in names if name in NEEDS]
    for column in own().values():
        if column.name in names and (with_payload or not column.is_payload):
            needs += column.needs
    return tuple(dict.fromkeys(needs))
