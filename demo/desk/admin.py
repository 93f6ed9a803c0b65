"""The order desk in the admin."""

from django.contrib import admin
from trackmate.admin import HistoryMixin

from desk.models import Customer, Invoice, Order, OrderLine, Product


class OrderLines(admin.TabularInline):
    model = OrderLine
    extra = 0


@admin.register(Order)
class OrderAdmin(HistoryMixin, admin.ModelAdmin):
    list_display = ("__str__", "customer", "state", "placed_at", "placed_by")
    list_filter = ("state",)
    search_fields = ("customer__name", "note")
    inlines = (OrderLines,)


@admin.register(Customer)
class CustomerAdmin(HistoryMixin, admin.ModelAdmin):
    list_display = ("name", "city", "email")
    search_fields = ("name", "email", "city")


@admin.register(Product)
class ProductAdmin(HistoryMixin, admin.ModelAdmin):
    list_display = ("name", "sku", "price", "stock")
    search_fields = ("name", "sku")


@admin.register(Invoice)
class InvoiceAdmin(HistoryMixin, admin.ModelAdmin):
    list_display = ("number", "order", "amount", "approved_by", "approved_at")
    search_fields = ("number",)
