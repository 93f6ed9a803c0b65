"""The timeline of an object in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.library.models import Book
from tests.recorded import change

pytest_plugins = ["tests.browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick"),
]

BOOK = (Book, 7)
PAGE = "/trackmate/object/library.book/7/"


def changes(number):
    return [change(BOOK, "update", {"copies": [each, each + 1]}, at=each) for each in range(number)]


def test_the_state_is_shown_in_place_and_the_address_is_a_link_to_it(page, visit):
    first, last = changes(2)
    visit(page, f"{PAGE}?action_type=Update")
    entry = page.locator(f"#tm-change-{first.pk}")
    link = entry.get_by_role("link", name="State at this time")
    link.focus()
    page.keyboard.press("Enter")
    expect(entry).to_contain_text("changed since")
    expect(entry.locator("ins").last).to_contain_text("2")
    # The focus stays, and so does the filter of the list below.
    shown = entry.get_by_role("link", name="Hide the state")
    expect(shown).to_be_focused()
    expect(page).to_have_url(re.compile(rf"\?action_type=Update&at={first.pk}$"))
    expect(page.locator("#tm-rows tbody tr")).to_have_count(2)
    page.reload()
    expect(entry).to_contain_text("changed since")
    shown.click()
    expect(page.get_by_text("changed since")).to_have_count(0)
    page.go_back()
    expect(entry).to_contain_text("changed since")
    expect(page.locator(f"#tm-change-{last.pk}")).to_be_visible()


def test_older_changes_take_the_place_of_newer_ones(page, visit):
    rows = changes(12)
    visit(page, PAGE)
    page.get_by_role("link", name="Older changes").click()
    expect(page.locator("#tm-timeline li")).to_have_count(2)
    expect(page.locator(f"#tm-change-{rows[0].pk}")).to_be_visible()
    page.get_by_role("link", name="Newest changes").click()
    expect(page.locator("#tm-timeline li")).to_have_count(10)


@pytest.mark.parametrize("width", [320, 1280])
def test_without_javascript_it_is_all_there_and_fits(open_page, visit, width):
    text = "an_unbroken_word" * 30
    row = change(BOOK, "update", {text: [text, f"{text}!"], "title": ["a red one", "a blue one"]})
    options = {"viewport": {"width": width, "height": 700}, "java_script_enabled": False}
    page = visit(open_page(**options), PAGE)
    page.get_by_role("link", name="State at this time").click()
    expect(page.locator(f"#tm-change-{row.pk}")).to_contain_text("title")
    box = page.locator("#tm-timeline").bounding_box()
    assert box["x"] + box["width"] <= width
    for piece in page.locator("#tm-timeline :is(dd, dt, p)").all():
        inner = piece.bounding_box()
        assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1
