"""The same site as a view of Django REST framework."""

from django.urls import path
from rest_framework.authentication import SessionAuthentication
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Order(APIView):
    authentication_classes = (SessionAuthentication,)
    permission_classes = ()
    renderer_classes = (JSONRenderer,)

    def get(self, request: Request, pk: int) -> Response:
        return Response({"order": pk, "mine": request.user.is_authenticated})

    def post(self, request: Request, pk: int) -> Response:
        return Response({"order": pk, "lines": len(request.data["lines"])})


urlpatterns = [path("orders/<int:pk>", Order.as_view(), name="order")]
