"""Faults while the demo serves: no answer changes, and afterwards every activity is there, once."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from urllib.parse import urlsplit

import pytest

pytest_plugins = ["tests.hostile.fixtures"]
pytestmark = [pytest.mark.database, pytest.mark.server]

VISITORS = 4


class Visitor:
    """Ask for page after page over one connection, until told to stop."""

    def __init__(self, url, number, stop):
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self.number, self.stop = number, stop
        self.asked, self.answers = [], set()

    def visit(self):
        while not self.stop.is_set():
            path = f"/catalogue/?visitor={self.number}&page={len(self.asked)}"
            self.connection.request("GET", path)
            response = self.connection.getresponse()
            self.answers.add((response.status, response.read()))
            self.asked.append(path.partition("?")[2])
        self.connection.close()

    def wait_for_more(self, number=25):
        """Return when so many more pages were answered."""
        until = len(self.asked) + number
        while len(self.asked) < until and not self.stop.wait(0.01):
            pass


def test_the_log_is_dropped_and_comes_back_while_requests_go_on(serve, desk):
    server = serve(
        "config.wsgi:application", workers=2, options=("--threads=2",), env=desk.environment
    )
    stop = Event()
    visitors = [Visitor(server.url, number, stop) for number in range(VISITORS)]
    with ThreadPoolExecutor(VISITORS) as threads:
        visits = [threads.submit(visitor.visit) for visitor in visitors]
        try:
            visitors[0].wait_for_more()
            desk.close_and_copy(desk.log, desk.copy)
            desk.drop(desk.log)
            visitors[0].wait_for_more(50)
            desk.create(desk.log)
            visitors[0].wait_for_more()
            desk.migrate("log")
            visitors[0].wait_for_more()
        finally:
            stop.set()
        assert [visit.result() for visit in visits] == [None] * VISITORS
    server.stop()
    desk.manage("trackmate_flush")
    answers = set.union(*(visitor.answers for visitor in visitors))
    assert len(answers) == 1
    assert answers.pop()[0] == 200
    asked = {query for visitor in visitors for query in visitor.asked}
    before = {extra["query"] for (extra,) in desk.rows("extra", desk.copy)}
    stored = [extra["query"] for (extra,) in desk.rows("extra")]
    assert len(stored) == len(set(stored)) > 0
    assert before | set(stored) == asked
    assert len(before) + len(stored) >= len(asked)
    assert not list(desk.spool.rglob("*.jsonl"))
