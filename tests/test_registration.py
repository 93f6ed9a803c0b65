"""Which models are recorded, and how that is said."""

from contextlib import suppress as suppress_errors

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, models, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext, override_settings

from tests.factories import person, rolled_back
from tests.library.models import Author, Book, Card, Copy, Genre, ThinBook
from trackmate import register, suppress
from trackmate.checks.models import check_models
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def found(activities):
    return {each.action for each in activities}


def make_both():
    Author.objects.create(name="Jane")
    Genre.objects.create(name="Crime")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"library.Author": {}}, {"library.author.create"}),
        ({"library.*": {}}, {"library.author.create", "library.genre.create"}),
        ({"library.author": {"on": ["delete"]}}, set()),
        ({"library.*": {}, "library.Genre": {"on": []}}, {"library.author.create"}),
        ({"library.Genre": {"on": []}, "library.*": {}}, {"library.author.create"}),
        ({"nothing.*": {}, "library.Nothing": {}, "": {}, 5: {}}, set()),
        ({"library.Author": {"feilds": ["name"]}}, set()),
    ],
)
def test_settings_name_models(configure, activities, value, expected):
    configure(MODELS=value)
    make_both()
    assert found(activities) == expected
    configure(MODELS={})
    activities.clear()
    make_both_again = Author.objects.create(name="Mary")
    assert (activities, make_both_again.name) == ([], "Mary")


def test_a_class_can_be_decorated(registered, activities):
    assert register(exclude=["name"])(Card) is Card
    registered(Card)
    Card.objects.create(name="Ann")
    assert found(activities) == {"library.card.create"}


def test_a_proxy_registers_its_model(registered, activities):
    registered(ThinBook)
    Book.objects.create(title="Emma")
    assert found(activities) == {"library.book.create"}


def test_registering_again_replaces_the_options(registered, activities):
    registered(Author, on=["delete"])
    registered(Author)
    Author.objects.create(name="Jane")
    assert len(activities) == 1


def test_what_has_no_table_is_refused():
    class Base(models.Model):
        class Meta:
            abstract = True
            app_label = "library"

    for each in (Base, ActivityLog, str):
        with pytest.raises(TypeError):
            register(each)
    with pytest.raises(TypeError, match="exclude cannot be 'name'"):
        register(Author, exclude="name")


def test_a_model_that_is_swapped_is_no_model(settings, configure):
    settings.AUTH_USER_MODEL = "library.Author"
    configure(MODELS={"auth.User": {}, "auth.*": {}})
    assert [each.id for each in check_models()] == ["trackmate.E006"]


def test_a_loaded_class_is_as_before_when_it_is_registered_no_longer(configure):
    before = {*vars(Author)}
    configure(MODELS={"library.Author": {}})
    configure(MODELS={})
    assert {*vars(Author)} == before


# --- checks --------------------------------------------------------------------------------------

WRONG = [
    ({"library.Autor": {}}, "E006", "Did you mean 'library.Author'?"),
    ({"libary.*": {}}, "E006", "Did you mean 'library.*'?"),
    ({"trackmate.ActivityLog": {}}, "E006", 'Write "app_label.Model"'),
    ({"library.Author": {"exclud": []}}, "E007", "Did you mean 'exclude'?"),
    ({"library.Author": {"exclude": ["nmae"]}}, "E008", "Did you mean 'name'?"),
    ({"library.Book": {"m2m": ["genre"]}}, "E008", "Did you mean 'genres'?"),
    ({"library.Book": {"renamed": {"headline": "titel"}}}, "E008", "Did you mean 'title'?"),
    ({"library.Author": {"old": "load"}}, "E009", "Did you mean 'loaded'?"),
    ({"library.Author": {"on": ["created"]}}, "E009", "Did you mean 'create'?"),
    ({"library.Author": {"exclude": "name"}}, "E009", "right type"),
    ({"library.Author": {"bulk_limit": "many"}}, "E009", "right type"),
    ({"library.Author": None}, "E009", "Write {}"),
    ({"library.Author": 5}, "E009", "Write {}"),
]


@pytest.mark.parametrize(("value", "id_", "hint"), WRONG)
def test_what_is_wrong_is_reported_with_a_suggestion(configure, value, id_, hint):
    configure(MODELS=value)
    (message,) = check_models()
    assert message.id == f"trackmate.{id_}"
    assert hint in message.hint


def test_what_is_right_is_not_reported(configure):
    options = {"fields": ["title", "genres"], "mask": ["text"], "renamed": {"name": "title"}}
    configure(MODELS={"library.Book": options, "auth.*": {}, "library.*": {}})
    assert list(check_models()) == []


# --- people and rights ---------------------------------------------------------------------------


@pytest.mark.users
def test_users_are_registered_by_one_line(configure, activities, client):
    model = get_user_model()
    configure(MODELS={model._meta.label: {}})
    user = person("ann")
    activities.clear()
    user.set_password("battery staple 4711")
    user.first_name = "Ann"
    user.save()
    client.force_login(user)
    (change,) = [each for each in activities if each.source == "model"]
    assert change.changes["password"] == ["[redacted]", "[redacted]"]
    assert change.changes["first_name"] == ["", "Ann"]


# --- guarantees ----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_guaranteed_change_is_stored_in_the_transaction_that_makes_it(registered):
    registered(Author, guarantee="transaction")
    with transaction.atomic():
        Author.objects.create(name="Jane")
        assert ActivityLog.objects.count() == 1
    with rolled_back():
        Author.objects.create(name="Mary")
        assert ActivityLog.objects.count() == 2
    Author.objects.create(name="Anne")
    assert ActivityLog.objects.filter(object_repr__in=["Jane", "Mary", "Anne"]).count() == 2


@pytest.mark.django_db(transaction=True)
def test_other_changes_are_stored_when_the_transaction_commits(registered):
    registered(Author)
    with transaction.atomic():
        Author.objects.create(name="Jane")
        assert not ActivityLog.objects.exists()
    assert ActivityLog.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_long_transaction_is_stored_in_parts(registered):
    registered(Author)
    with rolled_back():
        for number in range(501):
            Author.objects.create(name=str(number))
        assert ActivityLog.objects.count() == 500
    assert not ActivityLog.objects.exists()


@pytest.mark.only_on("postgresql", "mysql")
@pytest.mark.django_db(transaction=True)
def test_a_transaction_whose_connection_is_closed_has_done_nothing(registered, activities):
    registered(Author)
    with suppress_errors(ZeroDivisionError), transaction.atomic():
        Author.objects.create(name="Jane")
        connection.close()
        raise ZeroDivisionError
    with transaction.atomic():
        Author.objects.create(name="Mary")
    assert [each.target.object_repr for each in activities] == ["Mary"]


@pytest.mark.django_db(transaction=True)
def test_one_transaction_is_one_insert(registered):
    registered(Author)
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        for name in ("Jane", "Mary", "Anne"):
            Author.objects.create(name=name)
    inserts = [each["sql"] for each in queries if "trackmate_activitylog" in each["sql"]]
    assert (len(inserts), ActivityLog.objects.count()) == (1, 3)


# --- holes ---------------------------------------------------------------------------------------


def test_holes_are_listed_by_place(registered, capsys):
    registered(Author)
    with suppress():
        Author.objects.create(name="Jane")
    for name in ("a", "b"):
        Author.objects.update(name=name)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM library_author")
    call_command("trackmate_holes")
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("UPDATE   library_author  tests/test_registration.py:")
    assert "2 rows, 2 statements" in first
    assert second.startswith("DELETE   library_author")
    with pytest.raises(CommandError, match="2 places"):
        call_command("trackmate_holes", "--fail")


def test_no_holes_are_said_as_well(capsys):
    call_command("trackmate_holes", "--days", "7", "--fail")
    assert capsys.readouterr().out == "No unrecorded write was seen in 7 days.\n"


def test_a_summary_of_a_recorded_operation_is_no_hole(registered, capsys):
    registered(Copy, bulk_limit=0)
    Copy.objects.bulk_create([Copy(code="a")])
    call_command("trackmate_holes")
    assert capsys.readouterr().out.startswith("No unrecorded write")


def test_a_guaranteed_change_has_labels_and_is_in_no_summary(registered, activities):
    registered(Book, guarantee="transaction", bulk_limit=1)
    jane = Author.objects.create(name="Jane")
    for _twice in range(3):
        Book.objects.create(title="Emma", author_id=jane.pk)
    Book.objects.all().delete()
    assert [each.action for each in activities] == [
        *["library.book.create"] * 3,
        *["library.book.delete"] * 3,
    ]
    assert {each.changes["author"][0]["label"] for each in activities[3:]} == {"Jane"}


def disabled():
    return override_settings(TRACKMATE={"ENABLED": False})


@pytest.mark.parametrize("block", [suppress, disabled])
def test_nothing_is_read_where_nothing_is_recorded(registered, block):
    def count_queries():
        with suppress():
            jane = Author.objects.create(name="Jane")
            book = Book.objects.create(title="Emma", author=jane)
        with block(), CaptureQueriesContext(connection) as queries:
            Book(pk=book.pk, title="Emma II").save()
            book.copies = F("copies") + 1
            book.save()
            jane.delete()
        return len(queries)

    before = count_queries()
    registered(Book)
    assert count_queries() == before
