"""That view once more, with the mixin of drf-api-tracking."""

from django.urls import path
from rest_framework_tracking.mixins import LoggingMixin

from benchmarks.rest import Order


class TrackedOrder(LoggingMixin, Order):
    pass


urlpatterns = [path("orders/<int:pk>", TrackedOrder.as_view(), name="order")]
