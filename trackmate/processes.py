"""What a forked process must not inherit."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import MethodType
from typing import Any
from weakref import WeakMethod


def at_fork(forget: Callable[[], object]) -> None:
    """Call `reset` in each process that is forked from this one, before anything else runs in it.

    Other threads are not there, but what they had locked is. A method is called as long as there is
    somebody else who needs its object.
    """
    if not hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        return
    kept: Any = WeakMethod(forget) if isinstance(forget, MethodType) else lambda: forget

    def call() -> None:
        if (found := kept()) is not None:
            found()

    os.register_at_fork(after_in_child=call)
