"""An activity as a text to take along: JSON that reads back, Markdown that stays text."""

import json

import pytest
from django.test import RequestFactory
from markdown_it import MarkdownIt

from tests.rows import SCRIPT, activity, hostile_activity, person
from trackmate.clock import aware
from trackmate.dashboard.copies import PLACEHOLDER, copies
from trackmate.dashboard.documents import DOCUMENTS
from trackmate.dashboard.replays import LONGEST
from trackmate.selectors import every_row, one

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

HOSTILE = (
    SCRIPT,
    "[a link](https://evil.example/) <https://evil.example/> https://evil.example/",
    "![an image](https://evil.example/x.png)",
    "`` ` ``` end of code <b>bold</b>",
    "` ``` ~~~\n```\n<b>bold</b>\n\n# heading\n\n| a | b |\n|---|---|\n| c | d |",
    "   indented",
    "\n\n\nlines\r\n\r\n> quote\n- item",
    "\\`escaped\\` & &lt;b&gt; a\u202eb\x1b",
    " ",
    "`",
)


def copies_of(stored, *, with_payload=True, host="testserver"):
    request = RequestFactory().get("/", headers={"host": host})
    row = one(every_row(), stored.pk, with_payload=with_payload)
    found = copies(row, request, kind="shop.order", with_payload=with_payload)
    return {copy.name: copy for copy in found}


def blocks_of(text):
    """Return what a reader of Markdown makes of a text: kinds of tokens, nested ones too."""
    found = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)
    return [each for token in found for each in (token, *(token.children or ()))]


# JSON


def test_json_holds_the_whole_row():
    stored = activity(
        actor=person("ann"), data={"a": [1, None, "ü\u202e"]}, changes={"x": [1, 2]}, remarks="a\nb"
    )
    found = json.loads(copies_of(stored)["json"].text)
    assert found["id"] == str(stored.pk)
    assert found["object_type"] == "shop.order"
    assert found["data"] == {"a": [1, None, "ü\u202e"]}
    assert (found["changes"], found["remarks"]) == ({"x": [1, 2]}, "a\nb")
    assert found["action_time"] == aware(stored.action_time).isoformat()
    assert found["actor_label"] == "ann"


def test_json_has_no_character_that_hides_or_reorders():
    text = copies_of(activity(data={"k": "a\u202eb\x7f\U000e0041"}, path="/\u2066"))["json"].text
    assert text.replace("\n", "").isprintable()
    assert json.loads(text)["data"] == {"k": "a\u202eb\x7f\U000e0041"}


# Markdown


@pytest.mark.parametrize("value", HOSTILE)
def test_markdown_makes_nothing_of_a_value_but_code(value):
    fields = dict.fromkeys(("action", "object_repr", "remarks", "path", "actor_label"), value)
    documents = {name: {value[:9]: [value, value]} for name in DOCUMENTS}
    text = copies_of(activity(**fields, **documents))["markdown"].text
    kinds = [token.type for token in blocks_of(text)]
    allowed = {"heading", "paragraph", "bullet_list", "list_item", "link", "text", "softbreak"}
    assert {kind.removesuffix("_open").removesuffix("_close") for kind in kinds} <= allowed | {
        "inline",
        "code_inline",
        "fence",
    }
    assert kinds.count("heading_open") == kinds.count("link_open") == 1
    assert kinds.count("fence") == 4
    assert kinds.count("bullet_list_open") == 1


def test_markdown_tells_what_the_row_holds():
    stored = activity(action="shop.order.update", remarks="two\nlines", data={"a": "`b`"})
    text = copies_of(stored)["markdown"].text
    codes = [token.content for token in blocks_of(text) if token.type == "code_inline"]
    assert codes[0] == "shop.order.update"
    assert "two \N{RETURN SYMBOL} lines" in codes
    [fence] = [token for token in blocks_of(text) if token.type == "fence"]
    assert (fence.info, json.loads(fence.content)) == ("json", {"a": "`b`"})
    [link] = [token for token in blocks_of(text) if token.type == "link_open"]
    assert link.attrs["href"] == f"http://testserver/trackmate/activity/{stored.pk}/"
    assert "user_agent" not in text


def test_markdown_ends_and_says_so():
    text = copies_of(activity(data=["x" * 9_000] * 9))["markdown"].text
    assert len(text) < LONGEST + 2_000
    assert " more]\n```" in text
    assert "x" * 9_000 in copies_of(activity(data=["x" * 9_000] * 9))["json"].text


@pytest.mark.parametrize(
    "fields", [{}, {"route": "r/"}, {"action_type": "Login"}, {"action": "a", "route": "r/"}]
)
def test_everything_has_a_title(fields):
    stored = activity(**fields)
    title = fields.get("action") or (list(fields.values()) or [str(stored.pk)])[0]
    assert copies_of(stored)["markdown"].text.startswith(f"## `{title}`\n")


# The others


def test_the_link_is_the_one_of_this_site():
    stored = activity()
    assert copies_of(stored)["link"].text == f"http://testserver/trackmate/activity/{stored.pk}/"
    stranger = copies_of(stored, host="evil.example")["link"].text
    assert stranger.startswith(f"{PLACEHOLDER}/trackmate/")


def test_only_a_request_can_be_asked_again():
    assert list(copies_of(activity())) == ["link", "json", "markdown"]
    assert list(copies_of(hostile_activity())) == ["link", "json", "markdown"]
    request = activity(source="request", method="GET", path="/")
    assert list(copies_of(request)) == ["link", "json", "curl", "client", "markdown"]
    assert copies_of(request)["curl"].text == "curl http://testserver/"


# Without the permission


def test_no_copy_has_what_one_may_not_see(django_assert_num_queries):
    secret = {"word": "opensesame"}
    stored = activity(
        source="request",
        method="POST",
        path="/",
        data=secret,
        response=secret,
        changes={"word": ["opensesame", ""]},
        extra={"query": "seen=1"},
    )
    with django_assert_num_queries(1):
        found = copies_of(stored, with_payload=False)
    assert "opensesame" not in "".join(copy.text for copy in found.values())
    assert [name for name, copy in found.items() if copy.note] == [
        "json",
        "curl",
        "client",
        "markdown",
    ]
    assert "data" not in json.loads(found["json"].text)
    assert "seen=1" in found["curl"].text
    assert "opensesame" in copies_of(stored)["curl"].text


def test_nothing_is_said_to_lack_where_there_is_nothing():
    stored = activity(source="request", method="POST", path="/")
    assert {copy.note for copy in copies_of(stored, with_payload=False).values()} == {""}
