"""One database of millions of rows: makes its history, asks the dashboard's pages, takes the time.

Time stands where the history ends, so that a database that was kept still has a last hour.
"""

import json
import os
import random
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from time import perf_counter_ns
from urllib.parse import quote, unquote, urlencode

sys.path.insert(0, str(Path(__file__).parent.parent / "demo"))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"

import django
import django_tables2 as tables
from django.conf import settings

# A connection is kept, as under any server that is meant to be fast.
settings.DATABASES["default"]["CONN_MAX_AGE"] = None
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.db import connection  # noqa: E402
from django.template.backends.django import DjangoTemplates  # noqa: E402
from django.test import Client, RequestFactory, override_settings  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks import scale_history  # noqa: E402
from trackmate import selectors, suppress  # noqa: E402
from trackmate.dashboard.time_ranges import written  # noqa: E402
from trackmate.models import ActivityLog  # noqa: E402

LOOP = """<table>{% for row in rows %}<tr>
<td>{{ row.action_time }}</td><td>{{ row.actor_label }}</td>
<td>{{ row.action }}</td><td>{{ row.status }}</td>
</tr>{% endfor %}</table>"""
"""A page's worth of rows as the plainest template shows them."""

PAGE_1000 = 999 * selectors.PAGE_SIZE
QUICK, DAY, MONTH, SEARCH = 20, 150, 400, 1_200
IN_A_ROW = 4
"""Requests of a page that follow each other, before it is another one's turn."""
ABSENT, COMMON = "no such words anywhere", "paper"


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is asked together and timed together."""

    title: str
    urls: tuple[str, ...]
    goal: int | None = None
    """Milliseconds that 95 of 100 may take at most."""


class Site:
    """The demo's site, and a session of its staff."""

    def __init__(self) -> None:
        client = Client()
        with suppress():
            client.force_login(User.objects.get(username="sam"))
            # As a browser does, it keeps the cookie against forgery, and is not given a new one.
            client.get("/trackmate/activity/", headers={"host": "localhost"})
        self.cookie = "; ".join(f"{key}={value.value}" for key, value in client.cookies.items())
        self.handler = WSGIHandler()

    def ask(self, url: str) -> int:
        """Return the nanoseconds until the whole answer was there."""
        path, _, query = url.partition("?")
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "HTTP_HOST": "localhost",
            "HTTP_COOKIE": self.cookie,
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
            "wsgi.errors": sys.stderr,
        }
        if "/facets/" in path:
            environ["HTTP_HX_REQUEST"] = "true"
        started = perf_counter_ns()
        response = self.handler(environ, lambda *_args: None)
        b"".join(response)
        done = perf_counter_ns() - started
        response.close()
        if response.status_code not in (200, 204):
            raise RuntimeError(f"{url} answered {response.status_code}")
        return done

    def queries(self, urls: tuple[str, ...]) -> int:
        """Count the statements of a page."""
        seen = []

        def note(execute, sql, *rest):
            seen.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(note):
            for url in urls:
                self.ask(url)
        return len(seen)


def main() -> None:
    order = json.loads(sys.argv[1])
    scale_history.make(order["rows"], order["days"])
    end = _stand_still()
    rollups = _roll_up()
    asked = [page for page in _pages(end, order["days"]) if order["only"] in page.title]
    site = Site()
    if order["compare_rollups"]:
        with override_settings(TRACKMATE={**settings.TRACKMATE, "QUERY_TIMEOUT": 60_000}):
            compared = _compare_rollups(site, order["rounds"])
        print(json.dumps({"rollups": rollups, **compared}))
        return
    times = {page.title: [] for page in asked}
    queries = {page.title: site.queries(page.urls) for page in asked}
    yardsticks = _yardsticks()
    measured = {name: [] for name in yardsticks}
    for _round in range(order["rounds"]):
        for page in random.sample(asked, len(asked)):
            times[page.title] += [sum(map(site.ask, page.urls)) for _ in range(IN_A_ROW)]
            for name, show in yardsticks.items():
                measured[name].append(_time_of(show))
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    answer = {
        "database": _database(),
        "rows": ActivityLog.objects.count(),
        "days": order["days"],
        "size": scale_history.size(),
        "asked": f"{order['rounds']} rounds of {IN_A_ROW} requests in a row.",
        "rollups": rollups,
        "yardsticks": {name: statistics.median(times) / 1e6 for name, times in measured.items()},
        "pages": [_figures(page, times[page.title], queries[page.title]) for page in asked],
    }
    print(json.dumps(answer))


def _compare_rollups(site: Site, rounds: int) -> dict:
    """Time pages with and without rollups, and the table of eight columns between them."""
    use, times = selectors.rollups_for, {}
    ways = {"with": use, "without": lambda *_args: selectors.RollupSet()}
    table, measured = _yardsticks(EightColumns)["table"], []
    for turn in range(rounds):
        for title, url in random.sample(list(COMPARED.items()), len(COMPARED)):
            for way, selectors.rollups_for in ways.items():
                if way == "with" or not turn % 3:
                    times.setdefault(title, {}).setdefault(way, []).append(site.ask(url) / 1e6)
            measured.append(_time_of(table) / 1e6)
    return {
        "table": statistics.median(measured),
        "pages": [
            {"title": title, **{way: statistics.median(each) for way, each in times[title].items()}}
            for title in COMPARED
        ],
    }


def _pages(end, days: int) -> list[Page]:
    rows = ActivityLog.objects.order_by("-pk")
    everything = {"range": "custom", "start": written(end - timedelta(days=days + 1))}
    newest, news = rows[0].pk, rows[20].pk
    deep = rows[min(PAGE_1000, rows.count() - 100)].pk
    last = ActivityLog.objects.order_by("pk")[selectors.PAGE_SIZE].pk
    actor = User.objects.get(username="alice").pk
    order = ActivityLog.objects.filter(object_id__isnull=False, content_type__model="order")
    object_id = order.order_by("-pk")[1_000].object_id
    explorer, overview = "/trackmate/activity/", "/trackmate/"
    tick = f"{explorer}tick/"

    def url(path: str, **query) -> str:
        return f"{path}?{urlencode(query)}" if query else path

    return [
        Page(title="first page", urls=(explorer,), goal=QUICK),
        Page(title="page 1,000", urls=(url(explorer, **everything, before=deep),), goal=QUICK),
        Page(title="last page", urls=(url(explorer, **everything, before=last),), goal=QUICK),
        Page(title="one page up", urls=(url(explorer, **everything, after=deep),), goal=QUICK),
        Page(title="tick, nothing new", urls=(url(tick, since=newest),), goal=QUICK),
        Page(title="tick, 20 new", urls=(url(tick, since=news),), goal=QUICK),
        Page(title="actor page", urls=(f"/trackmate/actor/{quote(f'#{actor}')}/",), goal=QUICK),
        Page(title="object page", urls=(f"/trackmate/object/desk.order/{object_id}/",), goal=QUICK),
        Page(title="one activity", urls=(f"{explorer}{deep}/",)),
        Page(
            title="explorer and its facets, 24 h", urls=(explorer, f"{explorer}facets/"), goal=DAY
        ),
        Page(title="overview, 24 h", urls=(url(overview, range="24h"),), goal=DAY),
        Page(title="overview, 7 days", urls=(url(overview, range="7d"),)),
        Page(title="overview, 30 days", urls=(url(overview, range="30d"),), goal=MONTH),
        Page(title="search of a common word, 24 h", urls=(url(explorer, q=COMMON),), goal=SEARCH),
        Page(title="search of absent words, 24 h", urls=(url(explorer, q=ABSENT),), goal=SEARCH),
        Page(
            title=f"search of absent words, {days} days",
            urls=(url(explorer, **everything, q=ABSENT),),
            goal=SEARCH,
        ),
        Page(
            title="filter by status code, 30 days",
            urls=(url(explorer, range="30d", status_code="404"),),
        ),
    ]


COMPARED = {
    f"{name}, {label}": f"{path}?range={key}"
    for name, path in {
        "overview": "/trackmate/",
        "facets": "/trackmate/activity/facets/",
    }.items()
    for key, label in {"24h": "24 h", "7d": "7 days", "30d": "30 days"}.items()
}
"""Pages that are timed with and without rollups."""


class PlainTable(tables.Table):
    action_time = tables.Column()
    actor_label = tables.Column()
    action = tables.Column()
    status = tables.Column()


class EightColumns(PlainTable):
    action_type = tables.Column()
    object_repr = tables.Column()
    execution_time = tables.Column()
    ip_address = tables.Column()


def _yardsticks(table_class=PlainTable) -> dict[str, Callable[[], object]]:
    """Return what shows a page's worth of rows by other means: how fast this machine is."""
    rows = list(ActivityLog.objects.order_by("-pk")[: selectors.PAGE_SIZE])
    folder = Path(tables.__file__).parent / "templates"
    libraries = {"django_tables2": "django_tables2.templatetags.django_tables2"}
    engine = DjangoTemplates(
        {"NAME": "", "DIRS": [folder], "APP_DIRS": False, "OPTIONS": {"libraries": libraries}}
    )
    template, table = engine.from_string(LOOP), engine.get_template("django_tables2/table.html")
    request = RequestFactory().get("/")
    return {
        "template": lambda: template.render({"rows": rows}),
        "table": lambda: table.render({"table": table_class(rows), "request": request}),
    }


def _time_of(show: Callable[[], object]) -> int:
    started = perf_counter_ns()
    show()
    return perf_counter_ns() - started


def _roll_up() -> str:
    started = perf_counter_ns()
    built = selectors.build_all("default")
    seconds = (perf_counter_ns() - started) / 1e9
    return f"{built:,} rollups were built before, in {seconds:.0f} s." if built else ""


def _stand_still():
    """Let the clock of the dashboard stand where the history ends; return that moment."""
    end = ActivityLog.objects.order_by("-pk")[0].action_time + timedelta(seconds=1)
    timezone.now = lambda: end
    return end


def _figures(page: Page, times: list[int], queries: int) -> dict:
    ordered = sorted(time / 1e6 for time in times)
    percentiles = {f"p{each}": ordered[len(ordered) * each // 100] for each in (5, 50, 95)}
    return {"title": page.title, "goal": page.goal, "queries": queries, **percentiles}


def _database() -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sqlite_version()")
            return f"SQLite {cursor.fetchone()[0]}"
        cursor.execute("SELECT split_part(current_setting('server_version'), ' ', 1)")
        return f"PostgreSQL {cursor.fetchone()[0]}"


if __name__ == "__main__":
    main()
