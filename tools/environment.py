"""A virtual environment with the project and its dependency groups, from nothing but Python.

What has been installed is noted in the environment, so that a second call has nothing to do.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

from tools import machine

ROOT = Path(__file__).parent.parent
NOTE = "trackmate.json"
PIP = "pip>=25.1"  # the first that reads [dependency-groups]


def main() -> int:
    options = _options()
    if missing := machine.provide([machine.VENV]):
        print(machine.advice(missing), file=sys.stderr)
        return 1
    groups = set(options.group)
    if machine.MYSQLCLIENT.find():
        groups |= set(options.where_possible)
    fill(options.folder, groups, editable=options.project)
    return 0


def fill(folder: Path, groups: set[str], *, editable: bool) -> None:
    """Make the environment if need be, and install what it lacks."""
    source = {"checkout": str(ROOT), "project": editable, "asked": _asked()}
    note = _read(folder / NOTE)
    installed = set(note.get("groups", [])) if note.get("source") == source else set()
    if installed >= groups and installed:
        return
    if not _fits(folder):
        print(f"Making {folder} with Python {sys.version.split()[0]}", flush=True)
        venv.create(folder, clear=True, with_pip=True)
    groups |= installed
    print(f"Installing into {folder}: {', '.join(sorted(groups))}", flush=True)
    _install(folder, groups, editable=editable)
    (folder / NOTE).write_text(json.dumps({"source": source, "groups": sorted(groups)}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.environment", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--group", action="append", default=[], help="has to be there")
    parser.add_argument("--where-possible", action="append", default=[], help="needs a compiler")
    parser.add_argument("--no-project", dest="project", action="store_false")
    return parser.parse_args()


def _asked() -> str:
    """Sum up those parts of pyproject.toml that decide what has to be installed."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text())
    parts = [tables["build-system"], tables["project"], tables["dependency-groups"]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _read(note: Path) -> dict:
    return json.loads(note.read_text()) if note.exists() else {}


def _fits(folder: Path) -> bool:
    """Tell whether this environment is there, runs, and is of the Python that was chosen."""
    if not (folder / "bin/python").exists():
        return False
    ask = [folder / "bin/python", "-c", "import sys; print(sys.version_info[:2])"]
    answer = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    return answer == str(sys.version_info[:2])


def _install(folder: Path, groups: set[str], *, editable: bool) -> None:
    python = str(folder / "bin/python")
    _run(python, "-m", "ensurepip")
    _run(python, "-m", "pip", "install", "--quiet", PIP)
    project = ["--editable", "."] if editable else []
    wanted = [part for group in sorted(groups) for part in ("--group", group)]
    _run(python, "-m", "pip", "install", "--quiet", *project, *wanted)


def _run(*command: str) -> None:
    quiet = subprocess.DEVNULL if "ensurepip" in command else None
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, stdout=quiet)
    if done.returncode:
        sys.exit(f"Failed: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
