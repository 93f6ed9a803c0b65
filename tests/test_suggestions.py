"""What the query line and other fields may go on with: for whom, and at what price."""

import re
from html import unescape

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.pages import FRAGMENT, log_queries, text_of
from tests.rows import SCRIPT, activities, activity, person
from tests.shop.models import Order
from tests.slow import slow_log
from tests.test_access import only_own
from trackmate.dashboard import suggestions
from trackmate.dashboard.suggestions import COLUMNS, MOST

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]

SUGGEST = "/trackmate/activity/suggest/"
OPTION = re.compile(r'data-before="([^"]*)" data-after="([^"]*)"><bdi>([^<]*)</bdi>')


@pytest.fixture(autouse=True)
def empty_cache():
    cache.clear()


def answered(client, line, **asked):
    """Return what stands before and behind the cursor then, and the text of each option."""
    page = text_of(client.get(SUGGEST, {"q": line, **asked}, headers=FRAGMENT))
    return [tuple(unescape(part) for part in found) for found in OPTION.findall(page)]


def texts(client, line, **asked):
    return [text for _before, _after, text in answered(client, line, **asked)]


def test_names_that_begin_so(staff):
    assert texts(staff, "ac") == ["actor:", "action:"]
    assert texts(staff, "x AC") == ["actor:", "action:"]
    assert texts(staff, "-st") == ["-status:"]
    assert "created:" in texts(staff, "")
    assert texts(staff, "actor:x ") == texts(staff, "")
    assert texts(staff, "zzz") == []


def test_values_that_are_always_there(staff):
    assert texts(staff, "source:") == [
        f"source:{each}" for each in ("request", "auth", "model", "custom")
    ]
    assert texts(staff, "-type:log") == ["-type:Login", "-type:Logout", '-type:"Login Failed"']
    assert texts(staff, "method:p") == [
        "method:POST",
        "method:PUT",
        "method:PATCH",
        "method:OPTIONS",
    ]
    assert texts(staff, "created:-7") == ["created:-7d.."]
    assert texts(staff, "status:f") == ["status:Failed"]
    assert texts(staff, "request:") == []
    assert texts(staff, "zzz:") == []


def test_values_that_occur_the_most_frequent_first(staff):
    activities(3, actor_label="ann smith", route="b/", ip_address="10.0.0.1", status_code=404)
    activities(1, actor=person("bob"), actor_label="bob", method="PURGE", action_type="Approve")
    activities(2, actor=person("eve"), content_type=ContentType.objects.get_for_model(Order))
    assert texts(staff, "actor:")[0] == 'actor:"ann smith"'
    assert texts(staff, "actor:#") == [f"actor:#{person_key('eve')}"]
    assert texts(staff, "actor:s") == ['actor:"ann smith"']
    assert texts(staff, "route:") == ["route:b/"]
    assert texts(staff, "ip:") == ["ip:10.0.0.1"]
    assert texts(staff, "status:4") == ["status:4xx", "status:404"]
    assert texts(staff, "method:pu") == ["method:PUT", "method:PURGE"]
    assert texts(staff, "type:app") == ["type:Approve"]
    assert texts(staff, "object:o") == ["object:shop.order"]
    assert texts(staff, "action:n") == ["action:n0", "action:n1", "action:n2"]


def person_key(name):
    return type(person("any")).objects.get_by_natural_key(name).pk


@pytest.mark.parametrize(("method", "suggested"), [("GET", ["actor:anonymous"]), ("", [])])
def test_anonymous_is_who_made_a_request_without_a_name(staff, method, suggested):
    activities(2, method=method)
    assert texts(staff, "actor:") == suggested


def test_what_begins_so_comes_before_what_holds_it(staff):
    activities(2, route="orders/list/")
    activities(1, route="list/")
    assert texts(staff, "route:list") == ["route:list/", "route:orders/list/"]


def test_a_suggestion_takes_the_place_of_its_token(staff):
    activity(actor_label="ann smith")
    line = "x actor:an y"
    [(before, after, _text)] = answered(staff, line, at=len("x actor:an"))
    assert (before, after) == ('x actor:"ann smith" ', "y")
    [(before, after, _text)] = answered(staff, line, at=len("x act"))[:1]
    assert (before, after) == ("x actor:", " y")
    [(before, after, _text)] = answered(staff, 'actor:"ann s y', at=len('actor:"ann s'))
    assert (before, after) == ('actor:"ann smith" ', "y")
    [(before, after, _text)] = answered(staff, 'actor:"ann s" y', at=len('actor:"an'))
    assert (before, after) == ('actor:"ann smith" ', "y")


@pytest.mark.parametrize("at", ["", "x", "-1", "99999", "٣", "0"])
def test_any_cursor_is_some_place(staff, at):
    assert staff.get(SUGGEST, {"q": "ac", "at": at}).status_code == 200


@pytest.mark.parametrize(
    "line", ["\0", "x" * 10_000, '"' * 99, "actor:\0", "-", ":", "a:b:c", SCRIPT]
)
@pytest.mark.parametrize("name", ["q", "actor", "zzz", "\0"])
def test_any_text_may_come(staff, line, name):
    activity(actor_label=SCRIPT)
    page = text_of(staff.get(SUGGEST, {"q": line, "name": name}))
    assert "<script" not in page


def test_what_is_complete_already_is_not_suggested(staff):
    assert texts(staff, "method:") != []
    assert texts(staff, "method:PATCH") == []
    assert texts(staff, "source:auth") == []


def test_a_value_that_no_token_can_say_is_not_suggested(staff):
    activity(actor_label='a"b')
    activity(actor_label="a\u202eb")
    assert texts(staff, "actor:a") == []


def test_another_field_gets_values_as_they_are(staff):
    activity(actor_label="ann smith")
    assert answered(staff, "smi", name="actor") == [("ann smith", "", "ann smith")]
    assert texts(staff, "ann smith", name="actor") == []
    page = text_of(staff.get("/trackmate/activity/"))
    for name in ("q", "actor", "path", "route", "ip", "object"):
        assert f'data-tm-suggest="{name}"' in page


def test_there_are_only_so_many(staff):
    activities(200, actor_label="")
    assert len(texts(staff, "action:")) == MOST


def test_a_suggestion_costs_one_query_and_then_none(staff):
    activities(3, actor_label="ann", content_type=ContentType.objects.get_for_model(Order))
    for name in COLUMNS:
        with CaptureQueriesContext(connection) as captured:
            first = texts(staff, f"{name}:")
        assert len(log_queries(captured)) == 1
        with CaptureQueriesContext(connection) as captured:
            assert texts(staff, f"{name}:") == first
        assert log_queries(captured) == []


@pytest.mark.parametrize("line", ["", "ac", "source:", "created:", "zzz:", "free"])
def test_what_needs_no_rows_asks_for_none(staff, line):
    with CaptureQueriesContext(connection) as captured:
        texts(staff, line)
    assert log_queries(captured) == []


def test_nobody_is_told_of_rows_that_another_may_see(client, settings):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_QUERYSET": only_own}
    for name in ("ann", "bob"):
        someone = person(name, is_staff=True)
        activity(actor=someone, action=f"secret of {name}")
        client.force_login(someone)
        assert texts(client, "action:") == [f'action:"secret of {name}"']


def seen_by_header(request, rows):
    return rows.filter(actor_label=request.headers.get("X-Tenant", ""))


def test_values_are_remembered_for_the_rows_that_they_are_of(staff, settings):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_QUERYSET": seen_by_header}
    for name in ("ann", "bob"):
        activity(actor_label=name, action=name)
        headers = {**FRAGMENT, "X-Tenant": name}
        assert f"action:{name}<" in text_of(staff.get(SUGGEST, {"q": "action:"}, headers=headers))
        assert text_of(staff.get(SUGGEST, {"q": "action:"}, headers=headers)).count("<bdi>") == 1


def test_where_no_rows_may_be_seen_there_are_no_values(staff, settings):
    settings.TRACKMATE = {
        "ENABLED": False,
        "DASHBOARD_QUERYSET": lambda _request, rows: rows.none(),
    }
    activity(action="x")
    assert texts(staff, "action:") == []


class BrokenCache(BaseCache):
    def get(self, *args, **kwargs):
        raise ConnectionError("the cache is away")

    set = get


def test_a_broken_cache_breaks_nothing(staff, settings):
    settings.CACHES = {"default": {"BACKEND": "tests.test_suggestions.BrokenCache"}}
    activity(action="x")
    assert texts(staff, "action:") == ["action:x"]


def test_a_slow_look_is_given_up_and_not_taken_again_at_once(staff, monkeypatch):
    monkeypatch.setattr(suggestions, "BUDGET", 50)
    activity(action="x")
    with connection.execute_wrapper(slow_log):
        assert texts(staff, "action:") == []
    with CaptureQueriesContext(connection) as captured:
        assert texts(staff, "action:") == []
    assert log_queries(captured) == []


def test_a_suggestion_is_not_recorded(staff, settings):
    settings.TRACKMATE = {}
    staff.get(SUGGEST, {"q": "ac"}, headers=FRAGMENT)
    assert texts(staff, "path:") == []
