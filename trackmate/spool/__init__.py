"""The spool: activities that wait in files until the database of the log takes them."""

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
