"""What the log says about work in Django's admin: one row per request, with what was changed."""

import json
from datetime import UTC, datetime

import pytest
from django import forms
from django.contrib import admin, messages
from django.contrib.admin import options
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils.translation import override
from rest_framework.authtoken.models import Token

from tests.factories import person
from tests.shop.models import Customer, Delivery, DeliveryLine, GateToken, Order, RushOrder
from tests.urls_under_test import text_of
from trackmate import integrations
from trackmate.activity import Activity
from trackmate.admin import HistoryMixin
from trackmate.capture.events.form_changes import describe_forms
from trackmate.diagnostics import counts
from trackmate.integrations import admin as integration
from trackmate.integrations import admin_notes, admin_pages
from trackmate.models import ActivityLog
from trackmate.processors import redact
from trackmate.redaction.known_secrets import MASK

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.urls(__name__),
]


# --- an admin with all that is in one ------------------------------------------------------------


class LineInline(admin.TabularInline):
    model = DeliveryLine
    extra = 0


class GateInline(admin.TabularInline):
    model = GateToken
    extra = 0


@admin.action
def approve(model_admin, request, queryset):
    queryset.update(number="approved")


@admin.action
def ask_first(model_admin, request, queryset):
    return TemplateResponse(request, "admin/base_site.html")


@admin.action
def export(model_admin, request, queryset):
    return HttpResponse("number", content_type="text/csv")


@admin.action
def explode(model_admin, request, queryset):
    raise ValueError("no")


@admin.action(permissions=["change"])
def ship(model_admin, request, queryset):
    for order in queryset:
        model_admin.log_change(request, order, "Shipped")


@admin.action
def ship_twice(model_admin, request, queryset):
    for order in queryset:
        model_admin.log_change(request, order, "Packed")
        model_admin.log_change(request, order, "Shipped")


@admin.action
def replace(model_admin, request, queryset):
    model_admin.log_change(request, queryset[0], "Replaced")
    model_admin.log_deletions(request, queryset)


class OrderAdmin(HistoryMixin, admin.ModelAdmin):
    actions = (approve, ask_first, export, explode, ship, ship_twice, replace)
    list_display = ("id", "number")
    list_editable = ("number",)
    save_as = True

    def get_urls(self):
        view = self.admin_site.admin_view(self.recount)
        return [path("recount/", view, name="shop_order_recount"), *super().get_urls()]

    def recount(self, request):
        return HttpResponse("recounted")

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        if obj.number == "break":
            raise ValueError("after it was saved")

    def log_change(self, request, obj, message):
        if obj.number == "break before":
            raise ValueError("before it was logged")
        entry = super().log_change(request, obj, message)
        if obj.number == "break later":
            raise ValueError("after it was logged")
        return entry


class CarefulOrderAdmin(OrderAdmin):
    """Catches what goes wrong, and redirects, so that the request succeeds."""

    def changeform_view(self, request, *args, **kwargs):
        try:
            with transaction.atomic():
                return super().changeform_view(request, *args, **kwargs)
        except ValueError:
            messages.error(request, "It did not work.")
            return HttpResponseRedirect("../")


class QuietOrderAdmin(OrderAdmin):
    """Keeps no log of its own."""

    def log_addition(self, *args):
        return None

    log_change = log_deletions = log_deletion = log_addition


class DeliveryAdmin(admin.ModelAdmin):
    inlines = (LineInline, GateInline)


class Site(admin.AdminSite):
    pass


def site_with(order_admin, name):
    site = Site(name=name)
    site.register(Order, order_admin)
    site.register(Delivery, DeliveryAdmin)
    site.register([Customer, RushOrder, Token])
    site.register(get_user_model(), UserAdmin)
    return site.urls


urlpatterns = [
    path("admin/", site_with(OrderAdmin, "admin")),
    path("careful/", site_with(CarefulOrderAdmin, "careful")),
    path("quiet/", site_with(QuietOrderAdmin, "quiet")),
]

ORDERS = "/admin/shop/order/"
USERS = f"/admin/{get_user_model()._meta.label_lower.replace('.', '/')}/"


@pytest.fixture
def order():
    return Order.objects.create(number="7")


@pytest.fixture
def pair(order):
    return [order, Order.objects.create(number="8")]


@pytest.fixture
def boss(admin_client, admin_user, activities):
    """A client of somebody who may do everything; the login is not recorded."""
    admin_client.raise_request_exception = False
    activities.clear()
    return admin_client


@pytest.fixture
def clerk(client, activities):
    """Return a client of somebody with some permissions only."""

    def log_in(*permissions):
        who = person("clerk", is_staff=True)
        who.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(get_user_model().objects.get(pk=who.pk))
        activities.clear()
        return client

    return log_in


def only(activities):
    (activity,) = activities
    assert counts == {}
    return activity


def said(activity):
    """Return action, type, status and object of an activity."""
    target = activity.target and (activity.target.object_id, activity.target.object_repr)
    return activity.action, activity.action_type, activity.status, target


def data_of(delivery, **values):
    """Return what the form of a delivery sends."""
    form = {"customer": delivery.customer_id, "state": delivery.state, "weight": "1.5"}
    for prefix in ("lines", "gates"):
        form |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    return form | values


# --- one request, one row ------------------------------------------------------------------------


def test_an_object_is_added(boss, activities, admin_user):
    assert boss.post(f"{ORDERS}add/", {"number": "9"}).status_code == 302
    order = Order.objects.get()
    activity = only(activities)
    assert said(activity) == ("shop.order.create", "Create", "Success", (str(order.pk), "Order 9"))
    assert (activity.source, activity.status_code, activity.method) == ("admin", 302, "POST")
    assert (activity.actor_id, activity.actor_label) == (admin_user.pk, "admin")
    assert (activity.route, activity.data) == ("admin/shop/order/add/", {"number": "9"})
    assert activity.changes == {"number": [None, "9"]}
    assert activity.remarks == "Added."


def test_an_object_is_changed(boss, activities, order):
    boss.post(f"{ORDERS}{order.pk}/change/", {"number": "70"})
    activity = only(activities)
    assert said(activity) == ("shop.order.update", "Update", "Success", (str(order.pk), "Order 70"))
    assert activity.changes == {"number": ["7", "70"]}
    assert activity.remarks == "Changed Number."


def test_an_object_is_deleted_and_keeps_its_name(boss, activities, order):
    boss.post(f"{ORDERS}{order.pk}/delete/", {"post": "yes"})
    activity = only(activities)
    assert not Order.objects.exists()
    assert said(activity) == ("shop.order.delete", "Delete", "Success", (str(order.pk), "Order 7"))
    assert activity.changes is None


def test_a_save_that_changes_nothing_is_an_update_without_changes(boss, activities, order):
    boss.post(f"{ORDERS}{order.pk}/change/", {"number": "7"})
    activity = only(activities)
    assert (activity.action, activity.changes) == ("shop.order.update", None)
    assert activity.remarks == "No fields changed."


def test_an_object_that_is_saved_as_a_new_one(boss, activities, order):
    boss.post(f"{ORDERS}{order.pk}/change/", {"number": "9", "_saveasnew": "1"})
    new = Order.objects.get(number="9")
    assert said(only(activities)) == (
        "shop.order.create",
        "Create",
        "Success",
        (str(new.pk), "Order 9"),
    )


@pytest.mark.parametrize("rows", [0, 1])
def test_an_addition_in_a_popup(boss, activities, rows):
    number = {0: "", 1: "9"}[rows]
    assert boss.post(f"{ORDERS}add/", {"number": number, "_popup": "1"}).status_code == 200
    activity = only(activities)
    assert (activity.action, activity.action_type) == ("shop.order.create", "Create")
    assert (activity.status == "Success") is bool(rows)


def test_the_remarks_are_in_english(boss, activities, order):
    with override("de"):
        boss.post(
            f"{ORDERS}{order.pk}/change/", {"number": "70"}, headers={"Accept-Language": "de"}
        )
    assert only(activities).remarks == "Changed Number."


# --- what was changed ----------------------------------------------------------------------------


@pytest.fixture
def delivery():
    customer = Customer.objects.create(name="Käthe")
    return Delivery.objects.create(customer=customer, weight="1.5", door_pin="hush")


def change_delivery(boss, delivery, **values):
    answer = boss.post(f"/admin/shop/delivery/{delivery.pk}/change/", data_of(delivery, **values))
    assert answer.status_code == 302


def test_every_kind_of_field(boss, activities, delivery, order):
    old = Order.objects.create(number="old")
    delivery.orders.add(old)
    other = Customer.objects.create(name="Emil")
    change_delivery(
        boss,
        delivery,
        customer=other.pk,
        state="s",
        weight="2.25",
        door_pin="4711",
        orders=[order.pk],
        slip=ContentFile(b"x", name="slip.txt"),
    )
    assert only(activities).changes == {
        "customer": [{"value": delivery.customer_id}, {"value": other.pk, "label": "Emil"}],
        "state": [{"value": "p", "label": "Packed"}, {"value": "s", "label": "Sent"}],
        "weight": ["1.50", "2.25"],
        "door_pin": [MASK, MASK],
        "orders": {
            "added": [{"value": order.pk, "label": "Order 7"}],
            "removed": [{"value": old.pk, "label": "Order old"}],
        },
        "slip": [None, "slips/slip.txt"],
    }


def test_a_file_that_is_removed(boss, activities, delivery):
    delivery.slip.save("paper.txt", ContentFile(b"x"))
    change_delivery(boss, delivery, door_pin="hush", **{"slip-clear": "on"})
    assert only(activities).changes == {"slip": [delivery.slip.name, None]}


def test_what_an_addition_leaves_empty_is_left_out(boss, activities, delivery):
    boss.post("/admin/shop/delivery/add/", data_of(delivery, door_pin="12345"))
    assert only(activities).changes == {
        "customer": [None, {"value": delivery.customer_id, "label": "Käthe"}],
        "state": [None, {"value": "p", "label": "Packed"}],
        "weight": [None, "1.5"],
        "door_pin": [None, MASK],
    }


def test_inlines_that_are_added_changed_and_deleted(boss, activities, delivery):
    tea = delivery.lines.create(product="Tea", quantity=1)
    milk = delivery.lines.create(product="Milk", quantity=2)
    change_delivery(
        boss,
        delivery,
        **{
            "door_pin": "hush",
            "lines-TOTAL_FORMS": "3",
            "lines-INITIAL_FORMS": "2",
            "lines-0-id": tea.pk,
            "lines-0-delivery": delivery.pk,
            "lines-0-product": "Tea",
            "lines-0-quantity": "5",
            "lines-1-id": milk.pk,
            "lines-1-delivery": delivery.pk,
            "lines-1-product": "Milk",
            "lines-1-quantity": "2",
            "lines-1-DELETE": "on",
            "lines-2-delivery": delivery.pk,
            "lines-2-product": "Rum",
            "lines-2-quantity": "3",
        },
    )
    rum = delivery.lines.get(product="Rum")
    activity = only(activities)
    assert activity.changes == {
        f"lines[{tea.pk}].quantity": [1, 5],
        f"lines[{milk.pk}]": [{"value": str(milk.pk), "label": "2 x Milk"}, None],
        f"lines[{rum.pk}]": [None, {"value": str(rum.pk), "label": "3 x Rum"}],
        f"lines[{rum.pk}].product": [None, "Rum"],
        f"lines[{rum.pk}].quantity": [None, 3],
    }
    assert "Changed Quantity for delivery line “5 x Tea”." in activity.remarks


def test_a_user_and_a_password(boss, activities, admin_user):
    form = {"username": "eve", "usable_password": "true", "password1": "S3cret-horse!"}
    boss.post(f"{USERS}add/", form | {"password2": "S3cret-horse!"})
    eve = get_user_model().objects.get(username="eve")
    added = activities.pop()
    assert added.changes["username"] == [None, "eve"]
    assert added.changes["password1"] == [None, MASK]
    passwords = {"password1": "An0ther-horse!", "password2": "An0ther-horse!"}
    boss.post(f"{USERS}{eve.pk}/password/", passwords | {"usable_password": "true"})
    changed = activities.pop()
    assert said(changed)[3] == (str(eve.pk), "eve")
    assert changed.changes == {"password": [MASK, MASK]}
    assert "horse" not in repr([added, changed])


@pytest.fixture
def token(admin_user):
    return Token.objects.create(user=admin_user)


def test_the_key_of_a_token_is_in_no_change(boss, activities, token):
    page = "/admin/authtoken/token/"
    other = person("other")
    boss.post(f"{page}{token.pk}/change/", {"user": other.pk, "key": "k" * 40})
    boss.post(f"{page}add/", {"user": get_user_model().objects.first().pk, "key": "m" * 40})

    class Badge(forms.Form):
        badge = forms.ModelChoiceField(Token.objects.all())

    form = Badge({"badge": token.pk})
    assert form.is_valid()
    badge = describe_forms(form, [], add=True)
    assert badge["badge"][1]["label"] == MASK
    for secret in (token.pk, "k" * 40, "m" * 40):
        assert secret not in repr([[each.changes for each in activities], badge])


def test_the_name_of_a_token_is_in_no_message(boss, activities, delivery):
    lines = {"gates-TOTAL_FORMS": "1", "gates-0-delivery": delivery.pk, "gates-0-gate": "north"}
    change_delivery(boss, delivery, door_pin="hush", **lines)
    gate = delivery.gates.get()
    activity = only(activities)
    assert activity.remarks == "Added gate token “[redacted]”."
    assert activity.changes == {
        f"gates[{gate.pk}]": [None, {"value": str(gate.pk), "label": MASK}],
        f"gates[{gate.pk}].gate": [None, "north"],
    }


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"password": ["old", "new"]}, {"password": [MASK, MASK]}),
        ({"lines[7].api_key": [None, "new"]}, {"lines[7].api_key": [None, MASK]}),
        ({"pin": ("1234", None)}, {"pin": [MASK, None]}),
        ({"name": ["old", "new"]}, {"name": ["old", "new"]}),
        ({"password": "[redacted]"}, {"password": "[redacted]"}),
        (["password", "old"], ["password", MASK]),
    ],
)
def test_a_masked_change_is_still_a_change(changes, kept):
    assert redact(Activity.now(changes=changes)).changes == kept


def test_no_query_is_ours(boss, activities, delivery, order, monkeypatch):
    def queries_of_a_change():
        delivery.lines.all().delete()
        line = delivery.lines.create(product="Tea", quantity=1)
        delivery.orders.clear()
        Delivery.objects.filter(pk=delivery.pk).update(state="p")
        lines = {"TOTAL_FORMS": "1", "INITIAL_FORMS": "1", "0-id": line.pk}
        lines |= {"0-delivery": delivery.pk, "0-product": "Milk", "0-quantity": "5"}
        lines = {f"lines-{name}": value for name, value in lines.items()}
        with CaptureQueriesContext(connection) as queries:
            change_delivery(boss, delivery, state="s", orders=[order.pk], **lines)
            select(boss, "ship", order)
            boss.get(f"{ORDERS}{order.pk}/change/")
        return len(queries)

    queries_of_a_change()  # fills the caches of Django
    with_it = queries_of_a_change()
    activities.clear()
    monkeypatch.setattr(admin_notes, "current_notes", lambda: None)
    monkeypatch.setattr(integration, "record_log_entry", lambda entry: None)
    monkeypatch.setattr("trackmate.capture.outcomes.page_describers", [])
    assert queries_of_a_change() == with_it
    assert {each.changes for each in activities} == {None}


class NamedValue(forms.Form):
    name = forms.CharField()
    value = forms.CharField()


@pytest.mark.parametrize("add", [True, False])
def test_what_other_fields_make_a_secret_is_none_of_the_changes(add):
    new, old = "battery staple", "" if add else "correct horse"
    form = NamedValue(
        {"name": "smtp_password", "value": new}, initial={"name": "smtp_password", "value": old}
    )
    assert form.is_valid()
    assert describe_forms(form, [], add=add)["value"] == [None if add else MASK, MASK]


def test_choices_that_need_a_query_have_no_label(order):
    class Pick(forms.Form):
        of_query = forms.ChoiceField(choices=lambda: Order.objects.values_list("pk", "number"))
        of_group = forms.ChoiceField(choices=[("Group", [("a", "Alpha")])])

    form = Pick({"of_query": order.pk, "of_group": "a"})
    assert form.is_valid()
    changes = describe_forms(form, [], add=True)
    assert changes["of_query"] == [None, str(order.pk)]
    assert changes["of_group"] == [None, {"value": "a", "label": "Alpha"}]


def test_an_object_has_the_name_that_the_admin_shows(boss, activities, delivery):
    boss.get(f"/admin/shop/delivery/{delivery.pk}/history/")
    change_delivery(boss, delivery, door_pin="hush")
    assert [each.target.object_repr for each in activities] == ["Delivery to Käthe"] * 2


def test_a_proxy_is_the_model_that_it_is_of(boss, activities, order):
    page = f"/admin/shop/rushorder/{order.pk}/change/"
    boss.get(page)
    boss.post(page, {"number": "70"})
    read, changed = activities
    assert (read.action, read.target.model) == ("shop.order.read", "shop.order")
    assert said(changed)[:2] == ("shop.order.update", "Update")
    assert changed.changes == {"number": ["7", "70"]}


# --- pages that only show ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "action", "names_object"),
    [
        ("", "shop.order.list", False),
        ("?number__exact=7", "shop.order.list", False),
        ("{pk}/change/", "shop.order.read", True),
        ("{pk}/delete/", "shop.order.read", True),
        ("{pk}/history/", "shop.order.history", True),
        ("add/", "admin/shop/order/add/", False),
        ("recount/", "admin/shop/order/recount/", False),
        ("{pk}/", "admin/shop/order/<path:object_id>/", False),
        ("?nonsense=1", "admin/shop/order/", False),
        ("99999/change/", "admin/shop/order/<path:object_id>/change/", False),
    ],
)
def test_a_page_that_is_shown(boss, activities, order, page, action, names_object):
    boss.get(ORDERS + page.format(pk=order.pk))
    activity = only(activities)
    assert (activity.source, activity.action_type) == ("request", "Read")
    expected = (str(order.pk), "Order 7") if names_object else None
    assert said(activity) == (action, "Read", "Success", expected)


def test_somebody_who_is_not_logged_in_has_read_nothing(client, activities, order):
    client.get(f"{ORDERS}{order.pk}/change/")
    client.post(f"{ORDERS}{order.pk}/delete/", {"post": "yes"})
    assert [each.target for each in activities] == [None, None]
    assert [each.action for each in activities] == [each.route for each in activities]


@pytest.mark.parametrize("path", ["/admin/", "/admin/shop/", "/admin/jsi18n/"])
def test_a_page_of_the_whole_site_says_nothing(boss, activities, path):
    boss.get(path)
    activity = only(activities)
    assert (activity.action, activity.target) == (activity.route, None)


# --- what did not work ---------------------------------------------------------------------------


def test_an_invalid_form_is_a_failed_change_of_the_object_as_it_is(boss, activities, order):
    answer = boss.post(f"{ORDERS}{order.pk}/change/", {"number": "x" * 51})
    assert answer.status_code == 200
    activity = only(activities)
    assert said(activity) == ("shop.order.update", "Update", "Failed", (str(order.pk), "Order 7"))
    assert activity.changes is None


def test_an_invalid_form_does_not_rename_the_object(boss, activities, delivery):
    emil = Customer.objects.create(name="Emil")
    form = data_of(delivery, customer=emil.pk, state="none")
    assert boss.post(f"/admin/shop/delivery/{delivery.pk}/change/", form).status_code == 200
    target = only(activities).target
    assert (target.object_id, "Emil" in target.object_repr) == (str(delivery.pk), False)


def test_an_invalid_new_object_from_another_one(boss, activities, order):
    form = {"number": "", "_saveasnew": "1"}
    boss.post(f"{ORDERS}{order.pk}/change/", form)
    assert said(only(activities)) == ("shop.order.create", "Create", "Failed", None)


def test_an_invalid_addition(boss, activities):
    boss.post(f"{ORDERS}add/", {"number": ""})
    assert said(only(activities)) == ("shop.order.create", "Create", "Failed", None)


def test_an_invalid_list(boss, activities, order):
    form = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "_save": "Save"}
    boss.post(ORDERS, form | {"form-0-id": order.pk, "form-0-number": ""})
    assert said(only(activities)) == ("shop.order.update", "Update", "Failed", None)


def test_a_deletion_that_is_protected(boss, activities, delivery):
    customer = delivery.customer
    boss.post(f"/admin/shop/customer/{customer.pk}/delete/", {"post": "yes"})
    expected = ("shop.customer.delete", "Delete", "Failed", (str(customer.pk), "Käthe"))
    assert said(only(activities)) == expected


@pytest.mark.parametrize(
    ("page", "action", "action_type"),
    [
        ("add/", "shop.order.create", "Create"),
        ("{pk}/change/", "shop.order.update", "Update"),
        ("{pk}/delete/", "shop.order.delete", "Delete"),
    ],
)
def test_what_is_forbidden_keeps_its_intention(clerk, activities, order, page, action, action_type):
    client = clerk()
    assert client.post(ORDERS + page.format(pk=order.pk), {"number": "8"}).status_code == 403
    target = (str(order.pk), "") if "pk" in page else None
    assert said(only(activities)) == (action, action_type, "Failed", target)


def test_a_page_that_may_not_be_read(clerk, activities, order):
    assert clerk().get(f"{ORDERS}{order.pk}/change/").status_code == 403
    assert said(only(activities)) == ("shop.order.read", "Read", "Failed", (str(order.pk), ""))


@pytest.mark.parametrize(
    "key",
    ["x", "7_2F..", "0x7", "9" * 400, "_00", "7%00", "%F0%9F%92%A9", "<script>"],
)
@pytest.mark.parametrize("page", ["change", "delete", "history"])
def test_a_key_that_nothing_has(clerk, activities, key, page):
    client = clerk()
    client.get(f"{ORDERS}{key}/{page}/")
    client.post(f"{ORDERS}{key}/{page}/", {"post": "yes"})
    assert {each.target for each in activities} == {None}
    assert counts == {}


@pytest.mark.parametrize("number", ["break", "break before", "break later"])
def test_what_is_rolled_back_is_not_claimed(boss, activities, order, number):
    assert boss.post(f"{ORDERS}{order.pk}/change/", {"number": number}).status_code == 500
    order.refresh_from_db()
    assert order.number == "7"
    activity = only(activities)
    assert said(activity) == ("shop.order.update", "Update", "Failed", (str(order.pk), ""))
    assert activity.changes is None


@pytest.mark.parametrize("number", ["break", "break before", "break later"])
def test_what_a_savepoint_rolls_back_is_not_claimed(boss, activities, order, number):
    assert (
        boss.post(f"/careful/shop/order/{order.pk}/change/", {"number": number}).status_code == 302
    )
    activity = only(activities)
    assert said(activity) == (activity.route, "Action", "Success", None)
    assert activity.changes is None


# --- several objects -----------------------------------------------------------------------------


def select(boss, action, *orders, **values):
    keys = [each.pk for each in orders]
    return boss.post(ORDERS, {"action": action, "_selected_action": keys, "index": "0"} | values)


def test_several_objects_are_deleted(boss, activities, pair):
    select(boss, "delete_selected", *pair)
    activity = only(activities)
    assert said(activity) == ("shop.order.delete_selected", "Read", "Success", None)
    assert activity.extra["objects"] == 2
    activities.clear()
    boss.post(
        ORDERS,
        {
            "action": "delete_selected",
            "_selected_action": [each.pk for each in pair],
            "post": "yes",
        },
    )
    request, *rows = activities
    assert said(request) == ("shop.order.delete", "Delete", "Success", None)
    assert request.extra == {"objects": 2}
    assert sorted(said(each)[3] for each in rows) == [
        (str(each.pk), f"Order {each.number}") for each in pair
    ]
    assert {each.action_type for each in rows} == {"Delete"}
    assert {each.request_id for each in rows} == {request.request_id}


def test_one_selected_object_is_deleted(boss, activities, order):
    boss.post(ORDERS, {"action": "delete_selected", "_selected_action": [order.pk], "post": "yes"})
    expected = ("shop.order.delete", "Delete", "Success", (str(order.pk), "Order 7"))
    assert said(only(activities)) == expected


def test_an_action_on_one_object(boss, activities, order):
    select(boss, "approve", order)
    activity = only(activities)
    assert said(activity) == ("shop.order.approve", "Action", "Success", (str(order.pk), ""))
    assert activity.source == "admin"


def test_an_action_on_several_objects(boss, activities, pair):
    select(boss, "approve", *pair)
    request, *rows = activities
    assert said(request) == ("shop.order.approve", "Action", "Success", None)
    assert request.extra == {"objects": 2}
    assert {said(each)[3][0] for each in rows} == {str(each.pk) for each in pair}


def test_an_action_on_more_than_get_a_row(boss, activities, order, monkeypatch):
    monkeypatch.setattr(admin_pages, "MAX_SELECTED", 3)
    orders = [Order.objects.create(number=each) for each in range(4)]
    select(boss, "approve", *orders)
    request, *rows = activities
    assert (len(rows), request.extra) == (3, {"objects": 4})


def test_an_action_on_all_pages(boss, activities, pair):
    select(boss, "approve", pair[0], select_across="1")
    activity = only(activities)
    assert said(activity) == ("shop.order.approve", "Action", "Success", None)
    assert activity.extra == {"objects": "all"}


def test_an_action_that_logs_its_objects(boss, activities, pair):
    select(boss, "ship", *pair)
    request, *rows = activities
    assert said(request) == ("shop.order.update", "Update", "Success", None)
    assert [each.remarks for each in rows] == ["Shipped", "Shipped"]


def test_several_entries_about_one_object_are_one_row(boss, activities, pair):
    select(boss, "ship_twice", *pair)
    request, *rows = activities
    assert request.extra == {"objects": 2}
    assert [each.remarks for each in rows] == ["Packed; Shipped"] * 2
    assert {each.extra for each in rows} == {None}
    activities.clear()
    select(boss, "replace", pair[0])
    activity = only(activities)
    assert said(activity)[:2] == ("shop.order.delete", "Delete")
    assert activity.extra == {"entries": ["shop.order.update", "shop.order.delete"]}


@pytest.mark.parametrize("count", [1, 2])
def test_an_action_that_asks_first_has_done_nothing(boss, activities, pair, count):
    select(boss, "ask_first", *pair[:count])
    activity = only(activities)
    assert (activity.action, activity.action_type) == ("shop.order.ask_first", "Action")
    assert (activity.target is not None) is (count == 1)


def test_an_action_that_returns_a_file(boss, activities, pair):
    select(boss, "export", *pair)
    assert [each.action for each in activities] == ["shop.order.export"] * 3


def test_an_action_that_fails(boss, activities, order):
    assert select(boss, "explode", order).status_code == 500
    expected = ("shop.order.explode", "Action", "Failed", (str(order.pk), ""))
    assert said(only(activities)) == expected


if hasattr(options, "ActionLocation"):  # new in Django 6.1

    @pytest.mark.parametrize("url", ["{pk}/change/", ""])
    def test_an_action_of_the_page_of_one_object(boss, activities, order, monkeypatch, url):
        locations = list(options.ActionLocation)
        monkeypatch.setattr(approve, "locations", locations, raising=False)
        name = "CHANGE_FORM-action" if url else "action"
        form = {name: "approve", "_selected_action": order.pk, "index": "0"}
        boss.post(ORDERS + url.format(pk=order.pk), form)
        order.refresh_from_db()
        assert order.number == "approved"
        expected = ("shop.order.approve", "Action", "Success", (str(order.pk), ""))
        assert said(only(activities)) == expected


def test_an_action_that_is_forbidden(clerk, activities, order):
    client = clerk("view_order", "delete_order")
    select(client, "ship", order)
    activity = only(activities)
    assert (activity.action, activity.target) == (activity.route, None)


@pytest.mark.parametrize(
    "form",
    [
        {"action": "made_up", "_selected_action": "1", "index": "0"},
        {"action": "", "_selected_action": "1", "index": "0"},
        {"action": "__class__", "_selected_action": "1", "index": "x"},
        {"action": "approve", "index": "0"},
        {"_selected_action": "1"},
        {"action": ["approve", "made_up"], "_selected_action": "1", "index": "1"},
    ],
)
def test_what_is_no_action_says_nothing(boss, activities, order, form):
    boss.post(ORDERS, form)
    activity = only(activities)
    assert (activity.action, activity.action_type) == (activity.route, "Action")
    assert (activity.target, activity.extra) == (None, None)


@pytest.mark.parametrize("key", ["0x7", "seven", "9" * 400, "7\0", "1 OR 1=1"])
def test_selected_keys_that_are_none(boss, activities, order, key):
    boss.post(ORDERS, {"action": "export", "_selected_action": key, "index": "0"})
    assert {each.target for each in activities} == {None}


def test_a_list_that_is_edited(boss, activities, pair):
    form = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "2", "_save": "Save"}
    for at, each in enumerate(pair):
        form |= {f"form-{at}-id": each.pk, f"form-{at}-number": f"{each.number}0"}
    boss.post(ORDERS, form)
    request, *rows = activities
    assert said(request) == ("shop.order.update", "Update", "Success", None)
    assert request.extra == {"objects": 2}
    changes = sorted(each.changes["number"] for each in rows)
    assert changes == [["7", "70"], ["8", "80"]]


# --- entries of other origins --------------------------------------------------------------------


def entry_for(order, user, **values):
    return LogEntry(
        user_id=user.pk,
        object_id=order.pk,
        object_repr=str(order),
        **{
            "content_type": ContentType.objects.get_for_model(Order),
            "action_flag": CHANGE,
            "change_message": "by hand",
        }
        | values,
    )


@pytest.mark.parametrize(
    ("flag", "action", "action_type"),
    [
        (ADDITION, "shop.order.create", "Create"),
        (CHANGE, "shop.order.update", "Update"),
        (DELETION, "shop.order.delete", "Delete"),
        (9, "shop.order.action", "Action"),
    ],
)
def test_an_entry_outside_of_a_request(activities, admin_user, order, flag, action, action_type):
    entry_for(order, admin_user, action_flag=flag).save()
    activity = only(activities)
    assert said(activity) == (action, action_type, "Success", (str(order.pk), "Order 7"))
    assert (activity.source, activity.remarks) == ("admin", "by hand")
    assert (activity.actor_id, activity.actor_label) == (admin_user.pk, "")


def test_an_entry_with_its_user_has_the_name(activities, admin_user, order):
    entry = entry_for(order, admin_user)
    entry.user = admin_user
    entry.save()
    entry.save()  # an update is no second entry
    assert only(activities).actor_label == "admin"


def test_entries_in_bulk(activities, admin_user, pair):
    LogEntry.objects.log_actions(admin_user.pk, pair, DELETION)
    assert [each.action for each in activities] == ["shop.order.delete"] * 2
    LogEntry.objects.bulk_create([entry_for(each, admin_user) for each in pair])
    assert len(activities) == 4


def test_entries_of_fixtures_are_no_news(activities, admin_user, order):
    entry_for(order, admin_user).save_base(raw=True)
    assert activities == []


@pytest.mark.parametrize(
    ("message", "remarks"),
    [
        ("[1]", "[1]"),
        ('[{"added": 1}]', '[{"added": 1}]'),
        ('[{"changed": {}}]', '[{"changed": {}}]'),
        ("[broken", "[broken"),
        ('{"a": 1}', '{"a": 1}'),
        ('[{"deleted": {"name": "{0.__class__}", "object": "x"}}]', "Deleted {0.__class__} “x”."),
        ("password=hunter22", "password=[redacted]"),
        ("", ""),
    ],
)
def test_any_message(activities, admin_user, order, message, remarks):
    entry_for(order, admin_user, change_message=message).save()
    assert only(activities).remarks == remarks


def test_an_entry_without_an_object(activities, admin_user):
    LogEntry.objects.create(
        user=admin_user, action_flag=CHANGE, action_time=datetime(2020, 1, 1, tzinfo=UTC)
    )
    activity = only(activities)
    assert (activity.action, activity.target) == ("admin.update", None)
    assert activity.action_time.year == 2020


def test_an_entry_of_a_model_that_is_gone(activities, admin_user, order):
    gone = ContentType.objects.create(app_label="gone", model="thing")
    entry_for(order, admin_user, content_type=gone).save()
    assert only(activities).target.model == "gone.thing"


# --- requests that are not kept ------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting", [{"EXCLUDE_PATHS": ["/admin/"]}, {"TRACK_REQUESTS": False}], ids=str
)
def test_the_entries_of_an_excluded_request_stay(boss, activities, configure, order, setting):
    configure(**setting)
    boss.get(ORDERS)
    boss.post(f"{ORDERS}{order.pk}/change/", {"number": "70"})
    activity = only(activities)
    assert said(activity) == ("shop.order.update", "Update", "Success", (str(order.pk), "Order 70"))
    assert (activity.changes, activity.data) == ({"number": ["7", "70"]}, None)
    assert activity.actor_label == "admin"


def test_the_entries_of_a_sampled_request_stay(boss, activities, configure, pair):
    configure(SAMPLE_RATE=0)
    boss.post(f"{ORDERS}{pair[0].pk}/change/", {"number": "70"})
    assert only(activities).changes == {"number": ["7", "70"]}
    activities.clear()
    select(boss, "approve", *pair)
    boss.get(ORDERS)
    assert [said(each)[3][0] for each in activities] == [str(each.pk) for each in pair]


def test_an_admin_without_a_log_of_its_own(boss, activities, order):
    boss.post(f"/quiet/shop/order/{order.pk}/change/", {"number": "70"})
    activity = only(activities)
    assert said(activity) == ("shop.order.update", "Update", "Success", (str(order.pk), "Order 70"))
    assert activity.changes == {"number": ["7", "70"]}
    assert not LogEntry.objects.exists()


def test_nothing_is_wrapped_where_the_project_leaves_it_out(configure, monkeypatch):
    monkeypatch.setattr(integrations, "_installed", set())
    configure(INTEGRATIONS=())
    before = admin.ModelAdmin.construct_change_message
    integrations.install(at_start=True)
    assert admin.ModelAdmin.construct_change_message is before


def test_a_failure_of_ours_changes_nothing(boss, activities, order, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(admin_notes, "describe_forms", broken)
    monkeypatch.setattr(admin_notes, "parse_key", broken)
    monkeypatch.setattr(integration, "entry_target", broken)
    assert boss.post(f"{ORDERS}{order.pk}/change/", {"number": "70"}).status_code == 302
    assert select(boss, "approve", order).status_code == 302
    order.refresh_from_db()
    assert order.number == "approved"
    assert len(activities) == 2


# --- where it is shown ---------------------------------------------------------------------------


def test_a_deleted_object_keeps_its_name_and_its_page(admin_client, order, settings):
    settings.ROOT_URLCONF = "tests.urls"
    key = order.pk
    urls = f"/trackmate/object/shop.order/{key}/"
    entry_for(order, get_user_model().objects.get(), action_flag=DELETION).save()
    order.delete()
    page = text_of(admin_client.get(urls))
    assert "Order 7" in page
    assert "shop.order.delete" in page
    assert ActivityLog.objects.get(action="shop.order.delete").object_repr == "Order 7"


def test_the_history_in_the_change_form_shows_it(admin_client, order):
    admin_client.post(f"{ORDERS}{order.pk}/change/", {"number": "70"})
    page = text_of(admin_client.get(f"{ORDERS}{order.pk}/change/"))
    assert "shop.order.update" in page
    assert json.dumps(ActivityLog.objects.get(action="shop.order.update").changes) == (
        '{"number": ["7", "70"]}'
    )
