"""Django's tasks (`django.tasks`, or the package django-tasks): each run.

The database backend (django-tasks-db) keeps the actor of whoever has enqueued it, too. The other
backends have no place for it.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

from django.apps import apps
from django.db.models.signals import pre_save

from trackmate.capture.events.tasks import HEADER, begin_task, current_origin, end_task
from trackmate.integrations import can_import
from trackmate.pipeline import never_raise

FAILED = "FAILED"

WAITING_TASK = "django_tasks_database.DBTaskResult"
"""The model of tasks that wait in the database."""


def install() -> None:
    """Connect the signals of whatever the project has."""
    # The package may be installed beside Django's own without being used.
    if can_import("django.tasks"):
        _connect("django.tasks.signals")
    if apps.is_installed("django_tasks"):
        _connect("django_tasks.signals")
    with suppress(LookupError):
        waiting = apps.get_model(WAITING_TASK)
        pre_save.connect(_on_save, sender=waiting, dispatch_uid="trackmate.enqueue")


def _connect(module: str) -> None:
    signals = import_module(module)
    signals.task_started.connect(_on_start, dispatch_uid="trackmate.start")
    signals.task_finished.connect(_on_finish, dispatch_uid="trackmate.finish")


@never_raise
def _on_save(*, instance: Any, **_kwargs: Any) -> None:
    if instance._state.adding and (origin := current_origin()):
        # Beside the arguments, which the worker takes by their names.
        instance.args_kwargs = {**instance.args_kwargs, HEADER: origin}


@never_raise
def _on_start(*, task_result: Any, **_kwargs: Any) -> None:
    row = getattr(task_result, "db_result", None)
    begin_task(
        task_result.task.module_path,
        str(task_result.id),
        origin=row and row.args_kwargs.get(HEADER),
        queue=task_result.task.queue_name,
        attempt=len(task_result.worker_ids) or 1,
    )


@never_raise
def _on_finish(*, task_result: Any, **_kwargs: Any) -> None:
    has_failed = task_result.status == FAILED
    # Sent while the exception is handled.
    end_task(str(task_result.id), sys.exc_info()[1] if has_failed else None)
