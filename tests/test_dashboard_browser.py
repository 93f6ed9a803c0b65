"""The dashboard in a real browser: live news, pause, filters, the way back, the keyboard."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from tests.dashboard_page import (
    chips,
    filter_field,
    live_state,
    query_line,
    row,
    small_targets,
    wait_until,
)
from tests.factories import activities, activity, at, hostile_activity, person, user_page
from trackmate.models import SavedView

pytest_plugins = ["tests.browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick"),
]


def test_news_wait_until_they_are_asked_for(page, visit):
    old = activity(action="old")
    visit(page)
    expect(row(page, old)).to_be_visible()
    new = activities(2, step=0.001)
    expect(page.locator("#tm-show")).to_contain_text("2 new")
    expect(row(page, new[0])).to_have_count(0)
    page.locator("#tm-show").click()
    expect(row(page, new[0])).to_be_visible()
    expect(page.locator("#tm-new")).to_be_empty()
    expect(page.locator("#tm-rows")).to_be_focused()
    later = activity()
    expect(page.locator("#tm-show")).to_contain_text("1 new")
    page.locator("#tm-show").click()
    expect(row(page, later)).to_be_visible()


def test_pause_stops_asking_and_resume_asks_at_once(page, visit):
    activity()
    page.clock.install()
    visit(page)
    state = live_state(page)
    expect(state).to_have_text("Live")
    with page.expect_response("**/tick/**"):
        pass
    page.get_by_role("button", name="Pause").click()
    expect(state).to_have_text("Paused")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    activity()
    page.clock.run_for("05:00")
    assert asked == []
    page.reload()
    expect(state).to_have_text("Paused")
    page.get_by_role("button", name="Resume").click()
    expect(state).to_have_text("Live")
    later = activity()
    expect(page.locator("#tm-show")).to_contain_text("1 new")
    assert later


@pytest.mark.parametrize("press", ["click", "Enter", "p"])
@pytest.mark.parametrize("address", ["/trackmate/activity/", "/trackmate/"])
def test_a_page_that_rests_offers_to_resume(page, visit, address, press):
    activity()
    page.clock.install()
    visit(page, address)
    state = live_state(page)
    expect(state).to_have_text("Live")
    expect(page.locator(".tm-bars")).to_be_visible()
    page.clock.fast_forward("31:00")
    expect(state).to_have_text("Paused (inactive)")
    resume = page.get_by_role("button", name="Resume")
    if press == "click":
        resume.click()
    elif press == "Enter":
        resume.press("Enter")
    else:
        page.keyboard.press("p")
    expect(state).to_have_text("Live")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def filter_by_hand(page):
    filter_field(page, "Actor").fill("n")
    page.wait_for_url("**actor=n")


def choose_a_time(page):
    with page.expect_response("**range=7d**"):
        page.get_by_role("radio", name="7 d").check()


def show_older(page):
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newest")).to_be_visible()


@pytest.mark.parametrize(
    ("address", "swap"),
    [
        ("/trackmate/activity/", filter_by_hand),
        ("/trackmate/activity/", choose_a_time),
        ("/trackmate/activity/", show_older),
        ("/trackmate/activity/?actor=n", lambda page: page.reload()),
        ("/trackmate/route/r/", choose_a_time),
        ("/trackmate/", choose_a_time),
    ],
)
def test_a_paused_page_offers_to_resume_whatever_is_swapped(page, visit, address, swap):
    activities(60, actor_label="ann", route="r/")
    visit(page, address)
    pause, resume = (page.get_by_role("button", name=name) for name in ("Pause", "Resume"))
    expect(resume).to_have_count(0)
    pause.focus()
    page.keyboard.press("Enter")
    expect(resume).to_be_focused()
    expect(resume.locator("use:visible")).to_have_attribute("href", "#tm-icon-resume")
    expect(pause).to_have_count(0)
    swap(page)
    expect(resume).to_be_visible()
    expect(live_state(page)).not_to_have_text("Live")
    page.keyboard.press("Escape")
    page.locator("h1").first.click()
    page.keyboard.press("p")
    expect(pause.locator("use:visible")).to_have_attribute("href", "#tm-icon-pause")
    expect(resume).to_have_count(0)


def test_a_filter_narrows_while_one_types_and_back_undoes_it(page, visit):
    ann, bob = activity(actor_label="ann"), activity(actor_label="bob")
    visit(page)
    filter_field(page, "Actor").fill("ann")
    expect(row(page, bob)).to_have_count(0)
    expect(row(page, ann)).to_be_visible()
    assert page.url.endswith("/trackmate/activity/?range=24h&actor=ann")
    expect(filter_field(page, "Actor")).to_be_focused()
    page.keyboard.press("Enter")
    page.go_back()
    expect(row(page, bob)).to_be_visible()
    expect(chips(page)).to_have_count(0)
    expect(filter_field(page, "Actor")).to_have_value("")
    page.keyboard.press("Escape")
    expect(live_state(page)).to_have_text("Live")
    news = activity()
    expect(page.locator("#tm-show")).to_contain_text("1 new")
    page.locator("#tm-show").click()
    expect(row(page, news)).to_be_visible()


def test_news_are_those_that_match(page, visit):
    activity(actor_label="ann")
    visit(page, "/trackmate/activity/?actor=ann")
    activity(actor_label="bob")
    activity(actor_label="ann")
    expect(page.locator("#tm-show")).to_contain_text("1 new")


def test_a_message_comes_and_goes_beside_its_field(page, visit):
    kept = activity(ip_address="10.2.3.4")
    visit(page)
    field = filter_field(page, "Address")
    field.fill("10.2.3")
    expect(page.locator("#tm-error-address")).to_contain_text("neither an address nor a network")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(row(page, kept)).to_be_visible()
    field.fill("10.2.3.4")
    expect(page.locator("#tm-error-address")).to_be_empty()
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(row(page, kept)).to_be_visible()


@pytest.mark.parametrize("choose", ["mouse", "keyboard"])
@pytest.mark.parametrize(
    ("address", "begin", "end"),
    [
        ("/trackmate/activity/?range=1h", "2026-05-04T11:00:07", "2026-05-04T12:00:07"),
        ("/trackmate/activity/?q=created:-2d..", "2026-05-02T12:00:07", "2026-05-04T12:00:07"),
        ("/trackmate/activity/?range=7d&zone=utc", "2026-04-27T10:00:07", "2026-05-04T10:00:07"),
        ("/trackmate/request/r/", "", "2026-05-04T12:00:07"),
        ("/trackmate/", "2026-05-03T12:00:07", "2026-05-04T12:00:07"),
    ],
)
def test_dates_begin_with_the_range_that_is_shown(
    page, visit, monkeypatch, address, begin, end, choose
):
    now = at(2026, 5, 4, 12) + timedelta(seconds=7)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    activity(request_id="r", ago=60)
    visit(page, address)
    expect(live_state(page)).to_be_visible()
    rows = page.locator("#tm-rows tr, #tm-overview .tm-card").all_inner_texts()
    url, asked = page.url, []
    page.on("request", lambda request: asked.append(request.url))
    custom = page.get_by_role("radio", name="Custom")
    if choose == "mouse":
        page.locator(".tm-segment", has_text="Custom").click()
    else:
        custom.press("Space")
    expect(custom).to_be_checked()
    expect(page.get_by_label("From")).to_have_value(begin)
    expect(page.get_by_label("To", exact=True)).to_have_value(end)
    page.locator("#tm-live").dispatch_event("tm:tick")
    expect(page.locator("#tm-error-start")).to_be_empty()
    assert [each for each in asked if "range=custom" in each] == []
    assert page.locator("#tm-rows tr, #tm-overview .tm-card").all_inner_texts() == rows
    assert page.url == url


@pytest.mark.parametrize(
    ("address", "shown"),
    [("/trackmate/activity/", "#tm-rows tbody tr"), ("/trackmate/", ".tm-card")],
)
def test_a_date_that_is_changed_narrows_and_one_that_is_gone_does_nothing(
    page, visit, address, shown
):
    activity(ago=90_000)
    activity(ago=60)
    visit(page, address)
    texts, entries = page.locator(shown).first, page.evaluate("history.length")
    before = texts.inner_text()
    page.locator(".tm-segment", has_text="Custom").click()
    begin = page.get_by_label("From")
    begin.fill("")
    expect(page.locator("#tm-error-start")).to_have_text("Enter a start date.")
    expect(texts).to_have_text(before, use_inner_text=True)
    begin.fill(f"{timezone.localtime() - timedelta(days=2):%Y-%m-%dT%H:%M:%S}")
    expect(page).to_have_url(re.compile("range=custom&start="))
    expect(page.locator("#tm-error-start")).to_be_empty()
    expect(page.locator(".tm-bars a").first).to_be_attached()
    if "activity" in address:
        expect(page.locator(shown)).to_have_count(2)
    else:
        expect(texts.locator("strong")).to_have_text("2")
    begin.press("Enter")
    wait_until(page, f"history.length === {entries + 1}")


def test_display_options_change_the_list_that_is_shown(page, visit):
    kept = activity(actor_label="ann")
    visit(page, "/trackmate/activity/?actor=ann")
    line = query_line(page)
    line.fill("status:")
    expect(page.locator("#tm-error-q")).not_to_be_empty()
    page.locator("summary", has_text="Display").click()
    page.get_by_label("Row height").select_option("compact")
    page.get_by_role("button", name="Apply and save").click()
    expect(page.locator("#tm-rows[data-density=compact]")).to_be_visible()
    expect(row(page, kept)).to_be_visible()


def test_pages_turn_and_the_oldest_is_not_live(page, visit):
    rows = activities(60)
    visit(page)
    page.get_by_role("link", name="Older").click()
    expect(row(page, rows[-1])).to_be_visible()
    expect(row(page, rows[0])).to_have_count(0)
    expect(live_state(page)).to_have_text("Not live on this page")
    page.get_by_role("link", name="Newest").click()
    expect(row(page, rows[0])).to_be_visible()
    expect(live_state(page)).to_have_text("Live")


def test_what_the_list_shows_is_saved_as_it_is_then(page, visit):
    ann, bob = activity(actor_label="ann"), activity(actor_label="bob")
    visit(page, "/trackmate/activity/?range=7d")
    filter_field(page, "Actor").fill("ann")
    expect(row(page, bob)).to_have_count(0)
    page.get_by_text("Save this view").click()
    page.get_by_label("Name").fill("What Ann did")
    page.get_by_label("Make this my default").check()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/trackmate/activity/?range=7d&actor=ann")
    link = page.get_by_role("link", name="What Ann did")
    expect(link).to_have_attribute("aria-current", "true")
    filter_field(page, "Actor").fill("")
    expect(row(page, bob)).to_be_visible()
    expect(link).not_to_have_attribute("aria-current", "true")
    link.click()
    expect(link).to_have_attribute("aria-current", "true")
    expect(row(page, bob)).to_have_count(0)
    page.get_by_role("link", name="Clear").click()
    expect(row(page, bob)).to_be_visible()
    page.get_by_role("link", name="Activity", exact=True).click()
    expect(row(page, ann)).to_be_visible()
    expect(row(page, bob)).to_have_count(0)


def test_what_one_types_for_a_view_outlasts_a_change_of_filters(page, visit):
    rows = [activity(actor_label="ann"), activity(actor_label="bob")]
    visit(page)
    page.get_by_text("Save this view").click()
    page.get_by_label("Name").fill("Half a na")
    filter_field(page, "Actor").fill("ann")
    expect(row(page, rows[1])).to_have_count(0)
    expect(page.get_by_label("Name")).to_have_value("Half a na")
    expect(page.locator("#tm-view-query")).to_have_value("range=24h&actor=ann")


def test_one_menu_is_open_at_a_time(page, visit):
    activity()
    visit(page)
    page.get_by_text("Save this view").click()
    expect(page.get_by_label("Name")).to_be_visible()
    page.locator("summary", has_text="Display").click()
    expect(page.get_by_label("Row height")).to_be_visible()
    expect(page.get_by_label("Name")).to_be_hidden()


def test_views_are_changed_and_deleted_without_javascript(open_page, visit):
    page = visit(open_page(java_script_enabled=False), "/trackmate/activity/?status=Failed")
    page.get_by_text("Save this view").click()
    page.get_by_label("Name").fill("Errors")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="All views").click()
    page.locator("summary", has_text="Change").click()
    page.get_by_label("Name").fill("Failures")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_have_text("The view was changed.")
    page.get_by_role("link", name="Failures").click()
    assert page.url.endswith("/trackmate/activity/?status=Failed")
    page.go_back()
    page.locator("summary", has_text="Change").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Delete?")).to_be_focused()
    page.get_by_role("button", name="Delete?").click()
    expect(page.get_by_role("article")).to_have_count(0)


@pytest.fixture
def saved_views(page, visit):
    """Open the page of the saved views of somebody who has two."""
    visit(page, "/trackmate/views/")
    owner = get_user_model().objects.get(username="staff")
    for name in ("Nights", "Days"):
        SavedView.objects.create(owner=owner, name=name, query="status=Failed")
    page.reload()
    for each in page.locator("summary", has_text="Change").all():
        each.click()
    return page


def deletion(page, name):
    view = page.get_by_role("article").filter(has=page.get_by_role("link", name=name))
    return view.get_by_role("button", name="Delete")


@pytest.mark.parametrize("press", ["click", "Enter", "Space"])
def test_a_view_is_deleted_by_a_second_press(saved_views, press):
    button = deletion(saved_views, "Nights")
    for name in ("Delete Nights", "Delete? Nights"):
        expect(button).to_have_accessible_name(name)
        button.click() if press == "click" else button.press(press)
    expect(saved_views.get_by_text("The view was deleted.")).to_be_visible()
    expect(saved_views.get_by_role("article")).to_have_count(1)
    expect(button).to_have_count(0)


@pytest.mark.parametrize(
    "leave",
    [
        lambda page: page.keyboard.press("Tab"),
        lambda page: page.keyboard.press("Escape"),
        lambda page: page.locator("h1").click(),
        lambda page: deletion(page, "Days").click(),
    ],
    ids=["Tab", "Escape", "a click elsewhere", "another view"],
)
def test_a_button_that_asked_and_is_left_asks_again(saved_views, leave):
    button = deletion(saved_views, "Nights")
    button.click()
    expect(saved_views.locator("#tm-status")).to_have_text("Delete? Nights")
    leave(saved_views)
    expect(button).to_have_accessible_name("Delete Nights")
    button.click()
    expect(button).to_have_accessible_name("Delete? Nights")
    expect(saved_views.get_by_role("article")).to_have_count(2)


def test_a_double_click_deletes_nothing(saved_views):
    button = deletion(saved_views, "Days")
    button.dblclick()
    expect(button).to_have_accessible_name("Delete? Days")
    button.click()
    expect(saved_views.get_by_role("article")).to_have_count(1)


def test_an_activity_opens_and_leads_back_to_its_row(page, visit):
    stored = activity(action="shop.order.update", data={"word": "opensesame"})
    visit(page)
    row(page, stored).get_by_role("link").first.click()
    page.get_by_role("link", name="Open as a page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("shop.order.update")
    expect(page.get_by_text('"opensesame"', exact=True)).to_be_visible()
    page.get_by_role("link", name="Back to the list").click()
    expect(row(page, stored)).to_be_visible()
    assert page.url.endswith(f"#tm-row-{stored.pk}")


def test_an_ended_session_leads_to_the_login(page, visit, complaints):
    activity()
    visit(page)
    page.context.clear_cookies()
    page.wait_for_url("**/admin/login/?next=/trackmate/activity/")
    # The browser itself notes the 401 that said so.
    assert all("401" in each for each in complaints)
    complaints.clear()


def test_a_failing_server_is_asked_less_often_and_forgiven(page, visit, complaints):
    activity()
    visit(page)
    page.route("**/tick/**", lambda route: route.fulfill(status=503, body="no"))
    expect(live_state(page)).to_have_text("Reconnecting")
    expect(page.locator("#tm-toast")).to_be_empty()
    page.unroute("**/tick/**")
    expect(live_state(page)).to_have_text("Live", timeout=20_000)
    complaints.clear()


def test_a_failed_filter_says_so(page, visit, complaints):
    stored = activity()
    visit(page)
    page.route(
        "**/trackmate/activity/?*q=*", lambda route: route.fulfill(status=500, body="<b>host</b>")
    )
    query_line(page).fill("x")
    message = page.get_by_role("alert")
    expect(message).to_contain_text("Update failed")
    expect(row(page, stored)).to_be_visible()
    with page.expect_response("**/tick/**"):
        pass
    page.wait_for_timeout(100)
    expect(message).to_contain_text("Update failed")  # news do not make the list right
    query_line(page).fill("")
    expect(message).to_be_empty()
    complaints.clear()


def test_scripts_do_not_run_and_nothing_is_kept_in_the_browser(page, visit):
    dialogs = []
    page.on("dialog", lambda dialog: dialogs.append(dialog) or dialog.dismiss())
    stored = hostile_activity()
    visit(page)
    hostile_activity()
    page.locator("#tm-show").click()
    page.goto(f"{page.url}{stored.pk}/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("<script>")
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert (dialogs, "script" in kept) == ([], False)


@pytest.mark.parametrize(
    "options",
    [
        {"viewport": {"width": 320, "height": 640}},
        {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"},
        {"viewport": {"width": 1920, "height": 1080}, "reduced_motion": "reduce"},
        {"viewport": {"width": 800, "height": 600}, "forced_colors": "active"},
    ],
)
def test_only_the_table_scrolls_sideways(open_page, visit, options):
    stored = activity(actor_label="x" * 255, path="/" + "y" * 2000, action="z" * 255)
    page = visit(open_page(**options))
    for address in (page.url, f"{page.url}{stored.pk}/", f"{page.url}?address=garbage"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_javascript_everything_but_the_live_list_is_there(open_page, visit):
    rows = activities(60, actor_label="ann")
    page = visit(open_page(java_script_enabled=False))
    expect(page.locator("#tm-live-controls")).to_be_hidden()
    page.locator("#tm-filters summary").click()
    page.get_by_role("link", name="Show all filters").click()
    filter_field(page, "Actor").fill("ann")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Older").click()
    expect(row(page, rows[-1])).to_be_visible()


def test_the_keyboard_reaches_the_content_first(page, visit):
    activity()
    visit(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#tm-main")).to_be_focused()


def test_everything_to_press_is_large_enough(page, visit):
    activities(60, actor_label="ann", ip_address="10.2.3.4")
    visit(page)
    page.locator("#tm-top-values summary").click()
    expect(page.locator("#tm-top-values a").first).to_be_visible()
    assert small_targets(page, "a, button, select, input:not([type=radio]), summary") == []


def test_the_histogram_comes_by_itself_and_follows_the_filters(page, visit):
    activities(3, actor_label="ann")
    activities(2, actor_label="bob")
    visit(page)
    numbers = page.locator("#tm-facets").get_by_text("Show as table")
    expect(numbers).to_be_visible()
    expect(page.locator('.tm-bars a[aria-label*=": 5 activities, 0 failed"]')).to_have_count(1)
    filter_field(page, "Actor").fill("ann")
    expect(page.locator('.tm-bars a[aria-label*=": 3 activities, 0 failed"]')).to_have_count(1)
    page.locator('.tm-bars a[aria-label*=": 3 activities, 0 failed"]').focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("range=custom"))
    expect(page.locator("#tm-rows tbody tr")).to_have_count(3)


def test_the_overview_is_live_and_leads_into_the_log(page, visit):
    activity(status="Failed", action="went.wrong")
    visit(page, "/trackmate/")
    expect(live_state(page)).to_have_text("Live")
    card = page.locator(".tm-card").filter(has_text="Failures")
    expect(card.locator("strong")).to_have_text("1")
    activity(status="Failed")
    page.locator("#tm-live").dispatch_event("tm:tick")
    expect(card.locator("strong")).to_have_text("2")
    card.get_by_role("link").click()
    page.wait_for_url(re.compile(r"/trackmate/activity/\?.*status=Failed"))
    expect(page.locator("#tm-rows tbody tr")).to_have_count(2)


def test_a_time_is_drawn_on_the_overview_after_news_too(page, visit):
    activities(5, step=3600)
    visit(page, "/trackmate/")
    begin = page.get_by_role("slider", name="Range start")
    expect(begin).to_be_visible()
    with page.expect_response(re.compile("/trackmate/$")):
        page.locator("#tm-live").dispatch_event("tm:tick")
    expect(begin).to_be_visible()
    begin.focus()
    page.keyboard.press("PageUp")
    expect(begin).to_have_attribute("aria-valuenow", "6")  # once, not twice
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("range=custom"))


def test_the_time_of_the_overview_is_chosen_without_a_reload(page, visit):
    activity(ago=3 * 3600)
    visit(page, "/trackmate/")
    number = page.locator(".tm-card").filter(has_text="Activities").locator("strong")
    expect(number).to_have_text("1")
    page.get_by_role("radio", name="1 h").check()
    expect(number).to_have_text("0")
    page.go_back()
    expect(number).to_have_text("1")


@pytest.mark.parametrize(
    "address", ["/trackmate/", "/trackmate/activity/", "/trackmate/request/r/"]
)
def test_a_narrow_screen_scrolls_nothing_but_tables(page, visit, address):
    hostile_activity(request_id="r", status="Failed", source="request")
    page.set_viewport_size({"width": 320, "height": 700})
    visit(page, address)
    if "request" in address:
        # Its few rows say more than any figure.
        expect(page.locator("#tm-facets")).to_be_hidden()
    else:
        expect(page.locator(".tm-bars").first).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 320


@pytest.mark.parametrize("question", ["range=24h", "range=24h&source=custom"])
def test_dates_are_asked_for_a_range_of_dates_alone(page, visit, question):
    visit(page, f"/trackmate/activity/?{question}")
    expect(page.locator("#id_start")).to_be_hidden()
    page.locator("label:has([name=range][value=custom])").click()
    expect(page.locator("#id_start")).to_be_visible()


def test_the_way_into_the_admin_comes_with_the_facets(page, visit, log_in):
    ann = person("ann")
    activity(actor=ann)
    address = f"/trackmate/actor/%23{ann.pk}/"
    visit(page, address)
    expect(page.locator("#tm-facets figure")).to_be_visible()
    expect(page.locator("#tm-admin")).to_be_empty()
    log_in(page, person("root", is_superuser=True, is_staff=True))
    page.reload()
    link = page.locator("#tm-admin").get_by_role("link", name="Open in the admin")
    expect(link).to_have_attribute("href", reverse(user_page("change"), args=[ann.pk]))
    filter_field(page, "Status").select_option("Failed")
    expect(page).to_have_url(re.compile("status=Failed"))
    expect(link).to_be_visible()
