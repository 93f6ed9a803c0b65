"""The settings: their types, their defaults, and that they are never frozen."""

import ast
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any, Literal

import pytest
from django.test import override_settings

from trackmate import conf
from trackmate.conf import Settings, accepts, default_of, get_settings, per_settings, suggestion_for

NAMES = [setting.name for setting in fields(Settings)]

ACCEPTED = [
    (True, bool),
    (1, int),
    (0.5, float),
    (1, float),
    ("text", str),
    (None, str | None),
    (Path("spool"), str | Path | None),
    ("full", Literal["full", "none"]),
    (["/a"], Sequence[str]),
    (("/a", re.compile("b")), Sequence[str | re.Pattern[str]]),
    ({"/a"}, Sequence[str]),
    ({"timeout": 3}, Mapping[str, Any]),
    (len, Callable[..., Any]),
    ("a.dotted.path", str | Callable[..., Any]),
    (object(), Any),
]
REFUSED = [
    (1, bool),
    ("yes", bool),
    (True, int),
    (1.5, int),
    (True, float),
    ("0.5", float),
    (None, str),
    (3, str | Path | None),
    ("some", Literal["full", "none"]),
    ("/a", Sequence[str]),
    ([3], Sequence[str]),
    ({"/a": 1}, Sequence[str]),
    ([("timeout", 3)], Mapping[str, Any]),
    ("len", Callable[..., Any]),
]


def test_without_the_setting_everything_has_its_default(settings):
    del settings.TRACKMATE
    get_settings.cache_clear()
    assert get_settings() == Settings()


def test_settings_cannot_be_assigned():
    with pytest.raises(FrozenInstanceError):
        get_settings().ENABLED = False


def test_what_a_project_writes_is_in_force():
    with override_settings(TRACKMATE={"SAMPLE_RATE": 0.25, "EXCLUDE_PATHS": ["/health/"]}):
        assert get_settings().SAMPLE_RATE == 0.25
        assert get_settings().EXCLUDE_PATHS == ["/health/"]


def test_settings_are_read_anew_when_they_change():
    with override_settings(TRACKMATE={"ENABLED": False}):
        assert not get_settings().ENABLED
    assert get_settings().ENABLED


def test_settings_are_built_once_between_two_changes():
    assert get_settings() is get_settings()


def test_what_is_made_of_settings_is_made_anew_when_any_of_them_changes(settings):
    made = per_settings(object)
    first = made()
    assert made() is first
    settings.SECRET_KEY = "another"
    assert made() is not first


@pytest.mark.parametrize(("value", "hint"), ACCEPTED)
def test_a_value_of_the_right_type_is_accepted(value, hint):
    assert accepts(value, hint)


@pytest.mark.parametrize(("value", "hint"), REFUSED)
def test_a_value_of_another_type_is_refused(value, hint):
    assert not accepts(value, hint)


@pytest.mark.parametrize(
    ("name", "value"),
    [("SAMPLE_RATE", "half"), ("EXCLUDE_PATHS", "/health/"), ("WRITE", "later"), ("ENABLED", None)],
)
def test_a_value_of_a_wrong_type_does_not_stop_a_running_site(configure, name, value):
    configure(**{name: value})
    assert getattr(get_settings(), name) == default_of(name)


def test_a_name_that_does_not_exist_does_not_stop_a_running_site(configure):
    configure(EXCLUDED_PATHS=["/health/"], SAMPLE_RATE=0.5)
    assert get_settings().SAMPLE_RATE == 0.5


@pytest.mark.parametrize("value", [None, ["ENABLED"], "ENABLED"])
def test_a_setting_that_is_no_dictionary_counts_as_unset(settings, value):
    settings.TRACKMATE = value
    assert get_settings() == Settings()


@pytest.mark.parametrize("name", NAMES)
def test_every_default_is_of_the_type_it_names(name):
    assert accepts(default_of(name), conf.setting_types()[name])


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_documented_where_it_stands(name):
    assert len(documentation()[name]) > 10


def documentation():
    """Return the text under each setting."""
    (declared,) = ast.parse(inspect.getsource(Settings)).body
    return {
        setting.target.id: text.value.value
        for setting, text in zip(declared.body, declared.body[1:], strict=False)
        if isinstance(setting, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("EXCLUDED_PATHS", "EXCLUDE_PATHS"),
        ("sample_rate", "SAMPLE_RATE"),
        ("REDACT_KEY", "REDACT_KEYS"),
        ("XYZZY", None),
    ],
)
def test_a_misspelled_name_is_recognised(written, meant):
    assert suggestion_for(written) == meant
