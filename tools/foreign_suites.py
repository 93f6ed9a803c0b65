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
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".foreign"
HOOKS = ROOT / "tools" / "foreign"
BEGIN, END = "<!-- suites: begin -->", "<!-- suites: end -->"


@dataclass(frozen=True)
class Suite:
    """The tests of one release."""

    title: str
    package: str
    command: tuple[str, ...]
    needs: tuple[str, ...]
    within: str = "."
    extras: str = ""


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
        (
            "pytest",
            "pytest-django",
            "pytest-asyncio",
            "djangorestframework",
            "django-ninja",
            "pyyaml",
            "psycopg[binary]",
        ),
        extras="[headless,socialaccount,mfa,idp-oidc,openid,steam,saml]",
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
        test: found
        for test, found in with_it.items()
        if test not in without or without[test].outcome != found.outcome
    }
    counts = [test for test, found in differing.items() if found.is_count]
    changed = [
        f"{test}: {found.outcome}: {found.error[:300]}"
        for test, found in differing.items()
        if not found.is_count
    ]
    changed += [f"{test}: it did not run" for test in without.keys() - with_it.keys()]
    return Comparison(suite, version_in(python, suite.package), len(without), counts, changed)


def prepare(folder: Path, suite: Suite) -> Path:
    """Return the Python of an environment with the suite, its needs and this checkout."""
    python = folder / "venv" / "bin" / "python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        execute([sys.executable, "-m", "venv", str(folder / "venv")])
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        execute([*pip, "download", "--no-deps", "--no-binary=:all:", suite.package, f"-d{folder}"])
        unpack(folder)
        named = f"{source_of(folder)}{suite.extras}"
        execute([*pip, "install", named, *suite.needs, "-e", str(ROOT)])
        (folder / "ready").touch()
    return python


def unpack(folder: Path) -> None:
    shutil.rmtree(folder / "source", ignore_errors=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(folder / "source", filter="data")


def source_of(folder: Path) -> Path:
    (source,) = (folder / "source").iterdir()
    return source


class Ended(NamedTuple):
    """How a test ended."""

    outcome: str
    error: str
    is_count: bool
    """Whether it failed by counting queries."""


def run(folder: Path, python: Path, suite: Suite, *, has_trackmate: bool) -> dict[str, Ended]:
    """Run a suite from a fresh copy of its source, and return how each test ended."""
    name = "with" if has_trackmate else "without"
    outcomes = folder / f"{name}.jsonl"
    outcomes.unlink(missing_ok=True)
    # What a run leaves behind, such as files that were uploaded, must not be there for the next.
    unpack(folder)
    environment = os.environ | {
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


def read(outcomes: Path) -> dict[str, Ended]:
    """Return the last outcome of each test, or the first that is no success."""
    found: dict[str, Ended] = {}
    for line in outcomes.read_text().splitlines() if outcomes.exists() else ():
        test, *ended = json.loads(line)
        if test not in found or found[test].outcome in ("addSuccess", "call passed"):
            found[test] = Ended(*ended)
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
