"""What is recorded of many-to-many fields."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.http import HttpResponse

from tests.library.models import Author, Book, Club, Genre, Membership
from tests.requests import answered
from trackmate import suppress

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def emma(registered):
    registered(Book)
    with suppress():
        return Book.objects.create(title="Emma")


@pytest.fixture
def genres():
    with suppress():
        return [Genre.objects.create(name=name) for name in ("Crime", "Love", "War")]


def members(activities, name="genres"):
    """Return what each activity says: object, added and removed labels."""
    return [
        (
            each.target.object_repr,
            sorted(one["label"] for one in each.changes[name]["added"]),
            sorted(one["label"] for one in each.changes[name]["removed"]),
        )
        for each in activities
        if name in each.changes
    ]


def test_what_is_added_and_removed_is_recorded(emma, genres, activities):
    crime, love, war = genres
    emma.genres.add(crime, love)
    emma.genres.add(crime)
    emma.genres.remove(love, war)
    assert members(activities) == [("Emma", ["Crime", "Love"], []), ("Emma", [], ["Love"])]
    assert {each.action for each in activities} == {"library.book.update"}


def test_a_name_that_contains_another_one_is_found(
    registered, activities, django_assert_max_num_queries
):
    registered(Group)
    with suppress():
        group = Group.objects.create(name="Packers")
    permissions = Permission.objects.select_related("content_type")[:3]
    names = [str(each) for each in permissions]
    with django_assert_max_num_queries(7):
        group.permissions.set([each.pk for each in permissions])
    assert members(activities, "permissions") == [("Packers", sorted(names), [])]


def test_set_and_clear_are_recorded_as_what_they_change(emma, genres, activities):
    crime, love, war = genres
    emma.genres.set([crime, love])
    emma.genres.set([love, war])
    emma.genres.clear()
    assert [(sorted(added), sorted(removed)) for _name, added, removed in members(activities)] == [
        (["Crime", "Love"], []),
        ([], ["Crime"]),
        (["War"], []),
        ([], ["Love", "War"]),
    ]


def test_the_other_side_changes_the_object_as_well(emma, genres, activities):
    genres[0].books.add(emma)
    genres[0].books.clear()
    assert members(activities) == [("Emma", ["Crime"], []), ("Emma", [], ["Crime"])]


def test_both_sides_have_it_if_both_are_registered(registered, emma, genres, activities):
    registered(Genre)
    emma.genres.add(genres[0])
    assert members(activities) == [("Emma", ["Crime"], [])]
    assert members(activities, "books") == [("Crime", ["Emma"], [])]


def test_a_symmetrical_relation_changes_both_objects(emma, activities):
    other = Book.objects.create(title="Persuasion")
    activities.clear()
    emma.similar.add(other)
    other.similar.remove(emma)
    assert sorted(members(activities, "similar")) == [
        ("Emma", [], ["Persuasion"]),
        ("Emma", ["Persuasion"], []),
        ("Persuasion", [], ["Emma"]),
        ("Persuasion", ["Emma"], []),
    ]


def test_a_through_model_of_its_own_is_recorded(registered, activities):
    registered(Club)
    club, jane = Club.objects.create(name="Readers"), Author.objects.create(name="Jane")
    activities.clear()
    club.members.add(jane)
    Membership.objects.all().delete()
    Membership.objects.create(club=club, author=jane)
    jane.delete()
    assert members(activities, "members") == [
        ("Readers", ["Jane"], []),
        ("Readers", [], ["Jane"]),
        ("Readers", ["Jane"], []),
        ("Readers", [], ["Jane"]),
    ]


def test_a_request_has_one_activity_for_the_net_of_it(emma, genres, activities, rf):
    crime, love, war = genres
    emma.genres.add(war)
    activities.clear()

    def view(_request):
        emma.genres.add(crime, love)
        emma.genres.remove(love, war)
        emma.genres.add(war)
        return HttpResponse()

    answered(view, rf.post("/")).close()
    assert members(activities[1:]) == [("Emma", ["Crime"], [])]


def test_what_is_undone_in_the_same_request_is_nothing(emma, genres, activities, rf):
    def view(_request):
        emma.genres.add(genres[0])
        emma.genres.clear()
        return HttpResponse()

    answered(view, rf.post("/")).close()
    assert [each.source for each in activities] == ["request"]


def test_fields_that_are_not_recorded_cost_nothing(
    registered, genres, activities, django_assert_num_queries
):
    registered(Book, m2m=[])
    with suppress():
        emma = Book.objects.create(title="Emma")
    with django_assert_num_queries(1):
        emma.genres.add(genres[0])
    assert activities == []


def test_a_model_that_is_registered_later_has_its_relations_recorded(
    emma, genres, registered, activities
):
    emma.genres.add(genres[0])
    registered(Club)
    with suppress():
        club, jane = Club.objects.create(name="Readers"), Author.objects.create(name="Jane")
    activities.clear()
    club.members.add(jane)
    assert members(activities, "members") == [("Readers", ["Jane"], [])]
