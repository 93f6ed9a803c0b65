"""Times around the hour that clocks repeat or skip, in zones that change them in different ways."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.forms import ValidationError
from django.utils import timezone

from tests.urls_under_test import text_of
from trackmate.clock import aware, from_wall_clock
from trackmate.dashboard import time_ranges, time_syntax
from trackmate.dashboard.forms.fields import TimeInput
from trackmate.dashboard.stats import histogram
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

QUARTER = timedelta(minutes=15)
LIST = "/trackmate/activity/"

# When clocks were put back, or forward.
BACK = {
    "Europe/Berlin": datetime(2024, 10, 27, 1, tzinfo=UTC),
    "America/New_York": datetime(2024, 11, 3, 6, tzinfo=UTC),
    "America/Havana": datetime(2024, 11, 3, 5, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2024, 4, 6, 15, tzinfo=UTC),
}
FORWARD = {
    "Europe/Berlin": datetime(2024, 3, 31, 1, tzinfo=UTC),
    "America/New_York": datetime(2024, 3, 10, 7, tzinfo=UTC),
    "Africa/Cairo": datetime(2024, 4, 25, 22, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2024, 10, 5, 15, 30, tzinfo=UTC),
}
CHANGES = [*BACK.items(), *FORWARD.items()]


@pytest.fixture(autouse=True, params=[True, False], ids=["USE_TZ", "naive"])
def use_tz(request, settings):
    settings.USE_TZ = request.param


@pytest.fixture
def change(request, settings):
    """The time of a change, in a project of its zone."""
    zone, time = request.param
    settings.TIME_ZONE = zone
    return time


def changes(cases):
    return pytest.mark.parametrize("change", cases, indirect=True, ids=str)


def rows_around(time):
    """Store a row for each quarter of an hour, from four hours before to four hours after."""
    times = [time + number * QUARTER for number in range(-16, 16)]
    return ActivityLog.objects.bulk_create(
        [ActivityLog(action_time=each, action=f"at.{each:%H%M}z") for each in times]
    )


def actions_in(page):
    return sorted(set(re.findall(r"at\.\d{4}z", page)))


def wall(time):
    """Return what the clocks show, as somebody types it."""
    return timezone.localtime(time).isoformat()[:16]


@changes(BACK.items())
@pytest.mark.parametrize("source", ["form", "line"])
def test_a_range_of_the_repeated_hour_includes_it_twice(staff, change, source):
    rows_around(change)
    repeated = length_of(change)
    start, end = wall(change - repeated), wall(change - QUARTER)
    params = {"q": f"created:{start}..{end}"}
    if source == "form":
        params = {"range": "custom", "start": start, "end": end}
    # Until the same clock time of the second round, which is excluded as ends are.
    steps = 2 * repeated // QUARTER - 1
    expected = [f"at.{change - repeated + number * QUARTER:%H%M}z" for number in range(steps)]
    assert actions_in(text_of(staff.get(LIST, params))) == sorted(expected)


def length_of(change):
    """Return by how much the clocks are put back."""
    return timezone.localtime(change - QUARTER).utcoffset() - timezone.localtime(change).utcoffset()


@changes(FORWARD.items())
@pytest.mark.parametrize("source", ["form", "line"])
def test_a_time_that_was_skipped_is_accepted(staff, change, source):
    rows_around(change)
    last = timezone.localtime(change - QUARTER).replace(tzinfo=None)
    start, end = ((last + timedelta(minutes=each)).isoformat()[:16] for each in (20, 35))
    params = {"q": f"created:{start}..{end}"}
    if source == "form":
        params = {"range": "custom", "start": start, "end": end}
    assert actions_in(text_of(staff.get(LIST, params))) == [f"at.{change + QUARTER:%H%M}z"]


@changes(CHANGES)
@pytest.mark.parametrize("hours", [1, 8, 24 * 14])
def test_each_bar_links_to_its_own_rows(staff, change, hours):
    rows_around(change)
    half = timedelta(hours=hours / 2)
    params = time_ranges.params_between(change - half, change + half)
    page = text_of(staff.get("/trackmate/activity/facets/", params))
    bars = re.findall(r'<tr><th scope="row"><a href="([^"]*)">.*?</a></th><td>(\d+)</td>', page)
    assert sum(int(count) for _url, count in bars) == min(32, hours * 4)
    for url, count in bars:
        if count != "0":
            assert len(actions_in(text_of(staff.get(unescape(url))))) == int(count)


@changes(CHANGES)
@pytest.mark.parametrize("step", histogram.STEPS, ids=str)
def test_bars_start_at_round_times_before_and_after(change, step):
    half = min(36 * step, timedelta(days=40))
    bounds = histogram.bounds_between(change - half + timedelta(seconds=1), change + half, step)
    assert bounds == sorted(set(bounds))
    assert all(later - earlier <= 2 * step for earlier, later in itertools.pairwise(bounds))
    for bound in bounds[1:-1]:
        shown = timezone.localtime(bound).replace(tzinfo=UTC)
        assert (shown - histogram.EPOCH) % step == timedelta()


@changes(CHANGES)
def test_form_and_line_parse_what_a_link_contains(change):
    for number in range(-16, 16):
        time = change + number * QUARTER
        text = time_ranges.to_form_value(time)
        for is_end in (False, True):
            assert time_syntax.parse_form_time(text, is_end=is_end) == time
        assert time_syntax.parse_range(f"{text}..").start == time
        assert time_syntax.parse_range(f"..{text}").end == time


@changes(BACK.items())
def test_a_bar_names_which_of_two_hours_it_is(staff, change):
    rows_around(change)
    params = time_ranges.params_between(change - timedelta(hours=1), change + timedelta(hours=1))
    page = text_of(staff.get("/trackmate/activity/facets/", params))
    labels = re.findall(r'<tr><th scope="row"><a href="[^"]*">(.*?)</a></th>', page)
    assert len(labels) == len(set(labels))


@changes(BACK.items())
def test_the_picker_shows_the_clock(change):
    assert TimeInput().format_value(wall(change)) == f"{wall(change)}:00"
    assert TimeInput().format_value(time_ranges.to_form_value(change)) == f"{wall(change)}:00"


@changes(CHANGES)
@pytest.mark.parametrize("file_format", ["csv", "ndjson"])
def test_an_export_includes_both_hours(admin_client, settings, change, file_format):
    rows = rows_around(change)
    params = time_ranges.params_between(change - timedelta(hours=5), change + timedelta(hours=5))
    response = admin_client.get(f"/trackmate/activity/export/{file_format}/", params)
    text = b"".join(response.streaming_content).decode()
    assert all(str(row.pk) in text for row in rows)
    if settings.USE_TZ:
        # Without, the database keeps local times, of which two hours are one.
        assert all(row.action_time.isoformat() in text for row in rows)


@pytest.mark.parametrize("text", ["", None])
def test_no_time_is_none(text):
    assert time_syntax.parse_form_time(text) is None


@pytest.mark.parametrize("text", ["yesterday", "2024-10-27T25:00", "0"])
def test_a_text_that_is_not_a_time_is_refused(text):
    with pytest.raises(ValidationError):
        time_syntax.parse_form_time(text)


def test_the_length_of_a_range_is_the_one_that_has_passed(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    berlin = ZoneInfo("Europe/Berlin")
    start, end = (
        aware(datetime(2024, 10, 27, tzinfo=berlin)),
        aware(datetime(2024, 10, 28, tzinfo=berlin)),
    )
    assert end - start == timedelta(hours=25)
    assert from_wall_clock(datetime(2024, 10, 27, 2, 30), is_end=True) - from_wall_clock(  # noqa: DTZ001
        datetime(2024, 10, 27, 2, 30)  # noqa: DTZ001
    ) == timedelta(hours=1)


@pytest.mark.parametrize("text", ["today", "yesterday", "today..", "00:00..", "yesterday..00:00"])
def test_days_are_those_of_the_time_zone(text):
    with timezone.override("Pacific/Kiritimati"):
        start = time_syntax.parse_range(text).start
        assert timezone.localtime(aware(start)).time() == datetime.min.time()


@pytest.mark.parametrize("text", ["9999-12-31", "0001-01-01..", "25:00..", "2026-02-30"])
def test_what_is_no_time_gets_a_message(text):
    with pytest.raises(ValidationError, match=re.escape(text.removesuffix(".."))):
        time_syntax.parse_range(text)
