"""Snippets: JSON that can be parsed again, Markdown in which values stay text."""

import json

import pytest
from django.test import RequestFactory
from markdown_it import MarkdownIt

from tests.factories import SCRIPT, activity, hostile_activity, person
from trackmate.clock import aware
from trackmate.dashboard.detail.documents import DOCUMENTS
from trackmate.dashboard.detail.replay import MAX_DATA
from trackmate.dashboard.detail.snippets import PLACEHOLDER, build_snippets
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


def snippets_of(stored, *, with_payload=True, host="testserver"):
    request = RequestFactory().get("/", headers={"host": host})
    row = one(every_row(), stored.pk, with_payload=with_payload)
    found = build_snippets(row, request, object_type="shop.order", with_payload=with_payload)
    return {snippet.name: snippet for snippet in found}


def blocks_of(text):
    """Return what a reader of Markdown makes of a text: kinds of tokens, nested ones too."""
    found = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)
    return [each for token in found for each in (token, *(token.children or ()))]


# JSON


def test_json_contains_the_whole_row():
    stored = activity(
        actor=person("ann"), data={"a": [1, None, "ü\u202e"]}, changes={"x": [1, 2]}, remarks="a\nb"
    )
    found = json.loads(snippets_of(stored)["json"].text)
    assert found["id"] == str(stored.pk)
    assert found["object_type"] == "shop.order"
    assert found["data"] == {"a": [1, None, "ü\u202e"]}
    assert (found["changes"], found["remarks"]) == ({"x": [1, 2]}, "a\nb")
    assert found["action_time"] == aware(stored.action_time).isoformat()
    assert found["actor_label"] == "ann"


def test_json_escapes_invisible_characters():
    text = snippets_of(activity(data={"k": "a\u202eb\x7f\U000e0041"}, path="/\u2066"))["json"].text
    assert text.replace("\n", "").isprintable()
    assert json.loads(text)["data"] == {"k": "a\u202eb\x7f\U000e0041"}


# Markdown


@pytest.mark.parametrize("value", HOSTILE)
def test_values_are_code_in_markdown(value):
    fields = dict.fromkeys(("action", "object_repr", "remarks", "path", "actor_label"), value)
    documents = {name: {value[:9]: [value, value]} for name in DOCUMENTS}
    text = snippets_of(activity(**fields, **documents))["markdown"].text
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


def test_markdown_contains_the_row():
    stored = activity(action="shop.order.update", remarks="two\nlines", data={"a": "`b`"})
    text = snippets_of(stored)["markdown"].text
    codes = [token.content for token in blocks_of(text) if token.type == "code_inline"]
    assert codes[0] == "shop.order.update"
    assert "two \N{RETURN SYMBOL} lines" in codes
    [fence] = [token for token in blocks_of(text) if token.type == "fence"]
    assert (fence.info, json.loads(fence.content)) == ("json", {"a": "`b`"})
    [link] = [token for token in blocks_of(text) if token.type == "link_open"]
    assert link.attrs["href"] == f"http://testserver/trackmate/activity/{stored.pk}/"
    assert "user_agent" not in text


def test_markdown_is_cut_off():
    text = snippets_of(activity(data=["x" * 9_000] * 9))["markdown"].text
    assert len(text) < MAX_DATA + 2_000
    assert " more]\n```" in text
    assert "x" * 9_000 in snippets_of(activity(data=["x" * 9_000] * 9))["json"].text


@pytest.mark.parametrize(
    "fields", [{}, {"route": "r/"}, {"action_type": "Login"}, {"action": "a", "route": "r/"}]
)
def test_the_title(fields):
    stored = activity(**fields)
    title = fields.get("action") or (list(fields.values()) or [str(stored.pk)])[0]
    assert snippets_of(stored)["markdown"].text.startswith(f"## `{title}`\n")


# The others


def test_the_link_has_the_host_of_the_request():
    stored = activity()
    assert snippets_of(stored)["link"].text == f"http://testserver/trackmate/activity/{stored.pk}/"
    stranger = snippets_of(stored, host="evil.example")["link"].text
    assert stranger.startswith(f"{PLACEHOLDER}/trackmate/")


def test_only_a_request_can_be_replayed():
    assert list(snippets_of(activity())) == ["link", "json", "markdown"]
    assert list(snippets_of(hostile_activity())) == ["link", "json", "markdown"]
    request = activity(source="request", method="GET", path="/")
    assert list(snippets_of(request)) == ["link", "json", "curl", "client", "markdown"]
    assert snippets_of(request)["curl"].text == "curl http://testserver/"


# Without the permission


def test_no_snippet_contains_hidden_payload(django_assert_num_queries):
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
        found = snippets_of(stored, with_payload=False)
    assert "opensesame" not in "".join(snippet.text for snippet in found.values())
    assert [name for name, snippet in found.items() if snippet.note] == [
        "json",
        "curl",
        "client",
        "markdown",
    ]
    assert "data" not in json.loads(found["json"].text)
    assert "seen=1" in found["curl"].text
    assert "opensesame" in snippets_of(stored)["curl"].text


def test_no_note_where_nothing_is_missing():
    stored = activity(source="request", method="POST", path="/")
    assert {snippet.note for snippet in snippets_of(stored, with_payload=False).values()} == {""}
