"""What `tracker` says of a request's data holds though the view was never reached."""

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views import View
from rest_framework.decorators import api_view, permission_classes
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from trackmate import tracker
from trackmate.redaction.known_secrets import MASK

pytestmark = pytest.mark.urls(__name__)

private = tracker(capture_data=False)


@private
def function(request):
    return HttpResponse("reached")


@private
async def coroutine(request):
    return HttpResponse("reached")


@private
class OnClass(View):
    def post(self, request):
        return HttpResponse("reached")


@method_decorator(private, name="dispatch")
class OnDispatch(View):
    def post(self, request):
        return HttpResponse("reached")


class OnMethod(View):
    @private
    def post(self, request):
        return HttpResponse("reached")

    def put(self, request):
        return HttpResponse("reached")


@private
@api_view(["POST"])
@permission_classes([IsAuthenticated])
def api_function(request):
    return Response("reached")


class ApiMethod(APIView):
    permission_classes = (IsAuthenticated,)

    @private
    def post(self, request):
        return Response("reached")


class Orders(ViewSet):
    permission_classes = (IsAuthenticated,)

    @private
    def create(self, request):
        return Response("reached")


router = SimpleRouter()
router.register("set", Orders, basename="set")
urlpatterns = [
    path("function/", function),
    path("coroutine/", coroutine),
    path("class/", OnClass.as_view()),
    path("dispatch/", OnDispatch.as_view()),
    path("method/", OnMethod.as_view()),
    path("api-function/", api_function),
    path("api-method/", ApiMethod.as_view()),
    path("", include(router.urls)),
]


@pytest.fixture
def visitor():
    """Somebody without a token against forgery, whom Django refuses before the view."""
    return Client(enforce_csrf_checks=True)


@pytest.mark.parametrize(
    "address",
    ["function", "coroutine", "class", "dispatch", "method", "api-function", "api-method", "set"],
)
def test_data_that_a_view_does_not_want_kept_is_not(visitor, activities, address):
    response = visitor.post(f"/{address}/", {"note": "mine"})
    assert response.status_code == 403
    [activity] = activities
    assert (activity.status_code, activity.data) == (403, None)


def test_another_method_of_the_view_keeps_its_data(visitor, activities):
    visitor.put("/method/", {"note": "mine", "password": "x"}, content_type="application/json")
    [activity] = activities
    assert activity.data == {"note": "mine", "password": MASK}
