"""The night's work: bill what was shipped."""

from django.core.management.base import BaseCommand
from trackmate import bind, tracking

from desk import orders
from desk.models import Order


class Command(BaseCommand):
    help = "Issue the invoices of the orders that were shipped, as the scheduler would each night."

    def handle(self, **_options):
        with bind(actor="cron:nightly"), tracking("sync.orders") as activity:
            invoices = [orders.bill(order) for order in self.shipped()]
            activity.data = {"invoices": [invoice.number for invoice in invoices]}
        self.stdout.write(f"{len(invoices)} invoices issued.")

    def shipped(self):
        """Return the orders that are due."""
        return Order.objects.filter(state=Order.State.SHIPPED).prefetch_related("lines")
