"""What projects use in their own tests."""

import pytest
from django.test import override_settings

from trackmate import track
from trackmate.backends import locmem
from trackmate.conf import get_settings
from trackmate.testing import capture_activities


def actions(activities):
    return [activity.action for activity in activities]


def test_what_is_recorded_is_in_the_list():
    with capture_activities() as activities:
        track("order.exported")
    assert actions(activities) == ["order.exported"]


def test_a_request_is_in_the_list(client):
    with capture_activities() as activities:
        client.get("/orders/?page=2")
    assert actions(activities) == ["orders/"]


def test_nothing_reaches_the_database(django_assert_num_queries, db):
    with capture_activities(), django_assert_num_queries(0):
        track("order.exported")


def test_what_is_captured_was_redacted():
    with capture_activities() as activities:
        track("order.exported", data={"password": "hunter2"})
    assert activities[0].data == {"password": "[redacted]"}


def test_captures_nest():
    with capture_activities() as outer:
        track("a")
        with capture_activities() as inner:
            track("b")
        track("c")
    assert (actions(outer), actions(inner)) == (["a", "c"], ["b"])


def test_settings_can_be_given_and_others_stay():
    with override_settings(TRACKMATE={"CAPTURE_DATA": False}), capture_activities(SAMPLE_RATE=0.5):
        assert get_settings().SAMPLE_RATE == 0.5
        assert not get_settings().CAPTURE_DATA
    assert get_settings().SAMPLE_RATE == 1.0


def test_the_options_of_another_backend_do_not_matter(configure):
    configure(BACKEND_OPTIONS={"stream": "activities"})
    with capture_activities() as activities:
        track("a")
    assert actions(activities) == ["a"]


def test_everything_is_as_before_after_an_error():
    before = get_settings().BACKEND, locmem.outbox
    with pytest.raises(RuntimeError), capture_activities():
        raise RuntimeError
    assert (get_settings().BACKEND, locmem.outbox) == before
