"""The spool: files of activities that the database could not store yet."""

from trackmate.spool.locations import default_directory, find_left_behind, get_spool, get_spools
from trackmate.spool.segments import (
    MAX_BYTES,
    MIN_FREE_BYTES,
    OPEN,
    REJECTED,
    SEALED,
    Limits,
    Rejected,
    Segment,
    Spool,
)

__all__ = [
    "MAX_BYTES",
    "MIN_FREE_BYTES",
    "OPEN",
    "REJECTED",
    "SEALED",
    "Limits",
    "Rejected",
    "Segment",
    "Spool",
    "default_directory",
    "find_left_behind",
    "get_spool",
    "get_spools",
]
