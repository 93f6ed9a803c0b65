"""The demo: its own tests pass, and one command brings it up and takes it down again."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

DEMO = Path(__file__).parent.parent / "demo"
GREETING = "Ctrl-C ends it."


@pytest.fixture
def environment(tmp_path):
    """What the demo runs with: its own settings, a database and a spool that are thrown away."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DEMO_")}
    return {
        **ours,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEMO_DATABASE_URL": f"sqlite:///{tmp_path}/demo.sqlite3",
        "DEMO_SPOOL_DIR": str(tmp_path / "spool"),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def demo(environment):
    """A running `manage.py demo`, its greeting, and a taken port that it was asked for."""
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        options = ["--activities", "200", "--port", str(port)]
        process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", *options],
            cwd=DEMO,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            said = ""
            while GREETING not in said and (line := process.stdout.readline()):
                said += line
            yield process, said, port
        finally:
            # Not killed, so that it can end its own children.
            process.terminate()
            process.wait(timeout=60)
            process.stdout.close()


def test_the_demo_passes_its_own_tests(environment):
    command = [sys.executable, "manage.py", "test", "desk"]
    run = subprocess.run(command, cwd=DEMO, env=environment, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()


@pytest.mark.server
def test_demo_serves_on_the_next_free_port_until_it_is_ended(demo):
    process, said, port = demo
    url = re.search(r"Shop +(\S+)", said)[1]
    assert f"Port {port} is taken" in said
    opener = build_opener(ProxyHandler({}))
    assert b"<h1>Catalogue" in opener.open(f"{url}catalogue/", timeout=10).read()

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    with pytest.raises(OSError, match="refused"):
        opener.open(url, timeout=10)
