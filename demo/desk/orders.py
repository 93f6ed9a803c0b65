"""What can be done with an order: ship it, cancel it, bill it."""

from django.db import transaction

from desk.models import Invoice, Order


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure of the program
    """The order is not in a state that allows it."""


def ship(order):
    """Hand an open order to the carrier."""
    _move(order, Order.State.SHIPPED, allowed=[Order.State.OPEN])


def cancel(order):
    """Call off an order that has not left the house."""
    _move(order, Order.State.CANCELLED, allowed=[Order.State.OPEN])


@transaction.atomic
def bill(order):
    """Issue the invoice of a shipped order."""
    _move(order, Order.State.INVOICED, allowed=[Order.State.SHIPPED])
    return Invoice.objects.create(order=order, number=Invoice.number_for(order), amount=order.total)


def _move(order, state, *, allowed):
    # The condition is in the UPDATE, so that two clerks cannot both ship one order.
    if not Order.objects.filter(pk=order.pk, state__in=allowed).update(state=state):
        order.refresh_from_db()
        raise Refused(f"{order} is {order.get_state_display().lower()}.")
    order.state = state
