"""The query line and the form are two views of one state.

The state, and so the address of a page, is what each field says, and the rest of the line: what
no field can say, such as negations, repeated names and free text. The line that is shown says all
of it, the fields first.

A token that a field can say exactly moves into that field, if it is empty. If the field says
something else, the token stays in the rest: both have to hold.

A form sends its fields, the line, and the line as it was shown (`was`). What the line says of a
field differently from then was changed in the line, and the line is right; in all else the field
is. So whichever of the two was changed wins, and where both were, the line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError

from trackmate.dashboard import times
from trackmate.dashboard.query import MOST_TOKENS, NAMES, READINGS, named, tokens, written
from trackmate.dashboard.windows import CUSTOM, FIELDS
from trackmate.enums import ActionType, Source, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trackmate.dashboard.query import Token

    Said = dict[str, str]
    """What is said of each field; the range of time is the field `created`."""

LONGEST = 1000
"""Characters of a line."""

FILTERS = {name: filter_name for filter_name, name in NAMES.items()}
"""The filter behind each name of a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """One state in both views."""

    answers: dict[str, str]
    """What each field says, and the rest of the line as `q`; nothing of what is empty."""
    line: str
    """The line that says all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """What a line and the fields of a form can say alike."""

    limits: Mapping[str, int | None]
    """The fields that the line may say here, and how long each may be."""
    usual: str
    """The range of time where nobody asks for one."""
    known: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """What was found out about tokens."""

    def mirrored(self, asked: Mapping[str, str]) -> Mirrored:
        """Return the state that a question asks for."""
        line = asked.get("q", "")
        fields = {name: asked[name] for name in self.limits if asked.get(name)}
        time = {name: asked[name] for name in FIELDS if asked.get(name)}
        if not self._is_readable(line):
            return Mirrored(answers={**time, "q": line, **fields}, line=line)
        created = times.text_of(time, self.usual)
        said, rest = self._merged({**fields, "created": created}, line, asked.get("was"))
        if said["created"] != created:
            time = times.answers(said["created"]) if said["created"] else {"range": self.usual}
        elif time.get("range", CUSTOM) != CUSTOM:
            time = {"range": time["range"]}
        left = " ".join(token.text for token in rest)
        fields = {name: said[name] for name in self.limits if said.get(name)}
        answers = {**time, **({"q": left} if left else {}), **fields}
        return Mirrored(answers=answers, line=self._shown(line, self._line(said, left)))

    def _is_readable(self, line: str) -> bool:
        return (
            len(line) <= LONGEST
            and "\0" not in line
            and len(tokens(line)) <= MOST_TOKENS + len(NAMES)
        )

    def _merged(self, said: Said, line: str, was: str | None) -> tuple[Said, list[Token]]:
        """Return what the line and the fields say together, and the rest of the line."""
        if was is None:
            return self._moved(said, tokens(line))
        now, rest = self._read(line)
        then, _rest = self._read(was) if self._is_readable(was) else ({}, [])
        changed = {
            name: now.get(name, "")
            for name in (*now, *then)
            if now.get(name, "") != then.get(name, "")
        }
        return self._moved({**said, **changed}, rest)

    def _read(self, line: str) -> tuple[Said, list[Token]]:
        """Return what a line says of the fields, and its other tokens."""
        return self._moved({}, tokens(line))

    def _moved(self, said: Said, found: list[Token]) -> tuple[Said, list[Token]]:
        """Move tokens into empty fields; return the others apart."""
        said, rest = dict(said), []
        for token in found:
            name, value = self._meaning(token)
            if name and (said.get(name) or value) == value:
                said[name] = value
            else:
                rest.append(token)
        return said, rest

    def _meaning(self, token: Token) -> tuple[str, str]:
        """Return the field that can say a token, and what it says then; else nothing."""
        name, value = token.name, token.value
        if token.is_negated or token.is_unclosed or not (name and value and value.isprintable()):
            return "", ""
        if (name, value) not in self.known:
            self.known[name, value] = self._field(name, value)
        return self.known[name, value]

    def _field(self, name: str, value: str) -> tuple[str, str]:
        try:
            if name != "actor" or value.startswith("#"):
                # Any other actor is readable, and reading it asks the database.
                READINGS[name](value)
        except (KeyError, ValidationError):
            return "", ""
        if name == "created":
            return name, times.text_of(times.answers(value), self.usual)
        filter_name, meant = _as_filter(name, value)
        limit = self.limits.get(filter_name, 0)
        fits = limit is None or len(meant) <= limit
        # A field would strip it.
        return (filter_name, meant) if fits and meant == meant.strip() else ("", "")

    def _line(self, said: Said, left: str) -> str:
        """Return the line that says everything which a token can say again."""
        parts, room = [], LONGEST - len(left)
        for name, value in ((name, said.get(name)) for name in NAMES):
            text = written(NAMES[name], value) if value else ""
            if text and len(text) < room and self._read(text) == ({name: value}, []):
                parts.append(text)
                room -= len(text) + 1
        return " ".join([*parts, left]).strip()

    def _shown(self, line: str, rebuilt: str) -> str:
        """Return the line as it was written if it says all that it should."""
        return line if self._summary(line) == self._summary(rebuilt) else rebuilt

    def _summary(self, line: str) -> tuple[Said, list[str]]:
        said, rest = self._read(line)
        return {name: value for name, value in said.items() if value}, [
            token.text for token in rest
        ]


def _as_filter(name: str, value: str) -> tuple[str, str]:
    """Return the filter that says the same as a token, and how it says it."""
    if name == "status":
        found = named(value, Status.values)
        return ("status", found) if found else ("status_code", value)
    if name == "type":
        value = named(value, ActionType.values) or value
    elif name == "source":
        value = named(value, Source.values) or value
    elif name == "method":
        value = value.upper()
    return FILTERS.get(name, ""), value
