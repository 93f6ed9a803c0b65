"""Panels of the project's own on the page of an activity."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.html import conditional_escape
from django.utils.safestring import SafeString

from trackmate.conf import get_settings
from trackmate.dashboard.access import load
from trackmate.dashboard.details import Fact
from trackmate.db.transactions import protected_transactions
from trackmate.diagnostics import summarize_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest

    from trackmate.conf import Dotted
    from trackmate.models import ActivityLog

logger = logging.getLogger("trackmate")


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailPanel:
    """What a project says of an activity: a text, facts or HTML, or that it could not say it."""

    title: str
    content: str = ""
    """A text; HTML if the project says that it is safe."""
    facts: tuple[Fact, ...] = ()
    is_failed: bool = False

    @property
    def is_html(self) -> bool:
        """Say whether the content is HTML."""
        return isinstance(self.content, SafeString)


def detail_panels(row: ActivityLog, request: HttpRequest) -> list[DetailPanel]:
    """Return what the project has to say of a row, in the order of `DETAIL_PANELS`."""
    shown = _as_seen(row)
    found = (_panel(make, shown, request) for make in get_settings().DETAIL_PANELS)
    return [panel for panel in found if panel is not None]


def _as_seen(row: ActivityLog) -> ActivityLog:
    """Return the row without what the reader may not see, which would be loaded if it were read."""
    hidden = row.get_deferred_fields()
    seen = copy(row)
    for name in hidden:
        setattr(seen, name, None)
    return seen


def _panel(make: Dotted, row: ActivityLog, request: HttpRequest) -> DetailPanel | None:
    """Return what one callable makes of a row; what it raises never takes the page down."""
    try:
        with protected_transactions():
            made = load(make)(row, request)
            return None if made is None else _read(*made)
    except Exception as error:  # noqa: BLE001 (a project's own code)
        logger.error("DETAIL_PANELS: %r failed: %s", make, summarize_error(error))
        return DetailPanel(title=_name_of(make), is_failed=True)


def _read(title: Any, content: Any) -> DetailPanel:
    """Return a panel in which nothing is left that could fail later."""
    if content is None or isinstance(content, str):
        return DetailPanel(title=str(title), content=content or "")
    pairs = content.items() if isinstance(content, Mapping) else content
    return DetailPanel(title=str(title), facts=tuple(_facts(pairs)))


def _facts(pairs: Iterable[tuple[Any, Any]]) -> Iterable[Fact]:
    for name, value in pairs:
        yield Fact(name=str(name), value="" if value is None else conditional_escape(value))


def _name_of(make: Dotted) -> str:
    path = make if isinstance(make, str) else getattr(make, "__qualname__", type(make).__name__)
    return path.rpartition(".")[2]
