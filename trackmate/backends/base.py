"""What a backend is: the narrow waist between capture and whatever keeps the activities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from django.core.checks import CheckMessage

from trackmate.activity import Activity
from trackmate.spool import Rejected


class BaseBackend(ABC):
    """Base of all backends; `BACKEND_OPTIONS` are its keyword arguments."""

    blocks = True
    """Whether `send()` waits for a disk or a network, and so must stay out of an event loop."""

    @abstractmethod
    def send(self, activities: Sequence[Activity]) -> None:
        """Take activities, processed and safe to store. May raise; the pipeline reports it."""

    def flush(self, timeout: float | None = None, *, unknown_schema: str | None = None) -> int:
        """Store what still waits, for at most `timeout` seconds, and return how many that were.

        `unknown_schema` is where to store what belongs to a schema that is not known.
        """
        return 0

    def rejected(self) -> Sequence[Rejected]:
        """Return what was set aside, since it can never be stored as it is."""
        return ()

    def retry_rejected(self, *, unknown_schema: str | None = None) -> int:
        """Try to store what was set aside, and return how many activities were stored."""
        return 0

    def thread_context(self) -> AbstractContextManager[None]:
        """Return what another thread has to be in while it calls `send()` for this one."""
        return nullcontext()

    def close(self) -> None:  # noqa: B027 (most hold nothing)
        """Give back what this thread holds."""

    def check(self) -> list[CheckMessage]:
        """Return what a system check should say of this backend's surroundings."""
        return []
