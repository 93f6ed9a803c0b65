"""Changed fields: which words are marked, and the note on the whole value."""

from time import perf_counter

import pytest
from django.utils import timezone

from trackmate.dashboard.detail.diff import parse_changes
from trackmate.redaction.known_secrets import MASK


def spelled(pieces):
    """Return a side with its marked words in brackets, and its blanks in angle brackets."""
    signs = {"same": "%s", "changed": "[%s]", "blank": "<%s>"}
    return "".join(signs[piece.type] % piece.text for piece in pieces)


NULL = "<\N{EN DASH}>"


def diff(old, new):
    [change] = parse_changes({"field": [old, new]})
    return spelled(change.old), spelled(change.new), change.note


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        ("open", "closed", "[open]", "[closed]"),
        ("a small red house", "a small blue house", "a small [red] house", "a small [blue] house"),
        ("one two", "one two three", "one two", "one two[ three]"),
        ("twice a day", "three times a day", "[twice] a day", "[three times] a day"),
        ("due 2026-11-02, 12.50", "due 2026-11-03, 12.50", None, "due [2026-11-03], 12.50"),
        ("to ann@example.com", "to bob@example.com", None, "to [bob@example.com]"),
        ("really?", "really!", "really[?]", "really[!]"),
        ("a b c d", "a x y d", "a [b c] d", "a [x y] d"),
        ("line one\nline two", "line one\nline 2", "line one\nline [two]", "line one\nline [2]"),
        ("größe 5", "größe 6", "größe [5]", "größe [6]"),
        ("aaa bbb", "bbb aaa", None, None),
    ],
)
def test_the_words_that_differ_are_marked(old, new, before, after):
    left, right, note = diff(old, new)
    assert (left, right) == (before or left, after or right)
    assert note == ""
    assert [side.replace("[", "").replace("]", "") for side in (left, right)] == [old, new]


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        (12.5, 13, "[12.5]", "[13]"),
        (True, False, "[true]", "[false]"),
        ("5", 5, '["]5["]', "5"),
        (["a", "b"], ["a", "c"], '[\n  "a",\n  "[b]"\n]', '[\n  "a",\n  "[c]"\n]'),
        ({"k": 1}, {"k": 2}, '{\n  "k": [1]\n}', '{\n  "k": [2]\n}'),
    ],
)
def test_other_values_are_compared_as_json(old, new, before, after):
    assert diff(old, new) == (before, after, "")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, "new", (NULL, "[new]", "added")),
        ("old", None, ("[old]", NULL, "removed")),
        (None, "", (NULL, "<empty>", "added")),
        (None, {"a": 1}, (NULL, '[{\n  "a": 1\n}]', "added")),
        ("", "new", ("<empty>", "[new]", "")),
        ("old", "", ("[old]", "<empty>", "")),
        ("same", "same", ("same", "same", "unchanged")),
        (None, None, (NULL, NULL, "unchanged")),
        (MASK, MASK, (MASK, MASK, "")),
        (f"to {MASK}", f"to {MASK}", (f"to {MASK}", f"to {MASK}", "")),
    ],
)
def test_the_note_says_what_happened_to_the_whole_value(old, new, expected):
    assert diff(old, new) == expected


def test_invisible_characters_are_shown():
    assert diff("admin", "admin\u200b")[1] == "admin[\\u200b]"
    assert parse_changes({"a\u202eb": [1, 2]})[0].name == "a\\u202eb"


@pytest.mark.parametrize(
    "value", [None, [], {}, "text", 5, ["a"], {"a": "b"}, {"a": [1]}, {"a": [1, 2], "b": 3}]
)
def test_other_values_have_no_changed_fields(value):
    assert parse_changes(value) == ()


WORDS = [f"word{number}" for number in range(20_000)]


@pytest.mark.parametrize(
    "new",
    [
        [*WORDS[:9_000], "other", *WORDS[9_001:]],
        [WORDS[number ^ 1] for number in range(20_000)],
        ["word"] * 20_000,
        [],
    ],
)
def test_long_texts_are_compared_quickly(new):
    started = perf_counter()
    change = parse_changes({f"f{number}": [" ".join(WORDS), " ".join(new)] for number in range(3)})[
        0
    ]
    assert perf_counter() - started < 5
    assert "".join(piece.text for piece in change.old) == " ".join(WORDS)


def test_one_word_of_a_long_text_is_still_marked():
    new = [*WORDS[:9_000], "other", *WORDS[9_001:]]
    [change] = parse_changes({"field": [" ".join(WORDS), " ".join(new)]})
    assert [piece.text for piece in change.new if piece.type == "changed"] == ["other"]


def test_the_number_of_comparisons_is_limited_by_row():
    swapped = [WORDS[number ^ 1] for number in range(400)]
    pair = [" ".join(WORDS[:400]), " ".join(swapped)]
    changes = parse_changes({f"f{number}": pair for number in range(9)})
    assert len(changes[0].new) > 100
    assert [len(change.new) for change in changes[2:]] == [1] * 7


@pytest.mark.parametrize(
    ("change", "before", "after", "note"),
    [
        ([{"value": 7}, {"value": 8, "label": "Tea"}], "[7]", "[Tea (8)]", ""),
        ([None, {"value": "p", "label": "Packed"}], NULL, "[Packed (p)]", "added"),
        ([{"value": "x", "label": "x"}, None], "[x]", NULL, "removed"),
        ([{"value": "open", "label": "Open"}, None], "[Open]", NULL, "removed"),
        ([{"value": 7, "label": "Tea", "more": 1}, None], None, NULL, "removed"),
        (
            {"added": [{"value": 7, "label": "Tea"}, {"value": 8, "label": "Rum"}], "removed": []},
            NULL,
            "[Tea (7)\nRum (8)]",
            "added",
        ),
        ({"added": ["a"], "removed": ["b"]}, '[\n  "[b]"\n]', '[\n  "[a]"\n]', ""),
    ],
)
def test_objects_and_choices_are_named(change, before, after, note):
    [shown] = parse_changes({"field": change})
    assert spelled(shown.old) == (before or spelled(shown.old))
    assert (spelled(shown.new), str(shown.note)) == (after, note)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-07-01T22:30:00.000004+00:00", "2026-07-02 00:30:00.000004 CEST"),
        ("2026-12-01T12:00:00+00:00", "2026-12-01 13:00:00 CET"),
        # No times, or none that a field has recorded.
        ("2026-07-01T22:30:00", None),
        ("2026-07-01T22:30:00+02:00", None),
        ("at 2026-07-01T22:30:00+00:00", None),
        ("2026-13-01T22:30:00+00:00", None),
        ("9999-12-31T23:59:59+00:00", None),
        ("٢٠٢٦-07-01T22:30:00+00:00", None),
    ],
)
def test_recorded_times_are_those_of_the_current_time_zone(value, expected):
    with timezone.override("Europe/Berlin"):
        [shown] = parse_changes({"at": [None, value]})
    assert spelled(shown.new) == f"[{expected or value}]"


@pytest.mark.parametrize("change", [{}, {"added": [1], "other": 2}, "text", [1, 2, 3], None])
def test_what_is_no_change_is_shown_as_it_is(change):
    assert parse_changes({"field": change}) == ()
