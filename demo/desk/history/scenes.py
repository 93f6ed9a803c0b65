"""What each kind of visitor does, as a list of activities for the diary."""

from dataclasses import replace
from datetime import timedelta

from django.utils import timezone
from trackmate.activity import Activity, Target
from trackmate.enums import ActionType, Source
from trackmate.redaction.text import keyed_hash

from desk.history import cast
from desk.history.books import PRODUCTS, UNSOLD
from desk.history.visits import Visit, about, changed, chosen, linked, lists, moved, recorded
from desk.models import Customer, Order

PROBES = ("/wp-login.php", "/.env", "/xmlrpc.php", "/phpmyadmin/", "/.git/config", "/backup.zip",
          "/admin.php", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php")  # fmt: skip
GUESSED = ("admin", "root", "sam", "test", "alice", "administrator", "webmaster", "info")
SOLD = tuple(sku for sku, *_rest in PRODUCTS if sku != UNSOLD)
# Routes that break when a release comes before its migration, and for whom.
BROKEN = {"desk:orders": "clerk", "desk:overview": "clerk", "desk-api:order-list": "machine"}
NO_COLUMN = {
    "type": "OperationalError",
    "message": "no such column: desk_order.carrier_id",
    "place": "django/db/backends/utils.py:105",
}
NOTHING_SOLD = {
    "type": "ZeroDivisionError",
    "message": "division by zero",
    "place": "desk/views.py:216",
}


class Stage:
    """What the scenes of one day share: chance, the cast, the orders that exist by then."""

    def __init__(self, dice, members, orders, day):
        self.dice = dice
        self.members = members
        self.orders = orders
        self.day = day
        self.sessions = {}
        # Some days everything is slow for an hour or two.
        self.slow_hour = dice.randint(9, 16) if dice.random() < 0.25 else None

    def one(self, *roles):
        """Pick somebody of these roles, by how much they work."""
        members = [member for member in self.members if member.role in roles]
        return self.dice.choices(members, [member.weight for member in members])[0]

    def order(self):
        """Pick an order, the newer the likelier; None when there is none yet."""
        if not self.orders:
            return None
        back = min(len(self.orders), 1 + int(self.dice.expovariate(1 / 25)))
        return self.orders[-back]

    def visit(self, moment, member):
        """Begin a member's visit, in the browser session of the day."""
        client = member.clients[0 if self.dice.random() < 0.85 else -1]
        session = keyed_hash(f"{self.day.date} {member.login} {client.address}", "session")
        client = replace(client, session=session)
        self.sessions[session] = (member, client)
        slow = timezone.localtime(moment).hour == self.slow_hour
        return Visit(self.dice, moment, client, member=member, slowness=4.0 if slow else 1.0)

    def doors(self, activities):
        """Return a login before each session's first activity, and some logouts after the last."""
        first, last, used = {}, {}, []
        for activity in sorted(activities, key=lambda activity: activity.action_time):
            first.setdefault(activity.session_hash, activity.action_time)
            last[activity.session_hash] = activity.action_time
        for session, (member, client) in self.sessions.items():
            if session in first:
                used += _arrive(self.dice, first[session], client, member)
                used += _leave(self.dice, last[session], client, member)
        return used


def clerk(stage, moment):
    """Look around in the orders and customers, mend one now and then."""
    visit = stage.visit(moment, stage.one("clerk"))
    for _ in range(stage.dice.randint(1, 6)):
        order = stage.order()
        stage.dice.choices(
            (_orders, _customers, _order, _edit_customer, _edit_order), (6, 3, 8, 0.5, 0.7)
        )[0](visit, order)
    return visit.activities


def _orders(visit, _order_):
    state = visit.dice.choice(("", "", "open", "shipped"))
    extra = {"query": f"state={state}"} if state else None
    visit.get("desk:orders", **lists("desk.order"), extra=extra)


def _customers(visit, _order_):
    extra = {"query": f"q={visit.dice.choice(('li', 'school', 'mill'))}"}
    visit.get("desk:customers", **lists("desk.customer"), extra=extra)


def _order(visit, order):
    if order:
        visit.get("desk:order", order.pk, **about(order))
        if visit.dice.random() < 0.3:
            visit.get("desk:customer", order.customer_id, **about(order.customer))


def _edit_customer(visit, order):
    if order:
        customer = order.customer
        email = f"orders@{customer.email.partition('@')[2]}"
        visit.get("desk:customer-edit", customer.pk, **about(customer))
        form = {"name": customer.name, "email": email, "city": customer.city}
        known = about(customer, "update")
        visit.post(
            "desk:customer-edit", customer.pk, **known, action_type=ActionType.UPDATE, data=form
        )
        known = changed(customer, email=(customer.email, email))
        visit.beside(**{**known, "action": "customer.changed"})


def _edit_order(visit, order):
    if order:
        note = "Call before delivery."
        form = {"customer": str(order.customer_id), "note": note}
        named = {"action": "order.changed", "target": Target.from_instance(order)}
        visit.get("desk:order-edit", order.pk, **named)
        known = {**changed(order, note=(order.note, note)), **named}
        visit.post("desk:order-edit", order.pk, **known, data=form)


def place_order(stage, story):
    """The clerk takes the order that is in the books."""
    order = story.order
    visit = stage.visit(order.placed_at, _member(stage, order.placed_by_id))
    visit.get("desk:order-create")
    if stage.dice.random() < 0.1:
        visit.post("desk:order-create", code=200, data={"customer": "", "note": order.note})
    visit.now = max(visit.now, order.placed_at)
    visit.post("desk:order-create", data={"customer": str(order.customer_id), "note": order.note})
    visit.beside("order.placed", action_type=ActionType.CREATE, target=Target.from_instance(order),
                 data={"customer": order.customer.name})  # fmt: skip
    customer, state = (None, linked(order.customer)), (None, chosen(Order.State.OPEN))
    visit.beside(
        **recorded(order, "create", customer=customer, state=state, note=(None, order.note))
    )
    visit.get("desk:order", order.pk, **about(order))
    return visit.activities


def ship_order(stage, story):
    """A clerk, or the warehouse, hands it over."""
    order = story.order
    facts = {
        "action": "order.shipped",
        "action_type": ActionType.UPDATE,
        "target": Target.from_instance(order),
    }
    if stage.dice.random() < 0.6:
        machine = next(member for member in stage.members if member.login == "warehouse")
        visit = Visit(
            stage.dice, story.shipped_at, stage.dice.choice(machine.clients), member=machine
        )
        visit.call("desk-api:order-ship", order.pk, **facts,
                   response={"id": order.pk, "state": "shipped"})  # fmt: skip
    else:
        visit = stage.visit(story.shipped_at, stage.one("clerk"))
        visit.get("desk:order", order.pk, **about(order))
        visit.post("desk:order-ship", order.pk, **facts)
    visit.beside(**moved(order, Order.State.OPEN, Order.State.SHIPPED))
    return visit.activities


def cancel_order(stage, story):
    """A clerk calls it off."""
    order = story.order
    visit = stage.visit(story.cancelled_at, stage.one("clerk"))
    visit.get("desk:order", order.pk, **about(order))
    visit.post("desk:order-cancel", order.pk, action="order.cancelled",
               action_type=ActionType.UPDATE, target=Target.from_instance(order))  # fmt: skip
    visit.beside(**moved(order, Order.State.OPEN, Order.State.CANCELLED))
    return visit.activities


def approve_invoice(stage, story):
    """An approver reads the invoice and approves it."""
    invoice = story.invoice
    visit = stage.visit(story.approved_at, _member(stage, invoice.approved_by_id))
    visit.get("desk:invoices", **lists("desk.invoice"))
    visit.get(
        "desk:invoice", invoice.pk, action="invoice.read", target=Target.from_instance(invoice)
    )
    visit.post("desk:invoice-approve", invoice.pk, action="invoice.approved",
               action_type=ActionType.UPDATE, target=Target.from_instance(invoice))  # fmt: skip
    approved = (None, invoice.approved_at.isoformat())
    visit.beside(**recorded(invoice, "update", approved_by=(None, linked(invoice.approved_by)),
                            approved_at=approved))  # fmt: skip
    return visit.activities


def nightly(moment, billed):
    """The scheduler bills what was shipped."""
    return [
        Activity.at(
            moment,
            action="sync.orders",
            action_type=ActionType.UPDATE,
            actor_label="cron:nightly",
            execution_time=round(0.4 + 0.031 * len(billed), 6),
            data={"invoices": len(billed)},
        ),
        *(
            Activity.at(
                story.billed_at + timedelta(milliseconds=31 * place),
                actor_label="cron:nightly",
                **facts,
            )
            for place, story in enumerate(billed)
            for facts in (
                moved(story.order, Order.State.SHIPPED, Order.State.INVOICED),
                recorded(
                    story.invoice,
                    "create",
                    number=(None, story.invoice.number),
                    order=(None, linked(story.order)),
                    amount=(None, str(story.invoice.amount)),
                ),
            )
        ),
    ]


def analyst(stage, moment):
    """Stare at the reports and take some home."""
    visit = stage.visit(moment, stage.one("analyst"))
    visit.get("desk:reports")
    if stage.dice.random() < 0.08:
        visit.get("desk:forecast", UNSOLD, code=500, extra={"exception": NOTHING_SOLD})
    else:
        visit.get("desk:forecast", stage.dice.choice(SOLD))
    if stage.dice.random() < 0.5:
        visit.get("desk:report-export")
        visit.beside("report.exported", data={"report": "sales", "rows": 23})
    return visit.activities


def machine(stage, moment):
    """A program with a token reads orders, asks for quotes, is told off at times."""
    member = stage.one("machine")
    visit = Visit(stage.dice, moment, stage.dice.choice(member.clients), member=member)
    for page in range(1, stage.dice.randint(2, 7)):
        visit.get("desk-api:order-list", **lists("desk.order"), extra={"query": f"page={page}"})
    order = stage.order()
    if order:
        visit.get("desk-api:order-detail", order.pk, **about(order))
        visit.get("desk-api:customer-detail", order.customer_id, **about(order.customer))
    if order and stage.dice.random() < 0.1:
        _correct(visit, order.customer)
    if stage.dice.random() < 0.06:
        visit.member = None
        visit.get("desk-api:order-list", code=401, response={"detail": "Invalid token."})
    return visit.activities


def _correct(visit, customer):
    city = {"city": customer.city}
    known = about(customer, "update")
    visit.request("PATCH", "desk-api:customer-detail", customer.pk, **known, data=city,
                  response=city)  # fmt: skip
    if visit.dice.random() < 0.5:
        # Entered twice by mistake, so one of them goes.
        duplicate = Customer(pk=customer.pk + 9_000, name=customer.name)
        visit.call("desk-api:customer-list", code=201, **about(duplicate, "create"),
                   action_type=ActionType.CREATE, data={"name": customer.name, **city})  # fmt: skip
        visit.request("DELETE", "desk-api:customer-detail", duplicate.pk, code=204,
                      **about(duplicate, "delete"))  # fmt: skip


def shopper(stage, moment):
    """Somebody from the street looks at the catalogue, perhaps asks for a price."""
    visit = Visit(stage.dice, moment, cast.passer_by(stage.dice))
    visit.get("desk:catalogue")
    if stage.dice.random() < 0.4:
        visit.request("OPTIONS", "desk-api:quotes", code=405)
        good = stage.dice.random() < 0.85
        quantity = stage.dice.randint(1, 40) if good else -1
        visit.call("desk-api:quotes", code=200 if good else 400, action="quote.requested",
                   data={"lines": [{"sku": "PAP-A4", "quantity": quantity}]})  # fmt: skip
    return visit.activities


def bot(stage, moment):
    """Something knocks on doors that are not there."""
    visit = Visit(stage.dice, moment, stage.dice.choice(cast.BOTS))
    for path in stage.dice.sample(PROBES, stage.dice.randint(1, 5)):
        visit.request("GET", "", path=path, code=404)
    return visit.activities


def monitor(stage, moment):
    """The uptime watch asks for the head only."""
    visit = Visit(stage.dice, moment, cast.MONITOR)
    visit.request("HEAD", "desk:catalogue")
    return visit.activities


def boss(stage, moment):
    """Staff look after things in the admin; one goes where nobody may go."""
    visit = stage.visit(moment, stage.one("boss", "lead", "auditor"))
    visit.get("admin:index")
    if visit.member.role == "auditor":
        visit.get("admin:desk_order_changelist", code=403, **lists("desk.order"))
    else:
        visit.get("admin:desk_order_changelist", **lists("desk.order"))
        visit.get("admin:desk_product_changelist", **lists("desk.product"))
    if visit.member.role == "boss" and stage.dice.random() < 0.3 and (order := stage.order()):
        _delete_duplicate(visit, order)
    return visit.activities


def _delete_duplicate(visit, order):
    """Delete an order that was entered twice by mistake."""
    duplicate = Order(pk=order.pk + 90_000)
    visit.post("admin:desk_order_delete", duplicate.pk, source=Source.ADMIN,
               **about(duplicate, "delete"), action_type=ActionType.DELETE, data={"post": "yes"},
               remarks="Deleted.")  # fmt: skip


def burglary(stage, moment, *, tries):
    """One address tries many names in a short time."""
    visit = Visit(stage.dice, moment, stage.dice.choice(cast.BURGLARS))
    keys = {member.login: member.pk for member in stage.members}
    for number in range(tries):
        login = GUESSED[number % len(GUESSED)]
        visit.fail_login(login, keys.get(login))
        visit.now -= timedelta(seconds=1.1)
    return visit.activities


def release(stage, moment, *, errors):
    """A release goes out; for some minutes a migration is missing."""
    version = f"{stage.day.date:%Y.%m.%d}"
    said = Activity.at(moment, action="deploy.finished", actor_label="ci:deploy",
                       execution_time=48.2, remarks=f"Release {version}")  # fmt: skip
    activities = [said]
    for _ in range(errors):
        name, role = stage.dice.choice(list(BROKEN.items()))
        member = stage.one(role)
        after = timedelta(seconds=stage.dice.uniform(5, 290))
        visit = Visit(stage.dice, moment + after, member.clients[0], member=member)
        visit.get(name, code=500, extra={"exception": NO_COLUMN})
        activities += visit.activities
    return activities


def _arrive(dice, moment, client, member):
    visit = Visit(dice, moment - timedelta(seconds=dice.uniform(60, 90)), client, member=member)
    visit.log_in()
    return visit.activities


def _leave(dice, moment, client, member):
    if dice.random() < 0.6:
        # Most just close the window.
        return []
    visit = Visit(dice, moment + timedelta(seconds=dice.uniform(15, 200)), client, member=member)
    visit.log_out()
    return visit.activities


def _member(stage, key):
    return next(member for member in stage.members if member.pk == key)
