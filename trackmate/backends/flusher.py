"""The background thread that probes a failed database, and stores the spool once it works again.

It starts when something is spooled and ends when the spool is empty. Only one process stores at a
time.
"""

from __future__ import annotations

import atexit
import contextlib
from datetime import UTC, datetime
from threading import Event, RLock, Thread
from time import monotonic

from django.db import connections

from trackmate.backends.circuit import Circuit
from trackmate.backends.connection import use_committing_connection
from trackmate.backends.inserts import can_insert
from trackmate.backends.replay import replay
from trackmate.backends.schemas import AmbiguousTableError, circuit_key, in_schema
from trackmate.conf import get_settings, is_under_test
from trackmate.context.binding import suppress
from trackmate.db.time_limits import limit_time
from trackmate.diagnostics import report, report_once, summarize_error
from trackmate.exceptions import SpoolError
from trackmate.processes import at_fork
from trackmate.spool.locations import get_spools
from trackmate.spool.segments import Spool

CHECK_SECONDS = 5.0
"""How often a spool is checked that another process stores, or whose table is missing."""

PAUSE_FACTOR = 2.0
"""Length of the pause after a batch, relative to the batch: time for the requests."""


def has_waiting_activities() -> bool:
    """Return True if any spool contains activities. Unreadable ones are skipped."""
    return any(_has_waiting(spool) for _schema, spool in get_spools())


def _has_waiting(spool: Spool) -> bool:
    try:
        return not spool.is_empty()
    except SpoolError as error:
        report_once("spool", str(error))
        return False


class Flusher:
    """The background thread of a backend."""

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._is_registered = False
        self._reset()
        at_fork(self._reset)

    def _reset(self) -> None:
        # Reentrant: a signal handler may record something during `wake()`.
        self._lock = RLock()
        self._thread: Thread | None = None
        self._is_woken = False
        self._is_ending = Event()

    def wake(self) -> None:
        """Start the thread unless it is running or under test."""
        if is_under_test():
            return
        # At exit, or with too many threads, none can be started.
        with contextlib.suppress(RuntimeError), self._lock:
            self._is_woken = True
            if self._thread is None or not self._thread.is_alive():
                thread = Thread(target=self._run, name="trackmate-flusher", daemon=True)
                thread.start()
                if not self._is_registered:
                    atexit.register(self._end)
                    self._is_registered = True
                self._thread = thread

    def _end(self) -> None:
        """Let the thread finish at exit, within `WRITE_TIMEOUT`."""
        self._is_ending.set()
        if (thread := self._thread) is not None:
            thread.join(get_settings().WRITE_TIMEOUT)

    def _run(self) -> None:
        with suppress():
            try:
                while self._run_once():
                    self._is_ending.wait(min(self._circuit.next_probe(), CHECK_SECONDS))
            except Exception as error:  # noqa: BLE001 (the next failure starts another thread)
                report("failed", f"flusher: {summarize_error(error)}")
            finally:
                connections[get_settings().DATABASE].close()

    def _run_once(self) -> bool:
        """Probe and store once; return True if the thread must continue."""
        self._is_woken = False
        is_left = self._step()
        if self._is_ending.is_set():
            return False
        with self._lock:
            if not is_left and not self._is_woken:
                # From here on `wake()` starts another thread.
                self._thread = None
                return False
        return True

    def _step(self) -> bool:
        """Probe and store; return True if anything is left."""
        with use_committing_connection(get_settings().DATABASE):
            for schema in self._circuit.due():
                if self._accepts_rows(schema):
                    self._circuit.close(schema)
                else:
                    self._circuit.probe_failed(schema)
            for schema, spool in get_spools():
                self._drain(schema, spool)
        return self._circuit.has_failures or has_waiting_activities()

    def _accepts_rows(self, schema: str) -> bool:
        settings = get_settings()
        alias, connection = settings.DATABASE, connections[settings.DATABASE]
        try:
            with limit_time(alias, settings.WRITE_TIMEOUT), in_schema(connection, schema):
                is_well = can_insert(alias, datetime.now(UTC))
        except AmbiguousTableError:
            # The server responds, and writers know their schema.
            is_well = True
        except Exception:  # noqa: BLE001 (whatever a driver raises)
            is_well = False
        if not is_well:
            connection.close()
        return is_well

    def _drain(self, schema: str, spool: Spool) -> None:
        """Store the spool of a schema, if its circuit is closed."""
        settings = get_settings()
        try:
            key = circuit_key(connections[settings.DATABASE], schema)
            if not _has_waiting(spool) or self._circuit.is_open(key):
                return
            with spool.draining() as may_drain:
                started = monotonic()
                for outcome in replay(spool, schema, settings.WRITE_TIMEOUT) if may_drain else ():
                    if outcome.error is not None:
                        reason = summarize_error(outcome.error)
                        report("delayed", reason, count=len(outcome.waiting))
                    self._is_ending.wait(PAUSE_FACTOR * (monotonic() - started))
                    started = monotonic()
        except SpoolError as error:
            report("delayed", str(error))
        except Exception as error:  # noqa: BLE001 (whatever a driver raises)
            report("delayed", summarize_error(error))
