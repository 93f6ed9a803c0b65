"""The site that every contestant serves: one view, which looks at its user."""

from django.http import HttpRequest, JsonResponse
from django.urls import path


def order(request: HttpRequest, pk: int) -> JsonResponse:
    return JsonResponse({"order": pk, "mine": request.user.is_authenticated})


urlpatterns = [path("orders/<int:pk>", order, name="order")]
