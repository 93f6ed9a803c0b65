"""Real requests, over real connections, to the demo behind real servers: each becomes its row."""

import gzip
import http.client
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import pytest
from django.utils.encoding import repercent_broken_unicode

from tests.conftest import ACCESS_LOG
from trackmate.redaction import clean_line

pytest_plugins = ["tests.hostile.fixtures"]
pytestmark = pytest.mark.server

LINE = re.compile(r'\S+ \S+ \S+ \[[^]]+\] "(\S+) (\S+) [^"]*" \d+ \S+ "([^"]*)" "([^"\n]*)')
VISITORS = 6
CONNECTIONS = 100  # one after another, so that both workers of a server get their share


@pytest.fixture(scope="module")
def access_log():
    """Method, target, referrer and agent of 10,000 requests to a real site."""
    with gzip.open(ACCESS_LOG, "rt") as lines:
        return [LINE.match(line).groups() for line in lines]


def replay(url, requests):
    """Send requests one after another over one connection; return the statuses."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    statuses = Counter()
    for method, target, referrer, agent in requests:
        headers = {"Referer": referrer, "User-Agent": agent}
        connection.request(method, target, headers=headers)
        response = connection.getresponse()
        response.read()
        statuses[response.status] += 1
    connection.close()
    return statuses


def path_under_wsgi(target):
    """Return the path as Django reads it from a WSGI server: what is no UTF-8 stays as it came."""
    raw = unquote_to_bytes(target.partition("?")[0])
    return clean_line(repercent_broken_unicode(raw).decode(), 2048)


def path_under_asgi(target):
    """Return the path as an ASGI server hands it over: what is no UTF-8 is replaced."""
    return clean_line(unquote(target.partition("?")[0]), 2048)


def replay_all(serve, desk, access_log, application, **options):
    """Replay the log on several connections at once, and end the server."""
    environment = desk.environment | {"DJANGO_SETTINGS_MODULE": "tests.hostile.replay_settings"}
    server = serve(application, workers=2, env=environment, **options)
    shares = [access_log[start::CONNECTIONS] for start in range(CONNECTIONS)]
    with ThreadPoolExecutor(VISITORS) as threads:
        answered = sum(threads.map(replay, [server.url] * CONNECTIONS, shares), start=Counter())
    server.stop()
    assert answered.total() == len(access_log) == 10_000
    assert not [status for status in answered if status >= 500]
    assert not list(desk.spool.rglob("*.jsonl")), server.log.read_text()


def assert_each_is_a_row(desk, access_log, path_of):
    rows = desk.rows("id, method, path, user_agent, extra")
    rows = [row for row in rows if row[3]]  # without an agent, the test asked whether it runs
    assert len(rows) == len({row[0] for row in rows}) == 10_000
    sent = Counter((method, path_of(target), agent) for method, target, _, agent in access_log)
    assert Counter(row[1:4] for row in rows) == sent
    referrers = Counter(row[4]["headers"]["Referer"].partition("?")[0] for row in rows)
    assert referrers == Counter(referrer.partition("?")[0] for _, _, referrer, _ in access_log)


def test_10000_real_requests_to_gunicorn_are_10000_rows(serve, desk, access_log):
    replay_all(serve, desk, access_log, "config.wsgi:application", options=("--threads=2",))
    assert_each_is_a_row(desk, access_log, path_under_wsgi)


def test_10000_real_requests_to_uvicorn_are_10000_rows(serve, desk, access_log):
    options = {"kind": "uvicorn", "options": ("--log-level=warning",)}
    replay_all(serve, desk, access_log, "config.asgi:application", **options)
    assert_each_is_a_row(desk, access_log, path_under_asgi)
