"""What is printed and kept: the machine, the tables, and whether the goals are reached."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from benchmarks.contest import FIGURES, REQUESTS, Cost, Outcome
from benchmarks.contestants import CREATE, PASS_THROUGH, TRACKMATE
from benchmarks.situations import SITUATIONS

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
VISITOR_MICROSECONDS = 30
CREATE_MICROSECONDS = {"SQLite": 184, "PostgreSQL": 603}
"""What one bare `create()` took on the machine for which that goal was set: ratios travel."""
NOISE_MICROSECONDS = 10
"""What passing through may seem to cost; it is 1 or 2 on a machine that does nothing else."""
OF_A_CREATE = {"SQLite": 0.8, "PostgreSQL": 1.0}


def page(outcomes: Iterable[Outcome]) -> str:
    """Return everything that was found, in Markdown."""
    outcomes = list(outcomes)
    parts = [f"Measured on {machine()}."]
    for outcome in outcomes:
        parts.append(f"## {outcome.database}\n\n{' '.join(_remarks(outcome))}")
        parts += [_table(outcome, situation) for situation in SITUATIONS]
    parts.append("## Goals\n\n" + "\n".join(goals(outcomes)))
    return "\n\n".join(parts)


def _remarks(outcome: Outcome) -> Iterator[str]:
    yield f"{outcome.rounds} rounds of {REQUESTS} requests in a row and {REQUESTS} apart."
    if outcome.percentile != 50:
        yield f"Percentile {outcome.percentile} of the times, not the median."
    if (noise := _noise_of(outcome)) > NOISE_MICROSECONDS:
        yield (
            f"**The machine was busy**: even a middleware that does nothing seems to make "
            f"{noise:.0f} µs of difference, so these figures are rough."
        )


def _noise_of(outcome: Outcome) -> float:
    costs = [outcome.cost(situation, PASS_THROUGH) for situation in SITUATIONS]
    return max(abs(getattr(cost, figure)) for cost in costs for figure in FIGURES)


def goals(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yield a line for each goal on each database: reached or not, and by how much."""
    for outcome in outcomes:
        database = outcome.kind
        if _noise_of(outcome) > NOISE_MICROSECONDS:
            yield f"* {database}: the machine was busy, so what follows may be chance"
        for figure, how in (("waited", "in a row"), ("apart", "apart")):
            yield from _visitor_goals(outcome, figure, how)
        for key, situation in SITUATIONS.items():
            yield from _work_goals(outcome, key, f"{database}, {situation.title}", database)


def _visitor_goals(outcome: Outcome, figure: str, how: str) -> Iterator[str]:
    waited = getattr(outcome.cost("anonymous", TRACKMATE), figure)
    limit = VISITOR_MICROSECONDS
    where = f"{outcome.kind}: the visitor waits {waited:.0f} µs more for an anonymous GET, {how}"
    yield _goal(where, waited, limit, f"{limit} µs")
    ratio = waited / outcome.cost("anonymous", CREATE).worked
    share = limit / CREATE_MICROSECONDS[outcome.kind]
    yield _goal(f"{where}: {ratio:.2f} of a bare `create()`", ratio, share, f"{share:.2f}")


def _work_goals(outcome: Outcome, key: str, where: str, database: str) -> Iterator[str]:
    worked = outcome.cost(key, TRACKMATE).worked
    ratio, limit = worked / outcome.cost(key, CREATE).worked, OF_A_CREATE[database]
    yield _goal(
        f"{where}: the worker's time is {ratio:.2f} of a bare `create()`", ratio, limit, f"{limit}"
    )
    peers = [cost for cost in outcome.costs[key] if _is_comparable(cost, key)]
    if peers:
        best = min(peers, key=lambda cost: cost.worked)
        text = f"{where}: {worked:.0f} µs, the quickest peer ({best.contestant.name})"
        yield _goal(f"{text} {best.worked:.0f} µs", worked, best.worked, "below it")


def _is_comparable(cost: Cost, key: str) -> bool:
    # Of a body, what counts is to keep it: redacted, cleaned, bounded.
    contestant = cost.contestant
    return contestant.is_peer and (contestant.keeps_bodies or not SITUATIONS[key].body)


def _goal(text: str, found: float, limit: float, wanted: str) -> str:
    at_most = "" if wanted == "below it" else "at most "
    reached = found <= limit if at_most else found < limit
    return f"* **{'PASS' if reached else 'FAIL'}** {text} (goal: {at_most}{wanted})"


def _table(outcome: Outcome, situation: str) -> str:
    create = outcome.cost(situation, CREATE).worked
    head = [
        f"### {outcome.kind}: {SITUATIONS[situation].title}",
        "",
        f"Without any of them: {outcome.baselines[situation]:.0f} µs.",
        "",
        "| added µs | visitor waits, in a row | apart | worker busy | of a `create()` | queries |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    return "\n".join([*head, *(_line(cost, create) for cost in outcome.costs[situation])])


def _line(cost: Cost, create: float) -> str:
    name = cost.contestant.name
    name = f"**{name}**" if name == TRACKMATE else name
    ratio = f"{cost.worked / create:.2f}"
    times = f"{cost.waited:.0f} | {cost.apart:.0f} | {cost.worked:.0f} | {ratio}"
    return f"| {name} | {times} | {cost.queries} |"


def machine() -> str:
    """Name the hardware and the software, and nothing that identifies a host."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, "
        f"{_python()}, Django {version('django')}, psycopg {version('psycopg')}"
    )


def _python() -> str:
    """Name the interpreter, and whose it is where it is the system's: those are built with
    profiles, which makes them faster than what one builds without."""
    name = f"Python {platform.python_version()}"
    is_systems = sys.platform == "linux" and sys.base_prefix == "/usr"
    return f"{name} of {platform.freedesktop_os_release()['PRETTY_NAME']}" if is_systems else name


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        ask = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    return platform.machine()


def write(path: Path, text: str, *, begin: str = BEGIN, end: str = END) -> None:
    """Put `text` between the markers of the file at `path`."""
    before, found, rest = path.read_text().partition(begin)
    _old, closed, after = rest.partition(end)
    if not found or not closed:
        sys.exit(f"{path}: the markers {begin} and {end} are missing")
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
