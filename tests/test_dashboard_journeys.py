"""Ways through the dashboard in a real browser, in fair weather and in foul."""

import re
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

from tests.dashboard_page import DRAWER, chips, filter_field, live_state, row
from tests.factories import activities, activity
from tests.page_states import PAGES, world

pytest_plugins = ["tests.browser", "tests.hostile.fixtures"]
pytestmark = pytest.mark.browser

in_database = pytest.mark.django_db(transaction=True)
quick = pytest.mark.usefixtures("quick")


@in_database
@quick
def test_back_and_forward_lead_through_filters_pages_and_an_activity(page, visit):
    anns = activities(120, actor_label="ann")
    bob = activity(actor_label="bob")
    visit(page)
    first, last = anns[0], anns[-1]
    filter_field(page, "Actor").fill("ann")
    expect(row(page, bob)).to_have_count(0)
    for shown in (anns[60], last):
        page.get_by_role("link", name="Older").click()
        expect(row(page, shown)).to_be_visible()
    row(page, last).get_by_role("link").first.click()
    page.get_by_role("link", name="Open as a page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(last.action)

    page.go_back()
    expect(page.locator(DRAWER)).to_contain_text(str(last.pk))
    page.go_back()
    expect(page.locator(DRAWER)).to_be_hidden()
    expect(row(page, last)).to_be_in_viewport()
    page.go_back()
    expect(row(page, anns[60])).to_be_visible()
    page.go_back()
    expect(row(page, first)).to_be_visible()
    expect(chips(page)).to_have_text("Actor: ann")
    page.go_back()
    expect(row(page, bob)).to_be_visible()
    expect(chips(page)).to_have_count(0)
    expect(live_state(page)).to_have_text("Live")

    page.go_forward()
    expect(row(page, bob)).to_have_count(0)
    expect(chips(page)).to_have_text("Actor: ann")
    for shown in (anns[60], last):
        page.go_forward()
        expect(row(page, shown)).to_be_visible()
    expect(live_state(page)).to_have_text("Not live on this page")
    page.go_forward()
    expect(page.locator(DRAWER)).to_contain_text(str(last.pk))
    page.go_forward()
    expect(page.get_by_role("heading", level=1)).to_have_text(last.action)


@in_database
@quick
def test_the_way_back_to_the_list_ends_at_the_row(page, visit):
    rows = activities(50, actor_label="ann")
    visit(page, "/trackmate/activity/?actor=ann")
    row(page, rows[45]).get_by_role("link").first.click()
    page.get_by_role("link", name="Open as a page").click()
    page.get_by_role("link", name="Back to the list").click()
    expect(row(page, rows[45])).to_be_in_viewport()
    expect(chips(page)).to_have_text("Actor: ann")


@in_database
@quick
def test_two_tabs_are_two_listeners(page, visit):
    activity()
    visit(page)
    other = visit(page.context.new_page())
    page.get_by_role("button", name="Pause").click()
    expect(live_state(page)).to_have_text("Paused")
    expect(live_state(other)).to_have_text("Live")
    activity(action="while.one.is.paused")
    expect(other.locator("#tm-show")).to_contain_text("1 new")
    expect(page.locator("#tm-new")).to_be_empty()
    page.get_by_role("button", name="Resume").click()
    for tab in (page, other):
        expect(tab.locator("#tm-show")).to_contain_text("1 new")
        tab.locator("#tm-show").click()
        expect(tab.get_by_text("while.one.is.paused")).to_be_visible()


@pytest.mark.server
def test_a_server_that_goes_away_and_comes_back(serve, file_desk, page, complaints):
    file_desk.manage("seed", "--activities=100", "--days=1")
    server = serve("config.wsgi:application", env=file_desk.environment)
    page.goto(f"{server.url}/accounts/login/?next=/trackmate/activity/")
    page.get_by_label("Username").fill("auditor")
    page.get_by_label("Password").fill("order-desk-demo")
    page.get_by_role("button", name="Log in").click()
    expect(live_state(page)).to_have_text("Live")
    expect(page.locator("#tm-facets figure")).to_be_visible()

    server.kill()
    page.locator("#tm-live").dispatch_event("tm:tick")
    expect(live_state(page)).to_have_text("Reconnecting")
    expect(page.locator("#tm-rows tbody tr").first).to_be_visible()
    file_desk.manage("nightly")
    serve("config.wsgi:application", env=file_desk.environment, port=urlsplit(server.url).port)
    page.locator("#tm-live").dispatch_event("tm:tick")
    expect(live_state(page)).to_have_text("Live")
    expect(page.locator("#tm-show")).to_contain_text("new")
    page.locator("#tm-show").click()
    expect(page.locator("#tm-rows").get_by_text("sync.orders")).to_have_count(1)
    expect(page.locator("#tm-new")).to_be_empty()
    expect(page.locator("#tm-toast")).to_be_empty()
    # The browser itself, which may still have been fetching the icon, and htmx note each
    # question that nobody answered.
    unanswered = ("/tick/", "tm-live", "/icon.svg")
    assert all(any(part in each for part in unanswered) for each in complaints)
    complaints.clear()


WITHOUT_SCRIPT = """() => [...document.querySelectorAll("[hx-get]")].filter((each) => {
  const way = each.getAttribute("href") ?? each.getAttribute("action");
  // What is fetched when it is opened takes its parameters from the page; its link has them.
  const opens = each.matches("[hx-trigger='tm:open']");
  const links = [...each.querySelectorAll("a[href]")].map((link) => link.getAttribute("href"));
  // The timeline has an address of its own; its links lead to the page that it is a part of.
  const shown = (url) => ["at", "changes_before"].map(
    (name) => new URLSearchParams((url ?? "").split("?")[1]).get(name)).join();
  const isTimeline = way && each.closest("#tm-timeline")
    && shown(way) === shown(each.getAttribute("hx-get"));
  const holds = isTimeline
    || (opens ? links.length : links.includes(each.getAttribute("hx-get")));
  return !each.closest("[hidden]") && way !== each.getAttribute("hx-get") && !holds;
}).map((each) => each.outerHTML)"""


WORKING = re.compile("Apply|Put back|Search|Sign out")
"""What the buttons say that do not need JavaScript."""


@in_database
@pytest.mark.urls("tests.page_states")
def test_each_page_can_do_without_javascript(
    open_page, settings, live_server, static_root, log_in, complaints
):
    page = open_page(java_script_enabled=False)
    settings.STATIC_ROOT = static_root
    known = world()
    for sight in PAGES.values():
        settings.TRACKMATE = sight.settings
        log_in(page, get_user_model().objects.get(username=sight.who))
        page.goto(live_server.url + sight.address.format(**known))
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        if not sight.part:
            assert page.evaluate(WITHOUT_SCRIPT) == []
            expect(page.get_by_role("button").filter(has_not_text=WORKING)).to_have_count(0)
    complaints.clear()
