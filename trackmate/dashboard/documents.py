"""The JSON documents of one activity: changed fields, trees, and what a reader may not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trackmate.dashboard.diffs import changes_of
from trackmate.dashboard.trees import tree_of
from trackmate.models import ActivityLog
from trackmate.selectors import PAYLOAD

if TYPE_CHECKING:
    from trackmate.dashboard.diffs import Change
    from trackmate.dashboard.trees import Tree

DOCUMENTS = ("changes", "data", "response", "extra")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One JSON column: as changed fields where it is made of these, else as a tree, or hidden
    from a reader who may only know that it is there."""

    label: str
    changes: tuple[Change, ...] = ()
    tree: Tree | None = None

    @property
    def is_hidden(self) -> bool:
        """Say whether the reader may not see it."""
        return not self.changes and self.tree is None


def documents(row: ActivityLog, *, with_payload: bool) -> list[Document]:
    """Return the JSON columns that hold something."""
    return [
        _document(row, name)
        if with_payload or name not in PAYLOAD
        else Document(label=_label(name))
        for name in DOCUMENTS
        if holds(row, name)
    ]


def holds(row: ActivityLog, name: str) -> bool:
    """Say whether a JSON column holds something, without loading what the reader may not see."""
    if name in PAYLOAD:
        return bool(getattr(row, f"has_{name}"))
    return getattr(row, name) is not None


def _document(row: ActivityLog, name: str) -> Document:
    value: Any = getattr(row, name)
    changes = changes_of(value) if name == "changes" else ()
    return Document(label=_label(name), changes=changes, tree=None if changes else tree_of(value))


def _label(name: str) -> str:
    return str(getattr(ActivityLog._meta.get_field(name), "verbose_name", name))
