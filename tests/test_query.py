"""The query line: what each token means, and the message about a wrong one."""

import re
from contextlib import suppress
from datetime import datetime

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.utils import timezone

from tests.factories import activity, at, person
from tests.shop.models import Order
from tests.urls_under_test import text_of
from trackmate.dashboard import time_syntax
from trackmate.dashboard.dimensions import dimension_for, dimensions
from trackmate.dashboard.search.syntax import MAX_CONDITIONS, format_token, parse_query
from trackmate.models import ActivityLog

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]


def find(line):
    query = parse_query(line)
    rows = ActivityLog.objects.filter(query.condition)
    for time_range in query.time_ranges:
        rows = time_range.filter(rows)
    return set(rows.values_list("remarks", flat=True))


@pytest.fixture
def rows():
    alice = person("alice")
    activity(
        remarks="a",
        actor=alice,
        actor_label="alice",
        action_type="Read",
        status_code=200,
        method="GET",
        route="api/orders/<int:pk>",
        path="/api/orders/1",
        ip_address="10.1.2.3",
        request_id="r1",
        source="request",
        execution_time=0.25,
        user_agent="Firefox, 1",
    )
    activity(
        remarks="b",
        actor=alice,
        actor_label="alice",
        action_type="Update",
        status="Failed",
        status_code=503,
        method="POST",
        route="api/orders/",
        path="/api/100%/new_orders",
        ip_address="192.0.2.1",
        source="request",
        execution_time=2,
    )
    activity(
        remarks="c",
        actor_label="bob",
        action="invoice approved",
        action_type="Login Failed",
        ago=7200,
    )


@pytest.mark.parametrize(
    ("line", "remarks"),
    [
        ("actor:alice", "ab"),
        ("-actor:alice", "c"),
        ("user:alice", "ab"),
        ("USER:alice", "ab"),
        ("actor:=bob", "c"),
        ("actor:alice -type:Read", "b"),
        ("actor:alice -type:read", "b"),
        ("type:login-failed", "c"),
        ("type:LOGIN_FAILED", "c"),
        ('action_type:"login failed"', "c"),
        ("status:failed", "bc"),
        ("status:>=500", "b"),
        ("-status:5xx", "ac"),
        ("code:503", "b"),
        ("status_code:200-299", "a"),
        ("source:custom", "c"),
        ("method:get", "a"),
        ('route:"api/orders/<int:pk>"', "a"),
        ("route:api/orders/", "b"),
        ("path:/api/", "ab"),
        ("path:orders", "ab"),
        ("path:/api/orders/*", "a"),
        ("path:/*/orders", ""),
        ("path:/api/*orders*", "ab"),
        ("path:*/1", "a"),
        ("path:/api/100%*", "b"),
        ("path:/api/_00*", ""),
        ("path:*new_*", "b"),
        ("path:*o%s*", ""),
        ("ip:10.0.0.0/8", "a"),
        ("address:10.1.2.3", "a"),
        ("-ip:10.1.2.3", "bc"),
        ("request:r1", "a"),
        ("agent:firefox", "a"),
        ('action:"invoice approved"', "c"),
        ("duration:>1s", "b"),
        ("duration:<=250ms", "a"),
        ("duration:100ms..1s", "a"),
        ("duration:1..", "b"),
        ("duration:..0.5", "a"),
        ("duration:2s", "b"),
        ("duration:0.03m", "b"),
        ("duration:1s", ""),
        ("-duration:>1s", "ac"),
        ("created:-1h..now", "ab"),
        ("created:-1h", "ab"),
        ("time:-1h", "ab"),
        ("created:..-1h", "c"),
        ("created:-3h..-1h", "c"),
        ("-created:-1h", "c"),
        ("created:-3h created:..-1h", "c"),
        ("created:2020-01-01..2020-01-02", ""),
        ("created:2020-01-01", ""),
        ("created:2020-01-01T10:00..", "abc"),
        ("invoice approved", "c"),
        ('"invoice approved"', "c"),
        ('-"invoice approved"', "ab"),
        ("-invoice", "ab"),
        ("actor:alice orders/1", "a"),
        ("", "abc"),
        ('""', "abc"),
        ("(", ""),
        # Several values
        ("actor:alice,bob", "abc"),
        ("actor:bob,", "c"),
        ("-actor:alice,bob", ""),
        ("type:read,login-failed", "ac"),
        ("status:2xx,failed", "abc"),
        ("ip:10.1.2.3,192.0.2.0/24", "ab"),
        ('actor:"alice,bob"', ""),
        ("path:/api,/orders", ""),
        ('agent:"firefox, 1"', "a"),
        ("agent:x,1", ""),
        ("route:api/orders/,x", ""),
    ],
)
def test_which_rows_a_line_matches(rows, line, remarks):
    assert find(line) == set(remarks)


def test_the_line_of_the_docs_matches_every_condition_at_once(client):
    alice, content_type = person("alice"), ContentType.objects.get_for_model(Order)
    wanted = {
        "actor": alice,
        "action_type": "Update",
        "status_code": 503,
        "route": "api/orders/<int:pk>",
        "content_type_id": content_type.pk,
        "object_id": "42",
        "ip_address": "10.1.2.3",
        "request_id": "r1",
        "remarks": "some free text",
    }
    row = activity(**wanted)
    others = {
        "actor": person("bob"),
        "action_type": "Read",
        "status_code": 404,
        "route": "api/orders/",
        "object_id": "43",
        "ip_address": "11.1.2.3",
        "request_id": "r2",
        "remarks": "",
        "ago": 3 * 3600,
    }
    for name, value in others.items():
        activity(**{**wanted, name: value})
    line = (
        'actor:alice -type:Read status:>=500 route:"api/orders/<int:pk>" object:shop.order/42 '
        'ip:10.0.0.0/8 request:r1 created:-2h..now "free text"'
    )
    client.force_login(person("staff", is_staff=True))
    page = text_of(client.get("/trackmate/activity/", {"q": line}))
    assert re.findall(r'id="tm-row-([0-9a-f-]{36})"', page) == [str(row.pk)]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("today", "2026-11-28T00:00", None),
        ("Yesterday", "2026-11-27T00:00", "2026-11-28T00:00"),
        ("2026-11-27", "2026-11-27T00:00", "2026-11-28T00:00"),
        ("2026-11-28", "2026-11-28T00:00", None),
        ("10:00..11:00", "2026-11-28T10:00", "2026-11-28T11:00"),
        ("9:30:15..", "2026-11-28T09:30:15", None),
        ("10:00..23:00", "2026-11-28T10:00", None),
        ("yesterday..10:00", "2026-11-27T00:00", "2026-11-28T10:00"),
        ("-2h", "2026-11-28T10:00", None),
        ("-2h..now", "2026-11-28T10:00", None),
        ("-1w..-1d", "2026-11-21T12:00", "2026-11-27T12:00"),
        ("2026-11-01..2026-11-02T10:30", "2026-11-01T00:00", "2026-11-02T10:30"),
        ("..2026-11-27", "1970-01-01T01:00", "2026-11-27T00:00"),
        ("..", "1970-01-01T01:00", None),
    ],
)
def test_a_time_range_as_text(monkeypatch, text, start, end):
    monkeypatch.setattr(timezone, "now", lambda: at(2026, 11, 28, 12))
    time_range = time_syntax.parse_range(text)
    times = [each and timezone.make_naive(each) for each in (time_range.start, time_range.end)]
    assert times == [each and datetime.fromisoformat(each) for each in (start, end)]
    assert time_range.text


UNKNOWN = "Unknown filter “zzzzzz”. Try created:, actor:, as:, tenant:, action:, type:"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("actr:alice", "Unknown filter “actr”. Did you mean “actor:”?"),
        ("adress:10.1.2.3", "Unknown filter “adress”. Did you mean “address:”?"),
        ("zzzzzz:1", UNKNOWN),
        ("zzzzzz:1", "or put the text in quotation marks."),
        ("status:faild", "Unknown value “faild”. Did you mean “Failed”?"),
        ("status:many", "“many” is not a status code"),
        ("status:500,many", "“many” is not a status code"),
        ("source:requests", "Unknown value “requests”. Did you mean “request”?"),
        ("source:moon", "“moon” is not a source. Enter one of request, auth"),
        ("ip:nowhere", "“nowhere” is neither an address nor a network"),
        ("object:nothing", "“nothing” is not an object"),
        ("object:no.thing/1", "There is no model “no.thing”."),
        ("duration:soon", "“soon” is not a duration. Enter >1s, <=250ms or 100ms..2s."),
        ("duration:>1y", "“>1y” is not a duration"),
        ("duration:..", "“..” is not a duration"),
        ("duration:1s..x", "“1s..x” is not a duration"),
        ("created:soon", "“soon” is not a time range. Enter one such as -2h..now, yesterday or 20"),
        ("created:soon..", "“soon” is not a date or time. Enter now, -2h, 10:30 or 20"),
        ("created:2026-02-30..", "“2026-02-30” is not a date or time"),
        ("created:25:00..", "“25:00” is not a date or time"),
        ("created:-1h..-2h", "“-1h..-2h” starts in the future, or after its end"),
        ("created:2999-01-01..", "“2999-01-01..” starts in the future"),
        ("created:2999-01-01", "“2999-01-01” starts in the future"),
        ("created:-999999w..", "“-999999w” is not a date or time"),
        ("actor:#zzz", "“#zzz” is not the ID of a user"),
        ("actor:", "“actor:”: enter a value after “actor:”"),
        ('actor:""', "enter a value after “actor:”"),
        ("alice -status:", "“-status:”: enter a value after “status:”"),
        ("actor: alice", "“actor:”: enter a value after “actor:”"),
        ("moon:", "“moon:”: enter a value after “moon:”"),
        ('"', '“"”: the second quotation mark is missing'),
        ('alice "invoice app', '“"invoice app”: the second quotation mark is missing'),
        ('-actor:"ali', '“-actor:"ali”: the second quotation mark is missing'),
        ('path:"', '“path:"”: the second quotation mark is missing'),
        ("-a " * (MAX_CONDITIONS + 1), f"Enter at most {MAX_CONDITIONS}."),
        ("actor:" + "a," * MAX_CONDITIONS, f"Enter at most {MAX_CONDITIONS}."),
    ],
)
def test_the_message_about_a_wrong_token(line, message):
    with pytest.raises(ValidationError) as caught:
        parse_query(line)
    assert message in caught.value.messages[0]


@pytest.mark.parametrize(
    "line", ["a" * 500, '"' * 500, "-" * 500, "a:" * 250, "-a " * 30, "path:" + "*a" * 200, ",,,"]
)
def test_any_line_is_parsed_or_refused(line):
    with suppress(ValidationError):
        assert find(line) == set()


def test_many_networks_are_searched(rows):
    networks = ",".join(f"10.{number}.0.0/17" for number in range(29))
    assert find(f"ip:{networks}") == find("ip:10.0.0.0/11")


VALUES = {"status": "404", "source": "auth", "object": "shop.order/1", "address": "10.0.0.1"}
VALUES |= {"status_code": "5xx", "duration": ">1s", "action_type": "Login Failed"}


@pytest.mark.parametrize(
    "key", [key for each in dimensions().values() if each.name != "time" for key in each.keys]
)
def test_a_formatted_token_means_the_value(key):
    dimension = dimension_for(key)
    assert dimension_for(key.upper()) is dimension
    for value in (VALUES.get(dimension.name, "a b"), VALUES.get(dimension.name, "a,b")):
        condition = dimension.parser(value)
        assert parse_query(format_token(key, value)).condition == condition
        assert parse_query(format_token(key, value, negated=True)).condition == ~condition
    assert format_token(key, 'a"b') == format_token(key, "") == ""


def test_the_page_names_the_wrong_token_beside_the_field(client):
    client.force_login(person("staff", is_staff=True))
    page = text_of(client.get("/trackmate/activity/", {"q": '"see ip:<b>" ip:<b> y'}))
    assert "“&lt;b&gt;” is neither an address nor a network" in page
    before = "&quot;see ip:&lt;b&gt;&quot; "
    assert f"{before}<mark>ip:&lt;b&gt;</mark> y</bdi>" in page
