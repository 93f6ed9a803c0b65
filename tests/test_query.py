"""The query line: what each token means, and what is said of a wrong one."""

import re
from contextlib import suppress

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError

from tests.rows import activity, person
from tests.shop.models import Order
from trackmate.dashboard.query import READINGS, read, written
from trackmate.models import ActivityLog

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]


def found(line):
    return set(ActivityLog.objects.filter(read(line)).values_list("remarks", flat=True))


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
        ip_address="192.0.2.1",
        source="request",
    )
    activity(remarks="c", action="invoice approved", action_type="Approve", ago=7200)


@pytest.mark.parametrize(
    ("line", "remarks"),
    [
        ("actor:alice", "ab"),
        ("-actor:alice", "c"),
        ("actor:alice -type:Read", "b"),
        ("actor:alice -type:read", "b"),
        ("type:Approve", "c"),
        ("status:failed", "b"),
        ("status:>=500", "b"),
        ("-status:5xx", "ac"),
        ("source:custom", "c"),
        ("method:get", "a"),
        ('route:"api/orders/<int:pk>"', "a"),
        ("route:api/orders/", "b"),
        ("path:/api/", "a"),
        ("ip:10.0.0.0/8", "a"),
        ("-ip:10.1.2.3", "bc"),
        ("request:r1", "a"),
        ('action:"invoice approved"', "c"),
        ("created:-1h..now", "ab"),
        ("created:..-1h", "c"),
        ("created:-3h..-1h", "c"),
        ("created:2020-01-01..2020-01-02", ""),
        ("created:2020-01-01T10:00..", "abc"),
        ("invoice approved", "c"),
        ('"invoice approved"', "c"),
        ('-"invoice approved"', "ab"),
        ("-invoice", "ab"),
        ("actor:alice orders/1", "a"),
        ("", "abc"),
        ('actor:""', "abc"),
        ('""', "abc"),
        ("(", ""),
    ],
)
def test_what_a_line_finds(rows, line, remarks):
    assert found(line) == set(remarks)


def test_the_line_of_the_docs_finds_just_what_it_says(client):
    alice, kind = person("alice"), ContentType.objects.get_for_model(Order)
    wanted = {
        "actor": alice,
        "action_type": "Update",
        "status_code": 503,
        "route": "api/orders/<int:pk>",
        "content_type_id": kind.pk,
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
    assert [found.pk for found in ActivityLog.objects.filter(read(line))] == [row.pk]
    client.force_login(person("staff", is_staff=True))
    page = client.get("/trackmate/activity/", {"q": line}).content.decode()
    assert re.findall(r'id="tm-row-([0-9a-f-]{36})"', page) == [str(row.pk)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "actr:alice",
            "“actr:alice”: there is no “actr:”. Write actor:, or put the text in quotes.",
        ),
        ("zzzzzz:1", "Write actor:, type:, action:"),
        ("status:many", "“many” is not a status code"),
        ("source:moon", "“moon” is not a source"),
        ("ip:nowhere", "“nowhere” is neither an address nor a network"),
        ("object:nothing", "“nothing” is not an object"),
        ("created:yesterday", "“yesterday” is not a range of time"),
        ("created:yesterday..", "“yesterday” is not a moment"),
        ("created:2026-02-30..", "“2026-02-30” is not a moment"),
        ("created:-1h..-2h", "“-1h..-2h” begins in the future, or after its end"),
        ("created:2999-01-01..", "“2999-01-01..” begins in the future"),
        ("created:-999999w..", "“-999999w” is not a moment"),
        ("actor:#zzz", "“#zzz” is not the key of a user"),
        ("actor:", "“actor:”: there is nothing behind “actor:”"),
        ("alice -status:", "“-status:”: there is nothing behind “status:”"),
        ("actor: alice", "“actor:”: there is nothing behind “actor:”"),
        ("moon:", "“moon:”: there is no “moon:”"),
        ('"', '“"”: the second quotation mark is missing'),
        ('alice "invoice app', '“"invoice app”: the second quotation mark is missing'),
        ('-actor:"ali', '“-actor:"ali”: the second quotation mark is missing'),
        ('path:"', '“path:"”: the second quotation mark is missing'),
    ],
)
def test_what_is_said_of_a_wrong_token(line, said):
    with pytest.raises(ValidationError) as caught:
        read(line)
    assert said in caught.value.messages[0]


@pytest.mark.parametrize("line", ["a" * 500, '"' * 500, "-" * 500, "a:" * 250, "-a " * 30])
def test_any_line_is_read_or_refused(line):
    with suppress(ValidationError):
        assert found(line) == set()


@pytest.mark.parametrize("name", READINGS)
def test_what_is_written_is_read_again(name):
    value = {
        "status": "404",
        "source": "auth",
        "object": "shop.order/1",
        "ip": "10.0.0.1",
        "created": "-1h..",
    }.get(name, "a b")
    assert read(written(name, value)) == READINGS[name](value) or name == "created"
    assert read(written(name, value, minus=True)).negated or name == "created"
    assert written(name, 'a"b') == ""


def test_the_page_names_the_wrong_token_beside_the_field(client):
    client.force_login(person("staff", is_staff=True))
    page = client.get("/trackmate/activity/", {"q": "actr:<b>"}).content.decode()
    assert "“actr:&lt;b&gt;”" in page
