"""Ariadne: what its executors execute, in the views of ariadne-django and of the project."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from trackmate.integrations.graphql_outcomes import (
    current_outcome,
    note_execution,
    note_validation,
)
from trackmate.integrations.wrapping import call_before


def install() -> None:
    """Watch what `graphql()` and `graphql_sync()` call: extensions belong to each view."""
    # The package has a function of the same name as the module.
    executors = import_module("ariadne.graphql")
    call_before(executors, "validate_query", note_validation)
    for name in ("execute", "execute_sync"):
        call_before(executors, name, note_execution)
    call_before(executors, "handle_query_result", _note_result)
    call_before(executors, "handle_graphql_errors", _note_errors)


def _note_result(result: Any, **_options: Any) -> None:
    if (outcome := current_outcome()) is not None:
        outcome.add_errors(result.errors)


def _note_errors(errors: Sequence[Any], **_options: Any) -> None:
    if (outcome := current_outcome()) is not None:
        outcome.add_errors(errors)
