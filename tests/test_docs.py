"""The documentation: everything public has its place in it, and the defaults it names are true."""

import ast
import inspect
import re
import tomllib
from dataclasses import fields as dataclass_fields
from pathlib import Path

import pytest
from django.contrib.auth import get_permission_codename
from django.core.management import BaseCommand, find_commands, load_command_class
from django.db.models import QuerySet
from django.urls import reverse

import trackmate
from tests import test_packaging
from trackmate import conf, enums, urls
from trackmate.activity import Activity
from trackmate.backends import base as base_backend
from trackmate.dashboard.dimensions import BUILT_IN, Dimension, columns
from trackmate.dashboard.forms.pagination import KeysetForm
from trackmate.dashboard.search.filters import TimeRangeForm
from trackmate.dashboard.tables.display_options import CHOICES
from trackmate.integrations import INTEGRATIONS
from trackmate.models import ActivityLog
from trackmate.models.querysets import ActivityLogQuerySet
from trackmate.urls import urlpatterns

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PACKAGE = ROOT / "trackmate"
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md"]
    + [page for page in DOCS.rglob("*.md") if "_build" not in page.parts]
)
README = (ROOT / "README.md").read_text()
EXTEND = (DOCS / "howto" / "extend-the-dashboard.md").read_text()


SHEET = (PACKAGE / "static/trackmate/trackmate.css").read_text()


def reference(name):
    return (DOCS / "reference" / f"{name}.md").read_text()


def named(pages):
    return pytest.mark.parametrize(
        "page", pages, ids=[str(page.relative_to(ROOT)) for page in pages]
    )


def section_of(text, title):
    """Return what stands under a heading, up to the next heading of any level."""
    parts = re.split(r"^#+ +(.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def first_cells(text):
    """Return what the first cells of all table rows hold as code."""
    rows = re.findall(r"^\| (.+?) \|", text, flags=re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`([^`]+)`", row)}


def blocks(text, language):
    """Return the fenced blocks of a language, at any indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
    return [inspect.cleandoc(f"\n{code}") for _indentation, code in found]


# --- settings --------------------------------------------------------------------------------


def documented_settings():
    """Return each setting's own documentation, as it stands in the source."""
    (settings,) = (
        node
        for node in ast.parse(inspect.getsource(conf)).body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    return {
        field.target.id: text.value.value
        for field, text in zip(settings.body, settings.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


SPOKEN = {
    "Dotted | None": "callable, dotted path or None",
    "Dotted": "callable or dotted path",
    "re.Pattern[str]": "Pattern",
}
"""How the reference calls types that have no common name."""

SETTINGS = [field.name for field in dataclass_fields(conf.Settings)]


def test_every_setting_says_in_the_source_what_it_is():
    assert list(documented_settings()) == SETTINGS


@pytest.mark.parametrize("name", SETTINGS)
def test_the_reference_says_of_a_setting_what_the_source_says(name):
    section = " ".join(section_of(reference("settings"), name).split())
    assert " ".join(documented_settings()[name].split()) in section


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "PROCESSORS"])
def test_the_reference_says_what_the_default_is(name):
    (said,) = re.findall(
        r"Default: `(.*?)`\.$", section_of(reference("settings"), name), re.MULTILINE
    )
    assert ast.literal_eval(said) == conf.default_of(name)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_reference_says_what_type_a_setting_has(name):
    (said,) = re.findall(
        r"^Type: `(.*?)`\. ", section_of(reference("settings"), name), re.MULTILINE
    )
    annotation = conf.Settings.__annotations__[name].replace("'", '"')
    for source, word in SPOKEN.items():
        annotation = annotation.replace(source, word)
    assert said == annotation


def test_the_reference_has_no_setting_that_does_not_exist():
    headings = re.findall(r"^### (.+)$", reference("settings"), re.MULTILINE)
    assert sorted(headings) == sorted(SETTINGS)


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 130


def test_every_documented_option_of_a_dimension_exists():
    options = first_cells((DOCS / "howto" / "add-a-dimension.md").read_text())
    assert options
    assert options <= {field.name for field in dataclass_fields(Dimension)}


def test_the_reference_lists_the_default_processors_in_their_order():
    listed = re.findall(
        r"^\| `(trackmate\.processors\.\w+)`", reference("processors"), re.MULTILINE
    )
    assert tuple(listed) == conf.DEFAULT_PROCESSORS


# --- names -----------------------------------------------------------------------------------


def test_every_public_name_has_its_section():
    headings = re.findall(r"^## (.+)$", reference("api"), re.MULTILINE)
    assert set(trackmate.__all__) <= set(headings)


@pytest.mark.parametrize("verb", ["track", "tracker"])
def test_every_option_of_a_verb_is_listed(verb):
    source = trackmate.track if verb == "track" else trackmate.capture.decorators.TrackerOptions
    options = set(inspect.signature(source).parameters) - {"action"}
    assert options <= first_cells(section_of(reference("api"), verb))


@pytest.mark.parametrize("name", ["ActionType", "Status"])
def test_every_member_of_an_enumeration_is_listed_with_its_value(name):
    section = section_of(reference("api"), name)
    for member in getattr(enums, name):
        assert f"| `{name}.{member.name}` | `{member.value}` |" in section


def test_every_check_is_listed_and_no_other():
    source = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    ids = set(re.findall(r'id="(trackmate\.[EW]\d{3})"', source))
    assert len(ids) >= 10
    assert {cell for cell in first_cells(reference("checks")) if "." in cell} == ids


COMMANDS = find_commands(str(PACKAGE / "management"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_section_with_its_options(name):
    section = section_of(reference("commands"), name)
    parser = load_command_class("trackmate", name).create_parser("manage.py", name)
    django = BaseCommand().create_parser("manage.py", name)
    usual = {option for action in django._actions for option in action.option_strings}
    own = {option for action in parser._actions for option in action.option_strings} - usual
    assert own
    assert all(option in section for option in own)


def test_every_permission_is_listed_and_no_other():
    meta = ActivityLog._meta
    given = [codename for codename, _name in meta.permissions]
    given += [get_permission_codename(action, meta) for action in meta.default_permissions]
    listed = first_cells(section_of(reference("dashboard"), "Permissions"))
    assert listed == {f"trackmate.{codename}" for codename in given}


def test_every_url_name_is_listed_and_no_other():
    listed = first_cells(section_of(reference("dashboard"), "URL names"))
    names = {f"trackmate:{pattern.name}" for pattern in urls.urlpatterns}
    assert {name for name in listed if name.startswith("trackmate:")} == names


def test_every_filter_of_the_dashboard_is_listed():
    params = {each.name for each in BUILT_IN.values() if each.in_form}
    params |= {
        "q",
        "sort",
        "columns",
        "filters",
        "extended",
        *CHOICES,
        *TimeRangeForm.base_fields,
        *KeysetForm.base_fields,
    }
    assert params <= first_cells(section_of(reference("dashboard"), "Filters"))


def test_every_key_of_the_query_line_is_listed():
    keys = {f"{key}:" for each in BUILT_IN.values() for key in each.keys}
    listed = first_cells(section_of(reference("dashboard"), "Query line"))
    assert {each for each in listed if each.endswith(":")} == keys


def test_every_template_is_listed():
    folder = PACKAGE / "templates" / "trackmate"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*.html")}
    listed = first_cells(section_of(EXTEND, "Templates"))
    assert {each for each in listed if each.endswith(".html")} == names


def test_every_class_that_is_documented_exists():
    templates = "".join(path.read_text() for path in (PACKAGE / "templates").rglob("*.html"))
    source = "".join(path.read_text() for path in (PACKAGE / "dashboard").rglob("*.py"))
    listed = {each[1:] for each in first_cells(section_of(EXTEND, "CSS classes"))}
    assert len(listed) > 20
    assert {each for each in listed if each not in templates + source + SHEET} == set()


def test_every_field_of_the_row_is_listed_and_no_other():
    meta = ActivityLog._meta
    names = {field.name for field in (*meta.concrete_fields, *meta.private_fields)}
    table = reference("row").partition("\n## ")[0]
    listed = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert listed == names


LENGTHS = {
    field.name: field.max_length
    for field in ActivityLog._meta.concrete_fields
    if field.get_internal_type() == "CharField"
}


@pytest.mark.parametrize("name", LENGTHS)
def test_the_length_of_a_text_is_the_one_of_its_column(name):
    assert f"| `{name}` | text, {LENGTHS[name]} |" in reference("row")


def test_every_index_is_listed():
    listed = first_cells(section_of(reference("row"), "Indexes"))
    assert listed == {index.name for index in ActivityLog._meta.indexes}


def test_every_queryset_method_is_listed():
    own = {name for name, member in vars(ActivityLogQuerySet).items() if inspect.isfunction(member)}
    listed = {cell.partition("(")[0] for cell in first_cells(reference("queryset"))}
    assert listed == {name for name in own if not (name.startswith("_") or hasattr(QuerySet, name))}


def source_of(module):
    return (PACKAGE / f"{module}.py").read_text()


def test_every_backend_is_listed():
    modules = {path.stem for path in (PACKAGE / "backends").glob("*.py")}
    modules = {name for name in modules if "Backend(BaseBackend)" in source_of(f"backends/{name}")}
    listed = {cell.split(".")[2] for cell in first_cells(reference("backends")) if "." in cell}
    assert listed == modules


def test_every_member_of_a_backend_is_listed():
    own = {name for name in vars(base_backend.BaseBackend) if not name.startswith("_")}
    listed = {
        cell.partition("(")[0]
        for cell in first_cells(section_of(reference("backends"), "BaseBackend"))
    }
    assert listed == own


def test_every_kind_of_count_is_listed():
    source = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    kinds = set(re.findall(r'\breport\(\s*"(\w+)"', source))
    assert len(kinds) >= 4
    assert first_cells(reference("logging")) == kinds


def test_what_processors_get_is_described_by_the_row():
    names = set(Activity._fields)
    columns = {field.attname for field in ActivityLog._meta.concrete_fields}
    assert names - columns == {"target"}
    assert columns - names == {"recorded_at", "content_type_id", "object_id", "object_repr"}


PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def supported_versions():
    """Return the Django versions that the classifiers name, as pairs of numbers, ascending."""
    named = re.findall(
        r"Framework :: Django :: (\d+)\.(\d+)", "\n".join(PYPROJECT["project"]["classifiers"])
    )
    return sorted((int(major), int(minor)) for major, minor in named)


def test_the_readme_names_the_versions_of_django_that_are_tested_and_the_next():
    *others, newest = (f"{major}.{minor}" for major, minor in supported_versions())
    major, minor = supported_versions()[-1]
    # After 6.2 comes 7.0.
    following = f"{major}.{minor + 1}" if minor < 2 else f"{major + 1}.0"
    said = " ".join(README.split())
    assert f"Django {', '.join(others)} and {newest};" in said
    assert f"Django {following} is not tested yet" in said


def test_what_the_oldest_versions_are_is_said_everywhere_alike():
    oldest = dict(each.split("==") for each in PYPROJECT["dependency-groups"]["oldest"])
    needed = dict(each.split(">=") for each in PYPROJECT["project"]["dependencies"])
    assert oldest == needed
    said = " ".join(README.lower().split())
    assert [name for name in needed if f"{name} {needed[name]}" not in said] == []


def test_the_changelog_has_the_version():
    assert f"## [{trackmate.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


# --- what can be tried -----------------------------------------------------------------------


@named(PAGES)
def test_the_python_of_a_page_can_be_parsed(page):
    for code in blocks(page.read_text(), "python"):
        try:
            ast.parse(code)
        except SyntaxError:
            # `async with` and `await` outside a function, as in a notebook.
            compile(code, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)


@named(PAGES)
def test_what_a_page_imports_from_trackmate_exists(page):
    for code in blocks(page.read_text(), "python"):
        tree = compile(code, "page", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trackmate"):
                module = __import__(node.module, fromlist=["*"])
                assert all(hasattr(module, alias.name) for alias in node.names), node.module


@named(PAGES)
def test_the_settings_that_a_page_shows_exist_and_are_of_their_type(page):
    for code in blocks(page.read_text(), "python"):
        for given in re.findall(r"^TRACKMATE = (\{.*?\})$", code, re.MULTILINE | re.DOTALL):
            scope = {"re": re, "DEFAULT_PROCESSORS": conf.DEFAULT_PROCESSORS}
            for name, value in eval(given, scope).items():
                assert conf.accepts(value, conf.setting_types()[name]), name


def test_the_readme_installs_what_the_tests_of_the_wheel_install():
    shown = re.findall(r"<!-- install: (\w+) -->\n```python\n(.*?)```", README, re.DOTALL)
    assert dict(shown) == {
        "settings": test_packaging.THREE_LINES.lstrip("\n"),
        "urls": test_packaging.URLS.lstrip("\n"),
    }


def test_the_two_commands_of_the_readme_are_there():
    makefile = (ROOT / "Makefile").read_text()
    asked = re.findall(r"^\$ make (\w+)", README, re.MULTILINE)
    assert asked == ["demo", "test"]
    assert all(re.search(rf"^{name}:", makefile, re.MULTILINE) for name in asked)


def anchors_of(page):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ +(.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links_of(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    text = re.sub(r"`[^`]*`", "", text)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    return [link for link in links if not re.match(r"https?:", link)]


@named(PAGES)
def test_the_links_of_a_page_lead_somewhere(page):
    for link in links_of(page):
        path, _sign, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors_of(target), link


@named([page for page in PAGES if page.is_relative_to(DOCS)])
def test_no_page_is_left_out_of_the_contents(page):
    listed = {DOCS / "index.md"}
    for index in DOCS.rglob("*.md"):
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", index.read_text(), re.DOTALL):
            listed |= {index.parent / f"{line}.md" for line in tree.split() if ":" not in line}
    assert page in listed


@named(PAGES)
def test_the_addresses_that_a_page_names_exist(page):
    for name in re.findall(r"`(trackmate:\w+)`", page.read_text()):
        patterns = [each for each in urlpatterns if f"trackmate:{each.name}" == name]
        assert patterns, name
        values = {"pk": "01a20903-7b78-76a3-949e-88a8ed72711a", "format": "csv", "value": "1"}
        values["entity_type"] = "actor"
        for pattern in patterns:
            reverse(name, kwargs={each: values[each] for each in pattern.pattern.converters})


def test_the_docs_name_no_setting_that_does_not_exist():
    quoted = {
        name
        for page in PAGES
        if page.name not in {"CHANGELOG.md", "benchmarks.md"}
        for name in re.findall(r'TRACKMATE\["([A-Z_]+)"\]', page.read_text())
    }
    assert quoted <= set(SETTINGS)


def test_every_column_of_a_list_is_listed():
    listed = re.search(r"\| `columns` \|.*`(time,[\w,]+)`", reference("dashboard"))[1]
    assert listed.split(",") == [name for name, each in columns().items() if each.is_built_in]


def test_every_property_of_the_style_sheet_is_listed():
    defined = set(re.findall(r"^ +(--tm-[\w-]+):", SHEET, re.MULTILINE))
    assert defined == set(re.findall(r"`(--tm-[\w-]+)`", EXTEND))


# --- integrations ----------------------------------------------------------------------------

CONTENTS = (DOCS / "integrations" / "index.md").read_text()


def test_the_setting_lists_each_integration():
    rows = section_of(reference("settings"), "INTEGRATIONS").split("|---|---|")[1]
    listed = re.findall(r"^\| (`.*?`) \|", rows, re.MULTILINE)
    assert {each.name for each in INTEGRATIONS} == set(re.findall(r"`(\w+)`", "".join(listed)))


def test_each_integration_has_a_page():
    pages = {page.stem for page in (DOCS / "integrations").glob("*.md")} - {"index"}
    # Those that share a page: GraphQL, and accounts.
    names = {each.name.partition("graphql_")[0] or "graphql" for each in INTEGRATIONS}
    assert pages == names - {"passwords", "password_resets"}


def test_each_row_of_the_table_names_tests_that_exist():
    rows = [line for line in CONTENTS.splitlines() if line.startswith("| [")]
    files = [re.findall(r"`([\w/]+\.py)`", row.split("|")[-2]) for row in rows]
    assert all(files)
    assert all((ROOT / "tests" / file).exists() for row in files for file in row)
