"""Second factors of django-otp, and of packages with its devices, such as two-factor-auth."""

from __future__ import annotations

from typing import Any

import django_otp
from django.contrib.auth.signals import user_logged_in
from django.db.models import Model
from django.db.models.signals import post_delete, post_init, post_save
from django_otp import forms

from trackmate.activity import label_of
from trackmate.enums import ActionType, Status
from trackmate.integrations.account_events import account_of, record_account_event
from trackmate.pipeline import never_raise

_UNCONFIRMED = "_trackmate_unconfirmed"


def install() -> None:
    """Connect the signals of logins, of devices, and of backup codes."""
    user_logged_in.connect(_on_login, dispatch_uid="trackmate.otp")
    # Since django-otp 1.7.
    if (failed := getattr(forms, "otp_verification_failed", None)) is not None:
        failed.connect(_on_failure, dispatch_uid="trackmate.otp")
    for device in django_otp.device_classes():
        post_init.connect(_after_init, sender=device, dispatch_uid="trackmate.otp")
        post_save.connect(_after_save, sender=device, dispatch_uid="trackmate.otp")
        post_delete.connect(_after_delete, sender=device, dispatch_uid="trackmate.otp")
        if device._meta.label_lower == "otp_static.staticdevice":
            codes = device._meta.get_field("token_set").related_model
            post_save.connect(_after_code, sender=codes, dispatch_uid="trackmate.otp")


@never_raise
def _on_login(*, user: Any = None, **_kwargs: Any) -> None:
    """Record the device with which somebody has logged in."""
    if (device := getattr(user, "otp_device", None)) is not None:
        record_account_event(
            "auth.mfa.use", user, action_type=ActionType.ACTION, extra=_describe(device)
        )


@never_raise
def _on_failure(*, user: Any = None, **_kwargs: Any) -> None:
    record_account_event(
        "auth.mfa.failed", user, action_type=ActionType.ACTION, status=Status.FAILED.value
    )


@never_raise
def _after_init(*, instance: Any, **_kwargs: Any) -> None:
    # A device counts from its confirmation on, which is a later save.
    if instance.__dict__.get("confirmed") is False:
        instance.__dict__[_UNCONFIRMED] = True


@never_raise
def _after_save(*, instance: Any, created: bool, raw: bool, using: str, **_kwargs: Any) -> None:
    if raw or instance.__dict__.get("confirmed") is not True:
        return
    was_unconfirmed = instance.__dict__.pop(_UNCONFIRMED, False)
    if (created or was_unconfirmed) and not _holds_codes(instance):
        record_account_event(
            "auth.mfa.add", account_of(instance), alias=using, extra=_describe(instance)
        )


@never_raise
def _after_delete(*, instance: Any, using: str, **_kwargs: Any) -> None:
    if instance.__dict__.get("confirmed") is not False:
        record_account_event(
            "auth.mfa.remove", account_of(instance), alias=using, extra=_describe(instance)
        )


@never_raise
def _after_code(*, instance: Any, created: bool, raw: bool, using: str, **_kwargs: Any) -> None:
    """Record new backup codes; those of one request are one event."""
    if created and not raw:
        record_account_event("auth.mfa.recovery_codes", account_of(instance.device), alias=using)


def _holds_codes(device: Model) -> bool:
    """Return True for a device that exists as soon as the page of the backup codes is shown."""
    return device._meta.label_lower == "otp_static.staticdevice"


def _describe(device: Model) -> dict[str, str]:
    return {"method": label_of(type(device))}
