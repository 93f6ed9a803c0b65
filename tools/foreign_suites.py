"""Run the tests of other projects without trackmate and with it, and say what came out otherwise.

`python -m tools.foreign_suites [--write docs/explanation/compatibility.md] [name ...]`

Each suite is that of a release on PyPI, in a virtual environment of its own below `.foreign/`, on
SQLite. trackmate is put into it by `tools/foreign/sitecustomize.py`: the app, and the middleware in
front of all others. A test that counts queries counts those of trackmate too, and such tests are
counted apart; no other test may end otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".foreign"
HOOKS = ROOT / "tools" / "foreign"
BEGIN, END = "<!-- suites: begin -->", "<!-- suites: end -->"
COUNTS_QUERIES = ("queries executed", "queries, got", "expected queries", "Captured queries")


@dataclass(frozen=True)
class Suite:
    """The tests of one release."""

    title: str
    package: str
    command: tuple[str, ...]
    needs: tuple[str, ...]
    within: str = "."
    environment: dict[str, str] = field(default_factory=dict)


PYTEST = ("-m", "pytest", "-q", "-p", "foreign_outcomes", "-p", "no:randomly", "-W", "ignore")
SUITES = {
    "django": Suite(
        "Django: `auth_tests`, `sessions_tests`, `middleware`, `handlers`, `requests_tests`,"
        " `csrf_tests`, `file_uploads`, `asgi`, `admin_views`",
        "django",
        (
            "runtests.py",
            "--parallel=1",
            "--noinput",
            "auth_tests",
            "sessions_tests",
            "middleware",
            "handlers",
            "requests_tests",
            "csrf_tests",
            "file_uploads",
            "asgi",
            "admin_views",
        ),
        ("pillow", "jinja2", "tblib", "argon2-cffi", "bcrypt"),
        within="tests",
    ),
    "djangorestframework": Suite(
        "Django REST framework",
        "djangorestframework",
        (*PYTEST, "tests"),
        ("pytest", "pytest-django", "dj-database-url", "django-filter", "pyyaml", "uritemplate"),
    ),
    "allauth": Suite(
        "django-allauth",
        "django-allauth",
        (*PYTEST, "--ds=tests.projects.regular.settings", "tests"),
        ("pytest", "pytest-django", "pytest-asyncio"),
    ),
    "wagtail": Suite(
        "Wagtail: `wagtail.tests`, `wagtail.users`, `wagtail.documents`, `wagtail.snippets`",
        "wagtail",
        (
            "-m",
            "django",
            "test",
            "--parallel=1",
            "--noinput",
            "--settings=wagtail.test.settings",
            "wagtail.tests",
            "wagtail.users",
            "wagtail.documents",
            "wagtail.snippets",
        ),
        ("freezegun", "responses", "jinja2", "boto3", "django-pattern-library"),
    ),
}


@dataclass(frozen=True)
class Comparison:
    """What a suite came to, without trackmate and with it."""

    suite: Suite
    version: str
    tests: int
    counts: list[str]
    """Tests that count queries, and counted ours."""
    changed: list[str]
    """Tests that ended otherwise for another reason."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(SUITES)}")
    parser.add_argument("--write", type=Path, help="keep the table on this page")
    options = parser.parse_args()
    compared = [compare(name, SUITES[name]) for name in options.names or SUITES]
    for each in compared:
        print(f"\n{each.suite.title}", *each.changed, sep="\n  ")
        print("  counted:", *each.counts, sep="\n    ")
    print(text := table(compared))
    if options.write:
        page = options.write.read_text()
        start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
        options.write.write_text(f"{page[:start]}\n{text}\n{page[end:]}")
    return int(any(each.changed for each in compared))


def table(compared: list[Comparison]) -> str:
    lines = [
        "| tests of | version | tests | ended otherwise | counted our queries |",
        "|---|---|--:|--:|--:|",
    ]
    lines += [
        f"| {each.suite.title} | {each.version} | {each.tests:,} | {len(each.changed)}"
        f" | {len(each.counts)} |"
        for each in compared
    ]
    return "\n".join(lines)


def compare(name: str, suite: Suite) -> Comparison:
    folder = FOLDER / name
    python = prepare(folder, suite)
    without = run(folder, python, suite, has_trackmate=False)
    with_it = run(folder, python, suite, has_trackmate=True)
    differing = {
        test: error
        for test, (outcome, error) in with_it.items()
        if without.get(test, ("", ""))[0] != outcome
    }
    missing = dict.fromkeys(without.keys() - with_it.keys(), "it did not run")
    counts = [test for test, error in differing.items() if counts_queries(error)]
    changed = [
        f"{test}: {error[:300]}"
        for test, error in {**differing, **missing}.items()
        if test not in counts
    ]
    return Comparison(suite, version_in(python, suite.package), len(without), counts, changed)


def counts_queries(error: str) -> bool:
    return any(part in error for part in COUNTS_QUERIES)


def prepare(folder: Path, suite: Suite) -> Path:
    """Return the Python of an environment with the suite, its needs and this checkout."""
    python = folder / "venv" / "bin" / "python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        execute([sys.executable, "-m", "venv", str(folder / "venv")])
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        execute([*pip, "download", "--no-deps", "--no-binary=:all:", suite.package, f"-d{folder}"])
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as files:
            files.extractall(folder / "source", filter="data")
        execute([*pip, "install", str(source_of(folder)), *suite.needs, "-e", str(ROOT)])
        (folder / "ready").touch()
    return python


def source_of(folder: Path) -> Path:
    (source,) = (folder / "source").iterdir()
    return source


def run(
    folder: Path, python: Path, suite: Suite, *, has_trackmate: bool
) -> dict[str, tuple[str, str]]:
    """Run a suite, and return how each test ended and with what error."""
    name = "with" if has_trackmate else "without"
    outcomes = folder / f"{name}.jsonl"
    outcomes.unlink(missing_ok=True)
    environment = os.environ | suite.environment
    environment |= {
        "PYTHONPATH": os.pathsep.join([str(HOOKS), str(source_of(folder) / suite.within)]),
        "FOREIGN_OUTCOMES": str(outcomes),
        "FOREIGN_TRACKMATE": str(int(has_trackmate)),
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    print(f"{suite.package} {name} trackmate ...", flush=True)
    with (folder / f"{name}.log").open("w") as log:
        subprocess.run(
            [str(python), *suite.command],
            cwd=source_of(folder) / suite.within,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return read(outcomes)


def read(outcomes: Path) -> dict[str, tuple[str, str]]:
    """Return the last outcome of each test, or the first that is no success."""
    found: dict[str, tuple[str, str]] = {}
    for line in outcomes.read_text().splitlines() if outcomes.exists() else ():
        test, outcome, error = json.loads(line)
        if test not in found or "ucc" in found[test][0] or "passed" in found[test][0]:
            found[test] = outcome, error
    return found


def version_in(python: Path, package: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run(
        [str(python), "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def execute(command: list[str]) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
