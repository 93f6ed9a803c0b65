"""The list in a real browser, by its geometry: the head, the chart, the rows; and their buttons."""

import re
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.dashboard_page import DRAWER, chips, row
from tests.factories import activities, activity

pytest_plugins = ["tests.browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick"),
]

LIST = "/trackmate/activity/"
WIDE = {"viewport": {"width": 1440, "height": 900}}
MODES = {
    "light": WIDE,
    "dark": {**WIDE, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
}
HOUR = 3600


@pytest.fixture
def stored():
    """Store the activities of two days; those that failed are anonymous, and long everywhere."""
    fields = {"method": "POST", "status_code": 200, "execution_time": 0.2}
    activity(
        **fields,
        status="Failed",
        action_type="Login Failed",
        action="x" * 200,
        path="/" + "y" * 2000,
        object_repr="z" * 200,
        ip_address="2001:db8:ed1:4444:5555:6666:7777:8888",
        ago=60,
    )
    activities(3, step=HOUR, **fields, status="Failed")
    fields |= {"actor_label": "warehouse", "action_type": "Update", "path": "/orders/7/"}
    return activities(50, step=HOUR * 0.96, **fields, status="Success")


@pytest.fixture
def show(open_page, visit, stored):
    """Open a list in one of the modes and wait for its chart."""

    def show_list(mode="light", address=LIST, **options):
        page = visit(open_page(**MODES[mode], **options), address)
        expect(page.locator(".tm-bars")).to_be_visible()
        return page

    return show_list


def boxes(locator):
    return locator.evaluate_all("all => all.map((each) => each.getBoundingClientRect().toJSON())")


def scrolls_sideways(locator):
    return locator.evaluate("each => each.scrollWidth > each.clientWidth")


# The head and the rows


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("params", ["range=7d", "range=7d&q=type:update&actor=warehouse"])
def test_fifteen_rows_are_in_sight(show, mode, params):
    page = show(mode, f"{LIST}?{params}")
    rows = boxes(page.locator("#tm-rows tbody tr"))
    assert len([box for box in rows if box["bottom"] <= 900]) >= 15


@pytest.mark.parametrize("mode", MODES)
def test_headings_stay_while_the_list_is_scrolled(show, mode):
    page = show(mode, f"{LIST}?range=7d")
    page.locator("#tm-rows tbody tr").nth(40).scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 300
    headings = [box for box in boxes(page.locator("#tm-rows thead th")) if box["width"]]
    assert len(headings) >= 4
    assert {round(box["top"]) for box in headings} == {0}
    assert not scrolls_sideways(page.locator("#tm-rows .tm-scroll"))


def test_a_wide_window_is_used(open_page, visit, stored):
    page = visit(open_page(viewport={"width": 2200, "height": 1000}), f"{LIST}?range=7d")
    for selector in ("#tm-rows .tm-table", "#tm-facets", "#tm-filters"):
        assert page.locator(selector).bounding_box()["width"] >= 2100
    assert not scrolls_sideways(page.locator("#tm-rows .tm-scroll"))


@pytest.mark.parametrize("params", ["range=24h", "range=7d&actor=warehouse&status=Success"])
def test_a_phone_shows_rows_early_and_whole(show, params):
    page = show("phone", f"{LIST}?{params}")
    rows = page.locator("#tm-rows tbody tr")
    assert rows.first.bounding_box()["y"] <= 500
    for name in ("time", "actor", "action", "status"):
        cells = boxes(rows.locator(f".tm-{name}"))
        assert len(cells) == rows.count()
        assert all(box["width"] > 30 and box["left"] >= 0 and box["right"] <= 390 for box in cells)
    assert not scrolls_sideways(page.locator("html"))
    assert not scrolls_sideways(page.locator("#tm-rows .tm-scroll"))


@pytest.mark.parametrize("menu", ["Filters", "Display", "Save this view"])
def test_a_menu_fits_a_phone_and_closes_by_a_click_beside_it_or_by_escape(show, menu):
    page = show("phone")
    opener = page.locator("summary", has_text=menu)
    content = opener.locator("xpath=following-sibling::*")
    for close in (
        lambda: page.keyboard.press("Escape"),
        lambda: page.mouse.click(380, 60),
    ):
        opener.click()
        expect(content.locator("input:visible").first).to_be_visible()
        (box,) = boxes(content)
        assert box["left"] >= 0
        assert box["right"] <= 390
        close()
        expect(content).to_be_hidden()


def test_opened_filters_do_not_cover_the_line_and_the_dates(show):
    page = show("light", f"{LIST}?range=custom&start=2026-01-01T00:00:00")
    page.locator("#tm-filters summary").click()
    fields = page.locator("#tm-fields")
    expect(fields.get_by_label("Actor", exact=True)).to_be_visible()
    for label in ("From", "To", "Search"):
        (box,) = boxes(page.locator("#tm-filters").get_by_label(label, exact=True))
        assert box["bottom"] <= fields.bounding_box()["y"]


# The chart

FRAME = ".tm-section:has(> .tm-chart)"
ROUND_TIMES = {
    "15m": r"\d\d:\d[02468]",
    "1h": r"\d\d:\d0",
    "24h": r"\d\d:00|\d+ [A-Z]\w\w",
    "7d": r"\d+ [A-Z]\w\w",
    "30d": r"\d+ [A-Z]\w\w",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("address", [LIST, "/trackmate/"])
def test_the_chart_has_a_time_axis_and_a_scale(show, mode, address):
    page = show(mode, address)
    for name, pattern in ROUND_TIMES.items():
        page.goto(f"{page.url.partition('?')[0]}?range={name}")
        expect(page.locator(".tm-bars")).to_be_visible()
        labels = page.locator(".tm-axis text:visible")
        *texts, now = labels.all_text_contents()
        assert now == "now"
        assert len(texts) >= 3
        assert [text for text in texts if not re.fullmatch(pattern, text)] == []
        (plot,), (frame,) = boxes(page.locator(".tm-plot")), boxes(page.locator(FRAME))
        places = boxes(labels)
        assert abs(places[-1]["right"] - plot["right"]) < 2
        assert places[0]["left"] > frame["left"]
        for left, right in pairwise(places):
            assert left["right"] < right["left"]


def test_the_scale_shows_its_maximum(show):
    page = show("light", f"{LIST}?range=1h")
    expect(page.locator(".tm-scale")).to_be_visible()
    counts = page.locator(".tm-bars a").evaluate_all("all => all.map((a) => a.dataset.count)")
    assert int(page.locator(".tm-scale").inner_text()) == max(map(int, counts))
    (plot,), (scale,) = boxes(page.locator(".tm-bars")), boxes(page.locator(".tm-scale"))
    assert abs(scale["top"] - plot["top"]) < 8


@pytest.mark.parametrize("mode", MODES)
def test_a_bar_tells_its_range_and_counts(show, mode):
    page = show(mode)
    readout = page.locator("output.tm-readout")
    summary = readout.inner_text()
    assert re.fullmatch(r"\d+ activities, \d failed", summary)
    bars = page.locator(".tm-bars a")
    text = bars.nth(30).get_attribute("aria-label")
    for show_bar, leave in (
        (bars.nth(30).hover, lambda: page.mouse.move(2, 2)),
        (bars.nth(30).focus, bars.nth(30).blur),
    ):
        show_bar()
        expect(readout).to_be_visible()
        expect(readout).to_have_text(text)
        leave()
        expect(readout).to_have_text(summary)
    assert re.search(r"\d\d:\d\d.* to .*: \d+ activities, \d failed", text)
    expect(page.locator(".tm-chart title, .tm-chart [title]")).to_have_count(0)


CONTRAST = """edge => {
  const luminance = (color) => {
    const parts = color.match(/[\\d.]+/g).slice(0, 3).map((each) => each / 255);
    const [r, g, b] = parts.map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const surface = getComputedStyle(edge.closest(".tm-section")).backgroundColor;
  const [low, high] = [getComputedStyle(edge).stroke, surface].map(luminance).sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}"""


@pytest.mark.parametrize("mode", MODES)
def test_the_previous_period_is_visible(show, mode):
    page = show(mode)
    expect(page.locator(".tm-bar-edge").first).to_be_attached()
    assert page.locator(".tm-bar-edge").first.evaluate(CONTRAST) >= 3


# A row


@pytest.mark.parametrize("mode", MODES)
def test_a_click_anywhere_on_a_row_opens_it(show, stored, mode):
    page = show(mode)
    address, drawer = page.url, page.locator(DRAWER)
    opened_address = f"{address}?open={stored[1].pk}"
    close, entries = drawer.get_by_role("button", name="Close"), page.evaluate("history.length")
    for leave in (page.go_back, lambda: page.keyboard.press("Escape"), close.click):
        row(page, stored[1]).locator(".tm-status").click()
        expect(drawer).to_be_visible()
        expect(drawer).to_contain_text(str(stored[1].pk))
        expect(page).to_have_url(opened_address)
        leave()
        expect(drawer).to_be_hidden()
        expect(page).to_have_url(address)
    assert page.evaluate("history.length") == entries + 1
    page.goto(opened_address)
    expect(drawer).to_contain_text(str(stored[1].pk))
    expect(row(page, stored[1])).to_have_attribute("data-tm-open", "")
    page.keyboard.press("Escape")
    expect(page).to_have_url(address)
    expect(drawer).to_be_hidden()


def test_what_is_not_on_the_page_is_opened_by_its_address(show, stored):
    page = show(address=f"{LIST}?range=1h&open={stored[-1].pk}")
    expect(page.locator(DRAWER)).to_contain_text(str(stored[-1].pk))
    expect(row(page, stored[-1])).to_have_count(0)


def test_an_address_that_is_not_of_an_activity_loads_nothing(show):
    page = show()
    addresses = []
    page.on("request", lambda request: addresses.append(request.url))
    page.goto(f"{page.url.partition('?')[0]}?open=../views")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert not [each for each in addresses if "/views/" in each]


def test_the_next_activity_takes_the_place_of_the_open_one(show, stored):
    page = show()
    address = page.url
    row(page, stored[1]).locator(".tm-open").click()
    expect(page.locator(DRAWER)).to_contain_text(str(stored[1].pk))
    page.keyboard.press("j")
    expect(page).not_to_have_url(re.compile(f"{stored[1].pk}$"))
    expect(page.locator(DRAWER)).to_contain_text(page.url.partition("open=")[2])
    page.go_back()
    expect(page.locator(DRAWER)).to_be_hidden()
    expect(page).to_have_url(address)


def test_a_click_on_a_link_of_a_row_follows_it(show, stored):
    page = show()
    row(page, stored[1]).get_by_role("link", name="warehouse").click()
    expect(chips(page)).to_have_text("Actor: warehouse")
    expect(page.locator(DRAWER)).to_be_hidden()


def test_text_of_a_row_can_be_selected(show, stored):
    page = show()
    box = row(page, stored[1]).locator(".tm-path .tm-cut").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, middle, steps=4)
    page.mouse.up()
    assert page.evaluate("getSelection().toString()")
    assert page.url.endswith(LIST)
    expect(page.locator(DRAWER)).to_be_hidden()


# Buttons above the list


def test_the_theme_is_switched_and_remembered(show):
    page = show("dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    button = page.get_by_role("button", name="Light or dark theme")
    button.click()
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    assert page.evaluate(ground) == light
    button.click()
    assert page.evaluate(ground) == dark
    page.reload()
    assert page.evaluate(ground) == dark


@pytest.mark.parametrize("mode", MODES)
def test_sign_out_ends_the_session(show, mode):
    page = show(mode)
    address = page.url
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("logout|login"))
    page.goto(address)
    expect(page).to_have_url(re.compile("/login/"))


def test_the_link_of_a_list_is_copied(show):
    page = show(address=f"{LIST}?q=type:update", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#tm-status")).to_have_text("Link copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_fixed_dates_keep_what_is_shown(show):
    page = show(address=f"{LIST}?range=1h&actor=warehouse")
    rows = page.locator("#tm-rows tbody tr")
    shown = rows.count()
    page.get_by_role("link", name="Use fixed dates").click()
    expect(page).to_have_url(re.compile("range=custom&start=.*&end="))
    expect(rows).to_have_count(shown)
