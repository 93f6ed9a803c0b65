"""What the recorded changes say about the fields of an object at one time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from trackmate.enums import ActionType, Source
from trackmate.history.values import is_members_change, is_pair, is_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from django.db.models import QuerySet

    from trackmate.models import ActivityLog
    from trackmate.models.object_keys import ObjectKey

SLICE = 200
"""Rows that are read at once."""

CREATE, DELETE = ActionType.CREATE.value, ActionType.DELETE.value


class RecordedChange(NamedTuple):
    """The columns of a row that say what changed."""

    pk: UUID
    content_type_id: int
    action_type: str
    changes: Any


@dataclass(slots=True)
class StateReplay:
    """The fields of an object at one time, as its recorded changes say.

    The newest change up to that time decides, by its new value; else the next one after it, by its
    old value. Each member of a many-to-many field is decided in the same way.
    """

    present_name: Callable[[str], str]
    """Returns the name that a field has now."""
    values: dict[str, Any] = field(default_factory=dict)
    """Recorded values by field."""
    members: dict[str, dict[str, tuple[bool, Any]]] = field(default_factory=dict)
    """By field and key: whether the object was a member, and how it was recorded."""
    versions: dict[str, tuple[UUID, bool]] = field(default_factory=dict)
    """By field the row that decided, and whether by its new value."""
    is_created: bool = False
    """Whether the creation is among the changes: what they do not mention was empty."""
    is_deleted: bool = False
    """Whether the changes end with the deletion of the object."""
    is_interrupted: bool = False
    """Whether another object got the same key, though no deletion was recorded."""
    is_absent: bool = False
    """Whether there was no such object at that time."""
    is_known: bool = False
    """Whether there is a change of the object itself in this life."""

    def run(self, rows: QuerySet[ActivityLog], about: ObjectKey, bound: UUID) -> None:
        """Read the changes up to the key `bound`, backwards to the creation; those after it, on to
        the deletion, only where the creation is not recorded."""
        rows = rows.filter(about.condition, source=Source.MODEL)
        own = _deciding_types(rows, about)
        self._read_earlier(_backwards(rows, bound), own)
        if not (self.is_created or self.is_absent):
            self._read_later(_forwards(rows, bound), own)

    def _read_earlier(self, rows: Iterator[RecordedChange], own: set[int]) -> None:
        for row in rows:
            is_own = row.content_type_id in own
            if is_own and row.action_type == DELETE:
                self.is_absent = not self.is_known
                return
            self._apply(row, is_new=True)
            self.is_known |= is_own
            if is_own and row.action_type == CREATE:
                self.is_created = True
                return

    def _read_later(self, rows: Iterator[RecordedChange], own: set[int]) -> None:
        for row in rows:
            is_own = row.content_type_id in own
            if row.action_type == CREATE:
                if is_own:
                    self.is_absent, self.is_interrupted = not self.is_known, self.is_known
                    return
                continue
            self._apply(row, is_new=False)
            self.is_known |= is_own
            if is_own and row.action_type == DELETE:
                self.is_deleted = True
                return

    def _apply(self, row: RecordedChange, *, is_new: bool) -> None:
        """Take what is not decided yet from a row."""
        if not isinstance(row.changes, dict):
            return
        for recorded_name, change in row.changes.items():
            name = self.present_name(recorded_name)
            if is_members_change(change):
                self._apply_members(name, change, is_new=is_new)
            elif is_pair(change):
                self.values.setdefault(name, change[is_new])
            else:
                continue
            self.versions.setdefault(name, (row.pk, is_new))

    def _apply_members(self, name: str, change: dict[str, Any], *, is_new: bool) -> None:
        members = self.members.setdefault(name, {})
        for verb, was_added in (("added", True), ("removed", False)):
            recorded = change.get(verb)
            for member in recorded if isinstance(recorded, list) else ():
                key = member["value"] if is_reference(member) else member
                if key is not None and not isinstance(key, (dict, list)):
                    members.setdefault(str(key), (was_added == is_new, member))


def _deciding_types(rows: QuerySet[ActivityLog], about: ObjectKey) -> set[int]:
    """Return the content types whose rows say when the object was created and deleted."""
    if about.parent_type_ids and not rows.filter(content_type_id=about.content_type_id).exists():
        return set(about.parent_type_ids)
    return {about.content_type_id}


def _backwards(rows: QuerySet[ActivityLog], bound: UUID) -> Iterator[RecordedChange]:
    """Yield the changes before a key, the newest first."""
    while found := _slice(rows.filter(pk__lt=bound).order_by("-pk")):
        yield from found
        if len(found) < SLICE:
            return
        bound = found[-1].pk


def _forwards(rows: QuerySet[ActivityLog], bound: UUID) -> Iterator[RecordedChange]:
    """Yield the changes from a key on, the oldest first."""
    condition: dict[str, Any] = {"pk__gte": bound}
    while found := _slice(rows.filter(**condition).order_by("pk")):
        yield from found
        if len(found) < SLICE:
            return
        condition = {"pk__gt": found[-1].pk}


def _slice(rows: QuerySet[ActivityLog]) -> list[RecordedChange]:
    columns = rows.values_list("pk", "content_type_id", "action_type", "changes")
    return [RecordedChange(*each) for each in columns[:SLICE]]
