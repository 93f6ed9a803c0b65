"""A log that lives in a database of its own."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.test.utils import CaptureQueriesContext

from tests.shop.models import Order
from trackmate import track
from trackmate.activity import Activity
from trackmate.models import ActivityLog
from trackmate.pipeline import get_backend
from trackmate.routers import TrackmateRouter
from trackmate.spool.locations import get_spool

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db(databases=["default", "apart"], transaction=True),
]


@pytest.fixture
def apart(settings, configure):
    configure(DATABASE="apart")
    settings.DATABASE_ROUTERS = ["trackmate.routers.TrackmateRouter"]


@pytest.fixture
def alice():
    return get_user_model().objects.create_user("alice", password="correct horse")


@pytest.mark.usefixtures("apart")
def test_rows_are_written_there_and_read_from_there():
    track("stock.counted")
    assert ActivityLog.objects.db == "apart"
    assert ActivityLog.objects.get().action == "stock.counted"
    assert not ActivityLog.objects.using("default").exists()


@pytest.mark.usefixtures("apart")
def test_what_a_row_points_to_is_read_from_where_it_lives(alice):
    order = Order.objects.create(number="A-7")
    track("order.exported", actor=alice, content_object=order)
    row = ActivityLog.objects.get()
    assert (row.actor, row.actor._state.db) == (alice, "default")
    assert row.content_type == ContentType.objects.get_for_model(Order)
    assert (row.content_object, row.content_object._state.db) == (order, "default")
    assert ActivityLog.objects.on(order).get() == row


@pytest.mark.usefixtures("apart")
def test_a_row_made_by_hand_may_name_what_lives_elsewhere(alice):
    row = ActivityLog.objects.create(actor=alice, content_object=Order.objects.create())
    assert row._state.db == "apart"
    assert ActivityLog.objects.by(alice).get() == row


@pytest.mark.usefixtures("apart")
def test_a_request_is_one_insert_there(client, alice):
    client.force_login(alice)
    client.get("/tracked/everything/")
    with CaptureQueriesContext(connections["apart"]) as queries:
        client.get("/tracked/everything/")
    assert len(queries) == 1
    assert ActivityLog.objects.filter(action="order.exported").count() == 2


@pytest.mark.usefixtures("apart")
def test_what_waits_is_stored_there():
    get_spool().append([Activity.now(action="waited")])
    assert get_backend().flush() == 1
    assert ActivityLog.objects.using("apart").get().action == "waited"


@pytest.mark.usefixtures("apart")
def test_the_router_has_a_say_in_the_log_alone(alice):
    router, row = TrackmateRouter(), ActivityLog()
    assert router.db_for_read(ActivityLog) == router.db_for_write(ActivityLog) == "apart"
    assert router.db_for_read(Order) is router.db_for_write(Order) is None
    assert router.db_for_read(ContentType, instance=row) == "default"
    assert router.db_for_read(ContentType, instance=alice) is None


@pytest.mark.usefixtures("apart")
def test_the_router_allows_links_of_the_log_alone(alice):
    router = TrackmateRouter()
    assert router.allow_relation(ActivityLog(), alice)
    assert router.allow_relation(alice, ActivityLog())
    assert router.allow_relation(alice, Order()) is None


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize(
    ("alias", "label", "allowed"),
    [
        ("apart", "trackmate", True),
        ("default", "trackmate", False),
        ("apart", "auth", None),
        ("default", "auth", None),
    ],
)
def test_migrate_makes_the_table_there_and_nowhere_else(alias, label, allowed):
    assert TrackmateRouter().allow_migrate(alias, label) is allowed


def test_without_the_setting_the_log_lives_with_everything_else():
    assert TrackmateRouter().db_for_write(ActivityLog) == "default"


@pytest.mark.usefixtures("apart")
def test_the_object_of_a_row_is_fetched_from_where_it_lives():
    orders = [Order.objects.create(number=number) for number in ("A-1", "A-2")]
    for order in orders:
        track("order.exported", content_object=order)
    assert [row.content_object for row in ActivityLog.objects.order_by("pk")] == orders
    fetched = ActivityLog.objects.prefetch_related("content_object").order_by("pk")
    assert [row.content_object for row in fetched] == orders
