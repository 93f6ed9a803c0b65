"""Rollups: counts of past hours and days, which always equal those of the rows."""

import json
import random
from datetime import UTC, datetime, timedelta
from io import StringIO
from threading import Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import activities, activity, person
from tests.urls_under_test import log_queries, text_of
from trackmate import selectors
from trackmate.activity import Activity
from trackmate.backends.inserts import insert
from trackmate.clock import aware
from trackmate.dashboard.db.statement_timeout import lock_timeout
from trackmate.models import ActivityLog, Invalidation, Rollup
from trackmate.models.rollups import DAY, FORMAT, HOUR, LATE
from trackmate.selectors import PeriodStats
from trackmate.selectors.rollups import builder
from trackmate.selectors.rollups.contents import QUARTER
from trackmate.selectors.rollups.reader import WATERMARK_DELAY

pytestmark = [
    pytest.mark.database,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("unrecorded"),
]

AN_HOUR = timedelta(hours=1)
FEW = ("status", "action_type", "status_code", "method", "source")


@pytest.fixture(autouse=True)
def one_hour(monkeypatch):
    """Let no hour end during a test: what it ends can be built."""
    now = timezone.now
    if now().minute == 59:
        monkeypatch.setattr(timezone, "now", lambda: now() - timedelta(minutes=2))


def every():
    return ActivityLog.objects.all()


def ago(**length):
    return timezone.now() - timedelta(**length)


def history(number, *, hours, seed=1):
    """Store activities of all kinds at random moments of the last hours."""
    dice = random.Random(seed)
    people = [person(f"p{seed}-{each}") for each in range(4)]
    rows = [
        ActivityLog(
            action_time=ago(seconds=dice.random() * hours * 3_600),
            source=dice.choice(["request", "request", "auth", "custom"]),
            action_type=dice.choice(["Read", "Read", "Update", "Login", "Login Failed", ""]),
            status=dice.choice(["Success", "Success", "Failed"]),
            status_code=dice.choice([200, 200, 302, 404, 500, None]),
            execution_time=dice.choice([None, dice.expovariate(20), 100 * dice.random()]),
            actor=dice.choice([None, *people]),
            actor_label=dice.choice(["", "ann", "cron:nightly"]),
            ip_address=dice.choice([None, f"10.0.0.{dice.randrange(30)}", "2001:db8::1"]),
            method=dice.choice(["GET", "POST", ""]),
            route=dice.choice(["", *(f"r{each}/" for each in range(20))]),
        )
        for _each in range(number)
    ]
    return ActivityLog.objects.bulk_create(rows)


def period(start, end=None):
    """Return the stats of a time range, from rollups where they are there."""
    found = selectors.rollups_for(every(), start, end)
    [stats] = selectors.periods(every(), start, end, rollups=found.rollups)
    return stats


def build(**options):
    return selectors.build_all("default", **options)


def bounds(start, step, number):
    first = datetime.fromtimestamp(start.timestamp() // step * step + step, UTC)
    inner = [first + timedelta(seconds=step * each) for each in range(number)]
    return [aware(start), *inner, inner[-1] + timedelta(seconds=100)]


def stats_of(found):
    """Return all stats, in a form in which equal ones are equal."""
    return {
        "summary": found.summary(),
        "latencies": found.latencies(),
        "facets": {name: ranked(tops) for name, tops in found.facets(*FEW).items()},
        "actors": ranked(found.actors()),
        "routes": ranked(found.routes()),
        "requests": ranked(found.routes(source="request")),
        "failing": ranked(found.routes(by="failed", source="request"), by="failed"),
        "slowest": [round(top.mean, 9) for top in found.routes(by="mean")],
        "addresses": ranked(found.top_values("ip_address")),
        "refused": ranked(found.refused(), by="failed"),
        "failures": [row.pk for row in found.newest_failures(8)],
        "bars": found.histogram(bounds(found.start, QUARTER * 2, 40)),
        "odd bars": found.histogram(bounds(found.start, 1_000, 60)),
    }


def ranked(tops, by="count"):
    """Return the figures in order, and the values of all but those that share the last place."""
    sizes = [getattr(top, by) for top in tops]
    clear = {(top.values, top.count, top.failed) for top in tops if getattr(top, by) > sizes[-1]}
    return sizes, clear


def plainly(found):
    """Return the same stats from rows alone."""
    return stats_of(PeriodStats(all_rows=found.all_rows, start=found.start, end=found.end))


@pytest.fixture
def two_days():
    """A history of two days, rolled up."""
    rows = history(500, hours=50)
    assert build()
    return rows


# They agree with the rows


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stats_are_the_same_with_and_without_rollups(seed):
    history(800, hours=75, seed=seed)
    build()
    assert Rollup.objects.filter(hours=DAY).exists()
    dice = random.Random(seed)
    for _each in range(4):
        start = ago(seconds=dice.uniform(8, 74) * 3_600)
        end = dice.choice([None, start + timedelta(seconds=dice.uniform(3, 60) * 3_600)])
        found = period(start, end)
        assert found.rollups
        assert stats_of(found) == plainly(found)


def test_without_time_zones_too(settings):
    settings.USE_TZ = False
    history(600, hours=30)
    assert build()
    found = period(ago(hours=26))
    assert found.rollups
    assert stats_of(found) == plainly(found)


def test_two_periods_share_no_row(two_days):
    moments = [ago(hours=49), ago(hours=25), None]
    rollups = selectors.rollups_for(every(), *moments).rollups
    found = selectors.periods(every(), *moments, rollups=rollups)
    inside = [row for row in two_days if row.action_time >= moments[0]]
    assert sum(each.summary().count for each in found) == len(inside)
    assert [stats_of(each) for each in found] == [plainly(each) for each in found]


def test_rows_that_nobody_has_rolled_up_yet_count(two_days):
    found = period(ago(hours=30))
    before = found.summary().count
    activities(3, step=60)
    assert period(found.start).summary().count == before + 3


def test_what_cannot_be_rolled_up_is_read(two_days):
    start = ago(hours=30)
    for rows in (every().filter(method="GET"), every().exclude(status="Failed"), every()[:5]):
        assert selectors.rollups_for(rows, start, None).rollups == ()
    assert period(ago(hours=1)).rollups == ()


def test_a_half_filled_table_answers_as_well(two_days):
    start = ago(hours=40)
    whole = stats_of(period(start))
    for share in (3, 2):
        keys = list(Rollup.objects.order_by("pk").values_list("pk", flat=True)[::share])
        Rollup.objects.filter(pk__in=keys).delete()
        assert stats_of(period(start)) == whole
    Rollup.objects.all().delete()
    assert stats_of(period(start)) == whole


# Late changes


def insert_late(moment):
    insert([Activity.at(moment, action="late", status="Failed")], "default")


def create_late(moment):
    ActivityLog.objects.create(action_time=moment, status="Failed")


def bulk_create_late(moment):
    ActivityLog.objects.bulk_create([ActivityLog(action_time=moment, status="Failed")])


def delete_rows(moment):
    ActivityLog.objects.between(moment - AN_HOUR, moment + AN_HOUR).delete()


def delete_one(moment):
    ActivityLog.objects.between(moment - AN_HOUR, moment + AN_HOUR).first().delete()


def update_rows(moment):
    rows = ActivityLog.objects.between(moment - AN_HOUR, moment + AN_HOUR)
    rows.update(status="Failed", route="x/")


def save_one_again(moment):
    row = ActivityLog.objects.between(moment - AN_HOUR, moment + AN_HOUR).first()
    row.status = "Failed" if row.status == "Success" else "Success"
    row.save()


CHANGES = [
    insert_late,
    create_late,
    bulk_create_late,
    delete_rows,
    delete_one,
    update_rows,
    save_one_again,
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("hours", [3, 40])
def test_a_late_change_is_in_the_next_answer(two_days, change, hours):
    start = ago(hours=48)
    before = stats_of(period(start))
    change(ago(hours=hours))
    assert stats_of(period(start)) == plainly(period(start)) != before
    build()
    assert Invalidation.objects.count() == 0
    assert stats_of(period(start)) == plainly(period(start))


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_is_rolled_back_invalidates_nothing(two_days, change):
    with transaction.atomic():
        change(ago(hours=3))
        assert Invalidation.objects.count() == 1
        transaction.set_rollback(True)
    assert Invalidation.objects.count() == 0


def test_what_is_not_late_costs_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        insert([Activity.at(timezone.now(), action="now")], "default")
    with django_assert_num_queries(1):
        ActivityLog.objects.create()
    assert Invalidation.objects.count() == 0


def test_an_hour_is_built_when_transactions_of_its_time_have_ended():
    activities(300, step=60)
    build()
    newest = Rollup.objects.filter(hours=HOUR).order_by("start").last()
    closed_for = timezone.now().timestamp() - (newest.start + 1) * 3_600
    assert closed_for >= WATERMARK_DELAY.total_seconds() > 10 * LATE


@pytest.mark.parametrize(
    ("hours", "number"), [((5, 5, 216), 2), (range(10, 200, 2), 1), (range(2, 8, 2), 3)]
)
def test_late_rows_are_a_few_invalidations(hours, number):
    insert([Activity.at(ago(hours=each)) for each in hours], "default")
    assert Invalidation.objects.count() == number


def test_with_too_many_invalidations_no_rollup_is_used(two_days, monkeypatch):
    monkeypatch.setattr("trackmate.selectors.rollups.reader.MAX_INVALIDATIONS_READ", 2)
    for hours in (3, 9):
        create_late(ago(hours=hours))
    assert not period(ago(hours=48)).rollups
    build()
    assert period(ago(hours=48)).rollups


# What is stored


def test_rollups_of_another_format_are_ignored_and_replaced(two_days):
    start = ago(hours=40)
    Rollup.objects.update(format=FORMAT + 1, counts="[]")
    assert not period(start).rollups
    assert build()
    assert period(start).rollups
    assert stats_of(period(start)) == plainly(period(start))


BROKEN = {
    "no JSON": lambda _text: "{",
    "another type": lambda _text: "[1, 2]",
    "a part missing": lambda text: json.dumps({**json.loads(text), "actors": None}),
    "no parts": lambda _text: "{}",
    "groups of other columns": lambda text: json.dumps({**json.loads(text), "actors": [[1]]}),
}


@pytest.mark.parametrize("url", ["/trackmate/", "/trackmate/activity/facets/"])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_rollup_is_a_message_in_place_of_its_panel(staff, two_days, caplog, url, broken):
    for rollup in Rollup.objects.exclude(counts=None):
        rollup.counts = BROKEN[broken](rollup.counts)
        rollup.save()
    response = staff.get(url)
    assert response.status_code == 200
    assert "could not be read" in text_of(response)
    errors = [each for each in caplog.records if each.levelname == "ERROR"]
    assert errors
    assert all(" at " in each.getMessage() for each in errors)


def test_an_unknown_part_of_a_rollup_is_ignored(two_days):
    start = ago(hours=40)
    for rollup in Rollup.objects.exclude(counts=None):
        rollup.counts = json.dumps({**json.loads(rollup.counts), "countries": [["de", 1]]})
        rollup.save()
    assert stats_of(period(start)) == plainly(period(start))


def test_the_cost_grows_with_rows_and_not_with_time(monkeypatch):
    def queries(years):
        ActivityLog.objects.all().delete()
        Rollup.objects.all().delete()
        for number in range(10):
            ActivityLog.objects.create(action_time=ago(days=8 + 36 * years * number))
        with CaptureQueriesContext(connection) as found:
            assert build()
        return len(found)

    assert queries(years=1) == queries(years=4)
    monkeypatch.setattr(builder, "BATCH_ROWS", 5)
    assert queries(years=1) == queries(years=4)


def test_many_rows_are_counted_in_batches(monkeypatch, two_days):
    number = Rollup.objects.count()
    Rollup.objects.all().delete()
    monkeypatch.setattr(builder, "BATCH_ROWS", 7)
    build()
    assert Rollup.objects.count() > number / 2
    found = period(ago(hours=49))
    assert len(found.rollups) > 20
    assert stats_of(found) == plainly(found)


def test_a_rollup_with_too_many_groups_is_not_used(monkeypatch):
    for name in ("builder.MOST_GROUPS", "builder.BATCH_ROWS"):
        monkeypatch.setattr(f"trackmate.selectors.rollups.{name}", 3)
    history(300, hours=6)
    build()
    assert Rollup.objects.filter(counts="").exists()
    assert build() == 0
    start = ago(hours=6)
    assert stats_of(period(start)) == plainly(period(start))


def test_more_groups_than_are_read_do_not_change_the_number_of_users(monkeypatch):
    users = [person(f"u{number}") for number in range(6)]
    for user in users:
        activity(actor=user)
    monkeypatch.setattr("trackmate.selectors.grouping.MOST_GROUPS", 3)
    monkeypatch.setattr("trackmate.selectors.period.MOST_GROUPS", 3)
    assert period(ago(hours=1)).summary().actors == len(users)


def test_no_more_characters_are_read_than_a_page_can_parse(monkeypatch, two_days):
    start = ago(hours=40)
    every_one = period(start).rollups
    monkeypatch.setattr("trackmate.selectors.rollups.reader.MOST_CHARACTERS", 20_000)
    some = period(start).rollups
    assert 0 < len(some) < len(every_one)
    assert stats_of(period(start)) == plainly(period(start))


# Two at once


def counting(monkeypatch, meanwhile):
    """Let something happen between counting and storing, once."""
    count, happened = builder._count, []

    def counted(rows, span):
        found = count(rows, span)
        if not happened:
            happened.append(True)
            meanwhile()
        return found

    monkeypatch.setattr(builder, "_count", counted)


def test_a_row_that_is_stored_while_its_hour_is_counted_is_not_lost(monkeypatch):
    history(300, hours=6)
    start = ago(hours=6)
    counting(monkeypatch, lambda: create_late(ago(hours=3)))
    build()
    assert stats_of(period(start)) == plainly(period(start))
    build()
    assert stats_of(period(start)) == plainly(period(start))


def test_what_was_counted_before_a_change_is_not_stored_after_the_invalidation(monkeypatch):
    history(300, hours=6)

    def change_and_apply():
        create_late(ago(hours=3))
        builder.apply_invalidations("default")

    counting(monkeypatch, change_and_apply)
    build()
    assert Invalidation.objects.count() == 0
    start = ago(hours=6)
    assert stats_of(period(start)) == plainly(period(start))


def test_two_that_build_at_once_store_once(monkeypatch):
    history(300, hours=6)
    counting(monkeypatch, build)
    build()
    found = Rollup.objects.values_list("hours", "start")
    assert len(found) == len(set(found))
    start = ago(hours=6)
    assert stats_of(period(start)) == plainly(period(start))


def test_what_a_process_that_died_has_begun_is_built():
    history(300, hours=6)
    number = build()
    Rollup.objects.update(counts=None)
    assert build() == number


@pytest.mark.only_on("postgresql", "mysql")
def test_a_late_row_waits_for_nobody_who_counts(monkeypatch):
    history(300, hours=6)
    done = []

    def from_elsewhere():
        def run():
            create_late(ago(hours=3))
            done.append(True)
            connections.close_all()

        thread = Thread(target=run)
        thread.start()
        thread.join(5)

    counting(monkeypatch, from_elsewhere)
    build()
    assert done
    start = ago(hours=6)
    assert stats_of(period(start)) == plainly(period(start))


# The pages


def test_a_page_builds_rollups_and_shows_the_same_afterwards(client, monkeypatch):
    client.force_login(person("staff", is_staff=True))
    for place in range(1, 15):  # of no two things are there as many
        names = {"route": f"r{place}/", "actor_label": f"a{place}", "ip_address": f"10.0.0.{place}"}
        activities(place, step=170_000 / place, source="request", execution_time=place, **names)
        activities(place, step=9_000, action_type="Login Failed", status="Failed", **names)
    now = timezone.now()
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    monkeypatch.setattr("django.middleware.csrf._mask_cipher_secret", lambda secret: secret)
    monkeypatch.setattr("trackmate.dashboard.stats.periods.BUILD_SECONDS", 0)
    plain = text_of(client.get("/trackmate/"))
    monkeypatch.setattr("trackmate.dashboard.stats.periods.BUILD_SECONDS", 60)
    client.get("/trackmate/")
    assert Rollup.objects.exclude(counts=None).count() > 40
    rolled = text_of(client.get("/trackmate/"))
    assert without_query_stats(rolled) == without_query_stats(plain)


def without_query_stats(page):
    return page.partition("tm-query-stats")[0]


@pytest.mark.parametrize(
    ("url", "most"),
    [("/trackmate/", 12), ("/trackmate/?range=30d", 13), ("/trackmate/activity/facets/", 11)],
)
def test_the_number_of_queries_does_not_grow_with_rows(client, url, most):
    client.force_login(person("staff", is_staff=True))
    counted = []
    for number in (200, 600):
        history(number, hours=72, seed=number)
        build()
        with CaptureQueriesContext(connection) as found:
            client.get(url)
        counted.append(len(found))
        assert len(log_queries(found)) <= most
    assert counted[0] == counted[1]


@pytest.mark.only_on("sqlite3")
def test_a_page_does_not_wait_long_for_another_writer():
    def timeout():
        with connection.cursor() as cursor:
            return cursor.execute("PRAGMA busy_timeout").fetchone()[0]

    previous = timeout()
    with lock_timeout("default", milliseconds=7):
        assert timeout() == 7
    assert timeout() == previous > 7


def test_a_project_that_limits_rows_has_no_rollups(client, configure, two_days):
    configure(DASHBOARD_QUERYSET=lambda request, rows: rows.filter(source="auth"))
    client.force_login(person("staff", is_staff=True))
    start = ago(hours=24)
    number = sum(row.source == "auth" and row.action_time >= start for row in two_days)
    assert f"<strong>{number}</strong>" in text_of(client.get("/trackmate/"))


def test_a_page_without_the_table_reads_the_rows(client, two_days):
    client.force_login(person("staff", is_staff=True))
    with connection.schema_editor() as editor:
        editor.delete_model(Rollup)
    try:
        page = text_of(client.get("/trackmate/"))
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(Rollup)
    number = sum(row.action_time >= ago(hours=24) for row in two_days)
    assert f"<strong>{number}</strong>" in page


# The command


def rollup(*arguments):
    out = StringIO()
    call_command("trackmate_rollup", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_makes_what_is_missing():
    history(200, hours=30)
    made = Rollup.objects.exclude(counts=None).count
    assert rollup() == f"{made()} rollups built.\n"
    assert made() > 25
    assert rollup() == "0 rollups built.\n"


def test_the_command_stops_in_time():
    history(200, hours=30)
    assert rollup("--timeout", "0.000001") == "0 rollups built.\n"
    with pytest.raises(CommandError, match="more than 0"):
        rollup("--timeout", "0")


def test_the_command_begins_again_where_rows_came_by_other_ways(two_days):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM trackmate_activitylog")
    start = ago(hours=30)
    assert period(start).summary().count > 0
    create_late(ago(hours=49))
    rollup("--rebuild")
    assert period(start).summary().count == 0
    assert Rollup.objects.exists()


def test_the_command_on_an_empty_log():
    assert rollup() == "0 rollups built.\n"
