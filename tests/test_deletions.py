"""What deleting objects of registered models records, and what it does to others."""

import gc
from weakref import ref

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.library import models as library
from tests.library.models import (
    Audiobook,
    Author,
    Book,
    Edition,
    Genre,
    Page,
    Review,
    Shelf,
    ThinBook,
)
from trackmate import suppress
from trackmate.capture.model_changes.statements import statements_of
from trackmate.checks.models import check_models

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def emma():
    with suppress():
        author = Author.objects.create(name="Jane")
        book = Book.objects.create(title="Emma", author=author)
        edition = Edition.objects.create(book=book, number=2)
        Page.objects.create(edition=edition, number=7)
        return book


def find(activities, action):
    return [each for each in activities if each.action == action]


def test_a_deletion_has_the_old_values(registered, activities, emma):
    registered(Book)
    key = str(emma.pk)
    Book.objects.get().delete()
    (activity,) = activities
    assert activity.action_type == "Delete"
    assert activity.target.identity == ("library.book", key)
    assert activity.changes["title"] == ["Emma", None]
    assert activity.changes["author"][0]["label"] == "Jane"
    assert activity.extra is None


@pytest.mark.parametrize(("old", "name"), [("loaded", "Jane"), ("stored", "Anne")])
@pytest.mark.usefixtures("emma")
def test_a_deletion_has_the_values_that_the_option_old_names(registered, activities, old, name):
    registered(Author, old=old)
    author = Author.objects.get()
    with suppress():
        Author.objects.update(name="Anne")
    author.delete()
    assert activities[-1].changes["name"] == [name, None]


def test_the_values_are_those_of_the_database(registered, activities, emma):
    registered(Book)
    book = Book.objects.get()
    book.title = "never saved"
    book.delete()
    assert activities[0].changes["title"] == ["Emma", None]


def test_an_object_made_by_hand_is_read_before(registered, activities, emma):
    registered(Book)
    Book(pk=emma.pk).delete()
    assert activities[0].changes["title"] == ["Emma", None]


def test_parts_have_the_cause_and_the_name_of_what_is_gone(registered, activities, emma):
    registered(Edition)
    registered(Page)
    cause = f"library.book/{emma.pk}"
    Book.objects.get().delete()
    edition, page = (find(activities, f"library.{name}.delete")[0] for name in ("edition", "page"))
    assert edition.target.object_repr == "Edition 2 of Emma"
    assert edition.changes["book"][0]["label"] == "Emma"
    assert (edition.extra, page.extra) == ({"cause": cause}, {"cause": cause})


def test_a_queryset_names_the_cause_too(registered, activities, emma):
    registered(Book)
    registered(Page)
    cause = f"library.book/{emma.pk}"
    Book.objects.filter(title="Emma").delete()
    assert find(activities, "library.page.delete")[0].extra == {"cause": cause}
    assert find(activities, "library.book.delete")[0].extra is None


def test_what_pointed_to_it_is_recorded(registered, activities, emma):
    registered(Book)
    author = Author.objects.get()
    key = author.pk
    author.delete()
    (activity,) = activities
    assert activity.action == "library.book.update"
    assert activity.changes == {"author": [{"value": key, "label": "Jane"}, None]}
    assert activity.extra == {"cause": f"library.author/{key}"}


def test_links_to_it_are_recorded_as_removed(registered, activities, emma):
    registered(Book)
    crime = Genre.objects.create(name="Crime")
    emma.genres.add(crime)
    activities.clear()
    key = crime.pk
    crime.delete()
    (activity,) = activities
    assert activity.changes == {
        "genres": {"added": [], "removed": [{"value": key, "label": "Crime"}]}
    }
    assert activity.target.object_repr == "Emma"
    assert activity.extra == {"cause": f"library.genre/{key}"}


def test_147_objects_take_as_many_queries_as_10(registered, activities, emma):
    registered(Book)
    registered(Edition)

    def count_queries(count):
        with suppress():
            Edition.objects.all().delete()
            Edition.objects.bulk_create(Edition(book=emma, number=n) for n in range(count))
        activities.clear()
        with CaptureQueriesContext(connection) as queries:
            Edition.objects.all().delete()
        assert len(activities) == count
        verbs = [query["sql"].split()[0] for query in queries]
        # Django deletes a hundred objects with each statement.
        return [verb for verb in verbs if verb != "DELETE"]

    assert count_queries(10) == count_queries(147)


def test_more_than_the_limit_are_one_summary(registered, activities, emma):
    registered(Edition, bulk_limit=5)
    with suppress():
        Edition.objects.bulk_create(Edition(book=emma, number=n) for n in range(6))
    Edition.objects.all().delete()
    (activity,) = activities
    assert activity.target is None
    assert activity.extra["count"] == 7
    assert activity.extra["verb"] == "DELETE"
    assert len(activity.extra["sample"]) == 6


def test_deleting_others_stays_as_fast(registered, django_assert_num_queries, emma):
    registered(Author)
    with django_assert_num_queries(1):
        Page.objects.all().delete()


def test_a_child_and_its_parent_are_both_deleted(registered, activities):
    registered(Book)
    registered(Audiobook)
    Audiobook.objects.create(title="Emma", speaker="Ann")
    activities.clear()
    Audiobook.objects.get().delete()
    assert {each.action for each in activities} == {
        "library.book.delete",
        "library.audiobook.delete",
    }
    assert [each.extra for each in activities] == [None, None]


def test_a_deletion_has_what_its_many_to_many_fields_had(registered, activities, emma):
    registered(Book)
    crime = Genre.objects.create(name="Crime")
    emma.genres.add(crime)
    activities.clear()
    Book.objects.all().delete()
    (activity,) = activities
    label = {"value": crime.pk, "label": "Crime"}
    assert activity.changes["genres"] == {"added": [], "removed": [label]}


def test_a_value_that_was_changed_in_place_is_deleted_as_it_was(registered, activities, emma):
    registered(Book)
    book = Book.objects.get()
    book.details["never"] = "saved"
    book.delete()
    assert activities[0].changes["details"] == [{}, None]


@pytest.mark.django_db(transaction=True)
def test_nothing_of_a_deletion_is_kept_in_memory(registered, emma):
    registered(Edition)
    author = Author.objects.get()
    gone = ref(author)
    author.delete()
    Edition.objects.all().delete()
    del author
    gc.collect()
    assert gone() is None
    assert not statements_of("default").deletions


def test_what_a_function_sets_in_its_place_is_read(registered, activities):
    registered(Review)
    jane = Author.objects.create(name="Jane")
    Review.objects.create(author=jane, editor=jane, text="fine")
    activities.clear()
    jane.delete()
    changes = {name: change for each in activities for name, change in each.changes.items()}
    assert [changes["author"][0]["label"], changes["author"][1]["label"]] == ["Jane", "Anonymous"]
    assert changes["editor"][1] is None


if hasattr(library, "Leaflet"):  # Django 6.1

    def test_what_the_database_deletes_is_found(registered, activities):
        registered(library.Folder)
        registered(library.Leaflet)
        folder = library.Folder.objects.create(name="Ads")
        library.Leaflet.objects.create(folder=folder, text="Tea")
        activities.clear()
        cause = f"library.folder/{folder.pk}"
        library.Folder.objects.all().delete()
        assert {each.target.object_repr: each.extra for each in activities} == {
            "Ads": None,
            "Tea of Ads": {"cause": cause},
        }
        assert not library.Leaflet.objects.exists()

    def test_a_check_says_what_the_database_deletes_unseen(registered):
        registered(library.Leaflet)
        assert [each.id for each in check_models()] == ["trackmate.W011"]
        registered(library.Folder)
        assert list(check_models()) == []


def test_the_same_object_can_be_deleted_twice_in_a_transaction(registered, activities):
    registered(Shelf)
    shelf = Shelf(code="A")
    for _time in range(2):
        shelf.code = "A"
        shelf.save()
        shelf.delete()
    assert [each.action_type for each in activities] == ["Create", "Delete"] * 2


def test_the_same_queryset_can_be_deleted_twice_in_a_transaction(registered, activities):
    registered(Shelf)
    shelves = Shelf.objects.filter(code="A")
    for _time in range(2):
        Shelf.objects.create(code="A")
        shelves.delete()
    assert [each.action_type for each in activities] == ["Create", "Delete"] * 2


def test_what_a_proxy_deletes_is_recorded(registered, activities, emma):
    registered(Genre)
    with suppress():
        Genre.objects.create(name="Love").books.add(emma)
    ThinBook.objects.get().delete()
    (activity,) = activities
    assert [each["value"] for each in activity.changes["books"]["removed"]] == [emma.pk]


@pytest.mark.django_db(transaction=True)
def test_a_deletion_is_one_summary_in_a_long_transaction(registered, activities):
    registered(Genre, bulk_limit=100)
    with transaction.atomic():
        for number in range(450):
            Genre.objects.create(name=str(number))
        Genre.objects.all().delete()
    (summary,) = find(activities, "library.genre.delete")
    assert (summary.target, summary.extra["count"]) == (None, 450)


@pytest.mark.django_db(transaction=True)
def test_a_long_transaction_keeps_few_deletions_in_memory(registered):
    registered(Genre)
    with transaction.atomic():
        gone = []
        for number in range(600):
            genre = Genre.objects.create(name=str(number))
            gone.append(ref(genre))
            genre.delete()
        del genre
        gc.collect()
        assert [each() for each in gone[:10]] == [None] * 10
