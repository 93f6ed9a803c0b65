"""The spool: activities that wait in append-only segment files until a backend has stored them.

A directory, one for each database, holds one *open* segment, to which every process appends a line
for each activity, and any number of *sealed* ones. A segment is sealed by renaming it, is replayed
under an exclusive lock by one process at a time, and is acknowledged by removing it. Appending
takes the same lock, so no line is ever added to a segment that is being replayed or gone. What can
never be stored is set aside in `rejected.jsonl`. Locks are those of flock(2): the directory must
not be on a network, and belongs to one system user.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.db import connections

from trackmate.activity import Activity
from trackmate.clock import uuid7
from trackmate.conf import get_settings
from trackmate.exceptions import SpoolError

try:
    import fcntl
except ImportError:  # pragma: no cover (Windows has no flock: one process to a spool there)
    fcntl = None  # type: ignore[assignment]

OPEN = "open.jsonl"
SEALED = ".sealed.jsonl"
REJECTED = "rejected.jsonl"
SEGMENT_BYTES = 512 * 1024
"""A larger open segment is sealed, so that a replay holds little more than this in memory."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed segment that this process holds the lock of."""

    path: Path
    activities: Sequence[Activity]
    """What it holds, in the order of appending."""
    broken: Sequence[str]
    """Lines that are no activity, such as the last one of a process that was killed."""

    def acknowledge(self) -> None:
        """Remove it: all it held is stored or set aside."""
        self.path.unlink(missing_ok=True)


class Spool:
    """The segments of one directory. Every method raises SpoolError where the directory fails."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def append(self, activities: Iterable[Activity]) -> None:
        """Append activities to the open segment: all of them or, when the disk is full, none."""
        lines = [json.dumps(activity.to_dict(), default=str) for activity in activities]
        with _reported():
            self.prepare()
            self._append(OPEN, lines)

    def reject(self, lines: Iterable[str]) -> None:
        """Set lines aside for a person to look at."""
        with _reported():
            self._append(REJECTED, list(lines))

    def is_empty(self) -> bool:
        """Say whether nothing waits."""
        with _reported(), suppress(FileNotFoundError), os.scandir(self.directory) as entries:
            return not any(e.name == OPEN or e.name.endswith(SEALED) for e in entries)
        return True

    def replay(self) -> Iterator[Segment]:
        """Yield each segment that no other process replays, locked until the next is asked for."""
        with _reported():
            self._seal()
            paths = sorted(self.directory.glob(f"*{SEALED}"))
        for path in paths:
            with _reported(), _locked(path, wait=False) as descriptor:
                if descriptor is not None:
                    yield _read(path, descriptor)

    def prepare(self) -> None:
        """Make the directory if it is missing, readable by nobody else."""
        self.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Everyone can write to the temporary directory, and so could have made ours before us.
        is_default = self.directory.parent == default_directory()
        if is_default and (problem := _foreignness(self.directory.parent)):
            raise SpoolError(problem)
        self.directory.mkdir(mode=0o700, exist_ok=True)

    def problem(self) -> str | None:
        """Say what would keep this process from appending, or None; nothing is made for it."""
        directory = self.directory
        while not directory.exists() and directory != directory.parent:
            directory = directory.parent
        if not directory.is_dir():
            return f"{directory} is no directory"
        if not os.access(directory, os.W_OK | os.X_OK):
            return f"no permission to write to {directory}"
        is_default = default_directory() in (directory, directory.parent)
        return _foreignness(default_directory()) if is_default else None

    def _append(self, name: str, lines: Sequence[str]) -> None:
        path = self.directory / name
        with _locked(path, create=True) as descriptor:
            assert descriptor is not None  # it was waited for
            size = _write(descriptor, "".join(f"{line}\n" for line in lines).encode())
            if name == OPEN and size > SEGMENT_BYTES:
                self._rename_open()

    def _seal(self) -> None:
        with suppress(FileNotFoundError), _locked(self.directory / OPEN) as descriptor:
            if descriptor is not None:
                self._rename_open()

    def _rename_open(self) -> None:
        # The name sorts by time, so the oldest segment is replayed first.
        path = self.directory / OPEN
        path.rename(self.directory / f"{uuid7(datetime.now(UTC)).hex}{SEALED}")


def get_spool() -> Spool:
    """Return the spool of the log's database, below `SPOOL_DIR`.

    Each database has a directory of its own: what waits for one is never stored in another, be it
    a test's, a staging site's or another project's.
    """
    settings = get_settings()
    directory = Path(settings.SPOOL_DIR) if settings.SPOOL_DIR else _default_directory_now()
    # As its connections see it: under test it has another name.
    database = connections.databases.get(settings.DATABASE, {})
    return Spool(directory / f"{settings.DATABASE}-{identity_of(database)}")


def identity_of(database: Mapping[str, Any]) -> str:
    """Return 12 hex digits for an entry of DATABASES, the same for all to one database."""
    found = (str(database.get(key) or "") for key in ("ENGINE", "HOST", "PORT", "NAME"))
    return sha256("|".join(found).encode()).hexdigest()[:12]


def default_directory() -> Path:
    """Return the place for spools that nobody chose a place for, one for each system user."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"trackmate-{user}"


def _default_directory_now() -> Path:
    return _directory_of_tests(os.getpid()) if _is_under_test() else default_directory()


def _is_under_test() -> bool:
    """Say whether `setup_test_environment()` was called, as Django's test runner does."""
    utilities = sys.modules.get("django.test.utils")
    return hasattr(getattr(utilities, "_TestState", None), "saved_data")


@cache
def _directory_of_tests(_process: int) -> Path:
    """Return a directory that goes with this process: the next run begins with nothing."""
    directory = Path(tempfile.mkdtemp(prefix="trackmate-test-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def _foreignness(directory: Path) -> str | None:
    found = directory.lstat()
    mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    if stat.S_ISDIR(found.st_mode) and mine and not found.st_mode & 0o077:
        return None
    return f"{directory} belongs to somebody else or is open to others"


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpoolError(f"the spool failed: {error}") from error


@contextmanager
def _locked(path: Path, *, create: bool = False, wait: bool = True) -> Iterator[int | None]:
    """Open and lock the file at `path`; yield None if it may not be waited for and is locked."""
    flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | (os.O_CREAT if create else 0)
    while True:
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileNotFoundError:
            if create:
                raise
            yield None
            return
        try:
            if not _lock(descriptor, wait=wait):
                yield None
                return
            # While it was waited for, another process may have sealed or removed the file.
            if _is_at(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)
        if not create:
            yield None
            return


def _lock(descriptor: int, *, wait: bool) -> bool:
    if fcntl is None:  # pragma: no cover (Windows)
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _write(descriptor: int, content: bytes) -> int:
    """Append `content` whole or not at all, and return the size of the file after it."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        # A process died in the middle of a line; what follows must not be lost with it.
        content = b"\n" + content
    try:
        written = os.write(descriptor, content)
        while written < len(content):
            written += os.write(descriptor, content[written:])
    except OSError:
        os.ftruncate(descriptor, size)
        raise
    return size + len(content)


def _read(path: Path, descriptor: int) -> Segment:
    activities, broken = [], []
    with os.fdopen(os.dup(descriptor), encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                activities.append(Activity.from_dict(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                broken.append(line.rstrip("\n"))
    return Segment(path, activities, broken)
