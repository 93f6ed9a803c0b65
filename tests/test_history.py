"""An object's history on a project's own pages and in the admin."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, connection
from django.template import Context, Template
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import path

from tests.factories import SCRIPT, activities, activity, person
from tests.shop.models import Order
from tests.urls_under_test import log_queries
from trackmate.admin import HistoryMixin

pytestmark = [
    pytest.mark.database,
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]

PAGE = Template("{% load trackmate %}{% trackmate_history order %}")


@pytest.fixture
def order():
    return Order.objects.create(number="A-1")


def done_to(order, **fields):
    kind = ContentType.objects.get_for_model(order)
    return activity(content_type_id=kind.pk, object_id=str(order.pk), **fields)


def shown(order, user=None, template=PAGE):
    request = RequestFactory().get("/")
    request.user = user or AnonymousUser()
    return template.render(Context({"order": order, "request": request}))


def test_the_newest_activities_of_an_object(order):
    done_to(order, action="order.create", actor_label="ann", ago=10)
    done_to(order, action_type="Update", status="Failed", method="POST")
    done_to(order, action="order.import")
    done_to(Order.objects.create(number="A-2"), action="another.order")
    activities(3)
    with CaptureQueriesContext(connection) as queries:
        page = shown(order)
    assert len(log_queries(queries)) == 1
    assert page.index("<bdi>Update</bdi> (Failed)") < page.index("<bdi>order.create</bdi>")
    actors = re.findall(r"<td><bdi>(.*?)</bdi></td>\s*<td>", page)
    assert actors == ["\N{EN DASH}", "anonymous", "ann"]
    assert "another.order" not in page
    assert "<a " not in page


def test_as_many_as_are_asked_for(order):
    for number in range(12):
        done_to(order, action=f"n{number}")
    assert shown(order).count("<tr>") == 11
    few = Template("{% load trackmate %}{% trackmate_history order limit=2 %}")
    assert shown(order, template=few).count("<tr>") == 3


def test_who_has_read_it_is_not_its_history(order):
    done_to(order, action="order.create", action_type="Create")
    for number in range(40):
        done_to(order, action=f"read{number}", action_type="Read")
    page = shown(order)
    assert ("order.create" in page, "read" in page) == (True, False)


def test_staff_get_a_link_and_readers_of_the_payload_the_changes(order):
    done_to(order, action="order.update", changes={"state": ["open", "shipped"]})
    page = shown(order, person("staff", is_staff=True))
    assert f'href="/trackmate/object/shop.order/{order.pk}/"' in page
    assert "state" not in page
    page = shown(order, person("reader", "view_payload"))
    assert "<li><bdi>state</bdi>: <bdi><del>open</del></bdi>" in page
    assert "<ins>shipped</ins>" in page


def test_a_request_and_its_changes_are_one_entry(order):
    reader, of_request = person("reader", "view_payload"), {"request_id": "r1"}
    done_to(order, source="request", action="orders/edit/", changes={"state": ["a", "b"]}, ago=9)
    done_to(order, source="request", action="orders/ship/", **of_request, ago=3)
    for number, name in enumerate(["state", "note"]):
        changes = {name: ["from one value", "to one value"]}
        done_to(order, source="model", changes=changes, **of_request, ago=2 - number)
    done_to(order, source="custom", action="order.packed", **of_request)
    page = shown(order, reader)
    assert page.count("<tr>") == 1 + 3
    assert page.index("order.packed") < page.index("orders/ship/") < page.index("orders/edit/")
    assert page.index("<bdi>state</bdi>") < page.index("<bdi>note</bdi>")
    assert "<del>from</del> one value" in page
    # Those who may not see the payload see neither values nor names.
    assert "state" not in shown(order)


@pytest.mark.parametrize("changes", ["text", ["a"], {"state": "b"}, {"state": ["a"]}])
def test_changes_of_another_form(order, changes):
    done_to(order, action="order.update", changes=changes)
    assert ("state" in shown(order, person("reader", "view_payload"))) is isinstance(changes, dict)


def only_failures(request, rows):
    return rows.filter(status="Failed")


def test_a_project_limits_the_rows(order, settings):
    settings.TRACKMATE = {
        "ENABLED": False,
        "DASHBOARD_QUERYSET": "tests.test_history.only_failures",
    }
    done_to(order, action="good")
    done_to(order, action="bad", status="Failed")
    assert ("good" in shown(order), "bad" in shown(order)) == (False, True)
    # Without a request nobody can ask the project, and nothing is shown.
    assert "Nothing recorded yet" in PAGE.render(Context({"order": order}))


def test_a_page_without_a_request(order):
    done_to(order, action="good")
    assert "good" in PAGE.render(Context({"order": order}))


def test_a_log_that_cannot_be_read_does_not_take_the_page_with_it(order, monkeypatch):
    def broken(*_args):
        raise OperationalError

    monkeypatch.setattr("trackmate.selectors.newest", broken)
    assert "The history cannot be read" in shown(order)


def test_nothing_in_it_is_markup(order):
    done_to(order, action=SCRIPT, actor_label=SCRIPT, changes={SCRIPT: [1, 2]})
    assert "<script>" not in shown(order, person("reader", "view_payload"))


class OrderAdmin(HistoryMixin, admin.ModelAdmin):
    pass


class Site(admin.AdminSite):
    pass


site = Site(name="admin")
site.register(Order, OrderAdmin)
urlpatterns = [path("admin/", site.urls)]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(("permissions", "seen"), [(["view_activitylog"], True), ([], False)])
def test_the_change_form_of_an_object_shows_its_history(client, order, permissions, seen):
    done_to(order, action="order.approved")
    who = person("ann", *permissions, is_staff=True)
    kind = ContentType.objects.get_for_model(Order)
    who.user_permissions.add(*Permission.objects.filter(content_type=kind))
    client.force_login(get_user_model().objects.get(pk=who.pk))
    page = client.get(f"/admin/shop/order/{order.pk}/change/").content.decode()
    assert ("order.approved" in page) is seen
    assert "order.approved" not in client.get("/admin/shop/order/add/").content.decode()


def asks_for_the_mail(request, rows):
    return rows.filter(actor_label=request.user.email)


def test_a_rule_of_the_project_that_fails_does_not_take_the_page_with_it(order, settings):
    rule = "tests.test_history.asks_for_the_mail"
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_QUERYSET": rule}
    assert "The history cannot be read" in shown(order)


@pytest.mark.parametrize("limit", ["'5'", "-1", "nothing"])
def test_a_limit_that_is_none(order, limit):
    template = Template(f"{{% load trackmate %}}{{% trackmate_history order limit={limit} %}}")
    assert "The history cannot be read" in shown(order, template=template)


def test_an_object_that_is_missing():
    assert "The history cannot be read" in shown(None)
