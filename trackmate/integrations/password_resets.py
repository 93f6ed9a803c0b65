"""Requests to reset a password by e-mail, with Django's form."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any

from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db.models import Model

from trackmate.integrations.account_events import record_reset_request
from trackmate.integrations.wrapping import call_before
from trackmate.pipeline import never_raise

_accounts: ContextVar[list[Model] | None] = ContextVar("trackmate_reset_accounts", default=None)
"""The accounts that a form has made a token for."""


def install() -> None:
    """Wrap the form, for which there is no signal, and what it makes a token with.

    Forms of projects look up and write to the accounts in their own ways, but each gets a token.
    """
    PasswordResetForm.save = _watch_form(PasswordResetForm.save)  # type: ignore[method-assign]
    call_before(PasswordResetTokenGenerator, "make_token", _note_account)


def _watch_form(save: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(save)
    def watched(form: Any, *args: Any, **kwargs: Any) -> Any:
        accounts: list[Model] = []
        token = _accounts.set(accounts)
        try:
            result = save(form, *args, **kwargs)
        finally:
            _accounts.reset(token)
        _record(form, accounts)
        return result

    return watched


@never_raise
def _record(form: Any, accounts: list[Model]) -> None:
    record_reset_request(form.cleaned_data.get("email"), accounts)


def _note_account(_generator: Any, user: Any, *_args: Any, **_kwargs: Any) -> None:
    if (accounts := _accounts.get()) is not None:
        accounts.append(user)
