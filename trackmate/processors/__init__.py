"""The processors: each returns the activity, a changed copy, or None to drop it.

`TRACKMATE["PROCESSORS"]` lists them in the order in which they run.
"""

from __future__ import annotations

from collections.abc import Callable

from django.utils.module_loading import import_string

from trackmate.activity import Activity
from trackmate.conf import get_settings, per_settings
from trackmate.db.transactions import protected_transactions
from trackmate.processors.cleaning import LENGTHS, clean, without_payload
from trackmate.processors.enriching import enrich
from trackmate.processors.filtering import exclude, is_excluded, sample
from trackmate.processors.masking import WITHHELD, mask_known_secrets, redact

__all__ = [
    "LENGTHS",
    "WITHHELD",
    "Processor",
    "clean",
    "enrich",
    "exclude",
    "get_processors",
    "is_excluded",
    "mask_known_secrets",
    "redact",
    "sample",
    "without_payload",
]


Processor = Callable[[Activity], Activity | None]
"""The type of a processor."""


@per_settings
def get_processors() -> tuple[Processor, ...]:
    """Return the configured processors. Raise ImportError for an invalid path."""
    return tuple(
        _protected(import_string(item) if isinstance(item, str) else item)
        for item in get_settings().PROCESSORS
    )


def _protected(processor: Processor) -> Processor:
    """Run a custom processor so that a failing query does not break a transaction."""
    if getattr(processor, "__module__", "").startswith(__name__):
        return processor
    return protected_transactions()(processor)
