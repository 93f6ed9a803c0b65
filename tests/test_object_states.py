"""`history()`, `diff()` and `as_of()`: what an object was like, from its recorded changes."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.library.models import Audiobook, Author, Book, Card, Edition, Genre, Shelf
from tests.recorded import NOON, change, hour
from tests.urls_under_test import log_queries
from trackmate.history import (
    CutText,
    MaskedText,
    RelatedObject,
    as_of,
    diff,
    history,
    is_complete,
)
from trackmate.models import ActivityLog
from trackmate.registry import registration_of

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

SPEAKER = {"value": 7, "label": "Käthe"}


def title(obj, at, **options):
    state = as_of(obj, hour(at), **options)
    return None if state is None else state.get("title", "unknown")


# --- history()


def test_the_history_has_the_changes_of_one_object_newest_first():
    book, other = Book.objects.create(title="a"), Book.objects.create(title="b")
    first = change(book, "create", {"title": [None, "a"]})
    last = change(book, "update", {"title": ["a", "b"]}, at=1)
    change(other, "create", {})
    change(book, "update", {}, source="request")
    assert list(history(book)) == [last, first]
    assert list(history((Book, book.pk))) == list(history(last)) == [last, first]


@pytest.mark.parametrize("nothing", [Book(), (Book, None), (Book, "x"), ActivityLog()])
def test_what_is_not_stored_has_no_history(nothing):
    assert not history(nothing).exists()
    assert as_of(nothing, hour(0)) is None
    assert diff(nothing, hour(0), hour(1)) == {}


@pytest.mark.parametrize("wrong", [None, "library.book/7", 7, (7, Book)])
def test_what_is_no_object_is_refused(wrong):
    with pytest.raises(TypeError, match="Expected a model instance"):
        history(wrong)


def test_a_moment_has_to_be_one():
    with pytest.raises(TypeError, match="Expected a datetime"):
        as_of((Book, 7), "yesterday")


# --- existence


def test_an_object_is_there_from_its_creation_to_its_deletion():
    change((Book, 7), "create", {"title": [None, "a"]}, at=1)
    change((Book, 7), "update", {"title": ["a", "b"]}, at=2)
    change((Book, 7), "delete", {"title": ["b", None]}, at=3)
    assert [title((Book, 7), at) for at in (0.9, 1, 1.9, 2, 2.9, 3, 4)] == [
        *(None, "a", "a", "b", "b"),
        *(None, None),
    ]


def test_a_second_object_with_the_same_key_has_a_life_of_its_own(registered):
    registered(Shelf)
    change((Shelf, "A"), "create", {"room": [None, "old"], "width": [None, 3]}, at=1)
    change((Shelf, "A"), "delete", {"room": ["old", None], "width": [3, None]}, at=2)
    change((Shelf, "A"), "create", {"room": [None, "new"]}, at=3)
    states = [as_of((Shelf, "A"), hour(at)) for at in (1, 2, 3)]
    assert states[1] is None
    assert (states[0]["room"], states[0]["width"]) == ("old", 3)
    # The width of the first shelf is not that of the second.
    assert (states[2]["room"], states[2]["width"], states[2]["code"]) == ("new", None, "A")


def test_the_first_change_may_be_an_update(registered):
    registered(Book)
    book = Book.objects.create(title="c", copies=5)
    change(book, "update", {"title": ["a", "b"]}, at=1)
    change(book, "update", {"title": ["b", "c"]}, at=2)
    assert [title(book, at) for at in (0, 1, 2)] == ["a", "b", "c"]
    # Never changed, so it was what it is.
    assert as_of(book, hour(0))["copies"] == 5


def test_of_a_deleted_object_without_creation_the_deletion_has_the_values(registered):
    registered(Book)
    change((Book, 7), "update", {"title": ["a", "b"]}, at=1)
    change((Book, 7), "delete", {"title": ["b", None], "copies": [5, None]}, at=2)
    state = as_of((Book, 7), hour(0))
    assert (state["title"], state["copies"], state["subtitle"]) == ("a", 5, None)
    assert as_of((Book, 7), hour(2)) is None


def test_of_an_object_that_vanished_unseen_only_changes_are_known(registered):
    registered(Book)
    change((Book, 7), "update", {"title": ["a", "b"]}, at=1)
    assert as_of((Book, 7), hour(2)) == {"title": "b"}


def test_an_object_that_never_changed_is_what_it_is(registered):
    registered(Book, fields=["title", "copies"])
    book = Book.objects.create(title="a")
    assert as_of(book, hour(0)) == {"title": "a", "copies": 0}
    assert as_of((Book, book.pk + 1), hour(0)) is None


def test_the_present_can_be_left_out(registered):
    registered(Book)
    book = Book.objects.create(title="c", copies=5)
    change(book, "update", {"title": ["b", "c"]}, at=1)
    assert as_of(book, hour(0), with_present=False) == {"title": "b"}
    other = Book.objects.create(title="d")
    assert as_of(other, hour(0), with_present=False) is None


def test_a_stale_save_does_not_change_the_past():
    """Its old value is the one that the instance knew, not the one that was there."""
    change((Book, 7), "create", {"title": [None, "a"]}, at=0)
    change((Book, 7), "update", {"title": ["a", "b"]}, at=1)
    change((Book, 7), "update", {"title": ["a", "c"]}, at=2)
    assert [title((Book, 7), at) for at in (0, 1, 2)] == ["a", "b", "c"]


def test_rows_of_one_millisecond_are_in_the_order_of_their_keys():
    for number in range(5):
        later = timedelta(microseconds=number)
        change((Book, 7), "update", {"copies": [number, number + 1]}, action_time=NOON + later)
    rows = list(history((Book, 7)).reverse())
    assert [as_of((Book, 7), row)["copies"] for row in rows] == [1, 2, 3, 4, 5]
    assert as_of((Book, 7), NOON)["copies"] == 1
    assert as_of((Book, 7), NOON - timedelta(microseconds=1))["copies"] == 0


def test_a_date_is_its_midnight():
    change((Book, 7), "create", {"title": [None, "a"]})
    assert as_of((Book, 7), date(2026, 3, 1)) is None
    assert as_of((Book, 7), date(2026, 3, 2))["title"] == "a"
    assert as_of((Book, 7), datetime.max.replace(tzinfo=UTC))["title"] == "a"
    assert as_of((Book, 7), datetime.min.replace(tzinfo=UTC)) is None


# --- values


def test_values_are_what_python_has(registered):
    registered(Book)
    recorded = {
        "title": "Der Turm",
        "author": SPEAKER,
        "state": {"value": "o", "label": "Out"},
        "price": "12.50",
        "copies": 3,
        "details": {"value": 1},
        "printed_at": "2026-03-01T12:00:00+00:00",
        "out_on": "2026-03-02",
        "cover": "covers/a.png",
        "address": "10.2.3.4",
    }
    change((Book, 7), "create", {name: [None, value] for name, value in recorded.items()})
    state = as_of((Book, 7), hour(1))
    assert state["author"] == RelatedObject(7)
    assert (state["author"].label, str(state["author"])) == ("Käthe", "Käthe")
    assert (state["state"], state.labels) == ("o", {"state": "Out"})
    assert state["price"] == Decimal("12.50")
    assert (state["details"], state["cover"]) == ({"value": 1}, "covers/a.png")
    assert (state["printed_at"], state["out_on"]) == (NOON, date(2026, 3, 2))
    assert (state["subtitle"], state["genres"]) == (None, [])
    assert list(state)[:3] == ["title", "subtitle", "author"]


@pytest.mark.parametrize(
    ("name", "recorded", "expected"),
    [
        ("door_pin", "[redacted]", MaskedText),
        ("author", "[redacted]", MaskedText),
        ("text", "abc… [900 more]", CutText),
        ("text", "an … [odd] text", str),
        ("copies", "[redacted]", MaskedText),
        ("copies", "a dozen", str),
        ("copies", ["not", "a", "number"], list),
        ("price", {"value": "x", "label": "y"}, str),
        ("out_on", "2026-99-99", str),
        ("details", ["[12 more]"], list),
        ("author", ["not", "a", "key"], list),
    ],
)
def test_what_cannot_be_parsed_stays_as_it_was_recorded(name, recorded, expected):
    change((Book, 7), "create", {name: [None, recorded]})
    value = as_of((Book, 7), hour(1))[name]
    assert type(value) is expected
    assert value in (recorded, "x")


@pytest.mark.parametrize(
    ("value", "complete"),
    [
        *(
            (value, True)
            for value in (None, "", "text", 7, {"a": ["b"]}, RelatedObject(7), "[3 left]")
        ),
        ("[redacted]", False),
        ("token=[redacted]&a=1", False),
        ("abc… [900 more]", False),
        ({"a": ["[12 more]"]}, False),
        ({"…": "x", "[redacted]": 1}, False),
        ("[too deep]", False),
        ("[7 bytes]", False),
    ],
)
def test_a_value_says_whether_it_is_complete(value, complete):
    assert is_complete(value) is complete


def test_present_secrets_are_masked_as_they_would_be_recorded(registered):
    registered(Book, mask=["subtitle"])
    book = Book.objects.create(title="a", subtitle="b", door_pin="4711")
    state = as_of(book, hour(0))
    assert isinstance(state["subtitle"], MaskedText)
    assert isinstance(state["door_pin"], MaskedText)
    assert state["title"] == "a"


def test_of_a_model_that_is_not_registered_only_changes_are_known():
    book = Book.objects.create(title="b", text="never recorded")
    change(book, "update", {"title": ["a", "b"]}, at=1)
    assert as_of(book, hour(0)) == {"title": "a"}


@pytest.mark.parametrize(
    "changes",
    [
        None,
        [],
        "text",
        {"title": "b"},
        {"title": ["a"]},
        {"title": {"added": 1, "more": 2}},
        {"genres": {"added": None}},
        {"genres": {"added": [None, {}, [], "[2 more]"]}},
    ],
)
def test_changes_of_another_form_are_passed_over(changes):
    change((Book, 7), "create", {"title": [None, "a"]})
    change((Book, 7), "update", changes, at=1)
    assert title((Book, 7), 2) == "a"
    assert title((Book, 7), 0) == "a"


# --- fields that were renamed, or are gone


def test_a_field_is_found_under_its_former_names(registered):
    registered(Book, renamed={"name": "heading", "heading": "title", "copies": "price"})
    change((Book, 7), "create", {"name": [None, "a"], "copies": [None, 1]}, at=0)
    change((Book, 7), "update", {"heading": ["a", "b"]}, at=1)
    change((Book, 7), "update", {"title": ["b", "c"]}, at=2)
    assert [title((Book, 7), at) for at in (0, 1, 2)] == ["a", "b", "c"]
    # A name that the model has is never another field's.
    assert as_of((Book, 7), hour(2))["copies"] == 1


def test_renames_in_a_circle_end(registered):
    registered(Book, renamed={"x": "y", "y": "x"})
    change((Book, 7), "create", {"x": [None, 1]})
    assert as_of((Book, 7), hour(1)).gone <= {"x", "y"}


def test_a_field_that_is_gone_has_its_recorded_name(registered):
    registered(Book)
    changes = {"isbn": [None, "1-2"], "publisher": [None, SPEAKER], "title": [None, "a"]}
    change((Book, 7), "create", {**changes, "tags": {"added": [SPEAKER], "removed": []}})
    state = as_of((Book, 7), hour(1))
    assert state.gone == {"isbn", "publisher", "tags"}
    assert (state["isbn"], state["publisher"].label) == ("1-2", "Käthe")
    assert state["tags"] == [RelatedObject(7)]


def test_a_model_that_is_gone_has_its_recorded_values():
    old = ContentType.objects.create(app_label="library", model="scroll")
    row = change((Book, 7), "create", {"title": [None, "a"]}, content_type=old)
    state = as_of(row, row)
    assert (state, state.gone) == ({"title": "a"}, {"title"})
    assert list(history(row)) == [row]


# --- labels of related objects


def named(author, name, at, **fields):
    return change(author, "update", {}, at=at, object_repr=name, **fields)


def test_a_related_object_has_the_name_of_that_time(registered):
    registered(Book)
    author = Author.objects.create(name="third")
    book = Book.objects.create(title="a", author=author)
    named(author, "first", at=0)
    named(author, "second", at=2, source="request")
    change(book, "update", {"title": ["b", "a"]}, at=3)
    labels = [as_of(book, hour(at))["author"].label for at in (-1, 0, 1, 2, 5)]
    assert labels == ["third", "first", "first", "second", "second"]


def test_the_label_of_the_change_comes_first():
    author = Author.objects.create(name="now")
    named(author, "from its own row", at=0)
    recorded = {"value": author.pk, "label": "from the change"}
    change((Book, 7), "create", {"author": [None, recorded]}, at=1)
    assert as_of((Book, 7), hour(1))["author"].label == "from the change"


def test_a_related_object_that_is_gone_and_was_never_named_has_its_key():
    change((Book, 7), "create", {"author": [None, {"value": 99}]})
    assert str(as_of((Book, 7), hour(1))["author"]) == "99"


@pytest.mark.parametrize("key", ["x", -1, 2**70, "", True])
def test_a_key_that_is_none_has_no_name(key):
    change((Book, 7), "create", {"author": [None, {"value": key}]})
    assert as_of((Book, 7), hour(1))["author"].label == ""


def test_names_need_one_query_for_each_model_at_most(registered):
    registered(Book)
    book = Book.objects.create(title="a")
    book.genres.set([Genre.objects.create(name=f"g{number}") for number in range(5)])
    with CaptureQueriesContext(connection) as few:
        as_of(book, hour(1))
    book.genres.add(*[Genre.objects.create(name=f"n{number}") for number in range(150)])
    with CaptureQueriesContext(connection) as many:
        state = as_of(book, hour(1))
    assert len(state["genres"]) == 155
    assert all(each.label for each in state["genres"])
    # Names are looked up in the log for the first hundred alone.
    assert len(log_queries(many)) - len(log_queries(few)) == 95


# --- many-to-many


def genre(number):
    return {"value": number, "label": f"g{number}"}


def members(obj, at):
    return [each.key for each in as_of(obj, hour(at))["genres"]]


def test_members_are_replayed_from_the_creation():
    change((Book, 7), "create", {"genres": {"added": [genre(1), genre(2)], "removed": []}}, at=0)
    change((Book, 7), "update", {"genres": {"added": [genre(3)], "removed": [genre(1)]}}, at=1)
    change((Book, 7), "update", {"genres": {"added": [genre(1)], "removed": []}}, at=2)
    assert [members((Book, 7), at) for at in (0, 1, 2)] == [[1, 2], [2, 3], [1, 2, 3]]


def test_members_are_replayed_backwards_from_the_present(registered):
    registered(Book)
    book = Book.objects.create(title="a")
    first, second, third = (Genre.objects.create(name=name) for name in "abc")
    book.genres.set([first, third])
    added, removed = genre(third.pk), genre(second.pk)
    change(book, "update", {"genres": {"added": [added], "removed": [removed]}}, at=1)
    assert members(book, 0) == [first.pk, second.pk]
    assert members(book, 1) == [first.pk, third.pk]
    assert [str(each) for each in as_of(book, hour(0))["genres"]] == ["a", f"g{second.pk}"]


def test_members_of_a_deleted_object_are_those_that_changes_mention():
    change((Book, 7), "update", {"genres": {"added": [genre(2)], "removed": [genre(1)]}}, at=1)
    change((Book, 7), "delete", {"title": ["a", None]}, at=2)
    assert (members((Book, 7), 0), members((Book, 7), 1)) == ([1], [2])


def test_members_that_are_masked_stay_so():
    change((Book, 7), "create", {"genres": ["[redacted]", "[redacted]"]})
    assert isinstance(as_of((Book, 7), hour(1))["genres"], MaskedText)


# --- inheritance


def test_a_child_has_the_changes_of_its_parent(registered):
    registered(Audiobook)
    audiobook = Audiobook.objects.create(title="c", speaker="Ann")
    change((Book, audiobook.pk), "update", {"title": ["a", "b"]}, at=1)
    last = change(audiobook, "update", {"title": ["b", "c"], "speaker": ["Bob", "Ann"]}, at=2)
    assert history(audiobook).count() == 2
    assert list(history(Book.objects.get())) == [history(audiobook).last()]
    assert [title(audiobook, at) for at in (0, 1, 2)] == ["a", "b", "c"]
    assert as_of(audiobook, hour(0))["speaker"] == "Bob"
    assert as_of(audiobook, last)["speaker"] == "Ann"


def test_a_child_is_created_and_deleted_for_itself():
    """A part in the parent's table may be there before and after."""
    change((Book, 7), "create", {"title": [None, "a"]}, at=0)
    change((Audiobook, 7), "create", {"title": [None, "a"], "speaker": [None, "Ann"]}, at=1)
    change((Audiobook, 7), "delete", {"title": ["a", None], "speaker": ["Ann", None]}, at=2)
    change((Book, 7), "update", {"title": ["a", "b"]}, at=3)
    assert [title((Audiobook, 7), at) for at in range(4)] == [None, "a", None, None]
    assert [title((Book, 7), at) for at in range(4)] == ["a", "a", "a", "b"]


@pytest.mark.parametrize("order", [(Book, Audiobook), (Audiobook, Book)])
def test_the_rows_of_parent_and_child_may_come_in_any_order(order):
    for verb, pair, at in (("create", [None, "a"], 1), ("delete", ["a", None], 3)):
        for number, model in enumerate(order):
            change((model, 7), verb, {"title": pair}, at=at + number / 10)
    assert [title((Audiobook, 7), at) for at in (0, 2, 4)] == [None, "a", None]


def test_a_child_that_is_not_recorded_itself_lives_as_its_parent():
    change((Book, 7), "create", {"title": [None, "a"]}, at=1)
    change((Book, 7), "delete", {"title": ["a", None]}, at=2)
    assert [title((Audiobook, 7), at) for at in range(3)] == [None, "a", None]


# --- diff()


def test_the_difference_has_only_what_differs():
    change((Book, 7), "create", {"title": [None, "a"], "price": [None, "1.0"]}, at=0)
    change((Book, 7), "update", {"title": ["a", "b"], "copies": [0, 1]}, at=1)
    last = change((Book, 7), "update", {"copies": [1, 0], "price": ["1.0", "1.00"]}, at=2)
    assert diff((Book, 7), hour(0), last) == {"title": ["a", "b"]}
    assert diff((Book, 7), last, hour(0)) == {"title": ["b", "a"]}
    assert diff((Book, 7), hour(1), hour(1)) == {}


def test_the_difference_to_a_time_without_the_object_is_all_of_it():
    change((Book, 7), "create", {"title": [None, "a"], "genres": {"added": [genre(1)]}}, at=1)
    change((Book, 7), "delete", {"title": ["a", None]}, at=2)
    assert diff((Book, 7), hour(0), hour(1)) == {
        "title": [None, "a"],
        "genres": [None, [RelatedObject(1)]],
    }
    assert diff((Book, 7), hour(1), hour(3))["title"] == ["a", None]
    assert diff((Book, 7), hour(0), hour(3)) == {}


def test_a_related_object_that_was_renamed_is_no_difference():
    change((Book, 7), "create", {"author": [None, {"value": 7, "label": "before"}]}, at=0)
    change((Book, 7), "update", {"author": [SPEAKER, {"value": 7, "label": "after"}]}, at=1)
    assert diff((Book, 7), hour(0), hour(1)) == {}


@pytest.mark.parametrize("text", ["[redacted]", "abc… [900 more]"])
def test_incomplete_values_differ_once_a_change_was_recorded(text):
    change((Book, 7), "create", {"text": [None, text]}, at=0)
    change((Book, 7), "update", {"title": ["a", "b"]}, at=1)
    change((Book, 7), "update", {"text": [text, text]}, at=2)
    assert "text" not in diff((Book, 7), hour(0), hour(1))
    assert diff((Book, 7), hour(1), hour(2))["text"] == [text, text]


def test_a_field_that_is_gone_is_marked_in_the_difference():
    change((Book, 7), "create", {"isbn": [None, "1"], "old": [None, 1]}, at=0)
    change((Book, 7), "update", {"isbn": ["1", "2"]}, at=1)
    found = diff((Book, 7), hour(0), hour(1))
    assert (found, found.gone) == ({"isbn": ["1", "2"]}, {"isbn"})


# --- cost and limits


def test_a_long_history_is_read_in_slices_and_only_as_far_as_needed():
    for number in range(450):
        change((Book, 7), "update", {"copies": [number, number + 1]}, at=number)
    change((Book, 7), "create", {"title": [None, "a"]}, at=500)
    with CaptureQueriesContext(connection) as queries:
        assert as_of((Book, 7), hour(600))["title"] == "a"
    assert len(log_queries(queries)) == 1
    with CaptureQueriesContext(connection) as queries:
        assert as_of((Book, 7), hour(0))["copies"] == 1
    assert len(log_queries(queries)) == 4


def test_only_the_activities_that_are_given_are_read():
    change((Book, 7), "create", {"title": [None, "a"]}, at=0)
    change((Book, 7), "update", {"title": ["a", "b"]}, at=1, tenant="theirs")
    mine = ActivityLog.objects.filter(tenant=None)
    assert title((Book, 7), 2, among=mine) == "a"
    assert history((Book, 7), among=mine).count() == 1


def test_an_object_that_its_default_manager_hides_is_found(registered):
    registered(Card)
    card = Card.objects.create(name="a", is_lost=True)
    assert as_of(card, hour(0))["name"] == "a"


def test_an_object_named_by_another_table_is_named(registered):
    registered(Edition)
    book = Book.objects.create(title="a")
    edition = Edition.objects.create(book=book)
    assert as_of(edition, hour(0))["book"].label == "a"


# --- what capture records


def stored(obj):
    """Return what is stored of an object, as `as_of()` gives it."""
    names = [field.name for field in registration_of(type(obj)).fields]
    values = {}
    for name in names:
        field = obj._meta.get_field(name)
        value = getattr(obj, field.attname)
        if field.is_relation:
            value = None if value is None else RelatedObject(value)
        values[name] = (value or None) if field.get_internal_type() == "FileField" else value
    for field in obj._meta.many_to_many:
        values[field.name] = [
            RelatedObject(key)
            for key in getattr(obj, field.name).order_by("pk").values_list("pk", flat=True)
        ]
    return values


STEPS = [
    lambda book, author, genres: book.genres.add(*genres),
    lambda book, author, genres: set_values(book, author=author),
    lambda book, author, genres: set_values(book, title="Second", price=Decimal("3.50")),
    lambda book, author, genres: book.genres.set(genres[1:]),
    lambda book, author, genres: set_values(book, printed_at=NOON, details={"a": [1, None]}),
    lambda book, author, genres: genres[1].books.remove(book),
    lambda book, author, genres: set_values(book, state="o", copies=7, out_on=date(2026, 1, 2)),
    lambda book, author, genres: author.delete(),
    lambda book, author, genres: book.similar.add(Book.objects.create(title="other")),
]


def set_values(book, **values):
    book = Book.objects.get(pk=book.pk)
    for name, value in values.items():
        setattr(book, name, value)
    book.save()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("has_creation", [True, False])
def test_each_state_is_found_again(registered, settings, has_creation):
    settings.TRACKMATE = {}
    registered(Book, exclude=["changed_at", "door_pin"])
    author = Author.objects.create(name="Käthe")
    genres = [Genre.objects.create(name=name) for name in "abc"]
    book = Book.objects.create(title="First")
    if not has_creation:
        ActivityLog.objects.all().delete()
    expected, moments = [stored(Book.objects.get(pk=book.pk))], [timezone.now()]
    for step in STEPS:
        step(book, author, genres)
        expected.append(stored(Book.objects.get(pk=book.pk)))
        moments.append(timezone.now())
    for values, moment in zip(expected, moments, strict=True):
        state = as_of(book, moment)
        assert {name: state[name] for name in values} == values
    assert state.gone == set()
    key = book.pk
    book.delete()
    assert as_of((Book, key), moments[-1]) is not None
    assert as_of((Book, key), timezone.now()) is None
    for values, moment in zip(expected, moments, strict=True):
        state = as_of((Book, key), moment)
        plain = {name: each for name, each in values.items() if not isinstance(each, list)}
        assert {name: state[name] for name in plain} == plain


@pytest.mark.django_db(transaction=True)
def test_the_other_side_of_a_relation_has_its_members_too(registered, settings):
    settings.TRACKMATE = {}
    registered(Genre)
    genre = Genre.objects.create(name="Crime")
    books = [Book.objects.create(title=title) for title in "ab"]
    genre.books.add(*books)
    full = timezone.now()
    books[0].genres.clear()
    assert [str(each) for each in as_of(genre, full)["books"]] == ["a", "b"]
    assert [str(each) for each in as_of(genre, timezone.now())["books"]] == ["b"]
    assert diff(genre, full, timezone.now()).keys() == {"books"}


@pytest.mark.django_db(transaction=True)
def test_a_child_and_its_parent_that_are_both_recorded(registered, settings):
    settings.TRACKMATE = {}
    registered(Book)
    registered(Audiobook)
    audiobook = Audiobook.objects.create(title="a", speaker="Ann")
    created = timezone.now()
    audiobook.title, audiobook.speaker = "b", "Bob"
    audiobook.save()
    for obj in (audiobook, Book.objects.get()):
        assert as_of(obj, created)["title"] == "a"
        assert as_of(obj, timezone.now())["title"] == "b"
    assert as_of(audiobook, created)["speaker"] == "Ann"
    key = audiobook.pk
    audiobook.delete()
    assert as_of((Audiobook, key), timezone.now()) is None
    assert as_of((Book, key), timezone.now()) is None
    assert as_of((Audiobook, key), created)["speaker"] == "Ann"
