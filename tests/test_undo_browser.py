"""Putting a change back in a real browser: as a page, beside the list, without JavaScript."""

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

from tests.dashboard_page import DRAWER, row, small_targets
from tests.library.models import Book
from tests.page_states import changes_of_a_book
from trackmate.models import ActivityLog

pytest_plugins = ["tests.browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick"),
]


@pytest.fixture
def changed(settings):
    settings.TRACKMATE = {**settings.TRACKMATE, "UNDO": True}
    return ActivityLog.objects.get(pk=changes_of_a_book()["changed"])


@pytest.fixture
def go(live_server, log_in):
    def open_address(page, address):
        root = get_user_model().objects.get(username="root")
        log_in(page, root).goto(live_server.url + address)
        return page

    return open_address


def put_back(part, name):
    return part.get_by_role("link", name=f"Put back {name}", exact=True)


def confirm(part, reason="the wrong book"):
    part.get_by_label("Reason").fill(reason)
    part.get_by_role("button", name="Put back").click()


@pytest.mark.parametrize("with_script", [True, False], ids=["", "no JavaScript"])
def test_a_field_is_put_back_on_the_page(open_page, go, changed, with_script):
    page = go(open_page(java_script_enabled=with_script), f"/trackmate/activity/{changed.pk}/")
    put_back(page, "title").click()
    expect(page.locator("del").first).to_contain_text("present")
    assert Book.objects.get().title == "The present title"
    confirm(page)
    expect(page.locator("article").get_by_text("It was put back.")).to_be_visible()
    assert Book.objects.get().title == "A title of former times"


def test_a_field_is_put_back_beside_the_list(page, go, changed):
    go(page, "/trackmate/activity/")
    row(page, changed).locator(".tm-open").click()
    drawer = page.locator(DRAWER)
    put_back(drawer, "title").click()
    expect(drawer.get_by_role("heading", name="Put back a change")).to_be_visible()
    confirm(drawer, reason="   ")
    expect(drawer.locator("#tm-error-reason")).to_contain_text("required")
    confirm(drawer)
    expect(drawer.get_by_text("It was put back.")).to_be_visible()
    assert Book.objects.get().title == "A title of former times"
    drawer.get_by_role("link", name="Back to the activity").click()
    expect(drawer.get_by_role("heading", name="library.book.update")).to_be_visible()


def test_the_page_that_refuses_leads_to_what_can_be_done(page, go, changed):
    go(page, f"/trackmate/activity/{changed.pk}/undo/")
    expect(page.get_by_role("button", name="Put back")).to_have_count(0)
    page.get_by_role("link", name="Put back the other fields only").click()
    expect(page.get_by_role("button", name="Put back")).to_be_visible()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("query", ["", "?field=title"])
def test_on_a_phone_nothing_scrolls_but_tables(open_page, go, changed, color_scheme, query):
    narrow = {"viewport": {"width": 320, "height": 700}, "color_scheme": color_scheme}
    page = go(open_page(**narrow), f"/trackmate/activity/{changed.pk}/undo/{query}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert small_targets(page, "article :is(a, button, input)") == []
