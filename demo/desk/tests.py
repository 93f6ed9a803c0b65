"""The demo's own tests: `python manage.py test`."""

import json
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from io import StringIO

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.test import LiveServerTestCase, TestCase, TransactionTestCase
from django.urls import reverse
from rest_framework.authtoken.models import Token
from trackmate.history import as_of
from trackmate.models import ActivityLog

from config.csp import POLICY
from desk.history.cast import PASSWORD
from desk.management.commands.demo import free_port
from desk.models import Customer, Invoice, Order, Product

UNTIL = "2025-03-20T17:45"
# The log may have a database of its own.
EVERY = "__all__"


def command(name, *arguments):
    """Run a management command and return what it prints."""
    out = StringIO()
    call_command(name, *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def seed(*arguments):
    """Make history that ends at a fixed moment."""
    return command("seed", "--until", UNTIL, *arguments)


@contextmanager
def undone():
    """Roll back what the block does, in every database."""
    with ExitStack() as stack:
        for alias in connections:
            stack.enter_context(transaction.atomic(using=alias))
        yield
        for alias in connections:
            transaction.set_rollback(True, using=alias)


def recorded_so_far():
    return set(ActivityLog.objects.values_list("pk", flat=True))


class DeskTestCase(TestCase):
    databases = EVERY

    @classmethod
    def setUpTestData(cls):
        seed("--activities", "400", "--days", "6")
        cls.old = recorded_so_far()
        cls.order = Order.objects.filter(state="open").first()
        cls.invoice = Invoice.objects.filter(approved_at=None).first()

    def log_in(self, login):
        self.client.force_login(User.objects.get(username=login))
        self.old = recorded_so_far()

    def recorded(self):
        """Return what has been recorded since the login or the history, oldest first; the changes
        of objects apart."""
        return [row for row in self.new_rows() if row.source != "model"]

    def changes(self):
        """Return what has changed objects since."""
        return [row for row in self.new_rows() if row.source == "model"]

    def new_rows(self):
        return [row for row in ActivityLog.objects.order_by("pk") if row.pk not in self.old]


class PageTests(DeskTestCase):
    def test_pages_answer_with_their_heading(self):
        self.log_in("sam")
        pages = {
            "/": "Today",
            "/catalogue/": "Catalogue",
            "/orders/": "Orders",
            "/orders/?state=invoiced": "Orders",
            "/orders/new/": "New order",
            self.order.get_absolute_url(): str(self.order),
            f"/orders/{self.order.pk}/edit/": f"Edit {self.order}",
            "/customers/?q=e": "Customers",
            self.order.customer.get_absolute_url(): str(self.order.customer),
            f"/customers/{self.order.customer_id}/edit/": f"Edit {self.order.customer}",
            "/invoices/": "Invoices",
            self.invoice.get_absolute_url(): str(self.invoice),
            "/reports/": "Sales by product",
            "/accounts/password/": "Change password",
        }
        for path, heading in pages.items():
            with self.subTest(path=path):
                response = self.client.get(path)
                self.assertContains(response, f"<h1>{heading}")
                self.assertEqual(response["Content-Security-Policy"], POLICY)

    def test_nothing_but_the_catalogue_is_for_strangers(self):
        self.assertEqual(self.client.get("/catalogue/").status_code, 200)
        for path in ("/", "/orders/", "/customers/", "/invoices/", "/reports/sales.csv"):
            with self.subTest(path=path):
                self.assertRedirects(self.client.get(path), f"/accounts/login/?next={path}")

    def test_unknown_address_is_a_page_and_a_failed_activity(self):
        self.assertContains(self.client.get("/nothing/"), "Not found", status_code=404)
        self.assertEqual([row.status for row in self.recorded()], ["Failed"])

    def test_health_check_leaves_no_activity(self):
        self.assertEqual(self.client.get("/healthz").content, b"ok\n")
        self.assertEqual(self.recorded(), [])

    def test_sales_are_exported_as_csv(self):
        self.log_in("ines")
        response = self.client.get("/reports/sales.csv")
        self.assertTrue(response.getvalue().startswith(b"SKU,Product,Sold,Revenue\r\n"))
        self.assertIn("report.exported", [row.action for row in self.recorded()])

    def test_forecast_of_an_unsold_product_fails_and_says_why(self):
        self.log_in("ines")
        self.client.raise_request_exception = False
        self.assertContains(self.client.get("/reports/forecast/GLOBE/"), "broke", status_code=500)
        self.assertIn("ZeroDivisionError", json.dumps(self.recorded()[0].extra))


class OrderTests(DeskTestCase):
    def place(self, **fields):
        form = {
            "customer": Customer.objects.first().pk,
            "lines-TOTAL_FORMS": 1,
            "lines-INITIAL_FORMS": 0,
            "lines-0-product": "PEN-BL",
            "lines-0-quantity": 10,
            **fields,
        }
        return self.client.post("/orders/new/", form)

    def test_placed_order_becomes_activities_of_one_request(self):
        self.log_in("alice")
        response = self.place(note="Ring twice.")
        order = Order.objects.latest("pk")
        self.assertRedirects(response, order.get_absolute_url(), fetch_redirect_response=False)
        rows = self.recorded()
        self.assertEqual({row.action for row in rows}, {"orders/new/", "order.placed"})
        self.assertEqual({row.actor_label for row in rows}, {"alice"})
        self.assertEqual(len({row.request_id for row in rows}), 1)
        placed = next(row for row in rows if row.action == "order.placed")
        self.assertEqual(placed.content_object, order)

    def test_order_without_lines_is_refused_beside_the_field(self):
        self.log_in("alice")
        response = self.place(**{"lines-0-product": "", "lines-0-quantity": ""})
        self.assertContains(response, "errorlist")

    def test_edited_order_keeps_the_price_of_the_day_it_was_placed(self):
        self.log_in("alice")
        self.place()
        order = Order.objects.latest("pk")
        Product.objects.filter(pk="PEN-BL").update(price=99)
        line = order.lines.get()
        form = {"lines-TOTAL_FORMS": 1, "lines-INITIAL_FORMS": 1, "lines-0-id": line.pk}
        form |= {"lines-0-product": "PEN-BL", "lines-0-quantity": 7, "customer": order.customer_id}
        self.client.post(reverse("desk:order-edit", args=[order.pk]), form)
        line.refresh_from_db()
        self.assertEqual((line.quantity, str(line.unit_price)), (7, "0.85"))
        self.assertEqual(self.recorded()[-1].content_object, order)

    def test_order_is_shipped_once(self):
        self.log_in("alice")
        for _ in range(2):
            self.client.post(f"/orders/{self.order.pk}/ship/")
        self.order.refresh_from_db()
        self.assertEqual(self.order.state, "shipped")
        self.assertEqual([row.action for row in self.recorded()], ["order.shipped"] * 2)
        (change,) = self.changes()
        self.assertEqual([side["value"] for side in change.changes["state"]], ["open", "shipped"])
        self.assertEqual(
            as_of(self.order, self.order.placed_at + timedelta(days=1))["state"], "open"
        )

    def test_what_an_order_loses_can_be_put_back(self):
        self.log_in("admin")
        Order.objects.filter(pk=self.order.pk).update(note="lost")
        (change,) = self.changes()
        url = reverse("trackmate:undo", args=[change.pk])
        self.client.post(url, {"reason": "a slip"})
        self.order.refresh_from_db()
        self.assertNotEqual(self.order.note, "lost")
        self.assertEqual(self.changes()[-1].reason, "a slip")

    def test_changed_customer_is_recorded_with_the_difference(self):
        self.log_in("alice")
        customer = self.order.customer
        self.client.post(
            f"/customers/{customer.pk}/edit/",
            {
                "name": customer.name,
                "email": customer.email,
                "city": "Oslo",
                "internal_note": customer.internal_note,
            },
        )
        changed = next(row for row in self.recorded() if row.action == "customer.changed")
        self.assertEqual(changed.changes, {"city": [customer.city, "Oslo"]})

    def test_invoice_is_approved_by_who_may(self):
        url = f"/invoices/{self.invoice.pk}/approve/"
        for login, status in (("alice", 403), ("sam", 302)):
            with self.subTest(login=login):
                self.log_in(login)
                self.assertEqual(self.client.post(url).status_code, status)
        self.invoice.refresh_from_db()
        self.assertEqual(self.invoice.approved_by.username, "sam")
        approved = self.recorded()[-1]
        self.assertEqual(
            (approved.action, approved.content_object), ("invoice.approved", self.invoice)
        )

    def test_nightly_work_bills_what_was_shipped_as_nobody(self):
        shipped = Order.objects.filter(state="shipped").count()
        self.assertIn(f"{shipped} invoices issued.", command("nightly"))
        row = self.recorded()[-1]
        self.assertEqual(
            (row.action, row.actor_label, row.actor_id), ("sync.orders", "cron:nightly", None)
        )
        self.assertEqual(len(row.data["invoices"]), shipped)


class APITests(DeskTestCase):
    def call(self, method, path, payload=None, token=None):
        headers = {"Authorization": f"Token {token}"} if token else {}
        body = json.dumps(payload) if payload is not None else ""
        return self.client.generic(method, path, body, "application/json", headers=headers)

    def test_token_is_given_for_the_password_and_stays_out_of_the_log(self):
        response = self.call("POST", "/api/token/", {"username": "shop-sync", "password": PASSWORD})
        token = response.json()["token"]
        self.assertEqual(token, Token.objects.get(user__username="shop-sync").key)
        stored = json.dumps([[row.data, row.response] for row in self.recorded()])
        self.assertNotIn(token, stored)
        self.assertNotIn(PASSWORD, stored)

    def test_order_is_placed_and_shipped_by_token(self):
        token = Token.objects.get(user__username="warehouse").key
        order = {"customer": self.order.customer_id, "lines": [{"product": "TAPE", "quantity": 2}]}
        created = self.call("POST", "/api/v1/orders/", order, token)
        self.assertEqual((created.status_code, created.json()["total"]), (201, 15.6))
        url = f"/api/v1/orders/{created.json()['id']}/ship/"
        answers = [self.call("POST", url, token=token).status_code for _ in range(2)]
        self.assertEqual(answers, [200, 409])
        self.assertEqual({row.actor_label for row in self.recorded()}, {"warehouse"})

    def test_bad_token_is_refused(self):
        self.assertEqual(self.call("GET", "/api/v1/orders/", token="no").status_code, 401)

    def test_customer_with_orders_is_not_deleted(self):
        token = Token.objects.get(user__username="shop-sync").key
        url = f"/api/v1/customers/{self.order.customer_id}/"
        self.assertEqual(self.call("DELETE", url, token=token).status_code, 409)

    def test_quote_names_what_it_cannot_price(self):
        bad = {
            '{"lines": [{"sku": "PEN-BL", "quantity": -3}]}': "-3",
            '{"lines": [{"sku": "NO-SUCH", "quantity": 3}]}': "DoesNotExist",
            '{"lines": 5}': "TypeError",
            "nonsense": "JSONDecodeError",
        }
        for body, named in bad.items():
            with self.subTest(body=body):
                response = self.client.generic("POST", "/api/quotes/", body, "application/json")
                self.assertContains(response, named, status_code=400)

    def test_quote_is_the_sum_of_its_lines(self):
        lines = [{"sku": "PEN-BL", "quantity": 4}, {"sku": "TAPE", "quantity": 1}]
        self.assertEqual(
            self.call("POST", "/api/quotes/", {"lines": lines}).json()["total"], "11.20"
        )


class SeedTests(TestCase):
    databases = EVERY

    def test_history_has_the_asked_length_and_all_kinds_in_it(self):
        said = seed("--activities", "2000")
        self.assertIn(PASSWORD, said)
        rows = ActivityLog.objects
        self.assertEqual(rows.count(), 2_000)
        kinds = {
            "action_type": {
                "Create",
                "Read",
                "Update",
                "Delete",
                "Login",
                "Logout",
                "Login Failed",
                "Action",
            },
            "source": {"request", "auth", "custom"},
            "status_code": {200, 201, 204, 302, 400, 401, 403, 404, 405, 500},
            "method": {"GET", "HEAD", "OPTIONS", "PATCH", "POST", "DELETE"},
            "action": {"invoice.approved", "report.exported", "sync.orders", "deploy.finished"},
            "actor_label": {"cron:nightly", "alice", "shop-sync", ""},
        }
        for column, expected in kinds.items():
            with self.subTest(column=column):
                self.assertLessEqual(expected, set(rows.values_list(column, flat=True)))

    def test_history_spans_the_asked_days(self):
        seed("--activities", "300", "--days", "7")
        newest, oldest = ActivityLog.objects.first(), ActivityLog.objects.last()
        self.assertEqual((newest.action_time - oldest.action_time).days, 6)

    def test_passwords_of_the_history_are_not_in_it(self):
        seed("--activities", "300", "--days", "2")
        forms = ActivityLog.objects.filter(
            route="accounts/login/", method="POST", data__isnull=False
        )
        self.assertTrue(forms)
        self.assertNotIn("letmein", json.dumps(list(forms.values_list("data", flat=True))))

    def test_same_seed_makes_the_same_history(self):
        def history(number):
            with undone():
                seed("--activities", "500", "--seed", number)
                columns = ("action_time", "action", "actor_label", "route", "status_code")
                rows = list(ActivityLog.objects.values_list(*columns, "execution_time"))
            return sorted(map(str, rows))

        first = history("7")
        self.assertEqual(first, history("7"))
        self.assertNotEqual(first, history("8"))

    def test_history_is_made_once_unless_more_is_asked_for(self):
        seed("--activities", "50")
        with self.assertRaisesMessage(CommandError, "has 50 activities already"):
            seed("--activities", "50")
        seed("--activities", "70", "--more")
        self.assertEqual(ActivityLog.objects.count(), 120)

    def test_every_length_is_met_exactly(self):
        for number in (1, 7, 61):
            with self.subTest(number=number), undone():
                seed("--activities", str(number))
                self.assertEqual(ActivityLog.objects.count(), number)

    def test_bad_input_is_refused_and_named(self):
        bad = {
            "--activities": ("-5", "0", "999999999"),
            "--days": ("0", "-1", "99999"),
            "--until": ("yesterday", "0001-01-01", "9999-12-31T23:59"),
        }
        for name, values in bad.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    with self.assertRaises(CommandError) as refusal:
                        call_command("seed", f"{name}={value}")
                    self.assertIn(name, str(refusal.exception))
                    self.assertIn(value, str(refusal.exception))
        self.assertFalse(ActivityLog.objects.exists())


class CommandTests(TestCase):
    databases = EVERY

    def test_traffic_goes_nowhere_else(self):
        for url in (
            "http://example.com/",
            "http://10.0.0.1:8000/",
            "https://127.0.0.1/",
            "http://127.0.0.1.example.com/",
            "http://127.0.0.1:99999/",
            "ftp://localhost/",
            "nonsense",
        ):
            with self.subTest(url=url), self.assertRaisesMessage(CommandError, repr(url)):
                command("traffic", "--url", url, "--seconds", "1")

    def test_traffic_refuses_what_is_no_rate_or_time(self):
        for name, value in (
            ("--rate", "0"),
            ("--rate", "-2"),
            ("--rate", "nan"),
            ("--seconds", "-1"),
            ("--requests", "0"),
        ):
            with (
                self.subTest(name=name, value=value),
                self.assertRaisesMessage(CommandError, f"{name} {value}"),
            ):
                command("traffic", f"{name}={value}")

    def test_traffic_ends_when_nobody_answers(self):
        port = free_port(8_700)
        with self.assertRaisesMessage(CommandError, "Nothing answers"):
            command("traffic", "--url", f"http://127.0.0.1:{port}/", "--rate", "500")

    def test_project_is_in_order(self):
        command("check", "--fail-level", "WARNING")
        command("makemigrations", "--check", "--dry-run")

    def test_demo_refuses_what_is_no_port(self):
        for port in ("0", "-1", "70000"):
            with self.subTest(port=port), self.assertRaisesMessage(CommandError, f"--port {port}"):
                command("demo", f"--port={port}")


class AsyncTests(TransactionTestCase):
    databases = EVERY

    async def test_stock_is_answered_asynchronously_and_recorded(self):
        await sync_to_async(seed)("--activities", "50", "--days", "1")
        self.assertEqual((await self.async_client.get("/stock/")).status_code, 401)
        await self.async_client.aforce_login(await User.objects.aget(username="alice"))
        response = await self.async_client.get("/stock/?below=20")
        self.assertEqual(response.json()["low"][0], {"sku": "GLOBE", "stock": 6})
        rows = ActivityLog.objects.filter(route="stock/").order_by("pk")
        self.assertEqual([row.actor_label async for row in rows], ["", "alice"])


class TrafficTests(LiveServerTestCase):
    databases = EVERY

    def test_traffic_is_recorded_as_what_its_personas_do(self):
        seed("--activities", "300", "--days", "6")
        old = recorded_so_far()
        options = ("--rate", "1000", "--requests", "60", "--seed", "5")
        said = command("traffic", "--url", self.live_server_url, *options)
        self.assertEqual(said, "60 requests sent.\n")
        rows = ActivityLog.objects.exclude(pk__in=old)
        # Some answers lead to another page, and logins are activities of their own.
        self.assertGreater(rows.count(), 60)
        self.assertLessEqual(
            {"alice", "shop-sync", ""}, set(rows.values_list("actor_label", flat=True))
        )
        self.assertLessEqual(
            {"Login", "Create", "Read"}, set(rows.values_list("action_type", flat=True))
        )
