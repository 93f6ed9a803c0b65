"""What an order desk keeps: customers, products, orders with their lines, invoices."""

import uuid
from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from trackmate.models import TrackedManager


class Customer(models.Model):
    name = models.CharField(max_length=120)
    email = models.EmailField()
    city = models.CharField(max_length=80)
    internal_note = models.TextField(blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("desk:customer", args=[self.pk])


class Product(models.Model):
    sku = models.CharField("SKU", max_length=20, primary_key=True)
    name = models.CharField(max_length=120)
    price = models.DecimalField(
        max_digits=9, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )
    stock = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("name",)

    def __str__(self):
        return self.name


class Order(models.Model):
    class State(models.TextChoices):
        OPEN = "open", "Open"
        SHIPPED = "shipped", "Shipped"
        INVOICED = "invoiced", "Invoiced"
        CANCELLED = "cancelled", "Cancelled"

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="orders")
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="orders"
    )
    placed_at = models.DateTimeField(default=timezone.now, db_index=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    note = models.CharField(max_length=200, blank=True)

    objects = TrackedManager()

    class Meta:
        ordering = ("-placed_at", "-pk")

    def __str__(self):
        return f"Order {self.pk}"

    def get_absolute_url(self):
        return reverse("desk:order", args=[self.pk])

    @property
    def total(self):
        return sum((line.amount for line in self.lines.all()), Decimal(0))


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    unit_price = models.DecimalField(max_digits=9, decimal_places=2)

    def __str__(self):
        return f"{self.quantity} x {self.product}"

    @property
    def amount(self):
        return self.quantity * self.unit_price


class Invoice(models.Model):
    # A key that is no number: the log links to any kind.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=20, unique=True)
    order = models.OneToOneField(Order, models.PROTECT, related_name="invoice")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    issued_at = models.DateTimeField(default=timezone.now)
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = TrackedManager()

    class Meta:
        ordering = ("-issued_at", "number")
        permissions = (("approve_invoice", "Can approve invoices"),)

    def __str__(self):
        return f"Invoice {self.number}"

    def get_absolute_url(self):
        return reverse("desk:invoice", args=[self.pk])

    @classmethod
    def number_for(cls, order):
        """Return the number of an order's invoice: one order, one invoice, one number."""
        return f"{timezone.localtime(order.placed_at).year}-{order.pk:06}"
