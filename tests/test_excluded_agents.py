"""Requests of health checks and bots can be left out, but nobody can hide as one of them."""

import re

import pytest

from tests.factories import person
from trackmate.activity import Activity
from trackmate.enums import Source, Status
from trackmate.processors import exclude

PROBE = "kube-probe/1.29"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def kept(agent, **values):
    values = {"source": Source.REQUEST, "method": "GET", "path": "/", **values}
    return exclude(Activity.now(user_agent=agent, **values)) is not None


@pytest.mark.parametrize(
    ("rules", "agent", "is_kept"),
    [
        ([], PROBE, True),
        (["kube-probe/"], PROBE, False),
        (["KUBE-PROBE"], PROBE, False),
        (["googlebot"], BOT, False),
        (["ELB-HealthChecker", "kube-probe"], PROBE, False),
        ([re.compile(r"^kube-probe/\d")], PROBE, False),
        ([re.compile("KUBE")], PROBE, True),
        ([re.compile("KUBE", re.IGNORECASE)], PROBE, False),
        (["kube-probe"], "", True),
        (["kube-probe"], "curl/8.5", True),
        ([""], "curl/8.5", True),
        (["bot.*"], BOT, True),
        (["late"], "x" * 600 + "late", True),
        ([re.compile("late$")], "x" * 600 + "late", True),
        ([re.compile("x$")], "x" * 600 + "late", False),
    ],
)
def test_a_user_agent_can_be_left_out(configure, rules, agent, is_kept):
    configure(EXCLUDE_AGENTS=rules)
    assert kept(agent) is is_kept


@pytest.mark.parametrize(
    "values",
    [
        *({"method": method} for method in ("POST", "PUT", "PATCH", "DELETE", "get", "ODD")),
        {"status": Status.FAILED, "status_code": 404},
        {"actor_id": 7},
        {"actor_id": 0},
        {"actor_label": "api-key:7"},
        *({"source": source} for source in Source if source != Source.REQUEST),
    ],
    ids=str,
)
def test_nobody_can_hide_with_a_user_agent(configure, values):
    configure(EXCLUDE_AGENTS=["kube-probe/", re.compile("")])
    assert kept(PROBE, **values)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_only_reads_is_left_out(configure, method):
    configure(EXCLUDE_AGENTS=["kube-probe/"])
    assert not kept(PROBE, method=method)


@pytest.mark.django_db
def test_the_same_holds_for_real_requests(client, activities, configure):
    configure(EXCLUDE_AGENTS=["kube-probe/"])
    probe = {"user-agent": PROBE}
    client.get("/", headers=probe)
    assert activities == []
    client.get("/nowhere/", headers=probe)
    client.post("/echo/", {"a": 1}, headers=probe)
    assert [each.method for each in activities] == ["GET", "POST"]
    client.force_login(person("alice"))
    activities.clear()
    client.get("/", headers=probe)
    assert [(each.route, each.actor_label) for each in activities] == [("/", "alice")]
