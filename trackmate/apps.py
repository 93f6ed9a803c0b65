"""The app configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.checks import Tags, register
from django.core.signals import got_request_exception
from django.utils.translation import gettext_lazy as _

from trackmate import integrations
from trackmate.capture.events import receivers, undone
from trackmate.capture.model_changes.registration import connect_registered
from trackmate.signals import activities_exported, change_undone


class TrackmateConfig(AppConfig):
    """Connects the receivers and registers the checks."""

    name = "trackmate"
    verbose_name = _("Activity log")

    def ready(self) -> None:
        """Connect the receivers, each with a `dispatch_uid`."""
        from trackmate.checks import check_trackmate  # noqa: PLC0415 (needs the models)

        user_logged_in.connect(receivers.on_login, dispatch_uid="trackmate.login")
        user_logged_out.connect(receivers.on_logout, dispatch_uid="trackmate.logout")
        user_login_failed.connect(receivers.on_login_failed, dispatch_uid="trackmate.login_failed")
        got_request_exception.connect(receivers.on_exception, dispatch_uid="trackmate.exception")
        activities_exported.connect(receivers.on_export, dispatch_uid="trackmate.exported")
        change_undone.connect(undone.on_undo, dispatch_uid="trackmate.undone")
        register(check_trackmate, Tags.compatibility)
        connect_registered()
        integrations.install(at_start=True)
        integrations.install_with_first_request()
