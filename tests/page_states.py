"""Every page and fragment of the dashboard in each of its states: a new one is a line here.

What judges pages (axe, vnu, a reader without JavaScript, hostile rows) walks through this table.
"""

from dataclasses import dataclass, field

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.http import HttpResponse
from django.template import Context, Template
from django.urls import path
from django.utils.html import format_html

from tests.factories import activities, activity, person
from tests.library.models import Book
from tests.shop.models import Order
from tests.urls import urlpatterns as test_urls
from tests.urls_under_test import FRAGMENT
from trackmate.models import SavedView

NOWHERE = "00000000-0000-7000-8000-000000000000"
"""Identifier of no activity, older than all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A page or fragment in one state, and who looks at it."""

    address: str
    """With names of `world()` in braces."""
    who: str = "auditor"
    status: int = 200
    rows: str = ""
    """Name of the function in this module that says which rows are seen; all of them."""
    part: str = ""
    """Selector of what is ours, where the page around it is not."""
    headers: dict[str, str] = field(default_factory=dict)
    with_undo: bool = False
    """Whether changes can be put back."""

    @property
    def settings(self):
        """Return what `TRACKMATE` has to be."""
        limit = {"DASHBOARD_QUERYSET": f"tests.page_states.{self.rows}"} if self.rows else {}
        timeout = 50 if self.rows == "slow" else 5_000
        # The last one does not exist, which is a state of a panel too.
        panels = [f"{__name__}.{name}" for name in ("text_panel", "facts_panel", "missing_panel")]
        return {
            "ENABLED": False,
            "QUERY_TIMEOUT": timeout,
            "DETAIL_PANELS": panels,
            "UNDO": self.with_undo,
            **limit,
        }


def page(address, **details):
    return Sight(address=f"/trackmate/{address}", **details)


def fragment(address, **details):
    return page(address, headers=FRAGMENT, **details)


PAGES = {
    "overview": page(""),
    "overview, empty": page("", rows="none"),
    "overview, wrong time": page("?range=custom&start=never"),
    "overview, too slow": page("", rows="slow"),
    "overview, unavailable": page("", rows="broken"),
    "explorer": page("activity/"),
    "explorer, every filter": page("activity/{every_filter}"),
    "explorer, every field": page("activity/{every_filter}&filters=all&q=-type:read+order"),
    "explorer, open activity": page("activity/?open={rich}"),
    "explorer, second page": page("activity/?before={rich}"),
    "explorer, empty": page("activity/", rows="none"),
    "explorer, no match": page("activity/?q=nothing-like-it"),
    "explorer, wrong filters": page("activity/?address=garbage&status_code=x&range=custom"),
    "explorer, wrong page": page("activity/?before=garbage"),
    "explorer, too slow": page("activity/", rows="slow"),
    "explorer, unavailable": page("activity/", rows="broken", status=503),
    "explorer, other display options": page(
        "activity/?sort=-duration&density=compact&zone=utc&times=relative"
        "&columns=actor,source,route,agent,request"
    ),
    "explorer, wrong token": page("activity/?q=-type:Read+ip:garbage+x"),
    "display options": page("activity/display/"),
    "saved views": page("views/"),
    "saved views, none": page("views/", who="staff"),
    "facets": page("activity/facets/"),
    "facets, wrong filters": page("activity/facets/?address=garbage"),
    "activity": page("activity/{rich}/"),
    "activity, hidden payload": page("activity/{rich}/", who="staff"),
    "activity, little in it": page("activity/{poor}/"),
    "activity, missing": page(f"activity/{NOWHERE}/", status=404),
    "activity, unavailable": page("activity/{rich}/", rows="broken", status=503),
    "activity, can be undone": page("activity/{changed}/", who="root", with_undo=True),
    "activity, was undone": page("activity/{changed}/?undo=done", who="root", with_undo=True),
    "undo": page("activity/{changed}/undo/?field=title", who="root", with_undo=True),
    "undo, changed since": page("activity/{changed}/undo/", who="root", with_undo=True),
    "undo, done already": page(
        "activity/{changed}/undo/?field=subtitle", who="root", with_undo=True
    ),
    "undo, deleted object": page("activity/{deleted}/undo/", who="root", with_undo=True),
    "undo, refused by the model": page("activity/{invalid}/undo/", who="root", with_undo=True),
    "undo, not allowed": page("activity/{changed}/undo/", with_undo=True, status=403),
    "undo, unavailable": page(
        "activity/{changed}/undo/", who="root", with_undo=True, rows="broken", status=503
    ),
    "actor": page("actor/ann/"),
    "actor, never seen": page("actor/nobody-of-that-name/"),
    "object": page("object/shop.order/{order}/"),
    "object, state at a change": page("object/shop.order/{order}/?at={change}"),
    "object, hidden values": page("object/shop.order/{order}/?at={change}", who="staff"),
    "object, wrong change": page("object/shop.order/{order}/?at=garbage"),
    "object, too slow": page("object/shop.order/{order}/", rows="slow"),
    "route": page("route/orders/<int:pk>/"),
    "address": page("address/10.2.3.4/"),
    "request": page("request/{request}/"),
    "export": page("activity/export/{every_filter}"),
    "export, not allowed": page("activity/export/csv/", who="staff", status=403),
    "export, wrong filters": page("activity/export/csv/?address=garbage", status=400),
    "export, too slow": page("activity/export/csv/", rows="slow", status=503),
    "access denied": page("", who="visitor", status=403),
    "history, on a page of the project": Sight(address="/history/{order}/", part="section"),
    "admin, a filter to type into": Sight(
        address="/admin/trackmate/activitylog/?actor=ann&object=garbage",
        part="#changelist-filter details:has([type=text])",
    ),
}

FRAGMENTS = {
    "overview": fragment(""),
    "overview, wrong time": fragment("?range=custom&start=never"),
    "explorer": fragment("activity/"),
    "explorer, wrong filters": fragment("activity/?address=garbage"),
    "explorer, no match": fragment("activity/?q=nothing-like-it"),
    "filter fields": fragment("activity/filters/{every_filter}"),
    "display options": fragment("activity/display/"),
    "facets": fragment("activity/facets/"),
    "facets, too slow": fragment("activity/facets/", rows="slow"),
    "suggestions": fragment("activity/suggestions/?name=q&q=a&at=1"),
    "new activities": fragment(f"activity/tick/?since={NOWHERE}"),
    "request": fragment("request/{request}/"),
    "timeline": fragment("activity/timeline/?page=object&object=shop.order/{order}&at={change}"),
    "activity": fragment("activity/{rich}/"),
    "undo": fragment("activity/{changed}/undo/", who="root", with_undo=True),
    "activity, hidden payload": fragment("activity/{rich}/", who="staff"),
    "activity, missing": fragment(f"activity/{NOWHERE}/"),
    "activity, unavailable": fragment("activity/{rich}/", rows="broken"),
}


def world():
    """Store people and a little of everything, and return what the addresses above need."""
    everything = ("view_payload", "export_activitylog", "view_activitylog")
    auditor = person("auditor", *everything, is_staff=True)
    for name, query in (("Errors", "status=Failed"), ("n" * 80, "range=7d")):
        SavedView.objects.create(owner=auditor, owner_label="auditor", name=name, query=query)
    person("staff", is_staff=True)
    person("visitor")
    order = Order.objects.create(number="A-1")
    kind = ContentType.objects.get_for_model(Order)
    target = {"content_type_id": kind.pk, "object_id": str(order.pk), "object_repr": str(order)}
    request = {
        "actor_label": "ann",
        "ip_address": "10.2.3.4",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
        "session_hash": "5e55",
        "method": "POST",
        "path": f"/orders/{order.pk}/",
        "route": "orders/<int:pk>/",
        "request_id": "0af7651916cd43dd8448eb211c80319c",
        "status": "Success",
    }
    poor = activity(ago=300)
    activities(3, status="Failed", action_type="Login Failed")
    rich = activity(
        **{**request, **target, "source": "request", "action_type": "Update"},
        status_code=200,
        execution_time=0.0421,
        remarks="As discussed on the telephone.",
        data={"state": "shipped", "lines": [{"product": 7, "quantity": 2}]},
        response={"ok": True, "none": None, "long": list(range(150)), "text": "a\n" * 900},
        changes={
            "state": ["open", "shipped"],
            "note": ["", "two words"],
            "text": ["a red house", "a blue house"],
            "total": [None, 12.5],
            "password": ["[redacted]", "[redacted]"],
        },
        extra={"query": "a=1"},
        ago=60,
    )
    activity(**request, **target, source="custom", action_type="Update", action="order.placed")
    recorded = {**target, "source": "model", "actor_label": "ann"}
    activity(**recorded, action_type="Create", changes={"number": [None, "A-0"]}, ago=500)
    change = activity(
        **recorded,
        action="shop.order.update",
        action_type="Update",
        reason="As discussed on the telephone.",
        changes={
            "number": ["A-0", "A-1"],
            "customer": [None, {"value": 7, "label": "Käthe"}],
            "tags": {"added": [{"value": 1, "label": "urgent"}], "removed": []},
            "text": ["a red house " * 90, "a blue house " * 90],
        },
        ago=400,
    )
    for number in range(12):
        totals = {"total": [number, number + 1]}
        activity(**recorded, action_type="Update", changes=totals, ago=390 - number)
    for number, name in enumerate(["Create", "Read", "Delete", "Login", "Logout", "An own one"]):
        activity(**request, source="request", action_type=name, status_code=201, ago=number * 900)
    activity(status="Failed", status_code=500, method="GET", path="/", ago=30)
    filters = f"actor=ann&object=shop.order/{order.pk}&address=10.2.3.4&range=24h&method=POST"
    return {
        **changes_of_a_book(),
        "rich": rich.pk,
        "poor": poor.pk,
        "order": order.pk,
        "change": change.pk,
        "request": request["request_id"],
        "every_filter": f"?{filters}&action_type=Update&status=Success",
    }


def changes_of_a_book():
    """Store a book, and changes that can be put back and that cannot."""
    get_user_model().objects.create_superuser("root", password="x")
    book = Book.objects.create(title="The present title", copies=7)
    about = {"source": "model", "content_type": ContentType.objects.get_for_model(Book)}
    update = {**about, "action": "library.book.update", "action_type": "Update"}
    changed = activity(
        **update,
        object_id=str(book.pk),
        object_repr=str(book),
        changes={
            "title": ["A title of former times", "The present title"],
            "copies": [3, 5],
            "subtitle": [None, "A subtitle"],
            "door_pin": ["[redacted]", "[redacted]"],
            "author": [{"value": 4711, "label": "Käthe"}, None],
            "changed_at": ["2026-01-02T03:04:05+00:00", "2026-01-02T03:04:06+00:00"],
        },
        ago=7,
    )
    invalid = activity(
        **update,
        object_id=str(book.pk),
        object_repr=str(book),
        changes={"title": ["", "The present title"]},
        ago=8,
    )
    deleted = activity(
        **about,
        action="library.book.delete",
        action_type="Delete",
        object_id="4711",
        object_repr="Gone with the wind",
        changes={"title": ["Gone with the wind", None], "details": [{"pages": 1037}, None]},
        ago=9,
    )
    return {"changed": changed.pk, "invalid": invalid.pk, "deleted": deleted.pk}


def text_panel(_row, _request):
    """Return a panel with a text."""
    return "A panel", "of the project"


def facts_panel(_row, _request):
    """Return a panel with facts."""
    return "Invoice", {"Number": 17, "Page": format_html('<a href="/">{}</a>', "open")}


def none(_request, rows):
    """Show a log that has nothing yet."""
    return rows.none()


def slow(_request, rows):
    """Show a log that takes longer than it may."""
    return rows.extra(where=[f"({FOR_SECONDS[connection.vendor]}) > 0"])


def broken(_request, rows):
    """Show a log that the database cannot read."""
    return rows.extra(where=["no_such_column = 1"])


FOR_SECONDS = {
    "postgresql": "SELECT COUNT(*) FROM pg_sleep(5)",
    "mysql": "SELECT COUNT(*) + SLEEP(5) FROM information_schema.tables",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) "
    "SELECT COUNT(*) FROM n",
}

HISTORY = Template(
    "{% load trackmate %}<!DOCTYPE html><html lang='en'><head><title>Order</title></head>"
    "<body><main><h1>{{ order }}</h1>{% trackmate_history order %}</main></body></html>"
)


def history(request, pk):
    """Show an order as a project does."""
    order = Order.objects.get(pk=pk)
    return HttpResponse(HISTORY.render(Context({"order": order, "request": request})))


urlpatterns = [*test_urls, path("history/<int:pk>/", history)]
