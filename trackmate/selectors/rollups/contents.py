"""What a rollup contains: the grouped counts of its rows, and their number per quarter hour.

A change of this module's JSON needs another `FORMAT`.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trackmate.models import ActivityLog
from trackmate.selectors.grouping import GROUPINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trackmate.selectors.grouping import GroupedCounts

QUARTER = 900
"""Seconds. Bars of a histogram over half a day or more begin at whole quarter hours, in every
time zone."""

BUCKETS = "buckets"
"""Name of the counts per quarter hour (since 1970): `[quarter, count, failed]`."""


class RollupData:
    """The contents of one rollup, parsed when they are needed."""

    def __init__(self, start: int, hours: int, text: str) -> None:
        self.start = start * 3600
        """In seconds since 1970."""
        self.end = (start + hours) * 3600
        self._text = text

    @cached_property
    def _parts(self) -> dict[str, list[Any]]:
        parts: dict[str, list[Any]] = json.loads(self._text)
        return parts

    @property
    def buckets(self) -> list[list[int]]:
        """Number, rows and failures of each quarter hour that has rows."""
        return self._parts[BUCKETS]

    def counts(self, name: str) -> GroupedCounts:
        """Return the counts of one grouping."""
        groups = self._parts[name]
        width = len(GROUPINGS[name].columns)
        if name == "actors":
            # JSON has made text of a key that is no number.
            key = ActivityLog._meta.get_field("actor").target_field
            return {
                (None if actor is None else key.to_python(actor), label): sums
                for actor, label, *sums in groups
            }
        return {tuple(group[:width]): group[width:] for group in groups}


def to_json(parts: Mapping[str, list[list[Any]]]) -> str:
    """Return the contents as text."""
    return json.dumps(parts, default=str, separators=(",", ":"), ensure_ascii=False)
