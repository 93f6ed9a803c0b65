"""Times around the hour that clocks repeat or skip, in zones that change them in different ways."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.forms import ValidationError
from django.utils import timezone

from tests.pages import text_of
from trackmate.clock import aware, from_wall_clock
from trackmate.dashboard import charts, times, windows
from trackmate.dashboard.widgets import MomentInput
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
    """The moment of a change, in a project of its zone."""
    zone, moment = request.param
    settings.TIME_ZONE = zone
    return moment


def changes(them):
    return pytest.mark.parametrize("change", them, indirect=True, ids=str)


def rows_around(moment):
    """Store a row for each quarter of an hour, from four hours before to four hours after."""
    moments = [moment + number * QUARTER for number in range(-16, 16)]
    return ActivityLog.objects.bulk_create(
        [ActivityLog(action_time=each, action=f"at.{each:%H%M}z") for each in moments]
    )


def actions_in(page):
    return sorted(set(re.findall(r"at\.\d{4}z", page)))


def wall(moment):
    """Return what the clocks show, as somebody types it."""
    return timezone.localtime(moment).isoformat()[:16]


@changes(BACK.items())
@pytest.mark.parametrize("ask", ["form", "line"])
def test_a_range_of_the_repeated_hour_holds_it_twice(staff, change, ask):
    rows_around(change)
    repeated = length_of(change)
    start, end = wall(change - repeated), wall(change - QUARTER)
    asked = {"q": f"created:{start}..{end}"}
    if ask == "form":
        asked = {"range": "custom", "start": start, "end": end}
    # Until the same clock time of the second round, which is excluded as ends are.
    steps = 2 * repeated // QUARTER - 1
    expected = [f"at.{change - repeated + number * QUARTER:%H%M}z" for number in range(steps)]
    assert actions_in(text_of(staff.get(LIST, asked))) == sorted(expected)


def length_of(change):
    """Return by how much the clocks are put back."""
    return timezone.localtime(change - QUARTER).utcoffset() - timezone.localtime(change).utcoffset()


@changes(FORWARD.items())
@pytest.mark.parametrize("ask", ["form", "line"])
def test_a_time_that_was_skipped_is_not_refused(staff, change, ask):
    rows_around(change)
    last = timezone.localtime(change - QUARTER).replace(tzinfo=None)
    start, end = ((last + timedelta(minutes=each)).isoformat()[:16] for each in (20, 35))
    asked = {"q": f"created:{start}..{end}"}
    if ask == "form":
        asked = {"range": "custom", "start": start, "end": end}
    assert actions_in(text_of(staff.get(LIST, asked))) == [f"at.{change + QUARTER:%H%M}z"]


@changes(CHANGES)
@pytest.mark.parametrize("hours", [1, 8, 24 * 14])
def test_each_bar_leads_to_its_own_rows(staff, change, hours):
    rows_around(change)
    half = timedelta(hours=hours / 2)
    asked = charts.between(change - half, change + half)
    page = text_of(staff.get("/trackmate/activity/figures/", asked))
    bars = re.findall(r'<tr><th scope="row"><a href="([^"]*)">.*?</a></th><td>(\d+)</td>', page)
    assert sum(int(count) for _url, count in bars) == min(32, hours * 4)
    for url, count in bars:
        if count != "0":
            assert len(actions_in(text_of(staff.get(unescape(url))))) == int(count)


@changes(CHANGES)
@pytest.mark.parametrize("step", charts.STEPS, ids=str)
def test_bars_begin_at_round_times_before_and_after(change, step):
    half = min(36 * step, timedelta(days=40))
    bounds = charts.bounds_of(change - half + timedelta(seconds=1), change + half, step)
    assert bounds == sorted(set(bounds))
    assert all(later - earlier <= 2 * step for earlier, later in itertools.pairwise(bounds))
    for bound in bounds[1:-1]:
        shown = timezone.localtime(bound).replace(tzinfo=UTC)
        assert (shown - charts.EPOCH) % step == timedelta()


@changes(CHANGES)
def test_a_moment_is_written_so_that_it_is_read_again(change):
    for number in range(-16, 16):
        moment = change + number * QUARTER
        for is_end in (False, True):
            assert times.read(windows.written(moment), is_end=is_end) == moment


@changes(CHANGES)
def test_form_and_line_mean_the_same(change):
    for number in (-8, -4, -3, -2, 1, 2):
        asked = charts.between(change + number * QUARTER, change + (number + 3) * QUARTER)
        found = times.typed(times.text_of({"range": "custom", **asked}, "24h"))
        meant = (change + number * QUARTER, change + (number + 3) * QUARTER)
        assert (found.start, found.end) == meant


@changes(BACK.items())
def test_a_bar_says_which_of_two_hours_it_is(staff, change):
    rows_around(change)
    asked = charts.between(change - timedelta(hours=1), change + timedelta(hours=1))
    page = text_of(staff.get("/trackmate/activity/figures/", asked))
    labels = re.findall(r'<tr><th scope="row"><a href="[^"]*">(.*?)</a></th>', page)
    assert len(labels) == len(set(labels))


@changes(BACK.items())
def test_the_picker_shows_the_clock(change):
    assert MomentInput().format_value(wall(change)) == f"{wall(change)}:00"
    assert MomentInput().format_value(windows.written(change)) == f"{wall(change)}:00"


@changes(CHANGES)
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_an_export_holds_both_hours(admin_client, settings, change, kind):
    rows = rows_around(change)
    asked = charts.between(change - timedelta(hours=5), change + timedelta(hours=5))
    response = admin_client.get(f"/trackmate/activity/export/{kind}/", asked)
    text = b"".join(response.streaming_content).decode()
    assert all(str(row.pk) in text for row in rows)
    if settings.USE_TZ:
        # Without, the database keeps local times, of which two hours are one.
        assert all(row.action_time.isoformat() in text for row in rows)


@pytest.mark.parametrize("text", ["", None])
def test_no_time_is_none(text):
    assert times.read(text) is None


@pytest.mark.parametrize("text", ["yesterday", "2024-10-27T25:00", "0"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValidationError):
        times.read(text)


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
