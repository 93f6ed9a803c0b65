"""Writes that nothing has recorded are noticed, with their place in the code."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models.signals import post_save
from django.http import HttpResponse

from tests.factories import rolled_back
from tests.library.models import Author, Book, Genre
from tests.requests import answered
from trackmate import suppress

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def authors(registered):
    registered(Author)
    with suppress():
        return [Author.objects.create(name=name) for name in ("Jane", "Mary")]


def execute(sql, params=()):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


WRITES = [
    ("UPDATE library_author SET name = 'x'", "UPDATE", 2),
    ("  update library_author set name = 'x' where name = 'Jane'", "UPDATE", 1),
    ("/* job */ UPDATE library_author SET name = 'x'", "UPDATE", 2),
    ("-- job\nUPDATE library_author SET name = 'x'", "UPDATE", 2),
    ("INSERT INTO library_author (name) VALUES ('Anne'), ('Eve'), ('Ida')", "INSERT", 3),
    ("INSERT INTO library_author (name) SELECT name FROM library_author", "INSERT", 2),
    ("DELETE FROM library_author WHERE name <> 'UPDATE library_book SET'", "DELETE", 2),
]


@pytest.mark.parametrize(("sql", "verb", "rows"), WRITES)
def test_raw_sql_is_noticed(authors, activities, sql, verb, rows):
    execute(sql)
    (activity,) = activities
    assert activity.source == "model"
    assert activity.target is activity.changes is None
    assert activity.extra == {
        "unseen": True,
        "table": "library_author",
        "verb": verb,
        "rows": rows,
        "statements": 1,
        "place": activity.extra["place"],
    }
    assert activity.extra["place"].startswith("tests/test_unseen.py:")
    assert activity.extra["place"].endswith(" in execute")


def test_bulk_operations_of_a_plain_queryset_are_noticed(authors, activities):
    Author.objects.update(name="x")
    Author.objects.bulk_create([Author(name="y")])
    Author.objects.all()._raw_delete("default")
    assert [each.extra["verb"] for each in activities] == ["UPDATE", "INSERT", "DELETE"]
    assert [each.action_type for each in activities] == ["Update", "Create", "Delete"]


UNNOTICED = [
    "SELECT * FROM library_author",
    "UPDATE library_author SET name = 'x' WHERE 1 = 0",
    "UPDATE library_genre SET name = 'library_author'",
    "SELECT 'UPDATE library_author SET name'",
]


@pytest.mark.parametrize("sql", UNNOTICED)
def test_what_changes_nothing_of_it_is_not_noticed(authors, activities, sql):
    execute(sql)
    assert activities == []


def test_many_statements_of_one_place_are_one_activity(authors, activities, rf):
    def view(_request):
        for name in ("a", "b", "c"):
            Author.objects.update(name=name)
        return HttpResponse()

    answered(view, rf.post("/")).close()
    (unseen,) = activities[1:]
    assert (unseen.extra["statements"], unseen.extra["rows"]) == (3, 6)


def test_executemany_is_counted(authors, activities):
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO library_author (name) VALUES (%s)", [["a"], ["b"]])
    assert activities[0].extra["rows"] == 2


def test_a_receiver_that_writes_by_itself_is_noticed(authors, activities):
    def write(**_kwargs):
        execute("UPDATE library_author SET name = 'x'")

    post_save.connect(write, sender=Author)
    try:
        authors[0].name = "Anne"
        authors[0].save()
    finally:
        post_save.disconnect(write, sender=Author)
    assert {bool(each.extra) for each in activities} == {True, False}


def test_what_is_recorded_is_not_noticed(authors, registered, activities):
    registered(Book)
    book = Book.objects.create(title="Emma", author=authors[0])
    book.genres.add(Genre.objects.create(name="Love"))
    authors[0].delete()
    book.delete()
    assert not any(each.extra and each.extra.get("unseen") for each in activities)


def test_a_rolled_back_write_is_not_noticed(authors, activities):
    with rolled_back():
        Author.objects.update(name="x")
    assert activities == []


def test_nothing_is_noticed_when_nothing_is_recorded(authors, activities):
    with suppress():
        Author.objects.update(name="x")
    assert activities == []


@pytest.mark.django_db(transaction=True)
def test_a_flush_is_not_noticed(authors, activities):
    call_command("flush", interactive=False, verbosity=0)
    assert activities == []


def test_a_package_that_wraps_cursors_hides_nothing(authors, activities, monkeypatch):
    execute_directly = CursorWrapper.execute

    def watched(self, sql, params=None):
        return execute_directly(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", watched)
    authors[0].name = "Anne"
    authors[0].save()
    authors[1].delete()
    assert [each.extra for each in activities] == [None, None]
    execute("UPDATE library_author SET name = 'x'")
    assert activities[2].extra["unseen"]


LONG = [
    ("UPDATE library_author SET name = 'x' WHERE name <> %s", ["y" * 200_000]),
    ("UPDATE library_genre SET name = 'x'; UPDATE library_author SET name = 'y'", None),
]


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize(("sql", "params"), LONG)
def test_long_statements_and_several_in_one_are_read(authors, activities, sql, params):
    execute(sql, params)
    assert activities[0].extra["table"] == "library_author"


def test_a_table_that_is_written_inside_of_another_statement_is_noticed(authors, activities):
    if connection.vendor != "postgresql":
        execute("INSERT INTO library_genre (name) SELECT name FROM library_author")
        assert activities == []
        return
    execute("WITH gone AS (DELETE FROM library_author RETURNING name) SELECT * FROM gone")
    assert activities[0].extra["verb"] == "DELETE"
