"""JSON as a tree: how values read, what is open, and where it ends."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest

from tests.rows import SCRIPT
from trackmate.dashboard.trees import DEPTH, ITEMS, LENGTH, NODES, tree_of


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
    ("value", "text", "kind"),
    [
        ("a", '"a"', "text"),
        ("5", '"5"', "text"),
        ("null", '"null"', "text"),
        ('say "a\\b"', '"say \\"a\\\\b\\""', "text"),
        ("one\ntwo", '"one\\n\ntwo"', "text"),
        ("one\\ntwo", '"one\\\\ntwo"', "text"),
        (5, "5", "number"),
        (0.5, "0.5", "number"),
        (True, "true", "word"),
        (None, "null", "word"),
        ({}, "{}", "number"),
        ([], "[]", "number"),
    ],
)
def test_a_value_reads_as_json_writes_it(value, text, kind):
    tree = tree_of({"name": value})
    assert text_of(tree) == f"name: {text}"
    assert f'<bdi data-kind="{kind}">' in tree.html
    assert tree.is_whole


@pytest.mark.parametrize("value", ["text", 5, None, [], {}])
def test_a_value_alone_is_a_tree_too(value):
    assert "<ul" not in tree_of(value).html
    assert tree_of(value).is_whole


def test_lists_and_objects_tell_their_size():
    text = text_of(tree_of({"a": [1], "b": [1, 2], "c": {"x": 1}, "d": {"x": 1, "y": {}}}))
    for size in ("a: 1 item", "b: 2 items", "c: 1 field", "d: 2 fields"):
        assert size in text


def test_the_first_levels_are_open_unless_they_are_long():
    def summaries(value):
        tree = tree_of(value).html
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
def test_a_name_that_is_no_word_stands_in_quotes(name, shown):
    assert text_of(tree_of({name: 1})) == f"{shown}: 1"


def test_nothing_in_it_is_markup_and_nothing_reorders_it():
    value = {SCRIPT: [SCRIPT, {SCRIPT: SCRIPT}], "b": "a\u202eb\u200b\x00\x7f\ud800\U000e0041"}
    tree = tree_of(value)
    tags = {tag for tag, _attributes in Reader(tree.html).tags}
    assert tags <= {"ul", "li", "bdi", "details", "summary", "span"}
    assert "a\\u202eb\\u200b\\u0000\\u007f\\ud800\\udb40\\udc41" in text_of(tree)
    tree.html.encode()


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        (list(range(ITEMS + 5)), "5 more, not shown"),
        ({f"k{number}": 1 for number in range(ITEMS + 1)}, "1 more, not shown"),
        ({"long": "x" * (LENGTH + 1)}, "1 more character, not shown"),
        ({"long": "x" * (LENGTH + 1_500)}, "1,500 more characters, not shown"),
        (nested(DEPTH + 3), "in: 1 more, not shown"),
        ([list(range(90))] * 90, "more, not shown"),
    ],
)
def test_it_ends_and_says_so(value, missing):
    tree = tree_of(value)
    assert missing in text_of(tree)
    assert not tree.is_whole


@pytest.mark.parametrize("value", [list(range(ITEMS)), "x" * LENGTH, nested(DEPTH)])
def test_what_just_fits_is_whole(value):
    assert tree_of(value).is_whole


@pytest.mark.parametrize("value", [[[[1] * 90] * 90] * 90, nested(900), [["x" * 5_000] * 99] * 99])
def test_no_value_makes_a_page_that_does_not_end(value):
    reader = Reader(tree_of(value).html)
    assert reader.count("li") <= 2 * NODES
    assert reader.deepest <= DEPTH
