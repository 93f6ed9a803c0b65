"""Helpers for the tests of projects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.test.utils import override_settings

from trackmate.activity import Activity
from trackmate.backends import locmem
from trackmate.conf import given_settings


@contextmanager
def capture_activities(**settings: Any) -> Iterator[list[Activity]]:
    """Collect activities in a list instead of sending them; keywords override `TRACKMATE`.

    >>> with capture_activities() as activities:
    ...     client.post("/orders/", {"number": 7})
    >>> assert activities[0].action == "orders/"
    """
    backend = "trackmate.backends.locmem.LocmemBackend"
    outer, locmem.outbox = locmem.outbox, []
    changed = {**given_settings(), "BACKEND_OPTIONS": {}, **settings, "BACKEND": backend}
    try:
        with override_settings(TRACKMATE=changed):
            yield locmem.outbox
    finally:
        locmem.outbox = outer
