"""Files that several processes append to, with locks (flock) and atomic writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

from trackmate.processes import at_fork

try:
    import fcntl
except ImportError:  # pragma: no cover (Windows has no flock: one process to a spool there)
    fcntl = None  # type: ignore[assignment]

LOCK_PAUSE = 0.002
"""Seconds between two attempts to get a lock."""


def write_file(path: Path, content: bytes) -> None:
    """Write or replace a file atomically."""
    part = path.with_name(f"{uuid4().hex}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _write_all(descriptor, content)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    part.rename(path)


@contextmanager
def locked(path: Path, *, create: bool = False, seconds: float = 0.0) -> Iterator[int | None]:
    """Open and lock a file. Yield its descriptor, or None if it is missing or stays locked."""
    flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | (os.O_CREAT if create else 0)
    until = monotonic() + seconds
    while True:
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileNotFoundError:
            if create:
                raise
            yield None
            return
        _locked_descriptors.add(descriptor)
        try:
            if not _lock(descriptor, until):
                yield None
                return
            # Meanwhile another process may have sealed or removed the file.
            if _is_at(path, descriptor):
                yield descriptor
                return
        finally:
            _unlock(descriptor)
        if not create:
            yield None
            return


_locked_descriptors: set[int] = set()
"""Descriptors of the files that this process has locked."""


def _unlock(descriptor: int) -> None:
    if descriptor in _locked_descriptors:
        _locked_descriptors.remove(descriptor)
        if fcntl is not None:  # a process that has just been forked may hold the lock, too
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _close_inherited() -> None:
    # A lock lasts until all processes that share the descriptor have closed it.
    while _locked_descriptors:
        os.close(_locked_descriptors.pop())


at_fork(_close_inherited)


def _lock(descriptor: int, until: float) -> bool:
    if fcntl is None:  # pragma: no cover (Windows)
        return True
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() >= until:
                return False
            sleep(LOCK_PAUSE)
        else:
            return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def append(descriptor: int, content: bytes) -> int:
    """Append `content` as a whole or not at all, and return the new size of the file."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        # A process was killed while it wrote a line.
        content = b"\n" + content
    try:
        _write_all(descriptor, content)
    except OSError:
        os.ftruncate(descriptor, size)
        raise
    return size + len(content)


def _write_all(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content)
    while written < len(content):
        written += os.write(descriptor, content[written:])


def read_lines(descriptor: int) -> list[str]:
    with os.fdopen(os.dup(descriptor), encoding="utf-8", errors="replace") as lines:
        return list(lines)
