"""What a forked process must not inherit."""

from __future__ import annotations

import os
from collections.abc import Callable


def at_fork(forget: Callable[[], object]) -> None:
    """Call `forget` in each process that is forked from this one, before anything else runs in it.

    Other threads are not there, but what they had locked is.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        os.register_at_fork(after_in_child=forget)
