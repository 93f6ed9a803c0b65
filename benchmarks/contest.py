"""The contest: contestants that are asked in turn, round after round, on one kind of database."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.contestants import CONTESTANTS, TRACKMATE, Contestant
from benchmarks.databases import MakeDatabase
from benchmarks.peers import folder_of
from benchmarks.processes import WorkerProcess, start_all
from benchmarks.rivals import OF_EACH_ROW
from benchmarks.situations import SITUATIONS

REQUESTS = 20
"""Requests that a contestant answers in a row, and apart, before it is the next one's turn."""
FIGURES = ("waited", "apart", "worked")
WARM_UP = 50
"""Requests that each one answers before anything is measured."""


class UnequalError(Exception):
    """The contestants did not do the same, so that their times say nothing."""


class Contender(WorkerProcess):
    """The process of a contestant, and what was measured of it."""

    def __init__(self, contestant: Contestant, **order: Any) -> None:
        self.contestant = contestant
        self.asked = 0
        # (situation, figure) -> nanoseconds of each request
        self.times: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.queries: dict[str, list[str]] = {}
        self.values: dict[str, dict] = {}
        order |= {"contestant": contestant.name, "path": folder_of(contestant)}
        super().__init__("benchmarks.worker", contestant.name, order)

    def ask(self, situation: str, count: int) -> dict[str, list[int]]:
        """Let it answer requests, half of them apart; the rival that copies rows is told which."""
        self.asked += 2 * count
        return self.call("ask", situation=situation, count=count, **self._given(situation))

    def note_queries(self, situation: str) -> None:
        self.asked += 1
        self.queries[situation] = self.call(
            "queries", situation=situation, **self._given(situation)
        )

    def measure(self, situation: str) -> None:
        for figure, times in self.ask(situation, REQUESTS).items():
            self.times[situation, figure] += times

    def figure(self, situation: str, figure: str, percentile: int) -> float:
        """Return a percentile of what was measured, in microseconds."""
        times = sorted(self.times[situation, figure])
        return times[len(times) * percentile // 100] / 1000

    def _given(self, situation: str) -> dict:
        return {"values": self.values[situation]} if self.values else {}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one contestant adds to one kind of request, in microseconds."""

    contestant: Contestant
    waited: float
    """Until the visitor had the whole response, of requests in a row."""
    apart: float
    """The same, of requests with a plain one between any two."""
    worked: float
    """Until the worker was free again."""
    queries: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The costs of all contestants on one kind of database."""

    database: str
    percentile: int
    rounds: int
    baselines: dict[str, float] = field(default_factory=dict)
    """Microseconds of a whole request without any of them, by situation."""
    costs: dict[str, list[Cost]] = field(default_factory=dict)
    """By situation, in the order of the contestants."""

    @property
    def kind(self) -> str:
        """Which database it is, without its version."""
        return self.database.partition(" ")[0]

    def cost(self, situation: str, name: str) -> Cost:
        return next(cost for cost in self.costs[situation] if cost.contestant.name == name)


def hold(
    make_database: MakeDatabase, names: Iterable[str], *, seconds: float, percentile: int
) -> Outcome:
    """Let the named contestants compete for `seconds` and return what each one costs."""
    with start_all(_start, names, make_database) as contenders:
        _warm_up(contenders)
        rounds = _measure(contenders, seconds)
        _check_rows(contenders)
        first = next(iter(contenders.values()))
        return Outcome(
            database=first.call("database"),
            percentile=percentile,
            rounds=rounds,
            baselines={s: first.figure(s, "worked", percentile) for s in SITUATIONS},
            costs={s: list(_costs(contenders, s, percentile)) for s in SITUATIONS},
        )


def _start(name: str, **order: Any) -> Contender:
    return Contender(CONTESTANTS[name], **order)


def _warm_up(contenders: dict[str, Contender]) -> None:
    """Warm everyone up, and give those who copy the rows that trackmate makes."""
    trackmate = contenders[TRACKMATE]
    rivals = [contender for contender in contenders.values() if contender.contestant.copies]
    for situation in SITUATIONS:
        trackmate.ask(situation, 1)
        row = trackmate.call("row")
        for rival in rivals:
            rival.values[situation] = {k: v for k, v in row.items() if k not in OF_EACH_ROW}
    for situation in SITUATIONS:
        for contender in contenders.values():
            contender.ask(situation, WARM_UP)
            contender.note_queries(situation)
        for rival in rivals:
            _check_same_row(situation, rival, trackmate)


def _measure(contenders: dict[str, Contender], seconds: float) -> int:
    order, rounds, until = list(contenders.values()), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        for situation in SITUATIONS:
            for contender in order:
                contender.measure(situation)
        # Nobody always follows the same one, and so finds the machine as that one leaves it.
        order = [*order[1:], order[0]] if rounds % 2 else order[::-1]
        rounds += 1
    return rounds


def _check_same_row(situation: str, rival: Contender, trackmate: Contender) -> None:
    own = {*OF_EACH_ROW, "execution_time"}
    created, stored = rival.call("row"), trackmate.call("row")
    if created.keys() != stored.keys():
        raise UnequalError(f"{situation}: other columns")
    different = [name for name in stored if name not in own and created[name] != stored[name]]
    if different:
        raise UnequalError(f"{situation}: the bare create() has another {', '.join(different)}")


def _check_rows(contenders: dict[str, Contender]) -> None:
    for name, contender in contenders.items():
        expected = contender.asked if contender.contestant.rows else 0
        if (found := contender.call("count")) != expected:
            raise UnequalError(f"{name} stored {found} rows for {expected} requests")


def _costs(contenders: dict[str, Contender], situation: str, percentile: int) -> Iterator[Cost]:
    for contender in contenders.values():
        contestant = contender.contestant
        if contestant.is_baseline:
            continue
        baseline = contenders[contestant.baseline]
        added = {
            figure: contender.figure(situation, figure, percentile)
            - baseline.figure(situation, figure, percentile)
            for figure in FIGURES
        }
        yield Cost(
            contestant=contestant,
            **added,
            queries=len(contender.queries[situation]) - len(baseline.queries[situation]),
        )
