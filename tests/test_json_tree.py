"""JSON as a tree: values, open levels and bounds."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest

from tests.factories import SCRIPT
from trackmate.dashboard.detail.json_tree import (
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_LENGTH,
    MAX_NODES,
    build_tree,
)


class Reader(HTMLParser):
    """Collects the tags of a tree, and sees that each is closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.deepest = [], [], 0
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append((tag, dict(attrs)))
        self.deepest = max(self.deepest, self.open.count("ul"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def count(self, tag):
        return [each for each, _attributes in self.tags].count(tag)


def text_of(tree):
    return unescape(re.sub(r"<[^>]*>", "", tree.html))


def nested(depth):
    value = "end"
    for _level in range(depth):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    ("value", "text", "tag"),
    [
        ("a", '"a"', '<bdi data-type="text">'),
        ("5", '"5"', '<bdi data-type="text">'),
        ("null", '"null"', '<bdi data-type="text">'),
        ('say "a\\b"', '"say \\"a\\\\b\\""', '<bdi data-type="text">'),
        ("one\ntwo", '"one\\n\ntwo"', '<bdi data-type="text">'),
        ("one\\ntwo", '"one\\\\ntwo"', '<bdi data-type="text">'),
        (5, "5", "<bdi>"),
        (0.5, "0.5", "<bdi>"),
        (True, "true", "<bdi>"),
        (None, "null", "<bdi>"),
        ({}, "{}", "<bdi>"),
        ([], "[]", "<bdi>"),
    ],
)
def test_a_value_is_written_as_in_json(value, text, tag):
    tree = build_tree({"name": value})
    assert text_of(tree) == f"name: {text}"
    assert f": {tag}" in tree.html
    assert tree.is_whole


@pytest.mark.parametrize("value", ["text", 5, None, [], {}])
def test_a_value_without_items(value):
    assert "<ul" not in build_tree(value).html
    assert build_tree(value).is_whole


def test_lists_and_objects_show_their_size():
    text = text_of(build_tree({"a": [1], "b": [1, 2], "c": {"x": 1}, "d": {"x": 1, "y": {}}}))
    for size in ("a: 1 item", "b: 2 items", "c: 1 field", "d: 2 fields"):
        assert size in text


def test_the_first_levels_are_open_unless_they_are_long():
    def summaries(value):
        tree = build_tree(value).html
        found = re.findall(r"<details( open)?><summary><bdi[^>]*>(.*?)<", tree)
        return {unescape(name): bool(is_open) for is_open, name in found}

    assert summaries({"a": {"b": {"c": {"d": 1}}}}) == {"a": True, "b": True, "c": False}
    assert summaries({"a": list(range(20)), "b": list(range(21))}) == {"a": True, "b": False}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain", "plain"),
        ("items[0].id", "items[0].id"),
        ('a": 1, "b', '"a\\": 1, \\"b"'),
        ("", '""'),
        ("a b", '"a b"'),
        ("a\u202eb", '"a\\u202eb"'),
        ("name\n", '"name\\n\n"'),
    ],
)
def test_a_name_that_is_not_a_word_is_quoted(name, shown):
    assert text_of(build_tree({name: 1})) == f"{shown}: 1"


def test_values_are_escaped():
    value = {SCRIPT: [SCRIPT, {SCRIPT: SCRIPT}], "b": "a\u202eb\u200b\x00\x7f\ud800\U000e0041"}
    tree = build_tree(value)
    tags = {tag for tag, _attributes in Reader(tree.html).tags}
    assert tags <= {"ul", "li", "bdi", "details", "summary", "span"}
    assert "a\\u202eb\\u200b\\u0000\\u007f\\ud800\\udb40\\udc41" in text_of(tree)
    tree.html.encode()


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        (list(range(MAX_ITEMS + 5)), "5 more, not shown"),
        ({f"k{number}": 1 for number in range(MAX_ITEMS + 1)}, "1 more, not shown"),
        ({"long": "x" * (MAX_LENGTH + 1)}, "1 more character, not shown"),
        ({"long": "x" * (MAX_LENGTH + 1_500)}, "1,500 more characters, not shown"),
        (nested(MAX_DEPTH + 3), "in: 1 more, not shown"),
        ([list(range(90))] * 90, "more, not shown"),
    ],
)
def test_what_is_left_out_is_counted(value, missing):
    tree = build_tree(value)
    assert missing in text_of(tree)
    assert not tree.is_whole


@pytest.mark.parametrize("value", [list(range(MAX_ITEMS)), "x" * MAX_LENGTH, nested(MAX_DEPTH)])
def test_a_value_within_the_bounds_is_whole(value):
    assert build_tree(value).is_whole


@pytest.mark.parametrize("value", [[[[1] * 90] * 90] * 90, nested(900), [["x" * 5_000] * 99] * 99])
def test_no_value_makes_a_large_page(value):
    reader = Reader(build_tree(value).html)
    assert reader.count("li") <= 2 * MAX_NODES
    assert reader.deepest <= MAX_DEPTH
