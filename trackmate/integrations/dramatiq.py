"""Dramatiq: each run of a task, with the actor of whoever has sent it."""

from __future__ import annotations

from typing import Any

from dramatiq import broker as brokers
from dramatiq.middleware import Middleware

from trackmate.capture.events.tasks import HEADER, begin_task, current_origin, end_task
from trackmate.integrations.wrapping import call_after
from trackmate.pipeline import never_raise


class OriginMiddleware(Middleware):  # type: ignore[misc]
    """Keeps the origin in the options of a message, and records its run."""

    @never_raise
    def before_enqueue(self, _broker: Any, message: Any, _delay: Any) -> None:
        """Add the origin; a message that is sent again keeps what it has."""
        if origin := current_origin():
            message.options[HEADER] = origin

    @never_raise
    def before_process_message(self, _broker: Any, message: Any) -> None:
        """Begin a run."""
        begin_task(
            message.actor_name,
            message.message_id,
            origin=message.options.get(HEADER),
            queue=message.queue_name,
            attempt=(message.options.get("retries") or 0) + 1,
        )

    @never_raise
    def after_process_message(
        self,
        _broker: Any,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """End a run."""
        end_task(message.message_id, exception)

    @never_raise
    def after_skip_message(self, _broker: Any, message: Any) -> None:
        """End a run that another middleware has refused."""
        end_task(message.message_id, state="SKIPPED")


def install() -> None:
    """Add the middleware to each broker, which the project makes whenever it likes."""
    call_after(brokers.Broker, "__init__", _add_middleware)
    if brokers.global_broker is not None:
        _add_middleware(None, brokers.global_broker)


def _add_middleware(_result: None, broker: Any, *_args: Any, **_kwargs: Any) -> None:
    if not any(isinstance(each, OriginMiddleware) for each in broker.middleware):
        # The first, so that what other middleware sends after a run belongs to it: retries, pipes.
        broker.middleware.insert(0, OriginMiddleware())
