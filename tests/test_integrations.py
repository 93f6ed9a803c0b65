"""Integrations: found when installed, imported only then, and narrowed by a setting."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from trackmate import integrations
from trackmate.integrations import INTEGRATIONS, Integration
from trackmate.integrations.wrapping import call_after, call_before

ROOT = Path(__file__).parent.parent
MODULES = {path.stem for path in (ROOT / "trackmate/integrations").glob("*.py")}


@pytest.fixture
def installed(monkeypatch):
    """Return the names of what is installed, in place of installing it."""
    names = []
    monkeypatch.setattr(integrations, "_installed", set())
    monkeypatch.setattr(integrations, "_install", names.append)
    return names


@pytest.mark.parametrize("each", INTEGRATIONS, ids=lambda each: each.name)
def test_an_integration_is_a_module(each):
    assert each.name in MODULES


@pytest.mark.parametrize(
    ("package", "needs_app", "is_available"),
    [
        ("django.contrib.admin", True, True),
        ("django.contrib.gis", True, False),
        ("rest_framework", False, True),
        ("nowhere", False, False),
        ("nowhere.deeper", False, False),
    ],
)
def test_an_integration_is_available_if_its_package_is(package, needs_app, is_available):
    found = Integration(name="any", package=package, needs_app=needs_app)
    assert found.is_available == is_available


def test_each_is_installed_once_in_its_time(installed):
    for at_start in (True, False, True, False):
        integrations.install(at_start=at_start)
    available = [each for each in INTEGRATIONS if each.is_available]
    assert sorted(installed) == sorted(each.name for each in available)
    first = [each.name for each in available if each.at_start]
    assert installed[: len(first)] == first


@pytest.mark.parametrize("names", [(), ("admin",), ("admin", "passwords")])
def test_a_setting_narrows_them(installed, configure, names):
    configure(INTEGRATIONS=names)
    integrations.install(at_start=True)
    assert sorted(installed) == sorted(names)


def test_one_that_fails_costs_no_other(monkeypatch, activities):
    monkeypatch.setattr(integrations, "_installed", set())
    monkeypatch.setattr(
        integrations,
        "INTEGRATIONS",
        (Integration(name="no_such_module", package="django", needs_app=False),),
    )
    integrations.install(at_start=True)


PLAIN_PROJECT = """
import sys
from django.conf import settings
settings.configure(
    SECRET_KEY="for this test",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "trackmate"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
import django
django.setup()
packages = ("rest_framework", "django.contrib.admin.options", "allauth", "wagtail", "hijack")
print([name for name in packages if name in sys.modules])
"""


def test_what_a_project_does_not_use_is_not_imported():
    command = [sys.executable, "-W", "ignore", "-c", PLAIN_PROJECT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- wrapping --------------------------------------------------------------------------------


class Shop:
    def open(self, hour):
        return f"open at {hour}"

    @classmethod
    def named(cls, name):
        return f"{cls.__name__} {name}"

    async def close(self, hour):
        return f"closed at {hour}"


class Kiosk(Shop):
    """Inherits what is wrapped."""


@pytest.mark.parametrize(
    ("name", "call", "result", "owner"),
    [
        ("open", lambda: Kiosk().open(9), "open at 9", Kiosk),
        ("named", lambda: Kiosk.named("K"), "Kiosk K", Kiosk),
        ("close", lambda: asyncio.run(Kiosk().close(8)), "closed at 8", Kiosk),
    ],
)
def test_a_function_is_wrapped_without_being_changed(monkeypatch, name, call, result, owner):
    monkeypatch.setattr(Shop, name, Shop.__dict__[name])
    before, after = [], []

    def note_before(first, *args):
        before.append((first if isinstance(first, type) else type(first), args))

    def note_after(found, first, *args):
        after.append(found)
        raise RuntimeError("not for the project")

    for _time in range(2):
        call_before(Shop, name, note_before)
        call_after(Shop, name, note_after)
    assert call() == result
    assert after == [result]
    assert [each for each, _args in before] == [owner]
