"""Measure the dashboard's pages over millions of rows, and print a table with the goals.

The history is the demo's own, multiplied inside the database; the pages are asked of the demo's
own site, as a staff member asks.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from benchmarks import report
from benchmarks.databases import NoDatabaseError, server

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- scale: begin -->", "<!-- scale: end -->"
ROWS, DAYS = 5_000_000, 90
YARDSTICKS = {"template": 5, "table": 21}
"""Milliseconds that a page's worth of rows took where the goals were set: by the plainest template,
and by django-tables2."""
BYTES_PER_ROW = 2_500
"""Of disk: the row, its indexes, and what making them takes in passing."""


@contextmanager
def sqlite(options: argparse.Namespace) -> Iterator[str]:
    """Yield the URL of a file."""
    with _folder(options.folder) as folder:
        file = folder / f"scale-{options.rows}.sqlite3"
        _ask_for_space(folder, options.rows, reused=file.exists())
        yield f"sqlite:///{file}"
        if not options.keep:
            for each in folder.glob(f"{file.name}*"):
                each.unlink()


@contextmanager
def postgresql(options: argparse.Namespace) -> Iterator[str]:
    """Yield the URL of a database of a server that keeps its promises."""
    name = f"trackmate_scale_{options.rows}"
    with server() as url, psycopg.connect(url, autocommit=True) as connection:
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if not there.fetchone():
            _ask_for_space(Path(tempfile.gettempdir()), options.rows, reused=False)
            connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            if not options.keep:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


VENDORS: dict[str, Callable[[argparse.Namespace], AbstractContextManager[str]]] = {
    "postgresql": postgresql,
    "sqlite": sqlite,
}


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    found = []
    for vendor in options.on or VENDORS:
        print(f"Measuring on {vendor}", flush=True)
        try:
            with VENDORS[vendor](options) as url:
                measured = _measure(url, options)
                if options.compare_rollups:
                    print(_compared(measured), flush=True)
                else:
                    found.append(measured)
        except NoDatabaseError as reason:
            print(f"Skipped {vendor}: {reason}", file=sys.stderr)
    if options.compare_rollups:
        return 0
    if not found:
        return 1
    text = page(found)
    print(text)
    if options.write:
        report.write(options.write, text, begin=BEGIN, end=END)
    return 0


def page(found: list[dict]) -> str:
    """Return everything that was found, in Markdown."""
    parts = [f"Measured on {report.machine()}."]
    for each in found:
        title = (
            f"## {each['database']}: {each['rows']:,} rows over {each['days']} days, "
            f"{each['size']:.1f} GB"
        )
        about = [each["asked"], *filter(None, [each["rollups"]])]
        about += [
            "Between the pages, the plainest template showed 50 rows in",
            f"{each['yardsticks']['template']:.1f} ms, django-tables2 in",
            f"{each['yardsticks']['table']:.0f} ms.",
        ]
        parts += [title, " ".join(about), _table(each["pages"], each["yardsticks"])]
    return "\n\n".join(parts)


def _table(pages: list[dict], yardsticks: dict[str, float]) -> str:
    at_pace = " | ".join(f"p95, {name} in {known} ms" for name, known in YARDSTICKS.items())
    head = (
        f"| page | p5, ms | p50, ms | p95, ms | {at_pace} | goal, ms | | queries |\n"
        "|---|--:|--:|--:|--:|--:|--:|---|--:|"
    )
    paces = [known / yardsticks[name] for name, known in YARDSTICKS.items()]
    return "\n".join([head, *(_line(page, paces) for page in pages)])


def _compared(measured: dict) -> str:
    """Return a table of pages with and without rollups, as multiples of the other table too."""
    table = measured["table"]
    head = (
        f"{measured['rollups']}\n\ndjango-tables2: 50 rows of eight columns in {table:.0f} ms."
        "\n\n"
        "| page | with, ms | of that table | without, ms | of that table | gain |\n"
        "|---|--:|--:|--:|--:|--:|"
    )
    lines = [
        f"| {page['title']} | {page['with']:.0f} | {page['with'] / table:.1f} "
        f"| {page['without']:.0f} | {page['without'] / table:.1f} "
        f"| {page['without'] / page['with']:.1f} |"
        for page in measured["pages"]
    ]
    return "\n".join([head, *lines])


def _line(page: dict, paces: list[float]) -> str:
    """Return a line of the table; a goal that is met at the pace of its own machine says so."""
    goal, p95 = page["goal"], page["p95"]
    times = [p95 * pace for pace in paces]
    at_pace = "".join(f" | {time:.1f}" for time in times)
    verdict = "" if goal is None else _verdict(p95, times, goal)
    measured = f"{page['p5']:.1f} | {page['p50']:.1f} | {p95:.1f}"
    figures = f"{measured}{at_pace} | {goal or ''} | {verdict}"
    return f"| {page['title']} | {figures} | {page['queries']} |"


def _verdict(p95: float, at_pace: list[float], goal: int) -> str:
    met = sum(time <= goal for time in at_pace)
    if p95 <= goal:
        return "PASS"
    return ["**FAIL**", "PASS at one pace", "PASS at both"][met]


def _measure(url: str, options: argparse.Namespace) -> dict:
    """Let a process of its own make the history and ask the pages, for Django has one setting."""
    order = {
        "rows": options.rows,
        "days": DAYS,
        "rounds": options.rounds,
        "only": options.only,
        "compare_rollups": options.compare_rollups,
    }
    with tempfile.TemporaryDirectory() as spool:
        environment = {"DEMO_DATABASE_URL": url, "DEMO_SPOOL_DIR": spool}
        process = subprocess.run(
            [sys.executable, "-m", "benchmarks.scale_worker", json.dumps(order)],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    if process.returncode:
        raise NoDatabaseError("the worker ended, see above")
    return json.loads(process.stdout)


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        named.mkdir(parents=True, exist_ok=True)
        yield named.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="trackmate-") as folder:
        yield Path(folder)


def _ask_for_space(folder: Path, rows: int, *, reused: bool) -> None:
    free = shutil.disk_usage(folder).free
    if not reused and free < rows * BYTES_PER_ROW:
        raise NoDatabaseError(
            f"{folder} has {free / 1e9:.1f} GB, and it takes {rows * BYTES_PER_ROW / 1e9:.1f}"
        )


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks scale", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"how many ({ROWS:,})")
    parser.add_argument("--rounds", type=int, default=30, help="turns of each page (30)")
    parser.add_argument("--on", action="append", choices=VENDORS, help="only this database")
    parser.add_argument("--only", metavar="TEXT", default="", help="only pages with this in them")
    parser.add_argument("--folder", type=Path, help="where the SQLite file is made")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="leave the databases there for the next time; PostgreSQL's needs a server that stays, "
        "in TRACKMATE_BENCH_POSTGRES_URL",
    )
    parser.add_argument(
        "--compare-rollups", action="store_true", help="time pages with and without rollups instead"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep the tables in this file")
    return parser.parse_args(arguments)
