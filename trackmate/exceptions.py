"""The errors that trackmate raises, none of them while a request is recorded."""


class TrackmateError(Exception):
    """Base class of trackmate's errors."""


class SpoolError(TrackmateError):
    """The spool directory cannot be read or written."""


class SpoolFullError(SpoolError):
    """The spool has reached its maximum size, or its disk is nearly full."""


class NotStoredError(TrackmateError):
    """Some activities of the spool cannot be stored now and stay in it."""

    def __init__(self, stored: int, reason: str) -> None:
        super().__init__(f"{stored} activities were stored, others still wait: {reason}")
        self.stored = stored


class TriggerError(TrackmateError):
    """The triggers of a model cannot be installed, removed or checked."""
