"""The cases in which histories of objects are usually wrong, one test for each."""

import asyncio
import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser
from django.contrib.contenttypes.models import ContentType
from django.core import serializers
from django.db import connection, connections, transaction
from django.db.models import F
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories import person, rolled_back
from tests.library.models import (
    Audiobook,
    Author,
    Book,
    Card,
    Club,
    Copy,
    Edition,
    Genre,
    Page,
    Shelf,
)
from tests.recorded import change
from tests.requests import answered
from trackmate import bind, copy_context, suppress
from trackmate.history import as_of
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def emma(registered):
    registered(Book)
    with suppress():
        book = Book.objects.create(title="Emma", details={"pages": [1]})
    return Book.objects.get(pk=book.pk)


def actions(activities):
    return [each.action.removeprefix("library.") for each in activities]


def changed(activities, name):
    return [each.changes[name] for each in activities if name in (each.changes or {})]


def test_1_bulk_and_raw_sql_are_never_silent(registered, activities):
    registered(Copy)
    Copy.objects.bulk_create([Copy(code="a")])
    Copy.objects.update(uses=1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE library_copy SET uses = 2")
    assert actions(activities) == ["copy.create", "copy.update", "copy.update"]
    assert [bool(each.extra and each.extra.get("unseen")) for each in activities] == [0, 0, 1]


def test_2_bulk_stays_bulk(registered, activities):
    registered(Copy)
    Copy.objects.bulk_create(Copy(code=f"{n}") for n in range(147))
    activities.clear()
    with CaptureQueriesContext(connection) as queries:
        Copy.objects.update(uses=F("uses") + 1)
    with CaptureQueriesContext(connection) as fewer:
        Copy.objects.filter(code__in=["1", "2"]).update(uses=F("uses") + 1)
    assert len(activities) == 149
    assert len(queries) == len(fewer)


def test_3_what_only_looks_different_is_no_change(emma, activities):
    emma.price, emma.printed_at = None, datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    emma.save()
    activities.clear()
    emma.printed_at = emma.printed_at.astimezone(timezone(timedelta(hours=-5)))
    emma.details = dict(reversed(emma.details.items()))
    emma.copies = str(emma.copies)
    emma.cover = ""
    emma.save()
    assert activities == []


def test_4_what_is_changed_in_place_is_a_change(emma, activities):
    emma.details["pages"].append(2)
    emma.save()
    emma.details["pages"].clear()
    emma.save()
    assert changed(activities, "details") == [
        [{"pages": [1]}, {"pages": [1, 2]}],
        [{"pages": [1, 2]}, {"pages": []}],
    ]


def test_5_deferred_fields_are_not_loaded_and_nothing_recurses(
    emma, activities, django_assert_num_queries
):
    with django_assert_num_queries(1):
        book = Book.objects.only("copies").get()
    with django_assert_num_queries(1):
        list(Book.objects.defer("title"))
    book.copies = 2
    with django_assert_num_queries(1):
        book.save()
    assert changed(activities, "copies") == [[0, 2]]


def test_6_expressions_and_defaults_are_what_they_come_to(registered, activities):
    registered(Shelf)
    shelf = Shelf.objects.create(code="a")
    shelf.width = F("width") * 10
    shelf.save()
    assert changed(activities, "room") == [[None, "main"]]
    assert changed(activities, "width") == [[None, 1], [1, 10]]
    with transaction.atomic():
        shelf.refresh_from_db()
        shelf.save()
    assert len(activities) == 2


def test_7_many_to_many_fields_on_both_sides_and_both_ways(registered, emma, activities):
    registered(Genre)
    crime, love = (Genre.objects.create(name=name) for name in ("Crime", "Love"))
    other = Book.objects.create(title="Persuasion")
    activities.clear()
    emma.genres.add(crime, love)
    crime.books.clear()
    emma.similar.add(other)
    emma.similar.clear()
    assert actions(activities) == [
        *("book.update", "genre.update", "genre.update"),
        *("book.update", "genre.update"),
        *("book.update", "book.update", "book.update", "book.update"),
    ]


def test_8_what_a_cascade_deletes_has_its_name_and_its_cause(registered, emma, activities):
    for model in (Edition, Page):
        registered(model)
    edition = Edition.objects.create(book=emma)
    Page.objects.create(edition=edition)
    activities.clear()
    cause = f"library.book/{emma.pk}"
    Book.objects.all().delete()
    assert {each.target.object_repr: each.extra for each in activities} == {
        "Emma": None,
        "Edition 1 of Emma": {"cause": cause},
        "Page 1": {"cause": cause},
    }


def test_9_what_is_rolled_back_is_not_claimed_and_recorded_when_done_again(emma, activities):
    emma.copies = 1
    with rolled_back():
        emma.save()
    with transaction.atomic():
        with rolled_back():
            emma.save()
        emma.save()
    with rolled_back():
        emma.delete()
    assert changed(activities, "copies") == [[0, 1]]


def test_10_upserts_and_instances_made_by_hand_are_compared_with_the_row(
    registered, emma, activities
):
    registered(Copy)
    Copy.objects.create(code="a")
    activities.clear()
    unique = {} if connection.vendor == "mysql" else {"unique_fields": ["code"]}
    Copy.objects.bulk_create(
        [Copy(code="a", uses=3)], update_conflicts=True, update_fields=["uses"], **unique
    )
    Book(pk=emma.pk, title="Emma", details={"pages": [1]}, copies=5).save()
    fixture = serializers.serialize("json", [Card(pk=9, name="Ann")])
    registered(Card)
    for _twice in range(2):
        for each in serializers.deserialize("json", fixture):
            each.save()
    assert actions(activities) == ["copy.update", "book.update", "card.create"]
    assert changed(activities, "copies") == [[0, 5]]


@pytest.mark.django_db(transaction=True)
def test_11_the_actor_is_the_one_of_the_work_in_threads_and_tasks(registered, activities, rf):
    registered(Author)
    with suppress():
        ann, bob = person("ann"), person("bob")

    def view(request):
        Author.objects.create(name="in the request")
        return HttpResponse()

    def as_user(user):
        request = rf.post("/")
        request.user = user
        answered(view, request).close()

    async def work(user):
        with bind(actor=user):
            await asyncio.sleep(0)
            await Author.objects.acreate(name="async")

    async def both():
        await asyncio.gather(work(ann), work(bob))

    as_user(ann)
    as_user(AnonymousUser())
    async_to_sync(both)()
    with bind(actor="cron:nightly"):
        work_in_thread = copy_context(_create_in_thread)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work_in_thread).result()
    found = [each.actor_label for each in activities if each.source == "model"]
    assert sorted(found) == ["", "ann", "ann", "bob", "cron:nightly"]


def _create_in_thread():
    try:
        Author.objects.create(name="in a thread")
    finally:
        connections.close_all()
        if connection.connection is not None:
            # Django keeps one in memory open.
            connection.connection.close()


def test_12_parents_children_and_proxies_have_one_history(registered, emma, activities):
    registered(Audiobook)
    audio = Audiobook.objects.create(title="Persuasion", speaker="Ann")
    audio.genres.add(Genre.objects.create(name="Love"))
    audio.copies = 2
    audio.save()
    audio.delete()
    assert sorted(actions(activities)) == sorted(
        [
            *("book.create", "audiobook.create"),
            *("book.update", "audiobook.update"),
            *("book.update", "audiobook.update"),
            *("book.delete", "audiobook.delete"),
        ]
    )


def test_13_renamed_and_gone_fields_and_models_stay_readable(registered, admin_client):
    registered(Book, renamed={"headline": "title"})
    book = Book.objects.create(title="Emma")
    row = change(book, "update", {"headline": ["Emma I", "Emma II"], "isbn": ["1", "2"]}, at=1)
    change(book, "update", {"title": ["Emma II", "Emma"]}, at=2)
    then = as_of(book, row.action_time)
    assert then["title"] == "Emma II"
    assert (then["isbn"], then.gone) == ("2", {"isbn"})
    gone = ContentType.objects.create(app_label="library", model="gone")
    row = ActivityLog.objects.create(
        source="model", content_type=gone, object_id="7", changes={"name": ["a", "b"]}
    )
    for url in (reverse("trackmate:detail", args=[row.pk]), "/trackmate/object/library.gone/7/"):
        assert "name" in admin_client.get(url, follow=True).content.decode()


def test_14_a_change_is_not_undone_over_the_head_of_a_colleague(
    registered, configure, admin_client
):
    registered(Book)
    configure(UNDO=True)
    book = Book.objects.create(title="Emma", copies=1)
    book.copies = 2
    book.save()
    url = reverse("trackmate:undo", args=[ActivityLog.objects.on(book).newest_first()[0].pk])
    Book.objects.filter(pk=book.pk).update(copies=3)
    admin_client.post(url, {"reason": "a slip"})
    assert Book.objects.get().copies == 3
    Book.objects.filter(pk=book.pk).update(copies=2)
    admin_client.post(url, {"reason": "a slip"})
    assert Book.objects.get().copies == 1
    undone = ActivityLog.objects.filter(reason="a slip").get()
    assert undone.changes["copies"] == [2, 1]
    assert undone.extra["undo_of"] in url


def test_15_other_databases_filtered_managers_and_saves_of_nothing(registered, activities):
    registered(Card)
    card = Card.objects.create(name="Ann", is_lost=True)
    assert not Card.objects.exists()
    card.name = "Anne"
    card.save()
    card.save()
    card.delete()
    assert actions(activities) == ["card.create", "card.update", "card.delete"]


def test_a_copy_and_a_pickle_know_what_the_object_knows(emma, activities):
    for each in (copy.copy(emma), pickle.loads(pickle.dumps(emma))):
        each.copies += 1
        each.save()
    assert changed(activities, "copies") == [[0, 1], [0, 1]]
    assert "trackmate" not in str(vars(emma))


def test_a_through_model_is_not_the_object(registered, activities):
    registered(Club, m2m=[])
    club = Club.objects.create(name="Readers")
    club.members.add(Author.objects.create(name="Jane"))
    assert actions(activities) == ["club.create"]
