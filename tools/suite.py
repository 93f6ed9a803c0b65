"""The tests on each database in turn, the coverage with one of them, and one closing line."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree as ET

from tools import machine, services

ROOT = Path(__file__).parent.parent
COVERAGE_FLOOR = 95  # percent, branches counted
SLOWEST = 15  # tests of each run that are named with their times
LANES = min(2, os.cpu_count() or 1)  # runs at a time: each keeps one core busy, and its server


@dataclass(frozen=True)
class Run:
    """One pass of the suite, and the environment that makes it differ from the others."""

    title: str
    url_variable: str = ""  # names the server's URL; SQLite has none
    settings: dict[str, str] = field(default_factory=dict)
    only: re.Pattern[str] | None = None
    """The files whose outcome it may change; None for all of them."""


WITH_USERS = re.compile(
    "actors|admin|auth|canary|concurrency|context|dashboard|export|history|hostile_people|looks|"
    "middleware|migrations|models|overview|preferences|querysets|routers|saved_views|selectors|"
    "track|tracker"
)
"""The files of tests, as `tests/test_NAME.py`, to which it matters what a user is."""
RUNS = {
    "sqlite": Run("SQLite"),
    "uuid": Run(
        "SQLite, UUID users",
        settings={"TRACKMATE_TEST_USER_MODEL": "shop.UUIDUser"},
        only=WITH_USERS,
    ),
    "postgresql": Run("PostgreSQL", "TRACKMATE_TEST_POSTGRES_URL"),
    "mariadb": Run("MariaDB", "TRACKMATE_TEST_MARIADB_URL"),
}
# What no database changes runs once: servers and browsers with PostgreSQL, the rest with SQLite,
# which is the quickest; each with another where that is missing.
SERVED = "server or browser"
ONCE = f"once and not ({SERVED})"
EACH_TIME = f"not ({SERVED} or once)"


@dataclass
class Count:
    """How many tests came out how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: "Count") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def main() -> int:
    options = _options()
    os.environ.update(services.announced())
    names = options.on or list(RUNS)
    missing = [name for name in names if not _is_possible(RUNS[name])]
    possible = [name for name in names if name not in missing]
    if not possible:
        return _close({}, missing, covered=True)
    if options.coverage:
        _python("-m", "coverage", "erase")
    counts = _run_all(_jobs(possible, fast=options.fast), coverage=options.coverage)
    covered = _report_coverage() if options.coverage else True
    return _close(counts, missing, covered=covered)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.suite", description=__doc__)
    parser.add_argument("--on", action="append", choices=RUNS, help="default: all of them")
    parser.add_argument("--fast", action="store_true", help="without servers and browser")
    parser.add_argument("--no-coverage", dest="coverage", action="store_false")
    return parser.parse_args()


def _is_possible(run: Run) -> bool:
    return not run.url_variable or run.url_variable in os.environ


def _jobs(names: list[str], *, fast: bool) -> list[tuple[str, str]]:
    """Return what runs with which database, what takes longest first."""
    home = next((name for name in ("postgresql", "sqlite") if name in names), names[0])
    served = [] if fast else [(home, SERVED)]
    # Servers are slower than files.
    each = [(name, EACH_TIME) for name in reversed(names)]
    return [*served, *each, ("sqlite" if "sqlite" in names else home, ONCE)]


def _run_all(jobs: list[tuple[str, str]], *, coverage: bool) -> dict[str, Count]:
    """Run two at a time, and count for each database.

    Coverage is measured with one of them: nearly every line runs with any, and quicker where
    nobody takes notes.
    """
    measured = {(name, EACH_TIME) for name, what in jobs if what == ONCE and coverage}
    lanes = min(LANES, len(jobs))
    with ThreadPoolExecutor(lanes) as pool:
        runs = [
            pool.submit(_run, RUNS[name], what, coverage=(name, what) in measured, alone=lanes == 1)
            for name, what in jobs
        ]
        counts = {name: Count() for name in RUNS if name in dict(jobs)}
        for (name, _what), run in zip(jobs, runs, strict=True):
            counts[name].add(run.result())
    return counts


def _run(run: Run, selection: str, *, coverage: bool, alone: bool) -> Count:
    title = f"{run.title}, {selection}"
    print(f"### {title}: started\n", end="", flush=True)
    environment = os.environ | run.settings | {"TRACKMATE_TEST_DATABASE_URL": _url(run, selection)}
    runner = ["-m", "coverage", "run", "-m", "pytest"] if coverage else ["-m", "pytest"]
    with tempfile.TemporaryDirectory() as folder:
        report, output = Path(folder, "report.xml"), Path(folder, "output")
        arguments = [*runner, f"--junit-xml={report}", f"--durations={SLOWEST}", "-m", selection]
        arguments += _files(run)
        with nullcontext() if alone else output.open("w") as file:
            failed = _python(*arguments, environment=environment, output=file) != 0
        if not alone:
            # In one piece, or the lines of two runs would mix.
            print(f"\n### {title}\n{output.read_text()}\n", end="", flush=True)
        count = _count(report)
    if failed and not count.failed:
        count.failed = 1  # the run itself: no test was collected, or pytest broke down
    return count


def _url(run: Run, selection: str) -> str:
    url = os.environ.get(run.url_variable, "") if run.url_variable else ""
    # Two runs on one server each make a database of their own.
    return url if not url or selection == EACH_TIME else f"{url}_once"


def _files(run: Run) -> list[str]:
    if run.only is None:
        return []
    files = sorted((ROOT / "tests").glob("test_*.py"))
    return [str(file) for file in files if run.only.fullmatch(file.stem.removeprefix("test_"))]


def _count(report: Path) -> Count:
    if not report.exists():
        return Count()
    count = Count()
    for case in ET.parse(report).iter("testcase"):
        outcomes = {result.tag for result in case if result.get("type") != "pytest.xfail"}
        count.failed += bool(outcomes & {"failure", "error"})
        count.skipped += outcomes >= {"skipped"}
        count.passed += not outcomes & {"failure", "error", "skipped"}
    return count


def _report_coverage() -> bool:
    print("\n### Coverage", flush=True)
    _python("-m", "coverage", "combine", "--quiet")
    return _python("-m", "coverage", "report", f"--fail-under={COVERAGE_FLOOR}") == 0


def _close(counts: dict[str, Count], missing: list[str], *, covered: bool) -> int:
    print()
    total = Count()
    for name, count in counts.items():
        print(f"{RUNS[name].title}: {count}")
        total.add(count)
    for name in missing:
        print(f"{RUNS[name].title}: not run, there is no {RUNS[name].url_variable}: make services")
    if missing and machine.is_ci():
        total.failed += len(missing)
    if not covered:
        print(f"Coverage is below {COVERAGE_FLOOR} %.")
    print(total, flush=True)
    return 0 if covered and not total.failed else 1


def _python(
    *arguments: str, environment: dict[str, str] | None = None, output: IO[str] | None = None
) -> int:
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=environment, stdout=output, stderr=output
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
