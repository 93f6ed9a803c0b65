"""What a row is about: found by any kind of key, and None where it cannot be found."""

import uuid

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.contenttypes.models import ContentType
from django.contrib.contenttypes.prefetch import GenericPrefetch
from django.db import connection

from tests.factories import person
from tests.shop.models import Blob, Country, Invoice, Order, RushOrder, Seat
from trackmate import track
from trackmate.models import ActivityLog
from trackmate.testing import capture_activities

pytestmark = [pytest.mark.database, pytest.mark.django_db]

BINARY = {"sqlite": "BLOB", "postgresql": "bytea", "mysql": "varbinary(20)"}


@pytest.fixture
def blobs():
    """Make the table of objects with binary keys."""
    if connection.vendor == "mysql":
        pytest.fail("a table that is made in a transaction ends it there")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE shop_blob (id {BINARY[connection.vendor]} PRIMARY KEY)")


KEYS = {
    "number": Order.objects.create,
    "uuid": Invoice.objects.create,
    "text": lambda: Country.objects.create(code="Ruritania/ä %"),
    "composite": lambda: Seat.objects.create(row='A"7', number=Seat.objects.count()),
    "proxy": RushOrder.objects.create,
}


def fetched(**filters):
    return [row.content_object for row in ActivityLog.objects.filter(**filters).order_by("pk")]


def prefetched(*lookups):
    rows = ActivityLog.objects.prefetch_related(*lookups or ("content_object",)).order_by("pk")
    return [row.content_object for row in rows]


@pytest.mark.parametrize("kind", KEYS)
def test_an_object_with_any_kind_of_key_is_found(kind, django_assert_num_queries):
    thing = KEYS[kind]()
    KEYS[kind if kind != "text" else "number"]()
    row = ActivityLog.objects.create(content_object=thing)
    assert row.content_object is thing
    assert [each.pk for each in fetched()] == [thing.pk]
    with django_assert_num_queries(2):
        assert [each.pk for each in prefetched()] == [thing.pk]
    assert ActivityLog.objects.on(thing).get() == row


@pytest.mark.only_on("sqlite3", "postgresql")
@pytest.mark.usefixtures("blobs")
def test_an_object_with_a_binary_key_is_found():
    things = [Blob.objects.create(id=each) for each in (b"\x00\xff", b"abc")]
    for thing in things:
        ActivityLog.objects.create(content_object=thing)
    assert [bytes(each.pk) for each in fetched()] == [b"\x00\xff", b"abc"]
    assert [bytes(each.pk) for each in prefetched()] == [b"\x00\xff", b"abc"]
    assert ActivityLog.objects.on(things[0]).count() == 1


@pytest.mark.parametrize("kind", KEYS)
def test_what_is_recorded_about_an_object_is_found_by_it(kind):
    thing = KEYS[kind]()
    with capture_activities() as found:
        track("thing.seen", content_object=thing)
    target = found[0].target
    row = ActivityLog.objects.create(content_object=thing)
    assert target.object_id == row.object_id


WRONG = ["", "abc", "1.5", "10" * 60, "-1", "[1]", '["A", 1, 2]', "{}", "a\ud800b", "a/b", "../x"]


def a_row(model, text):
    kind = ContentType.objects.get_for_model(model)
    return ActivityLog(content_type=kind, object_id=text)


@pytest.mark.parametrize("text", WRONG)
@pytest.mark.parametrize("model", [Order, Invoice, Country, Seat, Blob])
def test_a_key_that_is_none_of_the_model_names_nothing(model, text):
    if model is Blob:
        text = "not base64 ä"
    assert a_row(model, text).content_object is None


@pytest.mark.parametrize("model", [Order, Invoice, Country, Seat])
def test_one_wrong_key_hides_no_other_object(model):
    order = Order.objects.create()
    texts = [text for text in WRONG if "\ud800" not in text]
    kind = ContentType.objects.get_for_model(model)
    ActivityLog.objects.bulk_create(
        ActivityLog(content_type=kind, object_id=each) for each in texts
    )
    ActivityLog.objects.create(content_object=order)
    assert prefetched() == [None] * len(texts) + [order]


def test_what_is_gone_is_none():
    order, other = Order.objects.create(), Order.objects.create()
    for each in (order, other, None):
        ActivityLog.objects.create(content_object=each)
    order.delete()
    assert fetched() == [None, other, None]
    assert prefetched() == [None, other, None]


def removed_model():
    return ContentType.objects.create(app_label="removed", model="thing")


def removed_type():
    kind = removed_model()
    ContentType.objects.filter(pk=kind.pk).delete()
    ContentType.objects.clear_cache()
    return kind


@pytest.mark.parametrize("make", [removed_model, removed_type])
def test_a_type_that_is_gone_hides_no_other_object(make):
    order = Order.objects.create()
    ActivityLog.objects.create(content_type_id=make().pk, object_id="1", object_repr="It")
    ActivityLog.objects.create(content_object=order)
    assert fetched() == [None, order]
    assert prefetched() == [None, order]


@pytest.mark.parametrize(
    "thing", [Order(), Invoice(pk=None), Seat(row="A"), Country(pk=None)], ids=str
)
def test_an_object_that_is_not_stored_yet_has_no_key(thing):
    row = ActivityLog(content_object=thing)
    assert (row.content_object, row.object_id) == (thing, None)
    ActivityLog.objects.create(content_type_id=row.content_type_id, object_id=None)
    assert fetched() == prefetched() == [None]
    assert not ActivityLog.objects.on(thing).exists()


def test_an_object_that_was_changed_for_another_is_that_other():
    first, second = Order.objects.create(), Order.objects.create()
    row = ActivityLog.objects.create(content_object=first)
    row.object_id = second.pk
    assert row.content_object == second
    row.content_object = None
    assert (row.content_type_id, row.object_id, row.content_object) == (None, None, None)


def test_a_queryset_for_the_prefetch_is_used(django_assert_num_queries):
    order = Order.objects.create(number="7")
    ActivityLog.objects.create(content_object=order)
    lookup = GenericPrefetch("content_object", [Order.objects.defer("number")])
    (found,) = prefetched(lookup)
    assert (found, found.get_deferred_fields()) == (order, {"number"})


def test_many_rows_with_wrong_and_right_keys_take_a_query_for_each_model(django_assert_num_queries):
    for _ in range(3):
        ActivityLog.objects.create(content_object=Order.objects.create())
        ActivityLog.objects.create(content_object=Invoice.objects.create())
    with django_assert_num_queries(3):
        assert None not in prefetched()


# --- by whom ---------------------------------------------------------------------------------


@pytest.mark.users
@pytest.mark.parametrize(
    "nobody",
    [
        AnonymousUser,
        lambda: get_user_model()(pk=None),
        lambda: None,
        Order.objects.create,
        lambda: Invoice(pk=uuid.uuid4()),
    ],
    ids=["anonymous", "not stored", "none", "no user", "no user, with a uuid"],
)
def test_who_is_no_user_did_nothing(nobody):
    ActivityLog.objects.create(actor=person("ann"))
    ActivityLog.objects.create()
    assert not ActivityLog.objects.by(nobody()).exists()
