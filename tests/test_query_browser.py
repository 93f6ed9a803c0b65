"""The query line in a real browser: it mirrors the form both ways, and suggests how to go on."""

import re

import pytest
from playwright.sync_api import expect

from tests.rows import activities, activity

pytest_plugins = ["tests.browsing"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick"),
]


def row(page, stored):
    return page.locator(f"#tm-row-{stored.pk}")


def line(page):
    return page.locator("#tm-filters").get_by_label("Search")


def actor(page):
    return page.locator("#tm-filters").get_by_label("Actor")


def status(page):
    return page.locator("#tm-filters").get_by_label("Status", exact=True)


def options(page):
    return page.locator("#tm-options [role=option]")


def test_what_is_typed_in_the_line_appears_in_the_fields(page, visit):
    ann, bob = activity(actor_label="ann", status="Failed"), activity(actor_label="bob")
    visit(page)
    line(page).press_sequentially("status:failed actor:ann x ")
    expect(actor(page)).to_have_value("ann")
    expect(status(page)).to_have_value("Failed")
    expect(line(page)).to_have_value("status:failed actor:ann x ")
    expect(line(page)).to_be_focused()
    line(page).press("Backspace")
    line(page).press("Backspace")
    expect(row(page, ann)).to_be_visible()
    expect(row(page, bob)).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/activity/\?range=24h&actor=ann&status=Failed$"))
    page.reload()
    expect(line(page)).to_have_value("actor:ann status:Failed")
    expect(row(page, ann)).to_be_visible()


def test_what_is_chosen_in_the_fields_appears_in_the_line(page, visit):
    activity(actor_label="ann")
    visit(page, "/trackmate/activity/?q=-method:PUT")
    actor(page).press_sequentially("ann")
    expect(line(page)).to_have_value("actor:ann -method:PUT")
    expect(actor(page)).to_be_focused()
    status(page).select_option("Failed")
    expect(line(page)).to_have_value("actor:ann status:Failed -method:PUT")
    page.get_by_role("radio", name="7 d").check()
    expect(line(page)).to_have_value("actor:ann status:Failed created:-7d.. -method:PUT")
    page.go_back()
    expect(line(page)).to_have_value("actor:ann status:Failed -method:PUT")
    expect(page.get_by_role("radio", name="24 h")).to_be_checked()
    page.go_back()
    expect(status(page)).to_have_value("")


def test_what_changed_last_wins(page, visit):
    rows = {name: activity(actor_label=name) for name in ("ann", "bob", "cid")}
    visit(page)
    line(page).fill("actor:ann")
    expect(actor(page)).to_have_value("ann")
    actor(page).fill("bob")
    expect(line(page)).to_have_value("actor:bob")
    expect(row(page, rows["bob"])).to_be_visible()
    expect(row(page, rows["ann"])).to_have_count(0)
    line(page).fill("actor:cid")
    expect(actor(page)).to_have_value("cid")
    expect(row(page, rows["cid"])).to_be_visible()
    line(page).fill("")
    expect(actor(page)).to_have_value("")
    expect(row(page, rows["ann"])).to_be_visible()


def test_a_time_that_is_typed_can_be_chosen_away(page, visit):
    old = activity(ago=3600 * 60)
    visit(page)
    line(page).fill("created:-3d..")
    expect(page.get_by_role("radio", name="-3d..")).to_be_checked()
    expect(row(page, old)).to_be_visible()
    page.get_by_role("radio", name="1 h").check()
    expect(line(page)).to_have_value("created:-1h..")
    expect(row(page, old)).to_have_count(0)
    page.get_by_role("radio", name="24 h").check()
    expect(line(page)).to_have_value("")


def test_a_usual_time_in_the_line_gives_way_too(page, visit):
    activity()
    visit(page, "/trackmate/activity/?range=7d")
    expect(line(page)).to_have_value("created:-7d..")
    line(page).fill("created:-24h..")
    expect(page.get_by_role("radio", name="24 h")).to_be_checked()
    page.get_by_role("radio", name="1 h").check()
    expect(line(page)).to_have_value("created:-1h..")
    expect(page.get_by_role("radio", name="1 h")).to_be_checked()


def test_a_wrong_token_is_pointed_at_while_one_types(page, visit):
    activity()
    visit(page)
    line(page).fill("actor:ann sttus:404 x")
    expect(page.locator("#tm-error-q")).to_contain_text("“sttus:404”: there is no “sttus:”")
    expect(page.locator("#tm-error-q mark")).to_have_text("sttus:404")
    expect(page.locator("#tm-error-q .tm-pointed")).to_have_text("actor:ann sttus:404 x")
    expect(line(page)).to_have_attribute("aria-invalid", "true")
    line(page).fill("actor:ann")
    expect(page.locator("#tm-error-q")).to_be_empty()


HALF_TYPED = {
    'actor:"ann': "the second quotation mark is missing",
    "x actor:": "there is nothing behind “actor:”",
    "-moon:full": "there is no “moon:”",
    "status:4": "“4” is not a status code",
    "ip:10.1.": "neither an address nor a network",
    "created:-": "is not a range of time",
    "object:shop.": "is not an object",
    "x" * 1001: "at most 1000 characters",
}


@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize("text", HALF_TYPED)
def test_what_is_half_typed_leaves_the_list(page, visit, text, is_sent):
    kept = activity(actor_label="ann")
    visit(page, "/trackmate/activity/?actor=ann")
    expect(page.locator("#tm-figures figure")).to_be_visible()
    address, entries = page.url, page.evaluate("history.length")
    line(page).evaluate("each => each.removeAttribute('maxlength')")
    line(page).fill(text)
    if is_sent:
        line(page).press("Enter")
    expect(page.locator("#tm-error-q")).to_contain_text(HALF_TYPED[text])
    expect(line(page)).to_have_attribute("aria-invalid", "true")
    expect(line(page)).to_have_value(text)
    expect(line(page)).to_be_focused()
    expect(row(page, kept)).to_be_visible()
    expect(page.locator("#tm-figures figure")).to_be_visible()
    assert (page.url, page.evaluate("history.length")) == (address, entries)
    activity(actor_label="ann")
    expect(page.locator("#tm-show")).to_contain_text("1 new")


def test_a_parenthesis_is_a_piece_of_text(page, visit):
    kept, other = activity(remarks="f(x"), activity()
    visit(page)
    line(page).press_sequentially("f(")
    expect(row(page, other)).to_have_count(0)
    expect(row(page, kept)).to_be_visible()
    expect(page.locator("#tm-error-q")).to_be_empty()


def test_a_page_that_was_wrong_from_the_start_goes_on_with_what_one_types(page, visit):
    found = activity(actor_label="ann")
    visit(page, "/trackmate/activity/?q=status:4")
    problems = page.locator(".tm-problems")
    expect(problems).to_contain_text("“4” is not a status code")
    line(page).fill("actor:")
    expect(problems).to_contain_text("there is nothing behind “actor:”")
    line(page).fill("actor:ann")
    expect(row(page, found)).to_be_visible()
    line(page).fill("actor:ann -")
    line(page).fill("actor:ann -ip:")
    expect(page.locator("#tm-error-q")).to_contain_text("there is nothing behind “ip:”")
    expect(row(page, found)).to_be_visible()


def send_by_enter(page, field):
    field.press("Enter")


def leave_the_field(page, field):
    page.locator("h1").first.click()


@pytest.mark.parametrize("send", [send_by_enter, leave_the_field])
@pytest.mark.parametrize(
    ("field", "text"), [(line, "actor:ann"), (line, "method:put ann"), (actor, "ann")]
)
def test_what_is_typed_is_one_entry_of_the_history(page, visit, field, text, send):
    ann, bob = activity(actor_label="ann", method="PUT"), activity(actor_label="bob")
    visit(page, "/trackmate/activity/?range=7d")
    begin, entries = page.url, page.evaluate("history.length")
    field(page).press("End")
    for piece in re.findall("...?.?", f" {text}"):
        with page.expect_response("**/activity/?*"):
            field(page).press_sequentially(piece)
    expect(row(page, bob)).to_have_count(0)
    assert page.evaluate("history.length") == entries
    typed = page.url
    assert typed != begin
    send(page, field(page))
    page.wait_for_function(f"history.length === {entries + 1}")
    assert page.url == typed
    page.go_back()
    expect(page).to_have_url(begin)
    expect(row(page, bob)).to_be_visible()
    page.go_forward()
    expect(page).to_have_url(typed)
    expect(row(page, bob)).to_have_count(0)
    expect(row(page, ann)).to_be_visible()


def test_what_is_sent_at_once_is_one_entry_too(page, visit):
    activity(actor_label="ann")
    bob = activity(actor_label="bob")
    visit(page)
    begin, entries = page.url, page.evaluate("history.length")
    line(page).fill("actor:ann")
    line(page).press("Enter")
    expect(row(page, bob)).to_have_count(0)
    line(page).press("Enter")
    line(page).fill("actor:bob")
    expect(row(page, bob)).to_be_visible()
    assert page.evaluate("history.length") == entries + 1
    status(page).select_option("Success")
    expect(page).to_have_url(re.compile("status=Success"))
    assert page.evaluate("history.length") == entries + 3
    page.evaluate("history.go(-3)")
    expect(page).to_have_url(begin)


def test_without_javascript_the_form_and_the_line_are_one(open_page, visit):
    activities(2, actor_label="ann")
    activity(actor_label="bob")
    page = visit(open_page(java_script_enabled=False))
    expect(line(page)).not_to_have_attribute("role", "combobox")
    line(page).fill("actor:ann -type:Read")
    page.get_by_role("button", name="Apply").click()
    expect(actor(page)).to_have_value("ann")
    assert page.url.endswith("/activity/?range=24h&q=-type%3ARead&actor=ann")
    actor(page).fill("bob")
    page.get_by_role("button", name="Apply").click()
    expect(line(page)).to_have_value("actor:bob -type:Read")
    expect(page.locator("#tm-rows tbody tr")).to_have_count(1)
    page.go_back()
    expect(line(page)).to_have_value("actor:ann -type:Read")


def test_suggestions_are_chosen_by_keyboard(page, visit):
    ann = activity(actor_label="ann smith")
    bob = activity(actor_label="bob")
    visit(page)
    line(page).press_sequentially("ac")
    expect(line(page)).to_have_attribute("aria-expanded", "true")
    expect(options(page)).to_have_text(["actor:", "action:"])
    expect(page.locator("#tm-status")).to_have_text("2 suggestions")
    line(page).press("ArrowDown")
    expect(options(page).first).to_have_attribute("aria-selected", "true")
    expect(line(page)).to_have_attribute("aria-activedescendant", "tm-option-1")
    line(page).press("Enter")
    expect(line(page)).to_have_value("actor:")
    expect(options(page)).to_have_text(["actor:bob", 'actor:"ann smith"'])
    line(page).press("ArrowUp")
    line(page).press("Tab")
    expect(line(page)).to_have_value('actor:"ann smith" ')
    expect(line(page)).to_be_focused()
    expect(line(page)).to_have_attribute("aria-expanded", "false")
    expect(row(page, bob)).to_have_count(0)
    expect(row(page, ann)).to_be_visible()


def test_escape_closes_suggestions_and_enter_then_asks(page, visit):
    activity()
    visit(page)
    line(page).press_sequentially("me")
    expect(options(page)).to_have_text(["method:"])
    line(page).press("Escape")
    expect(options(page)).to_have_count(0)
    expect(line(page)).to_have_value("me")
    line(page).press("ArrowDown")
    expect(options(page)).to_have_text(["method:"])
    line(page).press("Enter")
    expect(page).to_have_url(re.compile("q=me$"))
    expect(line(page)).to_have_value("me")
    actor(page).focus()
    expect(page.locator("#tm-options")).to_be_hidden()


@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_a_late_answer_does_not_open_suggestions_again(page, visit, key):
    activity(actor_label="ann")
    visit(page)
    line(page).press_sequentially("ac")
    expect(options(page)).to_have_count(2)
    held = []
    page.route("**/suggest/**", lambda route: held.append(route))  # noqa: PLW0108 (Playwright marks it)
    with page.expect_request("**/suggest/**"):
        line(page).press_sequentially("t")
    line(page).press(key)
    expect(page.locator("#tm-options")).to_be_hidden()
    expect(line(page)).to_have_attribute("aria-expanded", "false")
    for route in held:
        with page.expect_response("**/suggest/**"):
            route.continue_()
    expect(page).to_have_url(re.compile("q=act$"))
    expect(page.locator("#tm-options")).to_be_hidden()
    page.unroute("**/suggest/**")
    line(page).press("ArrowDown")
    expect(options(page)).to_have_count(2)


@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_a_key_before_the_question_leaves_suggestions_closed(page, visit, key):
    activity(actor_label="ann")
    visit(page)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    line(page).press_sequentially("me")
    line(page).press(key)
    expect(page).to_have_url(re.compile("q=me$"))
    expect(page.locator("#tm-options")).to_be_hidden()
    assert [url for url in asked if "suggest" in url] == []


def test_a_suggestion_is_clicked_in_the_middle_of_a_line(page, visit):
    activity(action_type="Approve")
    visit(page)
    line(page).fill("type:A 😀 source:auth")
    line(page).evaluate("each => each.setSelectionRange(6, 6)")
    line(page).press("ArrowDown")
    options(page).filter(has_text="Approve").click()
    expect(line(page)).to_have_value("type:Approve 😀 source:auth")
    expect(line(page)).to_be_focused()
    assert line(page).evaluate("each => each.selectionStart") == len("type:Approve ")


def test_other_fields_suggest_too(page, visit):
    stored = activity(actor_label="ann smith")
    activity(actor_label="bob")
    visit(page)
    actor(page).press_sequentially("smi")
    actor(page).press("ArrowDown")
    expect(options(page)).to_have_text(["ann smith"])
    options(page).first.click()
    expect(actor(page)).to_have_value("ann smith")
    expect(line(page)).to_have_value('actor:"ann smith"')
    expect(row(page, stored)).to_be_visible()


def test_suggestions_stay_beside_the_field_on_a_narrow_screen(page, visit):
    activities(20, actor_label="x" * 255)
    page.set_viewport_size({"width": 320, "height": 700})
    visit(page)
    line(page).press_sequentially("actor:x")
    expect(options(page)).to_have_count(1)
    field, shown = line(page).bounding_box(), page.locator("#tm-options").bounding_box()
    assert shown["y"] >= field["y"] + field["height"]
    assert shown["x"] + shown["width"] <= 320
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert options(page).first.bounding_box()["height"] >= 24


def test_without_suggestions_the_field_is_a_field(page, visit, complaints):
    activity()
    visit(page)
    page.route("**/suggest/**", lambda route: route.fulfill(status=503, body="no"))
    with page.expect_request_finished(lambda request: "/suggest/?name=q&q=actor%3A" in request.url):
        line(page).press_sequentially("actor:")
    expect(options(page)).to_have_count(0)
    expect(page.locator("#tm-toast")).to_be_empty()
    complaints.clear()
