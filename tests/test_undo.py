"""Putting back what a recorded change has changed: what it shows, does and refuses."""

import datetime as dt
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.base import ContentFile
from django.db import OperationalError, connection
from django.db.models import ProtectedError
from django.db.models.signals import post_save, pre_save
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import activity, person
from tests.library.models import (
    Audiobook,
    Author,
    Book,
    Card,
    Club,
    Edition,
    Genre,
    Membership,
    Shelf,
    ThinBook,
)
from tests.shop.models import Invoice, Seat
from tests.urls_under_test import FRAGMENT, text_of
from trackmate import registry
from trackmate.activity import Activity
from trackmate.clock import uuid7
from trackmate.dashboard.undo import actions
from trackmate.db.keys import serialize_key
from trackmate.models import ActivityLog
from trackmate.processors import redact
from trackmate.signals import change_undone
from trackmate.testing import capture_activities

pytestmark = [pytest.mark.django_db, pytest.mark.database]

PERMISSIONS = ("undo_change", "view_payload", "change_book", "add_book")
MASKED = "[redacted]"
GONE = "does not exist any more"


@pytest.fixture(autouse=True)
def undo_is_on(configure):
    configure(UNDO=True, TRACK_REQUESTS=False)


@pytest.fixture
def ann(client):
    """A client of somebody who may undo changes of books."""
    client.force_login(person("ann", *PERMISSIONS, is_staff=True))
    return client


@pytest.fixture
def root(admin_client):
    return admin_client


def changed(instance, verb="update", changes=None, **fields):
    """Store the row of a change that was made to an object."""
    meta = instance._meta.concrete_model._meta
    return activity(
        source="model",
        action=f"{meta.label_lower}.{verb}",
        action_type=verb.capitalize(),
        content_type=ContentType.objects.get_for_model(type(instance)),
        object_id=serialize_key(instance),
        object_repr=str(instance),
        changes=changes,
        **fields,
    )


def deleted(instance, **values):
    """Delete an object, and store the row of its deletion."""
    row = changed(instance, "delete", {name: [value, None] for name, value in values.items()})
    instance.delete()
    return row


def address(row, *names):
    query = "&".join(f"field={name}" for name in names)
    return f"/trackmate/activity/{row.pk}/undo/{'?' if query else ''}{query}"


def ask(client, row, *names, **options):
    return client.get(address(row, *names), **options)


def put_back(client, row, *names, reason="by mistake", **options):
    return client.post(address(row), {"field": names, "reason": reason}, **options)


def outcome(response):
    """Return what the page after a success is told."""
    assert response.status_code == 302
    return response.url.partition("?undo=")[2]


def refusal(client, row, *names):
    """Return the page that refuses, after trying it nevertheless."""
    page = text_of(ask(client, row, *names))
    assert "<form" not in page.partition("<main")[2]
    response = put_back(client, row, *names)
    assert response.status_code == 409
    return page


def words_of(page):
    """Return the text of a page, without the marks of a comparison."""
    return re.sub("<[^>]*>|added: |removed: ", "", page)


def retitled(**fields):
    """Return a book, and the row of the change of its title from "Old" to "New"."""
    book = Book.objects.create(title="New", **fields)
    return book, changed(book, changes={"title": ["Old", "New"]})


# What is put back


def test_it_shows_first_what_would_happen_and_changes_nothing(ann):
    book, row = retitled()
    page = text_of(ask(ann, row))
    assert "<del>" in page
    assert "New</del>" in page
    assert "Old</ins>" in page
    assert 'name="reason"' in page
    book.refresh_from_db()
    assert book.title == "New"


def test_a_change_is_put_back_with_a_reason(ann):
    book, row = retitled()
    response = put_back(ann, row, reason="the wrong book")
    assert outcome(response) == "done"
    book.refresh_from_db()
    assert book.title == "Old"
    assert "It was put back." in text_of(ann.get(response.url))


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1001, "a\0b"])
def test_without_a_reason_nothing_is_put_back(ann, reason):
    book, row = retitled()
    response = put_back(ann, row, reason=reason)
    assert response.status_code == 400
    assert 'id="tm-error-reason"' in text_of(response)
    book.refresh_from_db()
    assert book.title == "New"


def stored_cover(name):
    return Book._meta.get_field("cover").storage.save(name, ContentFile(b"x"))


VALUES = {
    "text": ("title", "New", "Old", "Old"),
    "null": ("subtitle", "New", None, None),
    "empty": ("text", "New", "", ""),
    "line breaks": ("text", "a\r\nb", "b\nc", "b\nc"),
    "choice": ("state", "o", {"value": "d", "label": "Draft"}, "d"),
    "choice without a label": ("state", "o", {"value": "d"}, "d"),
    "number": ("copies", 5, 3, 3),
    "decimal": ("price", Decimal("12.50"), "9.90", Decimal("9.90")),
    "JSON": ("details", {"a": [1, None]}, {"b": {"value": 1}}, {"b": {"value": 1}}),
    "JSON list": ("details", {}, [1, "x"], [1, "x"]),
    "date": ("out_on", dt.date(2026, 1, 2), "2025-12-31", dt.date(2025, 12, 31)),
    "datetime": (
        "printed_at",
        dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        "2025-01-02T03:04:05.000006+00:00",
        dt.datetime(2025, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
    ),
    "address": ("address", "10.2.3.4", "::1", "::1"),
}


def recorded(value):
    return {dt.date: str, Decimal: str, dt.datetime: dt.datetime.isoformat}.get(
        type(value), lambda same: same
    )(value)


@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_any_field_comes_back(ann, name):
    field, new, old, stored = VALUES[name]
    book = Book.objects.create(**{"title": "B", field: new})
    new = "a\nb" if name == "line breaks" else recorded(new)
    assert outcome(put_back(ann, changed(book, changes={field: [old, new]}))) == "done"
    book.refresh_from_db()
    assert getattr(book, field) == stored


@pytest.mark.parametrize(
    ("present", "new"),
    [
        ({"price": Decimal("12.5")}, "12.500"),
        (
            {"printed_at": dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)},
            "2026-01-02T04:00:00+01:00",
        ),
        ({"details": {"a": 1, "b": 2}}, {"b": 2, "a": 1}),
        ({"state": "o"}, {"value": "o", "label": "Called otherwise then"}),
    ],
)
def test_what_is_only_written_otherwise_is_not_a_later_change(ann, present, new):
    book = Book.objects.create(title="B", **present)
    (field,) = present
    old = {"state": "d", "details": {}}.get(field)
    assert outcome(put_back(ann, changed(book, changes={field: [old, new]}))) == "done"


def test_a_foreign_key_comes_back_by_its_key(ann):
    old, new = Author.objects.create(name="Käthe"), Author.objects.create(name="Ulf")
    book = Book.objects.create(title="B", author=new)
    labels = [{"value": each.pk, "label": each.name} for each in (old, new)]
    row = changed(book, changes={"author": labels})
    assert "Käthe" in text_of(ask(ann, row))
    assert outcome(put_back(ann, row)) == "done"
    book.refresh_from_db()
    assert book.author == old


def test_a_file_comes_back_by_its_name(ann):
    old, new = stored_cover("old.png"), stored_cover("new.png")
    book = Book.objects.create(title="B", cover=new)
    assert outcome(put_back(ann, changed(book, changes={"cover": [old, new]}))) == "done"
    book.refresh_from_db()
    assert book.cover.name == old


def test_a_file_that_is_gone_is_not_put_back(ann):
    book = Book.objects.create(title="B", cover=stored_cover("new.png"))
    row = changed(book, changes={"cover": ["covers/gone.png", book.cover.name]})
    assert GONE in refusal(ann, row)


def test_one_field_of_several_is_put_back(ann):
    book = Book.objects.create(title="New", copies=5)
    row = changed(book, changes={"title": ["Old", "New"], "copies": [3, 5]})
    assert "copies" not in text_of(ask(ann, row, "title")).partition("<article")[2]
    assert outcome(put_back(ann, row, "title")) == "done"
    book.refresh_from_db()
    assert (book.title, book.copies) == ("Old", 5)
    assert outcome(put_back(ann, row)) == "done"
    book.refresh_from_db()
    assert (book.title, book.copies) == ("Old", 3)


def test_many_to_many_members_come_back(ann):
    crime, art, other = (Genre.objects.create(name=name) for name in ("Crime", "Art", "Other"))
    book = Book.objects.create(title="B")
    book.genres.set([crime, other])
    entries = [[{"value": each.pk, "label": each.name}] for each in (crime, art)]
    row = changed(book, changes={"genres": {"added": entries[0], "removed": entries[1]}})
    page = text_of(ask(ann, row))
    assert "Art" in page
    assert outcome(put_back(ann, row)) == "done"
    assert set(book.genres.all()) == {art, other}
    assert outcome(put_back(ann, row)) == "same"


@pytest.mark.parametrize("name", ["books", "similar"])
def test_many_to_many_members_come_back_on_the_other_side_and_with_themselves(root, name):
    genre, book, friend = (
        Genre.objects.create(name="Art"),
        *(Book.objects.create(title=title) for title in "ab"),
    )
    instance, member = (genre, book) if name == "books" else (book, friend)
    row = changed(instance, changes={name: {"added": [], "removed": [{"value": member.pk}]}})
    assert outcome(put_back(root, row)) == "done"
    assert list(getattr(instance, name).all()) == [member]
    if name == "similar":
        assert list(friend.similar.all()) == [book]


def test_members_of_a_table_of_their_own_come_back(root):
    club, author = Club.objects.create(name="C"), Author.objects.create(name="A")
    entry = {"value": author.pk, "label": "A"}
    row = changed(club, changes={"members": {"added": [], "removed": [entry]}})
    assert outcome(put_back(root, row)) == "done"
    assert list(club.members.all()) == [author]
    Membership.objects.all().delete()
    added = changed(club, changes={"members": {"added": [entry], "removed": []}})
    assert outcome(put_back(root, added)) == "same"


def test_members_that_somebody_has_changed_since_stay(ann):
    crime, art = (Genre.objects.create(name=name) for name in ("Crime", "Art"))
    book = Book.objects.create(title="B")
    book.genres.set([crime, art])
    entries = [[{"value": each.pk, "label": each.name}] for each in (crime, art)]
    row = changed(book, changes={"genres": {"added": entries[0], "removed": entries[1]}})
    assert "Changed since" in refusal(ann, row)
    assert set(book.genres.all()) == {crime, art}


def test_a_member_that_is_gone_is_not_put_back(ann):
    book = Book.objects.create(title="B")
    entry = {"value": 4711, "label": "Crime"}
    row = changed(book, changes={"genres": {"added": [], "removed": [entry]}})
    assert f"Crime (4711) {GONE}" in refusal(ann, row)


def test_a_field_goes_by_the_name_that_it_has_now(ann, renamed):
    renamed(Book, headline="title")
    book = Book.objects.create(title="New")
    row = changed(book, changes={"headline": ["Old", "New"]})
    assert outcome(put_back(ann, row)) == "done"
    book.refresh_from_db()
    assert book.title == "Old"


@pytest.fixture
def renamed(monkeypatch):
    """Say that fields of a model had other names: `renamed(Book, headline="title")`."""

    def rename(model, **names):
        registration = registry.Registration(model, registry.Options(renamed=names))
        monkeypatch.setitem(registry._registrations, model, registration)

    return rename


# Deleted objects


def test_a_deleted_object_comes_back_with_its_key(ann):
    author = Author.objects.create(name="Käthe")
    book = Book.objects.create(title="B", author=author, price=Decimal("9.90"))
    key = book.pk
    row = deleted(
        book,
        id=key,
        title="B",
        author={"value": author.pk, "label": "Käthe"},
        state={"value": "d", "label": "Draft"},
        price="9.90",
        copies=0,
        details={"a": 1},
        changed_at="2020-01-01T00:00:00+00:00",
    )
    assert "Put back a deleted object" in text_of(ask(ann, row))
    assert outcome(put_back(ann, row)) == "done"
    book = Book.objects.get(pk=key)
    assert (book.title, book.author, book.price, book.details) == (
        "B",
        author,
        Decimal("9.90"),
        {"a": 1},
    )
    assert outcome(put_back(ann, row)) == "same"
    assert Book.objects.count() == 1


def test_a_deleted_child_comes_back_in_both_tables(root):
    child = Audiobook.objects.create(title="A", speaker="S")
    key = child.pk
    row = deleted(child, id=key, title="A", speaker="S", book_ptr={"value": key, "label": "A"})
    assert outcome(put_back(root, row)) == "done"
    assert (Audiobook.objects.get(pk=key).title, Book.objects.count()) == ("A", 1)


@pytest.mark.parametrize("present", ["A", "Another"])
def test_a_deleted_child_joins_the_parent_that_is_there_if_it_is_as_before(root, present):
    child = Audiobook.objects.create(title=present, speaker="S")
    row = changed(child, "delete", {"title": ["A", None], "speaker": ["S", None]})
    child.delete(keep_parents=True)
    if present == "A":
        assert outcome(put_back(root, row)) == "done"
        assert Audiobook.objects.get().speaker == "S"
    else:
        assert "Changed since" in refusal(root, row)
    assert Book.objects.get().title == present


def test_a_natural_key_comes_back_and_the_database_computes_the_rest(root):
    shelf = Shelf.objects.create(code="a/1 ü")
    row = deleted(shelf, code="a/1 ü", width=3, label="A/1 Ü")
    assert outcome(put_back(root, row)) == "done"
    shelf = Shelf.objects.get(pk="a/1 ü")
    assert (shelf.width, shelf.room) == (3, "main")


def test_an_object_with_the_key_of_a_deleted_one_stays(ann):
    book = Book.objects.create(title="B")
    key = book.pk
    row = deleted(book, title="B")
    Book.objects.create(pk=key, title="Another")
    page = refusal(ann, row)
    assert "There is an object with this key again" in page
    assert "Another" in page
    assert Book.objects.get().title == "Another"


def test_a_deleted_object_whose_author_is_gone_can_come_back_without(ann):
    book = Book.objects.create(title="B")
    row = deleted(book, title="B", author={"value": 4711, "label": "Käthe"})
    page = refusal(ann, row)
    assert f"Käthe (4711) {GONE}" in page
    assert f'href="{address(row, "title")}"' in page
    page = text_of(ask(ann, row, "title"))
    assert "these get their default:" in page
    assert outcome(put_back(ann, row, "title")) == "done"
    assert Book.objects.get().author is None


def test_an_object_that_needs_what_is_gone_does_not_come_back(root):
    book = Book.objects.create(title="B")
    edition = Edition.objects.create(book=book)
    row = deleted(edition, number=1, book={"value": book.pk, "label": "B"})
    book.delete()
    assert GONE in refusal(root, row)
    assert "book: This field cannot be null." in refusal(root, row, "number")


@pytest.mark.parametrize("number", [1, 2])
def test_what_must_be_unique_is_not_doubled(root, number):
    genre = Genre.objects.create(name="Art")
    row = deleted(genre, name="Art")
    Genre.objects.create(pk=9_000 + number, name="Art")
    page = refusal(root, row)
    assert "Genre with this Name already exists." in page
    assert Genre.objects.count() == 1


def test_the_time_of_its_creation_comes_back_too(ann, monkeypatch):
    monkeypatch.setattr(Book._meta.get_field("printed_at"), "auto_now_add", True)
    then = timezone.now() - dt.timedelta(days=900)
    row = deleted(Book.objects.create(title="B"), title="B", printed_at=then.isoformat())
    assert outcome(put_back(ann, row)) == "done"
    assert Book.objects.get().printed_at == then


# Refusals


def test_what_a_colleague_has_changed_since_is_shown_and_stays(ann):
    book, row = retitled()
    Book.objects.update(title="Newer")
    page = refusal(ann, row)
    assert "Changed since" in page
    assert "Newer</ins>" in page
    book.refresh_from_db()
    assert book.title == "Newer"


def test_what_it_is_now_is_shown_by_its_name(ann):
    author = Author.objects.create(name="Käthe")
    book = Book.objects.create(title="B", author=author, state="o")
    row = changed(book, changes={"author": [None, {"value": 1234, "label": "Ulf"}]})
    page = refusal(ann, row)
    assert "Ulf (1234)" in words_of(page)
    assert f"Käthe ({author.pk})" in words_of(page)
    book.state = "x"
    book.save()
    row = changed(book, changes={"state": ["o", {"value": "d", "label": "Draft"}]})
    assert "Draft (d)" in words_of(refusal(ann, row))


def test_a_storage_that_does_not_answer_has_no_file(ann, monkeypatch):
    book = Book.objects.create(title="B", cover=stored_cover("new.png"))
    row = changed(book, changes={"cover": [stored_cover("old.png"), book.cover.name]})
    monkeypatch.setattr(Book._meta.get_field("cover").storage, "exists", lambda name: 1 / 0)
    assert GONE in refusal(ann, row)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionDenied("opensesame"), "The project does not allow it."),
        (OperationalError("opensesame"), "The database refused it. Try again later."),
        (ValidationError("Not today."), "Not today."),
        (ProtectedError("opensesame", set()), "another object has the same value"),
        (RecursionError(), "RecursionError"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_each_error_has_its_words(ann, monkeypatch, error, words):
    def fail(self, **kwargs):
        raise error

    _book, row = retitled()
    monkeypatch.setattr(Book, "save", fail)
    page = text_of(put_back(ann, row))
    assert words in page
    assert "opensesame" not in page


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_log_that_cannot_be_read_is_no_error(ann, failing_query, method):
    _book, row = retitled()
    with failing_query("trackmate_activitylog"):
        response = getattr(ann, method)(address(row), {"reason": "so"})
    assert response.status_code == 503


def test_a_table_that_cannot_be_read_is_no_error(ann, failing_query):
    _book, row = retitled()
    with failing_query("library_book"):
        assert ask(ann, row).status_code == 503
        assert put_back(ann, row).status_code == 503


def test_the_other_fields_can_be_put_back_all_the_same(ann):
    book = Book.objects.create(title="Newer", copies=5, text="")
    changes = {"title": ["Old", "New"], "copies": [3, 5], "door_pin": [MASKED, MASKED]}
    row = changed(book, changes=changes)
    assert f'href="{address(row, "copies")}"' in refusal(ann, row)
    assert outcome(put_back(ann, row, "copies")) == "done"
    book.refresh_from_db()
    assert (book.title, book.copies) == ("Newer", 3)


LONG = "x" * 10_000 + "… [5 more]"
UNKNOWN = {
    "masked": ("door_pin", [MASKED, MASKED], "masked"),
    "masked in a text": ("text", [f"key {MASKED}", "new"], "masked"),
    "masked in an address": ("text", ["https://a.example/?sig=REDACTED", "new"], "masked"),
    "masked in JSON": ("details", [{"a": [{"token": MASKED}]}, {}], "masked"),
    "new value masked": ("text", ["old", MASKED], "masked"),
    "cut": ("text", [LONG, "new"], "cut"),
    "new value cut": ("text", ["old", LONG], "cut"),
    "cut JSON": ("details", [{"a": ["x", "[7 more]"]}, {}], "cut"),
    "deep JSON": ("details", [{"a": "[too deep]"}, {}], "cut"),
    "cut names in JSON": ("details", [{"aaa…": 1}, {}], "cut"),
    "large number": ("copies", ["[integer of 90 bits]", 1], "cut"),
    "bytes": ("text", ["[12 bytes]", "new"], "cut"),
    "characters": ("text", ["a\ufffdb", "new"], "characters"),
    "not of the field": ("copies", ["many", 1], "does not fit"),
    "a list": ("title", [["a"], "new"], "does not fit"),
    "a dictionary": ("title", [{"a": 1}, "new"], "does not fit"),
    "no pair": ("title", "new", "no values"),
    "three values": ("title", ["a", "b", "c"], "no values"),
    "gone field": ("colour", ["red", "blue"], GONE),
    "no field at all": ("editions", ["red", "blue"], GONE),
    "method": ("save", ["red", "blue"], GONE),
    "key": ("id", [1, 2], "cannot be changed"),
    "gone members": ("colours", {"added": [{"value": 1}], "removed": []}, GONE),
    "members without keys": ("genres", {"added": [{"label": "x"}], "removed": []}, "not fit"),
    "members that are no list": ("genres", {"added": {"value": 1}, "removed": []}, "not fit"),
    "gone target": ("author", [{"value": 4711, "label": "Käthe"}, None], f"Käthe (4711) {GONE}"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_the_log_does_not_know_is_not_put_back(ann, name):
    field, change, reason = UNKNOWN[name]
    Book.objects.create(title="new", text="new", door_pin="4711")
    row = changed(Book.objects.get(), changes={field: change})
    page = refusal(ann, row)
    assert reason in page
    assert "4711</" not in page.replace("(4711", "")


def test_a_secret_that_came_later_is_not_shown(ann):
    book = Book.objects.create(title="B", details={"api_key": "opensesame"})
    row = changed(book, changes={"details": [{}, {"a": 1}]})
    page = refusal(ann, row)
    assert "Changed since" in page
    assert "opensesame" not in page


def test_a_masked_field_that_came_later_is_not_shown(ann, monkeypatch):
    registration = registry.Registration(Book, registry.Options(mask=["title"]))
    monkeypatch.setitem(registry._registrations, Book, registration)
    _book, row = retitled()
    Book.objects.update(title="opensesame")
    assert "opensesame" not in refusal(ann, row)


@pytest.mark.parametrize("changes", [None, {}, [], "text", 5])
def test_a_row_without_changes_offers_nothing(ann, changes):
    row = changed(Book.objects.create(title="B"), changes=changes)
    assert "The log has no values for this." in refusal(ann, row)


def test_a_field_that_was_not_changed_offers_nothing(ann):
    _book, row = retitled()
    assert "The log has no values for this." in refusal(ann, row, "copies")


def test_an_object_that_is_deleted_meanwhile_is_not_made_again(ann):
    book, row = retitled()
    book.delete()
    assert "Put back its deletion first." in refusal(ann, row)
    assert not Book.objects.exists()


def test_a_model_that_is_gone_is_not_put_back(root):
    kind = ContentType.objects.create(app_label="library", model="scroll")
    row = activity(
        source="model",
        action_type="Update",
        content_type=kind,
        object_id="1",
        changes={"title": ["Old", "New"]},
    )
    assert "The model of this object does not exist any more." in refusal(root, row)
    ActivityLog.objects.update(content_type_id=kind.pk + 1_000)
    assert "The model of this object does not exist any more." in refusal(root, row)


@pytest.mark.parametrize("key", ["x", "9" * 40, "1\0"])
def test_a_key_that_the_model_cannot_have_is_refused(root, key):
    _book, row = retitled()
    ActivityLog.objects.filter(pk=row.pk).update(object_id=key.replace("\0", "-"))
    assert "keys of another type" in refusal(root, row)


@pytest.mark.parametrize(
    "fields",
    [
        {"action_type": "Create"},
        {"source": "admin"},
        {"source": "custom"},
        {"status": "Failed"},
        {"object_id": None},
        {"content_type": None},
    ],
)
def test_only_recorded_updates_and_deletions_can_be_undone(root, fields):
    _book, row = retitled()
    ActivityLog.objects.filter(pk=row.pk).update(**fields)
    assert "Only an update or a deletion" in refusal(root, row)
    detail = text_of(root.get(f"/trackmate/activity/{row.pk}/"))
    assert "/undo/" not in detail


def test_what_the_model_says_against_it_is_shown(ann, monkeypatch):
    def clean(self):
        raise ValidationError({"title": "Titles of old are not allowed."})

    monkeypatch.setattr(Book, "clean", clean)
    book, row = retitled()
    assert "title: Titles of old are not allowed." in refusal(ann, row)
    book.refresh_from_db()
    assert book.title == "New"


def test_a_blank_value_that_the_field_does_not_take_is_refused(ann):
    book = Book.objects.create(title="New")
    row = changed(book, changes={"title": ["", "New"]})
    assert "title: This field cannot be blank." in refusal(ann, row)


class BrokenError(Exception):
    pass


@pytest.mark.parametrize("place", ["save", "signal before", "signal after"])
def test_an_error_of_the_project_undoes_the_undoing(ann, monkeypatch, place, caplog):
    def fail(*args, **kwargs):
        raise BrokenError("opensesame")

    book, row = retitled()
    if place == "save":
        monkeypatch.setattr(Book, "save", fail)
        response = put_back(ann, row)
    else:
        signal = pre_save if "before" in place else post_save
        signal.connect(fail, sender=Book)
        try:
            response = put_back(ann, row)
        finally:
            signal.disconnect(fail, sender=Book)
    assert response.status_code == 409
    assert "own code refused it: BrokenError." in text_of(response)
    assert "opensesame" not in text_of(response)
    book.refresh_from_db()
    assert book.title == "New"


def test_a_save_that_does_nothing_is_not_called_a_success(ann, monkeypatch):
    _book, row = retitled()
    monkeypatch.setattr(Book, "save", lambda self, **kwargs: None)
    response = put_back(ann, row)
    assert response.status_code == 409
    assert "own code prevented saving it" in text_of(response)


def test_what_the_project_sets_itself_is_said(ann, monkeypatch):
    save = Book.save

    def count(self, **kwargs):
        self.copies += 1
        save(self, **kwargs)

    monkeypatch.setattr(Book, "save", count)
    book = Book.objects.create(title="New", copies=5)
    row = changed(Book.objects.get(), changes={"title": ["Old", "New"], "copies": [5, 6]})
    response = put_back(ann, row)
    assert outcome(response) == "partly"
    book.refresh_from_db()
    assert (book.title, book.copies) == ("Old", 6)
    assert "except for fields that the project" in text_of(ann.get(response.url))


def test_the_database_has_the_last_word(root, monkeypatch):
    monkeypatch.setattr(Genre, "full_clean", lambda self, **kwargs: None)
    genre = Genre.objects.create(name="New")
    Genre.objects.create(name="Old")
    response = put_back(root, changed(genre, changes={"name": ["Old", "New"]}))
    assert response.status_code == 409
    assert "The database refused it: another object has the same value" in text_of(response)
    genre.refresh_from_db()
    assert genre.name == "New"


def test_what_the_checks_of_a_model_write_is_not_kept_before_it_is_put_back(ann, monkeypatch):
    monkeypatch.setattr(Book, "clean", lambda self: Genre.objects.create(name="seen"))
    _book, row = retitled()
    assert ask(ann, row).status_code == 200
    assert not Genre.objects.exists()


# Who puts back what


@pytest.mark.parametrize("lacking", [*PERMISSIONS[:3]])
def test_each_permission_is_needed(client, lacking):
    book, row = retitled()
    permissions = {*PERMISSIONS} - {lacking}
    client.force_login(person("ann", *permissions, is_staff=True))
    name = f"{'library' if lacking == 'change_book' else 'trackmate'}.{lacking}"
    for response in (ask(client, row), put_back(client, row)):
        assert response.status_code == 403
        assert f"<code>{name}</code>" in text_of(response)
    assert "/undo/" not in text_of(client.get(f"/trackmate/activity/{row.pk}/"))
    book.refresh_from_db()
    assert book.title == "New"


def test_a_deleted_object_needs_the_permission_to_add(client):
    client.force_login(person("ann", *PERMISSIONS[:3], is_staff=True))
    row = deleted(Book.objects.create(title="B"), title="B")
    assert "<code>library.add_book</code>" in text_of(put_back(client, row))
    assert not Book.objects.exists()


def test_unless_it_is_switched_on_there_is_no_such_page(root, configure):
    configure(UNDO=False)
    _book, row = retitled()
    assert ask(root, row).status_code == 404
    assert put_back(root, row).status_code == 404
    assert "/undo/" not in text_of(root.get(f"/trackmate/activity/{row.pk}/"))


def test_rows_that_a_person_may_not_see_are_not_undone(ann, configure):
    configure(DASHBOARD_QUERYSET=lambda request, rows: rows.filter(action="other"))
    book, row = retitled()
    assert ask(ann, row).status_code == 404
    assert put_back(ann, row).status_code == 404
    book.refresh_from_db()
    assert book.title == "New"


def test_a_forged_form_does_nothing(django_user_model):
    client = Client(enforce_csrf_checks=True)
    client.force_login(django_user_model.objects.create_superuser("root", password="x"))
    _book, row = retitled()
    assert put_back(client, row).status_code == 403


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_no_other_method_is_taken(root, method):
    _book, row = retitled()
    assert getattr(root, method)(address(row)).status_code == 405


# What is sent twice, and at once


def test_a_second_click_is_harmless(ann):
    saved = []
    _book, row = retitled()
    assert outcome(put_back(ann, row)) == "done"
    post_save.connect(receiver := lambda **kwargs: saved.append(kwargs), sender=Book)
    response = put_back(ann, row)
    post_save.disconnect(receiver, sender=Book)
    assert (outcome(response), saved) == ("same", [])
    assert "already as it was" in text_of(ann.get(response.url))
    assert "already as it was" in text_of(ask(ann, row))


def test_of_two_people_at_once_the_second_changes_nothing(ann, monkeypatch):
    """The other one is faster between the first look and the lock."""
    book, row = retitled()
    make_plan = actions.make_plan

    def make_plan_late(*args, lock=False, **kwargs):
        if lock:
            Book.objects.filter(pk=book.pk).update(title="Old")
        return make_plan(*args, lock=lock, **kwargs)

    monkeypatch.setattr(actions, "make_plan", make_plan_late)
    assert outcome(put_back(ann, row)) == "same"


def test_of_two_people_who_create_it_again_the_second_changes_nothing(ann, monkeypatch):
    book = Book.objects.create(title="B")
    key = book.pk
    row = deleted(book, title="B")
    full_clean = Book.full_clean

    def clean_late(self, **kwargs):
        full_clean(self, **kwargs)
        if not Book.objects.filter(pk=key).exists():
            Book(pk=key, title="B").save()

    monkeypatch.setattr(Book, "full_clean", clean_late)
    response = put_back(ann, row)
    # What the other one has done is part of this transaction here, and is gone with it.
    assert response.status_code == 409
    assert "The database refused it" in text_of(response)


@pytest.mark.only_on("postgresql", "mysql")
def test_the_object_is_locked_while_it_is_put_back(ann):
    _book, row = retitled()
    with CaptureQueriesContext(connection) as captured:
        put_back(ann, row)
    locking = [each["sql"] for each in captured if "FOR UPDATE" in each["sql"]]
    assert len(locking) == 1
    assert "library_book" in locking[0]


@pytest.mark.only_on("postgresql", "mysql")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["update", "delete"])
def test_of_many_people_at_once_one_puts_it_back(django_user_model, thread_connections, kind):
    django_user_model.objects.create_superuser("root", password="x")
    book, row = retitled()
    if kind == "delete":
        row = deleted(book, title="Old")
    saved, start = [], Barrier(5)

    def hurry(_number):
        client = Client()
        client.force_login(django_user_model.objects.get(username="root"))
        start.wait()
        return outcome(put_back(client, row))

    post_save.connect(receiver := lambda **kwargs: saved.append(kwargs), sender=Book)
    with ThreadPoolExecutor(5) as executor:
        outcomes = list(executor.map(hurry, range(5)))
    post_save.disconnect(receiver, sender=Book)
    assert Counter(outcomes) == {"done": 1, "same": 4}
    assert Book.objects.get().title == "Old"


# Models of all kinds


def test_an_object_that_the_default_manager_hides_is_found(root):
    card = Card.objects.create(name="New", is_lost=True)
    assert outcome(put_back(root, changed(card, changes={"name": ["Old", "New"]}))) == "done"
    assert Card._base_manager.get().name == "Old"
    assert outcome(put_back(root, changed(card, changes={"is_lost": [False, True]}))) == "done"


def test_a_child_is_put_back_in_both_tables(root):
    child = Audiobook.objects.create(title="New", speaker="New")
    row = changed(child, changes={"title": ["Old", "New"], "speaker": ["Before", "New"]})
    assert outcome(put_back(root, row)) == "done"
    child.refresh_from_db()
    assert (child.title, child.speaker) == ("Old", "Before")


class ToApart:
    """Books are in the other database."""

    def db_for_read(self, model, **hints):
        return "apart" if model._meta.app_label == "library" else None

    db_for_write = db_for_read


@pytest.mark.django_db(databases=["default", "apart"])
def test_the_object_is_looked_for_where_it_would_be_written(ann, settings):
    book, row = retitled()
    settings.DATABASE_ROUTERS = [ToApart()]
    assert "does not exist any more" in refusal(ann, row)
    author = Author.objects.create(name="A")
    Book.objects.create(pk=book.pk, title="New")
    assert outcome(put_back(ann, row)) == "done"
    assert Book.objects.using("apart").get().title == "Old"
    assert Book.objects.using("default").get().title == "New"
    label = {"value": author.pk, "label": "A"}
    assert outcome(put_back(ann, changed(book, changes={"author": [label, None]}))) == "done"
    assert Book.objects.get().author == author


def test_a_key_that_is_a_uuid_leads_to_its_object(root):
    invoice = Invoice.objects.create(total=5)
    assert outcome(put_back(root, changed(invoice, changes={"total": ["3.00", "5.00"]}))) == "done"
    row = deleted(invoice, id=str(invoice.pk), total="3.00")
    assert outcome(put_back(root, row)) == "done"
    assert Invoice.objects.get(pk=row.object_id).total == 3


def test_a_key_of_two_columns_leads_to_its_object(root):
    seat = Seat.objects.create(row="A", number=7)
    row = deleted(seat, row="A", number=7)
    assert outcome(put_back(root, row)) == "done"
    assert Seat.objects.filter(pk=("A", 7)).exists()
    assert outcome(put_back(root, row)) == "same"
    moved = changed(Seat.objects.get(), changes={"number": [6, 7]})
    assert "cannot be changed" in refusal(root, moved)


def test_a_proxy_needs_the_permission_of_its_model(ann):
    thin = ThinBook.objects.create(title="New")
    assert outcome(put_back(ann, changed(thin, changes={"title": ["Old", "New"]}))) == "done"
    assert Book.objects.get().title == "Old"


def test_what_each_save_sets_is_left_to_it(ann):
    book = Book.objects.create(title="New")
    then = "2020-01-01T00:00:00+00:00"
    row = changed(book, changes={"title": ["Old", "New"], "changed_at": [then, then]})
    assert "Set by the model itself:" in text_of(ask(ann, row))
    assert outcome(put_back(ann, row)) == "done"
    only = changed(book, changes={"changed_at": [then, then]})
    assert put_back(ann, only).status_code == 409


# How it is recorded


def test_it_is_an_activity_that_points_to_what_it_undid(ann):
    book, row = retitled()
    with capture_activities() as found:
        put_back(ann, row, reason="the wrong book")
    (undone,) = found
    assert (undone.source, undone.action, undone.action_type) == (
        "model",
        "library.book.update",
        "Update",
    )
    assert (undone.actor_label, undone.reason) == ("ann", "the wrong book")
    assert undone.extra == {"undo_of": str(row.pk)}
    assert undone.changes == {"title": ["New", "Old"]}
    assert undone.target.identity == ("library.book", str(book.pk))
    assert undone.ip_address == "127.0.0.1"


def test_an_undoing_can_be_undone(ann):
    book, row = retitled()
    put_back(ann, row)
    undone = ActivityLog.objects.get(extra__undo_of=str(row.pk))
    assert str(row.pk) in text_of(ann.get(f"/trackmate/activity/{undone.pk}/"))
    assert outcome(put_back(ann, undone)) == "done"
    book.refresh_from_db()
    assert book.title == "New"


def test_an_object_that_came_back_is_recorded_as_created(ann):
    row = deleted(Book.objects.create(title="B"), title="B", copies=0)
    with capture_activities() as found:
        put_back(ann, row)
    (undone,) = found
    assert (undone.action, undone.action_type) == ("library.book.create", "Create")
    assert undone.changes == {"title": [None, "B"], "copies": [None, 0]}


def test_what_was_refused_is_not_recorded(ann):
    _book, row = retitled()
    Book.objects.update(title="Newer")
    with capture_activities() as found:
        put_back(ann, row)
        ask(ann, row)
    assert found == []


def test_the_project_is_told(ann):
    told = []

    def hear(**kwargs):
        told.append(kwargs)

    change_undone.connect(hear)
    try:
        book, row = retitled()
        put_back(ann, row, reason="so")
    finally:
        change_undone.disconnect(hear)
    (values,) = told
    assert values["sender"] is Book
    assert (values["activity"], values["instance"], values["reason"]) == (row, book, "so")
    assert values["changes"] == {"title": ["New", "Old"]}


# Recorded by trackmate itself


def rows_of(verb):
    return ActivityLog.objects.filter(source="model", action__endswith=f".{verb}").order_by("-pk")


def test_what_was_recorded_is_put_back_and_that_is_recorded_once(ann, registered):
    registered(Book)
    art, crime = (Genre.objects.create(name=name) for name in ("Art", "Crime"))
    authors = [Author.objects.create(name=name) for name in ("Käthe", "Ulf")]
    before = {
        "title": "Emma",
        "subtitle": None,
        "author": authors[0],
        "price": Decimal("9.90"),
        "details": {"a": [1, {"value": 2}]},
        "printed_at": timezone.now(),
        "out_on": dt.date(2026, 1, 2),
        "text": "two\r\nlines",
        "cover": stored_cover("emma.png"),
    }
    book = Book.objects.create(**before)
    book.genres.set([art])
    ActivityLog.objects.all().delete()
    for name, value in {
        "title": "Emma!",
        "subtitle": "A novel",
        "author": authors[1],
        "price": Decimal("12.50"),
        "details": [],
        "printed_at": None,
        "out_on": dt.date(2026, 1, 3),
        "text": "one\r\nline",
        "cover": stored_cover("other.png"),
        "state": "o",
    }.items():
        setattr(book, name, value)
    book.save()
    book.genres.set([crime])
    updates = [*rows_of("update")]
    for row in updates:
        assert outcome(put_back(ann, row, reason="so")) == "done"
    book = Book.objects.get()
    assert {name: getattr(book, name) for name in before} == {
        **before,
        "text": "two\nlines",
    }
    assert list(book.genres.all()) == [art]
    undone = [*rows_of("update").exclude(pk__in=[each.pk for each in updates])]
    assert len(undone) == len(updates)
    assert {each.extra["undo_of"] for each in undone} == {str(each.pk) for each in updates}
    assert {(each.actor_label, each.reason) for each in undone} == {("ann", "so")}


def test_a_recorded_deletion_is_put_back(root, registered):
    registered(Book)
    registered(Audiobook)
    registered(Genre)
    author, art = Author.objects.create(name="Käthe"), Genre.objects.create(name="Art")
    child = Audiobook.objects.create(
        title="Emma", author=author, speaker="S", price=3, details={"a": 1}
    )
    child.genres.add(art)
    values = Audiobook.objects.values().get()
    child.delete()
    for row in rows_of("delete"):
        assert outcome(put_back(root, row)) in ("done", "same")
    found = Audiobook.objects.values().get()
    assert {**found, "changed_at": None} == {**values, "changed_at": None}
    for row in rows_of("update").filter(extra__cause__isnull=False):
        assert outcome(put_back(root, row)) in ("done", "same")
    assert list(Audiobook.objects.get().genres.all()) == [art]


@pytest.mark.parametrize("options", [{"fields": ["copies"]}, {"on": ["delete"]}])
def test_a_field_that_is_not_recorded_any_more_leaves_no_hole(ann, registered, options):
    registered(Book, **options)
    _book, row = retitled()
    with capture_activities() as found:
        put_back(ann, row)
    (undone,) = found
    assert undone.extra == {"undo_of": str(row.pk)}
    assert undone.changes == {"title": ["New", "Old"]}


@pytest.mark.parametrize("in_one", [False, True], ids=["", "in one transaction"])
def test_without_the_middleware_it_is_recorded_too(ann, registered, settings, in_one):
    settings.MIDDLEWARE = settings.MIDDLEWARE[1:]
    settings.DATABASES["default"]["ATOMIC_REQUESTS"] = in_one
    registered(Book)
    _book, row = retitled()
    with capture_activities() as found:
        put_back(ann, row)
    settings.DATABASES["default"]["ATOMIC_REQUESTS"] = False
    (undone,) = found
    assert (undone.actor_label, undone.extra["undo_of"]) == ("ann", str(row.pk))


def test_the_key_of_what_was_undone_is_never_taken_for_a_secret():
    keys = [str(uuid7(timezone.now() - dt.timedelta(hours=each))) for each in range(2_000)]
    activities = (Activity.now(source="model", extra={"undo_of": key}) for key in keys)
    assert [redact(each).extra["undo_of"] for each in activities] == keys


# In the drawer


def test_a_fragment_is_always_a_success(ann):
    _book, row = retitled()
    page = text_of(ask(ann, row, headers=FRAGMENT))
    assert "<html" not in page
    assert 'hx-target="#tm-drawer-body"' in page
    for reason, words in (
        ("", "tm-error-reason"),
        ("so", "It was put back."),
        ("so", "already as"),
    ):
        response = put_back(ann, row, reason=reason, headers=FRAGMENT)
        assert response.status_code == 200
        assert words in text_of(response)
    Book.objects.update(title="Newer")
    response = put_back(ann, row, headers=FRAGMENT)
    assert (response.status_code, "Changed since" in text_of(response)) == (200, True)


def test_each_field_has_its_button(ann):
    book = Book.objects.create(title="New", copies=5)
    changes = {"title": ["Old", "New"], "copies": [3, 5], "door_pin": [MASKED, MASKED]}
    row = changed(book, changes=changes)
    page = text_of(ann.get(f"/trackmate/activity/{row.pk}/"))
    for names in ((), ("title",), ("copies",)):
        assert f'href="{address(row, *names)}"' in page
    assert address(row, "door_pin") not in page
    assert f'href="{address(row)}">Put all back<' in page


def test_each_change_of_the_timeline_has_its_button(ann):
    book = Book.objects.create(title="New", copies=5)
    first = changed(book, changes={"title": ["Old", "New"]})
    parts = [
        changed(book, changes=changes, request_id="r1")
        for changes in ({"copies": [3, 5]}, {"genres": {"added": [], "removed": []}})
    ]
    created = changed(book, verb="create", changes={"title": [None, "Old"]})
    page = text_of(ann.get(f"/trackmate/object/library.book/{book.pk}/"))
    assert f'href="{address(first)}">Put back <bdi class="tm-unseen">title</bdi>' in page
    for row, name in zip(parts, ("copies", "genres"), strict=True):
        assert f'href="{address(row)}">Put back <bdi>{name}</bdi>' in page
    assert address(created) not in page


def test_without_the_permission_the_timeline_has_no_button(client):
    _book, row = retitled()
    client.force_login(person("reader", "view_payload", is_staff=True))
    page = text_of(client.get(f"/trackmate/object/library.book/{row.object_id}/"))
    assert ("State at this time" in page, address(row) in page) == (True, False)


def test_hostile_texts_are_inert(ann):
    script, image = "<script>alert(1)</script>", "<img src=x onerror=alert(1)>"
    book = Book.objects.create(title=script, text=image)
    changes = {
        "title": [image, script],
        "text": ["", script],
        "author": [{"value": image, "label": script}, None],
        script: [image, script],
    }
    row = changed(book, changes=changes)
    for page in (
        ask(ann, row),
        ask(ann, row, "title"),
        put_back(ann, row, reason=script),
        put_back(ann, row, script, reason=""),
        ann.get(f"/trackmate/activity/{row.pk}/"),
    ):
        assert script not in text_of(page)
        assert image not in text_of(page)
