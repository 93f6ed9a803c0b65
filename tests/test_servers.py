"""Real requests, over real connections, to the demo behind real servers: each becomes its row."""

import gzip
import http.client
import random
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import pytest
from django.utils.encoding import repercent_broken_unicode

from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.text import clean_line

pytest_plugins = ["tests.hostile.fixtures"]
pytestmark = pytest.mark.server

ACCESS_LOG = Path(__file__).parent.parent.parent / "shared" / "data" / "apache_access_10k.log.gz"
"""10,000 requests to a real site, no part of the project: replayed too where somebody put it."""
LINE = re.compile(r'\S+ \S+ \S+ \[[^]]+\] "(\S+) (\S+) [^"]*" \d+ \S+ "([^"]*)" "([^"\n]*)')
CONNECTIONS = 100  # one after another, so that both workers of a server get their share


@pytest.fixture(scope="module")
def traffic():
    """Method, target, referrer and agent of thousands of requests."""
    requests = list(made_up(2_000))
    if ACCESS_LOG.exists():
        with gzip.open(ACCESS_LOG, "rt") as lines:
            requests += [LINE.match(line).groups() for line in lines]
    return requests


PLACES = ["/", "/catalogue/", "/blog/2015/05/", "/caf%C3%A9/", "/latin1/%E9/", "/a%20b", "/x%00y"]
PLACES += ["/%F0%9F%90%99", "/%2e%2e/etc/passwd", "/a//b", "/;jsessionid=1", "/p/%25C3%25A9"]
QUERIES = ["", "?page=2", "?q=two+words&q=%22", "?flav=rss20", "?%E9=%FF", "?a=1&&b", "?=", "?"]
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64)", "-", "UniversalFeedParser/4.2", "curl/8", '"quoted"']
REFERRERS = ["-", "https://example.org/search?q=%E9", "http://example.org/ä", "about:blank"]


def made_up(number):
    """Yield requests of the kinds that a public site gets, the same ones each time."""
    choose = random.Random(2015).choice
    for _ in range(number):
        target = choose(PLACES) + choose(QUERIES)
        referrer = choose(REFERRERS).encode().decode("latin-1")
        yield choose(["GET", "GET", "GET", "HEAD", "OPTIONS"]), target, referrer, choose(AGENTS)


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


def masked(path):
    """Return a path as its row has it: the key of a session is a secret wherever it is."""
    return path.replace(";jsessionid=1", f";jsessionid={MASK}")


def replay_all(serve, desk, traffic, application, *, visitors, **options):
    """Replay requests on several connections at once, and end the server."""
    environment = desk.environment | {"DJANGO_SETTINGS_MODULE": "tests.hostile.replay_settings"}
    server = serve(application, workers=2, env=environment, **options)
    shares = [traffic[start::CONNECTIONS] for start in range(CONNECTIONS)]
    with ThreadPoolExecutor(visitors) as threads:
        answered = sum(threads.map(replay, [server.url] * CONNECTIONS, shares), start=Counter())
    server.stop()
    assert answered.total() == len(traffic) >= 2_000
    assert not [status for status in answered if status >= 500]
    # On a busy machine some wait, as they should.
    desk.manage("trackmate_flush")
    assert not list(desk.spool.rglob("*.jsonl")), server.log.read_text()


def assert_each_is_a_row(desk, traffic, path_of):
    rows = desk.rows("id, method, path, user_agent, extra")
    rows = [row for row in rows if row[3]]  # without an agent, the test asked whether it runs
    assert len(rows) == len({row[0] for row in rows}) == len(traffic)
    sent = Counter((method, masked(path_of(target)), agent) for method, target, _, agent in traffic)
    assert Counter(row[1:4] for row in rows) == sent
    referrers = Counter(row[4]["headers"]["Referer"].partition("?")[0] for row in rows)
    assert referrers == Counter(referrer.partition("?")[0] for _, _, referrer, _ in traffic)


def test_each_real_request_to_gunicorn_is_a_row(serve, desk, traffic):
    options = {"visitors": 6, "options": ("--threads=2",)}
    replay_all(serve, desk, traffic, "config.wsgi:application", **options)
    assert_each_is_a_row(desk, traffic, path_under_wsgi)


def test_each_real_request_to_uvicorn_is_a_row(serve, desk, traffic):
    # Many visitors, since each waits 40 ms for the second half of an answer (Nagle's algorithm).
    options = {"visitors": 50, "kind": "uvicorn", "options": ("--log-level=warning",)}
    some = traffic[::4] if len(traffic) > 8_000 else traffic
    replay_all(serve, desk, some, "config.asgi:application", **options)
    assert_each_is_a_row(desk, some, path_under_asgi)
