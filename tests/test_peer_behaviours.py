"""What people who come from other history packages rely on, each with a test of ours."""

import asyncio
import copy
import json
import pickle
from contextlib import suppress as ignore
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from operator import itemgetter
from threading import Barrier, Thread

import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Count, F, Value
from django.db.models.functions import Concat, Now, Upper
from django.db.models.signals import post_save, pre_save
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils.translation import gettext_lazy

from tests.factories import person
from tests.library.models import (
    Audiobook,
    Author,
    Book,
    Card,
    Club,
    Edition,
    Genre,
    Membership,
    Page,
    Shelf,
    ThinBook,
)
from tests.requests import answered
from trackmate import bind, suppress
from trackmate.models import ActivityLog, TrackedQuerySet

pytestmark = [pytest.mark.database, pytest.mark.django_db]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERY = (Author, Genre, Book, Audiobook, Edition, Page, Club, Membership, Shelf, Card)


@pytest.fixture
def library(registered, activities):
    """Record all models of the library; returns what has been recorded since it was last read."""
    for model in EVERY:
        registered(model)
    return News(activities)


class News:
    """What was recorded, oldest first, until it is read."""

    def __init__(self, activities):
        self.activities = activities

    def read(self):
        """Return the activities of models, and forget them."""
        found = [each for each in self.activities if each.source == "model"]
        self.activities.clear()
        return found

    def changes(self):
        """Return `(action, changes)` of each, without the time that every save sets."""
        return [(each.action, without_clock(each.changes)) for each in self.read()]

    def updates(self):
        """Return the changes of all updates in one mapping."""
        found = [changes for action, changes in self.changes() if action.endswith(".update")]
        return {name: change for changes in found for name, change in changes.items()}

    def forget(self):
        self.activities.clear()


def without_clock(changes):
    return {name: change for name, change in (changes or {}).items() if name != "changed_at"}


@pytest.fixture
def book(library):
    """A book with a value in most fields, loaded from the database."""
    author = Author.objects.create(name="Käthe")
    made = Book.objects.create(
        title="Tea",
        author=author,
        price="12.50",
        copies=3,
        details={"a": [1, 2], "b": None},
        cover="covers/tea.png",
        printed_at=NOON,
        out_on=date(2026, 3, 2),
        address="::1",
        door_pin="2580",
    )
    library.forget()
    return Book.objects.get(pk=made.pk)


def respond(act, user=None):
    """Do something in a request of somebody, until its response is closed."""

    def view(request):
        act(request)
        return HttpResponse()

    request = RequestFactory().post("/books/")
    request.user = user
    # Not by its `close()`, which closes the connection of this test as well.
    for close in answered(view, request)._resource_closers:
        close()


def tracked(model):
    """Return a queryset of the model that records its bulk operations."""
    return TrackedQuerySet(model)


# --- creates, updates and deletions ------------------------------------------------------------


def test_a_creation_has_the_values_that_are_not_null(library):
    Genre.objects.create(name="Crime")
    ((action, changes),) = library.changes()
    assert action == "library.genre.create"
    assert changes["name"] == [None, "Crime"]


def test_an_update_has_the_changed_fields_only(library, book):
    book.title = "Rum"
    book.save()
    assert library.changes() == [("library.book.update", {"title": ["Tea", "Rum"]})]


def test_a_deletion_has_what_was(library, book):
    key = book.pk
    book.delete()
    (row,) = library.read()
    assert (row.action, row.target.object_id) == ("library.book.delete", str(key))
    assert row.target.object_repr == "Tea"
    assert row.changes["title"] == ["Tea", None]
    assert row.changes["price"] == ["12.50", None]


def test_saving_nothing_new_records_nothing(library, book):
    book.save()
    Book.objects.get(pk=book.pk).save()
    assert library.read() == []


def test_a_field_that_update_fields_leaves_out_is_recorded_once_it_is_saved(library, book):
    book.title, book.copies = "Rum", 4
    book.save(update_fields=["copies"])
    assert library.updates() == {"copies": [3, 4]}
    book.save()
    assert library.updates() == {"title": ["Tea", "Rum"]}


def test_an_empty_update_fields_saves_nothing_and_records_nothing(library, book):
    book.title = "Rum"
    book.save(update_fields=[])
    assert library.read() == []


def test_update_fields_by_the_name_of_the_column(library, book):
    book.author = Author.objects.create(name="Emil")
    book.save(update_fields=["author_id"])
    assert library.updates()["author"][1]["label"] == "Emil"


def test_a_copy_without_a_key_is_a_creation_and_the_original_is_unchanged(library, book):
    original = book.pk
    book.pk = None
    book._state.adding = True
    book.title = "Copy"
    book.save()
    ((action, changes),) = library.changes()
    assert (action, changes["title"]) == ("library.book.create", [None, "Copy"])
    assert changes["price"] == [None, "12.50"]
    assert book.pk != original


def test_a_copy_by_an_empty_key_alone_is_a_creation_too(library, book):
    book.pk = None
    book.save()
    ((action, changes),) = library.changes()
    assert (action, changes["title"]) == ("library.book.create", [None, "Tea"])


def test_another_natural_key_makes_another_object(library):
    shelf = Shelf.objects.create(code="a1", width=2)
    library.forget()
    shelf.code = "b2"
    shelf.save()
    (row,) = library.read()
    assert (row.action, row.target.object_id) == ("library.shelf.create", "b2")
    assert row.changes["width"] == [None, 2]


def test_an_object_made_again_with_the_same_key_is_created_again(library):
    for _ in range(2):
        Shelf.objects.create(code="a1").delete()
    assert [action for action, _ in library.changes()] == [
        "library.shelf.create",
        "library.shelf.delete",
    ] * 2


@pytest.mark.parametrize("code", ["a/1 ?é#", "über\N{SNOWMAN}", " ", "x" * 20, "None"])
def test_natural_keys_of_every_kind(library, code):
    Shelf.objects.create(code=code)
    (row,) = library.read()
    assert row.target.object_id == code


def test_a_save_that_fails_records_nothing(library):
    Genre.objects.create(name="Crime")
    library.forget()
    with pytest.raises(IntegrityError), transaction.atomic():
        Genre.objects.create(name="Crime")
    assert library.read() == []


def test_a_save_after_a_failed_one_records_the_change(library, book):
    with ignore(DatabaseError), transaction.atomic():
        book.title = "Rum"
        book.save()
        Genre.objects.create(name="Crime")
        Genre.objects.create(name="Crime")
    assert library.read() == []
    book.save()
    assert library.updates() == {"title": ["Tea", "Rum"]}


def test_get_or_create_and_update_or_create(library):
    Genre.objects.get_or_create(name="Crime")
    Genre.objects.get_or_create(name="Crime")
    Card.objects.update_or_create(name="c", defaults={"is_lost": False})
    Card.objects.update_or_create(name="c", defaults={"name": "d"})
    assert [(action, changes.get("name")) for action, changes in library.changes()] == [
        ("library.genre.create", [None, "Crime"]),
        ("library.card.create", [None, "c"]),
        ("library.card.update", ["c", "d"]),
    ]


def test_the_name_of_an_object_is_the_new_one_after_an_update(library, book):
    book.title = "Rum"
    book.save()
    (row,) = library.read()
    assert row.target.object_repr == "Rum"


# --- what is no change -------------------------------------------------------------------------

SAME = {
    "the same instant elsewhere": ("printed_at", NOON.astimezone(timezone(timedelta(hours=5)))),
    "the same instant as text": ("printed_at", "2026-03-01T13:00:00+01:00"),
    "a decimal with other digits": ("price", Decimal("12.5")),
    "a decimal as text": ("price", "12.500"),
    "a decimal as a float": ("price", 12.5),
    "a number as text": ("copies", "3"),
    "a number as a float": ("copies", 3.0),
    "a date as text": ("out_on", "2026-03-02"),
    "keys in another order": ("details", {"b": None, "a": [1, 2]}),
    "a tuple for a list": ("details", {"a": (1, 2), "b": None}),
    "an address written out": ("address", "0:0:0:0:0:0:0:1"),
    "a member of the choices": ("state", Book.State.DRAFT),
    "the bare value of a choice": ("state", "d"),
    "a file by its name": ("cover", "covers/tea.png"),
    "a lazy text": ("title", gettext_lazy("Tea")),
    "null where there was null": ("subtitle", None),
}


@pytest.mark.parametrize(("name", "value"), SAME.values(), ids=SAME)
def test_the_same_value_written_otherwise_is_no_change(library, book, name, value):
    setattr(book, name, value)
    book.save()
    assert library.updates() == {}


DIFFERENT = {
    "another instant that looks alike": (
        "printed_at",
        datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1))),
        [NOON.isoformat(), (NOON - timedelta(hours=1)).isoformat()],
    ),
    "a microsecond": (
        "printed_at",
        NOON.replace(microsecond=1),
        [NOON.isoformat(), NOON.replace(microsecond=1).isoformat()],
    ),
    "a date": ("out_on", date(2026, 3, 3), ["2026-03-02", "2026-03-03"]),
    "null for a date": ("out_on", None, ["2026-03-02", None]),
    "a decimal": ("price", "12.51", ["12.50", "12.51"]),
    "zero is not null": ("price", 0, ["12.50", "0.00"]),
    "null for a number": ("price", None, ["12.50", None]),
    "an address": ("address", "127.0.0.1", ["::1", "127.0.0.1"]),
    "upper case": ("title", "TEA", ["Tea", "TEA"]),
    "a space at the end": ("title", "Tea ", ["Tea", "Tea "]),
    "null as text": ("title", "None", ["Tea", "None"]),
    "a composed letter": ("title", "Te\u0301a", ["Tea", "Te\u0301a"]),
    "an order in a list": ("details", {"a": [2, 1], "b": None}, None),
    "a missing key for null": ("details", {"a": [1, 2]}, None),
    "true for one": ("details", {"a": [True, 2], "b": None}, None),
    "a choice": (
        "state",
        "o",
        [{"value": "d", "label": "Draft"}, {"value": "o", "label": "Published"}],
    ),
    "a value that is no choice": ("state", "x", [{"value": "d", "label": "Draft"}, "x"]),
    "no file": ("cover", "", ["covers/tea.png", None]),
    "an empty text where there was null": ("subtitle", "", [None, ""]),
    "a lazy text": ("title", gettext_lazy("Rum"), ["Tea", "Rum"]),
}


@pytest.mark.parametrize(("name", "value", "change"), DIFFERENT.values(), ids=DIFFERENT)
def test_another_value_is_a_change(library, book, name, value, change):
    before = getattr(book, name)
    setattr(book, name, value)
    book.save()
    assert library.updates() == {name: change or [before, value]}


def test_a_value_that_is_changed_in_place_is_a_change(library, book):
    book.details["a"].append({"deep": [0]})
    book.details["a"][2]["deep"].append(1)
    book.save()
    assert library.updates() == {
        "details": [{"a": [1, 2], "b": None}, {"a": [1, 2, {"deep": [0, 1]}], "b": None}]
    }
    book.details["a"][2]["deep"].clear()
    book.save()
    assert library.updates()["details"][1] == {"a": [1, 2, {"deep": []}], "b": None}


def test_a_default_that_is_shared_in_memory_is_compared_by_what_is_stored(library):
    first = Book.objects.create(title="a")
    first.details["mine"] = True
    first.save()
    assert library.updates() == {"details": [{}, {"mine": True}]}


def test_a_file_that_is_saved_is_recorded_by_its_name(library, book):
    book.cover.save("rum.png", ContentFile(b"png"))
    assert library.updates() == {"cover": ["covers/tea.png", book.cover.name]}
    book.cover.delete()
    assert library.updates()["cover"][1] is None


# --- expressions and defaults of the database --------------------------------------------------


def test_an_expression_is_recorded_as_what_it_came_to(library, book):
    book.copies = F("copies") + 1
    book.title = Concat(F("title"), Value(" 2"))
    book.save()
    assert library.updates() == {"copies": [3, 4], "title": ["Tea", "Tea 2"]}


def test_an_expression_that_changes_nothing_is_no_change(library, book):
    book.copies = F("copies")
    book.save()
    assert library.updates() == {}


def test_a_save_after_an_expression_knows_what_came_of_it(library, book):
    book.copies = F("copies") + 1
    book.save()
    library.forget()
    book.refresh_from_db()
    book.copies += 1
    book.save()
    assert library.updates() == {"copies": [4, 5]}


def test_the_time_of_the_database_is_recorded_as_a_time(library, book):
    book.printed_at = Now()
    book.save()
    old, new = library.updates()["printed_at"]
    assert old == NOON.isoformat()
    assert datetime.fromisoformat(new).tzinfo is not None


def test_a_creation_with_expressions(library):
    Author.objects.create(name=Upper(Value("emil")))
    assert library.changes() == [("library.author.create", {"name": [None, "EMIL"]})]


def test_what_the_database_sets_by_itself_is_a_part_of_the_creation(library):
    Shelf.objects.create(code="a1")
    ((_, changes),) = library.changes()
    assert changes["room"] == [None, "main"]
    assert changes["label"] == [None, "A1"]


@pytest.mark.parametrize("names", [None, ["width"]], ids=["all fields", "one field"])
def test_a_computed_field_that_was_not_loaded_has_not_changed(library, names):
    Shelf.objects.create(code="a1")
    shelf = Shelf.objects.defer("label", "room").get()
    library.forget()
    shelf.width = 5
    shelf.save(update_fields=names)
    assert library.updates() == {"width": [1, 5]}


# --- how an instance was loaded ----------------------------------------------------------------


def hand_made(key):
    """Return an instance that was never loaded, with the values of one that was."""
    stored = Book.objects.get(pk=key)
    return Book(**{each.attname: getattr(stored, each.attname) for each in Book._meta.fields})


LOADED = {
    "made by hand": hand_made,
    "get": lambda key: Book.objects.get(pk=key),
    "only": lambda key: Book.objects.only("title").get(pk=key),
    "only another": lambda key: Book.objects.only("copies").get(pk=key),
    "defer": lambda key: Book.objects.defer("title").get(pk=key),
    "iterator": lambda key: next(Book.objects.filter(pk=key).iterator()),
    "annotated": lambda key: Book.objects.annotate(n=Count("genres"), u=Upper("title")).get(pk=key),
    "raw": lambda key: Book.objects.raw("SELECT * FROM library_book WHERE id = %s", [key])[0],
    "raw in part": lambda key: Book.objects.raw(
        "SELECT copies, id FROM library_book WHERE id = %s", [key]
    )[0],
    "a proxy": lambda key: ThinBook.objects.get(pk=key),
    "a pickle": lambda key: pickle.loads(pickle.dumps(Book.objects.get(pk=key))),
    "a copy": lambda key: copy.copy(Book.objects.get(pk=key)),
    "a deep copy": lambda key: copy.deepcopy(Book.objects.get(pk=key)),
    "the base manager": lambda key: Book._base_manager.get(pk=key),
    "in_bulk": lambda key: Book.objects.in_bulk([key])[key],
    "a related object": lambda key: (
        Edition.objects.create(book_id=key)
        and Edition.objects.select_related("book").get(book_id=key).book
    ),
    "prefetched": lambda key: (
        Author.objects.prefetch_related("books").get(books=key).books.all()[0]
    ),
    "refreshed": lambda key: refreshed(Book(pk=key)),
    "refreshed in part": lambda key: refreshed(Book.objects.get(pk=key), fields=["copies"]),
}


def refreshed(instance, **options):
    instance.refresh_from_db(**options)
    return instance


@pytest.mark.parametrize("load", LOADED.values(), ids=LOADED)
def test_however_an_instance_came_to_be_its_old_values_are_known(library, book, load):
    instance = load(book.pk)
    library.forget()
    instance.title = "Rum"
    instance.save()
    assert library.updates() == {"title": ["Tea", "Rum"]}
    instance.title = "Gin"
    instance.save()
    assert library.updates() == {"title": ["Rum", "Gin"]}


@pytest.mark.parametrize("load", LOADED.values(), ids=LOADED)
def test_however_an_instance_came_to_be_its_deletion_has_all_values(library, book, load):
    instance = load(book.pk)
    library.forget()
    instance.delete()
    deleted = [each for each in library.changes() if each[0] == "library.book.delete"]
    ((_, changes),) = deleted
    assert changes["title"] == ["Tea", None]
    assert changes["details"] == [{"a": [1, 2], "b": None}, None]


def test_a_stale_instance_shows_the_value_that_it_knew(library, book):
    other = Book.objects.get(pk=book.pk)
    other.title = "Rum"
    other.save()
    library.forget()
    book.title = "Gin"
    book.save()
    assert library.updates()["title"][1] == "Gin"


def test_a_refreshed_instance_does_not_repeat_the_change_of_somebody_else(library, book):
    other = Book.objects.get(pk=book.pk)
    other.title = "Rum"
    other.save()
    library.forget()
    book.refresh_from_db()
    book.copies = 9
    book.save()
    assert library.updates() == {"copies": [3, 9]}


def test_saving_a_loaded_instance_needs_no_query_more(library, django_assert_num_queries):
    Author.objects.create(name="Käthe")
    author = Author.objects.get()
    author.name = "Katharina"
    with django_assert_num_queries(1):
        author.save()


# --- receivers of the project ------------------------------------------------------------------


@pytest.fixture
def receiver():
    """Connect a receiver for this test."""
    connected = []

    def connect(signal, function, sender):
        signal.connect(function, sender=sender)
        connected.append((signal, function, sender))

    yield connect
    for signal, function, sender in connected:
        signal.disconnect(function, sender=sender)


def test_what_a_receiver_changes_before_the_save_is_recorded(library, book, receiver):
    def shout(instance, **_):
        instance.title = instance.title.upper()

    receiver(pre_save, shout, Book)
    book.title = "Rum"
    book.save()
    assert library.updates() == {"title": ["Tea", "RUM"]}


def test_a_save_within_a_save_is_recorded_once_each(library, book, receiver):
    def count(instance, **_):
        if instance.copies < 5:
            instance.copies += 1
            instance.save()

    receiver(post_save, count, Book)
    book.title = "Rum"
    book.save()
    assert library.changes() == [
        ("library.book.update", {"title": ["Tea", "Rum"]}),
        ("library.book.update", {"copies": [3, 4]}),
        ("library.book.update", {"copies": [4, 5]}),
    ]


def test_a_receiver_that_fails_undoes_the_save_and_its_record(library, book, receiver):
    def refuse(**_):
        raise ZeroDivisionError

    receiver(post_save, refuse, Book)
    book.title = "Rum"
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        book.save()
    assert library.read() == []


# --- foreign keys ------------------------------------------------------------------------------


def test_a_foreign_key_has_key_and_name_however_it_is_set(library, book):
    emil = Author.objects.create(name="Emil")
    library.forget()
    old = {"value": book.author_id, "label": "Käthe"}
    book.author_id = emil.pk
    book.save()
    assert library.updates() == {"author": [old, {"value": emil.pk, "label": "Emil"}]}
    book.author = None
    book.save()
    assert library.updates() == {"author": [{"value": emil.pk, "label": "Emil"}, None]}


def test_a_renamed_related_object_is_no_change_of_what_points_to_it(library, book):
    author = Author.objects.get()
    author.name = "Katharina"
    author.save()
    library.forget()
    book.save()
    assert library.read() == []


def test_two_related_objects_of_one_name_are_two(library, book):
    twin = Author.objects.create(name="Käthe")
    library.forget()
    book.author = twin
    book.save()
    old, new = library.updates()["author"]
    assert (old["label"], new["label"]) == ("Käthe", "Käthe")
    assert old["value"] != new["value"]


def test_setting_a_related_object_to_null_by_its_deletion_is_recorded(library, book):
    author = Author.objects.get()
    key = author.pk
    author.delete()
    found = dict(library.changes())
    assert found["library.author.delete"]["name"] == ["Käthe", None]
    assert found["library.book.update"] == {"author": [{"value": key, "label": "Käthe"}, None]}


def test_the_reverse_of_a_foreign_key_records_the_objects_that_move(library, book):
    emil = Author.objects.create(name="Emil")
    library.forget()
    emil.books.add(book, bulk=False)
    assert library.updates()["author"][1]["label"] == "Emil"
    other = emil.books.create(title="Gin")
    ((_, changes),) = library.changes()
    assert changes["author"] == [None, {"value": emil.pk, "label": "Emil"}]
    assert other.author == emil


# --- deletions that take others along ----------------------------------------------------------


def test_what_a_deletion_takes_along_is_recorded_with_its_cause(library, book):
    page = Page.objects.create(edition=Edition.objects.create(book=book), number=7)
    library.forget()
    cause = f"library.book/{book.pk}"
    book.delete()
    found = {each.action: each for each in library.read()}
    assert set(found) == {
        "library.book.delete",
        "library.edition.delete",
        "library.page.delete",
    }
    assert found["library.edition.delete"].extra["cause"] == cause
    assert found["library.page.delete"].extra["cause"] == cause
    assert "cause" not in (found["library.book.delete"].extra or {})
    assert found["library.page.delete"].changes["edition"][0]["value"] == page.edition_id


def test_an_object_is_named_after_one_that_is_deleted_with_it(library, book):
    Edition.objects.create(book=book, number=2)
    library.forget()
    book.delete()
    (edition,) = (each for each in library.read() if each.action == "library.edition.delete")
    assert edition.target.object_repr == "Edition 2 of Tea"


def test_a_bulk_deletion_names_what_goes_along(library, book):
    Page.objects.create(edition=Edition.objects.create(book=book))
    library.forget()
    tracked(Book).delete()
    assert {each.target.object_repr for each in library.read()} == {
        "Tea",
        "Edition 1 of Tea",
        "Page 1",
    }


def test_a_name_that_raises_costs_no_row(library, book, monkeypatch):
    def gone(_self):
        raise Author.DoesNotExist

    monkeypatch.setattr(Book, "__str__", gone)
    book.title = "Rum"
    book.save()
    (row,) = library.read()
    assert row.target.object_repr == f"Book ({book.pk})"


@pytest.mark.parametrize("model", [Edition, Page])
def test_children_are_recorded_though_their_parent_is_not(registered, activities, model):
    registered(model)
    book = Book.objects.create(title="Tea")
    Page.objects.create(edition=Edition.objects.create(book=book))
    activities.clear()
    book.delete()
    (row,) = (each for each in activities if each.source == "model")
    assert row.action == f"library.{model._meta.model_name}.delete"
    assert row.extra["cause"] == f"library.book/{row.extra['cause'].rpartition('/')[2]}"


def test_a_queryset_that_is_deleted_records_each_object(library):
    for name in ("a", "b", "c"):
        Author.objects.create(name=name)
    library.forget()
    Author.objects.exclude(name="b").delete()
    assert sorted(changes["name"][0] for _, changes in library.changes()) == ["a", "c"]


# --- inheritance and managers ------------------------------------------------------------------


def test_a_proxy_is_recorded_as_what_it_stands_for(library):
    thin = ThinBook.objects.create(title="Thin")
    thin.title = "Thick"
    thin.save()
    thin.delete()
    assert [action for action, _ in library.changes()] == [
        "library.book.create",
        "library.book.update",
        "library.book.delete",
    ]


def test_a_child_with_a_table_of_its_own_records_the_fields_of_both(registered, activities):
    registered(Audiobook)
    audio = Audiobook.objects.create(title="Tea", speaker="Ana")
    audio = Audiobook.objects.get(pk=audio.pk)
    activities.clear()
    audio.title, audio.speaker = "Rum", "Ben"
    audio.save()
    (row,) = (each for each in activities if each.source == "model")
    assert row.action == "library.audiobook.update"
    assert without_clock(row.changes) == {"title": ["Tea", "Rum"], "speaker": ["Ana", "Ben"]}


def test_the_parent_alone_is_recorded_when_a_child_is_saved(registered, activities):
    registered(Book)
    audio = Audiobook.objects.create(title="Tea", speaker="Ana")
    audio.title, audio.speaker = "Rum", "Ben"
    audio.save()
    audio.delete()
    rows = [each for each in activities if each.source == "model"]
    assert [each.action for each in rows] == [
        "library.book.create",
        "library.book.update",
        "library.book.delete",
    ]
    assert without_clock(rows[1].changes) == {"title": ["Tea", "Rum"]}


def test_a_deletion_through_the_parent_is_one_of_the_child_too(library):
    audio = Audiobook.objects.create(title="Tea", speaker="Ana")
    library.forget()
    Book.objects.get(pk=audio.pk).delete()
    found = {each.action: each for each in library.read()}
    assert {"library.book.delete", "library.audiobook.delete"} <= set(found)
    assert found["library.audiobook.delete"].changes["speaker"] == ["Ana", None]


@pytest.mark.parametrize(
    "delete",
    [
        lambda: Audiobook.objects.get().delete(),
        lambda: Audiobook.objects.defer("title", "speaker").get().delete(),
        lambda: Audiobook.objects.only("pk").get().delete(),
        lambda: Audiobook.objects.all().delete(),
        lambda: Book.objects.get().delete(),
        lambda: Book.objects.defer("title").get().delete(),
        lambda: Book.objects.all().delete(),
        lambda: ThinBook.objects.get().delete(),
        lambda: ThinBook.objects.all().delete(),
    ],
    ids=[
        "the child",
        "the child, in part loaded",
        "the child, by its key",
        "children",
        "the parent",
        "the parent, in part loaded",
        "parents",
        "a proxy of the parent",
        "proxies of the parent",
    ],
)
def test_a_deletion_is_recorded_once_for_each_table_with_all_values(library, delete):
    Audiobook.objects.create(title="Tea", speaker="Ana", price="1.00")
    library.forget()
    delete()
    rows = sorted(library.read(), key=lambda each: each.action)
    assert [(each.action, each.target.object_repr) for each in rows] == [
        ("library.audiobook.delete", "Tea"),
        ("library.book.delete", "Tea"),
    ]
    for each in rows:
        assert (each.changes["title"], each.changes["price"]) == (["Tea", None], ["1.00", None])
    assert rows[0].changes["speaker"] == ["Ana", None]


def test_a_child_that_is_deleted_is_not_its_own_cause(library):
    Audiobook.objects.create(title="Tea", speaker="Ana")
    library.forget()
    Audiobook.objects.all().delete()
    assert [each.extra for each in library.read()] == [None, None]


def test_a_child_that_is_deleted_without_its_parent(library, book):
    audio = Audiobook.objects.create(title="Rum", speaker="Ana")
    audio.similar.add(book)
    library.forget()
    audio.delete(keep_parents=True)
    assert [action for action, _ in library.changes()] == ["library.audiobook.delete"]
    assert book.similar.exists()


def test_a_relation_of_a_parent_is_no_change_of_children_that_are_not_there(library, book):
    book.genres.add(Genre.objects.create(name="Crime"))
    book.similar.add(book)
    assert {each.target.model for each in library.read()} == {"library.book", "library.genre"}


def test_many_to_many_of_a_parent_and_of_a_proxy(library):
    crime = Genre.objects.create(name="Crime")
    audio = Audiobook.objects.create(title="Tea", speaker="Ana")
    thin = ThinBook.objects.create(title="Thin")
    library.forget()
    audio.genres.add(crime)
    thin.genres.add(crime)
    found = [each for each in library.read() if "genres" in each.changes]
    added = {"genres": {"added": [{"value": crime.pk, "label": "Crime"}], "removed": []}}
    assert all(each.changes == added for each in found)
    assert {each.target.object_id for each in found} == {str(audio.pk), str(thin.pk)}


def test_rows_that_the_default_manager_does_not_see(library):
    card = Card.objects.create(name="a")
    card.is_lost = True
    card.save()
    library.forget()
    card.name = "b"
    card.save()
    assert library.updates() == {"name": ["a", "b"]}
    hidden = Card(pk=card.pk, name="b", is_lost=False)  # by hand, so its old values are unknown
    hidden.save()
    assert library.updates() == {"is_lost": [True, False]}
    Card._base_manager.filter(pk=card.pk).update(is_lost=True)
    library.forget()
    card.delete()
    assert [action for action, _ in library.changes()] == ["library.card.delete"]


# --- many-to-many ------------------------------------------------------------------------------


@pytest.fixture
def genres(library):
    made = [Genre.objects.create(name=name) for name in ("Crime", "Poems", "Travel")]
    library.forget()
    return made


def members(*genres):
    return [{"value": each.pk, "label": each.name} for each in genres]


FORMS = {
    "add": (lambda book, a, b, c: book.genres.add(b, c), "bc", ""),
    "add by key": (lambda book, a, b, c: book.genres.add(b.pk), "b", ""),
    "add what is there": (lambda book, a, b, c: book.genres.add(a), "", ""),
    "add some that are there": (lambda book, a, b, c: book.genres.add(a, b), "b", ""),
    "remove": (lambda book, a, b, c: book.genres.remove(a), "", "a"),
    "remove what is not there": (lambda book, a, b, c: book.genres.remove(b), "", ""),
    "set": (lambda book, a, b, c: book.genres.set([b, c]), "bc", "a"),
    "set by keys": (lambda book, a, b, c: book.genres.set([a.pk, c.pk]), "c", ""),
    "set to what is there": (lambda book, a, b, c: book.genres.set([a]), "", ""),
    "set with clear": (lambda book, a, b, c: book.genres.set([a, b], clear=True), "b", ""),
    "clear": (lambda book, a, b, c: book.genres.clear(), "", "a"),
    "reverse add": (lambda book, a, b, c: b.books.add(book), "b", ""),
    "reverse remove": (lambda book, a, b, c: a.books.remove(book), "", "a"),
    "reverse set": (lambda book, a, b, c: a.books.set([]), "", "a"),
    "reverse clear": (lambda book, a, b, c: a.books.clear(), "", "a"),
    "assigned in turns": (
        lambda book, a, b, c: (book.genres.add(b), book.genres.remove(a), book.genres.add(c)),
        "bc",
        "a",
    ),
    "to and fro": (lambda book, a, b, c: (book.genres.add(b), book.genres.remove(b)), "", ""),
}


def net_of(rows, name):
    """Return the members that rows add and remove, in the end."""
    added, removed = {}, {}
    for change in (each.changes[name] for each in rows if name in (each.changes or {})):
        for each in change["added"]:
            if removed.pop(each["value"], None) is None:
                added[each["value"]] = each
        for each in change["removed"]:
            if added.pop(each["value"], None) is None:
                removed[each["value"]] = each
    return tuple(sorted(each.values(), key=itemgetter("value")) for each in (added, removed))


@pytest.mark.parametrize("in_request", [False, True], ids=["outside", "in a request"])
@pytest.mark.parametrize(("act", "added", "removed"), FORMS.values(), ids=FORMS)
def test_many_to_many_in_all_forms(library, book, genres, act, added, removed, in_request):
    book.genres.add(genres[0])
    library.forget()
    if in_request:
        respond(lambda _request: act(book, *genres))
    else:
        act(book, *genres)
    rows = [each for each in library.read() if each.target.model == "library.book"]
    by_letter = dict(zip("abc", genres, strict=True))
    assert net_of(rows, "genres") == (
        members(*(by_letter[each] for each in added)),
        members(*(by_letter[each] for each in removed)),
    )
    assert bool(rows) == bool(added or removed) or not in_request
    if in_request:
        assert len(rows) <= 1


def test_both_sides_of_a_symmetrical_relation(library, book):
    other = Book.objects.create(title="Rum")
    library.forget()
    book.similar.add(other)
    found = {each.target.object_id: each.changes["similar"] for each in library.read()}
    assert found[str(book.pk)]["added"] == [{"value": other.pk, "label": "Rum"}]
    assert found[str(other.pk)]["added"] == [{"value": book.pk, "label": "Tea"}]
    other.similar.clear()
    found = {each.target.object_id: each.changes["similar"] for each in library.read()}
    assert found[str(book.pk)]["removed"] == [{"value": other.pk, "label": "Rum"}]
    assert found[str(other.pk)]["removed"] == [{"value": book.pk, "label": "Tea"}]


def test_an_object_that_is_similar_to_itself(library, book):
    book.similar.add(book)
    (row,) = library.read()
    assert row.changes["similar"]["added"] == [{"value": book.pk, "label": "Tea"}]


def test_a_through_model_of_its_own_records_its_rows_and_the_members(library):
    club, author = Club.objects.create(name="Readers"), Author.objects.create(name="Käthe")
    library.forget()
    club.members.add(author, through_defaults={"since": NOON})
    (membership,) = (each for each in library.read() if each.target.model == "library.club")
    assert membership.changes["members"]["added"] == [{"value": author.pk, "label": "Käthe"}]


JOIN = {
    "made": lambda club, author: Membership.objects.create(club=club, author=author),
    "added": lambda club, author: club.members.add(author),
    "set": lambda club, author: author.clubs.set([club]),
    "bulk": lambda club, author: tracked(Membership).bulk_create(
        [Membership(club=club, author=author)]
    ),
}
LEAVE = {
    "deleted": lambda club, author: Membership.objects.get().delete(),
    "deleted in a queryset": lambda club, author: Membership.objects.all().delete(),
    "removed": lambda club, author: club.members.remove(author),
    "cleared": lambda club, author: author.clubs.clear(),
}
orders = pytest.mark.parametrize(
    "models", [(Club, Membership), (Membership, Club)], ids=["club first", "club last"]
)


@orders
@pytest.mark.parametrize("join", JOIN.values(), ids=JOIN)
def test_a_row_of_a_through_model_is_made_as_an_object_and_as_a_member(
    registered, activities, models, join
):
    for model in models:
        registered(model)
    club, author = Club.objects.create(name="Readers"), Author.objects.create(name="Käthe")
    activities.clear()
    join(club, author)
    assert sorted(each.action for each in activities) == [
        "library.club.update",
        "library.membership.create",
    ]


@orders
@pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE)
def test_a_row_of_a_through_model_is_gone_as_an_object_and_as_a_member(
    registered, activities, models, leave
):
    for model in models:
        registered(model)
    club, author = Club.objects.create(name="Readers"), Author.objects.create(name="Käthe")
    with suppress():
        club.members.add(author)
    activities.clear()
    leave(club, author)
    assert sorted(each.action for each in activities) == [
        "library.club.update",
        "library.membership.delete",
    ]


def test_a_member_that_is_made_through_the_relation(library, book):
    crime = book.genres.create(name="Crime")
    found = dict(library.changes())
    assert found["library.genre.create"]["name"] == [None, "Crime"]
    assert found["library.book.update"]["genres"]["added"] == members(crime)


# --- bulk operations ---------------------------------------------------------------------------


@pytest.fixture
def shelves(library):
    Shelf.objects.bulk_create(Shelf(code=each, width=index) for index, each in enumerate("abc"))
    library.forget()
    return list(Shelf.objects.order_by("code"))


def by_object(rows):
    return {each.target.object_id: without_clock(each.changes) for each in rows}


BULK = {
    "update": (
        lambda shelves: tracked(Shelf).exclude(code="b").update(width=7),
        {"a": {"width": [0, 7]}, "c": {"width": [2, 7]}},
    ),
    "update by an expression": (
        lambda shelves: tracked(Shelf).update(width=F("width") * 2),
        {"b": {"width": [1, 2]}, "c": {"width": [2, 4]}},
    ),
    "update of what it filters by": (
        lambda shelves: tracked(Shelf).filter(width__gte=1).update(width=0),
        {"b": {"width": [1, 0]}, "c": {"width": [2, 0]}},
    ),
    "update to what is there": (lambda shelves: tracked(Shelf).update(room="main"), {}),
    "update of nothing": (lambda shelves: tracked(Shelf).none().update(width=1), {}),
    "bulk_update": (
        lambda shelves: (
            [setattr(each, "width", 5) for each in shelves[:2]],
            tracked(Shelf).bulk_update(shelves, ["width"]),
        ),
        {"a": {"width": [0, 5]}, "b": {"width": [1, 5]}},
    ),
    "bulk_update in batches": (
        lambda shelves: (
            [setattr(each, "width", 5) for each in shelves],
            tracked(Shelf).bulk_update(shelves, ["width"], batch_size=1),
        ),
        {each: {"width": [index, 5]} for index, each in enumerate("abc")},
    ),
    "bulk_update of one field of two": (
        lambda shelves: (
            [(setattr(each, "width", 5), setattr(each, "room", "x")) for each in shelves[:1]],
            tracked(Shelf).bulk_update(shelves[:1], ["room"]),
        ),
        {"a": {"room": ["main", "x"]}},
    ),
    "bulk_update by an expression": (
        lambda shelves: (
            setattr(shelves[0], "width", F("width") + 3),
            tracked(Shelf).bulk_update(shelves[:1], ["width"]),
        ),
        {"a": {"width": [0, 3]}},
    ),
    "bulk_update of nothing": (lambda shelves: tracked(Shelf).bulk_update([], ["width"]), {}),
    "bulk_create with conflicts ignored": (
        lambda shelves: tracked(Shelf).bulk_create(
            [Shelf(code="a", width=9), Shelf(code="d", width=9)], ignore_conflicts=True
        ),
        {
            "d": {
                "code": [None, "d"],
                "width": [None, 9],
                "room": [None, "main"],
                "label": [None, "D"],
            }
        },
    ),
    "an upsert in batches": (
        lambda shelves: tracked(Shelf).bulk_create(
            [Shelf(code=each, width=8) for each in "abc"],
            update_conflicts=True,
            update_fields=["width"],
            unique_fields=["code"]
            if connection.features.supports_update_conflicts_with_target
            else None,
            batch_size=2,
        ),
        {each: {"width": [index, 8]} for index, each in enumerate("abc")},
    ),
}


@pytest.mark.parametrize(("act", "expected"), BULK.values(), ids=BULK)
def test_bulk_operations_record_each_object(library, shelves, act, expected):
    act(shelves)
    assert by_object(library.read()) == expected


def test_bulk_create_records_keys_and_values(library):
    made = tracked(Author).bulk_create([Author(name="a"), Author(name="b")], batch_size=1)
    rows = library.read()
    assert [each.action for each in rows] == ["library.author.create"] * 2
    assert [each.changes["name"] for each in rows] == [[None, "a"], [None, "b"]]
    assert [each.target.object_id for each in rows] == [str(each.pk) for each in made]


def test_bulk_create_that_fails_records_nothing(library):
    with pytest.raises(IntegrityError), transaction.atomic():
        tracked(Genre).bulk_create([Genre(name="a"), Genre(name="a")], batch_size=1)
    assert library.read() == []
    assert not Genre.objects.exists()


def test_a_bulk_deletion_records_each_object_and_what_goes_along(library, book):
    Edition.objects.create(book=book)
    library.forget()
    tracked(Book).filter(title="Tea").delete()
    assert sorted(action for action, _ in library.changes()) == [
        "library.book.delete",
        "library.edition.delete",
    ]


def test_bulk_operations_return_what_django_returns(library, shelves):
    assert tracked(Shelf).update(width=9) == 3
    assert tracked(Shelf).bulk_update(shelves, ["width"]) == 3
    assert tracked(Shelf).delete() == (3, {"library.Shelf": 3})


@pytest.mark.django_db(transaction=True)
def test_a_bulk_operation_above_the_limit_is_one_summary(registered, activities):
    registered(Shelf, bulk_limit=3)
    tracked(Shelf).bulk_create(Shelf(code=str(each)) for each in range(4))
    tracked(Shelf).update(width=5)
    tracked(Shelf).delete()
    rows = [each for each in activities if each.source == "model"]
    assert [(each.extra["verb"], each.extra["count"]) for each in rows] == [
        ("INSERT", 4),
        ("UPDATE", 4),
        ("DELETE", 4),
    ]
    assert all(each.target is None for each in rows)


def test_the_number_of_queries_does_not_grow_with_the_number_of_objects(library):
    def queries(number):
        made = tracked(Author).bulk_create(Author(name=str(each)) for each in range(number))
        with CaptureQueriesContext(connection) as counted:
            tracked(Author).filter(pk__in=[each.pk for each in made]).update(name="x")
        return len(counted)

    assert queries(147) == queries(3)


def test_an_update_across_a_relation(library, book):
    tracked(Book).filter(author__name="Käthe").update(copies=9)
    assert library.updates() == {"copies": [3, 9]}


def test_a_bulk_update_of_a_foreign_key_has_names(library, book):
    emil = Author.objects.create(name="Emil")
    library.forget()
    tracked(Book).update(author=emil)
    assert library.updates()["author"] == [
        {"value": book.author_id, "label": "Käthe"},
        {"value": emil.pk, "label": "Emil"},
    ]


def test_saving_an_instance_after_a_bulk_update_repeats_nothing(library, book):
    book.title = "Rum"
    tracked(Book).bulk_update([book], ["title"])
    assert library.updates() == {"title": ["Tea", "Rum"]}
    book.copies = 4
    book.save()
    assert library.updates() == {"copies": [3, 4]}


# --- transactions ------------------------------------------------------------------------------


def test_what_is_rolled_back_is_not_recorded(library, book):
    with ignore(ZeroDivisionError), transaction.atomic():
        book.title = "Rum"
        book.save()
        Author.objects.create(name="nobody")
        book.genres.create(name="Crime")
        tracked(Book).update(copies=99)
        raise ZeroDivisionError
    assert library.read() == []


def test_a_savepoint_that_is_rolled_back_takes_only_its_own_along(library, book):
    with transaction.atomic():
        book.title = "Rum"
        book.save()
        with ignore(ZeroDivisionError), transaction.atomic():
            book.title = "Gin"
            book.save()
            raise ZeroDivisionError
        book.copies = 4
        book.save()
    changes = [changes for _, changes in library.changes()]
    assert changes[0] == {"title": ["Tea", "Rum"]}
    assert changes[1] == {"title": ["Rum", "Gin"], "copies": [3, 4]}


def test_a_savepoint_that_is_kept_in_one_that_is_not(library, book):
    with transaction.atomic():
        with ignore(ZeroDivisionError), transaction.atomic():
            with transaction.atomic():
                book.title = "Rum"
                book.save()
            raise ZeroDivisionError
        Author.objects.create(name="Emil")
    assert [action for action, _ in library.changes()] == ["library.author.create"]


def test_a_deletion_that_is_rolled_back_is_not_recorded_and_can_be_done_again(library, book):
    key = book.pk
    with ignore(ZeroDivisionError), transaction.atomic():
        book.delete()
        raise ZeroDivisionError
    assert library.read() == []
    book.pk = key
    book.title = "Rum"
    book.save()
    assert library.updates() == {"title": ["Tea", "Rum"]}
    book.delete()
    assert [action for action, _ in library.changes()] == ["library.book.delete"]


def test_changes_come_in_the_order_in_which_they_were_made(library, book):
    with transaction.atomic():
        for number in range(10, 30):
            book.copies = number
            book.save()
    found = library.read()
    assert [each.changes["copies"][1] for each in found] == list(range(10, 30))
    assert [each.id for each in found] == sorted(each.id for each in found)


def test_an_object_that_is_made_and_deleted_in_one_transaction(library):
    with transaction.atomic():
        author = Author.objects.create(name="Emil")
        author.name = "Emile"
        author.save()
        author.delete()
    assert [action for action, _ in library.changes()] == [
        "library.author.create",
        "library.author.update",
        "library.author.delete",
    ]


# --- who and why -------------------------------------------------------------------------------


def test_a_context_within_a_context_and_the_outer_one_after_it(library):
    with bind(actor="cron:outer", reason="outer"):
        Author.objects.create(name="a")
        with bind(actor="cron:inner"):
            Author.objects.create(name="b")
        Author.objects.create(name="c")
    Author.objects.create(name="d")
    assert [(each.actor_label, each.reason) for each in library.read()] == [
        ("cron:outer", "outer"),
        ("cron:inner", "outer"),
        ("cron:outer", "outer"),
        ("", ""),
    ]


def test_a_context_that_ends_with_an_error_is_over(library):
    with ignore(ZeroDivisionError), bind(actor="cron:a"):
        raise ZeroDivisionError
    Author.objects.create(name="a")
    (row,) = library.read()
    assert row.actor_label == ""


def test_a_change_is_by_whom_made_it_not_by_whom_committed_it(library):
    with transaction.atomic():
        with bind(actor="cron:a"):
            Author.objects.create(name="a")
        with bind(actor="cron:b"):
            Author.objects.create(name="b")
    assert [each.actor_label for each in library.read()] == ["cron:a", "cron:b"]


@pytest.mark.parametrize("text", ["can't", "''quoted''", "100 %s %(a)s", "\\", '"', "ü\N{SNOWMAN}"])
def test_any_text_may_say_why(registered, text):
    registered(Author)
    with bind(reason=text):
        Author.objects.create(name=text)
    row = ActivityLog.objects.get(source="model")
    assert (row.reason, row.changes["name"]) == (text, [None, text])


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 100_000, "\r\n\t\x1b[31m"])
def test_a_text_that_a_database_may_refuse_costs_no_row(registered, text):
    registered(Book)
    book = Book.objects.create(title="a")
    with ignore(ValueError, DatabaseError), transaction.atomic():
        book.text = text
        book.save()
    is_saved = Book.objects.exclude(text="").exists()
    assert ActivityLog.objects.filter(source="model").count() == 1 + is_saved


def test_everything_in_a_request_is_by_its_user_and_of_one_request(library):
    def act(_request):
        book = Book.objects.create(title="a")
        book.genres.create(name="Crime")
        tracked(Book).update(copies=9)

    alice = person("alice")
    respond(act, alice)
    rows = library.read()
    assert {each.actor_label for each in rows} == {"alice"}
    assert len({each.request_id for each in rows}) == 1
    assert len(rows) >= 4


def test_a_user_who_was_rolled_back_is_no_trouble(registered):
    registered(Author)

    def act(request):
        with ignore(ZeroDivisionError), transaction.atomic():
            request.user = person("nobody")
            raise ZeroDivisionError
        Author.objects.create(name="a")

    respond(act)
    assert ActivityLog.objects.filter(source="model").count() == 1


def test_what_a_request_did_before_it_failed_is_recorded(library):
    def act(_request):
        Author.objects.create(name="a")
        raise ZeroDivisionError

    with ignore(ZeroDivisionError):
        respond(act, person("alice"))
    assert [(each.action, each.actor_label) for each in library.read()] == [
        ("library.author.create", "alice")
    ]


def test_rows_of_a_user_who_is_deleted_keep_the_name(registered):
    registered(Author)
    alice = person("alice")
    with bind(actor=alice):
        author = Author.objects.create(name="a")
    alice.delete()
    author_key = author.pk
    author.delete()
    rows = ActivityLog.objects.filter(source="model", object_id=author_key).order_by("id")
    assert [each.who for each in rows] == ["alice", ""]


# --- switching it off --------------------------------------------------------------------------


def test_suppressed_changes_are_not_recorded_and_not_caught_up(library, book, genres):
    with suppress():
        book.title = "Rum"
        book.save()
        book.genres.add(*genres)
        tracked(Book).update(copies=9)
        Author.objects.create(name="Emil").delete()
    assert library.read() == []
    book.refresh_from_db()
    book.title = "Gin"
    book.save()
    assert library.updates() == {"title": ["Rum", "Gin"]}


def test_a_save_after_a_suppressed_one_records_only_what_is_new(library, book):
    with suppress():
        book.title = "Rum"
        book.save()
    book.copies = 4
    book.save()
    assert library.updates() == {"copies": [3, 4]}


def test_suppression_ends_with_the_outer_block(library):
    with suppress():
        with ignore(ZeroDivisionError), suppress():
            raise ZeroDivisionError
        Author.objects.create(name="a")
    Author.objects.create(name="b")
    assert [changes["name"][1] for _, changes in library.changes()] == ["b"]


def test_nothing_is_recorded_when_recording_is_disabled(registered, settings):
    registered(Author)
    settings.TRACKMATE = {"ENABLED": False}
    Author.objects.create(name="a")
    assert not ActivityLog.objects.exists()


# --- what is recorded --------------------------------------------------------------------------

OPTIONS = {
    "some fields": ({"fields": ["copies"]}, {"copies": [3, 4]}),
    "all but some": ({"exclude": ["title", "changed_at"]}, {"copies": [3, 4]}),
    "both": ({"fields": ["copies", "title"], "exclude": ["copies"]}, {"title": ["Tea", "Rum"]}),
    "a mask": (
        {"fields": ["title", "copies"], "mask": ["title"]},
        {"title": ["[redacted]", "[redacted]"], "copies": [3, 4]},
    ),
    "a mask of a number": (
        {"fields": ["copies"], "mask": ["copies"]},
        {"copies": ["[redacted]", "[redacted]"]},
    ),
    "old values from the database": ({"fields": ["copies"], "old": "stored"}, {"copies": [3, 4]}),
}


@pytest.mark.parametrize(("options", "expected"), OPTIONS.values(), ids=OPTIONS)
def test_the_options_of_a_model(registered, activities, options, expected):
    registered(Book, **options)
    book = Book.objects.create(title="Tea", copies=3)
    activities.clear()
    book.title, book.copies = "Rum", 4
    book.save()
    (row,) = (each for each in activities if each.source == "model")
    assert without_clock(row.changes) == expected


def test_a_change_of_fields_that_are_not_recorded_is_no_row(registered, activities):
    registered(Book, fields=["title"])
    book = Book.objects.create(title="Tea")
    activities.clear()
    book.copies = 4
    book.save()
    tracked(Book).update(copies=5)
    assert [each for each in activities if each.source == "model"] == []


@pytest.mark.parametrize("verb", ["create", "update", "delete", "m2m"])
def test_only_the_chosen_verbs_are_recorded(registered, activities, verb):
    registered(Book, on=[verb])
    book = Book.objects.create(title="Tea")
    book.title = "Rum"
    book.save()
    book.genres.create(name="Crime")
    book.delete()
    found = [each for each in activities if each.source == "model"]
    assert [each.action for each in found] == [
        f"library.book.{'update' if verb == 'm2m' else verb}"
    ]
    assert ("genres" in found[0].changes) == (verb == "m2m")


def test_a_field_that_holds_a_secret_by_its_name_is_masked(library, book):
    book.door_pin = "1470"
    book.save()
    assert library.updates() == {"door_pin": ["[redacted]", "[redacted]"]}


def test_a_masked_field_shows_that_there_was_no_value(registered, activities):
    registered(Book, fields=["subtitle"], mask=["subtitle"])
    book = Book.objects.create(title="Tea")
    book.subtitle = "secret"
    book.save()
    book.delete()
    assert [each.changes for each in activities if each.source == "model"][-2:] == [
        {"subtitle": [None, "[redacted]"]},
        {"subtitle": ["[redacted]", None]},
    ]


def test_a_masked_value_is_nowhere_in_the_row(registered):
    registered(Book, mask=["title", "details"])
    book = Book.objects.create(title="sesame-4711", details={"k": "sesame-4711"})
    book.title = "sesame-4712"
    book.save()
    rows = ActivityLog.objects.filter(source="model").values("changes", "extra", "data")
    assert "sesame" not in json.dumps([*rows])


# --- fixtures ----------------------------------------------------------------------------------


def test_what_a_fixture_loads_is_recorded(library, tmp_path):
    Genre.objects.create(name="Crime")
    library.forget()
    file = tmp_path / "genres.json"
    old, new = Genre.objects.get().pk, Genre.objects.get().pk + 1
    file.write_text(
        json.dumps(
            [
                {"model": "library.genre", "pk": old, "fields": {"name": "Thriller"}},
                {"model": "library.genre", "pk": new, "fields": {"name": "Poems"}},
            ]
        )
    )
    call_command("loaddata", str(file), verbosity=0)
    found = [(action, changes["name"]) for action, changes in library.changes() if changes]
    assert found == [
        ("library.genre.update", ["Crime", "Thriller"]),
        ("library.genre.create", [None, "Poems"]),
    ]


# --- several databases -------------------------------------------------------------------------


@pytest.mark.django_db(databases=["default", "apart"])
def test_changes_in_another_database_are_recorded_as_well(library):
    author = Author(name="a")
    author.save(using="apart")
    author.name = "b"
    author.save()
    Author.objects.using("apart").get().delete()
    assert [(action, changes["name"]) for action, changes in library.changes()] == [
        ("library.author.create", [None, "a"]),
        ("library.author.update", ["a", "b"]),
        ("library.author.delete", ["b", None]),
    ]


@pytest.mark.django_db(databases=["default", "apart"])
def test_an_instance_that_is_moved_to_another_database_is_created_there(library):
    author = Author.objects.create(name="a")
    library.forget()
    author.save(using="apart", force_insert=True)
    assert [action for action, _ in library.changes()] == ["library.author.create"]


@pytest.mark.django_db(databases=["default", "apart"])
def test_a_rollback_of_one_database_leaves_the_changes_in_the_other(library):
    with ignore(ZeroDivisionError), transaction.atomic():
        Author.objects.create(name="a")
        Author(name="b").save(using="apart")
        raise ZeroDivisionError
    assert [changes["name"] for _, changes in library.changes()] == [[None, "b"]]


# --- threads and event loops -------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.only_on("postgresql", "mysql")
def test_threads_at_once_each_have_their_own_actor(registered, thread_connections):
    registered(Author)
    together = Barrier(4)

    def work(name):
        with bind(actor=f"cron:{name}"):
            author = Author.objects.create(name=name)
            together.wait()
            author.name = f"{name}!"
            author.save()

    threads = [Thread(target=work, args=(str(each),)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = ActivityLog.objects.filter(source="model")
    assert rows.count() == 8
    assert {(row.actor_label, row.object_repr.rstrip("!")) for row in rows} == {
        (f"cron:{each}", str(each)) for each in range(4)
    }


@pytest.mark.django_db(transaction=True)
def test_coroutines_at_once_each_have_their_own_actor(library):
    async def work(name):
        with bind(actor=f"cron:{name}"):
            author = await Author.objects.acreate(name=name)
            await asyncio.sleep(0)
            author.name = f"{name}!"
            await author.asave()
            await asyncio.sleep(0)
            await author.adelete()

    async def all_at_once():
        await asyncio.gather(*(work(str(each)) for each in range(3)))

    async_to_sync(all_at_once)()
    rows = library.read()
    assert len(rows) == 9
    assert all(each.actor_label == f"cron:{each.target.object_repr[0]}" for each in rows)


@pytest.mark.django_db(transaction=True)
def test_the_asynchronous_bulk_operations(library):
    async def work():
        made = await tracked(Author).abulk_create([Author(name="a"), Author(name="b")])
        await tracked(Author).filter(name="a").aupdate(name="c")
        made[1].name = "d"
        await tracked(Author).abulk_update(made[1:], ["name"])
        await tracked(Author).filter(name="c").adelete()
        await tracked(Author).filter(name="d").adelete()

    async_to_sync(work)()
    assert [(action, changes["name"]) for action, changes in library.changes()] == [
        ("library.author.create", [None, "a"]),
        ("library.author.create", [None, "b"]),
        ("library.author.update", ["a", "c"]),
        ("library.author.update", ["b", "d"]),
        ("library.author.delete", ["c", None]),
        ("library.author.delete", ["d", None]),
    ]


# --- history of what is gone -------------------------------------------------------------------


def test_the_history_of_a_deleted_object_is_still_there(registered):
    registered(Book)
    book = Book.objects.create(title="Tea")
    key = book.pk
    book.title = "Rum"
    book.save()
    book.delete()
    book.pk = key
    rows = ActivityLog.objects.on(book).order_by("id")
    assert [row.action_type for row in rows] == ["Create", "Update", "Delete"]
    assert rows[0].object_repr == "Tea"
    assert rows[2].content_object is None


def test_a_model_that_is_not_registered_leaves_no_trace(registered, activities):
    registered(Author)
    Genre.objects.create(name="Crime").delete()
    tracked(Genre).bulk_create([Genre(name="a")])
    tracked(Genre).update(name="b")
    assert list(activities) == []


def test_a_request_that_changes_nothing_has_no_rows_of_models(library, book):
    respond(lambda _request: Book.objects.get().title)
    assert library.read() == []
