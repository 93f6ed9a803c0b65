"""Backends and processors that fail as writers do."""

from django.utils.module_loading import import_string

from trackmate.backends.base import BaseBackend

ERRORS = ["django.db.DatabaseError", "builtins.UnicodeError", "builtins.RecursionError"]
ERRORS += ["builtins.MemoryError"]


class FailingBackend(BaseBackend):
    """Raise the error that `BACKEND_OPTIONS` names."""

    def __init__(self, error):
        self.error = import_string(error)

    def send(self, activities):
        raise self.error("the writer failed")


def failing_processor(error):
    """Return a processor that raises the error of this dotted path."""

    def fail(_activity):
        raise import_string(error)("the processor failed")

    return fail
