"""Saving an object and its change in one transaction, for models that ask for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import router
from django.db.models import Model

from trackmate.db.transactions import in_transaction


def hold_transactions(model: type[Model]) -> Callable[[], None]:
    """Save objects of a class in a transaction from now on; call the result to end that."""
    inherited = model.__dict__.get("save_base")
    function: Any = model.save_base

    @wraps(function)
    def save_base(self: Model, *args: Any, **kwargs: Any) -> Any:
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with in_transaction(using):
            return function(self, *args, **kwargs)

    model.save_base = save_base  # type: ignore[method-assign]

    def end() -> None:
        if inherited is None:
            del model.save_base
        else:
            model.save_base = inherited  # type: ignore[method-assign]

    return end
