"""The project's panels on the page of an activity (`DETAIL_PANELS`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.html import conditional_escape
from django.utils.safestring import SafeString

from trackmate.conf import get_settings, load_dotted
from trackmate.dashboard.detail.facts import DetailField
from trackmate.dashboard.tables.activity_table import null_deferred_fields
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
    """A panel with a text, with HTML or with fields, or with a message that it failed."""

    title: str
    content: str = ""
    """A text, or HTML if it is a `SafeString`."""
    fields: tuple[DetailField, ...] = ()
    is_failed: bool = False

    @property
    def is_html(self) -> bool:
        """Return True if the content is HTML."""
        return isinstance(self.content, SafeString)


def build_panels(row: ActivityLog, request: HttpRequest) -> list[DetailPanel]:
    """Return the panels of a row, in the order of `DETAIL_PANELS`."""
    shown = copy(row)
    null_deferred_fields([shown])
    panels = (_call(dotted, shown, request) for dotted in get_settings().DETAIL_PANELS)
    return [panel for panel in panels if panel is not None]


def _call(dotted: Dotted, row: ActivityLog, request: HttpRequest) -> DetailPanel | None:
    """Return the panel that a project's callable makes, or one that says that it failed."""
    try:
        with protected_transactions():
            result = load_dotted(dotted)(row, request)
            return None if result is None else _build_panel(*result)
    except Exception as error:  # noqa: BLE001 (a project's code)
        logger.error("DETAIL_PANELS: %r failed: %s", dotted, summarize_error(error))
        return DetailPanel(title=_name_of(dotted), is_failed=True)


def _build_panel(title: Any, content: Any) -> DetailPanel:
    """Return a panel; everything lazy in it is evaluated, so that it cannot fail later."""
    if content is None or isinstance(content, str):
        return DetailPanel(title=str(title), content=content or "")
    pairs = content.items() if isinstance(content, Mapping) else content
    return DetailPanel(title=str(title), fields=tuple(_fields(pairs)))


def _fields(pairs: Iterable[tuple[Any, Any]]) -> Iterable[DetailField]:
    for name, value in pairs:
        yield DetailField(name=str(name), value="" if value is None else conditional_escape(value))


def _name_of(dotted: Dotted) -> str:
    if isinstance(dotted, str):
        return dotted.rpartition(".")[2]
    return str(getattr(dotted, "__name__", type(dotted).__name__))
