"""Resetting state that a forked process must not inherit."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import MethodType
from typing import Any
from weakref import WeakMethod


def at_fork(reset: Callable[[], object]) -> None:
    """Call `reset` in each forked process, which inherits locks but not the threads that hold them.

    A method is referenced weakly: it is not called once its object is gone.
    """
    if not hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        return
    get_reset: Any = WeakMethod(reset) if isinstance(reset, MethodType) else lambda: reset

    def call() -> None:
        if (function := get_reset()) is not None:
            function()

    os.register_at_fork(after_in_child=call)
