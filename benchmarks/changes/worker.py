"""One contestant in a process of its own, which does what the driver says and takes the time.

It reads a command a line from its standard input, and writes an answer a line, as JSON.
"""

import gc
import itertools
import resource
import tracemalloc
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.utils.module_loading import import_string

from benchmarks.changes.contestants import CONTESTANTS, Contestant
from benchmarks.changes.sections import ROWS
from benchmarks.changes.watches import CallCounter, Observer, Stopwatch, Watch
from benchmarks.contestants import SESSION_AND_USER
from benchmarks.processes import serve
from benchmarks.worker import APPS, cookie_of_a_user, database_title, start_response


class Worker:
    """A WSGI handler over a fresh database with a stock of items."""

    def __init__(self, contestant: Contestant) -> None:
        # The models can be imported only when Django is set up.
        self.situations = import_string("benchmarks.changes.situations.SITUATIONS")
        self.contestant = contestant
        self.bulk_update = import_string(contestant.bulk_update)
        self._keys = itertools.cycle(range(1, 201))
        call_command("migrate", verbosity=0, skip_checks=True)
        # What has no migrations refers to what has.
        call_command("migrate", run_syncdb=True, verbosity=0, skip_checks=True)
        for command, *arguments in contestant.prepare:
            with redirect_stderr(StringIO()):  # where their reports go, see main()
                call_command(command, *arguments)
        import_string("benchmarks.changes.situations.fill")()
        self._environ = import_string("benchmarks.changes.situations.environ")
        self._cookie = cookie_of_a_user()
        self._handler = WSGIHandler()

    def measure(self, situation: str, times: int = 0) -> dict[str, list[tuple[int, int]]]:
        """Do it a few times; return, by section, nanoseconds that passed and were computed."""
        watch = Stopwatch()
        self._do(situation, watch, times)
        return watch.times

    def observe(self, situation: str) -> dict[str, dict[str, int]]:
        """Do it once; return, by section, its queries, new rows of the log and function calls."""
        watch, counter = Observer(self._count_rows), CallCounter()
        self._do(situation, watch, 1)
        self._do(situation, counter, 1)
        return {
            section: seen | {"calls": counter.calls[section]}
            for section, seen in watch.seen.items()
        }

    def titles(self) -> list[str]:
        """Return the names of the situations."""
        return [situation.__name__ for situation in self.situations]

    def database(self) -> str:
        return database_title()

    def memory(self, instances: int) -> dict[str, float]:
        """Load that many rows without keeping any; return how the process has grown since a tenth.

        "each" is what Python allocates for a row that is kept, in bytes.
        """
        self._load(instances // 10)
        early = _resident_bytes(), len(gc.get_objects())
        self._load(instances - instances // 10)
        late = _resident_bytes(), len(gc.get_objects())
        return {
            "each": self._bytes_of_each(),
            "resident": early[0],
            "growth": late[0] - early[0],
            "objects": late[1] - early[1],
        }

    def request(self, path: str, watch: Watch, section: str, inner: str) -> None:
        environ = self._environ(path, self._cookie) | {"benchmark.saving": watch(inner)}
        with watch(section):
            response = self._handler(environ, start_response)
            body = b"".join(response)
            response.close()
        if response.status_code != 200:
            raise RuntimeError(f"{self.contestant.name} answered {response.status_code}: {body!r}")

    def next_key(self) -> int:
        return next(self._keys)

    def _do(self, situation: str, watch: Watch, times: int) -> None:
        work, usual = next(
            (work, times) for work, times in self.situations.items() if work.__name__ == situation
        )
        gc.collect()
        for _ in range(times or usual):
            work(self, watch)

    def _count_rows(self) -> int:
        """Return how many changes the log has."""
        if not self.contestant.log:
            return 0
        rows = apps.get_model(self.contestant.log).objects.all()
        return (
            rows.filter(source="model") if "trackmate" in self.contestant.apps else rows
        ).count()

    def _load(self, instances: int) -> None:
        rows = _items()
        for _ in range(instances // len(rows)):
            for _row in _items().iterator(chunk_size=len(rows)):
                pass
        del rows
        gc.collect()

    def _bytes_of_each(self) -> float:
        _items()[0]  # whatever is made once
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        kept = list(_items())
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return (after - before) / len(kept)


def _items() -> Any:
    return apps.get_model("stock.Item").objects.filter(pk__lte=ROWS)


def _resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # the most so far, on macOS


def build_worker(order: dict) -> Worker:
    contestant = CONTESTANTS[order["contestant"]]
    _configure(contestant, order)
    return Worker(contestant)


def _configure(contestant: Contestant, order: dict) -> None:
    own = dict(contestant.settings)
    trackmate = {"SPOOL_DIR": order["spool"]} | own.pop("TRACKMATE", {})
    settings.configure(
        SECRET_KEY="benchmarks",
        ALLOWED_HOSTS=["shop.example"],
        ROOT_URLCONF="benchmarks.changes.site",
        INSTALLED_APPS=[*APPS, *contestant.apps, "benchmarks.changes.stock"],
        MIDDLEWARE=[*contestant.first, *SESSION_AND_USER, *contestant.last],
        # A connection is kept, as under any server that is meant to be fast.
        DATABASES={"default": {"CONN_MAX_AGE": None, **order["database"]}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        TRACKMATE=trackmate,
        BENCHMARK_TRACK=contestant.track,
        BENCHMARK_MANAGER=contestant.manager,
        **own,
    )
    django.setup()


if __name__ == "__main__":
    serve(build_worker)
