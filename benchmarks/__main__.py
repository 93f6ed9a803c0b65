"""Measure what trackmate adds to a request, beside its peers, and print a table.

`python -m benchmarks scale` measures the dashboard over millions of rows instead,
`python -m benchmarks outages` what a site feels of a log that is locked, stopped or gone, and
`python -m benchmarks changes` what it costs to record the changes of a model.
"""

import argparse
import sys
from pathlib import Path

from benchmarks import contest, outages, peers, report, scale
from benchmarks.changes import command as changes
from benchmarks.contestants import CONTESTANTS, Contestant
from benchmarks.databases import DATABASES, NoDatabaseError

SECONDS, QUICK_SECONDS = 75, 12
"""How long each database is measured; starting the contestants comes on top."""


def main() -> int:
    if sys.argv[1:2] == ["scale"]:
        return scale.main(sys.argv[2:])
    if sys.argv[1:2] == ["outages"]:
        return outages.main(sys.argv[2:])
    if sys.argv[1:2] == ["changes"]:
        return changes.main(sys.argv[2:])
    options = _options()
    names = [name for name, contestant in CONTESTANTS.items() if _takes_part(contestant)]
    outcomes = []
    for database in options.on or DATABASES:
        print(f"Measuring on {database}", flush=True)
        try:
            with DATABASES[database]() as make_database:
                seconds = QUICK_SECONDS if options.quick else SECONDS
                outcomes.append(
                    contest.hold(
                        make_database, names, seconds=seconds, percentile=options.percentile
                    )
                )
        except NoDatabaseError as reason:
            print(f"Skipped {database}: {reason}", file=sys.stderr)
    if not outcomes:
        return 1
    text = report.page(outcomes)
    print(text)
    if options.write:
        report.write(options.write, text)
    return 0


def _takes_part(contestant: Contestant) -> bool:
    reason = peers.install(contestant)
    if reason:
        print(f"Skipped {contestant.name}: {reason}", file=sys.stderr)
    return not reason


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look of less than a minute")
    parser.add_argument("--on", action="append", choices=DATABASES, help="only this database")
    parser.add_argument(
        "--percentile",
        type=int,
        default=50,
        choices=range(1, 100),
        metavar="P",
        help="of the times; 50 by default, 5 or so on a machine that is busy with other things",
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep the table in this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
