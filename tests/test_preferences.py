"""Saved display options: who has them, in how many queries, and what happens without them."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from tests.factories import person
from trackmate.dashboard.user_data import preferences
from trackmate.models import Preference

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]


def request_by(user):
    request = RequestFactory().get("/trackmate/")
    request.user = user
    return request


@pytest.fixture
def ann():
    return request_by(person("ann"))


class Token:
    """Somebody who may be let in, and is no user of the project."""

    pk = 1
    is_authenticated = True


def test_options_are_saved_for_each_person(ann):
    bob = request_by(person("bob"))
    preferences.save_preferences(ann, {"density": "compact", "zone": "utc"})
    preferences.save_preferences(bob, {"zone": "local"})
    assert preferences.saved_preferences(ann) == {"density": "compact", "zone": "utc"}
    assert preferences.saved_preferences(bob) == {"zone": "local"}


def test_later_options_replace_earlier_ones(ann):
    preferences.save_preferences(ann, {"density": "compact"})
    preferences.save_preferences(ann, {"zone": "utc"})
    assert preferences.saved_preferences(ann) == {"zone": "utc"}
    assert Preference.objects.count() == 1


def test_reading_options_is_one_query(ann):
    preferences.save_preferences(ann, {"zone": "utc"})
    with CaptureQueriesContext(connection) as captured:
        preferences.saved_preferences(ann)
    assert len([each for each in captured if "trackmate_preference" in each["sql"]]) == 1


@pytest.mark.parametrize("user", [None, AnonymousUser(), Token()])
def test_nothing_is_saved_for_somebody_who_is_not_a_user(user, django_assert_num_queries):
    with django_assert_num_queries(0):
        preferences.save_preferences(request_by(user), {"zone": "utc"})
        assert preferences.saved_preferences(request_by(user)) == {}


def test_without_authentication_nothing_is_read(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert preferences.saved_preferences(RequestFactory().get("/")) == {}


@pytest.mark.parametrize(
    ("stored", "read"),
    [(["utc"], {}), ("utc", {}), ({"zone": 5, "times": "utc"}, {"times": "utc"})],
)
def test_stored_values_that_are_not_options_are_left_out(ann, stored, read):
    Preference.objects.create(pk=ann.user.pk, display_options=stored)
    assert preferences.saved_preferences(ann) == read


def test_a_user_with_saved_options_can_be_deleted(ann):
    preferences.save_preferences(ann, {"zone": "utc"})
    ann.user.delete()
    assert not get_user_model().objects.exists()
    assert [str(each) for each in Preference.objects.all()]


@pytest.mark.django_db(transaction=True)
def test_without_the_table_nothing_is_read_and_an_error_is_logged(ann, broken_table, caplog):
    broken_table("trackmate_preference")
    assert preferences.saved_preferences(ann) == {}
    assert "could not read" in caplog.text


def test_a_failure_leaves_the_projects_transaction_intact(ann, failing_query):
    with failing_query("trackmate_preference"):
        assert preferences.saved_preferences(ann) == {}
    assert person("bob").pk


@pytest.mark.django_db(databases=["default", "apart"])
def test_options_are_stored_in_the_database_of_the_log(ann, settings, configure):
    configure(DATABASE="apart")
    settings.DATABASE_ROUTERS = ["trackmate.routers.TrackmateRouter"]
    preferences.save_preferences(ann, {"zone": "utc"})
    assert preferences.saved_preferences(ann) == {"zone": "utc"}
    assert Preference.objects.using("apart").get().user == ann.user
    assert not Preference.objects.using("default").exists()
