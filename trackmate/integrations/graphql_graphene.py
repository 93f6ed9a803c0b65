"""graphene-django: what its view executes."""

from __future__ import annotations

from typing import Any

from graphene_django import views

from trackmate.integrations.graphql_outcomes import (
    current_outcome,
    note_execution,
    note_validation,
)
from trackmate.integrations.wrapping import call_after, call_before


def install() -> None:
    """Watch what the view calls; there are neither signals nor hooks."""
    call_before(views, "validate", note_validation)
    call_before(views, "execute", note_execution)
    call_after(views.GraphQLView, "execute_graphql_request", _note_result)


def _note_result(result: Any, *_args: Any, **_kwargs: Any) -> None:
    if result is not None and (outcome := current_outcome()) is not None:
        outcome.add_errors(result.errors)
