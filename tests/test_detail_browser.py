"""The page of one activity in a real browser: what is copied, what opens, what fits."""

import json

import pytest
from playwright.sync_api import expect

from tests.dashboard_page import small_targets, wait_until
from tests.factories import activity, hostile_activity

pytest_plugins = ["tests.browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick"),
]

CLIPBOARD = ["clipboard-read", "clipboard-write"]


def request_row(**fields):
    fields = {"action": "shop.order.update", "data": {"word": "opensesame"}, **fields}
    return activity(source="request", method="POST", path="/orders/7/", **fields)


def page_of(stored):
    return f"/trackmate/activity/{stored.pk}/"


def copied(page):
    return page.evaluate("navigator.clipboard.readText()")


def button(page, label):
    return page.get_by_role("button", name=f"Copy {label}", exact=True)


def test_a_button_copies_the_text_beside_it(open_page, visit):
    stored = request_row()
    page = visit(open_page(permissions=CLIPBOARD), page_of(stored))
    status = page.locator("article").get_by_role("status")
    expect(status).to_be_empty()
    button(page, "JSON").click()
    expect(status).to_have_text("Copied.")
    assert json.loads(copied(page))["data"] == {"word": "opensesame"}
    button(page, "curl").click()
    wait_until(page, "navigator.clipboard.readText().then((text) => text.startsWith('curl '))")
    assert copied(page).endswith("--data-raw word=opensesame")
    button(page, "Link").click()
    wait_until(page, "navigator.clipboard.readText().then((text) => text.startsWith('http'))")
    assert copied(page) == page.url
    expect(page.locator("#tm-snippet-json")).to_be_hidden()


def test_a_text_is_copied_from_beside_the_list_too(open_page, visit):
    stored = request_row()
    page = visit(open_page(permissions=CLIPBOARD))
    page.locator(f"#tm-row-{stored.pk} .tm-open").click()
    drawer = page.locator("#tm-drawer")
    button(drawer, "Markdown").click()
    expect(drawer.get_by_role("status")).to_have_text("Copied.")
    assert copied(page).startswith("## `shop.order.update`\n")
    drawer.get_by_role("link", name="Open as a page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("shop.order.update")


def test_where_nothing_can_be_copied_the_text_is_selected(page, visit):
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    visit(page, page_of(request_row()))
    button(page, "curl").click()
    expect(page.locator("article").get_by_role("status")).to_contain_text("Selected")
    expect(page.locator("#tm-snippet-curl")).to_be_visible()
    assert page.evaluate("getSelection().toString()").startswith("curl --request POST")


def test_without_javascript_the_texts_are_there_and_the_buttons_are_not(open_page, visit):
    page = visit(open_page(java_script_enabled=False), page_of(request_row()))
    expect(page.locator("[data-tm-copy]").first).to_be_hidden()
    page.locator("summary", has_text="Django test client").click()
    expect(page.locator("#tm-snippet-client")).to_contain_text("client.post(")


def test_a_tree_opens_by_the_keyboard(page, visit):
    visit(page, page_of(activity(data={"a": {"b": {"c": {"d": "deep down"}}}})))
    expect(page.locator(".tm-tree").get_by_text('"deep down"')).to_be_hidden()
    page.locator(".tm-tree summary", has_text="c:").last.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".tm-tree").get_by_text('"deep down"')).to_be_visible()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_a_narrow_screen_scrolls_nothing_but_tables_and_texts(open_page, visit, color_scheme):
    long = "x" * 900
    stored = hostile_activity(
        source="request",
        method="POST",
        path=f"/{long}",
        request_id="r",
        data={long: long, "deep": [[[[[[[[[long]]]]]]]]], "words": "word " * 180},
        changes={long[:90]: [long, f"{long}y"], "b": [None, {"a": long}]},
    )
    hostile_activity(request_id="r")
    narrow = {"viewport": {"width": 320, "height": 700}, "color_scheme": color_scheme}
    page = visit(open_page(**narrow), page_of(stored))
    for each in page.locator("summary").all():
        each.evaluate("each => { each.parentElement.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_everything_to_press_is_large_enough(page, visit):
    visit(page, page_of(request_row(data={"a": {"b": {"c": 1}}})))
    page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
    assert small_targets(page, "article :is(a, button, summary):not(dd *)") == []
