"""What a save of a registered model records."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.db.models.functions import Upper
from django.db.models.signals import post_save

from tests.factories import rolled_back
from tests.library.models import Audiobook, Author, Book, Card, Copy, Shelf, ThinBook
from trackmate import suppress
from trackmate.capture.model_changes.columns.rows import remember_row, remembered_row
from trackmate.capture.model_changes.columns.values import is_same

pytestmark = [pytest.mark.django_db, pytest.mark.database]

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def book(registered):
    registered(Book)
    with suppress():
        book = Book.objects.create(
            title="Emma", price="12.50", printed_at=NOON, details={"a": 1, "b": [1]}
        )
    return Book.objects.get(pk=book.pk)


def only(activities):
    (activity,) = activities
    return activity


def changes(activities):
    return only(activities).changes


def test_a_new_object_is_recorded_with_its_values(registered, activities):
    registered(Book)
    book = Book.objects.create(title="Emma", state=Book.State.OUT, price=Decimal("9.5"))
    activity = only(activities)
    assert (activity.source, activity.action) == ("model", "library.book.create")
    assert activity.action_type == "Create"
    assert activity.target.identity == ("library.book", str(book.pk))
    assert activity.target.object_repr == "Emma"
    assert activity.changes["title"] == [None, "Emma"]
    assert activity.changes["state"] == [None, {"value": "o", "label": "Published"}]
    assert activity.changes["price"] == [None, "9.50"]
    assert "subtitle" not in activity.changes


def test_an_update_has_what_has_changed_and_nothing_else(book, activities):
    book.title = "Emma Woodhouse"
    book.copies = 4
    book.save()
    activity = only(activities)
    assert activity.action == "library.book.update"
    assert {*activity.changes} == {"title", "copies", "changed_at"}
    assert activity.changes["copies"] == [0, 4]


def test_a_save_of_a_loaded_object_costs_no_query(
    registered, activities, django_assert_num_queries
):
    registered(Author)
    Author.objects.create(name="Jane")
    author = Author.objects.get()
    author.name = "Jane Austen"
    with django_assert_num_queries(1):
        author.save()
    assert activities[-1].changes == {"name": ["Jane", "Jane Austen"]}


def test_saving_again_compares_with_what_was_saved(book, activities):
    book.copies = 1
    book.save()
    book.copies = 2
    book.save()
    book.save()
    assert [each.changes["copies"] for each in activities] == [[0, 1], [1, 2]]


SAME = [
    ("price", Decimal("12.5")),
    ("price", "12.500"),
    ("price", 12.5),
    ("printed_at", NOON.astimezone(timezone(timedelta(hours=5)))),
    ("printed_at", "2026-01-02T12:00:00Z"),
    ("details", {"b": [1], "a": 1}),
    ("details", {"b": (1,), "a": 1}),
    ("copies", "0"),
    ("copies", False),
    ("cover", None),
    ("address", ""),
    ("state", Book.State.DRAFT),
    ("title", F("title")),
]


@pytest.mark.parametrize(("name", "value"), SAME)
def test_what_means_the_same_is_no_change(book, activities, name, value):
    setattr(book, name, value)
    book.save()
    assert activities == []


DIFFERENT = [
    ("subtitle", "", [None, ""]),
    ("price", None, ["12.50", None]),
    ("price", 13, ["12.50", "13.00"]),
    ("details", {"a": 2}, [{"a": 1, "b": [1]}, {"a": 2}]),
    ("printed_at", None, ["2026-01-02T12:00:00+00:00", None]),
    ("out_on", "2026-01-02", [None, "2026-01-02"]),
    ("address", "2001:DB8::0001", [None, "2001:db8::1"]),
    ("copies", F("copies") + 5, [0, 5]),
    ("title", Upper("title"), ["Emma", "EMMA"]),
    ("state", "o", [{"value": "d", "label": "Draft"}, {"value": "o", "label": "Published"}]),
]


@pytest.mark.parametrize(("name", "value", "expected"), DIFFERENT)
def test_a_change_is_recorded_as_the_database_has_it(book, activities, name, value, expected):
    setattr(book, name, value)
    book.save()
    assert changes(activities)[name] == expected


def test_a_value_that_was_changed_in_place_is_recorded(book, activities):
    book.details["b"].append(2)
    book.save()
    assert changes(activities)["details"] == [{"a": 1, "b": [1]}, {"a": 1, "b": [1, 2]}]


def test_a_file_is_recorded_by_its_name(book, activities):
    book.cover.save("emma.txt", ContentFile(b"1815"))
    assert changes(activities)["cover"] == [None, book.cover.name]


def test_passwords_and_masked_fields_are_recorded_without_values(registered, activities):
    registered(Book, mask=["text"])
    book = Book.objects.create(title="Emma", text="draft")
    book.door_pin, book.text = "4711", ""
    book.save()
    assert activities[0].changes["text"] == [None, "[redacted]"]
    assert activities[1].changes["door_pin"] == ["[redacted]", "[redacted]"]
    assert activities[1].changes["text"] == ["[redacted]", "[redacted]"]


def test_fields_can_be_chosen(registered, activities):
    registered(Book, fields=["title", "copies"], exclude=["copies"])
    book = Book.objects.create(title="Emma", copies=2)
    book.copies = 3
    book.save()
    assert changes(activities) == {"title": [None, "Emma"]}


@pytest.mark.parametrize("on", [["create"], ["update"], ["delete"]])
def test_what_to_record_can_be_chosen(registered, activities, on):
    registered(Author, on=on)
    author = Author.objects.create(name="Jane")
    author.name = "Jane Austen"
    author.save()
    author.delete()
    assert [each.action for each in activities] == [f"library.author.{on[0]}"]


# --- foreign keys -------------------------------------------------------------------------------


def test_a_foreign_key_has_key_and_label(book, activities):
    jane, mary = (Author.objects.create(name=name) for name in ("Jane", "Mary"))
    book.author = jane
    book.save()
    book = Book.objects.get()
    book.author_id = mary.pk
    book.save()
    first, second = ({"value": each.pk, "label": each.name} for each in (jane, mary))
    assert [each.changes["author"] for each in activities] == [[None, first], [first, second]]


# --- what is not loaded -------------------------------------------------------------------------


def test_deferred_fields_are_not_read_for_what_is_not_saved(
    book, activities, django_assert_num_queries
):
    book = Book.objects.only("title").get()
    book.title = "Emma II"
    with django_assert_num_queries(1):
        book.save(update_fields=["title"])
    assert changes(activities) == {"title": ["Emma", "Emma II"]}


def test_the_old_value_of_a_deferred_field_is_read(book, activities, django_assert_num_queries):
    book = Book.objects.only("title").get()
    book.copies = 7
    with django_assert_num_queries(2):
        book.save(update_fields=["copies"])
    assert changes(activities) == {"copies": [0, 7]}


def test_a_deferred_field_that_was_read_later_is_known(book, activities, django_assert_num_queries):
    book = Book.objects.defer("copies").get()
    book.copies += 7
    with django_assert_num_queries(1):
        book.save(update_fields=["copies"])
    assert changes(activities) == {"copies": [0, 7]}


def test_what_is_refreshed_is_no_change(book, activities):
    Book.objects.filter(pk=book.pk).update(copies=9)
    activities.clear()
    book.refresh_from_db()
    book.save()
    assert activities == []


def test_what_is_not_in_update_fields_stays_a_change(book, activities):
    book.title, book.copies = "Emma II", 5
    book.save(update_fields=["title"])
    assert {*changes(activities)} == {"title"}
    book.save()
    assert activities[1].changes["copies"] == [0, 5]


def test_an_object_made_by_hand_is_compared_with_its_row(book, activities):
    Book(pk=book.pk, title="Emma", copies=3).save()
    activity = only(activities)
    assert activity.action == "library.book.update"
    assert activity.changes["copies"] == [0, 3]
    assert activity.changes["price"] == ["12.50", None]
    assert "title" not in activity.changes


def test_creating_with_a_natural_key_costs_no_query(
    registered, activities, django_assert_num_queries
):
    registered(Card)
    with django_assert_num_queries(1):
        Card.objects.create(pk=7, name="Ann")
    assert only(activities).action == "library.card.create"


def test_a_copy_is_a_new_object(book, activities):
    book.pk, book._state.adding = None, True
    book.save()
    activity = only(activities)
    assert activity.action == "library.book.create"
    assert activity.changes["title"] == [None, "Emma"]


def test_another_key_is_another_object(book, activities):
    other = Book.objects.create(title="Persuasion")
    activities.clear()
    book.pk = other.pk
    book.save()
    assert only(activities).changes["title"] == ["Persuasion", "Emma"]


def test_old_values_can_always_be_read(registered, activities):
    registered(Author, old="stored")
    author = Author.objects.create(name="Jane")
    activities.clear()
    with suppress():
        Author.objects.filter(pk=author.pk).update(name="Mary")
    author.name = "Anne"
    author.save()
    assert changes(activities) == {"name": ["Mary", "Anne"]}


# --- what the database computes -----------------------------------------------------------------


def test_defaults_and_generated_columns_are_read(registered, activities):
    registered(Shelf)
    shelf = Shelf.objects.create(code="a1")
    assert changes(activities)["room"] == [None, "main"]
    assert changes(activities)["label"] == [None, "A1"]
    shelf.width = 2
    shelf.save()
    assert activities[1].changes == {"width": [1, 2]}


# --- inheritance --------------------------------------------------------------------------------


def test_a_proxy_is_recorded_as_its_model(book, activities):
    thin = ThinBook.objects.get()
    thin.copies = 2
    thin.save()
    assert only(activities).target.model == "library.book"
    assert changes(activities)["copies"] == [0, 2]


def test_a_child_is_recorded_as_its_parent(registered, activities):
    registered(Book)
    audio = Audiobook.objects.create(title="Emma", speaker="Ann")
    audio.speaker = "Bob"
    audio.save()
    audio.copies = 3
    audio.save()
    audio.delete()
    assert [each.action for each in activities] == [
        "library.book.create",
        "library.book.update",
        "library.book.delete",
    ]
    assert activities[1].changes["copies"] == [0, 3]


def test_parent_and_child_both_have_their_history(registered, activities):
    registered(Book)
    registered(Audiobook)
    audio = Audiobook.objects.create(title="Emma", speaker="Ann")
    audio.copies = 3
    audio.save()
    found = {each.action: each.changes for each in activities}
    assert {*found} == {
        f"library.{model}.{verb}"
        for model in ("book", "audiobook")
        for verb in ("create", "update")
    }
    assert found["library.audiobook.create"]["title"] == [None, "Emma"]
    assert found["library.book.update"]["copies"] == [0, 3]


def test_a_child_of_an_existing_parent_updates_it(registered, activities):
    registered(Book)
    registered(Audiobook)
    book = Book.objects.create(title="Emma")
    activities.clear()
    Audiobook(book_ptr=book, title="Emma", copies=2, speaker="Ann").save()
    assert {each.action for each in activities} == {
        "library.audiobook.create",
        "library.book.update",
    }


# --- transactions -------------------------------------------------------------------------------


def test_a_rolled_back_save_is_recorded_when_it_is_done_again(book, activities):
    book.copies = 4
    with rolled_back():
        book.save()
    assert activities == []
    book.save()
    assert changes(activities)["copies"] == [0, 4]


def test_a_savepoint_that_is_rolled_back_leaves_the_rest(book, activities):
    with transaction.atomic():
        book.copies = 1
        book.save()
        with rolled_back():
            book.copies = 2
            book.save()
        book.copies = 3
        book.save()
    assert [each.changes["copies"] for each in activities] == [[0, 1], [1, 3]]


def test_changes_are_json(book, activities):
    book.details = {"when": "now"}
    book.price = Decimal("1.1")
    book.save()
    assert json.loads(json.dumps(changes(activities))) == changes(activities)


if hasattr(models, "FETCH_PEERS"):  # Django 6.1

    def test_a_field_that_was_read_with_those_of_other_objects_is_read_before_it_is_saved(
        book, activities
    ):
        Book.objects.create(title="Persuasion", copies=2)
        activities.clear()
        first, second = Book.objects.defer("copies").order_by("pk").fetch_mode(models.FETCH_PEERS)
        assert first.copies == 0
        second.copies += 5
        second.save()
        first.save()
        assert changes(activities)["copies"] == [2, 7]


# --- saves that fail, and saves within saves ------------------------------------------------------


@pytest.fixture
def copy(registered):
    registered(Copy)
    with suppress():
        Copy.objects.create(code="taken")
        return Copy.objects.create(code="mine", uses=1)


def test_what_a_failed_save_has_read_is_not_used_again(copy, activities):
    by_hand = Copy(pk=copy.pk, code="taken", uses=2)
    with pytest.raises(IntegrityError), transaction.atomic():
        by_hand.save()
    with suppress():
        Copy.objects.filter(pk=copy.pk).update(uses=5)
    by_hand.code = "mine"
    by_hand.save()
    by_hand.uses = 9
    by_hand.save()
    assert [each.changes for each in activities] == [{"uses": [5, 2]}, {"uses": [2, 9]}]


def test_a_receiver_that_saves_again_before_records_no_change_twice(copy, activities):
    by_hand = Copy(pk=copy.pk, code="mine", uses=2)

    def save_again(instance, **_kwargs):
        if instance.uses == 2:
            instance.uses = 3
            instance.save()

    with first_receiver(post_save, save_again):
        by_hand.save()
    assert changes(activities) == {"uses": [1, 3]}


@contextmanager
def first_receiver(signal, receiver):
    """Let a receiver be called before those that are connected already."""
    signal.connect(receiver, sender=Copy)
    signal.receivers.insert(0, signal.receivers.pop())
    try:
        yield
    finally:
        signal.disconnect(receiver, sender=Copy)


# --- reading again --------------------------------------------------------------------------------


def test_what_was_read_again_and_rolled_back_is_recorded_when_it_is_saved(copy, activities):
    with rolled_back():
        with suppress():
            Copy.objects.filter(pk=copy.pk).update(uses=7)
        copy.refresh_from_db()
    copy.save()
    assert changes(activities) == {"uses": [1, 7]}


def test_an_instance_of_a_cache_with_fewer_columns_can_be_read_again(copy, activities):
    copy = Copy.objects.get(pk=copy.pk)
    remember_row(copy, remembered_row(copy)[:-1], "default")
    copy.refresh_from_db()
    copy.uses = 2
    copy.save()
    assert changes(activities) == {"uses": [1, 2]}


class Vector:
    """A value that compares element by element, as arrays of NumPy do."""

    def __init__(self, *values):
        self.values = values

    def __eq__(self, other):
        return Vector(*(one == two for one, two in zip(self.values, other.values, strict=True)))

    __hash__ = None

    def __bool__(self):
        raise ValueError("Use any() or all().")

    def __str__(self):
        return str(self.values)


def test_values_that_cannot_be_compared_as_a_whole_are_compared_as_text():
    field = Copy._meta.get_field("uses")
    assert is_same(field, Vector(1, 2), Vector(1, 2))
    assert not is_same(field, Vector(1, 2), Vector(1, 3))
