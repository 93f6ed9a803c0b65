"""What the package shows to the world."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import trackmate

ROOT = Path(__file__).parent.parent


def test_the_public_names_are_sorted():
    assert trackmate.__all__ == sorted(trackmate.__all__)


def test_the_public_names_are_the_promised_ones():
    verbs = ["bind", "copy_context", "register", "suppress", "track", "tracker", "tracking"]
    assert trackmate.__all__ == ["ActionType", "Status", *verbs]


@pytest.mark.parametrize("name", trackmate.__all__)
def test_a_public_name_can_be_imported_and_has_a_docstring(name):
    assert getattr(trackmate, name).__doc__


def test_a_star_import_gives_these_and_no_others():
    names = {}
    exec("from trackmate import *", names)
    assert set(names) - {"__builtins__"} == set(trackmate.__all__)


@pytest.mark.parametrize(
    "name",
    ["CREATE", "READ", "UPDATE", "DELETE", "LOGIN", "LOGOUT", "LOGIN_FAILED", "SUCCESS", "FAILED"],
)
def test_the_constants_stand_beside_the_model(name):
    assert isinstance(getattr(importlib.import_module("trackmate.models"), name), str)


def test_the_package_can_be_imported_before_django_is_set_up():
    script = "import sys, trackmate; print('trackmate.models' in sys.modules)"
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
