"""The sections that are watched, and how many rows there are."""

ROWS = 1_000
"""Of each model, as many as are loaded and updated at once."""
CHILDREN = 100
"""Rows of an unrecorded model that are deleted at once."""

ONE_BY_ONE = (
    "save in a request",
    "request",
    "save in an atomic request",
    "atomic request",
    "save",
    "save with JSON",
    "create",
    "delete",
)
WHOLE = ("request", "atomic request", "save", "create", "delete")
"""Those of which a log has one change afterwards, and each query was made."""
BULK = ("bulk_update()", "update()")
LOADS = ("load", "load with JSON")
UNRECORDED = ("save, unrecorded", "delete(), unrecorded", "load, unrecorded")
"""What is done to a model that nobody records."""
