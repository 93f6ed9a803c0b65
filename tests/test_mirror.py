"""The query line and the form: one state, two views of it."""

import random

import pytest
from django.http import QueryDict

from tests.pages import FRAGMENT, text_of
from tests.rows import activity, person
from trackmate.dashboard.filters import ActivityFilters
from trackmate.dashboard.mirror import LONGEST
from trackmate.dashboard.places import EXPLORER, place_of
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

LIST = "/trackmate/activity/"


def filters_of(asked, place=EXPLORER):
    query = QueryDict(mutable=True)
    query.update(asked)
    return ActivityFilters(query, ActivityLog.objects.all(), place)


def state_of(asked, place=EXPLORER):
    """Return what the fields say, and the line."""
    filters = filters_of(asked, place)
    return filters.asked, filters.line


EXAMPLE = (
    'actor:alice -type:Read status:>=500 route:"api/orders/<int:pk>" object:shop.order/42 '
    'ip:10.0.0.0/8 request:r1 created:-2h..now "free text"'
)


def test_the_fields_say_what_they_can_of_a_line():
    answers, line = state_of({"q": EXAMPLE})
    assert answers == {
        "range": "-2h..",
        "q": '-type:Read "free text"',
        "actor": "alice",
        "status_code": ">=500",
        "route": "api/orders/<int:pk>",
        "address": "10.0.0.0/8",
        "object": "shop.order/42",
        "request": "r1",
    }
    assert line == EXAMPLE
    assert state_of(answers) == (
        answers,
        "actor:alice status:>=500 route:api/orders/<int:pk> ip:10.0.0.0/8 object:shop.order/42 "
        'request:r1 created:-2h.. -type:Read "free text"',
    )


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("actor:alice", {"actor": "alice"}),
        ('ACTOR:"Ann Smith"', {"actor": "Ann Smith"}),
        ("type:read", {"action_type": "Read"}),
        ("type:Approve", {"action_type": "Approve"}),
        ("source:Auth", {"source": "auth"}),
        ("status:failed", {"status": "Failed"}),
        ("status:404", {"status_code": "404"}),
        ("status:5xx status:Success", {"status": "Success", "status_code": "5xx"}),
        ("method:get", {"method": "GET"}),
        ("path:/a/", {"path": "/a/"}),
        ("created:-15m..", {"range": "15m"}),
        ("created:-1h..now", {"range": "1h"}),
        ("created:-60m..", {"range": "1h"}),
        ("created:-24h..", {}),
        ("created:-7d..", {"range": "7d"}),
        ("created:-30d..", {"range": "30d"}),
        ("created:-3d..", {"range": "-3d.."}),
        ("created:-3d..-1d", {"range": "-3d..-1d"}),
        ("created:..2026-01-01", {"range": "..2026-01-01"}),
        ("created:2026-01-01..", {"range": "custom", "start": "2026-01-01T00:00:00"}),
        (
            "created:2026-01-01..2026-01-02T10:30",
            {"range": "custom", "start": "2026-01-01T00:00:00", "end": "2026-01-02T10:30:00"},
        ),
    ],
)
def test_a_token_moves_into_its_field_and_is_said_again(line, answers):
    assert state_of({"q": line})[0] == answers
    said = state_of(answers)[1]
    assert state_of({"q": said}) == (answers, said)


@pytest.mark.parametrize(
    "line",
    [
        "free text",
        '"free text"',
        "-actor:alice",
        "action:x",
        "actor:",
        'actor:""',
        'actor:" alice"',
        "sttus:404",
        "status:many",
        "source:moon",
        "ip:nowhere",
        "object:shop.nothing/1",
        "actor:#zzz",
        "created:yesterday..",
        "created:2999-01-01..",
        "-created:-1h..",
        f"request:{'x' * 65}",
        f"type:{'x' * 33}",
        "actor:a\u202eb",
    ],
)
def test_what_no_field_can_say_stays_in_the_line(line):
    answers, shown = state_of({"q": line})
    assert (answers, shown) == ({"q": line}, line)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"actor": "alice"}, "actor:alice"),
        ({"actor": " alice "}, "actor:alice"),
        (
            {"actor": "a b", "status": "Failed", "status_code": "5xx"},
            'actor:"a b" status:Failed status:5xx',
        ),
        ({"range": "24h"}, ""),
        ({"range": "7d", "start": "2026-01-01T00:00"}, "created:-7d.."),
        ({"start": "2026-01-01T00:00"}, "created:2026-01-01.."),
        (
            {"start": "2026-01-01T00:00", "end": "2026-01-01T10:00:05"},
            "created:2026-01-01..2026-01-01T10:00:05",
        ),
        ({"start": "2025-10-26T02:30:00+02:00"}, "created:2025-10-26T02:30:00+02:00.."),
        ({"actor": 'a"b'}, ""),
        ({"actor": "a\nb"}, ""),
        ({"status": "Perhaps"}, ""),
        ({"status_code": "failed"}, ""),
        ({"address": "nowhere"}, ""),
        ({"start": "yesterday"}, ""),
        ({"start": "0001-01-01T00:00"}, ""),
        ({"range": "99y"}, ""),
        ({"path": "/" + "x" * LONGEST, "actor": "a", "q": "text"}, "actor:a text"),
    ],
)
def test_the_line_says_what_the_fields_say(asked, line):
    assert state_of(asked)[1] == line


def test_a_link_with_both_asks_for_both():
    answers, line = state_of({"q": "actor:alice actor:bob", "actor": "bob"})
    assert answers == {"actor": "bob", "q": "actor:alice"}
    assert line == "actor:bob actor:alice"
    assert state_of({"q": line, "was": line, "actor": "bob"}) == (answers, line)


@pytest.mark.parametrize(
    ("was", "line", "fields", "answers"),
    [
        # The line was changed.
        ("", "actor:alice", {}, {"actor": "alice"}),
        ("actor:bob", "actor:alice", {"actor": "bob"}, {"actor": "alice"}),
        ("actor:bob", "", {"actor": "bob"}, {}),
        ("actor:bob", "-actor:bob", {"actor": "bob"}, {"q": "-actor:bob"}),
        ("created:-7d..", "", {"range": "7d"}, {"range": "24h"}),
        ("created:-7d..", "created:-24h..", {"range": "7d"}, {"range": "24h"}),
        ("", "created:-7d..", {"range": "24h"}, {"range": "7d"}),
        # A field was changed.
        ("actor:alice", "actor:alice", {"actor": "bob"}, {"actor": "bob"}),
        ("actor:alice x", "actor:alice x", {}, {"q": "x"}),
        ("created:-7d..", "created:-7d..", {"range": "24h"}, {"range": "24h"}),
        ("", "", {"range": "custom"}, {"range": "custom"}),
        # Each was changed, in other things.
        (
            "actor:alice",
            "actor:alice -x",
            {"actor": "alice", "status": "Failed"},
            {"actor": "alice", "status": "Failed", "q": "-x"},
        ),
        (
            "actor:alice method:GET",
            "actor:alice",
            {"actor": "bob", "method": "GET"},
            {"actor": "bob"},
        ),
        # Each was changed, in the same.
        ("", "actor:alice", {"actor": "bob"}, {"actor": "alice"}),
        # What no token says is nobody's but the field's.
        ("", "x", {"actor": 'a"b'}, {"actor": 'a"b', "q": "x"}),
        ("x" * 2000, "actor:alice", {"actor": "bob"}, {"actor": "alice"}),
    ],
)
def test_what_was_changed_is_right(was, line, fields, answers):
    assert state_of({"was": was, "q": line, **fields})[0] == answers


def test_a_line_stays_as_it_was_written_if_it_says_the_same():
    written = 'x   type:"read" ACTOR:alice'
    asked = {"was": written, "q": written, "actor": "alice", "action_type": "Read"}
    assert state_of(asked)[1] == written
    assert state_of({**asked, "actor": "bob"})[1] == "actor:bob type:Read x"


@pytest.mark.parametrize("line", ["a\0b", "x" * (LONGEST + 1), "-a " * 60])
def test_a_line_that_cannot_be_read_is_left_alone(line):
    filters = filters_of({"q": line, "actor": "alice"})
    assert (filters.asked, filters.line) == ({"q": line, "actor": "alice"}, line)
    assert filters.form.errors["q"]


PIECES = [
    "actor:alice", 'actor:"a b"', "-actor:bob", "status:failed", "status:5xx", "-status:404",
    "type:x", "method:get", "created:-7d..", "created:-2h..-1h", "created:2026-01-01..",
    "ip:10.0.0.0/8", "ip:x", "zzz:1", "text", '"more text"', "object:shop.order/1", "request:r",
    "path:/x", 'route:"a b"', "action:x",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_the_two_views_never_drift_apart(seed):
    chance = random.Random(seed)
    answers, line = state_of({"q": " ".join(chance.choices(PIECES, k=chance.randint(1, 12)))})
    again = state_of(answers)
    assert again[0] == answers
    # The form as it was shown says the same, and so does its line alone.
    assert state_of({**answers, "q": line, "was": line})[0] == answers
    assert state_of({"q": again[1]})[0] == answers
    assert filters_of(answers).form.errors == filters_of({"q": line}).form.errors


# Settled places


def test_a_settled_filter_is_no_part_of_the_line():
    place = place_of("actor", "alice")
    answers, line = state_of({"actor": "mallory", "q": "actor:bob status:404"}, place)
    assert answers == {"status_code": "404", "q": "actor:bob"}
    assert line == "actor:bob status:404"
    assert state_of(answers, place) == (answers, "status:404 actor:bob")


def test_a_token_for_a_settled_filter_has_to_hold_too(client):
    client.force_login(person("staff", is_staff=True))
    activity(actor_label="ann lee", remarks="x")
    page = text_of(client.get("/trackmate/actor/=ann%20lee/", {"q": "actor:lee"}))
    assert page.count('id="tm-row-') == 1
    page = text_of(client.get("/trackmate/actor/=ann%20lee/", {"q": "actor:bob"}))
    assert page.count('id="tm-row-') == 0
    assert 'name="was" value="actor:bob"' in page


def test_where_all_time_is_usual_a_time_can_be_typed():
    place = place_of("object", "shop.order/1")
    assert state_of({"range": "all"}, place) == ({"range": "all"}, "")
    assert state_of({"q": "created:-24h.."}, place) == ({"range": "24h"}, "created:-24h..")


# Addresses


@pytest.fixture
def staff(client):
    client.force_login(person("staff", is_staff=True))
    return client


def test_a_form_leads_to_the_address_that_says_each_thing_once(staff):
    form = {"was": "", "q": "actor:alice -x", "actor": "", "range": "24h", "status": "Failed"}
    response = staff.get(LIST, form)
    assert response.status_code == 302
    assert response.url == f"{LIST}?range=24h&q=-x&actor=alice&status=Failed"
    assert staff.get(response.url).status_code == 200


def test_htmx_learns_the_same_address_once(staff):
    form = {"was": "", "q": "actor:alice", "range": "24h"}
    response = staff.get(LIST, form, headers=FRAGMENT)
    url = f"{LIST}?range=24h&actor=alice"
    assert response["HX-Push-Url"] == url
    here = {**FRAGMENT, "HX-Current-URL": f"http://testserver{url}"}
    assert staff.get(LIST, form, headers=here)["HX-Push-Url"] == "false"
    assert "HX-Push-Url" not in staff.get(url, headers=FRAGMENT)


def test_a_fragment_brings_the_form_with_both_views(staff):
    page = text_of(staff.get(LIST, {"was": "", "q": "actor:alice"}, headers=FRAGMENT))
    assert 'hx-swap-oob="outerMorph"' in page
    assert 'name="was" value="actor:alice"' in page
    assert page.count('value="alice"') == 1


@pytest.mark.parametrize("path", ["figures/", "tick/", ""])
def test_every_part_of_a_page_reads_the_form_alike(staff, path):
    alice = activity(actor_label="alice")
    activity(actor_label="bob")
    form = {"was": "actor:bob", "q": "actor:alice", "actor": "bob"}
    before = "00000000-0000-7000-8000-000000000000"
    page = text_of(staff.get(LIST + path, {**form, "since": before}, headers=FRAGMENT))
    shown = {"": f"tm-row-{alice.pk}", "figures/": "1, 0 failed", "tick/": "1 new"}[path]
    assert shown in page
    assert "bob" not in page


def test_the_wrong_token_is_marked_in_the_line(staff):
    page = text_of(staff.get(LIST, {"actor": "<i>", "q": '-type:x "see ip:<b>" ip:<b> y'}))
    before = "actor:&lt;i&gt; -type:x &quot;see ip:&lt;b&gt;&quot; "
    assert f'<bdi class="tm-pointed">{before}<mark>ip:&lt;b&gt;</mark> y</bdi>' in page
    assert "<mark>" not in text_of(staff.get(LIST, {"q": "a\0b"}))
