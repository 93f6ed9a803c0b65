"""The contest: contestants that do the same in turn, round after round, on one kind of database."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.changes.contestants import CONTESTANTS, PLAIN, TRACKMATE, Contestant
from benchmarks.changes.sections import WHOLE
from benchmarks.contest import UnequalError
from benchmarks.databases import MakeDatabase
from benchmarks.peers import folder_of
from benchmarks.processes import WorkerProcess, start_all

WARM_UP = 3
"""Rounds that nobody's time is taken of."""
LOADED = (PLAIN, TRACKMATE)
"""Whose memory is looked at."""


class Contender(WorkerProcess):
    """The process of a contestant, and what was measured of it."""

    def __init__(self, contestant: Contestant, **order: Any) -> None:
        self.contestant = contestant
        # section -> nanoseconds that passed, and that the process computed
        self.times: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.seen: dict[str, dict[str, int]] = {}
        order |= {"contestant": contestant.name, "path": folder_of(contestant)}
        super().__init__("benchmarks.changes.worker", contestant.name, order)

    def measure(self, situation: str) -> None:
        for section, times in self.call("measure", situation=situation).items():
            self.times[section] += times

    def observe(self, situation: str) -> None:
        self.seen |= self.call("observe", situation=situation)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was measured of all contestants on one kind of database."""

    database: str
    percentile: int
    rounds: int
    contestants: list[Contestant]
    times: dict[str, dict[str, list[tuple[int, int]]]]
    """Nanoseconds that passed and that the process computed, by contestant and section."""
    seen: dict[str, dict[str, dict[str, int]]]
    """How many queries, rows of the log and function calls, by contestant and section."""
    memory: dict[str, dict[str, float]] = field(default_factory=dict)
    """By contestant."""
    instances: int = 0
    """How many were loaded to look at the memory."""

    @property
    def kind(self) -> str:
        """Which database it is, without its version."""
        return self.database.partition(" ")[0]

    def passed(self, name: str, section: str) -> float:
        """Return how long it took, in microseconds."""
        return self._percentile(time for time, _ in self.times[name][section])

    def computed(self, name: str, section: str) -> float:
        """Return how long the contestant's process computed, in microseconds."""
        return self._percentile(time for _, time in self.times[name][section])

    def added(self, contestant: Contestant, section: str) -> float:
        """Return how much longer it took than for the contestant's baseline, in microseconds."""
        return self.passed(contestant.name, section) - self.passed(contestant.baseline, section)

    def computed_more(self, contestant: Contestant, section: str) -> float:
        """Return how much longer the process computed than its baseline's, in microseconds."""
        baseline = self.computed(contestant.baseline, section)
        return self.computed(contestant.name, section) - baseline

    def ratio(self, contestant: Contestant, section: str) -> float:
        """Return how many times as long it took as without any of them."""
        return self.passed(contestant.name, section) / self.passed(PLAIN, section)

    def more(self, what: str, contestant: Contestant, section: str) -> int:
        """Return how many more "queries" or "calls" it made than the contestant's baseline."""
        own, baseline = self.seen[contestant.name], self.seen[contestant.baseline]
        return own[section][what] - baseline[section][what]

    def rows(self, contestant: Contestant, section: str) -> int:
        return self.seen[contestant.name][section]["rows"]

    def _percentile(self, times: Iterable[int]) -> float:
        ordered = sorted(times)
        return ordered[len(ordered) * self.percentile // 100] / 1000


def hold(
    make_database: MakeDatabase,
    names: Iterable[str],
    *,
    seconds: float,
    percentile: int,
    instances: int,
) -> Outcome:
    """Let the named contestants compete for `seconds` and return what each one costs."""
    with start_all(_start, names, make_database) as contenders:
        situations = contenders[PLAIN].call("titles")
        _warm_up(contenders, situations)
        rounds = _measure(contenders, situations, seconds)
        _check_rows(contenders, situations)
        return Outcome(
            database=contenders[PLAIN].call("database"),
            percentile=percentile,
            rounds=rounds,
            contestants=[each.contestant for each in contenders.values()],
            times={name: each.times for name, each in contenders.items()},
            seen={name: each.seen for name, each in contenders.items()},
            memory={
                name: contenders[name].call("memory", instances=instances)
                for name in LOADED
                if name in contenders
            },
            instances=instances,
        )


def _start(name: str, **order: Any) -> Contender:
    return Contender(CONTESTANTS[name], **order)


def _warm_up(contenders: dict[str, Contender], situations: list[str]) -> None:
    for situation in situations:
        for contender in contenders.values():
            for _ in range(WARM_UP):
                contender.call("measure", situation=situation)


def _measure(contenders: dict[str, Contender], situations: list[str], seconds: float) -> int:
    order, rounds, until = list(contenders.values()), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        for situation in situations:
            for contender in order:
                contender.measure(situation)
        # Nobody always follows the same one, and so finds the machine as that one leaves it.
        order = [*order[1:], order[0]] if rounds % 2 else order[::-1]
        rounds += 1
    return rounds


def _check_rows(contenders: dict[str, Contender], situations: list[str]) -> None:
    """Raise UnequalError unless every log has one change for each save, creation and deletion."""
    for name, contender in contenders.items():
        for situation in situations:
            contender.observe(situation)
        for section in WHOLE if contender.contestant.log else ():
            if (found := contender.seen[section]["rows"]) != 1:
                raise UnequalError(f"{name}: {found} changes recorded of one {section}")
