"""Measure what it costs to record the changes of a model, beside the peers, and print tables."""

import argparse
import sys
from pathlib import Path

from benchmarks import peers, report
from benchmarks.changes import contest
from benchmarks.changes import report as tables
from benchmarks.changes.contestants import CONTESTANTS, PLAIN, PLAIN_AGAIN, Contestant
from benchmarks.databases import DATABASES, NoDatabaseError

SECONDS, QUICK_SECONDS = 150, 20
"""How long each database is measured; starting the contestants comes on top."""
INSTANCES, QUICK_INSTANCES = 1_000_000, 100_000
"""How many rows are loaded to see whether the process grows."""


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    wanted = [
        each
        for each in CONTESTANTS.values()
        if not options.only or each.name in {PLAIN, PLAIN_AGAIN, *options.only}
    ]
    contestants = [each for each in wanted if _takes_part(each)]
    outcomes = []
    for database in options.on or DATABASES:
        print(f"Measuring on {database}", flush=True)
        try:
            with DATABASES[database]() as make_database:
                outcomes.append(
                    contest.hold(
                        make_database,
                        [each.name for each in contestants if each.only_on in {"", database}],
                        seconds=QUICK_SECONDS if options.quick else SECONDS,
                        percentile=options.percentile,
                        instances=QUICK_INSTANCES if options.quick else INSTANCES,
                    )
                )
        except NoDatabaseError as reason:
            print(f"Skipped {database}: {reason}", file=sys.stderr)
    if not outcomes:
        return 1
    text = tables.page(outcomes)
    print(text)
    if options.write:
        report.write(options.write, text, begin=tables.BEGIN, end=tables.END)
    return 0


def _takes_part(contestant: Contestant) -> bool:
    reason = peers.install(contestant)
    if reason:
        print(f"Skipped {contestant.name}: {reason}", file=sys.stderr)
    return not reason


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks changes", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look of two minutes")
    parser.add_argument("--on", action="append", choices=DATABASES, help="only this database")
    parser.add_argument(
        "--only",
        action="append",
        choices=CONTESTANTS,
        help="only this contestant, and the plain project",
    )
    parser.add_argument(
        "--percentile",
        type=int,
        default=50,
        choices=range(1, 100),
        metavar="P",
        help="of the times; 50 by default, 5 or so on a machine that is busy with other things",
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep the tables in this file")
    return parser.parse_args(arguments)
