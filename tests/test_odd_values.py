"""What projects hand over that is not quite what was asked for: no row is lost over it."""

from datetime import date, timedelta
from enum import Enum

import pytest
from django.contrib.auth import get_user_model
from django.db import models
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from django.utils.translation import gettext_lazy

from tests.factories import activity
from tests.shop.models import Order
from trackmate import ActionType, track, tracker, tracking
from trackmate.activity import Activity
from trackmate.diagnostics import counts
from trackmate.models import LOGIN_FAILED, ActivityLog
from trackmate.pipeline import deliver
from trackmate.redaction.known_secrets import MASK

pytestmark = [pytest.mark.database, pytest.mark.django_db]


class Kind(models.IntegerChoices):
    ONE = 1


class Plain(str, Enum):  # noqa: UP042 (its text is not its value)
    APPROVE = "Approve"


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (5, "5"),
        (None, ""),
        (gettext_lazy("Yes"), "Yes"),
        (ActionType.CREATE, "Create"),
        (Kind.ONE, "1"),
        (Plain.APPROVE, "Approve"),
        (b"raw", "b'raw'"),
        (["a", "b"], "['a', 'b']"),
    ],
)
@pytest.mark.parametrize("name", ["action", "action_type", "status", "remarks"])
def test_any_value_becomes_a_text(name, value, stored):
    options = {} if name == "action" else {name: value}
    track(value if name == "action" else "x", **options)
    row = ActivityLog.objects.get()
    if name == "status" and value is None:
        stored = "Success"
    assert getattr(row, name) == stored[:16]
    assert not counts


@pytest.mark.parametrize("name", ["action", "action_type", "remarks", "status"])
def test_a_decorator_takes_any_value_too(name):
    @tracker(**{name: gettext_lazy("Yes")})
    def work():
        return 1

    assert work() == 1
    assert getattr(ActivityLog.objects.get(), name) == "Yes"
    assert not counts


def test_an_object_that_is_none_costs_the_object_only():
    track("a", content_object="not a model")
    assert ActivityLog.objects.get().object_repr == ""
    assert counts["failed"] == 1


@pytest.mark.parametrize(("extra", "stored"), [("text", {"value": "text"}), ([1], {"value": [1]})])
def test_facts_that_have_no_name_get_one(extra, stored):
    track("a", extra=extra)
    assert ActivityLog.objects.get().extra == stored


def incomprehensible(activity):
    return object()


def test_an_activity_that_nobody_understands_takes_no_other_with_it(configure):
    configure(PROCESSORS=["trackmate.processors.clean"])
    deliver([Activity.now(action="good"), Activity.now(action="bad", data=1, path=Unspeakable())])
    assert {row.action for row in ActivityLog.objects.all()} == {"good", "bad"}
    configure(PROCESSORS=[incomprehensible, "trackmate.processors.clean"])
    deliver([Activity.now(action="worse")])
    assert counts["dropped"] == 1


class Unspeakable:
    def __str__(self):
        raise ValueError("no text")


def test_a_failed_login_made_by_hand_has_failed():
    ActivityLog.objects.create(actor=None, action_type=LOGIN_FAILED)
    assert ActivityLog.objects.failed().count() == 1


def test_a_range_of_dates():
    today = timezone.localdate()
    row = activity()
    between = ActivityLog.objects.between
    assert between(today, today + timedelta(days=1)).get() == row
    assert not between(today - timedelta(days=1), today).exists()
    assert between(date(2020, 1, 1)).get() == row


# A name beside a password that nobody judged


@tracker
def refuses(request):
    return HttpResponse("again", status=request.GET.get("status", 200))


@pytest.mark.parametrize(
    ("data", "status", "shown"),
    [
        ({"username": "MyS3cretTyped", "password": ""}, 200, False),
        ({"username": "MyS3cretTyped", "password": "x"}, 403, False),
        ({get_user_model().USERNAME_FIELD: "MyS3cretTyped", "password": "x"}, 400, False),
        ({"username": "MyS3cretTyped", "password": "x"}, 201, False),
        ({"username": "MyS3cretTyped", "password": "x"}, 302, False),
        ({"login": "MyS3cretTyped", "password": "x"}, 200, False),
        ({"user": "MyS3cretTyped", "passwort": "x"}, 200, False),
        ({"email": "MyS3cretTyped", "user_pass": "x"}, 200, False),
        ({"query": 'mutation { login(username: "MyS3cretTyped", password: "") }'}, 200, False),
        ({"query": 'mutation { buy(username: "MyS3cretTyped") }'}, 200, True),
        ({"body": '{"username": "MyS3cretTyped", "password": "x"}'}, 200, False),
        ({"username": "MyS3cretTyped", "password1": "x", "password2": "x"}, 200, True),
        ({"email": "MyS3cretTyped", "new_password": "x", "password": "x"}, 200, True),
        ({"username": "MyS3cretTyped", "has_usable_password": True}, 200, True),
        ({"username": "MyS3cretTyped", "password1": "x"}, 200, False),
        ({"user[username]": "MyS3cretTyped", "user[password]": "x"}, 200, False),
        ({"user_name": "MyS3cretTyped", "password": "x"}, 200, False),
        ({"emailAddress": "MyS3cretTyped", "passwordInput": "x"}, 200, False),
        ({"usernameOrEmail": "MyS3cretTyped", "pin": 1234}, 200, False),
        ({"login_id": "MyS3cretTyped", "mot_de_passe": "x"}, 200, False),
        ({"phone": "MyS3cretTyped", "password": {"v": "x"}}, 200, False),
        ({"log": "MyS3cretTyped", "pwd": "x"}, 200, False),
        ({"benutzername": "MyS3cretTyped", "passwort": None}, 200, False),
        ({"username_1": "MyS3cretTyped", "password_1": "x"}, 200, False),
        ([{"username": "MyS3cretTyped", "password": "x"}], 200, False),
        ({"a": {"b": {"c": {"d": {"e": {"email": "MyS3cretTyped", "pw": "x"}}}}}}, 200, False),
        (
            [{"name": "username", "value": "MyS3cretTyped"}, {"name": "password", "value": "x"}],
            200,
            False,
        ),
        ({"body": "username=MyS3cretTyped&password=x"}, 200, False),
        ({"query": 'login(username: """MyS3cretTyped""", password: "x")'}, 200, False),
        ({"query": 'q($email: String = "MyS3cretTyped", $password: String = "x")'}, 200, False),
        (
            {"query": 'login(email: "MyS3cretTyped", password: $p)', "variables": {"p": ""}},
            200,
            False,
        ),
        ({"username": "MyS3cretTyped"}, 200, True),
        ({"username": ["MyS3cretTyped", "other"], "password": ""}, 200, False),
        ({"login-username": "MyS3cretTyped", "login-password": ""}, 200, False),
        ({"user": {"username": "MyS3cretTyped", "password": "x"}}, 400, False),
        ({"UserName": "MyS3cretTyped", "Password": ""}, 200, False),
        ({"password": ""}, 200, False),
    ],
)
def test_a_name_beside_a_refused_password_is_masked(data, status, shown):
    path = f"/login/?status={status}&username=MyS3cretTyped"
    refuses(RequestFactory().post(path, data, content_type="application/json"))
    row = ActivityLog.objects.get()
    assert ("MyS3cretTyped" in repr(row.extra)) is shown
    assert ("MyS3cretTyped" in repr(row.data)) is shown


def test_of_many_names_beside_passwords_no_unknown_one_is_kept():
    logins = [f'a{n}: login(username: "MyS3cret{n}", password: "x")' for n in range(30)]
    data = {"query": "mutation { " + " ".join(logins) + " }"}
    refuses(RequestFactory().post("/", data, content_type="application/json"))
    assert "MyS3cret" not in repr(ActivityLog.objects.get().data)


@pytest.mark.parametrize("name", ["username", "phone", "emailAddress"])
def test_a_name_beside_a_password_is_masked_in_queries_too(name):
    query = f"?{name}=MyS3cretTyped&password=x"
    refuses(RequestFactory().get(f"/{query}", headers={"Referer": f"http://a/{query}"}))
    assert "MyS3cretTyped" not in repr(ActivityLog.objects.get().extra)


def test_a_word_for_a_password_is_no_name():
    data = {"username": "password", "password": "x", "a": {"name": "password", "value": "Zebra77"}}
    refuses(RequestFactory().post("/", data, content_type="application/json"))
    assert "Zebra77" not in repr(ActivityLog.objects.get().data)


@pytest.mark.parametrize("status", [200, 201, 302, 400])
@pytest.mark.parametrize("name", ["username", "login", "email"])
@pytest.mark.parametrize("value", ["alice", "alice@example.org"])
def test_a_name_that_is_an_accounts_is_kept(name, value, status):
    get_user_model().objects.create_user("alice", email="alice@example.org")
    data = {name: value, "password": "x"}
    refuses(RequestFactory().post(f"/?status={status}", data, content_type="application/json"))
    assert ActivityLog.objects.get().data == {name: value, "password": MASK}


@pytest.mark.parametrize("mode", ["none", "hashed"])
def test_no_name_beside_a_password_is_kept_where_none_may_be(configure, mode):
    configure(FAILED_LOGIN_IDENTIFIER=mode)
    get_user_model().objects.create_user("alice")
    data = {"username": "alice", "password": "x"}
    refuses(RequestFactory().post("/", data, content_type="application/json"))
    assert ActivityLog.objects.get().data == {"username": MASK, "password": MASK}


def test_a_name_that_was_masked_is_masked_in_texts_too():
    data = {"username": "MyS3cretTyped", "password": "x"}
    request = RequestFactory().post("/", data, content_type="application/json")
    tracker(remarks=lambda _request, _response: "MyS3cretTyped tried")(refuses)(request)
    assert "MyS3cretTyped" not in repr(list(ActivityLog.objects.values()))


def test_a_name_that_stands_twice_in_the_query_is_masked_twice():
    path = "/login/?username=MyS3cretTyped&username=other"
    refuses(RequestFactory().post(path, {"password": ""}, content_type="application/json"))
    assert "MyS3cretTyped" not in repr(ActivityLog.objects.get().extra)


def test_a_project_may_keep_such_names(configure):
    configure(FAILED_LOGIN_IDENTIFIER="full")
    data = {"username": "ann", "password": ""}
    refuses(RequestFactory().post("/login/", data, content_type="application/json"))
    assert ActivityLog.objects.get().data["username"] == "ann"


def test_the_name_of_a_failed_login_is_masked_in_the_query_too(client):
    data = {"username": "MyS3cretTyped", "password": "x"}
    client.post("/admin/login/?username=MyS3cretTyped", data)
    assert ActivityLog.objects.count() == 1
    assert "MyS3cretTyped" not in repr(list(ActivityLog.objects.values()))


def test_an_error_is_placed_where_the_project_made_it():
    with pytest.raises(Order.DoesNotExist), tracking("a"):
        Order.objects.get(pk=0)
    assert ActivityLog.objects.get().extra["exception"]["place"].startswith(__file__)
