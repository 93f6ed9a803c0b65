"""What triggers of PostgreSQL record of the changes of models, whoever makes them."""

import datetime as dt
from base64 import b64encode
from contextlib import contextmanager
from decimal import Decimal
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, models, transaction
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext, isolate_apps
from django.urls import path
from django.utils.duration import duration_iso_string
from django.utils.timezone import now

from tests.factories import person
from tests.library.models import (
    Audiobook,
    Author,
    Book,
    Card,
    Club,
    Genre,
    Membership,
    Shelf,
    ThinBook,
)
from trackmate import bind, suppress
from trackmate.clock import datetime_of
from trackmate.db.keys import serialize_key
from trackmate.models import ActivityLog, Invalidation
from trackmate.triggers.installed import forget_triggers

psycopg = pytest.importorskip("psycopg")
pytestmark = [pytest.mark.database, pytest.mark.only_on("postgresql"), pytest.mark.django_db]

ROWS = ActivityLog.objects.filter(source="model").order_by("recorded_at", "pk")


@pytest.fixture
def triggered(registered):
    """Register models with triggers, and install them: `triggered(Book, exclude=["text"])`."""

    def install(*chosen, **options):
        for model in chosen:
            registered(model, triggers=True, **options)
        call_command("trackmate_triggers", "install", stdout=StringIO())

    yield install
    if not connection.in_atomic_block:
        call_command("trackmate_triggers", "remove", stdout=StringIO())
    forget_triggers()


def changes(verb="update"):
    """What the rows of a verb have as their changes, in order."""
    return [row.changes for row in ROWS.all() if row.action.endswith(f".{verb}")]


def execute(sql, params=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def check():
    """What `trackmate_triggers check` finds, line by line."""
    try:
        call_command("trackmate_triggers", "check", stdout=StringIO())
    except CommandError as error:
        return str(error).splitlines()[:-1]
    return []


# --- what is recorded


def test_an_object_is_created_changed_and_deleted(triggered):
    triggered(Book)
    book = Book.objects.create(title="Dune", price=Decimal("9.5"))
    key = str(book.pk)
    book.title = "Dune Messiah"
    book.save()
    book.delete()
    rows = list(ROWS.all())
    assert [row.action for row in rows] == [
        "library.book.create",
        "library.book.update",
        "library.book.delete",
    ]
    assert [row.action_type for row in rows] == ["Create", "Update", "Delete"]
    assert {row.object_id for row in rows} == {key}
    assert {row.content_type.model_class() for row in rows} == {Book}
    assert {row.object_repr for row in rows} == {f"Book ({key})"}
    assert {row.status for row in rows} == {"Success"}
    assert rows[0].changes["price"] == [None, "9.50"]
    assert rows[1].changes["title"] == ["Dune", "Dune Messiah"]
    assert rows[2].changes["title"] == ["Dune Messiah", None]


VALUES = [
    {"title": 'Käthe\'s "Buch" \\ 100 %'},
    {"title": "a\r\nb\tc\rd\u202ee\x07"},
    {"subtitle": None},
    {"subtitle": ""},
    {"text": "x" * 10_050},
    {"text": "x" * 10_020},
    {"state": "o"},
    {"price": Decimal("0.50")},
    {"copies": -7},
    {"details": {"a": [1, 2.5, None, True, {"b": "ü"}], "z": {}}},
    {"details": [1, "x"]},
    {"details": "text"},
    {"cover": "covers/a.png"},
    {"printed_at": dt.datetime(2026, 3, 29, 3, 30, tzinfo=dt.UTC)},
    {
        "printed_at": dt.datetime(
            2026, 3, 29, 3, 30, 0, 120, tzinfo=dt.timezone(dt.timedelta(hours=5))
        )
    },
    {"out_on": dt.date(2024, 2, 29)},
    {"out_on": dt.date(1, 1, 1)},
    {"address": "2001:db8::1"},
    {"address": "10.0.0.1"},
    {"door_pin": "1234"},
    {"door_pin": ""},
]


@pytest.mark.parametrize("values", VALUES, ids=lambda values: repr(values)[:40])
def test_a_value_is_written_as_without_triggers(triggered, registered, values):
    registered(Book)
    book = Book.objects.create(title="before")
    Book.objects.filter(pk=book.pk).first()
    for name, value in values.items():
        setattr(book, name, value)
    book.save()
    book.delete()
    expected = [row.changes for row in ROWS.all()]
    ActivityLog.objects.all().delete()
    triggered(Book)
    book = Book.objects.create(title="before")
    for name, value in values.items():
        setattr(book, name, value)
    book.save()
    book.delete()
    found = [row.changes for row in ROWS.all()]
    for each in (*expected, *found):
        each.pop("changed_at")
    assert found == expected


def test_what_is_not_changed_has_no_row(triggered):
    triggered(Book)
    book = Book.objects.create(title="Dune", price="9.50")
    book.price = "9.5"
    book.save()
    execute("UPDATE library_book SET title = title, details = '{}', price = 9.500")
    assert changes() == []


def test_a_time_that_each_save_sets_comes_with_what_was_changed(triggered):
    triggered(Book, fields=["title", "changed_at"])
    book = Book.objects.create(title="Dune")
    book.save()
    assert [list(each) for each in changes()] == [["changed_at"]]


def test_a_foreign_key_has_its_value(triggered):
    triggered(Book)
    author = Author.objects.create(name="Frank")
    book = Book.objects.create(title="Dune", author=author)
    value = {"value": author.pk}
    author.delete()
    assert changes("create")[0]["author"] == [None, value]
    assert changes()[0]["author"] == [value, None]
    assert ROWS.last().object_id == str(book.pk)


def test_options_say_what_is_recorded(triggered):
    triggered(
        Book, fields=["title", "text", "copies"], exclude=["copies"], mask=["text"], on=["update"]
    )
    book = Book.objects.create(title="a", text="b", copies=1)
    Book.objects.update(title="c", text="d", copies=2, state="o")
    book.delete()
    assert [row.changes for row in ROWS.all()] == [
        {"title": ["a", "c"], "text": ["[redacted]", "[redacted]"]}
    ]


@pytest.mark.parametrize(
    "details",
    [
        {"password": "x"},
        {"a": [{"b": {"apiToken": "x"}}]},
        {"contraseña": "x"},
        {"PIN code": 1},
        {"пароль": "x"},
        {"user_pins": [1]},
    ],
)
def test_a_document_with_the_name_of_a_secret_is_masked_as_a_whole(triggered, details):
    triggered(Book)
    book = Book.objects.create(title="a", details={"shipping": 1, "sort_key": "x"})
    book.details = details
    book.save()
    assert changes()[0]["details"] == [{"shipping": 1, "sort_key": "x"}, "[redacted]"]


def test_a_name_of_the_settings_is_that_of_a_secret(triggered, configure):
    configure(REDACT_KEYS=["subtitle"], REDACT_EXEMPT=["door_pin"])
    triggered(Book)
    Book.objects.create(title="a", subtitle="b", door_pin="1", details={"subtitle": 1})
    created = changes("create")[0]
    assert created["subtitle"] == [None, "[redacted]"]
    assert created["door_pin"] == [None, "1"]
    assert created["details"] == [None, "[redacted]"]


def test_a_long_document_is_cut(triggered):
    triggered(Book)
    Book.objects.create(title="a", details={"a": "x" * 200_000})
    text = changes("create")[0]["details"][1]
    assert text.startswith('{"a": "xxx')
    assert text.endswith("… [190009 more]")


def test_values_of_the_database_are_recorded(triggered):
    triggered(Shelf)
    Shelf.objects.create(code="a'1")
    Shelf.objects.filter(code="a'1").update(code='b"2')
    assert changes("create")[0] == {
        "code": [None, "a'1"],
        "room": [None, "main"],
        "label": [None, "A'1"],
        "width": [None, 1],
    }
    # A key that is changed is that of another object.
    assert [(row.action, row.object_id) for row in ROWS.all()][1:] in (
        [("library.shelf.delete", "a'1"), ("library.shelf.create", 'b"2')],
        [("library.shelf.create", 'b"2'), ("library.shelf.delete", "a'1")],
    )


def test_the_key_of_a_row_is_made_from_its_time(triggered):
    triggered(Genre)
    Genre.objects.create(name="a")
    row = ROWS.get()
    assert row.pk.version == 7
    assert row.pk.variant == "specified in RFC 4122"
    assert datetime_of(row.pk) == row.action_time
    assert ActivityLog.objects.between(row.action_time).count() == 1


# --- by whatever way


def test_a_bulk_operation_has_a_row_for_each_object(triggered, django_assert_num_queries):
    triggered(Book)
    with django_assert_num_queries(1):
        books = Book.objects.bulk_create([Book(title=f"{each}") for each in range(1_000)])
    for each in books:
        each.copies = 2
    Book.objects.bulk_update(books, ["copies"])
    assert [each["copies"] for each in changes("create")] == [[None, 0]] * 1_000
    assert changes() == [{"copies": [0, 2]}] * 1_000
    assert len({row.pk for row in ROWS.all()}) == 2_000


def test_an_upsert_creates_some_and_updates_others(triggered):
    triggered(Shelf)
    Shelf.objects.create(code="a", width=1)
    Shelf.objects.bulk_create(
        [Shelf(code="a", width=2), Shelf(code="b", width=3)],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["width"],
    )
    assert changes() == [{"width": [1, 2]}]
    assert [each["width"][1] for each in changes("create")] == [1, 3]


def _raw(cursor):
    cursor.execute("UPDATE library_genre SET name = 'b' WHERE name = %s", ["a"])


def _raw_without_parameters(cursor):
    cursor.execute("UPDATE library_genre SET name = 'b' WHERE name LIKE 'a%'")


def _many(cursor):
    cursor.executemany("UPDATE library_genre SET name = %s WHERE name = %s", [("b", "a")])


def _with(cursor):
    cursor.execute("WITH x AS (SELECT 'a' AS n) UPDATE library_genre SET name = 'b' FROM x")


def _merge(cursor):
    cursor.execute(
        "MERGE INTO library_genre g USING (SELECT 'a' AS n) x ON g.name = x.n"
        " WHEN MATCHED THEN UPDATE SET name = 'b'"
    )


def _composed(cursor):
    sql = psycopg.sql
    cursor.execute(
        sql.SQL("UPDATE {} SET name = 'b' WHERE name = %s").format(sql.Identifier("library_genre")),
        ["a"],
    )


@pytest.mark.parametrize("write", [_raw, _raw_without_parameters, _many, _with, _merge, _composed])
def test_raw_sql_has_who_did_it(triggered, write):
    triggered(Genre)
    Genre.objects.create(name="a")
    reason = "50 % 'off' \\'; DROP TABLE library_genre; -- $1 %s ä"
    with bind(actor="cron:nightly", reason=reason), connection.cursor() as cursor:
        write(cursor)
        assert cursor.rowcount == 1
    assert changes() == [{"name": ["a", "b"]}]
    assert (ROWS.last().actor_label, ROWS.last().reason) == ("cron:nightly", reason)


def test_a_copy_is_recorded(triggered):
    triggered(Genre)
    with connection.cursor() as cursor, cursor.copy("COPY library_genre (name) FROM STDIN") as copy:
        copy.write_row(("a",))
        copy.write_row(("b",))
    assert sorted(each["name"][1] for each in changes("create")) == ["a", "b"]


def test_results_are_those_of_the_statement(triggered):
    triggered(Genre)
    with bind(actor="a"):
        assert [each.pk is not None for each in Genre.objects.bulk_create([Genre(name="a")])] == [
            True
        ]
    with bind(actor="b"):
        assert Genre.objects.filter(name="a").update(name="b") == 1
    with bind(actor="c"):
        assert Genre.objects.filter(name="b").delete() == (1, {"library.Genre": 1})


def test_truncate_is_recorded_without_its_rows(triggered):
    triggered(Membership)
    Membership.objects.create(
        club=Club.objects.create(name="c"), author=Author.objects.create(name="a")
    )
    execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE library_membership")
    row = ROWS.last()
    assert (row.action, row.object_id) == ("library.membership.delete", None)
    assert row.extra == {"bulk": True, "table": "library_membership", "verb": "TRUNCATE"}


def test_emptying_all_tables_leaves_none_of_it_in_the_log(triggered):
    triggered(Membership)
    execute("TRUNCATE library_membership, trackmate_activitylog")
    assert not ActivityLog.objects.exists()


# --- who did it


def test_the_context_is_sent_once_in_a_transaction(triggered):
    triggered(Genre)
    with CaptureQueriesContext(connection) as queries, bind(actor="cron:x"), transaction.atomic():
        for name in "abc":
            Genre.objects.create(name=name)
    assert [row.actor_label for row in ROWS.all()] == ["cron:x"] * 3
    assert len([each for each in queries if "INSERT" in each["sql"]]) == 3


def test_the_context_follows_the_block(triggered):
    triggered(Genre)
    with bind(actor="a", tenant="t", job=1):
        Genre.objects.create(name="a")
        with bind(actor="b"):
            Genre.objects.create(name="b")
    Genre.objects.create(name="c")
    assert [(row.actor_label, row.tenant, row.extra) for row in ROWS.all()] == [
        ("a", "t", {"job": 1}),
        ("b", "t", {"job": 1}),
        ("", None, None),
    ]


def test_a_savepoint_takes_its_context_and_its_rows_with_it(triggered):
    triggered(Genre)
    with bind(actor="outer"), transaction.atomic():
        with bind(actor="inner"), transaction.atomic():
            Genre.objects.create(name="a")
            transaction.set_rollback(True)
        Genre.objects.create(name="b")
        with bind(actor="inner"), pytest.raises(IntegrityError), transaction.atomic():
            Genre.objects.create(name="b")
        with bind(actor="inner"):
            Genre.objects.create(name="c")
    assert [(row.changes["name"][1], row.actor_label) for row in ROWS.all()] == [
        ("b", "outer"),
        ("c", "inner"),
    ]


def test_nothing_is_recorded_while_that_is_suppressed(triggered):
    triggered(Genre)
    with suppress():
        Genre.objects.create(name="a")
        execute("UPDATE library_genre SET name = 'b'")
    Genre.objects.create(name="c")
    assert [row.changes["name"] for row in ROWS.all()] == [[None, "c"]]


def test_nothing_is_recorded_if_trackmate_is_off(triggered, configure):
    triggered(Genre)
    configure(ENABLED=False)
    Genre.objects.create(name="a")
    assert not ROWS.exists()


@pytest.mark.parametrize("atomic", [False, True])
@pytest.mark.django_db(transaction=True)
def test_a_request_names_its_actor_and_itself(triggered, client, settings, monkeypatch, atomic):
    settings.ROOT_URLCONF = "tests.test_triggers"
    triggered(Genre)
    user = person("anna")
    client.force_login(user)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", atomic)
    client.post("/genres/7/", headers={"user-agent": "curl"}, REMOTE_ADDR="10.1.2.3")
    row, request = ROWS.first(), ActivityLog.objects.get(source="request")
    assert (row.actor, row.actor_label) == (user, "anna")
    assert (row.ip_address, row.user_agent) == ("10.1.2.3", "curl")
    assert (row.method, row.path, row.route) == ("POST", "/genres/7/", "genres/<int:number>/")
    assert row.request_id == request.request_id


def make_genre(request, number):
    Genre.objects.create(name=f"genre {number}")
    return HttpResponse()


urlpatterns = [path("genres/<int:number>/", make_genre)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("binding", [False, True])
@pytest.mark.parametrize("atomic", [False, True])
def test_a_context_ends_with_its_transaction(triggered, many, binding, atomic):
    triggered(Genre)
    connection.close()
    connection.settings_dict["OPTIONS"]["server_side_binding"] = binding
    try:
        with bind(actor="a"), connection.cursor() as cursor:
            sql = "INSERT INTO library_genre (name) VALUES (%s)"
            with transaction.atomic() if atomic else bind():
                if many:
                    cursor.executemany(sql, [("a",), ("b",)])
                else:
                    cursor.execute(sql, ["a"])
            cursor.execute("SELECT coalesce(current_setting('trackmate.context', true), '')")
            assert cursor.fetchone() == ("",)
    finally:
        connection.close()
        del connection.settings_dict["OPTIONS"]["server_side_binding"]
    assert {row.actor_label for row in ROWS.all()} == {"a"}
    assert ROWS.count() == (2 if many else 1)


@pytest.mark.django_db(transaction=True)
def test_a_block_after_a_write_of_the_same_person_has_its_own_context(triggered):
    triggered(Genre)
    with bind(actor="a"):
        genre = Genre.objects.create(name="a")
        with transaction.atomic():
            Genre.objects.filter(pk=genre.pk).update(name="b")
        genre.delete()
    assert [row.actor_label for row in ROWS.all()] == ["a", "a", "a"]


@pytest.mark.django_db(transaction=True)
def test_a_session_without_a_context_is_nobodys(triggered):
    triggered(Genre)
    values = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: values[name] for name in names}) as session:
        session.execute("INSERT INTO library_genre (name) VALUES ('a')")
    row = ROWS.get()
    assert (row.actor, row.actor_label, row.request_id, row.extra) == (None, "", "", None)


def test_a_secret_in_the_context_is_masked(triggered):
    triggered(Genre)
    with bind(reason="password=hunter2!", job={"api_token": "abc"}):
        Genre.objects.create(name="a")
    row = ROWS.get()
    assert "hunter2" not in row.reason
    assert row.extra == {"job": {"api_token": "[redacted]"}}


# --- relations and inheritance


def test_a_many_to_many_field_has_what_was_added_and_removed(triggered):
    triggered(Book, Genre)
    book = Book.objects.create(title="Dune")
    crime, space = Genre.objects.create(name="Crime"), Genre.objects.create(name="Space")
    ActivityLog.objects.all().delete()
    book.genres.add(crime, space)
    book.genres.set([space])
    assert [(row.action, row.changes) for row in ROWS.filter(action__contains="book")] == [
        (
            "library.book.update",
            {"genres": {"added": [{"value": crime.pk}, {"value": space.pk}], "removed": []}},
        ),
        ("library.book.update", {"genres": {"added": [], "removed": [{"value": crime.pk}]}}),
    ]
    assert sorted(
        (row.object_id, len(row.changes["books"]["added"]), len(row.changes["books"]["removed"]))
        for row in ROWS.filter(action="library.genre.update")
    ) == sorted([(str(crime.pk), 1, 0), (str(space.pk), 1, 0), (str(crime.pk), 0, 1)])


def test_a_symmetrical_field_has_both_objects(triggered):
    triggered(Book)
    one, two = Book.objects.create(title="1"), Book.objects.create(title="2")
    one.similar.add(two)
    found = {row.object_id: row.changes for row in ROWS.all() if row.action.endswith("update")}
    assert found == {
        str(one.pk): {"similar": {"added": [{"value": two.pk}], "removed": []}},
        str(two.pk): {"similar": {"added": [{"value": one.pk}], "removed": []}},
    }


def test_a_through_model_is_both(triggered):
    triggered(Club, Membership)
    club, author = Club.objects.create(name="c"), Author.objects.create(name="a")
    club.members.add(author)
    assert [row.action for row in ROWS.all()][1:] in (
        ["library.membership.create", "library.club.update"],
        ["library.club.update", "library.membership.create"],
    )
    call_command("trackmate_triggers", "remove", "library.Club", stdout=StringIO())
    assert [line.split(":")[0] for line in check()] == ["library_club"] * 4 + [
        "library_membership"
    ] * 3


def test_a_child_has_the_columns_of_its_own_table(triggered):
    triggered(Book, Audiobook)
    audio = Audiobook.objects.create(title="Dune", speaker="Ann")
    audio.title, audio.speaker = "Dune 2", "Bob"
    audio.save()
    found = {row.action: row.changes for row in ROWS.all()}
    assert found["library.audiobook.create"] == {"speaker": [None, "Ann"]}
    assert found["library.audiobook.update"] == {"speaker": ["Ann", "Bob"]}
    assert found["library.book.update"]["title"] == ["Dune", "Dune 2"]
    assert len(ROWS.all()) == 4


def test_a_proxy_is_its_model(triggered):
    triggered(ThinBook)
    ThinBook.objects.create(title="Dune")
    assert ROWS.get().action == "library.book.create"


@isolate_apps("tests.library")
def test_what_the_database_deletes_itself_is_recorded(triggered):
    class Root(models.Model):
        class Meta:
            app_label = "library"

    class Leaf(models.Model):
        root = models.ForeignKey(Root, models.DO_NOTHING, db_constraint=False)

        class Meta:
            app_label = "library"

    with created(Root, Leaf):
        # As DB_CASCADE does it, which is new in Django 6.1.
        execute(
            "ALTER TABLE library_leaf ADD FOREIGN KEY (root_id) REFERENCES library_root"
            " ON DELETE CASCADE"
        )
        triggered(Leaf)
        leaf = Leaf.objects.create(root=Root.objects.create())
        with bind(actor="cron:x"):
            execute("DELETE FROM library_root")
        row = ROWS.last()
        assert (row.action, row.object_id) == ("library.leaf.delete", str(leaf.pk))
        assert row.actor_label == "cron:x"


# --- tables of any kind


@contextmanager
def created(*classes):
    with connection.schema_editor() as editor:
        for each in classes:
            editor.create_model(each)
    yield
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    with connection.schema_editor() as editor:
        for each in reversed(classes):
            editor.delete_model(each)


@isolate_apps("tests.library")
def test_names_may_be_anything(triggered):
    class Odd(models.Model):
        key = models.CharField(max_length=20, primary_key=True, db_column="The Key")
        first = models.CharField(max_length=20, db_column="x" * 63)
        second = models.IntegerField(db_column="select $trackmate$ it's")
        other = models.ManyToManyField("self", db_table="M" * 63)

        class Meta:
            app_label = "library"
            db_table = "Ein Tisch " + "ö" * 26

    with created(Odd):
        triggered(Odd)
        assert check() == []
        odd = Odd.objects.create(key="1", first="a", second=2)
        Odd.objects.update(first="'b'", second=3)
        odd.other.add(Odd.objects.create(key="2", first="x", second=1))
        assert changes()[0] == {"first": ["a", "'b'"], "second": [2, 3]}
        assert changes()[1] == {"other": {"added": [{"value": "2"}], "removed": []}}
        call_command("trackmate_triggers", "remove", stdout=StringIO())


@isolate_apps("tests.library")
def test_columns_may_be_many(triggered):
    class Wide(models.Model):
        for each in range(230):
            locals()[f"f{each}"] = models.IntegerField(default=0)
        del each

        class Meta:
            app_label = "library"

    with created(Wide):
        triggered(Wide)
        Wide.objects.create()
        Wide.objects.update(f3=1, f229=2)
        assert len(changes("create")[0]) == 230
        assert changes() == [{"f3": [0, 1], "f229": [0, 2]}]


@isolate_apps("tests.library")
def test_types_may_be_any(triggered):
    from django.contrib.postgres.fields import ArrayField  # noqa: PLC0415 (needs psycopg)

    class Every(models.Model):
        id = models.UUIDField(primary_key=True)
        raw = models.BinaryField()
        span = models.DurationField()
        time = models.TimeField()
        number = models.FloatField()
        yes = models.BooleanField()
        numbers = ArrayField(models.DecimalField(max_digits=5, decimal_places=1))
        level = models.IntegerField(choices=[(1, "Low"), (2, "100 % 'high'")])

        class Meta:
            app_label = "library"

    values = {
        "id": UUID(int=7),
        "raw": bytes(range(100)),
        "span": -dt.timedelta(days=3, hours=5, microseconds=7),
        "time": dt.time(1, 2, 3, 400),
        "number": 1.5e-7,
        "yes": True,
        "numbers": [Decimal("1.5")],
        "level": 2,
    }
    with created(Every):
        triggered(Every)
        every = Every.objects.create(**values)
        recorded = changes("create")[0]
        every.delete()
        assert recorded == {
            "id": [None, str(values["id"])],
            "raw": [None, b64encode(values["raw"]).decode()],
            "span": [None, duration_iso_string(values["span"])],
            "time": [None, "01:02:03.000400"],
            "number": [None, 1.5e-7],
            "yes": [None, True],
            "numbers": [None, ["1.5"]],
            "level": [None, {"value": 2, "label": "100 % 'high'"}],
        }
        assert ROWS.last().object_id == str(values["id"])


@isolate_apps("tests.library")
def test_a_key_may_be_of_several_columns(triggered):
    class Seat(models.Model):
        pk = models.CompositePrimaryKey("row", "number")
        row = models.CharField(max_length=2)
        number = models.IntegerField()
        note = models.TextField()

        class Meta:
            app_label = "library"

    with created(Seat):
        triggered(Seat)
        seat = Seat.objects.create(row='"ä', number=2, note="a")
        Seat.objects.update(note="b")
        assert changes() == [{"note": ["a", "b"]}]
        assert ROWS.last().object_id == serialize_key(seat)


def test_a_table_may_be_partitioned(triggered):
    execute(
        "ALTER TABLE library_card RENAME TO old_card;"
        "CREATE TABLE library_card (LIKE old_card INCLUDING DEFAULTS INCLUDING IDENTITY)"
        " PARTITION BY LIST (is_lost);"
        "CREATE TABLE card_lost PARTITION OF library_card FOR VALUES IN (true);"
        "CREATE TABLE card_there PARTITION OF library_card FOR VALUES IN (false)"
    )
    triggered(Card)
    Card.objects.create(name="a")
    Card.objects.update(is_lost=True)
    assert changes() == [{"is_lost": [False, True]}]


def test_another_schema_has_triggers_of_its_own(triggered):
    triggered(Genre)
    execute(
        "CREATE SCHEMA tenant; CREATE TABLE tenant.library_genre (LIKE public.library_genre"
        " INCLUDING ALL); SET LOCAL search_path = tenant, public"
    )
    Genre.objects.create(name="before")
    # By capture, which knows that this table has no triggers.
    assert ROWS.get().object_repr == "before"
    ActivityLog.objects.all().delete()
    call_command("trackmate_triggers", "install", stdout=StringIO())
    Genre.objects.create(name="after")
    execute("SET LOCAL search_path = public")
    Genre.objects.create(name="public")
    assert [each["name"][1] for each in changes("create")] == ["after", "public"]


def test_a_role_needs_no_more_than_to_insert_into_the_log(triggered):
    triggered(Genre)
    execute(
        "CREATE ROLE trackmate_app; GRANT USAGE ON SCHEMA public TO trackmate_app;"
        "GRANT ALL ON library_genre TO trackmate_app;"
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO trackmate_app;"
        "GRANT INSERT ON trackmate_activitylog TO trackmate_app;"
        "GRANT SELECT ON django_content_type TO trackmate_app; SET LOCAL ROLE trackmate_app"
    )
    Genre.objects.create(name="a")
    execute("SET CONSTRAINTS ALL IMMEDIATE; RESET ROLE")
    assert ROWS.count() == 1


# --- the schema changes


@pytest.mark.parametrize(
    "change",
    [
        "RENAME COLUMN title TO name",
        "DROP COLUMN title",
        "ALTER COLUMN title TYPE text",
        "ADD COLUMN more int",
        "ALTER COLUMN copies TYPE numeric",
    ],
)
def test_a_migration_breaks_no_write(triggered, change):
    triggered(Book)
    Book.objects.create(title="a")
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute(f"ALTER TABLE library_book {change}")
    execute("UPDATE library_book SET state = 'o', copies = 3")
    assert changes() == [
        {
            "state": [{"value": "d", "label": "Draft"}, {"value": "o", "label": "Published"}],
            "copies": [0, 3],
        }
    ]


def test_check_tells_what_is_not_as_it_should_be(triggered, registered):
    assert check() == []
    triggered(Book, Genre)
    assert check() == []
    registered(Book, triggers=True, exclude=["text"], on=["create", "update"])
    execute("DROP TRIGGER trackmate_update ON library_genre")
    execute("ALTER TABLE library_genre DISABLE TRIGGER trackmate_insert")
    assert sorted(check()) == sorted(
        [
            "library_book: trackmate_insert is out of date.",
            "library_book: trackmate_update is out of date.",
            "library_book: trackmate_delete is not wanted any more.",
            "library_book: trackmate_truncate is not wanted any more.",
            *[
                f"library_book_{table}: trackmate_m2m_{verb}_{table} is not wanted any more."
                for table in ("genres", "similar")
                for verb in ("delete", "insert", "update")
            ],
            "library_genre: trackmate_update is missing.",
            "library_genre: trackmate_insert is disabled.",
        ]
    )
    call_command("trackmate_triggers", "install", stdout=StringIO())
    assert check() == []


def test_nothing_is_left_after_remove(triggered):
    triggered(Book, Genre)
    out = StringIO()
    call_command("trackmate_triggers", "remove", "library.Book", stdout=out)
    assert "10 triggers removed." in out.getvalue()
    call_command("trackmate_triggers", "remove", stdout=StringIO())
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_proc WHERE starts_with(proname, 'trackmate_')")
        assert cursor.fetchone() == (0,)


def test_the_statements_can_be_run_by_somebody_else(registered):
    registered(Book, triggers=True)
    out = StringIO()
    call_command("trackmate_triggers", "install", "--sql", stdout=out)
    assert "library_book: trackmate_update is missing." in check()
    execute(out.getvalue())
    assert check() == []


def test_no_model_asks_for_triggers():
    out = StringIO()
    call_command("trackmate_triggers", "install", stdout=out)
    assert out.getvalue() == 'No model is registered with "triggers": True.\n'
    with pytest.raises(CommandError, match="--sql is for install"):
        call_command("trackmate_triggers", "check", "--sql")


def test_a_conversion_that_was_changed_is_out_of_date(triggered):
    triggered(Book)
    execute("DROP FUNCTION trackmate_to_json(bytea)")
    execute(
        "CREATE OR REPLACE FUNCTION trackmate_to_json(_tm_value text) RETURNS text LANGUAGE plpgsql"
        " STABLE STRICT AS 'BEGIN RETURN 1; END'"
    )
    assert sorted(check()) == [
        "public: trackmate_to_json(bytea) is missing.",
        "public: trackmate_to_json(text) is out of date.",
    ]


def test_without_triggers_capture_records_it(registered):
    registered(Genre, triggers=True)
    Genre.objects.create(name="a")
    assert ROWS.get().object_repr == "a"


def test_what_triggers_record_is_not_read_before(triggered, django_assert_num_queries):
    triggered(Book, Genre)
    book = Book.objects.create(title="a")
    book.genres.add(Genre.objects.create(name="x"))
    hand_made = Book(pk=book.pk, title="b")
    with django_assert_num_queries(1):
        hand_made.save(update_fields=["title"])
    with django_assert_num_queries(1):
        Book.objects.update(title="c")


class Token(models.Model):
    key = models.CharField(max_length=40, primary_key=True)

    class Meta:
        app_label = "library"
        managed = False


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Audiobook, "library.Audiobook inherits from library.Book"),
        (Token, "The primary key of library.Token may be a secret"),
    ],
)
def test_what_cannot_have_triggers_is_refused(registered, model, message):
    registered(model, triggers=True)
    with pytest.raises(CommandError, match=message):
        call_command("trackmate_triggers", "install")


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("library.Genre", "library.Genre asks for no triggers"),
        ("library.Nothing", "There is no model 'library.Nothing'"),
        ("nothing", "There is no model 'nothing'"),
    ],
)
def test_a_wrong_label_is_refused(label, message):
    with pytest.raises(CommandError, match=message):
        call_command("trackmate_triggers", "install", label)


def test_a_log_in_another_database_is_refused(registered, settings):
    registered(Genre, triggers=True)
    settings.DATABASE_ROUTERS = ["tests.test_triggers.GenresApart"]
    with pytest.raises(CommandError, match="a trigger cannot write to another database"):
        call_command("trackmate_triggers", "install")


class GenresApart:
    def db_for_write(self, model, **_hints):
        return "apart" if model is Genre else None


# --- rollups


def test_a_transaction_that_ends_late_invalidates_the_rollups(triggered):
    triggered(Genre)
    Genre.objects.create(name="a")
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert not Invalidation.objects.exists()
    execute("SET CONSTRAINTS ALL DEFERRED")
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('trackmate.mark', 'on', true)")
    hours = [(now() - dt.timedelta(hours=each)).timestamp() // 3600 for each in (5, 4)]
    rows = [
        ActivityLog(action_time=now() - dt.timedelta(hours=5), action=f"{each}")
        for each in range(3)
    ]
    models.QuerySet(ActivityLog).bulk_create(rows)
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert list(Invalidation.objects.values_list("first", "last")) == [(hours[0], hours[0])]


def test_a_transaction_is_looked_at_once_in_an_hour(triggered):
    triggered(Genre)
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('trackmate.hour', true), '')")
        assert cursor.fetchone() == ("",)
        Genre.objects.create(name="a")
        cursor.execute(
            "SELECT current_setting('trackmate.hour'), current_setting('trackmate.mark')"
        )
        assert cursor.fetchone() == (str(int(now().timestamp() // 3600)), "")
