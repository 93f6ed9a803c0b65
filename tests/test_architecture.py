"""The shape of the package: folders that one can keep in mind, and names that mean one thing.

Layers and cycles are checked by import-linter (`make lint`).
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "trackmate"
FOLDERS = sorted({path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE / "migrations"})
MAX_MODULES = 12


def modules_of(folder):
    return [path for path in folder.glob("*.py") if path.name != "__init__.py"]


def test_a_folder_has_few_modules():
    # The package itself has what Django or a project imports by name; an integration is one module.
    crowded = [each for each in FOLDERS if len(modules_of(each)) > MAX_MODULES]
    assert set(crowded) <= {PACKAGE, PACKAGE / "integrations"}


def test_a_name_is_in_one_module():
    places = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            is_named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if is_named and not node.name.startswith("_"):
                places[node.name].add(path)
    # Django finds a command by this name, and trackmate an integration.
    shared = {name for name, paths in places.items() if len(paths) > 1}
    assert shared <= {"Command", "install"}


def test_the_map_has_a_sentence_for_each_folder():
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    section = page.partition("## Map")[2].partition("\n## ")[0]
    named = re.findall(r"`([\w/]+)/`", section)
    expected = {str(each.relative_to(ROOT)).removeprefix("trackmate/") for each in FOLDERS}
    parts = {"redaction/detection": "detection", "selectors/rollups": "rollups"}
    missing = {parts.get(each, each) for each in expected} - set(named)
    assert missing - {"management/commands"} == set()
