"""What bulk operations record: each object, or a summary."""

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.test.utils import CaptureQueriesContext

from tests.factories import rolled_back
from tests.library.models import Book, Copy
from trackmate import suppress

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def copies(registered):
    registered(Copy)
    return add_copies(3)


def add_copies(count):
    with suppress():
        Copy.objects.bulk_create(Copy(code=f"c{n}") for n in range(count))
    return list(Copy.objects.order_by("pk"))


def changes_of(activities, name):
    return [
        (each.action.removeprefix("library.copy."), each.target.object_repr, each.changes[name])
        for each in activities
    ]


def test_an_update_is_recorded_for_each_object_that_changes(copies, activities):
    Copy.objects.filter(pk=copies[0].pk).update(uses=5)
    activities.clear()
    assert Copy.objects.filter(code__in=["c0", "c1"]).update(uses=5) == 2
    assert changes_of(activities, "uses") == [("update", "Copy c1", [0, 5])]


def test_an_expression_is_recorded_as_what_it_comes_to(copies, activities):
    Copy.objects.update(uses=F("uses") + 2, code=Concat("code", Value("x")))
    assert changes_of(activities, "uses") == [("update", f"Copy c{n}", [0, 2]) for n in range(3)]
    assert activities[0].changes["code"] == ["c0", "c0x"]


def test_an_update_can_change_what_it_filters_by(copies, activities):
    Copy.objects.filter(uses=0).update(uses=1)
    assert len(activities) == 3


def test_a_foreign_key_can_be_given_as_an_object(copies, activities):
    book = Book.objects.create(title="Emma")
    Copy.objects.filter(code="c0").update(book=book)
    label = {"value": book.pk, "label": "Emma"}
    assert changes_of(activities, "book") == [("update", "Copy c0", [None, label])]


def test_related_managers_are_recorded_too(copies, activities):
    book = Book.objects.create(title="Emma")
    book.copy_set.set(copies[:2])
    book.copy_set.clear()
    assert [len(changes_of(activities, "book")), activities[-1].changes["book"][1]] == [4, None]


def test_147_objects_take_as_many_queries_as_10(registered, activities):
    registered(Copy)

    def count_queries(count):
        with suppress():
            Copy.objects.all().delete()
        add_copies(count)
        activities.clear()
        with CaptureQueriesContext(connection) as queries:
            Copy.objects.update(uses=F("uses") + 1)
        assert len(activities) == count
        return len(queries)

    assert count_queries(10) == count_queries(147)


def test_more_than_the_limit_are_one_summary(registered, activities):
    registered(Copy, bulk_limit=2, mask=["code"])
    add_copies(3)
    Copy.objects.filter(uses__lt=7, door_pin="").exclude(code="x").update(state="o", uses=F("uses"))
    (activity,) = activities
    assert activity.action == "library.copy.update"
    assert activity.target is None
    assert activity.extra == {
        "bulk": True,
        "table": "library_copy",
        "verb": "UPDATE",
        "count": 3,
        "sample": activity.extra["sample"],
        "filter": "door_pin = [redacted] and uses < 7 and not (code = [redacted])",
        "values": {"state": {"value": "o", "label": "Published"}, "uses": "F(uses)"},
    }
    assert len(activity.extra["sample"]) == 3


def test_bulk_update_is_recorded_for_each_object(copies, activities):
    for each in copies:
        each.uses = each.pk
    copies[0].notes.append("new")
    Copy.objects.bulk_update(copies, ["uses", "notes"])
    assert changes_of(activities, "uses") == [
        ("update", str(each), [0, each.pk]) for each in copies
    ]
    assert activities[0].changes["notes"] == [[], ["new"]]
    copies[0].save()
    assert len(activities) == 3


def test_bulk_update_takes_an_iterator_and_expressions(copies, activities):
    for each in copies:
        each.uses = F("uses") + 1
    assert Copy.objects.bulk_update(iter(copies), ["uses"], batch_size=2) == 3
    assert [change for *_, change in changes_of(activities, "uses")] == [[0, 1]] * 3


def test_bulk_update_of_many_is_one_summary_and_is_known_afterwards(registered, activities):
    registered(Copy, bulk_limit=2)
    copies = add_copies(3)
    for each in copies:
        each.uses = 5
    Copy.objects.bulk_update(copies, ["uses"])
    (summary,) = activities
    assert (summary.extra["count"], summary.extra["fields"]) == (3, ["uses"])
    copies[0].save()
    assert len(activities) == 1


@pytest.mark.only_on("sqlite3", "postgresql", "mysql")
def test_bulk_create_is_recorded_for_each_object(registered, activities):
    registered(Copy)
    created = Copy.objects.bulk_create([Copy(code="a"), Copy(code="b", uses=2)])
    assert changes_of(activities, "code") == [
        ("create", "Copy a", [None, "a"]),
        ("create", "Copy b", [None, "b"]),
    ]
    assert [each.target.object_id for each in activities] == [str(each.pk) for each in created]
    created[0].uses = 1
    created[0].save()
    assert activities[2].changes == {"uses": [0, 1]}


def test_what_is_ignored_is_not_recorded(copies, activities):
    Copy.objects.bulk_create([Copy(code="c0", uses=9), Copy(code="new")], ignore_conflicts=True)
    assert changes_of(activities, "code") == [("create", "Copy new", [None, "new"])]


def test_what_is_updated_in_place_of_creating_it_is_an_update(copies, activities):
    unique = {} if connection.vendor == "mysql" else {"unique_fields": ["code"]}
    Copy.objects.bulk_create(
        [Copy(code="c0", uses=9), Copy(code="c1", state="o"), Copy(code="new")],
        update_conflicts=True,
        update_fields=["uses"],
        **unique,
    )
    found = {
        each.target.object_repr: (each.action, each.changes.get("uses")) for each in activities
    }
    assert found == {
        "Copy c0": ("library.copy.update", [0, 9]),
        "Copy new": ("library.copy.create", [None, 0]),
    }


def test_the_async_twins_are_recorded(copies, activities):
    async def work():
        await Copy.objects.filter(code="c0").aupdate(uses=1)
        await Copy.objects.abulk_create([Copy(code="z")])
        await Copy.objects.filter(code="c1").adelete()

    async_to_sync(work)()
    assert [each.action for each in activities] == [
        f"library.copy.{verb}" for verb in ("update", "create", "delete")
    ]


def test_what_is_rolled_back_is_not_recorded(copies, activities):
    with rolled_back():
        Copy.objects.update(uses=1)
    assert activities == []


def test_a_refused_operation_is_refused_as_before(copies, activities):
    with pytest.raises(TypeError):
        Copy.objects.all()[:2].update(uses=1)
    assert activities == []


def test_update_or_create_is_recorded_once(copies, activities):
    Copy.objects.update_or_create(code="c0", defaults={"uses": 4})
    Copy.objects.update_or_create(code="new", defaults={"uses": 4})
    assert [(verb, change) for verb, _name, change in changes_of(activities, "uses")] == [
        ("update", [0, 4]),
        ("create", [None, 4]),
    ]


def test_a_summary_has_new_values_that_are_named_by_their_column(registered, activities):
    registered(Copy, bulk_limit=1)
    add_copies(2)
    with suppress():
        book = Book.objects.create(title="Emma")
    Copy.objects.update(book_id=book.pk)
    assert list(activities[0].extra["values"]) == ["book"]
