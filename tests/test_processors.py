"""The processors that stand in the list by default: what each lets through and what it changes."""

import json
import re
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.db import models
from django.test import RequestFactory
from django.urls import resolve

from trackmate.activity import Activity, Target
from trackmate.clock import uuid7
from trackmate.context.scope import Scope, enter_scope, leave_scope
from trackmate.enums import ActionType, Source, Status
from trackmate.models import ActivityLog
from trackmate.processors import (
    LENGTHS,
    clean,
    enrich,
    exclude,
    get_processors,
    is_excluded,
    mask_known_secrets,
    redact,
    sample,
    without_payload,
)
from trackmate.redaction.known_secrets import MASK, KnownSecrets


def of_request(path="/", method="GET", **values):
    return Activity.now(source=Source.REQUEST.value, path=path, method=method, **values)


@pytest.fixture
def at():
    """Enter the scope of a request that was routed: `at("/health/")`."""
    tokens = []

    def start(path):
        request = RequestFactory().get(path)
        request.resolver_match = resolve(path)
        scope = Scope(request)
        tokens.append(enter_scope(scope))
        return scope

    yield start
    for token in reversed(tokens):
        leave_scope(token)


def test_the_list_is_what_the_settings_say(configure):
    own = lambda activity: None  # noqa: E731
    configure(PROCESSORS=["trackmate.processors.clean", own])
    first, second = get_processors()
    assert (first, second.__wrapped__) == (clean, own)


# --- exclude ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "path", "kept"),
    [
        ([], "/health/", True),
        (["/health/"], "/health/", False),
        (["/health/"], "/health/deep/", False),
        (["/health/"], "/", True),
        (["/health"], "/shop/health/", True),
        ([re.compile(r"^/orders/\d+/$")], "/orders/7/", False),
        ([re.compile(r"^/orders/\d+/$")], "/orders/", True),
        ([re.compile("health")], "/health/", False),
        (["/a/", "/orders/"], "/orders/", False),
    ],
)
def test_a_path_can_be_left_out(configure, rules, path, kept):
    configure(EXCLUDE_PATHS=rules)
    assert (exclude(of_request(path)) is not None) is kept


@pytest.mark.parametrize(
    ("rule", "path", "kept"),
    [
        ("health", "/health/", False),
        ("health", "/orders/", True),
        ("admin:login", "/admin/login/", False),
        ("admin", "/admin/login/", False),
        ("admin:index", "/admin/login/", True),
    ],
)
def test_a_route_can_be_left_out_by_its_name(configure, at, rule, path, kept):
    configure(EXCLUDE_PATHS=[rule])
    at(path)
    assert (exclude(of_request(path)) is not None) is kept


@pytest.mark.parametrize(
    ("rules", "path", "kept"),
    [
        (["/orders/"], "/orders/7/", True),
        (["/orders/"], "/health/", False),
        ([re.compile("7")], "/orders/7/", True),
        (["health", "/orders/"], "/health/", True),
        (["order"], "/health/", False),
    ],
)
def test_only_some_paths_can_be_kept(configure, at, rules, path, kept):
    configure(INCLUDE_PATHS=rules)
    at(path)
    assert (exclude(of_request(path)) is not None) is kept


PREFIXES = ["", "/below", "/a/deep/prefix/"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("/heal", False),
        ("/orders/", True),
        ("/below/health/", True),
        (re.compile(r"^/h\w+/$"), False),
        ("health", False),
    ],
)
def test_a_path_is_named_without_the_prefix_of_the_site(
    client, activities, configure, settings, prefix, rule, kept
):
    settings.FORCE_SCRIPT_NAME = prefix or None
    configure(EXCLUDE_PATHS=[rule])
    client.get("/health/")
    assert [each.path for each in activities] == [prefix.rstrip("/") + "/health/"] * kept
    activities.clear()
    configure(EXCLUDE_PATHS=[], INCLUDE_PATHS=[rule])
    client.get("/health/")
    assert len(activities) == (not kept)


def test_a_pattern_sees_a_path_as_it_was_asked_for(client, activities, configure):
    configure(EXCLUDE_PATHS=[re.compile("swordfish")])
    client.get("/invite/swordfish/")
    assert activities == []


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("url", ["files/", "{prefix}/files/"])
def test_files_below_the_prefix_of_the_site_are_left_out(client, activities, settings, prefix, url):
    settings.FORCE_SCRIPT_NAME = prefix or None
    settings.MEDIA_URL = url.format(prefix=prefix.rstrip("/"))
    client.get("/files/photo.jpg")
    client.get("/favicon.ico")
    assert activities == []


@pytest.mark.parametrize("url", ["/files/", "https://files.example/files/", "//files.example/"])
def test_files_elsewhere_leave_nothing_out(client, activities, settings, url):
    settings.FORCE_SCRIPT_NAME = "/below"
    settings.MEDIA_URL = url
    client.get("/files/photo.jpg")
    assert len(activities) == 1


def test_what_is_included_and_excluded_is_excluded(configure):
    configure(INCLUDE_PATHS=["/orders/"], EXCLUDE_PATHS=["/orders/7/"])
    assert exclude(of_request("/orders/")) is not None
    assert exclude(of_request("/orders/7/")) is None


def test_a_method_can_be_left_out(configure):
    configure(EXCLUDE_METHODS=["HEAD", "OPTIONS"])
    assert exclude(of_request(method="OPTIONS")) is None
    assert exclude(of_request(method="GET")) is not None


def test_requests_can_be_left_out_altogether(configure):
    configure(TRACK_REQUESTS=False)
    assert exclude(of_request()) is None


@pytest.mark.parametrize("path", ["/static/shop.css", "/media/photo.jpg", "/favicon.ico"])
def test_files_are_left_out(settings, path):
    settings.MEDIA_URL = "/media/"
    assert is_excluded("GET", path)


@pytest.mark.parametrize("url", ["", None, "/", "https://cdn.example/media/"])
def test_a_media_url_that_is_no_path_leaves_nothing_out(settings, url):
    settings.MEDIA_URL = url
    assert not is_excluded("GET", "/orders/")


def test_the_dashboard_is_left_out_wherever_it_is_mounted(at):
    scope = at("/trackmate/")
    assert is_excluded("GET", "/trackmate/", scope)


def test_the_admin_is_not_left_out(at):
    assert not is_excluded("GET", "/admin/", at("/admin/"))


@pytest.mark.parametrize("source", [Source.AUTH, Source.CUSTOM, Source.MODEL])
def test_nothing_but_a_request_is_left_out(configure, source):
    configure(EXCLUDE_PATHS=["/"], EXCLUDE_METHODS=["POST"], TRACK_REQUESTS=False)
    activity = of_request(method="POST").replace(source=source)
    assert exclude(activity) is activity


# --- sample ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0, 0.0])
def test_no_successful_request_is_kept_at_a_rate_of_zero(configure, rate):
    configure(SAMPLE_RATE=rate)
    assert sample(of_request()) is None


def test_every_request_is_kept_by_default():
    activity = of_request()
    assert all(sample(activity) is activity for _ in range(100))


def test_about_that_share_is_kept(configure):
    configure(SAMPLE_RATE=0.5)
    kept = sum(sample(of_request()) is not None for _ in range(400))
    assert 100 < kept < 300  # eleven standard deviations from either end


@pytest.mark.parametrize(
    "values",
    [{"status": Status.FAILED}, {"source": Source.AUTH}, {"source": Source.CUSTOM}],
)
def test_failures_logins_and_custom_activities_are_never_sampled(configure, values):
    configure(SAMPLE_RATE=0.0)
    activity = of_request().replace(**values)
    assert sample(activity) is activity


# --- enrich ----------------------------------------------------------------------------------


def test_what_happened_in_a_request_gets_its_client_and_actor(at):
    scope = at("/orders/")
    scope.request_activity = of_request(
        "/orders/", ip_address="192.0.2.7", user_agent="curl", actor_id=7, actor_label="alice"
    )
    activity = enrich(Activity.now(action="order.exported"))
    assert (activity.ip_address, activity.user_agent) == ("192.0.2.7", "curl")
    assert (activity.path, activity.method) == ("/orders/", "GET")
    assert (activity.actor_id, activity.actor_label) == (7, "alice")


def test_what_an_activity_knows_itself_is_kept(at):
    at("/").request_activity = of_request(actor_id=7, actor_label="alice", ip_address="192.0.2.7")
    activity = enrich(Activity.now(actor_label="cron:nightly", ip_address="192.0.2.1"))
    assert (activity.actor_id, activity.actor_label) == (None, "cron:nightly")
    assert activity.ip_address == "192.0.2.1"


def test_a_failed_login_is_not_taken_for_an_act_of_whoever_is_logged_in(at):
    at("/").request_activity = of_request(actor_id=7, actor_label="alice")
    activity = enrich(Activity.now(action_type=ActionType.LOGIN_FAILED))
    assert (activity.actor_id, activity.actor_label) == (None, "")


def test_the_request_itself_stays_as_it_is(at):
    scope = at("/")
    scope.request_activity = of_request()
    assert enrich(scope.request_activity) is scope.request_activity


def test_outside_a_request_there_is_nothing_to_add():
    activity = Activity.now()
    assert enrich(activity) is activity


# --- redact ----------------------------------------------------------------------------------


def test_secrets_are_masked_in_every_part():
    card = "4111 1111 1111 1111"
    activity = redact(
        of_request(
            f"/pay/{card}/",
            action=card,
            actor_label=card,
            user_agent=card,
            request_id=card,
            remarks=card,
            data={"note": card, "password": "hunter2-hunter2"},
            response=[card],
            changes={"pin": ["1234", "4321"]},
            extra={"query": f"card={card}&sig=abc", "headers": {"Referer": "/?token=abc"}},
            target=Target(model="shop.order", object_id="7", object_repr=card),
        )
    )
    # Any digits may stand in an id and a time.
    kept = json.dumps({**activity.to_dict(), "id": "", "action_time": ""})
    assert not any(secret in kept for secret in ("4111", "hunter2", "4321", "abc"))
    assert activity.data["password"] == MASK


def test_the_id_of_a_request_is_not_taken_for_a_card(at):
    scope = at("/")
    scope.id = UUID(hex="01a4111111111111111fa360d38c9255")
    own = redact(of_request(request_id=scope.request_id))
    other = redact(Activity.now(request_id=scope.request_id))
    assert own.request_id == other.request_id == scope.id.hex


def test_a_header_that_is_a_secret_is_masked_whole():
    activity = redact(of_request(extra={"headers": {"X-Api-Key": "12345", "Referer": "/orders/"}}))
    assert activity.extra["headers"] == {"X-Api-Key": MASK, "Referer": "/orders/"}


def test_an_activity_without_secrets_stays_as_it_is():
    activity = of_request("/orders/", user_agent="curl/8")
    assert redact(activity) == activity


@pytest.mark.parametrize("extra", [{"query": 3, "headers": "none"}, {"other": 1}])
def test_extra_facts_of_any_shape_are_taken(extra):
    assert redact(of_request(extra=extra)).extra == extra


def found(*secrets):
    values = KnownSecrets()
    values.add(secrets)
    return values


def test_what_was_masked_by_name_is_masked_in_the_free_texts_too():
    activity = of_request(
        remarks="sent hunter2-hunter2",
        response={"echo": "hunter2-hunter2"},
        extra={"exception": {"message": "bad hunter2-hunter2"}, "query": "a=1"},
        target=Target(model="shop.order", object_id="7", object_repr="hunter2-hunter2"),
        data={"name": "hunter2-hunter2"},
    )
    hidden = mask_known_secrets(activity, found("hunter2-hunter2"))
    assert hidden.remarks == f"sent {MASK}"
    assert hidden.response == {"echo": MASK}
    assert hidden.extra == {"exception": {"message": f"bad {MASK}"}, "query": "a=1"}
    assert hidden.target.object_repr == MASK
    assert hidden.data == {"name": "hunter2-hunter2"}


def test_an_activity_without_free_texts_has_nothing_to_hide():
    activity = of_request(extra={"query": "a=1"})
    assert mask_known_secrets(activity, found("hunter2-hunter2")) is activity


# --- clean -----------------------------------------------------------------------------------


def text_columns():
    fields = ActivityLog._meta.concrete_fields
    linked = ("object_id", "object_repr")
    return {
        field.attname: field.max_length
        for field in fields
        if isinstance(field, models.CharField) and field.name not in linked
    }


def test_the_lengths_are_those_of_the_columns():
    assert text_columns() == LENGTHS


@pytest.mark.parametrize(("name", "length"), LENGTHS.items())
def test_a_text_is_cut_to_its_column_where_one_can_see_it(name, length):
    text = getattr(clean(Activity.now(**{name: "x" * (length + 1)})), name)
    assert text == "x" * (length - 1) + "…"


def test_a_target_is_cut_to_its_columns():
    target = clean(
        Activity.now(target=Target(model="a.b", object_id="1" * 300, object_repr="r" * 300))
    ).target
    assert len(target.object_id) == ActivityLog._meta.get_field("object_id").max_length
    assert len(target.object_repr) == ActivityLog._meta.get_field("object_repr").max_length


def test_control_characters_go_and_lines_of_remarks_stay():
    activity = clean(
        Activity.now(path="/a\x00b\r\n", remarks="one\r\ntwo\x00", data={"a\x00": "\x1b"})
    )
    assert activity.path == "/a\ufffdb\ufffd\ufffd"
    assert activity.remarks == "one\ntwo\ufffd"
    assert activity.data == {"a\ufffd": "\ufffd"}


def test_a_clean_activity_stays_as_it_is():
    activity = of_request("/orders/")
    assert clean(activity) is activity


def test_what_is_left_of_an_activity_that_could_not_be_processed():
    activity = of_request(
        "/secret/", actor_label="alice", actor_id=7, data={"a": 1}, status_code=200, remarks="x"
    )
    left = without_payload(activity, "the processor broke")
    assert (left.id, left.method, left.status_code, left.actor_id) == (activity.id, "GET", 200, 7)
    assert (left.path, left.remarks, left.data, left.actor_label) == ("", "", None, MASK)
    assert left.extra == {"error": "the processor broke"}


@pytest.mark.django_db
def test_a_cleaned_activity_fits_the_table_in_every_column():
    activity = clean(Activity.now(**dict.fromkeys(LENGTHS, "ł" * 5000)))
    values = {name: getattr(activity, name) for name in LENGTHS}
    row = ActivityLog.objects.create(pk=uuid7(activity.action_time), **values)
    assert ActivityLog.objects.get(pk=row.pk).path == activity.path
    assert get_user_model().objects.count() == 0
