"""The options that the contests have in common."""

import argparse
from pathlib import Path

from benchmarks.databases import DATABASES


def contest_parser(prog: str, description: str, *, quick: str) -> argparse.ArgumentParser:
    """Return a parser of a contest's options; `quick` says how long a first look takes."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--quick", action="store_true", help=f"a look of {quick}")
    parser.add_argument("--on", action="append", choices=DATABASES, help="only this database")
    parser.add_argument(
        "--percentile",
        type=int,
        default=50,
        choices=range(1, 100),
        metavar="P",
        help="of the times; 50 by default, 5 or so on a machine that is busy with other things",
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep the tables in this file")
    return parser
