"""The scripts of the how-to page bring over what each package has really recorded."""

import datetime as dt
import inspect
import re
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pghistory
import pytest
from auditlog.context import set_actor
from django.contrib.auth import get_user_model
from django.db import transaction
from easyaudit.middleware.easyaudit import clear_request, set_current_user

from tests.peers import models
from tests.peers.models import Author, Book, Edition, Genre
from trackmate import diagnostics
from trackmate.models import ActivityLog

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = Path(__file__).parent.parent.parent / "docs/howto/coming-from.md"
SHOP = {"Order": Book, "OrderEvent": models.BookEvent, "OrderTagEvent": models.BookGenreEvent}
NOON = dt.datetime(2026, 1, 1, 12, 0, 0, 250, tzinfo=dt.UTC)


def script(about):
    """Return the script of the page that has this in it."""
    found = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (code,) = (inspect.cleandoc(each) for each in found if about in each)
    return code.replace("Order.tags", "Order.genres")


def module(monkeypatch, name, **values):
    """Let the scripts import a module."""
    made = ModuleType(name)
    vars(made).update(values)
    monkeypatch.setitem(sys.modules, name, made)
    return made


@pytest.fixture
def run(monkeypatch):
    """Run the script of a package: `run("def from_auditlog")`."""
    module(monkeypatch, "shop")
    module(monkeypatch, "shop.models", **SHOP)
    common = module(monkeypatch, "history_import")
    exec(script("def import_rows"), vars(common))

    def run_script(about):
        exec(script(about), {"__name__": "__main__"})
        assert diagnostics.counts == {}

    return run_script


@pytest.fixture
def alice():
    return get_user_model().objects.create_user("alice")


@pytest.fixture
def people():
    return Author.objects.create(name="Käthe"), Author.objects.create(name="Emil")


@pytest.fixture
def genres():
    return [Genre.objects.create(name=name) for name in ("Crime", "Poems", "Travel")]


@pytest.fixture
def life(alice, people, genres):
    """All that happens to a book, by alice."""
    kaethe, emil = people
    with set_actor(alice, remote_addr="192.0.2.7"), pghistory.context(user=alice.pk, url="/books/"):
        set_current_user(alice)
        book = Book(title="Tea", author=kaethe, price="12.50", printed_at=NOON, details={"a": 1})
        book._history_user, book._change_reason = alice, "a new one"
        book.save()
        key = book.pk
        book.genres.add(*genres[:2])
        book.title, book.author, book.state, book.price = "Rum", emil, "o", Decimal("13.00")
        book.printed_at, book.out_on, book.is_rare = None, dt.date(2026, 2, 1), True
        book.details, book.cover.name = {"b": [None]}, "covers/rum.png"
        book.save()
        book.save()
        Edition.objects.create(book=book)
        book.genres.remove(genres[0])
        book.genres.clear()
        book.delete()
        clear_request()
    return key


SCRIPTS = {
    "auditlog": "def from_auditlog",
    "simple-history": "def from_simple_history",
    "easy-audit": "def from_easyaudit",
    "pghistory": "def from_pghistory",
}
package = pytest.mark.parametrize("about", SCRIPTS.values(), ids=SCRIPTS)


def rows():
    return list(ActivityLog.objects.order_by("id"))


def changes(verb):
    """Return all changes of columns with this verb, put together."""
    of_it = [row for row in rows() if row.action == f"peers.book.{verb}"]
    return {
        name: change
        for row in of_it
        for name, change in row.changes.items()
        if isinstance(change, list) and name != "id"
    }


@package
def test_a_creation_has_what_was_new(run, life, people, about):
    run(about)
    assert changes("create") == {
        "title": [None, "Tea"],
        "author": [None, {"value": people[0].pk}],
        "state": [None, {"value": "d", "label": "Draft"}],
        "price": [None, "12.50"],
        "is_rare": [None, False],
        "details": [None, {"a": 1}],
        "printed_at": [None, stored_noon(about)],
    }


def stored_noon(about):
    """Return a time as the package has kept it: Django's serializer cuts milliseconds."""
    return (NOON.replace(microsecond=0) if "easyaudit" in about else NOON).isoformat()


@package
def test_an_update_has_what_was_and_what_is(run, life, people, about):
    run(about)
    assert changes("update") == {
        "title": ["Tea", "Rum"],
        "author": [{"value": people[0].pk}, {"value": people[1].pk}],
        "state": [{"value": "d", "label": "Draft"}, {"value": "o", "label": "Published"}],
        "price": ["12.50", "13.00"],
        "is_rare": [False, True],
        "details": [{"a": 1}, {"b": [None]}],
        "printed_at": [stored_noon(about), None],
        "out_on": [None, "2026-02-01"],
        "cover": [None, "covers/rum.png"],
    }


@package
def test_a_deletion_has_what_was(run, life, people, about):
    run(about)
    assert changes("delete") == {
        "title": ["Rum", None],
        "author": [{"value": people[1].pk}, None],
        "state": [{"value": "o", "label": "Published"}, None],
        "price": ["13.00", None],
        "is_rare": [True, None],
        "details": [{"b": [None]}, None],
        "out_on": ["2026-02-01", None],
        "cover": ["covers/rum.png", None],
    }


def values(side):
    changed = [row.changes["genres"][side] for row in rows() if "genres" in row.changes]
    return [each["value"] for change in changed for each in change]


@package
def test_members_come_and_go(run, life, genres, about):
    run(about)
    names = "auditlog" in about
    first, second = ("Crime", "Poems") if names else (genres[0].pk, genres[1].pk)
    assert sorted(values("added")) == sorted([first, second])
    assert values("removed") == [first, second]


@package
def test_rows_are_about_the_book_and_by_whoever_did_it(run, life, alice, about):
    run(about)
    assert {(row.object_id, row.content_type.model) for row in rows()} == {(str(life), "book")}
    assert {row.actor_label for row in rows()} == {"alice"}
    assert [rows()[0].object_repr, rows()[-1].object_repr] == ["Tea", "Rum"]
    assert {row.source for row in rows()} == {"model"}


@package
def test_importing_again_adds_nothing(run, life, about):
    run(about)
    count = len(rows())
    run(about)
    assert len(rows()) == count


@package
def test_a_save_without_a_change_is_no_row(run, life, about):
    run(about)
    assert all(row.changes for row in rows())


@package
def test_rows_of_one_time_keep_their_order(run, people, about, alice):
    with transaction.atomic():
        book = Book.objects.create(title="0")
        for number in range(1, 30):
            book.title = str(number)
            book.save()
    run(about)
    titles = [row.changes["title"][1] for row in rows()]
    assert titles == [str(number) for number in range(30)]


def test_what_each_package_knows_of_the_request_is_kept(run, life):
    run(SCRIPTS["auditlog"])
    assert {row.ip_address for row in rows()} == {"192.0.2.7"}
    ActivityLog.objects.all().delete()
    run(SCRIPTS["simple-history"])
    assert rows()[0].reason == "a new one"
    ActivityLog.objects.all().delete()
    run(SCRIPTS["pghistory"])
    assert {row.path for row in rows()} == {"/books/"}
    assert len({row.request_id for row in rows()}) == 1
