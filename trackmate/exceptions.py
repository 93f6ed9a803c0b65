"""The errors that trackmate raises, all of them away from the request path."""


class TrackmateError(Exception):
    """Base of every error of ours."""


class SpoolError(TrackmateError):
    """The spool directory cannot take or give a segment."""


class SpoolFullError(SpoolError):
    """The spool has reached its size, or its disk is nearly full."""


class NotStoredError(TrackmateError):
    """Something that waits in the spool cannot be stored now; it is kept there."""

    def __init__(self, stored: int, reason: str) -> None:
        super().__init__(f"{stored} activities were stored, others still wait: {reason}")
        self.stored = stored
