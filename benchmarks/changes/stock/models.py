"""A stock: two models whose changes are recorded, and one beside them whose changes are not."""

from django.conf import settings
from django.db import models
from django.utils.module_loading import import_string

Tracked = import_string(settings.BENCHMARK_MANAGER)


class Supplier(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.name


class Stocked(models.Model):
    """Twenty fields with their key, of the usual types."""

    class State(models.TextChoices):
        NEW = "new", "New"
        SOLD = "sold", "Sold out"

    name = models.CharField(max_length=100)
    sku = models.CharField(max_length=20)
    barcode = models.CharField(max_length=20)
    color = models.CharField(max_length=20)
    brand = models.CharField(max_length=50)
    country = models.CharField(max_length=2)
    state = models.CharField(max_length=10, choices=State, default=State.NEW)
    description = models.TextField()
    supplier = models.ForeignKey(Supplier, models.PROTECT, related_name="+")
    quantity = models.IntegerField(default=0)
    reserved = models.IntegerField(default=0)
    weight = models.IntegerField(default=0)
    rating = models.FloatField(default=0)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    cost = models.DecimalField(max_digits=8, decimal_places=2)
    is_active = models.BooleanField(default=True)
    is_fragile = models.BooleanField(default=False)
    arrived_on = models.DateField()
    created_at = models.DateTimeField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Item(Stocked):
    objects = Tracked()


class Parcel(Stocked):
    """An item with a value that can be changed in place."""

    contents = models.JSONField()
    objects = Tracked()


class Unrecorded(Stocked):
    """The same as an item, in the same project, and nobody was told of it."""


for recorded in (Item, Parcel):
    import_string(settings.BENCHMARK_TRACK)(recorded)
