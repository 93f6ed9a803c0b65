"""Copies that share what they hold, of parts of forms and tables that nobody changes."""

from __future__ import annotations

from typing import TypeVar

Part = TypeVar("Part")


def twin(part: Part) -> Part:
    """Return what `copy.copy` would, which first looks for a way to copy for longer than it copies.

    A list makes forty: of each filter, field and column, for each request.
    """
    made = object.__new__(type(part))
    vars(made).update(vars(part))
    return made
