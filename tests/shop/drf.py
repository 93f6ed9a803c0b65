"""Views of Django REST framework."""

from rest_framework import serializers, viewsets
from rest_framework.decorators import action, api_view, throttle_classes
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from tests.shop.models import Order
from trackmate import tracker


class OrderSerializer(serializers.ModelSerializer):
    class Meta:
        model = Order
        fields = ("id", "number")


class ManyAnHour(AnonRateThrottle):
    rate = "1000/hour"


@api_view(["GET", "POST"])
def plain(request):
    return Response({"got": request.data})


@tracker(action="api.outside")
@api_view(["GET", "POST"])
@throttle_classes([ManyAnHour])
def tracked_outside(request):
    return Response({"got": request.data})


@api_view(["GET", "POST"])
@throttle_classes([ManyAnHour])
@tracker(action="api.inside", remarks=lambda request, response: str(request.query_params))
def tracked_inside(request):
    return Response({"got": request.data})


class Me(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response({"name": request.user.get_username()})


@tracker(action="api.class", capture_response=True)
class TrackedView(APIView):
    permission_classes = (AllowAny,)

    def get(self, request):
        return Response({"answer": 42})

    @tracker(action_type="Import")
    def post(self, request):
        return Response({"got": request.data}, status=201)


class Orders(viewsets.ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer

    @tracker(action="orders.listed")
    def list(self, request, *args, **kwargs):
        return super().list(request, *args, **kwargs)

    @tracker(
        action="order.made",
        content_object=lambda request, response: Order.objects.get(pk=response.data["id"]),
    )
    def create(self, request, *args, **kwargs):
        return super().create(request, *args, **kwargs)

    @tracker(action="order.shipped", content_object=lambda request, response, pk: Order(pk=pk))
    @action(detail=True, methods=["post"], url_path="ship", url_name="ship")
    def ship(self, request, pk=None):
        return Response({"shipped": pk})

    @action(detail=True, methods=["post"])
    @tracker(action="order.cancelled")
    def cancel(self, request, pk=None):
        return Response({"cancelled": pk})

    @cancel.mapping.delete
    @tracker(action="order.restored")
    def restore(self, request, pk=None):
        return Response(status=204)
