"""The files of a spool: append-only lines of JSON, one for each activity.

A directory contains one *open* segment, to which all processes append, and any number of *sealed*
ones. A segment is sealed by renaming it, replayed under an exclusive lock by one process at a time,
and acknowledged by removing it. Appending takes the same lock, so no line is added to a segment
that is being replayed or has been removed. If the open segment is locked or belongs to another
user, the lines become a new sealed segment. Rejected activities are set aside in `rejected.jsonl`.
The locks are those of flock(2), so the directory must not be on a network.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from uuid import uuid4

from trackmate.activity import Activity
from trackmate.clock import uuid7
from trackmate.diagnostics import report_once
from trackmate.exceptions import SpoolError, SpoolFullError
from trackmate.spool.files import append, locked, read_lines, write_file

OPEN = "open.jsonl"
SEALED = ".sealed.jsonl"
REJECTED = "rejected.jsonl"
DRAINING = "draining.lock"
SEGMENT_BYTES = 512 * 1024
"""Size at which the open segment is sealed; a replay reads one segment into memory."""
LOCK_SECONDS = 0.05
"""Seconds to wait for the lock of the open segment."""
MEASURE_SECONDS = 1.0
"""How long the size of the spool is cached."""

MAX_BYTES, MIN_FREE_BYTES = 1024**3, 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Limits:
    """How much disk a spool may use."""

    max_bytes: int = MAX_BYTES
    """Size of all its files together."""
    min_free_bytes: int = MIN_FREE_BYTES
    """Space to leave free on its disk."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed segment, locked by this process."""

    path: Path
    activities: Sequence[Activity]
    """Its activities, in the order in which they were appended."""
    broken: Sequence[str]
    """Invalid lines, such as the last one of a killed process."""

    def acknowledge(self, waiting: Sequence[Activity] = ()) -> None:
        """Remove the segment, or keep only the `waiting` activities in it."""
        with _wrap_errors():
            if waiting:
                write_file(self.path, _to_lines(waiting))
            else:
                self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that was set aside."""

    reason: str
    activity: Activity | None
    """None if the line is invalid."""
    line: str


@dataclass(slots=True)
class Spool:
    """The segments of a directory. All methods raise SpoolError for errors of the file system."""

    directory: Path
    limits: Limits = field(default_factory=Limits)
    shared_root: Path | None = None
    """A parent directory in a place where others can create files, such as /tmp."""

    # --- writing

    def append(self, activities: Iterable[Activity]) -> None:
        """Append all activities, or none.

        Raise SpoolFullError if the spool or its disk is full.
        """
        content = _to_lines(activities)
        with _wrap_errors():
            self.prepare()
            self._check_room(len(content))
            if not self._append(OPEN, content):
                write_file(self.directory / _new_name(), content)

    def reject(self, rejected: Iterable[tuple[str, str]]) -> None:
        """Set lines aside for people to look at, each with the reason."""
        content = "".join(
            f"{json.dumps({'reason': reason, 'line': line})}\n" for reason, line in rejected
        ).encode()
        with _wrap_errors():
            if not self._append(REJECTED, content):
                # It belongs to another user, or is being retried.
                self._append(f"{uuid4().hex}.{REJECTED}", content)

    def prepare(self) -> None:
        """Create the directory if it is missing, readable only by this user."""
        if self.shared_root is not None:
            self.shared_root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if problem := _ownership_problem(self.shared_root):
                raise SpoolError(problem)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def problem(self) -> str | None:
        """Return why this process cannot append, or None. This creates no directory."""
        directory = self.directory
        while not directory.exists() and directory != directory.parent:
            directory = directory.parent
        if not directory.is_dir():
            return f"{directory} is not a directory"
        if not os.access(directory, os.W_OK | os.X_OK):
            return f"no permission to write to {directory}"
        root = self.shared_root
        return _ownership_problem(root) if root is not None and root.exists() else None

    def _check_room(self, size: int) -> None:
        if shutil.disk_usage(self.directory).free - size < self.limits.min_free_bytes:
            raise SpoolFullError(f"the disk of {self.directory} is nearly full")
        if self.size() + size > self.limits.max_bytes:
            raise SpoolFullError(f"{self.directory} has reached {self.limits.max_bytes} bytes")

    def _append(self, name: str, content: bytes) -> bool:
        """Append to a file and return True, or False if it is locked or belongs to another user."""
        path = self.directory / name
        try:
            with locked(path, create=True, seconds=LOCK_SECONDS) as descriptor:
                if descriptor is None:
                    return False
                size = append(descriptor, content)
                if name == OPEN and size > SEGMENT_BYTES:
                    self._rename_open()
        except PermissionError:
            report_once("spool", f"{path} belongs to another user; it is left as it is")
            return False
        return True

    # --- reading

    def size(self) -> int:
        """Return the size of all files in bytes, cached for a second."""
        measured_at, size = _sizes.get(self.directory, (-MEASURE_SECONDS, 0))
        if monotonic() - measured_at >= MEASURE_SECONDS:
            size = sum(size for _path, size in self._files())
            _sizes[self.directory] = monotonic(), size
        return size

    def is_empty(self) -> bool:
        """Return True if the spool has no segments."""
        with _wrap_errors():
            return not any(name == OPEN or name.endswith(SEALED) for name in self._names())

    def replay(self) -> Iterator[Segment]:
        """Yield the segments that no other process replays, the oldest first, each locked until the
        next one."""
        path = self.directory / OPEN
        with _wrap_errors():
            with suppress(FileNotFoundError, PermissionError), locked(path) as descriptor:
                if descriptor is not None:
                    self._rename_open()
            names = sorted(name for name in self._names() if name.endswith(SEALED))
        for path in map(self.directory.joinpath, names):
            try:
                with locked(path) as descriptor:
                    if descriptor is not None:
                        yield _read_segment(path, descriptor)
            except OSError as error:
                report_once("spool", f"{path} cannot be read ({error.strerror}); it is left there")

    def rejected(self) -> Iterator[Rejected]:
        """Yield the lines that were set aside, the oldest first."""
        for path in self._rejected_files():
            with suppress(OSError), path.open(encoding="utf-8", errors="replace") as lines:
                yield from map(_read_rejected, lines)

    @contextmanager
    def retaking_rejected(self) -> Iterator[list[Rejected]]:
        """Yield the lines that were set aside, and remove them unless the block fails."""
        taken: list[Rejected] = []
        with _wrap_errors(), ExitStack() as locks:
            paths = []
            for path in self._rejected_files():
                with suppress(PermissionError):
                    descriptor = locks.enter_context(locked(path, seconds=LOCK_SECONDS))
                    if descriptor is not None:
                        taken += map(_read_rejected, read_lines(descriptor))
                        paths.append(path)
            yield taken
            for path in paths:
                path.unlink()

    @contextmanager
    def draining(self) -> Iterator[bool]:
        """Yield True if this process may store the spool now; only one process may."""
        path = self.directory / DRAINING
        with ExitStack() as lock:
            try:
                self.prepare()
                may_drain = lock.enter_context(locked(path, create=True)) is not None
            except PermissionError:
                # This lock only reduces load; each segment has a lock, too.
                report_once("spool", f"{path} belongs to another user; it is left as it is")
                may_drain = True
            yield may_drain

    def _names(self) -> list[str]:
        with suppress(FileNotFoundError):
            return [path.name for path in self.directory.iterdir()]
        return []

    def _files(self) -> Iterator[tuple[Path, int]]:
        """Yield the files and their sizes. Other processes may remove files meanwhile."""
        for name in self._names():
            path = self.directory / name
            with suppress(OSError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    yield path, status.st_size

    def _rejected_files(self) -> list[Path]:
        return sorted(path for path, _size in self._files() if path.name.endswith(REJECTED))

    def _rename_open(self) -> None:
        (self.directory / OPEN).rename(self.directory / _new_name())


_sizes: dict[Path, tuple[float, int]] = {}


def _new_name() -> str:
    # Sorts by time.
    return f"{uuid7(datetime.now(UTC)).hex}{SEALED}"


def to_line(activity: Activity) -> str:
    """Return an activity as a line of JSON."""
    return json.dumps(activity.to_dict(), default=str)


def _to_lines(activities: Iterable[Activity]) -> bytes:
    return "".join(f"{to_line(each)}\n" for each in activities).encode()


def _ownership_problem(directory: Path) -> str | None:
    status = directory.lstat()
    is_owner = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    if stat.S_ISDIR(status.st_mode) and is_owner and not status.st_mode & 0o077:
        return None
    return f"{directory} belongs to another user or is accessible to others"


@contextmanager
def _wrap_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpoolError(f"the spool failed: {error}") from error


def _read_segment(path: Path, descriptor: int) -> Segment:
    activities, broken = [], []
    for line in read_lines(descriptor):
        activity = _activity_of(line)
        if activity is None:
            broken.append(line.rstrip("\n"))
        else:
            activities.append(activity)
    return Segment(path, activities, broken)


def _activity_of(line: str) -> Activity | None:
    try:
        return Activity.from_dict(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _read_rejected(line: str) -> Rejected:
    try:
        values = json.loads(line)
        reason, original = str(values["reason"]), str(values["line"])
    except (ValueError, KeyError, TypeError, RecursionError):
        reason, original = "", line.rstrip("\n")
    return Rejected(reason, _activity_of(original), original)
