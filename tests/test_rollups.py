"""Rollups: figures of times that are over, which never differ from what the rows say."""

import random
from datetime import UTC, datetime, timedelta
from io import StringIO
from threading import Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.pages import log_queries, text_of
from tests.rows import activities, person
from trackmate import selectors
from trackmate.activity import Activity
from trackmate.backends.inserts import insert
from trackmate.clock import aware
from trackmate.dashboard.budget import lock_budget
from trackmate.models import ActivityLog, LateChange, Rollup
from trackmate.rollups import DAY, LATE, QUARTER
from trackmate.selectors import filling
from trackmate.selectors.stretch import Stretch
from trackmate.selectors.summed import RolledStretch

pytestmark = [
    pytest.mark.database,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("unrecorded"),
]

HOUR = timedelta(hours=1)
FEW = ("status", "action_type", "status_code", "method", "source")


@pytest.fixture(autouse=True)
def quarter(monkeypatch):
    """Let no quarter of an hour end during a test: what it ends is rolled up."""
    now = timezone.now
    if now().minute % 15 == 14:
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


def stretch(start, end=None):
    rolled = selectors.rolled(every(), start, end)
    [found] = selectors.stretches(every(), start, end, rolled=rolled)
    return found


def fill(**options):
    return selectors.fill_all("default", **options)


def bounds(start, step, number):
    first = datetime.fromtimestamp(start.timestamp() // step * step + step, UTC)
    inner = [first + timedelta(seconds=step * each) for each in range(number)]
    return [aware(start), *inner, inner[-1] + timedelta(seconds=100)]


def figures(found):
    """Return all that a stretch says, in a form in which equal figures are equal."""
    return {
        "summary": found.summary(),
        "latencies": found.latencies(),
        "facets": {name: ranked(tops) for name, tops in found.facets(*FEW).items()},
        "actors": ranked(found.actors()),
        "routes": ranked(found.routes()),
        "requests": ranked(found.routes(source="request")),
        "failing": ranked(found.routes(by="failed", source="request"), by="failed"),
        "slowest": [round(top.mean, 9) for top in found.routes(by="mean")],
        "addresses": ranked(found.addresses()),
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
    """Return what the rows of a stretch say."""
    return figures(Stretch(every=found.every, start=found.start, end=found.end))


@pytest.fixture
def two_days():
    """A history of two days, rolled up."""
    rows = history(500, hours=50)
    assert fill()
    return rows


# They agree with the rows


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_rollups_and_without_the_answers_are_the_same(seed):
    history(800, hours=75, seed=seed)
    fill()
    assert Rollup.objects.filter(length=DAY).exists()
    dice = random.Random(seed)
    for _each in range(4):
        start = ago(seconds=dice.uniform(8, 74) * 3_600)
        end = dice.choice([None, start + timedelta(seconds=dice.uniform(3, 60) * 3_600)])
        found = stretch(start, end)
        assert isinstance(found, RolledStretch)
        assert figures(found) == plainly(found)


def test_without_time_zones_too(settings):
    settings.USE_TZ = False
    history(600, hours=30)
    assert fill()
    found = stretch(ago(hours=26))
    assert isinstance(found, RolledStretch)
    assert figures(found) == plainly(found)


def test_two_stretches_share_no_row(two_days):
    moments = [ago(hours=49), ago(hours=25), None]
    rolled = selectors.rolled(every(), *moments)
    found = selectors.stretches(every(), *moments, rolled=rolled)
    inside = [row for row in two_days if row.action_time >= moments[0]]
    assert sum(each.summary().count for each in found) == len(inside)
    assert [figures(each) for each in found] == [plainly(each) for each in found]


def test_rows_that_nobody_has_rolled_up_yet_count(two_days):
    found = stretch(ago(hours=30))
    before = found.summary().count
    activities(3, step=60)
    assert stretch(found.start).summary().count == before + 3


def test_what_cannot_be_rolled_up_is_read(two_days):
    start = ago(hours=30)
    for rows in (every().filter(method="GET"), every().exclude(status="Failed"), every()[:5]):
        rolled = selectors.rolled(rows, start, None)
        assert rolled.documents == ()
    assert isinstance(stretch(ago(hours=1)), Stretch)
    assert not isinstance(stretch(ago(hours=1)), RolledStretch)


def test_a_half_filled_table_answers_as_well(two_days):
    start = ago(hours=40)
    whole = figures(stretch(start))
    for share in (3, 2):
        keys = list(Rollup.objects.order_by("pk").values_list("pk", flat=True)[::share])
        Rollup.objects.filter(pk__in=keys).delete()
        assert figures(stretch(start)) == whole
    Rollup.objects.all().delete()
    assert figures(stretch(start)) == whole


# Late changes


def insert_late(moment):
    insert([Activity.at(moment, action="late", status="Failed")], "default")


def create_late(moment):
    ActivityLog.objects.create(action_time=moment, status="Failed")


def bulk_create_late(moment):
    ActivityLog.objects.bulk_create([ActivityLog(action_time=moment, status="Failed")])


def delete_rows(moment):
    ActivityLog.objects.between(moment - HOUR, moment + HOUR).delete()


def delete_one(moment):
    ActivityLog.objects.between(moment - HOUR, moment + HOUR).first().delete()


def update_rows(moment):
    ActivityLog.objects.between(moment - HOUR, moment + HOUR).update(status="Failed", route="x/")


def save_one_again(moment):
    row = ActivityLog.objects.between(moment - HOUR, moment + HOUR).first()
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
    before = figures(stretch(start))
    change(ago(hours=hours))
    assert figures(stretch(start)) == plainly(stretch(start)) != before
    assert fill()
    assert LateChange.objects.count() == 0
    assert figures(stretch(start)) == plainly(stretch(start))


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_is_rolled_back_leaves_no_note(two_days, change):
    with transaction.atomic():
        change(ago(hours=3))
        assert LateChange.objects.count() == 1
        transaction.set_rollback(True)
    assert LateChange.objects.count() == 0


def test_what_is_not_late_costs_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        insert([Activity.at(timezone.now(), action="now")], "default")
    with django_assert_num_queries(1):
        ActivityLog.objects.create()
    assert LateChange.objects.count() == 0


@pytest.mark.parametrize("change", [insert_late, create_late, bulk_create_late])
def test_a_transaction_that_takes_long_is_late_at_its_end(monkeypatch, change):
    with transaction.atomic():
        change(timezone.now())
        assert LateChange.objects.count() == 0
        monkeypatch.setattr("trackmate.rollups.LATE", -1)
    assert LateChange.objects.count() == 1


def test_a_stretch_is_not_rolled_up_before_what_is_on_its_way_has_arrived():
    activities(300, step=60)  # since yesterday, if the day is young
    fill()
    newest = Rollup.objects.filter(length=QUARTER).order_by("start").last()
    closed_for = timezone.now().timestamp() - newest.start - QUARTER
    assert closed_for > 2 * LATE


@pytest.mark.parametrize(
    ("hours", "notes"), [((5, 5, 5.25, 216), 2), (range(10, 200, 2), 1), (range(2, 8, 2), 3)]
)
def test_late_rows_are_a_few_notes(hours, notes):
    insert([Activity.at(ago(hours=each)) for each in hours], "default")
    assert LateChange.objects.count() == notes


def test_too_many_notes_make_nothing_believed(two_days, monkeypatch):
    monkeypatch.setattr("trackmate.selectors.loading.MOST_LATE", 2)
    for hours in (3, 9):
        create_late(ago(hours=hours))
    assert not isinstance(stretch(ago(hours=48)), RolledStretch)
    fill()
    assert isinstance(stretch(ago(hours=48)), RolledStretch)


# Two at once


def counting(monkeypatch, meanwhile):
    """Let something happen between the counting of a quarter and its storing, once."""
    count, happened = filling.documents, []

    def documents(rows, keys):
        found = count(rows, keys)
        if not happened:
            happened.append(True)
            meanwhile()
        return found

    monkeypatch.setattr(filling, "documents", documents)


def test_a_row_that_comes_while_its_quarter_is_counted_is_not_lost(monkeypatch):
    history(300, hours=6)
    start = ago(hours=6)
    counting(monkeypatch, lambda: create_late(ago(minutes=50)))
    fill()
    assert figures(stretch(start)) == plainly(stretch(start))
    fill()
    assert figures(stretch(start)) == plainly(stretch(start))


def test_what_was_counted_before_a_change_is_not_stored_after_it_was_settled(monkeypatch):
    history(300, hours=6)

    def change_and_settle():
        create_late(ago(minutes=50))
        filling.settle("default")

    counting(monkeypatch, change_and_settle)
    fill()
    assert LateChange.objects.count() == 0
    start = ago(hours=6)
    assert figures(stretch(start)) == plainly(stretch(start))


def test_two_that_fill_at_once_count_once(monkeypatch):
    history(300, hours=6)
    counting(monkeypatch, fill)
    fill()
    found = Rollup.objects.values_list("length", "start")
    assert len(found) == len(set(found))
    start = ago(hours=6)
    assert figures(stretch(start)) == plainly(stretch(start))


def test_a_claim_of_a_process_that_died_is_taken_over():
    history(300, hours=6)
    fill()
    Rollup.objects.update(figures=None)
    assert fill() == 0
    Rollup.objects.update(claimed_at=ago(minutes=2))
    assert fill() > 0


@pytest.mark.only_on("postgresql", "mysql")
def test_a_late_row_waits_for_nobody_who_counts(monkeypatch):
    history(300, hours=6)
    done = []

    def from_elsewhere():
        def run():
            create_late(ago(minutes=50))
            done.append(True)
            connections.close_all()

        thread = Thread(target=run)
        thread.start()
        thread.join(5)

    counting(monkeypatch, from_elsewhere)
    fill()
    assert done
    start = ago(hours=6)
    assert figures(stretch(start)) == plainly(stretch(start))


# The pages


def test_a_page_rolls_up_in_passing_and_says_the_same_afterwards(client, monkeypatch):
    client.force_login(person("staff", is_staff=True))
    for place in range(1, 15):  # of no two things are there as many
        names = {"route": f"r{place}/", "actor_label": f"a{place}", "ip_address": f"10.0.0.{place}"}
        activities(place, step=170_000 / place, source="request", execution_time=place, **names)
        activities(place, step=9_000, action_type="Login Failed", status="Failed", **names)
    now = timezone.now()
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    monkeypatch.setattr("trackmate.dashboard.stretches.FILL_SECONDS", 0)
    plain = text_of(client.get("/trackmate/"))
    monkeypatch.setattr("trackmate.dashboard.stretches.FILL_SECONDS", 60)
    client.get("/trackmate/")
    assert Rollup.objects.exclude(figures=None).count() > 150
    rolled = text_of(client.get("/trackmate/"))
    assert without_cost(rolled) == without_cost(plain)


def without_cost(page):
    return page.partition("tm-cost")[0]


@pytest.mark.parametrize(
    ("url", "most"),
    [("/trackmate/", 12), ("/trackmate/?range=30d", 12), ("/trackmate/activity/figures/", 10)],
)
def test_the_number_of_queries_does_not_grow_with_rows(client, url, most):
    client.force_login(person("staff", is_staff=True))
    counted = []
    for number in (200, 600):
        history(number, hours=72, seed=number)
        fill()
        with CaptureQueriesContext(connection) as found:
            client.get(url)
        counted.append(len(found))
        assert len(log_queries(found)) <= most
    assert counted[0] == counted[1]


@pytest.mark.only_on("sqlite3")
def test_a_page_does_not_wait_for_a_writer_to_roll_up():
    def patience():
        with connection.cursor() as cursor:
            return cursor.execute("PRAGMA busy_timeout").fetchone()[0]

    former = patience()
    with lock_budget("default", milliseconds=7):
        assert patience() == 7
    assert patience() == former > 7


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


def test_a_stretch_with_too_much_in_it_is_read_from_the_rows(monkeypatch):
    monkeypatch.setattr(filling, "MOST_ENTRIES", 3)
    history(300, hours=6)
    fill()
    assert Rollup.objects.filter(figures="").exists()
    found = stretch(ago(hours=6))
    assert figures(found) == plainly(found)


# The command


def rollup(*arguments):
    out = StringIO()
    call_command("trackmate_rollup", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_makes_what_is_missing():
    history(200, hours=30)
    made = Rollup.objects.exclude(figures=None).count
    assert rollup() == f"{made()} rollups made.\n"
    assert made() > 100
    assert rollup() == "0 rollups made.\n"


def test_the_command_stops_in_time():
    history(200, hours=30)
    assert rollup("--timeout", "0.000001") == "0 rollups made.\n"
    with pytest.raises(CommandError, match="more than 0"):
        rollup("--timeout", "0")


def test_the_command_begins_again_where_rows_came_by_other_ways(two_days):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM trackmate_activitylog")
    start = ago(hours=30)
    assert stretch(start).summary().count > 0
    create_late(ago(hours=49))
    rollup("--rebuild")
    assert stretch(start).summary().count == 0
    assert Rollup.objects.exists()


def test_the_command_on_an_empty_log():
    assert rollup() == "0 rollups made.\n"
