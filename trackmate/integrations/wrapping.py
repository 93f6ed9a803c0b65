"""Wrapping functions of other packages that have no signal for what integrations need."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import getattr_static
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from trackmate.pipeline import never_raise

_NOTES = "_trackmate_notes"
"""The attribute of a wrapped function for whatever is called with it, each once."""


def call_before(owner: Any, name: str, note: Callable[..., Any]) -> None:
    """Call `note(*args, **kwargs)` before each call of a function of a class or a module.

    It may be sync or async, or a class method, whose first argument is the class. An error in
    `note` is reported, not raised.
    """
    function, safe_note = _function(owner, name), never_raise(note)

    @wraps(function)
    def watched(*args: Any, **kwargs: Any) -> Any:
        safe_note(*args, **kwargs)
        return function(*args, **kwargs)

    _replace(owner, name, watched, note)


def call_after(owner: Any, name: str, note: Callable[..., Any]) -> None:
    """Call `note(result, *args, **kwargs)` after each call that has not raised, as above."""
    function, safe_note = _function(owner, name), never_raise(note)

    @wraps(function)
    def watched(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if isinstance(result, Coroutine):
            return _call_when_done(result, safe_note, args, kwargs)
        safe_note(result, *args, **kwargs)
        return result

    _replace(owner, name, watched, note)


async def _call_when_done(
    coroutine: Coroutine[Any, Any, Any],
    note: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    result = await coroutine
    note(result, *args, **kwargs)
    return result


def _function(owner: Any, name: str) -> Callable[..., Any]:
    """Return a function of an owner, of a class method the one that takes the class."""
    function: Any = getattr(owner, name)
    found: Callable[..., Any] = function.__func__ if _is_class_method(owner, name) else function
    return found


def _is_class_method(owner: Any, name: str) -> bool:
    return isinstance(getattr_static(owner, name, None), classmethod)


def _replace(owner: Any, name: str, watched: Callable[..., Any], note: Callable[..., Any]) -> None:
    function = _function(owner, name)
    notes = getattr(function, _NOTES, ())
    if note in notes:
        return  # installed twice
    setattr(watched, _NOTES, (*notes, note))
    if iscoroutinefunction(function):
        markcoroutinefunction(watched)
    setattr(owner, name, classmethod(watched) if _is_class_method(owner, name) else watched)
