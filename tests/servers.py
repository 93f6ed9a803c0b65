"""Real application servers for the tests: gunicorn and uvicorn on a free port of 127.0.0.1."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
START_SECONDS = 30
STOP_SECONDS = 20


@dataclass(frozen=True)
class ApplicationServer:
    """A running server: where it answers, which process it is and what it wrote."""

    url: str
    process: subprocess.Popen
    log: Path

    def stop(self) -> None:
        """Ask it to end as an operator would; what does not end in time is killed, workers too."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End the server and its workers with no warning."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def application_server(
    application: str,
    log: Path,
    *,
    kind: str = "gunicorn",
    workers: int = 1,
    options: tuple[str, ...] = (),
    env: dict[str, str] | None = None,
    port: int | None = None,
) -> Iterator[ApplicationServer]:
    """Serve a WSGI (`gunicorn`) or an ASGI (`uvicorn`) application until the block ends.

    `application` is written `module:name`; modules are found in the checkout and in `demo/`.
    Without a `port` it is a free one.
    """
    port = port or free_port()
    command = [*COMMANDS[kind](port), f"--workers={workers}", *options, application]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=_environment(env or {}),
            stdout=output,
            stderr=output,
            start_new_session=True,  # a group of its own, so that its workers can be killed with it
        )
    server = ApplicationServer(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_until_it_answers(server, port)
        yield server
    finally:
        if process.poll() is None:
            server.stop()


COMMANDS = {
    "gunicorn": lambda port: ["gunicorn", f"--bind=127.0.0.1:{port}", "--no-control-socket"],
    "uvicorn": lambda port: ["uvicorn", "--host=127.0.0.1", f"--port={port}"],
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _environment(extra: dict[str, str]) -> dict[str, str]:
    folders = os.pathsep.join([str(ROOT), str(ROOT / "demo")])
    return os.environ | {"PYTHONPATH": folders} | extra


def _wait_until_it_answers(server: ApplicationServer, port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.process.poll() is None:
        if _answers(port):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{server.url} does not answer:\n{server.log.read_text()}")


def _answers(port: int) -> bool:
    """Ask for what trackmate leaves out of its log; any status is an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", "/favicon.ico")
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True
