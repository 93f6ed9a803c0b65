"""Requests to GraphQL views, described by the operations that were executed for them.

The names are those of the schema. What a client may choose, such as the name of an operation, is
never the name of an action.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.http.response import HttpResponseBase
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    get_operation_ast,
)

from trackmate.activity import Activity
from trackmate.context.scope import current_scope
from trackmate.enums import ActionType, Status

MAX_FIELDS = 3
"""Number of root fields in the name of an action."""
MAX_PATHS, MAX_PATH = 10, 100
"""Number and length of the places of errors that are stored."""
MAX_SELECTIONS = 200
"""Number of selections that are searched for the root fields."""
MAX_NAME = 64
INTROSPECTION = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of a document."""

    type: str
    """query, mutation or subscription."""
    fields: tuple[str, ...]
    """The root fields that it selects, as the schema names them."""
    name: str
    """What the client calls it."""

    @property
    def action(self) -> str:
        """Return the name of its action: "graphql.mutation.createOrder"."""
        fields = "+".join(self.fields[:MAX_FIELDS])
        more = "+…" if len(self.fields) > MAX_FIELDS else ""
        return f"graphql.{self.type}{fields and '.' + fields}{more}"


@dataclass(slots=True)
class GraphQLOutcome:
    """Collects the operations of a request, and describes it when it ends."""

    executed: list[Operation] = field(default_factory=list)
    rejected: list[Operation] = field(default_factory=list)
    """Those that the schema does not allow, as far as they can be read."""
    errors: int = 0
    paths: list[str] = field(default_factory=list)
    """The places of errors in the response."""
    types: Counter[str] = field(default_factory=Counter)
    """The types of exceptions in resolvers."""
    complete: Callable[[GraphQLOutcome], bool] | None = None
    """Adds what is known only at the end; returns False if the view is not about GraphQL."""

    def __call__(self, activity: Activity, _response: HttpResponseBase | None) -> Activity:
        """Return the activity of the request with the action, its type, status and errors."""
        if self.complete is not None and not self.complete(self):
            return activity
        operations = self.executed or self.rejected
        values: dict[str, Any] = {}
        if operations:
            values["action"] = _action_of(operations)
            changes = any(each.type == "mutation" for each in operations)
            values["action_type"] = (ActionType.ACTION if changes else ActionType.READ).value
        elif self.errors:
            values["action"] = "graphql.invalid"
        if self.errors:
            values["status"] = Status.FAILED.value
        if facts := self._facts(operations):
            values["extra"] = {**(activity.extra or {}), "graphql": facts}
        return activity.replace(**values)

    def _facts(self, operations: list[Operation]) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        if len(operations) == 1 and operations[0].name:
            facts["operation"] = operations[0].name
        if len(operations) > 1:
            facts["operations"] = dict(Counter(each.action for each in operations).most_common(20))
        if self.errors:
            facts["errors"] = self.errors
        if self.paths:
            facts["paths"] = self.paths
        if self.types:
            facts["exceptions"] = dict(self.types.most_common(MAX_PATHS))
        return facts

    def add_operation(self, schema: GraphQLSchema, document: DocumentNode, name: Any) -> None:
        """Add the operation that is executed of a document."""
        if (operation := describe_operation(schema, document, name)) is not None:
            self.executed.append(operation)

    def add_rejected(self, schema: GraphQLSchema, document: DocumentNode, name: Any = None) -> None:
        """Add the operation of a document that is being validated."""
        if (operation := describe_operation(schema, document, name)) is not None:
            self.rejected.append(operation)

    def add_errors(self, errors: Iterable[Any] | None) -> None:
        """Count errors, and remember where they are. Their messages may quote secrets."""
        for error in errors or ():
            self.errors += 1
            path = ".".join(map(str, islice(getattr(error, "path", None) or (), 20)))[:MAX_PATH]
            if path and path not in self.paths and len(self.paths) < MAX_PATHS:
                self.paths.append(path)
            if (cause := getattr(error, "original_error", None)) is not None:
                self.types[type(cause).__name__[:MAX_NAME]] += 1


def _action_of(operations: list[Operation]) -> str:
    actions = {each.action for each in operations}
    return actions.pop() if len(actions) == 1 else "graphql.batch"


def current_outcome() -> GraphQLOutcome | None:
    """Return what is known of the current request's operations, or None outside of a request."""
    scope = current_scope()
    if scope is None or scope.closed:
        return None
    if not isinstance(scope.describe_outcome, GraphQLOutcome):
        scope.describe_outcome = GraphQLOutcome()
    return scope.describe_outcome


def describe_operation(
    schema: GraphQLSchema, document: DocumentNode, name: Any = None
) -> Operation | None:
    """Return the operation of a document with this name, or None if it is not the only one."""
    node = get_operation_ast(document, name if isinstance(name, str) and name else None)
    if node is None:
        return None
    root = schema.get_root_type(node.operation)
    known = {*(root.fields if root else ()), *INTROSPECTION}
    fields = dict.fromkeys(each for each in _root_fields(document, node) if each in known)
    client_name = node.name.value[:MAX_NAME] if node.name else ""
    return Operation(node.operation.value, tuple(fields), client_name)


def _root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> Iterator[str]:
    """Yield the names of the fields that an operation selects, also those in fragments."""
    fragments = {
        each.name.value: each
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    waiting: list[Any] = [*reversed(operation.selection_set.selections)]
    for _number in range(MAX_SELECTIONS):
        if not waiting:
            return
        node = waiting.pop()
        if isinstance(node, FieldNode):
            yield node.name.value
            continue
        if isinstance(node, FragmentSpreadNode):
            # Each once, since they may be in a circle.
            node = fragments.pop(node.name.value, None)
        if isinstance(node, (FragmentDefinitionNode, InlineFragmentNode)):
            waiting += reversed(node.selection_set.selections)


def note_execution(
    schema: GraphQLSchema, document: DocumentNode, *_args: Any, **options: Any
) -> None:
    """Remember an execution, from the arguments of graphql-core's `execute()`."""
    if (outcome := current_outcome()) is not None:
        outcome.add_operation(schema, document, options.get("operation_name"))


def note_validation(schema: GraphQLSchema, document: DocumentNode, *_args: Any, **_: Any) -> None:
    """Remember a document, from the arguments of graphql-core's `validate()`."""
    if (outcome := current_outcome()) is not None:
        outcome.add_rejected(schema, document)
