"""The whole demo with one command: database, history, server, traffic."""

import os
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from io import StringIO
from urllib.request import ProxyHandler, build_opener

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from trackmate.models import ActivityLog

from desk.management.commands.seed import logins

HOST = "127.0.0.1"
PORTS_TO_TRY = 20
START_SECONDS = 60
STOP_SECONDS = 20


class Command(BaseCommand):
    help = "Prepare the demo, serve it on 127.0.0.1 and send traffic to it, until Ctrl-C."

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=8000, help="Port to serve on (8000).")
        parser.add_argument(
            "--activities", type=int, default=50_000, help="History to make (50000)."
        )
        parser.add_argument("--no-traffic", action="store_false", dest="traffic")

    def handle(self, *, port, activities, traffic, **_options):
        if not 1 <= port <= 65_535:
            raise CommandError(f"--port {port}: expected a port from 1 to 65535.")
        prepare(activities)
        free = free_port(port)
        if free != port:
            self.stdout.write(f"Port {port} is taken; {free} is free and is used.")
        url = f"http://{HOST}:{free}/"
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        children = []
        try:
            children.append(start(server(free)))
            wait_for(url, children[0])
            self.stdout.write(greeting(url))
            if traffic:
                children.append(start([*manage("traffic"), "--url", url]))
            self.watch(children)
        except KeyboardInterrupt:
            self.stdout.write("\nThe demo ends.")
        finally:
            stop(children)

    def watch(self, children):
        """Wait until the server ends; the traffic may end before."""
        code = children[0].wait()
        raise CommandError(f"The server ended by itself, with status {code}.")


def prepare(activities):
    """Bring the databases up to date, and fill the log if it is empty."""
    call_command("migrate", verbosity=0)
    if "log" in settings.DATABASES:
        call_command("migrate", "trackmate", database="log", verbosity=0)
    if not ActivityLog.objects.exists():
        call_command("seed", activities=activities, stdout=StringIO())
    # The children open their own.
    connections.close_all()


def free_port(port):
    """Return `port`, or the next one that nobody listens on."""
    for candidate in range(port, min(port + PORTS_TO_TRY, 65_536)):
        with socket.socket() as probe:
            # As servers do: a port that was closed a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return candidate
    raise CommandError(f"--port {port}: it and the next {PORTS_TO_TRY - 1} are taken.")


def server(port):
    """Return the command line of the best server that is installed."""
    address = f"{HOST}:{port}"
    if find_spec("gunicorn") and sys.platform != "win32":
        options = ["--workers", "2", "--threads", "4", "--log-level", "error"]
        return [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", address, *options]
    if find_spec("uvicorn"):
        options = [
            "--host",
            HOST,
            "--port",
            str(port),
            "--log-level",
            "warning",
            "--lifespan",
            "off",
        ]
        return [sys.executable, "-m", "uvicorn", "config.asgi:application", *options]
    return [*manage("runserver"), address, "--noreload"]


def manage(*arguments):
    """Return the command line of a management command."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]


def start(command):
    """Start a child."""
    environment = {**os.environ, "DEMO_TRAFFIC_IS_PROXY": "1"}
    return subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment)  # noqa: S603


def wait_for(url, child):
    """Return once the server answers."""
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise CommandError(
                f"The server did not start; it ended with status {child.returncode}."
            )
        try:
            opener.open(f"{url}healthz", timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise CommandError(f"The server does not answer at {url} after {START_SECONDS} seconds.")


def stop(children):
    """End the children, by their process ids, and wait for them."""
    for child in reversed(children):
        if child.poll() is None:
            child.terminate()
    for child in children:
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def greeting(url):
    """Return where to look and as whom."""
    places = {"Shop": url, "Activity log": f"{url}trackmate/", "Admin": f"{url}admin/"}
    lines = [f"  {name:<14}{place}" for name, place in places.items()]
    return "\n".join(["", *lines, "", logins(), "", "Ctrl-C ends it."])
