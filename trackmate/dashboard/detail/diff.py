"""The words in which the old and the new value of a field differ."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from django.utils.translation import gettext as _

from trackmate.dashboard import formatting
from trackmate.redaction.known_secrets import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PieceType = Literal["same", "changed", "blank"]

MAX_COMPARISONS = 1_000_000
"""Pairs of words that are compared for one page, a third of a second at worst. A field beyond that
is marked as a whole."""

CONTEXT = 60
"""Characters that are shown before and after what differs, where a text is shortened."""
MAX_SHOWN = 300
"""Characters of a piece that are shown, where a text is shortened."""

# A word, which may contain signs (12.50, 2026-11-02, ann@example.com), blanks, or a sign.
_WORD = re.compile(r"\w+(?:[.,:@/'-]\w+)*|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive words of one side."""

    text: str
    type: PieceType = "same"
    """Whether the other side has it too. "blank" is the only piece of a side without a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One changed field."""

    name: str
    old: tuple[Piece, ...]
    new: tuple[Piece, ...]
    note: str = ""
    """What happened to the whole value: "added", "removed", "unchanged"."""
    undo_url: str = ""
    """The address for putting back the old value."""

    @property
    def sides(self) -> list[tuple[str, tuple[Piece, ...]]]:
        """The old and the new value with their marks; only one if the other says nothing."""
        if self.old == self.new or _is_blank(self.old):
            return [("ins", self.new)]
        return (
            [("del", self.old)] if _is_blank(self.new) else [("del", self.old), ("ins", self.new)]
        )

    @property
    def shortened(self) -> Change:
        """The change with what differs and a little around it."""
        return replace(self, old=_shorten(self.old), new=_shorten(self.new))


class _Run(NamedTuple):
    """Consecutive words that both sides have, or in which they differ."""

    is_changed: bool
    old: str
    new: str


def parse_changes(value: Any, differ: Differ | None = None) -> tuple[Change, ...]:
    """Return the changed fields of `{field: [old, new]}`; none for a value of another form.

    Several rows of one page share a `differ`.
    """
    if not isinstance(value, dict):
        return ()
    pairs = {name: _as_pair(change) for name, change in value.items()}
    if not all(map(_is_pair, pairs.values())):
        return ()
    differ = differ or Differ()
    return tuple(differ.compare(name, *map(_simplify, pair)) for name, pair in pairs.items())


def _as_pair(change: Any) -> Any:
    """Return the pair of a change; of a many-to-many field what was removed, and what added."""
    if isinstance(change, dict) and change and change.keys() <= {"added", "removed"}:
        return [change.get("removed") or None, change.get("added") or None]
    return change


def _simplify(value: Any) -> Any:
    """Return `{"value": 7, "label": "Tea"}`, or a list of such, as text: "Tea (7)"; a recorded time
    as one of the current time zone."""
    if isinstance(value, str):
        return formatting.format_recorded_time(value)
    if isinstance(value, dict) and "value" in value and value.keys() <= {"value", "label"}:
        key, label = str(value["value"]), str(value.get("label") or "")
        if label.casefold() == key.casefold():
            return label
        return f"{label} ({key})" if label else key
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        texts = [_simplify(each) for each in value]
        return "\n".join(texts) if all(isinstance(each, str) for each in texts) else value
    return value


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2  # noqa: PLR2004 (old and new)


@dataclass(slots=True)
class Differ:
    """Compares fields, which share a number of comparisons."""

    comparisons_left: int = MAX_COMPARISONS

    def compare(self, name: str, old: Any, new: Any) -> Change:
        before, after = _as_texts(old, new)
        note = _describe_change(old, new, before, after)
        if before and after and before != after:
            left, right = self._mark_changes(_WORD.findall(before), _WORD.findall(after))
        else:
            piece_type: PieceType = "same" if before == after else "changed"
            left = _one_piece(old, before, piece_type)
            right = _one_piece(new, after, piece_type)
        return Change(name=formatting.escape_invisible(name), old=left, new=right, note=note)

    def _mark_changes(
        self, before: list[str], after: list[str]
    ) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
        """Return the pieces of both sides."""
        runs = _join_changed(self._compare_words(before, after))
        old = ((run.old, run.is_changed) for run in runs)
        new = ((run.new, run.is_changed) for run in runs)
        return _pieces(old), _pieces(new)

    def _compare_words(self, before: list[str], after: list[str]) -> Iterator[_Run]:
        start, end = _count_common(before, after)
        old, new = before[start : len(before) - end], after[start : len(after) - end]
        same_start, same_end = "".join(before[:start]), "".join(before[len(before) - end :])
        yield _Run(is_changed=False, old=same_start, new=same_start)
        if len(old) * len(new) > self.comparisons_left:
            yield _Run(is_changed=True, old="".join(old), new="".join(new))
        else:
            self.comparisons_left -= len(old) * len(new)
            for tag, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
                yield _Run(tag != "equal", "".join(old[i:j]), "".join(new[k:m]))
        yield _Run(is_changed=False, old=same_end, new=same_end)


def _describe_change(old: Any, new: Any, before: str, after: str) -> str:
    """Return what happened to the whole value; "" if it changed from one value to another."""
    if (old is None) != (new is None):
        return _("added") if old is None else _("removed")
    # A value that is masked on both sides may have changed.
    return _("unchanged") if before == after and MASK not in before else ""


def _as_texts(old: Any, new: Any) -> tuple[str, str]:
    """Return both values as they are if both are text, else as JSON."""
    is_text = all(isinstance(each, str | None) for each in (old, new))
    before, after = (
        ""
        if each is None
        else formatting.escape_invisible(each)
        if is_text
        else formatting.format_json(each)
        for each in (old, new)
    )
    return before, after


def _one_piece(value: Any, text: str, piece_type: PieceType) -> tuple[Piece, ...]:
    if text:
        return (Piece(text, piece_type),)
    return (Piece("\N{EN DASH}" if value is None else _("empty"), "blank"),)


def _is_blank(pieces: tuple[Piece, ...]) -> bool:
    return all(piece.type == "blank" for piece in pieces)


def _shorten(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Return pieces of which long ones are cut: of what is the same the part next to a change."""
    last = len(pieces) - 1
    return tuple(
        replace(piece, text=_cut(piece.text, is_first=at == 0, is_last=at == last))
        if last and piece.type == "same"
        else replace(piece, text=_cut(piece.text, is_first=False, is_last=True, length=MAX_SHOWN))
        for at, piece in enumerate(pieces)
    )


def _cut(text: str, *, is_first: bool, is_last: bool, length: int = CONTEXT) -> str:
    """Return the end of the first piece, the start of the last, and both of others."""
    start, end = ("" if is_first else text[:length]), ("" if is_last else text[-length:])
    return text if len(text) <= len(start + end) + 1 else f"{start}\N{HORIZONTAL ELLIPSIS}{end}"


def _pieces(side: Iterable[tuple[str, bool]]) -> tuple[Piece, ...]:
    return tuple(
        Piece(text, "changed" if is_changed else "same") for text, is_changed in side if text
    )


def _count_common(before: list[str], after: list[str]) -> tuple[int, int]:
    """Return how many words both sides share at the start, and at the end."""
    shorter = min(len(before), len(after))
    start = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    left = shorter - start
    end = next((n for n in range(left) if before[-1 - n] != after[-1 - n]), left)
    return start, end


def _join_changed(runs: Iterable[_Run]) -> list[_Run]:
    """Join changed words that have only blanks between them."""
    joined: list[_Run] = []
    for run in runs:
        if (
            run.is_changed
            and len(joined) > 1
            and joined[-2].is_changed
            and joined[-1].old.isspace()
        ):
            gap, last = joined.pop(), joined.pop()
            old, new = last.old + gap.old + run.old, last.new + gap.new + run.new
            joined.append(run._replace(old=old, new=new))
        elif run.old or run.new:
            joined.append(run)
    return joined
