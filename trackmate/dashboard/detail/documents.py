"""The JSON columns of one activity, ready to be shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trackmate.dashboard.detail.diff import parse_changes
from trackmate.dashboard.detail.json_tree import build_tree
from trackmate.models import ActivityLog
from trackmate.selectors import PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trackmate.dashboard.detail.diff import Change
    from trackmate.dashboard.detail.json_tree import Tree

DOCUMENTS = ("changes", "data", "response", "extra")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One JSON column: as changed fields if it contains these, else as a tree. It has neither if it
    is hidden."""

    label: str
    changes: tuple[Change, ...] = ()
    tree: Tree | None = None

    @property
    def is_hidden(self) -> bool:
        """Return True if this person may not see the content."""
        return not self.changes and self.tree is None


def build_documents(
    row: ActivityLog, *, with_payload: bool, undo_urls: Mapping[str, str] | None = None
) -> list[Document]:
    """Return the JSON columns that are not empty.

    `undo_urls` has the address for putting back a changed field.
    """
    return [
        _build_document(row, name, undo_urls or {})
        if with_payload or name not in PAYLOAD
        else Document(label=_label(name))
        for name in DOCUMENTS
        if has_document(row, name)
    ]


def has_document(row: ActivityLog, name: str) -> bool:
    """Return True if a JSON column is not empty; hidden payload is not loaded for that."""
    if name in PAYLOAD:
        return bool(getattr(row, f"has_{name}"))
    return getattr(row, name) is not None


def _build_document(row: ActivityLog, name: str, undo_urls: Mapping[str, str]) -> Document:
    value: Any = getattr(row, name)
    changes = parse_changes(value) if name == "changes" else ()
    return Document(
        label=_label(name),
        changes=tuple(replace(each, undo_url=undo_urls.get(each.name, "")) for each in changes),
        tree=None if changes else build_tree(value),
    )


def _label(name: str) -> str:
    return str(getattr(ActivityLog._meta.get_field(name), "verbose_name", name))
