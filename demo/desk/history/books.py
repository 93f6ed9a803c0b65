"""What was ordered, shipped, billed and approved: the facts that the visits then tell of."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from desk.history.calendar import OFFICE, office_moment, shares
from desk.models import Customer, Invoice, Order, OrderLine, Product

PRODUCTS = (
    ("PAP-A4", "Paper A4, 500 sh.", "5.20", 1240), ("PAP-A3", "Paper A3, 500 sh.", "11.90", 310),
    ("PEN-BL", "Ballpoint pen, blue", "0.85", 4200), ("PEN-RD", "Ballpoint pen, red", "0.85", 960),
    ("PEN-GEL", "Gel pen, black", "1.60", 1500), ("MRK-SET", "Marker set, 8 colours", "9.40", 220),
    ("NOTE-A5", "Notebook A5, dotted", "4.75", 640), ("NOTE-A4", "Notebook A4, lined", "6.10", 480),
    ("FLD-GRN", "Folder, green", "2.30", 900), ("FLD-RED", "Folder, red", "2.30", 37),
    ("BIND-50", "Ring binder, 50 mm", "3.95", 720), ("BIND-80", "Ring binder, 80 mm", "4.60", 510),
    ("STPL", "Stapler", "12.50", 85), ("STPL-RF", "Staples, 5000", "2.90", 1300),
    ("PUNCH", "Hole punch", "14.20", 64), ("TAPE", "Adhesive tape, 6 rolls", "7.80", 430),
    ("ENV-C5", "Envelopes C5, 100", "8.60", 350), ("ENV-C4", "Envelopes C4, 100", "12.40", 260),
    ("LBL-A4", "Labels A4, 100 sheets", "15.90", 190), ("CLIP-S", "Paper clips, 500", "3.10", 880),
    ("DESK-LMP", "Desk lamp", "39.00", 24), ("CHAIR-B", "Office chair, black", "229.00", 12),
    ("MAT-FLR", "Floor mat", "54.00", 18), ("GLOBE", "Desk globe", "75.00", 6),
)  # fmt: skip
UNSOLD = "GLOBE"
FIRST = (
    "Northwind",
    "Blue Harbour",
    "Linden",
    "Old Mill",
    "Sunfield",
    "Kestrel",
    "Marble",
    "Copper",
)
SECOND = ("Dental", "Architects", "School", "Bakery", "Logistics", "Insurance", "Hotel", "Press")
CITIES = (
    "Berlin",
    "Hamburg",
    "Leipzig",
    "Wien",
    "Graz",
    "Zürich",
    "Brno",
    "Kraków",
    "Aarhus",
    "Gent",
)
NOTES = (
    "",
    "",
    "",
    "",
    "Ring twice.",
    "Deliver to the back door.",
    "Urgent, please!",
    "Partial delivery is fine.",
)


@dataclass(slots=True)
class Story:
    """One order's life, as far as it has come; what has not happened yet is None."""

    order: Order
    invoice: Invoice | None
    shipped_at: datetime | None = None
    cancelled_at: datetime | None = None
    billed_at: datetime | None = None
    approved_at: datetime | None = None

    @property
    def placed_at(self):
        return self.order.placed_at


@transaction.atomic
def write(dice, days, *, orders, cast):
    """Store customers, products and `orders` orders over the days, and return their stories."""
    if not Product.objects.exists():
        _stock(dice)
    products = list(Product.objects.exclude(pk=UNSOLD))
    customers = list(Customer.objects.all())
    clerks = [member for member in cast if member.role == "clerk"]
    approvers = [member for member in cast if member.role in ("approver", "lead")]
    stories = []
    for day, count in zip(days, shares(orders, [day.weight for day in days]), strict=True):
        for _ in range(count):
            clerk = dice.choices(clerks, [member.weight for member in clerks])[0]
            placed_at = day.moment(dice, OFFICE)
            stories.append(_story(dice, placed_at, days[-1].end, clerk, dice.choice(customers)))
    stories.sort(key=lambda story: story.order.placed_at)
    _store(dice, stories, products, approvers)
    return stories


def _stock(dice):
    Product.objects.bulk_create(
        Product(sku=sku, name=name, price=Decimal(price), stock=stock)
        for sku, name, price, stock in PRODUCTS
    )
    names = [f"{first} {second}" for first in FIRST for second in SECOND]
    Customer.objects.bulk_create(
        Customer(
            name=name,
            email=f"office@{name.lower().replace(' ', '-')}.example",
            city=dice.choice(CITIES),
            internal_note=dice.choice(("", "", "Pays late.", "Ask for Ms Novak.")),
        )
        for name in dice.sample(names, 48)
    )


def _story(dice, placed_at, end, clerk, customer):
    order = Order(
        customer=customer, placed_by_id=clerk.pk, placed_at=placed_at, note=dice.choice(NOTES)
    )
    story = Story(order=order, invoice=None)
    later = office_moment(placed_at + timedelta(hours=dice.uniform(2, 40)), dice)
    if later >= end:
        return story
    if dice.random() < 0.07:
        story.cancelled_at, order.state = later, Order.State.CANCELLED
        return story
    story.shipped_at, order.state = later, Order.State.SHIPPED
    night = (later + timedelta(days=1)).replace(hour=2, minute=10, second=dice.randrange(3, 20))
    if night < end:
        story.billed_at, order.state = night, Order.State.INVOICED
        approved_at = office_moment(night + timedelta(hours=dice.uniform(8, 90)), dice)
        story.approved_at = approved_at if approved_at < end else None
    return story


def _store(dice, stories, products, approvers):
    Order.objects.bulk_create(story.order for story in stories)
    lines = [line for story in stories for line in _lines(dice, story.order, products)]
    OrderLine.objects.bulk_create(lines, batch_size=500)
    amounts = {}
    for line in lines:
        amounts[line.order_id] = amounts.get(line.order_id, 0) + line.amount
    for story in stories:
        if story.billed_at:
            story.invoice = _invoice(story, amounts[story.order.pk], dice.choice(approvers))
    Invoice.objects.bulk_create(
        [story.invoice for story in stories if story.invoice], batch_size=500
    )


def _lines(dice, order, products):
    return [
        OrderLine(
            order=order,
            product=product,
            quantity=dice.choice((1, 1, 2, 3, 5, 10, 20, 40)),
            unit_price=product.price,
        )
        for product in dice.sample(products, dice.randint(1, 5))
    ]


def _invoice(story, amount, approver):
    number = Invoice.number_for(story.order)
    return Invoice(
        id=uuid.uuid5(uuid.NAMESPACE_OID, number),
        number=number,
        order=story.order,
        amount=amount,
        issued_at=story.billed_at,
        approved_at=story.approved_at,
        approved_by_id=approver.pk if story.approved_at else None,
    )
