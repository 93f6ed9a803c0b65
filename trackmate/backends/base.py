"""The interface of all backends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from django.core.checks import CheckMessage

from trackmate.activity import Activity
from trackmate.spool.segments import Rejected


class BaseBackend(ABC):
    """Base class of backends. `BACKEND_OPTIONS` are the keyword arguments."""

    blocks = True
    """Whether `send()` does I/O and must not run in an event loop."""

    @abstractmethod
    def send(self, activities: Sequence[Activity]) -> None:
        """Store processed activities. The pipeline reports errors."""

    def flush(self, timeout: float | None = None, *, unknown_schema: str | None = None) -> int:
        """Store waiting activities for at most `timeout` seconds, and return their number.

        Activities whose schema is not known are stored in `unknown_schema`.
        """
        return 0

    def rejected(self) -> Sequence[Rejected]:
        """Return the activities that were set aside, since the database rejects them."""
        return ()

    def retry_rejected(self, *, unknown_schema: str | None = None) -> int:
        """Try to store the activities that were set aside, and return the number of stored ones."""
        return 0

    def thread_context(self) -> AbstractContextManager[None]:
        """Return a context manager for another thread that calls `send()` in place of this one."""
        return nullcontext()

    def close(self) -> None:  # noqa: B027 (optional)
        """Release the resources of this thread."""

    def check(self) -> list[CheckMessage]:
        """Return messages for `manage.py check`."""
        return []
