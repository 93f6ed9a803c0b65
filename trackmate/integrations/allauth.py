"""Accounts of allauth: sign-ups, passwords, e-mail addresses, second factors, social accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from allauth.account import signals
from allauth.account.forms import ResetPasswordForm
from allauth.account.internal import flows
from django.apps import apps
from django.db.models import Model
from django.dispatch import Signal
from django.http import HttpRequest

from trackmate.activity import Target
from trackmate.capture.events.receivers import is_tracked, record_auth_event
from trackmate.enums import ActionType, Status
from trackmate.integrations.account_events import (
    account_of,
    describe_account,
    record_account_event,
    record_request_for,
    record_reset_request,
)
from trackmate.integrations.wrapping import call_after
from trackmate.pipeline import never_raise


def install() -> None:
    """Connect the signals, and wrap what sends none: the form to reset, and logins by a code."""
    _connect(signals.user_signed_up, _on_signup)
    _connect(signals.password_changed, _record_as("auth.password.change"))
    _connect(signals.password_set, _record_as("auth.password.set"))
    _connect(signals.password_reset, _record_as("auth.password.reset"))
    _connect(signals.email_added, _on_email_added)
    _connect(signals.email_changed, _on_email_changed)
    _connect(signals.email_confirmed, _on_email_confirmed)
    _connect(signals.email_removed, _on_email_removed)
    # Codes are newer than the other signals.
    _connect(getattr(signals, "login_code_rejected", None), _on_login_code_rejected)
    _connect(
        getattr(signals, "password_reset_code_rejected", None),
        _record_as("auth.password.reset", status=Status.FAILED.value),
    )
    _connect(
        getattr(signals, "email_verification_code_rejected", None),
        _record_as("auth.email.confirm", status=Status.FAILED.value),
    )
    if apps.is_installed("allauth.mfa"):
        _install_mfa()
    if apps.is_installed("allauth.socialaccount"):
        _install_social()
    for form in _reset_forms():
        call_after(form, "save", _record_reset)
    # Newer than the others, and named by no public module.
    flow = getattr(flows, "login_by_code", None)
    if (process := getattr(flow, "LoginCodeVerificationProcess", None)) is not None:
        call_after(process, "initiate", _record_code_request)


def _install_mfa() -> None:
    from allauth.mfa import signals as mfa  # noqa: PLC0415 (has models)

    _connect(mfa.authenticator_added, _on_authenticator("auth.mfa.add"))
    _connect(mfa.authenticator_removed, _on_authenticator("auth.mfa.remove"))
    _connect(mfa.authenticator_reset, _on_authenticator("auth.mfa.recovery_codes"))
    _connect(mfa.authenticator_used, _on_authenticator("auth.mfa.use", ActionType.ACTION))
    if (failed := getattr(mfa, "authentication_failed", None)) is not None:
        action_type, status = ActionType.ACTION, Status.FAILED.value
        _connect(failed, _on_authenticator("auth.mfa.failed", action_type, status=status))


def _install_social() -> None:
    from allauth.socialaccount import signals as social  # noqa: PLC0415 (has models)

    # `social_account_updated` is sent with every login.
    _connect(social.social_account_added, _on_social_added)
    _connect(social.social_account_removed, _on_social_removed)


def _connect(signal: Signal | None, receiver: Callable[..., Any]) -> None:
    if signal is not None:
        signal.connect(receiver, weak=False, dispatch_uid="trackmate.allauth")


def _record_as(action: str, **values: Any) -> Callable[..., Any]:
    """Return a receiver that records an event of its user."""

    @never_raise
    def on_event(*, user: Any = None, **_kwargs: Any) -> None:
        record_account_event(action, user, **values)

    return on_event


@never_raise
def _on_signup(*, user: Any = None, **_kwargs: Any) -> None:
    record_account_event("auth.signup", user, action_type=ActionType.CREATE)


# --- e-mail addresses ------------------------------------------------------------------------


@never_raise
def _on_email_added(*, email_address: Any, **_kwargs: Any) -> None:
    _record_email("auth.email.add", email_address, [None, email_address.email])


@never_raise
def _on_email_removed(*, email_address: Any, **_kwargs: Any) -> None:
    _record_email("auth.email.remove", email_address, [email_address.email, None])


@never_raise
def _on_email_changed(
    *, from_email_address: Any = None, to_email_address: Any, **_kwargs: Any
) -> None:
    old = from_email_address.email if from_email_address is not None else None
    _record_email("auth.email.change", to_email_address, [old, to_email_address.email])


@never_raise
def _on_email_confirmed(*, email_address: Any, **_kwargs: Any) -> None:
    account, email = account_of(email_address), email_address.email
    record_account_event("auth.email.confirm", account, extra={"email": email})


def _record_email(action: str, address: Model, change: list[str | None]) -> None:
    record_account_event(action, account_of(address), changes={"email": change})


# --- codes, second factors and social accounts -----------------------------------------------


@never_raise
def _on_login_code_rejected(*, request: HttpRequest, user: Any = None, **_kwargs: Any) -> None:
    """Record a failed login, for which Django sends no signal."""
    if is_tracked():
        record_auth_event(
            request,
            ActionType.LOGIN_FAILED,
            action="auth.login",
            status=Status.FAILED.value,
            target=describe_account(user),
        )


def _on_authenticator(
    action: str, action_type: str = ActionType.UPDATE, **values: Any
) -> Callable[..., Any]:
    """Return a receiver that records an event of an authenticator."""

    @never_raise
    def on_event(*, user: Any = None, authenticator: Any = None, **_kwargs: Any) -> None:
        method = getattr(authenticator, "type", "")
        is_new_codes = action == "auth.mfa.add" and method == "recovery_codes"
        record_account_event(
            "auth.mfa.recovery_codes" if is_new_codes else action,
            user,
            action_type=action_type,
            extra={"method": str(method)},
            **values,
        )

    return on_event


@never_raise
def _on_social_added(*, sociallogin: Any, **_kwargs: Any) -> None:
    _record_social("auth.social.connect", sociallogin.user, sociallogin.account)


@never_raise
def _on_social_removed(*, socialaccount: Any, **_kwargs: Any) -> None:
    _record_social("auth.social.disconnect", account_of(socialaccount), socialaccount)


def _record_social(action: str, account: Model | Target, social: Any) -> None:
    record_account_event(action, account, extra={"provider": social.provider})


# --- password resets -------------------------------------------------------------------------


def _reset_forms() -> Iterable[Any]:
    yield ResetPasswordForm
    if apps.is_installed("dj_rest_auth"):
        from dj_rest_auth.forms import AllAuthPasswordResetForm  # noqa: PLC0415 (optional)

        # It does not call the form that it is derived from.
        yield AllAuthPasswordResetForm


def _record_reset(_result: Any, form: Any, *_args: Any, **_kwargs: Any) -> None:
    record_reset_request(form.cleaned_data.get("email"), form.users)


# --- logins by a code ------------------------------------------------------------------------


def _record_code_request(
    _result: Any,
    _process: Any,
    *_args: Any,
    user: Any = None,
    email: Any = None,
    phone: Any = None,
    stage: Any = None,
    **_kwargs: Any,
) -> None:
    # With a stage the code is a step of a login that has begun by other means.
    if stage is None:
        typed = {"email": email} if email else {"phone": phone}
        accounts = [] if user is None else [user]
        record_request_for("auth.login.code_request", typed, accounts)
