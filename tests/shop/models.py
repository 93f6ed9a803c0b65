"""A little shop with every kind of key, for the tests."""

import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.core.files.storage import InMemoryStorage
from django.db import models
from django.utils.translation import gettext_lazy as _


class Order(models.Model):
    number = models.CharField(max_length=50)

    def __str__(self):
        return f"Order {self.number}"


class RushOrder(Order):
    class Meta:
        proxy = True


class Invoice(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    total = models.DecimalField(max_digits=10, decimal_places=2, default=0)

    def __str__(self):
        return f"Invoice {self.id}"


class Country(models.Model):
    code = models.CharField(max_length=20, primary_key=True)


class UUIDUser(AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)

    class Meta(AbstractUser.Meta):
        swappable = "AUTH_USER_MODEL"


class PlainUser(AbstractBaseUser):
    """A user model that knows neither staff nor permissions."""

    email = models.CharField(max_length=50, unique=True)
    USERNAME_FIELD = "email"
    objects = BaseUserManager()

    class Meta:
        swappable = "AUTH_USER_MODEL"


class Seat(models.Model):
    """An object with a key of two columns."""

    pk = models.CompositePrimaryKey("row", "number")
    row = models.CharField(max_length=10)
    number = models.IntegerField()


class Blob(models.Model):
    """An object with a binary key; a test makes the table where there can be one."""

    id = models.BinaryField(primary_key=True, editable=True)

    class Meta:
        managed = False


class Customer(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self):
        return self.name


class Delivery(models.Model):
    """An object with every kind of field that a form of the admin has."""

    class State(models.TextChoices):
        PACKED = "p", _("Packed")
        SENT = "s", _("Sent")

    customer = models.ForeignKey(Customer, models.PROTECT)
    state = models.CharField(max_length=1, choices=State, default=State.PACKED)
    weight = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    door_pin = models.CharField(max_length=20, blank=True)
    orders = models.ManyToManyField(Order, blank=True)
    slip = models.FileField(upload_to="slips", storage=InMemoryStorage(), blank=True)

    def __str__(self):
        return f"Delivery to {self.customer.name}"


class DeliveryLine(models.Model):
    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="lines")
    product = models.CharField(max_length=50)
    quantity = models.IntegerField(default=1)

    def __str__(self):
        return f"{self.quantity} x {self.product}"


class GateToken(models.Model):
    """An inline whose name is a secret."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="gates")
    gate = models.CharField(max_length=50)
    code = models.CharField(max_length=50, default="kv9tWx2ubQ", editable=False)

    def __str__(self):
        return self.code


class Line(models.Model):
    """A line of an order; its name follows a foreign key."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    text = models.CharField(max_length=50)

    def __str__(self):
        return f"{self.text} of {self.order.number}"
