"""Errors while recording: always counted, logged once a minute."""

from __future__ import annotations

import logging
import sysconfig
from collections import Counter
from threading import RLock
from time import monotonic
from traceback import walk_tb

from trackmate.db.errors import is_database_error, primary_message
from trackmate.processes import at_fork

logger = logging.getLogger("trackmate")

QUIET_SECONDS = 60.0
"""Time between two log lines for the same outcome, so that an outage does not flood the log."""

counts: Counter[str] = Counter()
"""Activities of this process by outcome.

"spooled": stored later, "delayed": still not stored, "rejected": set aside, "dropped": lost,
"failed": incomplete.
"""

_lock = RLock()
"""Reentrant: a signal handler may record something during a report."""
_silent_until: dict[str, float] = {}
_since: Counter[str] = Counter()
_reported: set[tuple[str, str]] = set()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 (its owner does not exist in this process)
    _lock = RLock()


at_fork(_renew_lock)


def report(outcome: str, message: str, *, count: int = 1, level: int = logging.ERROR) -> None:
    """Count activities with an outcome, and log `message` once a minute for each outcome."""
    with _lock:
        counts[outcome] += count
        _since[outcome] += count
        if monotonic() < _silent_until.get(outcome, 0.0):
            return
        _silent_until[outcome] = monotonic() + QUIET_SECONDS
        number = _since.pop(outcome)
    logger.log(level, "%s %s: %s", number, outcome, message)


def report_once(subject: str, message: str) -> None:
    """Log a warning about the environment, once per process."""
    with _lock:
        if (subject, message) in _reported:
            return
        _reported.add((subject, message))
    logger.warning("%s: %s", subject, message)


def reset() -> None:
    """Clear all counts, for tests."""
    with _lock:
        counts.clear()
        _since.clear()
        _silent_until.clear()
        _reported.clear()


def summarize_error(error: BaseException) -> str:
    """Return an error's type and location, without its text, which may contain secrets.

    For a database error, include its primary message without values.
    """
    places = _places(error)
    where = f" at {places[-1]}" if places else ""
    message = f": {primary_message(error)}" if is_database_error(error) else ""
    return f"{type(error).__name__}{where}{message}"


def describe_exception(error: BaseException) -> dict[str, str]:
    """Return an exception's type, message and location for a row.

    The location is the last line of the project's code, if there is one. The message of a database
    error has no values.
    """
    try:
        message = primary_message(error) if is_database_error(error) else str(error)
    except Exception:  # noqa: BLE001 (a broken __str__ of the host's must not cost the activity)
        message = ""
    places = _places(error)
    in_project = [place for place in places if not place.startswith(_FOREIGN_CODE)]
    place = (in_project or places or [""])[-1]
    return {"type": type(error).__qualname__, "message": message, "place": place}


def _places(error: BaseException) -> list[str]:
    """Return the lines of the traceback, the one that raised the error last."""
    return [f"{frame.f_code.co_filename}:{line}" for frame, line in walk_tb(error.__traceback__)]


_FOREIGN_CODE = (*(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")), "<")
"""Path prefixes of Python itself, of installed packages and of generated code."""
