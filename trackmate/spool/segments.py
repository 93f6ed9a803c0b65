"""The files of a spool: lines of JSON that wait, append-only, until they have been stored.

A directory contains one *open* segment, to which every process appends a line for each activity,
and any number of *sealed* ones. A segment is sealed by renaming it, is replayed under an exclusive
lock by one process at a time, and is acknowledged by removing it. Appending takes the same lock, so
no line is ever added to a segment that is being replayed or gone. Where the open segment cannot be
had, because somebody keeps its lock or it belongs to another user, the lines become a sealed
segment of their own. What can never be stored is set aside in `rejected.jsonl`. Locks are those of
flock(2): the directory must not be on a network.
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
"""A larger open segment is sealed, so that a replay has little more than this in memory."""
LOCK_SECONDS = 0.05
"""Seconds to wait for the lock of the open segment."""
MEASURE_SECONDS = 1.0
"""How long a measured size of the spool is believed."""


MAX_BYTES, MIN_FREE_BYTES = 1024**3, 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Limits:
    """How much disk a spool may use."""

    max_bytes: int = MAX_BYTES
    """Size of all its files together."""
    min_free_bytes: int = MIN_FREE_BYTES
    """What has to stay free on its disk."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed segment whose lock this process holds."""

    path: Path
    activities: Sequence[Activity]
    """What it contains, in the order of appending."""
    broken: Sequence[str]
    """Lines that are no activity, such as the last one of a process that was killed."""

    def acknowledge(self, waiting: Sequence[Activity] = ()) -> None:
        """Remove it, since all is stored or set aside, but for what is still `waiting`."""
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
    """None if the line is no activity."""
    line: str


@dataclass(slots=True)
class Spool:
    """The segments of one directory. Every method raises SpoolError where the directory fails."""

    directory: Path
    limits: Limits = field(default_factory=Limits)
    shared_root: Path | None = None
    """A directory above it that others could have made before us, as in the temporary one."""

    # --- in

    def append(self, activities: Iterable[Activity]) -> None:
        """Append activities: all of them or none.

        Raise SpoolFullError if the spool or its disk is full.
        """
        content = _to_lines(activities)
        with _wrap_errors():
            self.prepare()
            self._check_room(len(content))
            if not self._append(OPEN, content):
                write_file(self.directory / _new_name(), content)

    def reject(self, rejected: Iterable[tuple[str, str]]) -> None:
        """Set lines aside for a person to look at; each is a reason and a line."""
        content = "".join(
            f"{json.dumps({'reason': reason, 'line': line})}\n" for reason, line in rejected
        ).encode()
        with _wrap_errors():
            if not self._append(REJECTED, content):
                # It belongs to somebody else, root's cron job perhaps, or is being tried again.
                self._append(f"{uuid4().hex}.{REJECTED}", content)

    def prepare(self) -> None:
        """Make the directory if it is missing, readable by nobody else."""
        if self.shared_root is not None:
            self.shared_root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if problem := _ownership_problem(self.shared_root):
                raise SpoolError(problem)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def problem(self) -> str | None:
        """Return what would keep this process from appending, or None; nothing is made for it."""
        directory = self.directory
        while not directory.exists() and directory != directory.parent:
            directory = directory.parent
        if not directory.is_dir():
            return f"{directory} is no directory"
        if not os.access(directory, os.W_OK | os.X_OK):
            return f"no permission to write to {directory}"
        root = self.shared_root
        return _ownership_problem(root) if root is not None and root.exists() else None

    def _check_room(self, size: int) -> None:
        if shutil.disk_usage(self.directory).free - size < self.limits.min_free_bytes:
            raise SpoolFullError(f"the disk of {self.directory} is nearly full")
        if self.size() + size > self.limits.max_bytes:
            raise SpoolFullError(f"{self.directory} has its {self.limits.max_bytes} bytes")

    def _append(self, name: str, content: bytes) -> bool:
        """Append to a file and return True, or False if it cannot be had."""
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

    # --- out

    def size(self) -> int:
        """Return the bytes of all files; measured once a second at the most."""
        measured_at, size = _sizes.get(self.directory, (-MEASURE_SECONDS, 0))
        if monotonic() - measured_at >= MEASURE_SECONDS:
            size = sum(size for _path, size in self._files())
            _sizes[self.directory] = monotonic(), size
        return size

    def is_empty(self) -> bool:
        """Return True if nothing waits."""
        with _wrap_errors():
            return not any(name == OPEN or name.endswith(SEALED) for name in self._names())

    def replay(self) -> Iterator[Segment]:
        """Yield each segment that no other process replays, the oldest first, locked until the next
        is asked for."""
        with _wrap_errors():
            self._seal()
            names = sorted(name for name in self._names() if name.endswith(SEALED))
        for path in map(self.directory.joinpath, names):
            try:
                with locked(path) as descriptor:
                    if descriptor is not None:
                        yield _read_segment(path, descriptor)
            except OSError as error:
                report_once("spool", f"{path} cannot be read ({error.strerror}); it is left there")

    def rejected(self) -> Iterator[Rejected]:
        """Yield what was set aside, the oldest first."""
        for path in self._rejected_files():
            with suppress(OSError), path.open(encoding="utf-8", errors="replace") as lines:
                yield from map(_read_rejected, lines)

    @contextmanager
    def retaking_rejected(self) -> Iterator[list[Rejected]]:
        """Yield what was set aside; it is removed from there unless the block fails."""
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
        """Yield True if this process is the one that may store what waits now."""
        path = self.directory / DRAINING
        with ExitStack() as lock:
            try:
                self.prepare()
                is_mine = lock.enter_context(locked(path, create=True)) is not None
            except PermissionError:
                # It is there to spare the database; each segment has a lock of its own.
                report_once("spool", f"{path} belongs to another user; it is left as it is")
                is_mine = True
            yield is_mine

    def _names(self) -> list[str]:
        with suppress(FileNotFoundError):
            return [path.name for path in self.directory.iterdir()]
        return []

    def _files(self) -> Iterator[tuple[Path, int]]:
        """Yield the files and their sizes; another process may remove one at any time."""
        for name in self._names():
            path = self.directory / name
            with suppress(OSError):
                found = path.lstat()
                if stat.S_ISREG(found.st_mode):
                    yield path, found.st_size

    def _rejected_files(self) -> list[Path]:
        return sorted(path for path, _size in self._files() if path.name.endswith(REJECTED))

    def _seal(self) -> None:
        path = self.directory / OPEN
        with suppress(FileNotFoundError, PermissionError), locked(path) as descriptor:
            if descriptor is not None:
                self._rename_open()

    def _rename_open(self) -> None:
        (self.directory / OPEN).rename(self.directory / _new_name())


_sizes: dict[Path, tuple[float, int]] = {}


def _new_name() -> str:
    # It sorts by time, so the oldest segment is replayed first.
    return f"{uuid7(datetime.now(UTC)).hex}{SEALED}"


def _to_lines(activities: Iterable[Activity]) -> bytes:
    lines = (json.dumps(activity.to_dict(), default=str) for activity in activities)
    return "".join(f"{line}\n" for line in lines).encode()


def _ownership_problem(directory: Path) -> str | None:
    found = directory.lstat()
    mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    if stat.S_ISDIR(found.st_mode) and mine and not found.st_mode & 0o077:
        return None
    return f"{directory} belongs to somebody else or is open to others"


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
        found = json.loads(line)
        reason, original = str(found["reason"]), str(found["line"])
    except (ValueError, KeyError, TypeError, RecursionError):
        reason, original = "", line.rstrip("\n")
    return Rejected(reason, _activity_of(original), original)
