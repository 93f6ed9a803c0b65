"""The translations: complete, compiled, true to their placeholders, and shown on the screen."""

import ast
import re
from collections import Counter
from gettext import GNUTranslations
from html import unescape
from pathlib import Path

import pytest
from django.utils.translation import gettext, ngettext, override
from django.utils.translation.template import templatize

from tests.factories import activity, person

PACKAGE = Path(__file__).parent.parent / "trackmate"
LANGUAGES = ("de", "fr")
MARKS = {"_", "gettext", "gettext_lazy", "ngettext"}
STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[ds]|\{\w+\}")

each_language = pytest.mark.parametrize("language", LANGUAGES)


def catalogue(language, suffix):
    return PACKAGE / "locale" / language / "LC_MESSAGES" / f"django.{suffix}"


def entries(language):
    """Return the entries of a catalogue, each a dictionary of its keywords and their texts."""
    _header, *blocks = catalogue(language, "po").read_text().strip().split("\n\n")
    return [entry_of(block) for block in blocks]


def entry_of(block):
    found = re.findall(r'^(msg\S+) ((?:".*"\n?)+)', block, re.MULTILINE)
    return {word: "".join(map(ast.literal_eval, text.splitlines())) for word, text in found}


def translations_of(entry):
    return [text for word, text in entry.items() if word.startswith("msgstr")]


def compiled(language):
    with catalogue(language, "mo").open("rb") as file:
        return GNUTranslations(file)


def texts_of_python(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS:
            yield node.args[0].value


def texts_of_template(source):
    for text in re.findall(rf"gettext\(u?({STRING})", templatize(source)):
        yield ast.literal_eval(text)


def texts_of_the_package():
    python = {text for path in PACKAGE.rglob("*.py") for text in texts_of_python(path.read_text())}
    templates = PACKAGE.rglob("*.html")
    return python | {text for path in templates for text in texts_of_template(path.read_text())}


def test_every_language_is_tested():
    assert sorted(LANGUAGES) == sorted(path.name for path in (PACKAGE / "locale").iterdir())


@each_language
def test_a_catalogue_has_every_text_of_the_package_and_no_other(language):
    found = Counter(entry["msgid"] for entry in entries(language))
    assert set(found) == texts_of_the_package()
    assert set(found.values()) == {1}


@each_language
def test_every_text_is_translated(language):
    assert [entry["msgid"] for entry in entries(language) if not all(translations_of(entry))] == []


@each_language
def test_every_plural_has_all_its_forms(language):
    header = catalogue(language, "po").read_text().partition("\n\n")[0]
    forms = int(re.search(r"nplurals=(\d)", header)[1])
    plurals = [entry for entry in entries(language) if "msgid_plural" in entry]
    assert len(plurals) >= 5
    assert {len(translations_of(entry)) for entry in plurals} == {forms}


@each_language
def test_no_translation_is_a_guess_or_a_leftover(language):
    lines = catalogue(language, "po").read_text().splitlines()
    assert [line for line in lines if line.startswith("#~") or "fuzzy" in line] == []


@each_language
def test_a_translation_has_the_placeholders_of_its_text(language):
    for entry in entries(language):
        for word, text in entry.items():
            is_many = word.startswith("msgstr[") and word != "msgstr[0]"
            original = entry["msgid_plural" if is_many else "msgid"]
            if word.startswith("msgstr"):
                assert Counter(PLACEHOLDER.findall(text)) == Counter(PLACEHOLDER.findall(original))


@each_language
def test_a_translation_keeps_the_edges_of_its_text(language):
    for entry in entries(language):
        original = entry["msgid"]
        for text in translations_of(entry):
            assert text.startswith(" ") == original.startswith(" "), text
            assert text.endswith(" ") == original.endswith(" "), text
            assert text.endswith(".") or not original.endswith("."), text


@each_language
def test_the_header_names_the_language_and_nobody(language):
    header = compiled(language).info()
    assert header["language"] == language
    assert header["content-type"] == "text/plain; charset=UTF-8"
    assert not {"last-translator", "pot-creation-date", "po-revision-date"} & set(header)


@each_language
def test_the_compiled_catalogue_is_up_to_date(language):
    written = {}
    for entry in entries(language):
        texts = translations_of(entry)
        if "msgid_plural" in entry:
            written |= {(entry["msgid"], form): text for form, text in enumerate(texts)}
        else:
            written[entry["msgid"]] = texts[0]
    assert {key: text for key, text in compiled(language)._catalog.items() if key} == written


@pytest.mark.parametrize(
    ("language", "text", "translation"),
    [
        ("de", "Activity log", "Aktivitätsprotokoll"),
        ("de", "the last 24 hours", "letzte 24 Stunden"),
        ("de", "“%(text)s” is not a date and time.", "„%(text)s“ ist kein Datum mit Uhrzeit."),
        ("de", "Unknown account (%(hash)s)", "Unbekanntes Konto (%(hash)s)"),
        ("fr", "Failed login", "Connexion échouée"),
        ("fr", "the last 24 hours", "24 dernières heures"),
        ("fr", "Back to the list", "Retour à la liste"),
    ],
)
def test_django_finds_a_text(language, text, translation):
    with override(language):
        assert gettext(text) == translation


@pytest.mark.parametrize(
    ("language", "number", "translation"),
    [
        ("de", 0, "%d Stunden"),
        ("de", 1, "%d Stunde"),
        ("de", 2, "%d Stunden"),
        ("fr", 0, "%d heure"),
        ("fr", 1, "%d heure"),
        ("fr", 2, "%d heures"),
    ],
)
def test_django_finds_the_plural_of_a_text(language, number, translation):
    with override(language):
        assert ngettext("%d hour", "%d hours", number) == translation


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "heading", "caption"),
    [
        ("de", "Aktivitäten", "Aktivitäten, neueste zuerst (letzte 24 Stunden)"),
        (
            "fr",
            "Activité",
            f"Activités, les plus récentes d{APOSTROPHE}abord (24 dernières heures)",
        ),
    ],
)
def test_the_dashboard_speaks_the_language_of_the_project(
    client, settings, configure, language, heading, caption
):
    configure(ENABLED=False)
    settings.LANGUAGE_CODE = language
    client.force_login(person("staff", is_staff=True))
    activity()
    answer = client.get("/trackmate/activity/")
    page = unescape(answer.content.decode())
    assert answer.status_code == 200
    assert f'<html lang="{language}" dir="ltr">' in page
    assert f'<h1 class="tm-title">{heading}</h1>' in page
    assert f"<span>{caption}</span></caption>" in page
