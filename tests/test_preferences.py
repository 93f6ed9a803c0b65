"""What a person has chosen for good: who has it, what it costs, and what happens without it."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from tests.rows import person
from trackmate.dashboard import preferences
from trackmate.models import Preference

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]


def request_of(user):
    request = RequestFactory().get("/trackmate/")
    request.user = user
    return request


@pytest.fixture
def ann():
    return request_of(person("ann"))


class Token:
    """Somebody who may be let in, and is no user of the project."""

    pk = 1
    is_authenticated = True


def test_a_choice_is_remembered_for_each_person(ann):
    bob = request_of(person("bob"))
    preferences.remember(ann, {"density": "compact", "zone": "utc"})
    preferences.remember(bob, {"zone": "local"})
    assert preferences.look_of(ann) == {"density": "compact", "zone": "utc"}
    assert preferences.look_of(bob) == {"zone": "local"}


def test_the_last_choice_takes_the_place_of_the_one_before(ann):
    preferences.remember(ann, {"density": "compact"})
    preferences.remember(ann, {"zone": "utc"})
    assert preferences.look_of(ann) == {"zone": "utc"}
    assert Preference.objects.count() == 1


def test_a_choice_is_one_query(ann):
    preferences.remember(ann, {"zone": "utc"})
    with CaptureQueriesContext(connection) as captured:
        preferences.look_of(ann)
    assert len([each for each in captured if "trackmate_preference" in each["sql"]]) == 1


@pytest.mark.parametrize("user", [None, AnonymousUser(), Token()])
def test_those_who_are_no_users_choose_nothing(user, django_assert_num_queries):
    with django_assert_num_queries(0):
        preferences.remember(request_of(user), {"zone": "utc"})
        assert preferences.look_of(request_of(user)) == {}


def test_without_the_middleware_of_users_there_is_no_choice(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert preferences.look_of(RequestFactory().get("/")) == {}


@pytest.mark.parametrize(
    ("kept", "read"), [(["utc"], {}), ("utc", {}), ({"zone": 5, "times": "utc"}, {"times": "utc"})]
)
def test_what_we_have_not_written_is_left_out(ann, kept, read):
    Preference.objects.create(pk=ann.user.pk, look=kept)
    assert preferences.look_of(ann) == read


def test_a_choice_never_stands_in_the_way_of_its_user(ann):
    preferences.remember(ann, {"zone": "utc"})
    ann.user.delete()
    assert not get_user_model().objects.exists()
    assert [str(each) for each in Preference.objects.all()]


@pytest.mark.django_db(transaction=True)
def test_without_its_table_there_is_no_choice_and_the_log_says_why(ann, broken_table, caplog):
    broken_table("trackmate_preference")
    assert preferences.look_of(ann) == {}
    assert "could not read" in caplog.text


def test_a_failure_leaves_the_projects_own_transaction_alone(ann, failing_query):
    with failing_query("trackmate_preference"):
        assert preferences.look_of(ann) == {}
    assert person("bob").pk


@pytest.mark.django_db(databases=["default", "apart"])
def test_choices_live_in_the_database_of_the_log(ann, settings, configure):
    configure(DATABASE="apart")
    settings.DATABASE_ROUTERS = ["trackmate.routers.TrackmateRouter"]
    preferences.remember(ann, {"zone": "utc"})
    assert preferences.look_of(ann) == {"zone": "utc"}
    assert Preference.objects.using("apart").get().user == ann.user
    assert not Preference.objects.using("default").exists()
