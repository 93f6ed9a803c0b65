"""What models and code of a project can do while their changes are recorded."""

import copy
import gc
import pickle
import weakref
from itertools import pairwise

import pytest
from django.db import IntegrityError, connection, connections, models, transaction
from django.db.models import Case, Exists, F, Value, When
from django.db.models.functions import Lower
from django.db.models.signals import pre_delete, pre_save
from django.utils.choices import CallableChoiceIterator

from tests.factories import rolled_back
from tests.library.models import Author, Book, Copy, Edition, Genre, Shelf
from trackmate import register, suppress
from trackmate.capture.model_changes.bulk.updates import Update
from trackmate.capture.model_changes.columns.rows import remembered_row
from trackmate.capture.model_changes.columns.values import Reference, is_same, visible_key
from trackmate.capture.model_changes.registration import find_models, unregister
from trackmate.capture.model_changes.statements import find_writes
from trackmate.db.tables import table_name
from trackmate.history import is_complete
from trackmate.models import ActivityLog, TrackedQuerySet

pytestmark = [pytest.mark.django_db, pytest.mark.database]

on_commit = pytest.mark.django_db(transaction=True, databases=["default", "apart"])


@pytest.fixture
def receive():
    """Connect a receiver for this test: `receive(pre_save, Author, function)`."""
    connected = []

    def connect(signal, sender, function):
        signal.connect(function, sender=sender, weak=False)
        connected.append((signal, sender, function))

    yield connect
    for signal, sender, function in connected:
        signal.disconnect(function, sender=sender)


def named(*names):
    with suppress():
        return [Author.objects.create(name=name) for name in names]


def names(activities):
    return [each.changes["name"] for each in activities]


def verbs(activities):
    return [each.action.rpartition(".")[2] for each in activities]


def logged():
    return ActivityLog.objects.filter(source="model").order_by("id")


# Saves within saves, and those that fail


def test_a_save_within_a_save_leaves_the_outer_one_what_it_finds(registered, activities, receive):
    registered(Author)
    (author,) = named("A")
    inner = iter(["B"])

    def save_another(**_kwargs):
        for name in inner:
            Author(pk=author.pk, name=name).save()

    receive(pre_save, Author, save_another)
    Author(pk=author.pk, name="C").save()
    assert names(activities) == [["A", "B"], ["B", "C"]]


def test_saves_may_be_nested_deeply(registered, activities, receive):
    registered(Author)
    authors = named(*map(str, range(15)))
    following = {one.pk: another.pk for one, another in pairwise(authors)}

    def save_the_next(instance, **_kwargs):
        if instance.pk in following:
            Author(pk=following[instance.pk], name="new").save()

    receive(pre_save, Author, save_the_next)
    Author(pk=authors[0].pk, name="new").save()
    assert sorted(old for old, _new in names(activities)) == sorted(map(str, range(15)))


def test_failed_saves_cost_others_no_query(
    registered, activities, receive, django_assert_num_queries
):
    registered(Author)
    (author,) = named("a")
    refused = [Author(pk=author.pk, name="refused") for _ in range(5)]

    def refuse(instance, **_kwargs):
        if instance.name == "refused":
            raise ValueError("no")

    receive(pre_save, Author, refuse)
    for each in refused:
        with pytest.raises(ValueError, match="no"):
            each.save()
    author.name = "b"
    with django_assert_num_queries(1):
        author.save()


@on_commit
def test_no_instance_is_kept(registered):
    registered(Book)
    with suppress():
        key = Book.objects.create(title="Emma").pk
    references = []

    def use(save):
        book = Book(pk=key, title="Emma")
        save(book)
        references.append(weakref.ref(book))

    def save_in_vain(book):
        with rolled_back():
            book.save()

    def refuse(book):
        book.author_id = "none"
        with pytest.raises(ValueError, match="none"):
            book.save()

    for save in (Book.save, save_in_vain, refuse):
        use(save)
    gc.collect()
    assert [each() for each in references] == [None] * 3


# Deletions


def test_an_object_can_be_deleted_again_in_the_same_transaction(registered, activities):
    registered(Shelf)
    with transaction.atomic():
        shelf = Shelf.objects.create(code="A")
        shelf.delete()
        shelf.code = "A"
        shelf.save(force_insert=True)
        shelf.delete()
    assert verbs(activities) == ["create", "delete", "create", "delete"]


def test_deletions_may_be_nested_deeply(registered, activities, receive):
    registered(Author)
    authors = named(*map(str, range(15)))
    following = {one.pk: another.pk for one, another in pairwise(authors)}

    def delete_the_next(instance, **_kwargs):
        if instance.pk in following:
            Author(pk=following[instance.pk]).delete()

    receive(pre_delete, Author, delete_the_next)
    Author(pk=authors[0].pk).delete()
    assert sorted(old for old, _new in names(activities)) == sorted(map(str, range(15)))


@on_commit
def test_a_signal_that_is_sent_by_hand_delays_nothing(registered):
    registered(Author)
    (author,) = named("a")
    pre_delete.send(sender=Author, instance=author, using="default")
    author.name = "b"
    author.save()
    assert [each.changes for each in logged()] == [{"name": ["a", "b"]}]


@on_commit
def test_a_long_transaction_keeps_neither_instances_nor_commitments(registered):
    registered(Author)
    references = []
    with rolled_back():
        for _number in range(1_200):
            author = Author.objects.create(name="a")
            references.append(weakref.ref(author))
            author.delete()
        del author
        gc.collect()
        alive = sum(each() is not None for each in references)
        uncommitted = connections["default"].__dict__["_trackmate_uncommitted"]
        assert alive < 600
        assert len(uncommitted.pending) <= 3_000
        assert len(uncommitted.at_end) == 1
        assert uncommitted.savepoints == {}
    assert not logged()


@on_commit
def test_savepoints_hold_in_a_long_transaction(registered):
    registered(Author)
    (author,) = named("a")
    with transaction.atomic():
        author.name = "b"
        author.save()
        with rolled_back():
            for number in range(1_500):
                Author(name=str(number)).save()
            author.name = "c"
            author.save()
        author.save()
    assert [each.changes["name"] for each in logged().filter(object_id=author.pk)] == [
        ["a", "b"],
        ["b", "c"],
    ]


# Transactions


@on_commit
def test_a_callback_that_fails_loses_nothing(registered):
    registered(Author)

    def fail():
        raise ValueError("no")

    def act():
        with transaction.atomic():
            Author.objects.create(name="a")
            transaction.on_commit(fail)

    with pytest.raises(ValueError, match="no"):
        act()
    assert [each.object_repr for each in logged()] == ["a"]


@on_commit
def test_a_commit_that_fails_claims_nothing(registered):
    registered(Edition)

    def act():
        with transaction.atomic():
            Edition.objects.create(book_id=99_999)

    with pytest.raises(IntegrityError):
        act()
    assert not logged()


REFUSED = {
    "field": lambda: Copy.objects.update(nothing=1),
    "slice": lambda: Copy.objects.all()[:1].update(uses=1),
    "value": lambda: Copy.objects.update(uses="many"),
    "unsaved relation": lambda: Copy.objects.update(book=Book(title="new")),
    "batch size": lambda: Copy.objects.bulk_create([Copy(code="a")], batch_size=-1),
    "no objects": lambda: Copy.objects.bulk_create(None),
    "no argument": Copy.objects.bulk_create,
    "no list": lambda: Copy.objects.bulk_create(5),
    "tuple": lambda: Copy.objects.bulk_create(()),
    "no instance": lambda: Copy.objects.bulk_create([Copy(code="a"), 5]),
    "no key": lambda: Copy.objects.bulk_update([Copy(code="a")], ["uses"]),
    "no fields": lambda: Copy.objects.bulk_update([], []),
}


@pytest.mark.parametrize("act", REFUSED.values(), ids=REFUSED)
def test_a_bulk_operation_ends_as_without_recording(registered, act):
    def outcome():
        with transaction.atomic():
            try:
                result = repr(act())
            except Exception as error:  # noqa: BLE001 (whatever it is)
                result = (type(error), str(error))
            is_broken = connection.needs_rollback
            transaction.set_rollback(True)
        return result, is_broken

    before = outcome()
    registered(Copy)
    assert outcome() == before


def test_a_receiver_that_refuses_does_not_break_the_transaction(registered, receive):
    registered(Author, guarantee="transaction")

    def refuse(**_kwargs):
        raise ValueError("no")

    receive(pre_save, Author, refuse)
    with pytest.raises(ValueError, match="no"):
        Author.objects.create(name="a")
    assert not connection.needs_rollback


# Models and fields that do it their own way


def test_a_class_may_make_something_else_of_a_row(registered, monkeypatch):
    named("a")
    monkeypatch.setattr(Author, "from_db", classmethod(lambda *_args, **_kwargs: None))
    registered(Author)
    assert list(Author.objects.all()) == [None]


class Lazy:
    """Evaluated by the first look at it, which fails."""

    def __getattr__(self, name):
        raise RuntimeError(name)


def test_a_lazy_value_is_not_evaluated_by_refreshing(registered, monkeypatch):
    registered(Author)
    (author,) = named("a")
    field = Author._meta.get_field("name")
    monkeypatch.setattr(field, "from_db_value", lambda *_args: Lazy(), raising=False)
    author.refresh_from_db()
    assert type(author.name) is Lazy


class Vector(tuple):
    """Compared item by item, as numpy does; it has no truth."""

    __hash__ = None

    def __eq__(self, _other):
        return Truthless()


class Truthless:
    def __bool__(self):
        raise ValueError("ambiguous")


class VectorField(models.CharField):
    def from_db_value(self, value, *_args):
        return Vector(value)

    def to_python(self, value):
        return Vector(value)

    def get_prep_value(self, value):
        return "".join(value)


def test_values_that_cannot_be_compared_are_compared_as_they_are_stored(
    registered, activities, monkeypatch
):
    monkeypatch.setattr(Author._meta.get_field("name"), "__class__", VectorField)
    registered(Author)
    (author,) = named("abc")
    author = Author.objects.get(pk=author.pk)
    author.save()
    assert activities == []
    author.name = Vector("abd")
    author.save()
    assert len(activities) == 1


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([1, 2], ("1", 2), True),
        ([1, 2], [2, 1], False),
        ([1], None, False),
    ],
)
def test_arrays_are_compared_by_their_items(old, new, expected):
    assert is_same(array_of(models.IntegerField()), old, new) is expected


def array_of(base_field):
    """Return a field such as PostgreSQL's, which needs psycopg."""
    field = models.Field()
    field.base_field = base_field
    return field


def test_objects_can_be_copied_and_pickled_whatever_their_fields_hold(registered):
    registered(Author)
    (author,) = named("a")
    author = Author.objects.get(pk=author.pk)
    author._state.trackmate_row = (author.pk, memoryview(b"a"))
    for twin in (copy.copy(author), copy.deepcopy(author), pickle.loads(pickle.dumps(author))):
        assert twin == author
    assert b"trackmate.capture" not in pickle.dumps(Author.objects.defer("name").get())


def test_a_pickle_knows_columns_by_name(registered):
    registered(Author)
    (author,) = named("a")
    twin = pickle.loads(pickle.dumps(Author.objects.get(pk=author.pk)))
    assert remembered_row(twin) == [author.pk, "a"]


@pytest.mark.parametrize("details", [{1: "a", "b": 2}, {None: 1, "x": {2: 3, "y": 4}}])
def test_keys_of_several_types(registered, activities, details):
    registered(Book)
    with suppress():
        book = Book.objects.create(title="Emma")
    book.details = details
    book.save()
    book.details = dict(details)
    book.save()
    (activity,) = activities
    assert activity.changes["details"][0] == {}


def test_choices_that_fail_cost_the_label_alone(registered, activities, monkeypatch):
    def fail():
        raise KeyError

    monkeypatch.setattr(Book._meta.get_field("state"), "_choices", CallableChoiceIterator(fail))
    registered(Book)
    Book.objects.create(title="Emma")
    assert activities[0].changes["state"] == [None, "d"]


def test_a_base_manager_hides_nothing(registered, activities, monkeypatch):
    registered(Copy)
    with suppress():
        Copy.objects.create(code="a", state="d")
    monkeypatch.setattr(type(Copy.objects), "get_queryset", lambda _self: Copy.nothing())
    monkeypatch.setattr(Copy, "nothing", lambda: TrackedQuerySet(Copy).none(), raising=False)
    TrackedQuerySet(Copy).update(uses=1)
    TrackedQuerySet(Copy).all().delete()
    assert verbs(activities) == ["update", "delete"]


def test_what_a_bulk_operation_cannot_read_is_noticed(registered, activities, monkeypatch):
    registered(Copy)
    with suppress():
        Copy.objects.create(code="a")
    monkeypatch.setattr(Update, "read_before", lambda: None)
    Copy.objects.update(uses=1)
    (activity,) = activities
    assert activity.extra["unseen"]


def test_what_has_nothing_unique_is_summarised(registered, activities):
    registered(Author)
    TrackedQuerySet(Author).bulk_create([Author(name="a"), Author(name="a")], ignore_conflicts=True)
    (activity,) = activities
    assert (activity.action, activity.extra["count"]) == ("library.author.create", 2)


# Other databases


@on_commit
def test_names_are_those_of_the_database_of_the_object(registered):
    registered(Edition)
    registered(Book)
    with suppress():
        for alias, title in (("default", "Emma"), ("apart", "Persuasion")):
            Book.objects.using(alias).create(pk=1, title=title)
            Genre.objects.using(alias).create(pk=1, name=f"Genre of {title}")
    Edition.objects.using("apart").create(book_id=1)
    Genre.objects.using("apart").get().books.add(1)
    edition, book = logged()
    assert edition.changes["book"][1]["label"] == "Persuasion"
    assert book.object_repr == "Persuasion"
    assert book.changes["genres"]["added"][0]["label"] == "Genre of Persuasion"


class ApartForTheLibrary:
    def db_for_read(self, model, **_hints):
        return "apart" if model._meta.app_label == "library" else None

    db_for_write = db_for_read


@on_commit
def test_what_is_kept_in_one_database_is_not_lost_with_another(registered, settings):
    settings.DATABASE_ROUTERS = [ApartForTheLibrary()]
    registered(Author)
    with rolled_back():
        author = Author.objects.create(name="a")
        Author(name="b").save()
        with transaction.atomic(using="apart"):
            Author(name="c").save()
            transaction.set_rollback(True, using="apart")
    assert author.name == "a"
    assert [each.object_repr for each in logged()] == ["a", "b"]


# Statements


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE LIBRARY_AUTHOR SET name = 'z'",
        'UPDATE "public"."library_author" SET name = 1',
        "DELETE library_author FROM library_author JOIN library_book ON 1 = 1",
        "DELETE a.* FROM library_author a",
        "BEGIN; UPDATE library_author SET name = 'z'; COMMIT",
        "SET LOCAL lock_timeout = '1s'; DELETE FROM library_author",
        "SELECT 1; DELETE FROM library_author",
        "/* a */ /* b */ ( DELETE FROM library_author )",
    ],
)
def test_writes_are_found_in_any_form(registered, sql):
    registered(Author)
    verb = "DELETE" if "DELETE" in sql else "UPDATE"
    assert find_writes(sql) == ((verb, "library_author"),)


@pytest.mark.parametrize("sql", ["/**/" * 500 + "1", "(" * 10_000 + "1", "/*" * 500])
def test_no_statement_takes_long_to_read(registered, sql):
    registered(Author)
    assert find_writes(sql) == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop_order", "shop_order"),
        ("Shop_Order", "shop_order"),
        ('"shop_order"', "shop_order"),
        ('"sales"."Order"', "order"),
        ('sales"."order', "order"),
        ("`sales`.`order`", "order"),
        ('"a""b"', 'a"b'),
    ],
)
def test_tables_are_compared_by_their_names_alone(name, expected):
    assert table_name(name) == expected


# Secrets


FILTERS = {
    "a key of a document": lambda rows: rows.filter(notes__password="geheim"),
    "a function": lambda rows: rows.annotate(low=Lower("code")).filter(low__startswith="geheim"),
    "a condition": lambda rows: rows.alias(
        is_it=Case(When(code="geheim", then=1), default=2)
    ).filter(is_it__gte=1),
    "another model": lambda rows: rows.filter(book__author__name="Geheim"),
    "a query": lambda rows: rows.filter(Exists(Book.objects.filter(author__name="Geheim"))),
    "a document": lambda rows: rows.exclude(notes=[{"password": "geheim"}]),
    "an excluded field": lambda rows: rows.exclude(state="geheim"),
}


@pytest.mark.parametrize("select", FILTERS.values(), ids=FILTERS)
def test_a_filter_tells_no_secret(registered, activities, select):
    registered(Author, mask=["name"])
    registered(Copy, bulk_limit=1, mask=["code"], exclude=["state"])
    with suppress():
        book = Book.objects.create(title="Emma", author=Author.objects.create(name="Geheim"))
        for number in range(2):
            notes = {"password": "geheim"}
            Copy.objects.create(code=f"geheim{number}", book=book, notes=notes)
    select(Copy.objects).update(uses=F("uses") + 1)
    for each in activities:
        assert "geheim" not in str(each).lower()


def test_a_new_value_tells_no_secret(registered, activities):
    registered(Copy, bulk_limit=1, mask=["code"])
    with suppress():
        Copy.objects.bulk_create([Copy(code="a"), Copy(code="b")])
    Copy.objects.update(uses=Case(When(code="geheim", then=Value(3)), default=Value(4)))
    Copy.objects.update(uses=Case(When(door_pin="geheim", then=Value(3)), default=Value(4)))
    Copy.objects.update(door_pin=Value("geheim"))
    assert len(activities) == 3
    assert "geheim" not in str(activities)


def test_a_key_that_is_a_secret_is_hashed_wherever_it_stands(monkeypatch):
    monkeypatch.setattr(Shelf._meta, "model_name", "accesstoken")
    reference = Reference(Shelf, "geheim", "code", "geheim")
    assert "geheim" not in reference["value"]
    assert reference["label"] == "[redacted]"
    assert not is_complete(dict(reference))
    assert visible_key(Author, "geheim") == "geheim"


class EncryptedCharField(models.CharField):
    """As packages have it: the database sees no plain text."""


def test_what_is_encrypted_is_not_recorded_in_plain_text(registered, activities, monkeypatch):
    monkeypatch.setattr(Author._meta.get_field("name"), "__class__", EncryptedCharField)
    registered(Author)
    author = Author.objects.create(name="geheim")
    author.name = "geheimer"
    author.save()
    assert names(activities) == [[None, "[redacted]"], ["[redacted]", "[redacted]"]]


# Registration


def test_unregistering_leaves_nothing(receive):
    classes = (Author, Book, Copy, Edition, Genre)
    before = [dict(vars(each)) for each in classes]
    signals = (pre_save, models.signals.post_save, pre_delete, models.signals.m2m_changed)
    receivers = [len(each.receivers) for each in signals]
    for each in classes:
        register(each, guarantee="transaction")
    for each in reversed(classes):
        unregister(each)
    assert [dict(vars(each)) for each in classes] == before
    assert [len(each.receivers) for each in signals] == receivers
    assert find_writes("DELETE FROM library_author") == ()


@pytest.mark.parametrize("label", [5, None, ("library", "Author")])
def test_a_label_that_is_no_text_is_left_to_the_check(configure, label):
    configure(MODELS={label: {}})


def test_a_swapped_model_is_no_model(monkeypatch):
    monkeypatch.setitem(Author._meta.__dict__, "swapped", "library.Other")
    assert find_models("library.Author") == []
