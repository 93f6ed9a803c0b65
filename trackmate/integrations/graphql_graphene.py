"""graphene-django: what its view executes."""

from __future__ import annotations

from typing import Any

from graphene_django import views

from trackmate.integrations.graphql_outcomes import (
    current_outcome,
    note_execution,
    note_validation,
    watch_calls,
    watch_results,
)


def install() -> None:
    """Watch what the view calls; there are neither signals nor hooks."""
    watch_calls(views, "validate", note_validation)
    watch_calls(views, "execute", note_execution)
    watch_results(views.GraphQLView, "execute_graphql_request", _note_result)


def _note_result(result: Any) -> None:
    if result is not None and (outcome := current_outcome()) is not None:
        outcome.add_errors(result.errors)
