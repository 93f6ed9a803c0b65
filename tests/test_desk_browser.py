"""A day at the order desk in a real browser, and the same day in the dashboard of somebody else."""

import re
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

pytest_plugins = ["tests.hostile.fixtures"]
pytestmark = [pytest.mark.server, pytest.mark.browser]

PASSWORD = "order-desk-demo"


@pytest.fixture
def url(serve, desk):
    """Serve a desk with people, customers, products and a little history."""
    desk.manage("seed", "--activities=500", "--days=2")
    options = ("--threads=4",)
    return serve("config.wsgi:application", options=options, env=desk.environment).url


def log_in(page, url, name, password=PASSWORD):
    page.goto(f"{url}/accounts/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def place_order(page, url):
    page.goto(f"{url}/orders/new/")
    page.get_by_label("Customer").select_option(index=1)
    page.get_by_label("Note").fill("by the browser")
    page.get_by_label("Product").first.select_option(index=1)
    page.get_by_label("Quantity").first.fill("3")
    page.get_by_role("button", name="Place order").click()
    expect(page.get_by_role("status")).to_contain_text("is placed")


def show_news(page):
    """Ask what is new, and show it."""
    page.locator("#tm-live").dispatch_event("tm:tick")
    page.locator("#tm-show").click()
    expect(page.locator("#tm-new")).to_be_empty()


def test_a_day_at_the_desk_is_seen_live(url, open_page):
    auditor, clerk = open_page(), open_page()
    log_in(auditor, url, "auditor")
    # The history behind it has activities of its own.
    asked = {"path": "/", "range": "custom", "start": datetime.now(UTC).isoformat()}
    auditor.goto(f"{url}/trackmate/activity/?{urlencode(asked)}")
    expect(auditor.locator("[data-tm-state]")).to_have_text("Live")
    rows = auditor.locator("#tm-rows tbody tr")
    expect(rows).to_have_count(0)

    log_in(clerk, url, "alice", "wrong")
    expect(clerk.get_by_text("Please enter a correct username and password")).to_be_visible()
    show_news(auditor)
    expect(rows.filter(has=auditor.locator("[data-type=login-failed]"))).to_have_count(1)

    log_in(clerk, url, "alice")
    place_order(clerk, url)
    clerk.goto(f"{url}/catalogue/")  # by the next answer, the one before it is stored
    show_news(auditor)
    logins = rows.filter(has_text="auth.login")
    expect(logins).to_have_count(2)
    # Whoever failed is unknown; the account is the object.
    expect(logins.filter(has=auditor.locator("[data-type=login]"))).to_contain_text("alice")
    expect(rows.filter(has_text="order.placed")).to_have_count(1)
    posted = rows.filter(has_text="POST").filter(has_text="/orders/new/")
    expect(posted.filter(has_text="302")).to_have_count(1)


def test_what_was_placed_can_be_opened(url, open_page):
    page = open_page()
    log_in(page, url, "admin")
    place_order(page, url)
    page.goto(f"{url}/trackmate/activity/?actor=admin&range=15m")
    page.locator("#tm-rows tbody tr").filter(has_text="order.placed").get_by_role(
        "link"
    ).first.click()
    drawer = page.locator("#tm-drawer")
    expect(drawer.get_by_role("heading", name="order.placed")).to_be_visible()
    expect(drawer).to_contain_text("Order ")
    expect(drawer).not_to_contain_text(PASSWORD)


def delete_in_the_admin(page, url, pk):
    page.goto(f"{url}/admin/desk/order/{pk}/delete/")
    page.get_by_role("button", name=re.compile("Yes, I.m sure")).click()
    expect(page.get_by_text("was deleted successfully")).to_be_visible()


def delete_on_the_site(page, url, pk):
    page.goto(f"{url}/orders/{pk}/")
    page.get_by_role("button", name="Cancel order").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete order").click()
    expect(page).to_have_url(f"{url}/orders/")


def delete_by_the_api(page, url, pk):
    token = next(each for each in page.context.cookies() if each["name"] == "csrftoken")
    headers = {"X-CSRFToken": token["value"]}
    assert page.request.delete(f"{url}/api/v1/orders/{pk}/", headers=headers).status == 204


@pytest.mark.parametrize("delete", [delete_in_the_admin, delete_on_the_site, delete_by_the_api])
def test_who_deleted_an_order_is_told_by_one_search(url, open_page, delete):
    page = open_page()
    log_in(page, url, "admin")
    place_order(page, url)
    pk = page.url.rstrip("/").rpartition("/")[2]
    delete(page, url, pk)
    page.goto(f"{url}/catalogue/")  # by the next answer, the one before it is stored
    query = f"type:delete source:request,admin Order {pk}"
    page.goto(f"{url}/trackmate/activity/?{urlencode({'q': query})}")
    row = page.locator("#tm-rows tbody tr")
    expect(row).to_have_count(1)
    for text in ("admin", "Delete", "desk.order.delete", f"Order {pk}"):
        expect(row).to_contain_text(text)
    page.goto(f"{url}/trackmate/object/desk.order/{pk}/")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Order {pk}")
