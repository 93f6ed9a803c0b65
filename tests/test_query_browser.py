"""The query line in a real browser: beside the form, with messages and suggestions."""

import re
from urllib.parse import quote_plus

import pytest
from playwright.sync_api import expect

from tests.dashboard_page import chips, filter_field, query_line, row, suggestions, wait_until
from tests.factories import activities, activity

pytest_plugins = ["tests.browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick"),
]


def actor(page):
    return filter_field(page, "Actor")


def status(page):
    return filter_field(page, "Status")


def test_line_and_fields_are_combined_and_nothing_is_rewritten(page, visit):
    found = activity(actor_label="ann", status="Failed")
    others = [activity(actor_label="ann"), activity(actor_label="bob", status="Failed")]
    visit(page)
    query_line(page).press_sequentially("status:failed")
    actor(page).press_sequentially("ann")
    for each in others:
        expect(row(page, each)).to_have_count(0)
    expect(row(page, found)).to_be_visible()
    expect(query_line(page)).to_have_value("status:failed")
    expect(actor(page)).to_be_focused()
    expect(status(page)).to_have_value("")
    expect(page).to_have_url(re.compile(r"/activity/\?range=24h&q=status%3Afailed&actor=ann$"))
    page.reload()
    expect(chips(page)).to_have_text(["Status: failed", "Actor: ann"])
    expect(query_line(page)).to_have_value("status:failed")
    expect(actor(page)).to_have_value("ann")
    expect(row(page, found)).to_be_visible()


def test_a_list_that_was_requested_before_the_fields_were_opened_leaves_them(page, visit):
    activity(actor_label="ann", status="Failed")
    others = [activity(actor_label="ann"), activity(actor_label="bob", status="Failed")]
    visit(page)
    held = []
    page.route("**/activity/?*", lambda route: held.append(route), times=1)  # noqa: PLW0108 (Playwright marks it)
    with page.expect_request("**/activity/?*"):
        query_line(page).press_sequentially("status:failed")
    actor(page).focus()
    held[0].continue_()
    expect(row(page, others[0])).to_have_count(0)
    expect(actor(page)).to_be_focused()
    page.keyboard.type("ann")
    expect(row(page, others[1])).to_have_count(0)
    expect(actor(page)).to_have_value("ann")


def test_what_is_chosen_is_undone_by_back(page, visit):
    activity(actor_label="ann")
    visit(page, "/trackmate/activity/?q=-method:PUT")
    status(page).select_option("Failed")
    expect(chips(page)).to_have_text(["not Method: PUT", "Status: Failed"])
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="7 d").check()
    expect(page).to_have_url(re.compile("range=7d"))
    page.go_back()
    expect(page.get_by_role("radio", name="24 h")).to_be_checked()
    expect(chips(page)).to_have_text(["not Method: PUT", "Status: Failed"])
    page.go_back()
    expect(chips(page)).to_have_text(["not Method: PUT"])
    expect(status(page)).to_have_value("")
    expect(query_line(page)).to_have_value("-method:PUT")


def test_chips_remove_their_filter(page, visit):
    activity(actor_label="ann", method="GET")
    visit(page, "/trackmate/activity/?range=7d&q=one actor:ann&method=GET")
    for label, left in (
        ("actor ann", ["one", "Method: GET"]),
        ("Method GET", ["one"]),
        ("one", []),
    ):
        page.get_by_role("link", name=f"Remove the filter {label}").click()
        expect(chips(page)).to_have_text(left)
    expect(page).to_have_url(re.compile(r"/activity/\?range=7d$"))
    expect(query_line(page)).to_have_value("")


def test_a_time_in_the_line_replaces_the_default_and_narrows_any_other(page, visit):
    old = activity(ago=3600 * 60)
    visit(page)
    query_line(page).fill("created:-3d..")
    expect(row(page, old)).to_be_visible()
    for name, count in (("1 h", 0), ("24 h", 1), ("7 d", 1)):
        page.get_by_role("radio", name=name).check()
        expect(row(page, old)).to_have_count(count)
        expect(query_line(page)).to_have_value("created:-3d..")


def test_a_wrong_token_is_pointed_at_while_one_types(page, visit):
    activity()
    visit(page)
    query_line(page).fill("actor:ann sttus:404 x")
    message = "Unknown filter “sttus”. Did you mean “status:”?"
    expect(page.locator("#tm-error-q")).to_contain_text(message)
    expect(page.locator("#tm-error-q mark")).to_have_text("sttus:404")
    expect(page.locator("#tm-error-q .tm-marked")).to_have_text("actor:ann sttus:404 x")
    expect(query_line(page)).to_have_attribute("aria-invalid", "true")
    query_line(page).fill("actor:ann")
    expect(page.locator("#tm-error-q")).to_be_empty()


HALF_TYPED = {
    'actor:"ann': "the second quotation mark is missing",
    "x actor:": "enter a value after “actor:”",
    "-moon:full": "Unknown filter “moon”",
    "status:4": "“4” is not a status code",
    "ip:10.1.": "neither an address nor a network",
    "created:-": "is not a time range",
    "object:shop.": "is not an object",
    "x" * 1001: "at most 1000 characters",
}


@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize("text", HALF_TYPED)
def test_what_is_half_typed_leaves_the_list(page, visit, text, is_sent):
    kept = activity(actor_label="ann")
    visit(page, "/trackmate/activity/?actor=ann")
    expect(page.locator("#tm-facets figure")).to_be_visible()
    address, entries = page.url, page.evaluate("history.length")
    query_line(page).evaluate("each => each.removeAttribute('maxlength')")
    query_line(page).fill(text)
    if is_sent:
        query_line(page).press("Enter")
    expect(page.locator("#tm-error-q")).to_contain_text(HALF_TYPED[text])
    expect(query_line(page)).to_have_attribute("aria-invalid", "true")
    expect(query_line(page)).to_have_value(text)
    expect(query_line(page)).to_be_focused()
    expect(row(page, kept)).to_be_visible()
    expect(page.locator("#tm-facets figure")).to_be_visible()
    assert (page.url, page.evaluate("history.length")) == (address, entries)
    activity(actor_label="ann")
    expect(page.locator("#tm-show")).to_contain_text("1 new")


def test_a_parenthesis_is_a_piece_of_text(page, visit):
    kept, other = activity(remarks="f(x"), activity()
    visit(page)
    query_line(page).press_sequentially("f(")
    expect(row(page, other)).to_have_count(0)
    expect(row(page, kept)).to_be_visible()
    expect(page.locator("#tm-error-q")).to_be_empty()


def test_a_page_that_was_wrong_from_the_start_goes_on_with_what_one_types(page, visit):
    found = activity(actor_label="ann")
    visit(page, "/trackmate/activity/?q=status:4")
    problems = page.locator(".tm-problems")
    expect(problems).to_contain_text("“4” is not a status code")
    query_line(page).fill("actor:")
    expect(problems).to_contain_text("enter a value after “actor:”")
    query_line(page).fill("actor:ann")
    expect(row(page, found)).to_be_visible()
    query_line(page).fill("actor:ann -")
    query_line(page).fill("actor:ann -ip:")
    expect(page.locator("#tm-error-q")).to_contain_text("enter a value after “ip:”")
    expect(row(page, found)).to_be_visible()


def send_by_enter(page, field):
    field.press("Enter")


def leave_the_field(page, field):
    page.locator("h1").first.click()


@pytest.mark.parametrize("send", [send_by_enter, leave_the_field])
@pytest.mark.parametrize(
    ("field", "text"), [(query_line, "actor:ann"), (query_line, "method:put ann"), (actor, "ann")]
)
def test_what_is_typed_is_one_entry_of_the_history(page, visit, field, text, send):
    ann, bob = activity(actor_label="ann", method="PUT"), activity(actor_label="bob")
    visit(page, "/trackmate/activity/?range=7d")
    begin, entries = page.url, page.evaluate("history.length")
    field(page).press("End")
    for piece in re.findall("...?.?", f" {text}"):
        with page.expect_response("**/activity/?*"):
            field(page).press_sequentially(piece)
    expect(page).to_have_url(re.compile(rf"[=+]{re.escape(quote_plus(text))}$"))
    expect(row(page, bob)).to_have_count(0)
    assert page.evaluate("history.length") == entries
    typed = page.url
    assert typed != begin
    send(page, field(page))
    wait_until(page, f"history.length === {entries + 1}")
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
    query_line(page).fill("actor:ann")
    query_line(page).press("Enter")
    expect(row(page, bob)).to_have_count(0)
    query_line(page).press("Enter")
    query_line(page).fill("actor:bob")
    expect(row(page, bob)).to_be_visible()
    assert page.evaluate("history.length") == entries + 1
    status(page).select_option("Success")
    expect(page).to_have_url(re.compile("status=Success"))
    assert page.evaluate("history.length") == entries + 3
    page.evaluate("history.go(-3)")
    expect(page).to_have_url(begin)


def test_without_javascript_line_and_fields_are_combined(open_page, visit):
    activities(2, actor_label="ann")
    activity(actor_label="bob")
    page = visit(open_page(java_script_enabled=False), "/trackmate/activity/?filters=all")
    search = page.get_by_role("button", name="Search")
    expect(query_line(page)).not_to_have_attribute("role", "combobox")
    query_line(page).fill("actor:ann,bob -type:Read")
    search.click()
    expect(page.locator("#tm-rows tbody tr")).to_have_count(3)
    actor(page).fill("bob")
    search.click()
    expect(query_line(page)).to_have_value("actor:ann,bob -type:Read")
    expect(page.locator("#tm-rows tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Remove the filter Actor bob").click()
    expect(page.locator("#tm-rows tbody tr")).to_have_count(3)


def test_suggestions_are_chosen_by_keyboard(page, visit):
    ann = activity(actor_label="ann smith")
    bob = activity(actor_label="bob")
    visit(page)
    query_line(page).press_sequentially("ac")
    expect(query_line(page)).to_have_attribute("aria-expanded", "true")
    expect(suggestions(page)).to_have_text(["actor:", "action:", "action_type:"])
    expect(page.locator("#tm-status")).to_have_text("3 suggestions")
    query_line(page).press("ArrowDown")
    expect(suggestions(page).first).to_have_attribute("aria-selected", "true")
    expect(query_line(page)).to_have_attribute("aria-activedescendant", "tm-option-1")
    query_line(page).press("Enter")
    expect(query_line(page)).to_have_value("actor:")
    expect(suggestions(page)).to_have_text(["actor:bob", 'actor:"ann smith"'])
    query_line(page).press("ArrowUp")
    query_line(page).press("Tab")
    expect(query_line(page)).to_have_value('actor:"ann smith" ')
    expect(query_line(page)).to_be_focused()
    expect(query_line(page)).to_have_attribute("aria-expanded", "false")
    expect(row(page, bob)).to_have_count(0)
    expect(row(page, ann)).to_be_visible()


def test_escape_closes_suggestions_and_enter_then_asks(page, visit):
    activity()
    visit(page)
    query_line(page).press_sequentially("me")
    expect(suggestions(page)).to_have_text(["method:"])
    query_line(page).press("Escape")
    expect(suggestions(page)).to_have_count(0)
    expect(query_line(page)).to_have_value("me")
    query_line(page).press("ArrowDown")
    expect(suggestions(page)).to_have_text(["method:"])
    query_line(page).press("Enter")
    expect(page).to_have_url(re.compile("q=me$"))
    expect(query_line(page)).to_have_value("me")
    actor(page).focus()
    expect(page.locator("#tm-options")).to_be_hidden()


@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_a_late_answer_does_not_open_suggestions_again(page, visit, key):
    activity(actor_label="ann")
    visit(page)
    query_line(page).press_sequentially("ac")
    expect(suggestions(page)).to_have_count(3)
    held = []
    page.route("**/suggestions/**", lambda route: held.append(route))  # noqa: PLW0108 (Playwright marks it)
    with page.expect_request("**/suggestions/**"):
        query_line(page).press_sequentially("t")
    query_line(page).press(key)
    expect(page.locator("#tm-options")).to_be_hidden()
    expect(query_line(page)).to_have_attribute("aria-expanded", "false")
    for route in held:
        with page.expect_response("**/suggestions/**"):
            route.continue_()
    expect(page).to_have_url(re.compile("q=act$"))
    expect(page.locator("#tm-options")).to_be_hidden()
    page.unroute("**/suggestions/**")
    query_line(page).press("ArrowDown")
    expect(suggestions(page)).to_have_count(3)


@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_a_key_before_the_question_leaves_suggestions_closed(page, visit, key):
    activity(actor_label="ann")
    visit(page)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    query_line(page).press_sequentially("me")
    query_line(page).press(key)
    expect(page).to_have_url(re.compile("q=me$"))
    expect(page.locator("#tm-options")).to_be_hidden()
    assert [url for url in asked if "suggest" in url] == []


def test_a_suggestion_is_clicked_in_the_middle_of_a_line(page, visit):
    activity(action_type="Approve")
    visit(page)
    query_line(page).fill("type:A 😀 source:auth")
    query_line(page).evaluate("each => each.setSelectionRange(6, 6)")
    query_line(page).press("ArrowDown")
    suggestions(page).filter(has_text="Approve").click()
    expect(query_line(page)).to_have_value("type:Approve 😀 source:auth")
    expect(query_line(page)).to_be_focused()
    assert query_line(page).evaluate("each => each.selectionStart") == len("type:Approve ")


def test_other_fields_suggest_too(page, visit):
    stored = activity(actor_label="ann smith")
    activity(actor_label="bob")
    visit(page)
    actor(page).press_sequentially("smi")
    actor(page).press("ArrowDown")
    expect(suggestions(page)).to_have_text(["ann smith"])
    suggestions(page).first.click()
    expect(actor(page)).to_have_value("ann smith")
    expect(row(page, stored)).to_be_visible()


def test_suggestions_stay_beside_the_field_on_a_narrow_screen(page, visit):
    activities(20, actor_label="x" * 255)
    page.set_viewport_size({"width": 320, "height": 700})
    visit(page)
    query_line(page).press_sequentially("actor:x")
    expect(suggestions(page)).to_have_count(1)
    field, shown = query_line(page).bounding_box(), page.locator("#tm-options").bounding_box()
    assert shown["y"] >= field["y"] + field["height"]
    assert shown["x"] + shown["width"] <= 320
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert suggestions(page).first.bounding_box()["height"] >= 24


def test_without_suggestions_the_field_is_a_field(page, visit, complaints):
    activity()
    visit(page)
    page.route("**/suggestions/**", lambda route: route.fulfill(status=503, body="no"))
    wanted = "/suggestions/?name=q&q=actor%3A"
    with page.expect_request_finished(lambda request: wanted in request.url):
        query_line(page).press_sequentially("actor:")
    expect(suggestions(page)).to_have_count(0)
    expect(page.locator("#tm-toast")).to_be_empty()
    complaints.clear()
