"""The servers and the browser of the tests: `start` finds or starts them, `stop` ends them.

What runs is written to `.services/state.json`; what the tests read is `.services/env`.
"""

import argparse
import fcntl
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import checkers, machine
from tools.servers import KINDS, Server

FOLDER = Path(__file__).parent.parent / ".services"
ENVIRONMENT = FOLDER / "env"
STATE = FOLDER / "state.json"
CHROMIUM_VARIABLE = "TRACKMATE_TEST_CHROMIUM"
START_SECONDS = 60
STOP_SECONDS = 30


def announced() -> dict[str, str]:
    """Return what the last `make services` wrote for the tests."""
    if not ENVIRONMENT.exists():
        return {}
    words = shlex.split(ENVIRONMENT.read_text())
    return dict(word.split("=", 1) for word in words)


def main() -> int:
    actions = {"start": start, "stop": stop}
    parser = argparse.ArgumentParser(prog="python -m tools.services", description=__doc__)
    parser.add_argument("action", choices=actions)
    action = actions[parser.parse_args().action]
    FOLDER.mkdir(exist_ok=True)
    with _alone():
        return action()


def start() -> int:
    """Install, start and announce; what cannot be had is named, and in CI it is a failure."""
    needs = [kind.need for kind in KINDS.values()]
    needs += [machine.VENV, machine.CHROMIUM, machine.MYSQLCLIENT, *checkers.NEEDS]
    missing = machine.provide(needs)
    state = _load() or {"folder": _make_folder(), "servers": {}}
    environment = {}
    for name, kind in KINDS.items():
        if kind.need not in missing:
            server = _running(name, state) or _started(name, state)
            environment[server.variable] = server.url
    if browser := machine.CHROMIUM.find():
        environment[CHROMIUM_VARIABLE] = str(browser)
    judges = checkers.provide()
    _announce(environment | judges)
    if missing:
        print(machine.advice(missing), file=sys.stderr)
    return 1 if (missing or not judges) and machine.is_ci() else 0


def stop() -> int:
    """End what `start` started, and only that, and remove its data."""
    state = _load()
    if state:
        for name, record in state["servers"].items():
            _end(name, record)
        shutil.rmtree(state["folder"], ignore_errors=True)
    for path in (ENVIRONMENT, STATE):
        path.unlink(missing_ok=True)
    return 0


def _running(name: str, state: dict) -> Server | None:
    """Return the server that an earlier start left, when it is still there and works."""
    record = state["servers"].get(name)
    if not record:
        return None
    server = _server(name, state, record)
    if _is_ours(record) and server.answers():
        return server
    _end(name, record)
    return None


def _started(name: str, state: dict) -> Server:
    record = {"port": _free_port(), "password": secrets.token_hex(8)}
    server = _server(name, state, record)
    shutil.rmtree(server.home, ignore_errors=True)
    began = time.monotonic()
    record["pid"] = server.start()
    state["servers"][name] = record
    _save(state)
    while not server.answers():
        if not _is_ours(record) or time.monotonic() - began > START_SECONDS:
            sys.exit(f"{name} did not start:\n{_tail(server.log)}")
        time.sleep(0.1)
    print(f"{name} started on port {server.port} in {time.monotonic() - began:.1f} s", flush=True)
    return server


def _server(name: str, state: dict, record: dict) -> Server:
    home = Path(state["folder"], name)
    return KINDS[name](home, port=record["port"], password=record["password"])


def _make_folder() -> str:
    # The accounts that the servers run as have to get in, and root's TMPDIR may be closed to them.
    folder = tempfile.mkdtemp(prefix="trackmate-", dir="/tmp" if machine.is_root() else None)
    Path(folder).chmod(0o755)
    return folder


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _end(name: str, record: dict) -> None:
    if not _is_ours(record):
        return
    os.kill(record["pid"], KINDS[name].stop_signal)
    if not _ends_in_time(record):
        os.kill(record["pid"], signal.SIGKILL)


def _ends_in_time(record: dict) -> bool:
    until = time.monotonic() + STOP_SECONDS
    while _is_ours(record) and time.monotonic() < until:
        time.sleep(0.1)
    return not _is_ours(record)


def _is_ours(record: dict) -> bool:
    """Tell whether that process runs and is not another one that got its number since."""
    return str(record["port"]) in _command_line(record["pid"])


def _command_line(pid: int) -> str:
    listed = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        return listed.read_text().replace("\0", " ") if listed.exists() else ""
    command = ["ps", "-o", "args=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _load() -> dict | None:
    """Return what an earlier start wrote, unless its data are gone, as after a restart."""
    if not STATE.exists():
        return None
    state = json.loads(STATE.read_text())
    return state if Path(state["folder"]).is_dir() else None


def _save(state: dict) -> None:
    STATE.touch(mode=0o600)
    STATE.write_text(json.dumps(state, indent=2))


def _announce(environment: dict[str, str]) -> None:
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in environment.items()]
    ENVIRONMENT.touch(mode=0o600)
    ENVIRONMENT.write_text("".join(lines))


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""


@contextmanager
def _alone() -> Iterator[None]:
    """Let a second `make services` wait for the first."""
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
