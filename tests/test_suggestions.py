"""Autocomplete: what is suggested, to whom, and with how many queries."""

import re
from html import unescape

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import SCRIPT, activities, activity, person
from tests.shop.models import Order
from tests.slow import slow_log
from tests.urls_under_test import FRAGMENT, log_queries, text_of
from trackmate.dashboard.dimensions import dimensions
from trackmate.dashboard.search import suggestions
from trackmate.dashboard.search.suggestions import MAX_SUGGESTIONS

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]

SUGGEST = "/trackmate/activity/suggestions/"
OPTION = re.compile(r'data-before="([^"]*)" data-after="([^"]*)"><bdi>([^<]*)</bdi>')


@pytest.fixture(autouse=True)
def empty_cache():
    cache.clear()


def options(client, line, **params):
    """Return the text before and after the cursor, and the text of each option."""
    page = text_of(client.get(SUGGEST, {"q": line, **params}, headers=FRAGMENT))
    return [tuple(unescape(part) for part in found) for found in OPTION.findall(page)]


def texts(client, line, **params):
    return [text for _before, _after, text in options(client, line, **params)]


def test_keys_that_start_with_the_text(staff):
    assert texts(staff, "ac") == ["actor:", "action:", "action_type:"]
    assert texts(staff, "x AC") == ["actor:", "action:", "action_type:"]
    assert texts(staff, "-st") == ["-status:", "-status_code:"]
    assert texts(staff, "us") == ["user:"]
    assert texts(staff, "ip") == ["ip:"]
    assert "created:" in texts(staff, "")
    assert texts(staff, "actor:x ") == texts(staff, "")
    assert texts(staff, "zzz") == []


def test_values_that_are_always_suggested(staff):
    assert texts(staff, "source:") == [
        f"source:{each}"
        for each in ("request", "auth", "model", "admin", "command", "task", "custom")
    ]
    assert texts(staff, "-type:log") == ["-type:Login", "-type:Logout", '-type:"Login Failed"']
    assert texts(staff, "method:p") == [
        "method:POST",
        "method:PUT",
        "method:PATCH",
        "method:OPTIONS",
    ]
    assert texts(staff, "created:-7") == ["created:-7d.."]
    assert texts(staff, "time:yes") == ["time:yesterday"]
    assert texts(staff, "duration:") == ["duration:>100ms", "duration:>1s", "duration:>10s"]
    assert texts(staff, "status:f") == ["status:Failed"]
    assert texts(staff, "request:") == []
    assert texts(staff, "zzz:") == []


def test_recorded_values_the_most_frequent_first(staff):
    activities(3, actor_label="ann smith", route="b/", ip_address="10.0.0.1", status_code=404)
    activities(1, actor=person("bob"), actor_label="bob", method="PURGE", action_type="Approve")
    activities(2, actor=person("eve"), content_type=ContentType.objects.get_for_model(Order))
    assert texts(staff, "actor:")[0] == 'actor:"ann smith"'
    assert texts(staff, "actor:#") == [f"actor:#{person_key('eve')}"]
    assert texts(staff, "actor:s") == ['actor:"ann smith"']
    assert texts(staff, "route:") == ["route:b/"]
    assert texts(staff, "ip:") == ["ip:10.0.0.1"]
    assert texts(staff, "ADDRESS:") == ["address:10.0.0.1"]
    assert texts(staff, "status:4") == ["status:4xx", "status:404"]
    assert texts(staff, "method:pu") == ["method:PUT", "method:PURGE"]
    assert texts(staff, "type:app") == ["type:Approve"]
    assert texts(staff, "object:o") == ["object:shop.order"]
    assert texts(staff, "action:n") == ["action:n0", "action:n1", "action:n2"]


def person_key(name):
    return type(person("any")).objects.get_by_natural_key(name).pk


@pytest.mark.parametrize(("method", "suggested"), [("GET", ["actor:anonymous"]), ("", [])])
def test_anonymous_is_the_actor_of_a_request_without_a_name(staff, method, suggested):
    activities(2, method=method)
    assert texts(staff, "actor:") == suggested


def test_values_that_start_with_the_text_come_first(staff):
    activities(2, route="orders/list/")
    activities(1, route="list/")
    assert texts(staff, "route:list") == ["route:list/", "route:orders/list/"]


def test_a_suggestion_replaces_its_token(staff):
    activity(actor_label="ann smith")
    line = "x actor:an y"
    [(before, after, _text)] = options(staff, line, at=len("x actor:an"))
    assert (before, after) == ('x actor:"ann smith" ', "y")
    [(before, after, _text)] = options(staff, line, at=len("x act"))[:1]
    assert (before, after) == ("x actor:", " y")
    [(before, after, _text)] = options(staff, 'actor:"ann s y', at=len('actor:"ann s'))
    assert (before, after) == ('actor:"ann smith" ', "y")
    [(before, after, _text)] = options(staff, 'actor:"ann s" y', at=len('actor:"an'))
    assert (before, after) == ('actor:"ann smith" ', "y")


@pytest.mark.parametrize("at", ["", "x", "-1", "99999", "٣", "0"])
def test_any_position_of_the_cursor_is_accepted(staff, at):
    assert staff.get(SUGGEST, {"q": "ac", "at": at}).status_code == 200


@pytest.mark.parametrize(
    "line", ["\0", "x" * 10_000, '"' * 99, "actor:\0", "-", ":", "a:b:c", SCRIPT]
)
@pytest.mark.parametrize("name", ["q", "actor", "zzz", "\0"])
def test_any_text_is_accepted(staff, line, name):
    activity(actor_label=SCRIPT)
    page = text_of(staff.get(SUGGEST, {"q": line, "name": name}))
    assert "<script" not in page


def test_a_complete_token_is_not_suggested(staff):
    assert texts(staff, "method:") != []
    assert texts(staff, "method:PATCH") == []
    assert texts(staff, "source:auth") == []


def test_a_value_that_no_token_can_mean_is_not_suggested(staff):
    activity(actor_label='a"b')
    activity(actor_label="a\u202eb")
    assert texts(staff, "actor:a") == []


def test_the_field_of_a_dimension_gets_values_as_they_are(staff):
    activity(actor_label="ann smith")
    assert options(staff, "smi", name="actor") == [("ann smith", "", "ann smith")]
    assert texts(staff, "ann smith", name="actor") == []
    page = text_of(staff.get("/trackmate/activity/", {"filters": "all"}))
    for name in ("q", "actor", "path", "route", "ip", "object"):
        assert f'data-tm-suggest="{name}"' in page


def test_the_number_of_suggestions_is_limited(staff):
    activities(200, actor_label="")
    assert len(texts(staff, "action:")) == MAX_SUGGESTIONS


def test_suggestions_take_one_query_and_then_none(staff):
    activities(3, actor_label="ann", content_type=ContentType.objects.get_for_model(Order))
    for name in (each.key for each in dimensions().values() if each.suggested_fields):
        with CaptureQueriesContext(connection) as captured:
            first = texts(staff, f"{name}:")
        assert len(log_queries(captured)) == 1
        with CaptureQueriesContext(connection) as captured:
            assert texts(staff, f"{name}:") == first
        assert log_queries(captured) == []


@pytest.mark.parametrize("line", ["", "ac", "created:", "duration:", "request:", "zzz:", "free"])
def test_keys_and_fixed_values_take_no_query(staff, line):
    with CaptureQueriesContext(connection) as captured:
        texts(staff, line)
    assert log_queries(captured) == []


def test_the_last_of_several_values_is_completed(staff):
    activity(actor_label="bob")
    activity(actor_label="bob lee")
    activity(actor_label="lee, ann")
    assert texts(staff, "actor:ann,b") == ["actor:ann,bob"]
    assert texts(staff, "-method:GET,POST,PU") == ["-method:GET,POST,PUT"]
    assert texts(staff, 'actor:"lee, a') == ['actor:"lee, ann"']
    assert texts(staff, "lee, a", name="actor") == ["lee, ann"]
    assert texts(staff, "route:a,b") == []


def only_own(request, rows):
    return rows.filter(actor_id=request.user.pk)


def test_values_are_those_of_rows_that_a_person_may_see(client, settings):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_QUERYSET": only_own}
    for name in ("ann", "bob"):
        someone = person(name, is_staff=True)
        activity(actor=someone, action=f"secret of {name}")
        client.force_login(someone)
        assert texts(client, "action:") == [f'action:"secret of {name}"']


def seen_by_header(request, rows):
    return rows.filter(actor_label=request.headers.get("X-Tenant", ""))


def test_values_are_cached_for_the_rows_that_they_are_of(staff, settings):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_QUERYSET": seen_by_header}
    for name in ("ann", "bob"):
        activity(actor_label=name, action=name)
        headers = {**FRAGMENT, "X-Tenant": name}
        assert f"action:{name}<" in text_of(staff.get(SUGGEST, {"q": "action:"}, headers=headers))
        assert text_of(staff.get(SUGGEST, {"q": "action:"}, headers=headers)).count("<bdi>") == 1


def test_without_visible_rows_there_are_no_values(staff, settings):
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


def test_a_cache_that_fails_does_no_harm(staff, settings):
    settings.CACHES = {"default": {"BACKEND": "tests.test_suggestions.BrokenCache"}}
    activity(action="x")
    assert texts(staff, "action:") == ["action:x"]


def test_a_slow_query_is_stopped_and_not_repeated_at_once(staff, monkeypatch):
    monkeypatch.setattr(suggestions, "TIMEOUT", 50)
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
