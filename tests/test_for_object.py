"""`for_object()`: the activities about an object, and about those that point to it."""

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.library.models import Audiobook, Author, Book, Club, Edition, Membership, Page, Shelf
from tests.recorded import change
from tests.urls_under_test import log_queries
from trackmate.models import ActivityLog
from trackmate.models.children import MAX_CHILDREN

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]


def about(obj, **options):
    return set(ActivityLog.objects.for_object(obj, **options))


def test_every_activity_about_the_object_and_no_other():
    book, other = Book.objects.create(title="a"), Book.objects.create(title="b")
    rows = {change(book, "update", {}), change(book, "read", {}, source="request")}
    change(other, "update", {})
    change(Author.objects.create(pk=book.pk), "update", {})
    assert about(book) == about((Book, book.pk)) == about((Book, str(book.pk))) == rows
    assert about(rows.pop()) == about(book)


@pytest.mark.parametrize("nothing", [Book(), (Book, None), (Book, "x"), ActivityLog()])
@pytest.mark.parametrize("children", [False, True])
def test_nothing_about_what_is_not_stored(nothing, children):
    change((Book, 7), "update", {})
    assert about(nothing, children=children) == set()


def test_it_can_be_chained():
    row = change((Shelf, "A"), "update", {}, status="Failed")
    change((Shelf, "A"), "update", {})
    found = ActivityLog.objects.failed().for_object((Shelf, "A"), children=True)
    assert list(found.newest_first()) == [row]


def test_a_child_of_multi_table_inheritance_includes_its_parent():
    audiobook = Audiobook.objects.create(title="a")
    rows = {change(audiobook, "update", {}), change((Book, audiobook.pk), "update", {})}
    assert about(audiobook) == rows


def test_objects_that_point_to_it_where_they_are_registered(registered):
    registered(Edition)
    book = Book.objects.create(title="a")
    edition, page = Edition.objects.create(book=book), Page
    own = change(book, "update", {})
    theirs = change(edition, "update", {})
    change(Edition.objects.create(book=Book.objects.create()), "update", {})
    change(page.objects.create(edition=edition), "update", {})
    assert about(book) == {own}
    assert about(book, children=True) == {own, theirs}


def test_objects_that_point_to_the_parent_of_a_child(registered):
    registered(Edition)
    audiobook = Audiobook.objects.create(title="a")
    row = change(Edition.objects.create(book=audiobook), "update", {})
    assert about(audiobook, children=True) == {row}


def test_the_rows_of_a_through_model(registered):
    registered(Membership)
    club, author = Club.objects.create(name="a"), Author.objects.create(name="b")
    club.members.add(author)
    row = change(Membership.objects.get(), "create", {})
    assert about(club, children=True) == about(author, children=True) == {row}


def pointed_to(key):
    return {"book": [{"value": key, "label": "a"}, None], "number": [1, None]}


def test_deleted_objects_that_pointed_to_it(registered):
    registered(Edition, renamed={"volume": "book"})
    by_key = change((Edition, 1), "delete", pointed_to(7))
    before = change((Edition, 1), "update", {"number": [0, 1]})
    by_former_name = change((Edition, 2), "delete", {"volume": [{"value": 7}, None]})
    by_cause = change((Edition, 3), "delete", {}, extra={"cause": "library.book/7"})
    others = [pointed_to(8), {}, None, [], {"book": [7, None]}, {"book": []}, {"book": [None, 7]}]
    for number, changes in enumerate(others, start=10):
        change((Edition, number), "delete", changes, extra={"cause": "library.book/77"})
    expected = {by_key, before, by_former_name, by_cause}
    assert about((Book, 7), children=True) == expected


def test_what_is_deleted_is_searched_in_the_newest_deletions(registered, monkeypatch):
    monkeypatch.setattr("trackmate.models.children.MAX_DELETIONS", 2)
    registered(Edition)
    rows = [change((Edition, number), "delete", pointed_to(7), at=number) for number in range(3)]
    assert about((Book, 7), children=True) == set(rows[1:])


def test_many_objects_make_no_more_queries(registered):
    registered(Edition)
    book = Book.objects.create(title="a")
    counts = []
    for number in (1, MAX_CHILDREN + 5):
        Edition.objects.bulk_create(Edition(book=book) for _each in range(number))
        with CaptureQueriesContext(connection) as queries:
            about(book, children=True)
        counts.append(len(log_queries(queries)))
    assert counts == [2, 2]
    newest, oldest = Edition.objects.order_by("-pk").first(), Edition.objects.order_by("pk").first()
    rows = [change(newest, "update", {}), change(oldest, "update", {})]
    assert about(book, children=True) == {rows[0]}


def test_a_model_that_is_gone_has_no_children():
    old = ContentType.objects.create(app_label="library", model="scroll")
    row = change((Book, 7), "update", {}, content_type=old)
    assert about(row, children=True) == {row}


@pytest.mark.only_on("sqlite3")
@pytest.mark.parametrize("model", [Book, Audiobook])
def test_the_index_of_objects_serves_it(model):
    assert "trackmate_object" in ActivityLog.objects.for_object((model, 7)).newest_first().explain()
