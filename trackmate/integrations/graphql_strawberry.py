"""Strawberry: what its Django views execute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from strawberry.django.views import BaseView
from strawberry.schema import Schema

from trackmate.context.scope import Scope, current_scope
from trackmate.integrations.graphql_outcomes import GraphQLOutcome, current_outcome
from trackmate.integrations.wrapping import call_before


def install() -> None:
    """Watch the schemas: extensions belong to each of them, and see no query without a document."""
    call_before(Schema, "create_extensions_runner", _note_execution)


def _note_execution(_schema: Any, execution_context: Any, *_args: Any) -> None:
    scope, outcome = current_scope(), current_outcome()
    if scope is None or outcome is None:
        return
    if not isinstance(outcome.complete, _Executions):
        outcome.complete = _Executions(scope)
    outcome.complete.contexts.append(execution_context)


@dataclass(slots=True)
class _Executions:
    """The executions of a request; each has its document and its result once it is over."""

    scope: Scope
    contexts: list[Any] = field(default_factory=list)

    def __call__(self, outcome: GraphQLOutcome) -> bool:
        match = self.scope.request.resolver_match
        view_class = getattr(match and match.func, "view_class", BaseView)
        if not issubclass(view_class, BaseView):
            # Another view that uses a schema itself.
            return False
        for context in self.contexts:
            if (document := context.graphql_document) is not None:
                outcome.add_operation(context.schema._schema, document, context.operation_name)
            errors = getattr(context.result, "errors", None) or context.pre_execution_errors
            outcome.add_errors(errors)
        return True
