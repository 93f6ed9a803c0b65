"""The operation named in request data, for GraphQL, JSON-RPC and Ajax endpoints."""

from __future__ import annotations

import re
from typing import Any

NAMES = ("operationName", "method", "action")
"""Names of the field with the operation."""
MAX_OPERATION = 64
"""Maximum length of its name."""
MAX_BATCH = 10
"""Maximum number of operations of a batch."""
_FIRST_FIELD = re.compile(
    r"\s*(?:(?:mutation|query)\b\s*(\w{0,64})[^{]{0,2000})?\{\s*(?:\w{1,64}\s*:\s*)?(\w{1,64})"
)
"""The name of a GraphQL query and its first field."""


def find_operation(data: Any) -> str:
    """Return the names of the operation, or "" if there is none."""
    if type(data) is list:
        return " ".join(find_operation(each) for each in data[:MAX_BATCH] if type(each) is dict)
    if type(data) is not dict:
        return ""
    named = [data[name] for name in NAMES if name in data]
    names = [name for name in named if isinstance(name, str) and len(name) <= MAX_OPERATION]
    query = data.get("query")
    if isinstance(query, str) and "{" in query and (found := _FIRST_FIELD.match(query)):
        names += [found[1] or "", found[2]]
    return " ".join(names)
