"""Reading the list in a real browser: the drawer, the keyboard, rows that hold still, the brush."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Error, expect

from tests.dashboard_page import DRAWER, chips, filter_field, live_state, query_line, row
from tests.factories import activities, activity

pytest_plugins = ["tests.browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick"),
]


def open_row(page, stored):
    row(page, stored).locator(".tm-open").click()
    expect(page.locator(DRAWER)).to_be_visible()


# The drawer


def test_an_activity_opens_beside_the_list(page, visit):
    stored = activity(action="shop.order.update", data={"word": "opensesame"})
    visit(page)
    address = page.url
    open_row(page, stored)
    drawer = page.locator(DRAWER)
    expect(drawer.get_by_role("heading", level=2).first).to_have_text("shop.order.update")
    expect(drawer).to_contain_text("opensesame")
    expect(page).to_have_url(f"{address}?open={stored.pk}")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(page).to_have_url(address)
    expect(row(page, stored).locator(".tm-open")).to_be_focused()


def test_the_drawer_closes_by_its_button_and_beside_it(page, visit):
    stored = activity()
    visit(page)
    for close in (
        lambda: page.locator(DRAWER).get_by_role("button", name="Close").click(),
        lambda: page.mouse.click(5, 300),
    ):
        open_row(page, stored)
        close()
        expect(page.locator(DRAWER)).to_be_hidden()


def test_a_key_held_down_makes_it_a_page(page, visit):
    stored = activity(action="opened.apart")
    visit(page)
    with page.context.expect_page() as opened:
        row(page, stored).locator(".tm-open").click(modifiers=["Control"])
    expect(opened.value.get_by_role("heading", level=1)).to_have_text("opened.apart")
    expect(page.locator(DRAWER)).to_be_hidden()


@pytest.mark.parametrize("at", [5, 2500, 4999])
@pytest.mark.parametrize("viewport", [(1280, 720), (360, 640)])
def test_an_activity_is_in_sight_among_those_around_it(open_page, visit, at, viewport):
    rows = activities(5000, step=0.005)
    width, height = viewport
    page = open_page(viewport={"width": width, "height": height})
    visit(page, f"/trackmate/activity/{rows[at].pk}/")
    page.get_by_role("link", name="Show ±30 seconds").click()
    shown = row(page, rows[at])
    expect(shown).to_be_in_viewport()
    expect(shown).to_have_attribute("aria-current", "true")
    expect(page.locator("#tm-rows tr[aria-current]")).to_have_count(1)
    expect(page.locator("#tm-facets figure")).to_be_visible()
    expect(shown).to_be_in_viewport()


def test_the_way_back_to_a_list_leads_to_the_page_of_the_row(page, visit):
    rows = activities(120, actor_label="ann")
    visit(page, f"/trackmate/activity/{rows[101].pk}/?actor=ann")
    page.get_by_role("link", name="Back to the list").click()
    expect(row(page, rows[101])).to_be_in_viewport()
    expect(chips(page)).to_have_text("Actor: ann")
    page.get_by_role("link", name="Newest").click()
    expect(row(page, rows[0])).to_be_visible()
    expect(page).to_have_url(re.compile(r"/activity/\?actor=ann$"))


# The keyboard


def test_the_keyboard_goes_through_the_list(page, visit):
    rows = activities(3)
    visit(page)
    page.keyboard.press("j")
    expect(row(page, rows[0]).locator(".tm-open")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("j")  # there is nothing behind the last one
    expect(row(page, rows[2]).locator(".tm-open")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    heading = page.locator(DRAWER).get_by_role("heading", level=2).first
    expect(heading).to_have_text("n1")
    page.keyboard.press("j")
    expect(heading).to_have_text("n2")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(query_line(page)).to_be_focused()
    page.keyboard.type("jkp?")
    expect(query_line(page)).to_have_value("jkp?")


def test_the_drawer_shows_the_row_that_was_asked_for_last(page, visit):
    rows = activities(5)
    visit(page)
    held = []
    page.route("**/trackmate/activity/*-*-*-*-*/*", lambda route: held.append(route))  # noqa: PLW0108 (Playwright marks it)
    page.locator(".tm-open").first.click()
    expect(page.locator("tr[data-tm-open]")).to_have_count(1)
    for each in page.locator(".tm-open").all()[1:4]:
        each.dispatch_event("click")
    page.unroute("**/trackmate/activity/*-*-*-*-*/*")
    page.wait_for_timeout(200)
    for route in held:
        with suppress(Error):  # it was given up
            route.continue_()
    expect(page.locator("#tm-drawer-body")).to_contain_text(str(rows[3].pk))
    expect(page.locator("tr[data-tm-open]")).to_have_attribute("id", f"tm-row-{rows[3].pk}")


def test_what_comes_after_the_drawer_was_closed_does_not_open_it(page, visit):
    rows = activities(2)
    visit(page)
    open_row(page, rows[0])
    held = []
    page.route("**/trackmate/activity/*-*-*-*-*/*", lambda route: held.append(route))  # noqa: PLW0108 (Playwright marks it)
    page.keyboard.press("j")
    expect(row(page, rows[1])).to_have_attribute("data-tm-open", "")
    page.keyboard.press("Escape")
    expect(page.locator(DRAWER)).to_be_hidden()
    for route in held:
        with suppress(Error):  # it was given up
            route.continue_()
    page.wait_for_timeout(500)
    expect(page.locator(DRAWER)).to_be_hidden()
    page.unroute("**/trackmate/activity/*-*-*-*-*/*")
    open_row(page, rows[0])


def test_p_pauses_and_the_question_mark_helps(page, visit):
    activity()
    visit(page)
    page.keyboard.press("p")
    expect(live_state(page)).to_have_text("Paused")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("p")
    expect(live_state(page)).to_have_text("Paused")
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    expect(live_state(page)).to_have_text("Live")


# Rows that hold still


def follow(page):
    page.get_by_role("button", name="Auto-update").click()


def test_a_list_that_is_followed_shows_news_by_itself(page, visit):
    activity()
    visit(page)
    follow(page)
    news = activity(action="came.by.itself")
    expect(row(page, news)).to_be_visible()
    expect(page.locator("#tm-new")).to_be_empty()


def select_text(page, stored):
    page.evaluate(
        "(id) => getSelection().selectAllChildren(document.getElementById(id))",
        f"tm-row-{stored.pk}",
    )


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (open_row, lambda page: page.keyboard.press("Escape") or page.locator("h1").first.click()),
        (select_text, lambda page: page.evaluate("getSelection().removeAllRanges()")),
        (
            lambda page, _stored: page.evaluate("scrollTo(0, document.body.scrollHeight)"),
            lambda page: page.evaluate("scrollTo(0, 0)"),
        ),
    ],
    ids=["an open row", "marked text", "scrolled away"],
)
def test_what_one_reads_holds_still_and_nothing_is_missed(page, visit, begin, end):
    old = activities(60)
    visit(page)
    expect(page.locator(".tm-bars").first).to_be_visible()
    follow(page)
    begin(page, old[0])
    news = activities(3, step=0.001, actor_label="new")
    expect(page.locator("#tm-show")).to_contain_text("3 new")
    more = activity(action_type="Login")
    expect(page.locator("#tm-show")).to_contain_text("4 new")
    expect(live_state(page)).to_have_text("Waiting (you are reading)")
    expect(row(page, news[0])).to_have_count(0)
    end(page)
    for each in (*news, more):
        expect(row(page, each)).to_be_visible()


# The brush


def brushed(page):
    return re.search(r"range=custom&start=([^&]+)&end=([^&#]+)", page.url)


def test_a_time_range_is_drawn_with_the_mouse(page, visit):
    activities(5, step=3600)
    visit(page)
    plot = page.locator(".tm-plot")
    box = plot.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.70, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.80, middle, steps=4)
    page.mouse.move(box["x"] + box["width"] * 0.90, middle, steps=4)
    expect(page.locator(".tm-brush > :first-child")).to_be_visible()
    page.mouse.up()
    page.wait_for_url(re.compile("range=custom"))
    start, end = brushed(page).groups()
    assert start < end


def test_a_time_range_is_chosen_by_keyboard(page, visit):
    activities(5, step=3600)
    visit(page)
    begin = page.get_by_role("slider", name="Range start")
    finish = page.get_by_role("slider", name="Range end")
    last = int(finish.get_attribute("aria-valuemax"))
    begin.focus()
    page.keyboard.press("End")
    expect(begin).to_have_attribute("aria-valuenow", str(last - 1))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("PageDown")
    expect(begin).to_have_attribute("aria-valuenow", str(last - 8))
    finish.focus()
    page.keyboard.press("ArrowDown")
    expect(finish).to_have_attribute("aria-valuenow", str(last - 1))
    wanted = (begin.get_attribute("aria-valuetext"), finish.get_attribute("aria-valuetext"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("range=custom"))
    assert (
        tuple(each.replace("T", " ").replace("%3A", ":") for each in brushed(page).groups())
        == wanted
    )


def test_a_time_range_is_drawn_with_a_finger(open_page, visit):
    activities(5, step=3600)
    page = visit(open_page(has_touch=True))
    box = page.locator(".tm-plot").bounding_box()
    session = page.context.new_cdp_session(page)
    at = [{"x": box["x"] + box["width"] * share, "y": box["y"] + 40} for share in (0.6, 0.7, 0.8)]
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at[0]]})
    for point in at[1:]:
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_url(re.compile("range=custom"))


def with_the_mouse(page, points):
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point)
    page.mouse.up()


def with_a_finger(page, points):
    def touch(kind, *at):
        touched = [{"x": x, "y": y} for x, y in at]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})

    session = page.context.new_cdp_session(page)
    touch("touchStart", points[0])
    for point in points[1:]:
        touch("touchMove", point)
    touch("touchEnd")


@pytest.mark.parametrize("press", [with_the_mouse, with_a_finger])
@pytest.mark.parametrize("address", ["/trackmate/activity/?actor=a", "/trackmate/"])
@pytest.mark.parametrize(("side", "to"), [(0, 20), (1, 12), (0, 99), (1, -9)])
def test_a_thumb_moves_its_own_end_alone(open_page, visit, side, to, address, press):
    activities(5, step=3600, actor_label="a")
    page = visit(open_page(has_touch=True), address)
    thumbs = page.get_by_role("slider")
    expect(thumbs.first).to_be_visible()
    links = page.locator(".tm-bars a").evaluate_all("all => all.map((each) => each.href.baseVal)")
    bars = [re.search("start=([^&]+)&end=([^&]+)", link).groups() for link in links]
    ends = [0, len(bars)]
    ends[side] = max(1, min(to, len(bars) - 1))  # as far as the other one

    plot, thumb = page.locator(".tm-plot").bounding_box(), thumbs.nth(side).bounding_box()
    x, y = thumb["x"] + thumb["width"] / 2 + 5, thumb["y"] + 20
    goal = plot["x"] + plot["width"] * to / len(bars) + 5
    press(page, [(x + (goal - x) * part / 4, y) for part in range(5)])
    page.wait_for_url(re.compile("range=custom"))
    assert brushed(page).groups() == (bars[ends[0]][0], bars[ends[1] - 1][1])


def test_a_thumb_that_is_pressed_and_not_moved_asks_nothing(page, visit):
    activities(5, step=3600)
    visit(page)
    address = page.url
    thumb = page.get_by_role("slider").first
    thumb.click()
    expect(thumb).to_be_focused()
    thumb.press("ArrowRight")
    expect(thumb).to_have_attribute("aria-valuenow", "1")
    assert page.url == address


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ["/trackmate/activity/", "/trackmate/"])
def test_only_the_keyboard_shows_what_has_the_focus(open_page, visit, address, color_scheme):
    activities(5, step=3600)
    page = visit(open_page(color_scheme=color_scheme), address)
    bar = page.locator(".tm-bars a").nth(20)
    hit = bar.locator(".tm-bar-hit")
    bar.hover()
    page.mouse.down()
    expect(bar).to_be_focused()
    expect(bar).to_have_css("outline-style", "none")
    expect(hit).to_have_css("stroke", "none")
    page.keyboard.press("Shift")
    expect(bar).to_have_css("outline-style", "none")
    expect(hit).not_to_have_css("stroke", "none")


def test_a_bar_is_still_a_link(page, visit):
    activities(5, step=3600)
    visit(page)
    page.locator('.tm-bars a[aria-label*=": 1 activities, 0 failed"]').first.click()
    page.wait_for_url(re.compile("range=custom"))
    expect(page.locator("#tm-rows tbody tr")).to_have_count(1)


# Sorting


def test_a_heading_sorts_and_the_filters_keep_the_order(page, visit):
    slow = activity(execution_time=5, actor_label="ann", ago=60)
    quick_one = activity(execution_time=0.1, actor_label="ann")
    visit(page)
    page.get_by_role("columnheader", name="Duration").get_by_role("link").click()
    rows = page.locator("#tm-rows tbody tr")
    expect(rows.first).to_have_id(f"tm-row-{slow.pk}")
    expect(page.get_by_role("columnheader", name="Duration")).to_have_attribute(
        "aria-sort", "descending"
    )
    filter_field(page, "Actor").fill("ann")
    page.wait_for_url(re.compile("actor=ann"))
    page.keyboard.press("Escape")
    assert "sort=-duration" in page.url
    heading = page.get_by_role("columnheader", name="Duration").get_by_role("link")
    expect(heading).to_have_attribute("href", re.compile("actor=ann"))  # the list has come too
    expect(rows.first).to_have_id(f"tm-row-{slow.pk}")
    heading.click()
    expect(rows.first).to_have_id(f"tm-row-{quick_one.pk}")
    page.go_back()
    expect(rows.first).to_have_id(f"tm-row-{slow.pk}")
