"""What the tests need of this machine: where each thing is found, and how it gets here.

`python -m tools.machine venv` installs one of them where that is possible, and fails with advice.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

POSTGRES_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
BROWSERS = (
    "chromium-headless-shell",  # the same without windows, in half the time
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
JAVAS = ("/opt/homebrew/opt/openjdk/bin/java", "/usr/local/opt/openjdk/bin/java", "java")
# Debian keeps the servers there, and only root has it on PATH.
PROGRAM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


@dataclass(frozen=True)
class Need:
    """One thing that the tests use, and the packages that bring it."""

    title: str
    find: Callable[[], Path | None]
    debian: tuple[str, ...]
    homebrew: str


def is_root() -> bool:
    return os.geteuid() == 0


def is_ci() -> bool:
    """Tell whether nothing may be left out."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def program(*names: str) -> Path | None:
    """Return the first of these programs that is installed."""
    found = (shutil.which(name, path=PROGRAM_PATH) for name in names)
    return next((Path(path) for path in found if path), None)


def postgres_folder() -> Path | None:
    """Return the folder that holds initdb and postgres of one version, the newest."""
    folders = [folder for pattern in POSTGRES_FOLDERS for folder in Path("/").glob(pattern[1:])]
    folders.sort(key=lambda folder: int("".join(filter(str.isdigit, folder.parent.name)) or 0))
    on_path = program("initdb")
    candidates = [*reversed(folders), *([on_path.resolve().parent] if on_path else [])]
    complete = (folder for folder in candidates if _has(folder, "initdb", "postgres", "psql"))
    return next(complete, None)


def mariadbd() -> Path | None:
    """Return the server when the programs that fill its data folder and ask it are there too."""
    complete = program("mariadb-install-db") and program("mariadb")
    return program("mariadbd") if complete else None


def mysqlclient_headers() -> Path | None:
    """Return the compiler when mysqlclient can be built: it has no wheels for Linux and macOS."""
    library = program("mariadb_config", "mysql_config")
    header = Path(sysconfig.get_path("include"), "Python.h")
    return program("gcc", "clang", "cc") if library and header.exists() else None


def node() -> Path | None:
    """Return Node.js when npm is there too."""
    return program("node") if program("npm") else None


def java() -> Path | None:
    """Return a Java that runs: macOS has a program of that name that only asks for one."""
    found = program(*JAVAS)
    if not found:
        return None
    done = subprocess.run([found, "-version"], capture_output=True, check=False)
    return None if done.returncode else found


def ensurepip() -> Path | None:
    spec = find_spec("ensurepip")
    return Path(spec.origin) if spec and spec.origin else None


VENV = Need("virtual environments", ensurepip, ("python3-venv",), "python@3.13")
POSTGRES = Need("PostgreSQL", postgres_folder, ("postgresql",), "postgresql@17")
MARIADB = Need("MariaDB", mariadbd, ("mariadb-server",), "mariadb")
CHROMIUM = Need(
    "Chromium",
    lambda: program(*BROWSERS),
    ("chromium-headless-shell", "fonts-liberation"),
    "--cask chromium",
)
NODE = Need("Node.js with npm", node, ("nodejs", "npm"), "node")
JAVA = Need("Java", java, ("default-jre-headless",), "openjdk")
MYSQLCLIENT = Need(
    "the MariaDB client library with a C compiler",
    mysqlclient_headers,
    ("libmariadb-dev", "pkg-config", "gcc", "libc6-dev", "python3-dev"),
    "mariadb-connector-c pkgconf",
)


BY_NAME = {"venv": VENV, "mysqlclient": MYSQLCLIENT}


def main() -> int:
    missing = provide([BY_NAME[name] for name in sys.argv[1:]])
    if missing:
        print(advice(missing), file=sys.stderr)
    return 1 if missing else 0


def provide(needs: Iterable[Need]) -> list[Need]:
    """Install what is missing where that is possible, and return what still is."""
    missing = [need for need in needs if not need.find()]
    if missing and is_root() and shutil.which("apt-get"):
        _apt_install([package for need in missing for package in need.debian])
    return [need for need in missing if not need.find()]


def advice(missing: Iterable[Need]) -> str:
    """Say what to install by hand."""
    missing = list(missing)
    lines = [f"Not on this machine: {', '.join(need.title for need in missing)}."]
    if sys.platform == "darwin":
        lines += [f"  brew install {need.homebrew}" for need in missing]
    else:
        packages = " ".join(package for need in missing for package in need.debian)
        lines.append(f"  sudo apt-get install {packages}")
    return "\n".join(lines)


def _has(folder: Path, *names: str) -> bool:
    return all((folder / name).exists() for name in names)


def _apt_install(packages: list[str]) -> None:
    print("Installing", *packages, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main())
