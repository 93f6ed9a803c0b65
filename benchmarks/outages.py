"""What a site feels of a log whose database is locked, stopped or gone.

`python -m benchmarks outages` serves a small site by gunicorn and by uvicorn, with its log in a
database of its own on a throw-away PostgreSQL server. While visitors ask without a pause, the table
of the log is locked, its server stopped (SIGSTOP) and ended; afterwards much has to be stored. It
prints how many answers there were each second beside an undisturbed second, the slowest answer, and
whether each answered request is one row in the end.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from benchmarks import report
from benchmarks.databases import OwnPostgres, wait_for
from tests.servers import application_server, free_port
from tools.servers import Postgres

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- outages: begin -->", "<!-- outages: end -->"
WAITING = 120_000
"""Activities that wait when the server is back."""


@dataclass
class Scene:
    """A site, and what happens to it."""

    title: str
    server: str
    path: str
    visitors: int
    options: tuple[str, ...]
    is_recorded: bool = True
    is_ended: bool = False
    """Whether the server of the log is stopped and ended as well."""

    @property
    def application(self) -> str:
        return f"benchmarks.outage_site:{'wsgi' if self.server == 'gunicorn' else 'asgi'}"


GUNICORN, UVICORN = ("--threads=4",), ("--log-level=critical",)
SCENES = [
    Scene(
        "gunicorn, 2 workers of 4 threads; views without a database",
        "gunicorn",
        "/plain/",
        visitors=16,
        options=GUNICORN,
        is_ended=True,
    ),
    Scene(
        "uvicorn, 2 workers; views that write to the same server, without trackmate",
        "uvicorn",
        "/writes/",
        visitors=40,
        options=UVICORN,
        is_recorded=False,
    ),
    Scene(
        "uvicorn, 2 workers; views that write to the same server",
        "uvicorn",
        "/writes/",
        visitors=40,
        options=UVICORN,
    ),
]


@dataclass
class Answer:
    """One answer that a visitor got."""

    at: float
    seconds: float
    status: int
    body: bytes
    number: str


@dataclass
class Visitors:
    """Threads that ask for a path over and over, each over one connection."""

    url: str
    path: str
    number: int
    answers: list[Answer] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Visitors:
        self._threads = [
            threading.Thread(target=self._visit, args=(n,)) for n in range(self.number)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _visit(self, name: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=120)
        count = 0
        while not self._stop.is_set():
            count += 1
            number = f"{name}.{count}"
            began = time.monotonic()
            try:
                connection.request("GET", f"{self.path}?n={number}", headers={"User-Agent": "v"})
                response = connection.getresponse()
                answer = Answer(began, 0, response.status, response.read(), number)
            except OSError:
                connection.close()
                continue
            answer.seconds = time.monotonic() - began
            self.answers.append(answer)
        connection.close()


@dataclass
class Phase:
    """What was measured while something was wrong."""

    name: str
    share: float
    """Answers in the worst second, of those in an undisturbed one."""
    slowest: float
    """Seconds of the slowest answer."""
    changed: int
    """Answers that were not as usual."""
    seconds: int


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks outages", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of each time")
    parser.add_argument("--write", type=Path, help="keep the outcome on this page")
    options = parser.parse_args(arguments)
    text = "\n\n".join(
        table(scene, *served(scene, 0.2 if options.quick else 1.0)) for scene in SCENES
    )
    print(text)
    if options.write:
        report.write(options.write, text, begin=BEGIN, end=END)
    return 0


def table(scene: Scene, phases: list[Phase], rows: str) -> str:
    lines = [
        f"**{scene.title}**. {rows}",
        "",
        "| | worst second, of an undisturbed one | slowest answer | answers not as usual |",
        "|---|--:|--:|--:|",
    ]
    lines += [
        f"| {phase.name} ({phase.seconds} s) | {phase.share:.0%} | {phase.slowest:.2f} s"
        f" | {phase.changed} |"
        for phase in phases
    ]
    return "\n".join(lines)


def served(scene: Scene, scale: float) -> tuple[list[Phase], str]:
    """Serve a scene, and return what the visitors saw and what became of the rows."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name, log_server(Path(name)) as server:
        folder = Path(name)
        environment = make_databases(server, folder, recorded=scene.is_recorded)
        with application_server(
            scene.application,
            folder / "site.log",
            kind=scene.server,
            workers=2,
            options=scene.options,
            env=environment,
        ) as site:
            with Visitors(site.url, scene.path, scene.visitors) as visitors:
                time.sleep(3)
                phases = list(measured(scene, visitors, server, environment, scale))
            site.stop()
        rows = check_rows(server, visitors, environment) if scene.is_recorded else ""
        return phases, rows


def measured(
    scene: Scene,
    visitors: Visitors,
    server: LogServer,
    environment: dict[str, str],
    scale: float,
) -> Iterator[Phase]:
    """Let each thing happen, and yield what the visitors saw of it."""
    usual: list[float] = []

    def phase(name: str, began: float, until: float) -> Phase:
        found = [each for each in visitors.answers if began <= each.at + each.seconds < until]
        counts = Counter(int(each.at + each.seconds - began) for each in found)
        whole = max(1, int(until - began))
        worst = min(counts.get(second, 0) for second in range(whole))
        if not usual:
            usual.append(statistics.median(counts.get(second, 0) for second in range(whole)))
        slowest = max((each.seconds for each in found), default=float("inf"))
        changed = sum(each.status != 200 or each.body[:1] not in b"pw" for each in found)
        return Phase(name, worst / usual[0], slowest, changed, whole)

    def lasting(name: str, seconds: float) -> Phase:
        began = time.monotonic()
        time.sleep(max(2.0, seconds * scale))
        return phase(name, began, time.monotonic())

    yield lasting("undisturbed", 10)
    with psycopg.connect(url_of(server, "log")) as connection:
        if scene.is_recorded:
            connection.execute("LOCK TABLE trackmate_activitylog IN ACCESS EXCLUSIVE MODE")
            yield lasting("table locked", 10)
    yield lasting("unlocked", 5)
    if not scene.is_ended:
        return
    processes = family(server.pid)
    stop(processes, signal.SIGSTOP)
    yield lasting("server stopped", 10)
    stop(processes, signal.SIGCONT)
    yield lasting("server goes on", 5)
    os.kill(server.pid, signal.SIGQUIT)
    yield lasting("server gone", 60)
    spool = Path(environment["OUTAGE_SPOOL"])
    top_up(environment, int(WAITING * scale))
    server.start_again()
    began = time.monotonic()
    while waiting(spool) and time.monotonic() - began < 300:
        time.sleep(0.5)
    yield phase(f"{int(WAITING * scale):,} and more waiting", began, time.monotonic())


def waiting(spool: Path) -> bool:
    """Return True if more waits than what was appended last."""
    return any(spool.rglob("*.sealed.jsonl"))


def top_up(environment: dict[str, str], number: int) -> None:
    """Let activities wait, as of an outage that was longer."""
    code = f"""
import benchmarks.outage_site, datetime
from trackmate.activity import Activity
from trackmate.spool.locations import get_spool
spool = get_spool("?")
for start in range(0, {number}, 500):
    spool.append([Activity.now(source="request", action="plain/", action_type="Read",
        status_code=200, method="GET", path="/plain/", route="plain/", request_id="x" * 32,
        extra={{"query": f"n=waiting.{{start + each}}"}}) for each in range(500)])
"""
    run(code, environment)


def run(code: str, environment: dict[str, str]) -> None:
    """Run Python in the site that is served."""
    command = [sys.executable, "-c", code]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | environment)


def check_rows(server: Postgres, visitors: Visitors, environment: dict[str, str]) -> str:
    """Store what still waits, and compare the rows with the answers."""
    code = "import benchmarks.outage_site\nfrom django.core.management import call_command\n"
    run(f"{code}call_command('trackmate_flush')", environment)
    with psycopg.connect(url_of(server, "log")) as connection:
        found = connection.execute(
            "SELECT extra->>'query' FROM trackmate_activitylog WHERE user_agent = 'v'"
        ).fetchall()
    stored = Counter(query for (query,) in found)
    answered = {f"n={answer.number}" for answer in visitors.answers}
    missing = len(answered - stored.keys())
    twice = sum(value > 1 for value in stored.values())
    return f"{len(answered):,} answers, {missing} of them without a row, {twice} with two."


# --- the server of the log -------------------------------------------------------------------


class LogServer(OwnPostgres):
    """A throw-away server that can be ended and started again."""

    pid = 0

    def start_again(self) -> None:
        self.pid = self.launch()
        wait_for(self)


@contextmanager
def log_server(folder: Path) -> Iterator[LogServer]:
    folder.chmod(0o755)
    server = LogServer(folder / "postgres", port=free_port(), password="outage")
    server.pid = server.start()
    wait_for(server)
    try:
        yield server
    finally:
        stop(family(server.pid), signal.SIGCONT)
        stop([server.pid], signal.SIGQUIT)
        time.sleep(0.5)


def stop(processes: list[int], sign: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):  # it served a connection that has ended
            os.kill(process, sign)


def family(pid: int) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [pid, *map(int, listed.stdout.split())]


def url_of(server: Postgres, name: str) -> str:
    return f"{server.url.rpartition('/')[0]}/{name}"


def make_databases(server: Postgres, folder: Path, *, recorded: bool) -> dict[str, str]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE data")
        connection.execute("CREATE DATABASE log")
    environment = {
        "OUTAGE_DATA_URL": url_of(server, "data"),
        "OUTAGE_LOG_URL": url_of(server, "log"),
        "OUTAGE_SPOOL": str(folder / "spool"),
        "OUTAGE_RECORDED": "1",
    }
    code = "import benchmarks.outage_site\nfrom django.core.management import call_command as c\n"
    code += "c('migrate', verbosity=0); c('migrate', database='log', verbosity=0)\n"
    code += "from django.contrib.auth.models import Group; Group.objects.create(name='counter')"
    run(code, environment)
    return environment | {"OUTAGE_RECORDED": "1" if recorded else "0"}
