"""Saying what went wrong on the recording side: counted always, logged once a minute."""

from __future__ import annotations

import logging
import sysconfig
from collections import Counter
from threading import RLock
from time import monotonic
from traceback import walk_tb

from trackmate.db.errors import is_database_error, message_without_values, primary_message
from trackmate.processes import at_fork

logger = logging.getLogger("trackmate")

QUIET_SECONDS = 60.0
"""One line a minute for each kind: a database that is down must not flood the log as well."""

counts: Counter[str] = Counter()
"""Activities by what became of them in this process.

"spooled" wait, "delayed" still do, "rejected" were set aside, "dropped" are lost, "failed" are not
what they should have been.
"""

_lock = RLock()
"""A signal handler or the garbage collector may record something in the middle of a report."""
_silent_until: dict[str, float] = {}
_since: Counter[str] = Counter()
_reported: set[tuple[str, str]] = set()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 (nobody is there to release the former one)
    _lock = RLock()


at_fork(_renew_lock)


def report(kind: str, message: str, *, count: int = 1, level: int = logging.ERROR) -> None:
    """Count `count` activities of a kind, and log `message` unless that was done a moment ago."""
    with _lock:
        counts[kind] += count
        _since[kind] += count
        if monotonic() < _silent_until.get(kind, 0.0):
            return
        _silent_until[kind] = monotonic() + QUIET_SECONDS
        number = _since.pop(kind)
    logger.log(level, "%s %s: %s", number, kind, message)


def report_once(kind: str, message: str) -> None:
    """Log a message that is about the surroundings, once in the life of this process."""
    with _lock:
        if (kind, message) in _reported:
            return
        _reported.add((kind, message))
    logger.warning("%s: %s", kind, message)


def reset() -> None:
    """Start anew, as tests do."""
    with _lock:
        counts.clear()
        _since.clear()
        _silent_until.clear()
        _reported.clear()


def summarize_error(error: BaseException) -> str:
    """Return the type and the place of an error; its text may quote what must not be seen.

    Of an error of a database the primary message is returned too, without values.
    """
    places = _places(error)
    where = f" at {places[-1]}" if places else ""
    if is_database_error(error):
        return f"{type(error).__name__}{where}: {primary_message(error)}"
    return f"{type(error).__name__}{where}"


def describe_exception(error: BaseException) -> dict[str, str]:
    """Describe an exception for a row: its type, its text, and the line that raised it; of the
    project's own lines the last, where there is one.

    What a database says is kept without the values in it.
    """
    try:
        message = message_without_values(error)
    except Exception:  # noqa: BLE001 (a broken __str__ of the host's must not cost the activity)
        message = ""
    return {"type": type(error).__qualname__, "message": message, "place": _project_place(error)}


def _project_place(error: BaseException) -> str:
    places = _places(error)
    own = [place for place in places if not place.startswith(_FOREIGN_CODE)]
    return (own or places or [""])[-1]


def _places(error: BaseException) -> list[str]:
    """Return the lines that an error came through, the one that raised it last."""
    return [f"{frame.f_code.co_filename}:{line}" for frame, line in walk_tb(error.__traceback__)]


_FOREIGN_CODE = (*(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")), "<")
"""What the files of Python itself, of installed packages and of generated code begin with."""
