"""A day at the order desk in a real browser, and the same day in the dashboard of somebody else."""

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
    # The history behind it has failed logins of its own.
    asked = {"actor": "alice", "range": "custom", "start": datetime.now(UTC).isoformat()}
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
    expect(rows.filter(has_text="auth.login")).to_have_count(2)
    expect(rows.filter(has_text="order.placed")).to_have_count(1)
    posted = rows.filter(has_text="POST").filter(has_text="/orders/new/")
    expect(posted.filter(has_not_text="order.placed")).to_have_count(1)


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
