"""The row: how it is made by hand, what it keeps, and what it outlives."""

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.utils import timezone

from tests.shop.models import Country, Invoice, Order
from trackmate.clock import datetime_of
from trackmate.enums import ActionType, Status, action_type_for
from trackmate.models import (
    CREATE,
    DELETE,
    FAILED,
    LOGIN,
    LOGIN_FAILED,
    LOGOUT,
    READ,
    SUCCESS,
    UPDATE,
    ActivityLog,
)

pytestmark = [pytest.mark.database, pytest.mark.users, pytest.mark.django_db]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def alice():
    return get_user_model().objects.create_user("alice")


def stored(row):
    """Return the row as the database has it."""
    return ActivityLog.objects.get(pk=row.pk)


def test_a_row_can_be_made_with_a_naive_time():
    before = timezone.now() - timedelta(milliseconds=1)
    row = ActivityLog.objects.create(
        actor=None,
        action_type=LOGIN_FAILED,
        action_time=datetime.now(),  # noqa: DTZ005 (as many projects write it)
        remarks="wrong password",
    )
    found = stored(row)
    assert before <= found.action_time <= timezone.now()
    assert (found.action_type, found.remarks, found.actor) == (
        "Login Failed",
        "wrong password",
        None,
    )


def test_a_naive_time_is_one_of_the_current_time_zone():
    with timezone.override("America/New_York"):
        row = ActivityLog.objects.create(action_time=datetime(2026, 1, 1, 12))  # noqa: DTZ001
    assert stored(row).action_time == datetime(2026, 1, 1, 17, tzinfo=UTC)
    assert datetime_of(row.pk) == datetime(2026, 1, 1, 17, tzinfo=UTC)


@pytest.mark.parametrize("moment", [datetime(2026, 1, 1, 12), NOON])  # noqa: DTZ001
def test_a_project_without_time_zones_gets_local_times(settings, moment):
    settings.USE_TZ = False
    row = ActivityLog.objects.create(action_time=moment)
    local = moment.replace(tzinfo=None) if moment is not NOON else datetime(2026, 3, 1, 13)  # noqa: DTZ001
    assert stored(row).action_time == local


def test_a_time_may_be_written_as_text():
    row = ActivityLog.objects.create(action_time=NOON)
    assert ActivityLog.objects.get(action_time="2026-03-01 12:00:00Z") == row
    assert ActivityLog.objects.get(action_time__lte=models.functions.Now()) == row


def test_no_time_is_no_time():
    assert ActivityLog._meta.get_field("action_time").get_prep_value(None) is None


def test_a_row_without_a_time_is_of_now():
    before = timezone.now()
    row = ActivityLog.objects.create(action="stock.counted")
    assert before <= stored(row).action_time <= timezone.now()
    assert stored(row).recorded_at >= stored(row).action_time


def test_a_key_carries_the_time_of_its_row():
    row = ActivityLog.objects.create(action_time=NOON)
    assert datetime_of(row.pk) == NOON
    assert row.pk.version == 7


def test_newest_first_is_by_time_whatever_the_order_of_storing():
    moments = [NOON + timedelta(microseconds=250 * n) for n in range(20)]
    for moment in Random(7).sample(moments, len(moments)):
        ActivityLog.objects.create(action_time=moment)
    found = ActivityLog.objects.order_by("pk").values_list("action_time", flat=True)
    assert list(found) == moments
    assert list(ActivityLog.objects.values_list("action_time", flat=True)) == moments[::-1]


def test_a_chosen_key_is_kept():
    key = uuid.uuid4()
    assert stored(ActivityLog.objects.create(pk=key)).pk == key


def test_rows_can_be_made_in_bulk():
    ActivityLog.objects.bulk_create([ActivityLog(action_time=NOON), ActivityLog(action_time=NOON)])
    assert ActivityLog.objects.values("pk").distinct().count() == 2


def test_a_row_names_its_actor_as_called_then(alice):
    row = ActivityLog.objects.create(actor=alice, action_type=LOGIN)
    get_user_model().objects.filter(pk=alice.pk).update(username="alicia")
    assert stored(row).actor_label == "alice"
    assert stored(row).actor.username == "alicia"


def test_a_row_that_is_saved_again_keeps_the_name_of_its_actor(alice):
    row = ActivityLog.objects.create(actor=alice)
    alice.username = "alicia"
    row.save()
    assert stored(row).actor_label == "alice"


def test_a_label_of_choice_is_kept(alice):
    row = ActivityLog.objects.create(actor=alice, actor_label="Alice of accounting")
    assert stored(row).actor_label == "Alice of accounting"


def test_an_actor_given_by_key_is_not_fetched_for_its_name(alice, django_assert_num_queries):
    with django_assert_num_queries(1):
        row = ActivityLog.objects.create(actor_id=alice.pk)
    assert row.actor_label == ""


@pytest.mark.parametrize(
    "thing",
    [
        Order(pk=7, number="A-7"),
        Invoice(pk=uuid.UUID("12345678-1234-5678-1234-567812345678"), total=Decimal("9.99")),
        Country(pk="pl"),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_a_row_links_to_objects_with_any_kind_of_key(thing):
    thing.save()
    row = ActivityLog.objects.create(content_object=thing, action_type=UPDATE)
    assert stored(row).content_object == thing
    assert stored(row).object_id == str(thing.pk)
    assert stored(row).object_repr == str(thing)


def test_history_outlives_the_user(alice):
    row = ActivityLog.objects.create(actor=alice)
    key = alice.pk
    alice.delete()
    assert (stored(row).actor_id, stored(row).actor_label) == (key, "alice")


def test_history_outlives_the_object_and_its_content_type():
    order = Order.objects.create(number="A-7")
    row = ActivityLog.objects.create(content_object=order)
    order.delete()
    ContentType.objects.get_for_model(Order).delete()
    ContentType.objects.clear_cache()
    assert stored(row).object_repr == "Order A-7"


def test_a_row_of_a_user_that_never_was_can_be_stored():
    missing = uuid.uuid4() if isinstance(get_user_model()._meta.pk, models.UUIDField) else 12345
    with transaction.atomic():
        row = ActivityLog.objects.create(actor_id=missing)
    assert stored(row).actor_id == missing


def test_json_columns_take_what_django_writes_as_json():
    data = {"total": Decimal("9.99"), "day": date(2026, 3, 1), "id": uuid.UUID(int=7)}
    row = ActivityLog.objects.create(data=data)
    assert stored(row).data == {
        "total": "9.99",
        "day": "2026-03-01",
        "id": "00000000-0000-0000-0000-000000000007",
    }


@pytest.mark.parametrize(
    ("constant", "text"),
    [
        (CREATE, "Create"),
        (READ, "Read"),
        (UPDATE, "Update"),
        (DELETE, "Delete"),
        (LOGIN, "Login"),
        (LOGOUT, "Logout"),
        (LOGIN_FAILED, "Login Failed"),
    ],
)
def test_action_types_are_stored_as_they_read(constant, text):
    row = ActivityLog.objects.create(action_type=constant)
    assert stored(row).action_type == text


@pytest.mark.parametrize(("constant", "text"), [(SUCCESS, "Success"), (FAILED, "Failed")])
def test_statuses_are_stored_as_they_read(constant, text):
    row = ActivityLog.objects.create(status=constant)
    assert stored(row).status == text


def test_an_action_type_may_be_the_projects_own():
    row = ActivityLog.objects.create(action_type="Approve")
    assert stored(row).action_type == "Approve"


@pytest.mark.parametrize(
    ("method", "action_type"),
    [
        ("GET", ActionType.READ),
        ("HEAD", ActionType.READ),
        ("OPTIONS", ActionType.READ),
        ("POST", ActionType.ACTION),
        ("PUT", ActionType.UPDATE),
        ("PATCH", ActionType.UPDATE),
        ("DELETE", ActionType.DELETE),
        ("TRACE", ActionType.READ),
        ("PURGE", ActionType.ACTION),
    ],
)
def test_a_method_is_an_action_type(method, action_type):
    assert action_type_for(method, 200) == action_type


@pytest.mark.parametrize(
    ("method", "action_type"),
    [("POST", ActionType.CREATE), ("PUT", ActionType.CREATE), ("GET", ActionType.READ)],
)
def test_an_answer_of_201_says_that_something_was_made(method, action_type):
    assert action_type_for(method, 201) == action_type


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"actor_label": "alice", "action": "auth.login"}, "2026-03-01 12:00:00 alice: auth.login"),
        ({"action_type": LOGOUT, "actor_id": 5}, "2026-03-01 12:00:00 #5: Logout"),
        ({"action_type": LOGOUT, "method": "GET"}, "2026-03-01 12:00:00 anonymous: Logout"),
        ({"action": "import"}, "2026-03-01 12:00:00 \N{EN DASH}: import"),
    ],
)
def test_a_row_reads_as_a_line(values, text):
    assert str(ActivityLog(action_time=NOON, **values)) == text


def test_each_index_ends_with_the_clock():
    assert all(index.fields[-1] == "id" for index in ActivityLog._meta.indexes)


def test_nobody_may_add_change_or_delete_rows():
    names = {codename for codename, _ in ActivityLog._meta.permissions}
    assert ActivityLog._meta.default_permissions == ("view",)
    assert names == {"view_payload", "export_activitylog", "undo_change"}


def test_statuses_are_translatable():
    assert Status.FAILED.label == "Failed"
