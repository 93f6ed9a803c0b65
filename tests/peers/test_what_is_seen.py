"""The table of the how-to page: which package sees which way to change a row."""

import json
import re
from contextlib import suppress
from pathlib import Path

import pghistory
import pytest
from auditlog.diff import mask_str
from auditlog.models import LogEntry
from django.core.management import call_command
from django.db import connection, models, transaction
from easyaudit.models import CRUDEvent

from tests.peers.models import Author, Book, BookEvent, BookGenreEvent, Genre
from trackmate.models import ActivityLog, TrackedQuerySet

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = Path(__file__).parent.parent.parent / "docs/howto/coming-from.md"


def save(book, _folder):
    book.title = "Rum"
    book.save()


def save_nothing(book, _folder):
    book.save()


def save_rolled_back(book, folder):
    with suppress(ZeroDivisionError), transaction.atomic():
        save(book, folder)
        raise ZeroDivisionError


def load_fixture(book, folder):
    file = folder / "books.json"
    row = {"model": "peers.book", "pk": book.pk, "fields": {"title": "Rum"}}
    file.write_text(json.dumps([row]))
    call_command("loaddata", str(file), verbosity=0)


def update(_book, _folder):
    TrackedQuerySet(Book).update(title="Rum")


def bulk_create(_book, _folder):
    TrackedQuerySet(Book).bulk_create([Book(title="Rum")])


def bulk_update(book, _folder):
    book.title = "Rum"
    TrackedQuerySet(Book).bulk_update([book], ["title"])


def plain_update(_book, _folder):
    models.QuerySet(Book).update(title="Rum")


def raw_sql(_book, _folder):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE peers_book SET title = 'Rum'")


def add_member(book, _folder):
    book.genres.add(Genre.objects.get())


def set_null(_book, _folder):
    Author.objects.get().delete()


def delete(book, _folder):
    book.delete()


def delete_queryset(_book, _folder):
    Book.objects.all().delete()


WAYS = {
    "`save()`": save,
    "`save()` that changes nothing": save_nothing,
    "`save()` that is rolled back": save_rolled_back,
    "`loaddata` of a row that exists": load_fixture,
    "`delete()`": delete,
    "`delete()` of a queryset": delete_queryset,
    "`add()` to a many-to-many field": add_member,
    "`SET_NULL` by the deletion of another object": set_null,
    "`update()`, `bulk_create()`, `bulk_update()` with `TrackedQuerySet`": [
        update,
        bulk_create,
        bulk_update,
    ],
    "`update()` with a plain manager": plain_update,
    "raw SQL": raw_sql,
}


@pytest.fixture
def book(registered, settings):
    registered(Book)
    settings.DJANGO_EASY_AUDIT_CRUD_EVENT_NO_CHANGED_FIELDS_SKIP = False
    Genre.objects.create(name="Crime")
    made = Book.objects.create(title="Tea", author=Author.objects.create(name="Käthe"))
    return Book.objects.get(pk=made.pk)


def counts():
    """Return how many rows each package has."""
    return {
        "auditlog": LogEntry.objects.count(),
        "simple-history": Book.history.count(),
        "easy-audit": CRUDEvent.objects.count(),
        "pghistory": BookEvent.objects.count() + BookGenreEvent.objects.count(),
        "trackmate": ActivityLog.objects.exclude(changes=None).count(),
        "trackmate's count": ActivityLog.objects.filter(extra__unseen=True).count(),
    }


def seen(act, book, folder):
    """Return what the cells of a row of the table have to be."""
    before = counts()
    act(book, folder)
    found = {name: "yes" if count > before[name] else "no" for name, count in counts().items()}
    counted = found.pop("trackmate's count") == "yes"
    return found | ({"trackmate": "counted"} if counted else {})


def table():
    """Return the rows of the page's table, by what is in the first cell."""
    lines = re.findall(r"^\| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    rows = [line.split(" | ") for line in lines]
    start = next(index for index, cells in enumerate(rows) if cells[0] == "a change by")
    names = rows[start][1:]
    return {cells[0]: dict(zip(names, cells[1:], strict=False)) for cells in rows[start + 1 :]}


ways = [
    (name, each)
    for name, acts in WAYS.items()
    for each in (acts if isinstance(acts, list) else [acts])
]


@pytest.mark.parametrize(("name", "act"), ways, ids=[each.__name__ for _name, each in ways])
def test_the_page_says_what_each_package_sees(book, tmp_path, name, act):
    assert seen(act, book, tmp_path) == table()[name]


def test_auditlog_names_all_there_are_when_a_field_is_cleared(book):
    crime = Genre.objects.get()
    book.genres.add(crime)
    Genre.objects.create(name="Poems")
    book.genres.clear()
    assert LogEntry.objects.first().changes["genres"]["objects"] == ["Crime", "Poems"]


def test_auditlog_keeps_a_half_of_a_masked_value():
    assert mask_str("DE02120300000000202051") == "***********00000202051"


def test_pghistory_tracks_no_deletion_unless_told_so():
    event_model = pghistory.create_event_model(Author, abstract=True)
    assert [each.label for each in event_model.pgh_trackers] == ["insert", "update"]
