"""What changed in a field: the words of its old and its new value that differ."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from django.utils.translation import gettext as _

from trackmate.dashboard import texts
from trackmate.redaction import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Kind = Literal["same", "marked", "blank"]

WORK = 1_000_000
"""Pairs of words that the differences of one row may compare, a third of a second at worst; a
field beyond that is marked as a whole."""

# A word with what stands inside of it (12.50, 2026-11-02, ann@example.com), blanks, or a sign.
_WORD = re.compile(r"\w+(?:[.,:@/'-]\w+)*|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words of one side."""

    text: str
    kind: Kind = "same"
    """Whether the other side has it too; "blank" stands for a side on which there is nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field: what it was and what it became."""

    name: str
    old: tuple[Piece, ...]
    new: tuple[Piece, ...]
    note: str = ""
    """What happened to the value as a whole, where the words do not tell."""


class _Run(NamedTuple):
    """Words that both sides have, or those that each side has in their place."""

    is_marked: bool
    old: str
    new: str


def changes_of(value: Any) -> tuple[Change, ...]:
    """Return `{field: [old, new]}` field by field, or nothing if the value is not of that form."""
    if not isinstance(value, dict) or not all(map(_is_pair, value.values())):
        return ()
    differences = _Differences()
    return tuple(differences.of(name, *pair) for name, pair in value.items())


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2  # noqa: PLR2004 (old and new)


@dataclass(slots=True)
class _Differences:
    """The changed fields of one row, within a budget that they share."""

    work: int = WORK

    def of(self, name: str, old: Any, new: Any) -> Change:
        before, after = _sides(old, new)
        note = _note(old, new, before, after)
        if before and after and before != after:
            left, right = self._marked(_WORD.findall(before), _WORD.findall(after))
        else:
            kind: Kind = "same" if before == after else "marked"
            left, right = _whole(old, before, kind), _whole(new, after, kind)
        return Change(name=texts.visible(name), old=left, new=right, note=note)

    def _marked(
        self, before: list[str], after: list[str]
    ) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
        """Return the pieces of both sides."""
        runs = _joined(self._runs(before, after))
        old = ((run.old, run.is_marked) for run in runs)
        new = ((run.new, run.is_marked) for run in runs)
        return _pieces(old), _pieces(new)

    def _runs(self, before: list[str], after: list[str]) -> Iterator[_Run]:
        """Yield both sides run by run."""
        start, end = _common_ends(before, after)
        old, new = before[start : len(before) - end], after[start : len(after) - end]
        same_start, same_end = "".join(before[:start]), "".join(before[len(before) - end :])
        yield _Run(is_marked=False, old=same_start, new=same_start)
        if len(old) * len(new) > self.work:
            yield _Run(is_marked=True, old="".join(old), new="".join(new))
        else:
            self.work -= len(old) * len(new)
            # Words that are everywhere are no points to begin at: that keeps it quick.
            for tag, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
                yield _Run(tag != "equal", "".join(old[i:j]), "".join(new[k:m]))
        yield _Run(is_marked=False, old=same_end, new=same_end)


def _note(old: Any, new: Any, before: str, after: str) -> str:
    """Return what became of the value as a whole; nothing if it changed from one to another."""
    if (old is None) != (new is None):
        return _("added") if old is None else _("removed")
    # What is masked on both sides may have changed all the same.
    return _("unchanged") if before == after and MASK not in before else ""


def _sides(old: Any, new: Any) -> tuple[str, str]:
    """Return both values as texts: as they are if both are text, else as JSON."""
    is_text = all(isinstance(each, str | None) for each in (old, new))
    before, after = (
        "" if each is None else texts.visible(each) if is_text else texts.pretty(each)
        for each in (old, new)
    )
    return before, after


def _whole(value: Any, text: str, kind: Kind) -> tuple[Piece, ...]:
    if text:
        return (Piece(text, kind),)
    return (Piece("\N{EN DASH}" if value is None else _("empty"), "blank"),)


def _pieces(side: Iterable[tuple[str, bool]]) -> tuple[Piece, ...]:
    return tuple(Piece(text, "marked" if is_marked else "same") for text, is_marked in side if text)


def _common_ends(before: list[str], after: list[str]) -> tuple[int, int]:
    """Return how many words both sides have in common at the start, and at the end."""
    shorter = min(len(before), len(after))
    start = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    left = shorter - start
    end = next((n for n in range(left) if before[-1 - n] != after[-1 - n]), left)
    return start, end


def _joined(runs: Iterable[_Run]) -> list[_Run]:
    """Return runs such that differing words with nothing but blanks between them are one."""
    joined: list[_Run] = []
    for run in runs:
        if run.is_marked and len(joined) > 1 and joined[-2].is_marked and joined[-1].old.isspace():
            gap, last = joined.pop(), joined.pop()
            old, new = last.old + gap.old + run.old, last.new + gap.new + run.new
            joined.append(run._replace(old=old, new=new))
        elif run.old or run.new:
            joined.append(run)
    return joined
