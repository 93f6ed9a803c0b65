"""How often each page asks the log: so many times, however many rows there are."""

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.pages import FRAGMENT, log_queries
from tests.rows import activities
from tests.shop.models import Order
from tests.sights import NOWHERE
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

LIST = "/trackmate/activity/"
PAGES = {
    "first page": (LIST, 1),
    "first page, a fragment": (LIST, 1),
    "page after": (f"{LIST}?after={{oldest}}", 1),
    "page before": (f"{LIST}?before={{newest}}", 1),
    "filtered": (f"{LIST}?q=type:Read%20status:200&actor=ann&method=GET", 1),
    "search": (f"{LIST}?q=words", 1),
    "nothing found": (f"{LIST}?q=absent", 2),
    "tick": (f"{LIST}tick/?since={{oldest}}", 1),
    "actor": ("/trackmate/actor/=ann/", 2),
    "object": ("/trackmate/object/shop.order/7/", 2),
    "route": ("/trackmate/route/r/", 2),
    "address": ("/trackmate/address/10.0.0.1/", 2),
    "request": ("/trackmate/request/r-1/", 2),
    "actor, narrowed": ("/trackmate/actor/=ann/?method=GET", 3),
    "actor, turned": ("/trackmate/actor/=ann/?before={newest}", 3),
    "one activity": (f"{LIST}{{newest}}/", 4),
    "figures": (f"{LIST}figures/", 10),
    "figures of an address": (f"{LIST}figures/?place=address&address=10.0.0.1", 9),
    "overview": ("/trackmate/", 13),
    "overview of a month": ("/trackmate/?range=30d", 13),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_the_log_as_often_as_ever(staff, name):
    url, number = PAGES[name]
    counted = []
    for rows in (3, 130):
        store(rows)
        keys = ActivityLog.objects.order_by("pk").values_list("pk", flat=True)
        asked = url.format(oldest=keys.first(), newest=keys.last())
        with CaptureQueriesContext(connection) as found:
            response = staff.get(asked, headers=FRAGMENT if "fragment" in name else {})
        assert response.status_code == 200
        counted.append(len(log_queries(found)))
    assert counted == [number, number]


def store(number):
    activities(
        number,
        source="request",
        action_type="Read",
        actor_label="ann",
        content_type=ContentType.objects.get_for_model(Order),
        object_id="7",
        route="r/",
        ip_address="10.0.0.1",
        request_id="r-1",
        method="GET",
        status_code=200,
        remarks="words",
    )


def test_types_that_are_gone_are_asked_for_twice_at_most(staff):
    for number in range(20):
        activities(1, content_type_id=90_000 + number, object_id="7")
    with CaptureQueriesContext(connection) as found:
        staff.get(LIST)
    asked = [each["sql"] for each in found if "auth_permission" not in each["sql"]]
    assert len([sql for sql in asked if "django_content_type" in sql]) == 2


def payload(row, request):
    """A column of the project's that takes a permission to see."""
    return row.data


payload.needs = ("data",)


@pytest.mark.parametrize(
    ("url", "asks"),
    [
        (f"{LIST}?columns=time,actor", True),
        (f"{LIST}?columns=time,payload", True),
        (f"{LIST}?columns=time,actor&q=absent", False),
        (f"{LIST}?status_code=many", False),
        (f"{LIST}tick/?since={NOWHERE}", False),
        (f"{LIST}figures/", False),
        ("/trackmate/", False),
        ("/trackmate/object/shop.order/7/?columns=time,actor", True),
    ],
)
def test_only_rows_to_be_exported_ask_for_permissions_and_once(staff, settings, url, asks):
    settings.TRACKMATE = {"ENABLED": False, "TABLE_COLUMNS": [payload]}
    store(3)
    with CaptureQueriesContext(connection) as found:
        assert staff.get(url).status_code in {200, 204}
    asked = [each for each in found if "auth_permission" in each["sql"]]
    assert len(asked) == (2 if asks else 0)  # of the person, and of their groups
