"""The number of queries of each page, which does not depend on the number of rows."""

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import activities
from tests.page_states import NOWHERE
from tests.shop.models import Order
from tests.urls_under_test import FRAGMENT, log_queries
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

LIST = "/trackmate/activity/"
# Queries of the log for few rows and for many, if these differ: more than one page is counted.
PAGES = {
    "first page": (LIST, (1, 2)),
    "first page, a fragment": (LIST, (1, 2)),
    "page after": (f"{LIST}?after={{oldest}}", 2),
    "page before": (f"{LIST}?before={{newest}}", 2),
    "filtered": (f"{LIST}?q=type:Read%20status:200&actor=ann&method=GET", (1, 2)),
    "search": (f"{LIST}?q=words", (1, 2)),
    "nothing found": (f"{LIST}?q=absent", 2),
    "tick": (f"{LIST}tick/?since={{oldest}}", 1),
    "actor": ("/trackmate/actor/=ann/", (2, 3)),
    "actor who is a user": ("/trackmate/actor/staff/", 5),
    "object": ("/trackmate/object/shop.order/7/", (3, 4)),
    "timeline, a fragment": (f"{LIST}timeline/?page=object&object=shop.order/7", 1),
    "route": ("/trackmate/route/r/", (2, 3)),
    "address": ("/trackmate/address/10.0.0.1/", (2, 3)),
    "request": ("/trackmate/request/r-1/", (2, 3)),
    "actor, narrowed": ("/trackmate/actor/=ann/?method=GET", (3, 4)),
    "actor, another page": ("/trackmate/actor/=ann/?before={newest}", 4),
    "one activity": (f"{LIST}{{newest}}/", 4),
    "facets": (f"{LIST}facets/", 11),
    "facets of an address": (f"{LIST}facets/?page=address&address=10.0.0.1", 10),
    "overview": ("/trackmate/", 12),
    "overview of a month": ("/trackmate/?range=30d", 12),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_number_of_queries_of_the_log(staff, name):
    url, number = PAGES[name]
    counted = []
    for rows in (3, 130):
        store(rows)
        keys = ActivityLog.objects.order_by("pk").values_list("pk", flat=True)
        address = url.format(oldest=keys.first(), newest=keys.last())
        with CaptureQueriesContext(connection) as found:
            response = staff.get(address, headers=FRAGMENT if "fragment" in name else {})
        assert response.status_code == 200
        counted.append(len(log_queries(found)))
    assert counted == ([*number] if isinstance(number, tuple) else [number, number])


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


def test_unknown_content_types_make_two_queries_at_most(staff):
    for number in range(20):
        activities(1, content_type_id=90_000 + number, object_id="7")
    with CaptureQueriesContext(connection) as found:
        staff.get(LIST)
    asked = [each["sql"] for each in found if "auth_permission" not in each["sql"]]
    assert len([sql for sql in asked if "django_content_type" in sql]) == 2


def payload(row, request):
    """A column of the project that needs a permission."""
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
        (f"{LIST}facets/", False),
        ("/trackmate/", False),
        ("/trackmate/object/shop.order/7/?columns=time,actor", True),
    ],
)
def test_permissions_are_queried_once_and_only_for_rows(staff, settings, url, asks):
    settings.TRACKMATE = {"ENABLED": False, "TABLE_COLUMNS": [payload]}
    store(3)
    with CaptureQueriesContext(connection) as found:
        assert staff.get(url).status_code in {200, 204}
    asked = [each for each in found if "auth_permission" in each["sql"]]
    assert len(asked) == (2 if asks else 0)  # of the person, and of their groups
