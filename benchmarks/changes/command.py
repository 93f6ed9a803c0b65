"""Measure what it costs to record the changes of a model, beside the peers, and print tables."""

import argparse
import sys

from benchmarks import peers, report
from benchmarks.changes import contest
from benchmarks.changes import report as tables
from benchmarks.changes.contestants import CONTESTANTS, PLAIN, PLAIN_AGAIN
from benchmarks.databases import DATABASES, NoDatabaseError
from benchmarks.options import contest_parser

SECONDS, QUICK_SECONDS = 150, 20
"""How long each database is measured; starting the contestants comes on top."""
INSTANCES, QUICK_INSTANCES = 1_000_000, 100_000
"""How many rows are loaded to see whether the process grows."""


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    only = options.only or CONTESTANTS
    # With what they are compared with.
    wanted = {PLAIN, PLAIN_AGAIN, *only, *(CONTESTANTS[name].baseline for name in only)}
    contestants = [
        each for name, each in CONTESTANTS.items() if name in wanted and peers.takes_part(each)
    ]
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


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = contest_parser("python -m benchmarks changes", __doc__, quick="two minutes")
    parser.add_argument(
        "--only",
        action="append",
        choices=CONTESTANTS,
        help="only this contestant, and the plain project",
    )
    return parser.parse_args(arguments)
