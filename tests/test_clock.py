"""Time, and identifiers that sort by it."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from trackmate.clock import aware, datetime_of, lowest_uuid7, naive, uuid7

NOON = datetime(2026, 3, 1, 12, 0, 0, 999_000, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
WARSAW_SUMMER = timezone(timedelta(hours=2))


def test_an_identifier_is_a_uuid_of_version_7():
    identifier = uuid7(NOON)
    assert identifier.version == 7
    assert identifier.variant == uuid.RFC_4122


def test_identifiers_begin_with_the_milliseconds_since_1970():
    assert uuid7(NOON).int >> 80 == int(NOON.timestamp() * 1000)


def test_identifiers_sort_by_time_within_a_millisecond_too():
    moments = [NOON + n * MICROSECOND for n in range(3000)]
    identifiers = [uuid7(moment) for moment in moments]
    assert all(earlier < later for earlier, later in pairwise(identifiers))


def test_identifiers_of_one_moment_differ():
    assert len({uuid7(NOON) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("microsecond", [0, 1, 249, 250, 500, 999, 1000, 999_999])
def test_an_identifier_gives_its_moment_back(microsecond):
    moment = NOON.replace(microsecond=microsecond)
    assert datetime_of(uuid7(moment)) == moment


def test_every_microsecond_of_a_millisecond_comes_back():
    moments = [NOON + n * MICROSECOND for n in range(1000)]
    assert [datetime_of(uuid7(moment)) for moment in moments] == moments


def test_the_time_zone_of_a_moment_does_not_matter():
    there = NOON.astimezone(WARSAW_SUMMER)
    assert lowest_uuid7(there) == lowest_uuid7(NOON)


def test_the_lowest_identifier_is_a_bound_of_its_moment():
    identifier = uuid7(NOON)
    assert lowest_uuid7(NOON) <= identifier < lowest_uuid7(NOON + MICROSECOND)


def test_a_moment_before_1970_sorts_first():
    assert uuid7(datetime(1969, 7, 20, tzinfo=UTC)) < uuid7(datetime(1970, 1, 2, tzinfo=UTC))


def test_a_naive_moment_is_one_of_the_current_time_zone(settings):
    settings.TIME_ZONE = "America/New_York"
    assert aware(datetime(2026, 1, 1, 12)).astimezone(UTC).hour == 17  # noqa: DTZ001


def test_an_aware_moment_stays_as_it_is():
    assert aware(NOON) is NOON


def test_a_moment_becomes_local_where_time_zones_are_off(settings):
    settings.TIME_ZONE = "America/New_York"
    assert naive(datetime(2026, 1, 1, 17, tzinfo=UTC)) == datetime(2026, 1, 1, 12)  # noqa: DTZ001


def test_a_local_moment_stays_as_it_is():
    local = datetime(2026, 1, 1, 12)  # noqa: DTZ001
    assert naive(local) is local
