"""What judges the pages in the tests: axe-core, the Nu HTML checker and Lighthouse, out of npm.

`tools/npm` pins them; they are installed once, into `.services/npm`, and run no script there.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tools import machine

PINNED = Path(__file__).parent / "npm"
LOCK = "package-lock.json"
FOLDER = Path(__file__).parent.parent / ".services" / "npm"
MODULES = FOLDER / "node_modules"
VARIABLE = "TRACKMATE_TEST_CHECKERS"
NEEDS = (machine.NODE, machine.JAVA)


def provide() -> dict[str, str]:
    """Install what is missing or of another version, and say where it is; nothing if in vain."""
    if any(not need.find() for need in NEEDS):
        return {}
    if not _is_current() and not _install():
        return {}
    return {VARIABLE: str(MODULES)}


def _is_current() -> bool:
    installed = FOLDER / LOCK
    return (MODULES / ".package-lock.json").exists() and (
        installed.read_bytes() == (PINNED / LOCK).read_bytes()
    )


def _install() -> bool:
    print(f"Installing into {FOLDER}: axe-core, vnu and Lighthouse", flush=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for pinned in PINNED.iterdir():
        shutil.copy(pinned, FOLDER)
    done = subprocess.run([str(machine.program("npm")), "ci"], cwd=FOLDER, check=False)
    if done.returncode:
        # Or the next call would take what is half there for the whole.
        shutil.rmtree(FOLDER)
        print("npm could not install them.", file=sys.stderr)
    return done.returncode == 0
