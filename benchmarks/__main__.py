"""Measure what trackmate adds to a request, beside its peers, and print a table.

`python -m benchmarks scale` measures the dashboard over millions of rows instead,
`python -m benchmarks outages` what a site feels of a log that is locked, stopped or gone, and
`python -m benchmarks changes` what it costs to record the changes of a model.
"""

import argparse
import sys

from benchmarks import contest, outages, peers, report, scale
from benchmarks.changes import command as changes
from benchmarks.contestants import CONTESTANTS
from benchmarks.databases import DATABASES, NoDatabaseError
from benchmarks.options import contest_parser

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
    names = [name for name, contestant in CONTESTANTS.items() if peers.takes_part(contestant)]
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


def _options() -> argparse.Namespace:
    return contest_parser("python -m benchmarks", __doc__, quick="less than a minute").parse_args()


if __name__ == "__main__":
    sys.exit(main())
