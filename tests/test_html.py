"""The HTML of every page and fragment, in the eyes of the Nu HTML checker."""

import json
import re
import subprocess

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests.page_states import FRAGMENTS, PAGES, world
from tests.urls_under_test import text_of
from tools import machine
from trackmate.dashboard.forms.fields import TimeInput

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.page_states")]

# htmx reads these names, which the standard leaves to nobody.
ALLOWED = r"Attribute “hx-[a-z:-]+” not allowed on element “[a-z]+” at this point\."
AROUND = '<!DOCTYPE html>\n<html lang="en"><head><title>A part</title></head><body>{}</body></html>'
TYPED = re.compile(
    r'<form id="changelist-search".*?</form>|<details(?:(?!</details).)*type="text".*?</details>',
    re.DOTALL,
)
OURS = {"admin, a filter to type into": TYPED}
"""What is ours on a page of somebody else."""
INSIDE = {"suggestions": '<ul role="listbox" aria-label="Suggestions">{}</ul>'}
"""What a part of a page stands in."""


def test_no_page_and_no_fragment_has_an_error(settings, checkers, tmp_path):
    known = world()
    for number, (name, sight) in enumerate([*PAGES.items(), *FRAGMENTS.items()]):
        html = html_of(sight, known, settings)
        if name in OURS:
            html = "".join(OURS[name].findall(html))
            assert html
        html = INSIDE[name].format(html) if name in INSIDE else html
        whole = html if "<html" in html else AROUND.format(f"<h1>A part</h1>{html}")
        (tmp_path / f"{number}. {name}.html").write_text(whole)
    found = complaints(tmp_path, checkers)
    assert not found, "\n".join(found)


SIGHTS = [*PAGES.values(), *FRAGMENTS.values()]


@pytest.mark.parametrize("sight", SIGHTS, ids=[*PAGES, *(f"part: {name}" for name in FRAGMENTS)])
def test_a_project_that_marks_what_templates_lack_sees_no_mark(settings, sight):
    (engine,) = settings.TEMPLATES
    options = {**engine["OPTIONS"], "string_if_invalid": "(missing: %s)"}
    settings.TEMPLATES = [{**engine, "OPTIONS": options}]
    assert re.findall(r"\(missing: .*?\)", html_of(sight, world(), settings)) == []


def html_of(sight, known, settings):
    settings.TRACKMATE = sight.settings
    client = Client()
    client.force_login(get_user_model().objects.get(username=sight.who))
    response = client.get(sight.address.format(**known), headers=sight.headers)
    assert response.status_code == sight.status
    return text_of(response)


def complaints(folder, checkers):
    """Let one Java look at all files, and say what is wrong where."""
    vnu = checkers / "vnu-jar/build/dist/vnu.jar"
    options = ["--format", "json", "--exit-zero-always", "--stdout", "--no-langdetect"]
    command = [machine.JAVA.find(), "-jar", vnu, *options, "--filterpattern", ALLOWED, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [
        f"{each['url'].rpartition('/')[2]}, line {each.get('lastLine')}: {each['message']}"
        f" {each.get('extract', '')}"
        for each in json.loads(done.stdout)["messages"]
    ]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("2026-11-23T09:30", "2026-11-23T09:30:00"),
        ("2026-11-23 09:30:15.5", "2026-11-23T09:30:15"),
        ("2026-11-23", "2026-11-23T00:00:00"),
        ("2026-11-23T09:30Z", "2026-11-23T10:30:00"),
        ("0001-01-01T00:00+14:00", None),
        ("2026-13-01", None),
        ("never", None),
        ("", None),
        (None, None),
    ],
)
def test_the_picker_gets_what_it_can_show(typed, shown):
    assert TimeInput().format_value(typed) == shown
