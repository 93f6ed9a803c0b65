"""What the row of a request says, and what its changes say of the request."""

import pytest
from django.http import HttpResponse
from django.urls import include, path

from tests.factories import person, rolled_back
from tests.library.models import Author, Genre
from tests.shop import outcomes
from tests.shop.models import Order
from trackmate import bind, track, tracker
from trackmate.activity import Activity, Target
from trackmate.capture.model_changes.columns.values import Reference
from trackmate.capture.model_changes.finishing import finish_changes

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def rename(request, pk):
    author = Author.objects.get(pk=pk)
    author.name = request.POST["name"]
    author.save()
    return HttpResponse(status=int(request.POST.get("status", 200)))


def rename_two(request):
    for author in Author.objects.all():
        author.name += "!"
        author.save()
    return HttpResponse()


def do_and_undo(request):
    with rolled_back():
        Author.objects.create(name="never")
    return HttpResponse()


def create_both(request):
    Genre.objects.create(name=Author.objects.create(name="Jane").name)
    return HttpResponse()


@tracker(action="author.honoured")
def honour(request, pk):
    return rename(request, pk)


urlpatterns = [
    path("authors/<int:pk>/", rename),
    path("authors/<int:pk>/honour/", honour),
    path("authors/", rename_two),
    path("nothing/", do_and_undo),
    path("both/", create_both),
    path("outcomes/", include(outcomes)),
]


@pytest.fixture
def jane(registered):
    author = Author.objects.create(name="Jane")
    registered(Author)
    registered(Genre)
    return author


def request_of(activities):
    (activity,) = [each for each in activities if each.source == "request"]
    return activity


def changes_of(activities):
    return [each for each in activities if each.source == "model"]


def test_a_request_that_changes_one_object_says_so(jane, client, activities):
    client.post(f"/authors/{jane.pk}/", {"name": "Jane Austen"})
    request, (change,) = request_of(activities), changes_of(activities)
    assert (request.action, request.action_type) == ("library.author.update", "Update")
    assert request.target == change.target
    assert request.changes is None
    assert change.changes == {"name": ["Jane", "Jane Austen"]}


def test_the_change_has_who_when_and_from_where(jane, client, activities):
    client.force_login(person("ann"))
    client.post(f"/authors/{jane.pk}/", {"name": "Mary"}, REMOTE_ADDR="192.0.2.7")
    request, (change,) = request_of(activities), changes_of(activities)
    assert change.actor_label == "ann"
    names = ("actor_id", "ip_address", "method", "path", "route", "request_id", "session_hash")
    assert [getattr(change, name) for name in names] == [getattr(request, name) for name in names]


@pytest.mark.parametrize(
    ("url", "data"),
    [("/authors/", {}), ("/both/", {}), ("/nothing/", {}), ("/authors/{pk}/", {"name": "Jane"})],
)
def test_nothing_is_guessed_from_several_changes_or_none(jane, client, activities, url, data):
    Author.objects.create(name="Mary")
    activities.clear()
    client.post(url.format(pk=jane.pk), data)
    assert request_of(activities).action_type == "Action"
    assert request_of(activities).target is None


def test_a_failed_request_keeps_its_changes_apart(jane, client, activities):
    client.post(f"/authors/{jane.pk}/", {"name": "Mary", "status": 400})
    assert request_of(activities).action == "authors/<int:pk>/"
    assert len(changes_of(activities)) == 1


def test_the_decorator_comes_first(jane, client, activities):
    client.post(f"/authors/{jane.pk}/honour/", {"name": "Mary"})
    assert request_of(activities).action == "author.honoured"


def test_the_word_of_the_framework_is_more_exact(registered, client, activities):
    registered(Order)
    order = Order.objects.create(number="7")
    client.delete(f"/outcomes/drf/orders/{order.pk}/")
    assert request_of(activities).action == "shop.order.delete"


def test_what_is_bound_is_in_the_change(jane, activities):
    jane.name = "Mary"
    with bind(actor="cron:nightly", reason="ticket 4711", tenant="acme", job="names"):
        jane.save()
    (change,) = activities
    assert (change.actor_label, change.reason, change.tenant) == (
        "cron:nightly",
        "ticket 4711",
        "acme",
    )
    assert change.extra == {"job": "names"}


def test_a_custom_activity_stays_beside_it(jane, activities):
    track("author.praised", content_object=jane)
    jane.name = "Mary"
    jane.save()
    assert [each.action for each in activities] == ["author.praised", "library.author.update"]


def test_a_reference_by_another_column_has_not_the_name_of_the_object_with_that_key():
    genre = Genre.objects.create(name="7")
    crime = Target(model="library.genre", object_id="7", object_repr="Crime")
    references = {"genre": [None, Reference(Genre, "7", "name", None)]}
    by_key = Activity.now(source="model", action="library.genre.update", target=crime)
    by_name = Activity.now(source="model", action="library.book.update", changes=references)
    finished = finish_changes([by_key, by_name])
    assert finished[1].changes["genre"][1] == {"value": "7", "label": str(genre)}
