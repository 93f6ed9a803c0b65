"""The peers, each installed into a folder of its own, since two of them are called the same."""

import subprocess
import sys
from pathlib import Path
from typing import Protocol

FOLDER = Path(__file__).parent.parent / "build" / "benchmarks" / "peers"


class Contestant(Protocol):
    """What takes part in a contest; `requirement` is what pip installs for it, or nothing."""

    name: str
    requirement: str


def takes_part(contestant: Contestant) -> bool:
    """Install a contestant if it has to be; return False, and print why, if that failed."""
    reason = install(contestant)
    if reason:
        print(f"Skipped {contestant.name}: {reason}", file=sys.stderr)
    return not reason


def folder_of(contestant: Contestant) -> list[str]:
    """Return the folders that a contestant needs on its path."""
    return [str(_folder(contestant))] if contestant.requirement else []


def install(contestant: Contestant) -> str:
    """Install a contestant if it has to be; return why that failed, or nothing."""
    if not contestant.requirement or (folder := _folder(contestant)).exists():
        return ""
    print(f"Installing {contestant.requirement}", flush=True)
    fresh = folder.with_name(f"{folder.name}.part")
    # Its dependencies come along, but those of the project stand before them on the path.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(fresh)]
    done = subprocess.run(
        [*pip, *contestant.requirement.split()], check=False, capture_output=True, text=True
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    fresh.rename(folder)
    return ""


def _folder(contestant: Contestant) -> Path:
    python = f"py{sys.version_info[0]}{sys.version_info[1]}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    return FOLDER / f"{contestant.requirement.replace(' ', '+')}-{python}"
