"""The errors that trackmate raises, all of them away from the request path."""


class TrackmateError(Exception):
    """Base of every error of ours."""


class SpoolError(TrackmateError):
    """The spool directory cannot take or give a segment."""
