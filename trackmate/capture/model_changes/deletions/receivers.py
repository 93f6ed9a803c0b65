"""The receivers that record what a deletion takes away."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from trackmate.capture.model_changes.deletions.deletion import Deletion
from trackmate.capture.model_changes.deletions.dependents import models_of
from trackmate.capture.model_changes.links import links_through, record_through_delete
from trackmate.capture.model_changes.statements import statements_of
from trackmate.db.commitments import call_at_end
from trackmate.pipeline import is_recording, never_raise


@never_raise
def before_delete(*, instance: Model, using: str, origin: Any = None, **_kwargs: Any) -> None:
    """Note an object that is about to be deleted."""
    if not is_recording():
        return
    deletion = _deletion(instance, using, origin)
    if deletion.is_over:
        # The same object or queryset again, after it was saved again.
        statements_of(using).deletions.remove(deletion)
        deletion = _deletion(instance, using, origin)
    deletion.add(instance)


@never_raise
def after_delete(*, instance: Model, using: str, origin: Any = None, **_kwargs: Any) -> None:
    """Record the deletion of an object."""
    if not is_recording():
        return
    deletion = _deletion(instance, using, origin)
    try:
        deletion.record(instance)
    finally:
        deletion.end()


@never_raise
def after_through_delete(
    *, instance: Model, using: str, origin: Any = None, **_kwargs: Any
) -> None:
    """Record that a link is gone, which was an object of a through model."""
    if is_recording() and links_through(type(instance)):
        deletion = _deletion(instance, using, origin)
        record_through_delete(instance, using, deletion.cause_of(instance), deletion.instances)


def _deletion(instance: Model, using: str, origin: Any) -> Deletion:
    origin = instance if origin is None else origin
    deletions = statements_of(using).deletions
    for each in reversed(deletions):
        if each.origin is origin:
            found: Deletion = each
            return found
    # Django deletes in a transaction. That of a test case does not end here.
    call_at_end(using, deletions.clear)
    deletion = Deletion(origin, using)
    statements_of(using).add_deletion(deletion)
    if isinstance(origin, Model):
        for model in models_of(type(origin)):
            deletion.instances[model, origin.pk] = origin
    return deletion
