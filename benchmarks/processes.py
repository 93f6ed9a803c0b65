"""A contestant's process, which reads commands and writes answers, a line of JSON each."""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def serve(build_worker: Callable[[dict[str, Any]], Any]) -> None:
    """Answer the driver's commands by the methods of a worker that is built for its order."""
    order = json.loads(sys.argv[1])
    sys.path.extend(order["path"])  # behind our own, so that all have one Django
    # Whatever a peer prints must not end up among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    sys.stdout = sys.stderr
    warnings.simplefilter("ignore")
    worker = build_worker(order)
    print(json.dumps("ready"), file=answers)
    for line in sys.stdin:
        command, arguments = json.loads(line)
        print(json.dumps(getattr(worker, command)(**arguments)), file=answers)


@contextmanager
def start_all(
    start: Callable[..., "WorkerProcess"], names: Iterable[str], make_database: Callable[[int], Any]
) -> Iterator[dict[str, Any]]:
    """Start a process for each name, with a database of its own, and end them afterwards."""
    with ExitStack() as stack:
        spool = stack.enter_context(tempfile.TemporaryDirectory())
        started = {}
        for number, name in enumerate(names):
            started[name] = start(name, database=make_database(number), spool=spool)
            stack.callback(started[name].end)
        for each in started.values():
            each.answer()
        yield started


class WorkerProcess:
    """A module of ours that runs as a program for one contestant, called `name` in errors."""

    def __init__(self, module: str, name: str, order: dict[str, Any]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(order)],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def answer(self) -> Any:
        """Return what the process answers next."""
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: the worker ended, see above")
        return json.loads(line)

    def call(self, command: str, **arguments: Any) -> Any:
        self._process.stdin.write(json.dumps([command, arguments]) + "\n")
        return self.answer()

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
