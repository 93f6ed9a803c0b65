"""What is printed and kept: the tables, and whether the goals are reached."""

from collections.abc import Iterable, Iterator

from benchmarks.changes.contest import Outcome
from benchmarks.changes.contestants import (
    PGHISTORY,
    PLAIN,
    PLAIN_AGAIN,
    TRACKMATE,
    TRIGGERS,
    Contestant,
)
from benchmarks.changes.sections import BULK, LOADS, ONE_BY_ONE, ROWS, UNRECORDED, WHOLE
from benchmarks.report import machine

BEGIN, END = "<!-- changes: begin -->", "<!-- changes: end -->"
SHARE_OF_A_PEER = 0.1
BULK_RATIO = 1.5
LOAD_RATIO = 1.15
UNRECORDED_RATIO = 1.05
GROWTH_BYTES = 1_000_000
"""Of a process, which takes memory by the page and by the arena."""
NOISE_MICROSECONDS = 20


def page(outcomes: Iterable[Outcome]) -> str:
    """Return everything that was found, in Markdown."""
    outcomes = list(outcomes)
    parts = [f"Measured on {machine()}."]
    for outcome in outcomes:
        parts.append(f"## {outcome.database}, model changes\n\n{' '.join(_remarks(outcome))}")
        parts += [_one_by_one(outcome), _queries(outcome), _many(outcome), _memory(outcome)]
    goals = [line for outcome in outcomes for line in _goals(outcome)]
    return "\n\n".join([*parts, "## Goals for model changes\n\n" + "\n".join(goals)])


def _remarks(outcome: Outcome) -> Iterator[str]:
    yield f"{outcome.rounds} rounds."
    if outcome.percentile != 50:
        yield f"Percentile {outcome.percentile} of the times, not the median."
    if (noise := _noise_of(outcome)) > NOISE_MICROSECONDS:
        yield (
            f"**The machine was busy**: even between two plain projects there seem to be "
            f"{noise:.0f} µs of difference, so these figures are rough."
        )


def _noise_of(outcome: Outcome) -> float:
    again = next(each for each in outcome.contestants if each.name == PLAIN_AGAIN)
    return max(abs(outcome.added(again, section)) for section in ONE_BY_ONE)


def _one_by_one(outcome: Outcome) -> str:
    plain = [f"{outcome.passed(PLAIN, section):.0f}" for section in ONE_BY_ONE]
    rows = [
        [_name(each), *(_added(outcome, each, section) for section in ONE_BY_ONE)]
        for each in _others(outcome)
    ]
    return _table(["added µs (of the process)", *ONE_BY_ONE], [[PLAIN, *plain], *rows])


def _added(outcome: Outcome, contestant: Contestant, section: str) -> str:
    added = outcome.added(contestant, section)
    return f"{added:.0f} ({outcome.computed_more(contestant, section):.0f})"


def _queries(outcome: Outcome) -> str:
    rows = [
        [
            _name(each),
            *(str(outcome.more("queries", each, section)) for section in WHOLE),
            *(f"{outcome.more('calls', each, section):,}" for section in WHOLE),
        ]
        for each in _others(outcome)
    ]
    calls = [f"calls, {section}" for section in WHOLE]
    return _table(["added queries and function calls", *WHOLE, *calls], rows)


def _many(outcome: Outcome) -> str:
    head = [f"times the plain one, {ROWS:,} rows", "`bulk_update()`", "changes recorded"]
    head += ["`update()`", "changes recorded", *LOADS, "µs a row", *UNRECORDED]
    plain = [f"{outcome.passed(PLAIN, s) / 1000:.1f} ms" for s in (*BULK, *LOADS, *UNRECORDED)]
    of_a_row = f"{outcome.passed(PLAIN, 'load') / ROWS:.2f}"
    rows = [[PLAIN, plain[0], "", plain[1], "", *plain[2:4], of_a_row, *plain[4:]]]
    for each in _others(outcome):
        cells = [_name(each)]
        for section in BULK:
            cells += [_ratio(outcome, each, section), f"{outcome.rows(each, section):,}"]
        cells += [_ratio(outcome, each, section) for section in LOADS]
        cells.append(f"{outcome.passed(each.name, 'load') / ROWS:.2f}")
        cells += [_ratio(outcome, each, section) for section in UNRECORDED]
        rows.append(cells)
    return _table(head, rows)


def _ratio(outcome: Outcome, contestant: Contestant, section: str) -> str:
    return f"{outcome.ratio(contestant, section):.2f}"


def _memory(outcome: Outcome) -> str:
    few, many = outcome.instances // 10, outcome.instances
    head = [f"{many:,} rows loaded, one after the other", "bytes of a row that is kept"]
    head += [f"process after {few:,}, MB", f"growth until {many:,}, kB", "objects more"]
    rows = [
        [
            name,
            f"{memory['each']:.0f}",
            f"{memory['resident'] / 1e6:.1f}",
            f"{memory['growth'] / 1000:.0f}",
            f"{memory['objects']:.0f}",
        ]
        for name, memory in outcome.memory.items()
    ]
    return _table(head, rows)


def _goals(outcome: Outcome) -> Iterator[str]:
    """Yield a line for each goal: reached or not, and by how much."""
    named = {each.name: each for each in outcome.contestants}
    if not (trackmate := named.get(TRACKMATE)):
        return
    for section in ("save in a request", "request"):
        yield from _save_goals(outcome, trackmate, section)
    queries = outcome.more("queries", trackmate, "request")
    yield _goal(queries <= 0, f"{outcome.kind}: {queries} more queries in a request", "none")
    limits = {"bulk_update()": BULK_RATIO, "load": LOAD_RATIO}
    for section, limit in (limits | dict.fromkeys(UNRECORDED, UNRECORDED_RATIO)).items():
        ratio = outcome.ratio(trackmate, section)
        text = f"{outcome.kind}, {section}: {ratio:.2f} of the plain one"
        yield _goal(ratio <= limit, text, f"at most {limit}")
    growth = outcome.memory[TRACKMATE]["growth"]
    text = f"{outcome.kind}, {outcome.instances:,} rows loaded: {growth / 1000:.0f} kB of growth"
    yield _goal(growth <= GROWTH_BYTES, text, f"at most {GROWTH_BYTES // 1000:,} kB")
    if TRIGGERS in named and PGHISTORY in named:
        yield from _trigger_goals(outcome, named[TRIGGERS], named[PGHISTORY])


def _save_goals(outcome: Outcome, trackmate: Contestant, section: str) -> Iterator[str]:
    peers = [each for each in outcome.contestants if each.is_peer and each.name != PGHISTORY]
    if not peers:
        return
    best = min(peers, key=lambda peer: outcome.added(peer, section))
    least, added = outcome.added(best, section), outcome.added(trackmate, section)
    text = f"{outcome.kind}, {section}: {added:.0f} µs, the quickest peer with signals"
    text += f" ({best.name}) {least:.0f} µs"
    yield _goal(added < least, text, "below it")
    yield _goal(added <= least * SHARE_OF_A_PEER, text, "a tenth of it")
    if section in WHOLE:
        calls, fewest = (
            min(outcome.more("calls", each, section) for each in some)
            for some in ([trackmate], peers)
        )
        text = f"{outcome.kind}, {section}: {calls:,} more function calls, the peers {fewest:,}"
        yield _goal(calls < fewest, f"{text} or more", "below it")


def _trigger_goals(outcome: Outcome, own: Contestant, pghistory: Contestant) -> Iterator[str]:
    for section in ("save in a request", "request", "save"):
        mark, added = outcome.added(pghistory, section), outcome.added(own, section)
        text = f"{outcome.kind}, {section}, by triggers: {added:.0f} µs, {PGHISTORY} {mark:.0f} µs"
        yield _goal(added <= mark, text, "not more")


def _goal(reached: bool, text: str, wanted: str) -> str:  # noqa: FBT001
    return f"* **{'PASS' if reached else 'FAIL'}** {text} (goal: {wanted})"


def _others(outcome: Outcome) -> list[Contestant]:
    return [each for each in outcome.contestants if each.name != PLAIN]


def _name(contestant: Contestant) -> str:
    return f"**{contestant.name}**" if contestant.name == TRACKMATE else contestant.name


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(line)} |" for line in (head, *rows)]
    lines.insert(1, "|---|" + "--:|" * (len(head) - 1))
    return "\n".join(lines)
