"""What happens to Django's accounts: passwords, rights, groups, addresses, users."""

import asyncio
import re

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model, hashers
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.core.management import call_command
from django.db import connection, transaction
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import include, path, reverse
from django.views.decorators.csrf import csrf_exempt

from tests.factories import user_page
from tests.projects import Project
from trackmate import bind, suppress
from trackmate.activity import Target
from trackmate.diagnostics import counts
from trackmate.integrations.account_events import record_account_event
from trackmate.redaction.text import keyed_hash

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.urls(__name__),
]

PASSWORD, NEW = "correct horse", "battery staple 4711"
User = get_user_model()


@csrf_exempt
def change(request):
    """Do what the test wants within a request."""
    return change.view(request) or HttpResponse(status=change.status)


urlpatterns = [
    path("accounts/", include("django.contrib.auth.urls")),
    path("admin/", admin.site.urls),
    path("change/", change),
]


@pytest.fixture(autouse=True)
def unrecorded_accounts():
    """Record accounts."""


@pytest.fixture(autouse=True)
def a_mailer(settings):
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}


def make(name, **values):
    with suppress():
        return User.objects.create_user(name, f"{name}@example.org", PASSWORD, **values)


@pytest.fixture
def alice():
    return make("alice")


@pytest.fixture
def boss():
    return make("boss", is_staff=True, is_superuser=True)


@pytest.fixture
def within(client, activities):
    """Return what is recorded of a request that does something."""

    def send(view, status=200):
        change.view, change.status = view, status
        activities.clear()
        client.post("/change/")
        return activities

    return send


@pytest.fixture
def as_owner(client, alice):
    client.force_login(alice)


def target(user):
    return Target(
        model=User._meta.label_lower, object_id=str(user.pk), object_repr=user.get_username()
    )


def actions(activities):
    return [each.action for each in activities]


def only(activities):
    (activity,) = activities
    return activity


def set_password(user, password=NEW, **options):
    user.set_password(password)
    user.save(**options)


# --- users: what a save changes --------------------------------------------------------------


SAVES = [
    ("is_active", False, "auth.user.deactivate"),
    ("is_staff", True, "auth.user.staff_grant"),
    ("is_superuser", True, "auth.user.superuser_grant"),
    ("email", "new@example.org", "auth.email.change"),
]


@pytest.mark.parametrize("update_fields", [None, True], ids=["whole", "one field"])
@pytest.mark.parametrize(("field", "value", "action"), SAVES)
def test_a_changed_field_is_an_event_with_its_values(
    alice, activities, field, value, action, update_fields
):
    old = getattr(alice, field)
    setattr(alice, field, value)
    alice.save(update_fields=[field] if update_fields else None)
    activity = only(activities)
    assert (activity.source, activity.action, activity.action_type) == ("auth", action, "Update")
    assert (activity.target, activity.changes) == (target(alice), {field: [old, value]})


@pytest.mark.parametrize(
    ("field", "action"),
    [
        ("is_active", "auth.user.activate"),
        ("is_staff", "auth.user.staff_revoke"),
        ("is_superuser", "auth.user.superuser_revoke"),
    ],
)
def test_the_other_way_has_a_name_of_its_own(boss, activities, field, action):
    value = field == "is_active"
    User.objects.filter(pk=boss.pk).update(**{field: not value})
    setattr(boss, field, value)
    boss.save()
    assert (only(activities).action, only(activities).changes) == (
        action,
        {field: [not value, value]},
    )


def test_a_save_tells_each_thing_that_it_changes(alice, activities):
    alice.is_staff = alice.is_superuser = True
    alice.first_name = "Alice"
    alice.save()
    assert {*actions(activities)} == {"auth.user.staff_grant", "auth.user.superuser_grant"}


@pytest.mark.parametrize(
    ("values", "update_fields"),
    [
        ({}, None),
        ({"first_name": "Alice"}, None),
        ({"is_staff": 0}, None),
        ({"is_staff": True}, ["first_name"]),
        ({"is_staff": True}, []),
    ],
)
def test_what_a_save_does_not_change_is_no_event(alice, activities, values, update_fields):
    for name, value in values.items():
        setattr(alice, name, value)
    alice.save(update_fields=update_fields)
    assert activities == []


@pytest.mark.parametrize(
    ("update_fields", "queries"),
    [(["last_login"], 0), (["first_name"], 0), (["is_staff"], 1), (None, 1)],
)
def test_only_a_save_that_may_change_rights_costs_a_query(
    alice, activities, update_fields, queries
):
    with CaptureQueriesContext(connection) as found:
        alice.save(update_fields=update_fields)
    assert len([each for each in found if each["sql"].startswith("SELECT")]) == queries


@pytest.mark.parametrize("setting", [{"TRACK_AUTH": False}, {"ENABLED": False}])
def test_without_events_there_is_no_query_either(alice, activities, configure, setting):
    configure(**setting)
    alice.is_staff = True
    with CaptureQueriesContext(connection) as found:
        alice.save()
    assert activities == []
    assert not [each for each in found if each["sql"].startswith("SELECT")]


def test_a_user_loaded_in_part_is_not_loaded_for_our_sake(alice, activities):
    user = User.objects.only("email").get(pk=alice.pk)
    user.email = "new@example.org"
    user.save()
    assert only(activities).action == "auth.email.change"
    assert only(activities).target.object_repr == f"{User.__name__} ({alice.pk})"
    assert user.get_deferred_fields() >= {"username", "is_staff"}


def test_a_user_who_was_loaded_long_ago_overwrites_what_is_there(alice, activities):
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    alice.save()
    assert only(activities).changes == {"is_staff": [True, False]}


def test_nothing_is_left_on_a_user(alice, activities):
    alice.is_staff = True
    alice.save()
    assert not [name for name in vars(alice) if "trackmate" in name]


def test_a_save_that_fails_is_no_event(alice, boss, activities):
    alice.is_staff, alice.username = True, boss.username
    with pytest.raises(Exception), transaction.atomic():  # noqa: B017, PT011 (each database has its own)
        alice.save()
    alice.username = "alice"
    alice.save()
    assert actions(activities) == ["auth.user.staff_grant"]


@pytest.mark.django_db(transaction=True)
def test_an_async_save_is_an_event(alice, activities, thread_connections):
    alice.is_staff = True
    asyncio.run(alice.asave())
    assert actions(activities) == ["auth.user.staff_grant"]


# --- users: made and deleted -----------------------------------------------------------------


def test_a_new_user_is_an_event_with_the_rights(activities):
    user = User.objects.create_superuser("root", "root@example.org", PASSWORD)
    activity = only(activities)
    assert (activity.action, activity.action_type) == ("auth.user.create", "Create")
    assert activity.target == target(user)
    assert activity.changes == {"is_staff": [None, True], "is_superuser": [None, True]}


def test_a_deleted_user_is_an_event(alice, activities):
    expected = target(alice)
    alice.delete()
    activity = only(activities)
    assert (activity.action, activity.action_type) == ("auth.user.delete", "Delete")
    assert activity.target == expected


def test_fixtures_are_no_events(alice, activities, tmp_path):
    dump = tmp_path / "users.json"
    with suppress():
        call_command("dumpdata", User._meta.label, output=dump, verbosity=0)
        User.objects.all().delete()
    call_command("loaddata", dump, verbosity=0)
    assert User.objects.exists()
    assert "auth.user.create" not in actions(activities)


# --- passwords -------------------------------------------------------------------------------


def test_the_owner_changes_the_password(client, as_owner, alice, activities):
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    client.post("/accounts/password_change/", form)
    activity = only(activities)
    assert (activity.source, activity.action) == ("auth", "auth.password.change")
    assert (activity.action_type, activity.status) == ("Update", "Success")
    assert (activity.actor_id, activity.target) == (alice.pk, target(alice))
    assert (activity.status_code, activity.changes) == (302, None)
    assert NEW not in repr(activities)
    assert PASSWORD not in repr(activities)


def test_a_wrong_old_password_changes_nothing(client, as_owner, activities):
    form = {"old_password": "wrong", "new_password1": NEW, "new_password2": NEW}
    client.post("/accounts/password_change/", form)
    assert only(activities).source == "request"


@pytest.mark.parametrize("usable", ["true", "false"])
def test_somebody_else_sets_the_password(client, within, boss, alice, usable):
    form = {"password1": NEW, "password2": NEW, "usable_password": usable}

    def save(request):
        assert request.user == boss
        form_of_the_admin = AdminPasswordChangeForm(alice, form)
        assert form_of_the_admin.is_valid()
        form_of_the_admin.save()

    client.force_login(boss)
    activity = only(within(save))
    assert (activity.action, activity.target) == ("auth.password.set", target(alice))
    assert activity.actor_id == boss.pk
    assert NEW not in repr(activity)


def test_a_password_set_by_a_command_is_set(alice, activities):
    set_password(alice)
    assert (only(activities).action, only(activities).actor_id) == ("auth.password.set", None)


def test_a_password_is_changed_by_whoever_is_bound(alice, activities):
    with bind(actor=alice):
        set_password(alice, update_fields=["password"])
    assert (only(activities).action, only(activities).actor_id) == (
        "auth.password.change",
        alice.pk,
    )


@pytest.mark.parametrize("update_fields", [None, ["password"]])
def test_a_password_that_is_locked_is_set(alice, activities, update_fields):
    alice.set_unusable_password()
    alice.save(update_fields=update_fields)
    assert actions(activities) == ["auth.password.set"]


@pytest.mark.parametrize("update_fields", [None, ["password"]])
def test_a_hash_of_ones_own_is_a_password_too(activities, update_fields):
    user = User.objects.get(pk=make("alice").pk)
    user.password = hashers.make_password(NEW)
    user.save(update_fields=update_fields)
    assert actions(activities) == ["auth.password.set"]


def test_a_newer_hasher_is_no_new_password(alice, activities, settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    before = alice.password
    assert alice.check_password(PASSWORD)
    alice.refresh_from_db()
    assert alice.password != before
    assert activities == []


def test_somebody_asks_for_a_reset_and_does_it(client, alice, activities):
    client.post("/accounts/password_reset/", {"email": alice.email})
    asked = only(activities)
    assert (asked.action, asked.action_type) == ("auth.password.reset_request", "Action")
    assert (asked.status, asked.target) == ("Success", target(alice))
    assert (asked.actor_id, asked.actor_label) == (None, "")
    activities.clear()

    link = re.search(r"/accounts/reset/\S+", mail.outbox[0].body)[0]
    form = client.get(link, follow=True).request["PATH_INFO"]
    client.post(form, {"new_password1": NEW, "new_password2": NEW})
    done = activities[-1]
    assert (done.action, done.action_type) == ("auth.password.reset", "Update")
    assert (done.target, done.actor_id) == (target(alice), None)
    assert link.split("/")[-2] not in repr(activities)


@pytest.mark.parametrize("mode", ["known", "hashed", "full", "none"])
def test_a_reset_for_nobody_has_failed(client, activities, configure, mode):
    configure(FAILED_LOGIN_IDENTIFIER=mode)
    client.post("/accounts/password_reset/", {"email": "mallory@example.org"})
    activity = only(activities)
    assert (activity.action, activity.status) == ("auth.password.reset_request", "Failed")
    hashed = f"sha256:{keyed_hash('mallory@example.org', 'identifier')}"
    expected = {"known": hashed, "hashed": hashed, "full": "mallory@example.org", "none": None}
    assert (activity.target.object_repr if activity.target else None) == expected[mode]
    assert ("mallory" in repr(activities)) is (mode == "full")


def test_a_reset_of_a_locked_account_has_failed_for_that_account(client, alice, activities):
    User.objects.filter(pk=alice.pk).update(is_active=False)
    client.post("/accounts/password_reset/", {"email": alice.email})
    assert (only(activities).status, only(activities).target) == ("Failed", target(alice))


# --- groups and permissions ------------------------------------------------------------------


@pytest.fixture
def editors():
    return Group.objects.create(name="Editors")


@pytest.fixture
def writers():
    return Group.objects.create(name="Writers")


def change_of(activity, field="groups"):
    return activity.changes[field]["added"], activity.changes[field]["removed"]


def test_a_group_that_is_added_and_one_that_is_removed(alice, editors, activities):
    alice.groups.add(editors)
    alice.groups.remove(editors)
    assert actions(activities) == ["auth.user.groups_change"] * 2
    assert [change_of(each) for each in activities] == [([editors.pk], []), ([], [editors.pk])]
    assert {each.target for each in activities} == {target(alice)}


def test_the_groups_of_a_request_are_one_event(within, alice, editors, writers):
    alice.groups.add(editors)
    activities = within(lambda request: alice.groups.set([writers]))
    assert change_of(only(activities)) == ([writers.pk], [editors.pk])


def test_a_group_that_comes_and_goes_is_no_event(within, alice, editors):
    def come_and_go(request):
        alice.groups.add(editors)
        alice.groups.clear()

    assert actions(within(come_and_go)) == ["change/"]


def test_what_was_not_there_is_not_removed(alice, editors, writers, activities):
    alice.groups.add(editors)
    activities.clear()
    alice.groups.remove(writers)
    alice.groups.add(editors)
    assert activities == []
    alice.groups.clear()
    assert change_of(only(activities)) == ([], [editors.pk])


def test_the_other_side_of_a_group_has_a_row_for_each_account(alice, boss, editors, activities):
    editors.user_set.add(alice, boss)
    assert {each.target.object_id for each in activities} == {str(alice.pk), str(boss.pk)}
    assert {each.target.model for each in activities} == {User._meta.label_lower}
    assert [change_of(each) for each in activities] == [([editors.pk], [])] * 2
    activities.clear()
    editors.user_set.remove(alice)
    assert only(activities).target.object_repr == f"{User.__name__} ({alice.pk})"


def test_very_many_accounts_have_one_row(alice, boss, editors, activities, monkeypatch):
    monkeypatch.setattr("trackmate.integrations.accounts.MAX_ACCOUNTS", 1)
    editors.user_set.add(alice, boss)
    activity = only(activities)
    assert (activity.target.object_repr, activity.extra) == ("Editors", {"added_objects": 2})


def test_permissions_of_a_user_and_of_a_group(alice, editors, activities):
    permission = Permission.objects.first()
    alice.user_permissions.add(permission)
    editors.permissions.add(permission)
    permission.group_set.clear()
    assert actions(activities) == [
        "auth.user.permissions_change",
        "auth.group.permissions_change",
        "auth.group.permissions_change",
    ]
    assert change_of(activities[0], "user_permissions") == ([permission.pk], [])
    assert [each.target.object_repr for each in activities] == [
        "alice",
        "Editors",
        f"Group ({editors.pk})",
    ]


def test_added_groups_cost_no_query(alice, editors, writers, activities):
    with suppress(), CaptureQueriesContext(connection) as plain:
        alice.groups.add(editors)
    with CaptureQueriesContext(connection) as recorded:
        alice.groups.add(writers)
    assert len(recorded) == len(plain)


# --- within a request ------------------------------------------------------------------------


def test_an_event_is_the_row_of_its_request(within, as_owner, alice):
    def rename(request):
        request.user.email = "new@example.org"
        request.user.save()

    activity = only(within(rename))
    assert (activity.action, activity.status_code) == ("auth.email.change", 200)
    assert (activity.actor_id, activity.target.object_id) == (alice.pk, str(alice.pk))


def test_one_thing_done_to_several_accounts_has_a_row_for_each(within, alice, boss):
    def lock(request):
        for user in (alice, boss):
            user.is_active = False
            user.save()

    activities = within(lock)
    assert actions(activities) == ["auth.user.deactivate"] * 3
    assert [each.target and each.target.object_repr for each in activities] == [
        None,
        "alice",
        "boss",
    ]
    assert activities[0].extra == {"objects": 2}


def test_a_request_that_fails_is_not_what_it_did_before(within, alice):
    def lock(request):
        alice.is_active = False
        alice.save()
        return HttpResponse(status=500)

    activities = within(lock)
    assert [(each.action, each.status) for each in activities] == [
        ("change/", "Failed"),
        ("auth.user.deactivate", "Success"),
    ]


def test_each_attempt_that_has_failed_counts(within, alice):
    def try_codes(_request):
        for _code in range(3):
            record_account_event("auth.mfa.failed", alice, status="Failed")

    assert actions(within(try_codes)) == ["auth.mfa.failed"] * 3


def test_what_is_rolled_back_is_not_claimed(within, alice, editors):
    def undo(request):
        with transaction.atomic():
            User.objects.create_user("bob", "bob@example.org", PASSWORD)
            set_password(alice)
            alice.groups.add(editors)
            alice.delete()
            transaction.set_rollback(True)

    assert actions(within(undo)) == ["change/"]


def test_the_admins_entry_and_the_event_are_one_row(client, boss, alice, activities):
    client.force_login(boss)
    activities.clear()
    client.post(reverse(user_page("delete"), args=[alice.pk]), {"post": "yes"})
    activity = only(activities)
    assert (activity.action, activity.action_type) == ("auth.user.delete", "Delete")
    assert (activity.target, activity.actor_id) == (target(alice), boss.pk)


def test_the_admin_knows_the_names_of_permissions(client, boss, editors, activities):
    permission = Permission.objects.first()
    client.force_login(boss)
    activities.clear()
    form = {"name": "Authors", "permissions": [permission.pk]}
    client.post(reverse("admin:auth_group_change", args=[editors.pk]), form)
    activity = only(activities)
    assert activity.action == "auth.group.permissions_change"
    assert activity.changes["name"] == ["Editors", "Authors"]
    assert str(permission) in repr(activity.changes["permissions"])
    assert activity.remarks == "Changed Name and Permissions."


def test_nobody_is_told_of_an_error_of_ours(alice, activities, monkeypatch):
    def fail(*_args, **_kwargs):
        raise RuntimeError

    monkeypatch.setattr("trackmate.integrations.accounts._different", fail)
    monkeypatch.setattr("trackmate.integrations.accounts._present", fail)
    alice.is_staff = True
    alice.save()
    alice.groups.clear()
    alice.refresh_from_db()
    assert alice.is_staff
    assert counts == {"failed": 2}


WITH_NUL = pytest.param("\x00@example.org", marks=pytest.mark.only_on("sqlite3", "mysql"))


@pytest.mark.parametrize("email", ["x" * 250, WITH_NUL, "łódź@example.org", "'; --"])
def test_any_address_is_recorded(alice, activities, email):
    alice.email = email
    alice.save()
    assert only(activities).action == "auth.email.change"


# --- a user model that knows neither staff nor groups ----------------------------------------

PLAIN = """
from django.contrib.auth import get_user_model
from django.test import Client
from trackmate.models import ActivityLog

ann = get_user_model().objects.create(email="ann@example.org")
ann.set_password("battery staple 4711")
ann.save()
ann.email = "ann@example.com"
ann.save(update_fields=["email"])
Client(SERVER_NAME="localhost").get("/")
ann.delete()
for row in ActivityLog.objects.filter(source="auth").order_by("pk"):
    print(row.action, row.object_repr)
"""


def test_a_plain_user_model_is_enough(tmp_path):
    assert Project(tmp_path, "AUTH_USER_MODEL = 'shop.PlainUser'").say(PLAIN) == [
        "auth.user.create ann@example.org",
        "auth.password.set ann@example.org",
        "auth.email.change ann@example.com",
        "auth.user.delete ann@example.com",
    ]
