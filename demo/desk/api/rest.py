"""The DRF API: customers and orders, by token or session."""

from django.db import transaction
from django.db.models import ProtectedError
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet
from trackmate import ActionType, tracker

from desk import orders
from desk.models import Customer, Order, OrderLine


class Conflict(APIException):
    """What is stored does not allow it."""

    status_code = 409
    default_code = "conflict"


class CustomerSerializer(serializers.ModelSerializer):
    class Meta:
        model = Customer
        fields = ("id", "name", "email", "city")


class LineSerializer(serializers.ModelSerializer):
    class Meta:
        model = OrderLine
        fields = ("product", "quantity", "unit_price")
        read_only_fields = ("unit_price",)


class OrderSerializer(serializers.ModelSerializer):
    lines = LineSerializer(many=True, allow_empty=False)

    class Meta:
        model = Order
        fields = ("id", "customer", "state", "note", "placed_at", "total", "lines")
        read_only_fields = ("state", "placed_at")

    @transaction.atomic
    def create(self, validated):
        lines = validated.pop("lines")
        order = super().create(validated)
        for line in lines:
            order.lines.create(**line, unit_price=line["product"].price)
        return order

    def update(self, order, validated):
        if "lines" in validated:
            raise serializers.ValidationError({"lines": "The lines of an order stay as they are."})
        return super().update(order, validated)


class CustomerViewSet(ModelViewSet):
    """Customers; one who has ordered cannot be deleted."""

    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def perform_destroy(self, customer):
        try:
            customer.delete()
        except ProtectedError as error:
            raise Conflict(f"{customer} has orders.") from error


class OrderViewSet(ModelViewSet):
    """Orders; `POST .../ship/` hands one to the carrier."""

    queryset = Order.objects.prefetch_related("lines")
    serializer_class = OrderSerializer
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def perform_destroy(self, order):
        try:
            order.delete()
        except ProtectedError as error:
            raise Conflict(f"{order} has an invoice.") from error

    def perform_create(self, serializer):
        serializer.save(placed_by=self.request.user)

    @action(detail=True, methods=["post"])
    @tracker(
        action="order.shipped",
        action_type=ActionType.UPDATE,
        content_object=lambda request, response, pk: Order.objects.get(pk=pk),
    )
    def ship(self, request, pk=None):
        """Hand an order to the carrier."""
        order = self.get_object()
        try:
            orders.ship(order)
        except orders.Refused as refusal:
            raise Conflict(str(refusal)) from refusal
        return Response(self.get_serializer(order).data)
