"""Who really acts: hijack, impersonate and loginas, each with its own middleware or none."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path
from rest_framework.authtoken.models import Token
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.packages import urls
from trackmate import track
from trackmate.capture.events import impersonation
from trackmate.models import ActivityLog

BEGIN, END = "auth.impersonation.begin", "auth.impersonation.end"


def look_at_user(request):
    track("shop.order.update", action_type="Update")
    return HttpResponse(request.user.get_username())


class TokenView(APIView):
    def get(self, request):
        return Response(request.user.get_username())


urlpatterns = [
    *urls.urlpatterns,
    path("who/", look_at_user),
    path("quiet/", lambda _request: HttpResponse("quiet")),
    path("token/", TokenView.as_view()),
]


class Hijack:
    name = "hijack"
    middleware = "hijack.middleware.HijackUserMiddleware"

    @staticmethod
    def begin(client, account, **data):
        return client.post("/hijack/acquire/", {"user_pk": account.pk, **data})

    @staticmethod
    def end(client):
        return client.post("/hijack/release/")


class Impersonate:
    name = "impersonate"
    middleware = "impersonate.middleware.ImpersonateMiddleware"

    @staticmethod
    def begin(client, account, **data):
        return client.get(f"/impersonate/{account.pk}/", data)

    @staticmethod
    def end(client):
        return client.get("/impersonate/stop/")


class LoginAs:
    name = "loginas"
    middleware = None

    @staticmethod
    def begin(client, account, **data):
        return client.post(f"/loginas/login/user/{account.pk}/", data)

    @staticmethod
    def end(client):
        return client.get("/loginas/logout/")


@pytest.fixture(params=[Hijack, Impersonate, LoginAs], ids=lambda each: each.name)
def package(request, settings):
    return use(request.param, settings)


def use(package, settings):
    settings.ROOT_URLCONF = __name__
    settings.IMPERSONATE = {"ALLOW_SUPERUSER": True}
    if package.middleware:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, package.middleware]
    return package


@pytest.fixture
def people(db):
    users = get_user_model().objects
    return SimpleNamespace(
        admin=users.create_superuser("admin"),
        other=users.create_superuser("other"),
        alice=users.create_user("alice"),
        bob=users.create_user("bob"),
    )


@pytest.fixture
def admin_client(people):
    return logged_in(people.admin)


def logged_in(user):
    client = Client()
    client.force_login(user)
    ActivityLog.objects.all().delete()
    return client


def rows(*fields):
    """Return these fields of all rows, the oldest first, and forget the rows."""
    found = [tuple(getattr(row, field) for field in fields) for row in oldest_first()]
    ActivityLog.objects.all().delete()
    return found


def table_of(sql):
    return sql.partition(' FROM "')[2].partition('"')[0]


def oldest_first():
    return ActivityLog.objects.order_by("pk")


def test_the_begin_is_one_row_about_the_account(package, admin_client, people):
    package.begin(admin_client, people.alice)
    row = ActivityLog.objects.get()
    assert (row.action, row.action_type, row.status) == (BEGIN, "Action", "Success")
    assert (row.source, row.actor_label, row.impersonator_label) == ("auth", "admin", "")
    assert (row.impersonator_id, row.content_object, row.object_repr) == (
        None,
        people.alice,
        "alice",
    )


def test_the_end_is_one_row_about_the_account(package, admin_client, people):
    package.begin(admin_client, people.alice)
    ActivityLog.objects.all().delete()
    package.end(admin_client)
    row = ActivityLog.objects.get()
    assert (row.action, row.action_type, row.status) == (END, "Action", "Success")
    assert (row.source, row.actor_label, row.content_object) == ("auth", "admin", people.alice)
    assert (row.impersonator_id, row.impersonator_label) == (None, "")


def test_what_is_done_in_between_has_the_person_beside_the_account(package, admin_client, people):
    package.begin(admin_client, people.alice)
    ActivityLog.objects.all().delete()
    assert admin_client.get("/who/").content == b"alice"
    acting = ("alice", people.admin.pk, "admin")
    fields = ("source", "actor_label", "impersonator_id", "impersonator_label")
    assert sorted(rows(*fields)) == [("custom", *acting), ("request", *acting)]


def test_afterwards_the_person_is_alone_again(package, admin_client, people):
    package.begin(admin_client, people.alice)
    package.end(admin_client)
    ActivityLog.objects.all().delete()
    admin_client.get("/who/")
    assert set(rows("actor_label", "impersonator_label")) == {("admin", "")}


def test_a_view_that_reads_no_user_costs_no_further_query(package, admin_client, people):
    package.begin(admin_client, people.alice)
    impersonation._label_of.__wrapped__.cache_clear()
    with CaptureQueriesContext(connection) as queries:
        admin_client.get("/quiet/")
    tables = [table_of(each["sql"]) for each in queries if each["sql"].startswith("SELECT")]
    # Impersonate itself always reads both users, and whether the one may act as the other.
    assert tables.count("django_session") == 1
    assert tables.count("auth_user") == (3 if package is Impersonate else 1)
    assert ("alice", "admin") in rows("actor_label", "impersonator_label")


def test_an_attempt_that_is_not_allowed_has_failed(package, people):
    client = logged_in(people.bob)
    package.begin(client, people.alice)
    row = ActivityLog.objects.get()
    assert (row.action, row.status, row.actor_label) == (BEGIN, "Failed", "bob")
    assert (row.content_type.model, row.object_id) == ("user", str(people.alice.pk))
    client.get("/who/")
    assert not ActivityLog.objects.exclude(impersonator_label="").exists()


@pytest.mark.parametrize("key", ["99999999999999999999", "0", "x", "1'--", "%00"])
def test_an_attempt_with_a_strange_key_has_failed(package, admin_client, key):
    admin_client.raise_request_exception = False
    package.begin(admin_client, SimpleNamespace(pk=key))
    assert [status for (status,) in rows("status")] == ["Failed"]


def test_a_logout_as_somebody_else_names_both(package, admin_client, people):
    package.begin(admin_client, people.alice)
    ActivityLog.objects.all().delete()
    admin_client.post("/django/logout/")
    assert rows("action", "actor_label", "impersonator_label") == [
        ("auth.logout", "alice", "admin")
    ]


def test_a_request_with_a_token_is_of_its_own_user(package, admin_client, people, settings):
    token = Token.objects.create(user=people.bob)
    package.begin(admin_client, people.alice)
    ActivityLog.objects.all().delete()
    answer = admin_client.get("/token/", headers={"Authorization": f"Token {token.key}"})
    assert answer.json() in ("alice", "bob")
    (found,) = rows("actor_label", "impersonator_label")
    assert found == {"alice": ("alice", "admin"), "bob": ("bob", "")}[answer.json()]


def test_nobody_acts_as_somebody_with_a_session_of_their_own(package, people):
    logged_in(people.alice).get("/who/")
    assert {name for (name,) in rows("impersonator_label")} == {""}


@pytest.mark.parametrize("package", [Hijack, LoginAs])
def test_one_account_after_another_is_still_the_same_person(
    settings, admin_client, people, package
):
    use(package, settings).begin(admin_client, people.other)
    package.begin(admin_client, people.alice)
    admin_client.get("/quiet/")
    package.end(admin_client)
    fields = ("action", "actor_label", "impersonator_label", "object_repr")
    begin, again, request, end = rows(*fields)
    assert begin == (BEGIN, "admin", "", "other")
    assert again == (BEGIN, "admin", "", "alice")
    assert request[1:3] == ("alice", "admin")
    assert end == (END, "admin", "", "alice")
    # Back to the account before, and not to the person.
    admin_client.get("/quiet/")
    assert rows("actor_label", "impersonator_label") == [("other", "admin")]


def test_impersonate_refuses_one_account_after_another(settings, admin_client, people):
    use(Impersonate, settings).begin(admin_client, people.other)
    Impersonate.begin(admin_client, people.alice)
    fields = ("action", "status", "actor_label", "impersonator_label")
    assert rows(*fields)[1] == (BEGIN, "Failed", "other", "admin")


def test_without_the_middleware_both_are_recorded_and_nothing_breaks(
    package, admin_client, people, settings
):
    settings.MIDDLEWARE = settings.MIDDLEWARE[1:]
    client = logged_in(people.admin)
    package.begin(client, people.alice)
    assert client.get("/who/").content == b"alice"
    package.end(client)
    found = ActivityLog.objects.filter(action__startswith="auth.impersonation").order_by("pk")
    assert [(row.action, row.actor_label, row.object_repr) for row in found] == [
        (BEGIN, "admin", "alice"),
        (END, "admin", "alice"),
    ]


@pytest.mark.parametrize("values", [{"TRACK_AUTH": False}, {"ENABLED": False}])
def test_what_is_not_tracked_is_not_recorded(package, admin_client, people, configure, values):
    configure(**values)
    package.begin(admin_client, people.alice)
    package.end(admin_client)
    assert not oldest_first().filter(source="auth").exists()


def test_a_session_from_before_has_the_person_all_the_same(package, admin_client, people):
    package.begin(admin_client, people.alice)
    session = admin_client.session
    session.pop("trackmate_impersonator", None)
    session.save()
    impersonation._label_of.__wrapped__.cache_clear()
    ActivityLog.objects.all().delete()
    admin_client.get("/quiet/")
    admin_client.get("/quiet/")
    assert set(rows("actor_label", "impersonator_label")) == {("alice", "admin")}


def test_loginas_has_a_reason(settings, admin_client, people):
    use(LoginAs, settings).begin(admin_client, people.alice, reason="ticket 4711")
    assert rows("action", "reason") == [(BEGIN, "ticket 4711")]


@pytest.mark.parametrize("flag", ["1", "1:x:y", "", None, 7, ["1"], "\0", "1" * 5_000])
def test_a_flag_of_loginas_that_is_not_signed_names_nobody(settings, people, flag):
    use(LoginAs, settings)
    client = logged_in(people.alice)
    session = client.session
    session["loginas_from_user"] = flag
    session.save()
    client.get("/who/")
    assert {name for (name,) in rows("impersonator_label")} == {""}


def test_a_flag_of_loginas_that_is_too_old_to_go_back_still_names_the_person(
    settings, admin_client, people, monkeypatch
):
    use(LoginAs, settings).begin(admin_client, people.alice)
    monkeypatch.setattr("loginas.settings.USER_SESSION_DAYS_TIMESTAMP", -1)
    ActivityLog.objects.all().delete()
    admin_client.get("/quiet/")
    LoginAs.end(admin_client)
    named, logout = rows("actor_label", "impersonator_label", "action")
    assert named[:2] == ("alice", "admin")
    assert logout == ("alice", "admin", "auth.logout")


def test_logging_out_by_loginas_is_a_logout_of_those_who_are_themselves(settings, people):
    use(LoginAs, settings)
    LoginAs.end(logged_in(people.alice))
    assert rows("action", "actor_label", "impersonator_label") == [("auth.logout", "alice", "")]


def test_a_login_as_somebody_else_within_a_hijacked_session_is_their_own(
    settings, admin_client, people
):
    use(Hijack, settings).begin(admin_client, people.alice)
    admin_client.force_login(people.bob)
    ActivityLog.objects.all().delete()
    admin_client.get("/who/")
    assert set(rows("actor_label", "impersonator_label")) == {("bob", "")}


@pytest.mark.parametrize("name", ["hijack", "impersonate", "loginas"])
def test_installing_twice_records_once(name, settings, people):
    import_module(f"trackmate.integrations.{name}").install()
    package = next(each for each in (Hijack, Impersonate, LoginAs) if each.name == name)
    client = logged_in(people.admin)
    use(package, settings).begin(client, people.alice)
    package.end(client)
    assert [action for (action,) in rows("action")] == [BEGIN, END]
