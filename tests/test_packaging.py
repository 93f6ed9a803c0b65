"""The wheel: complete, and enough for a new project that does what the README says."""

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "trackmate"
# What the tests set for themselves and a stranger does not have.
FOREIGN = ("PYTHON", "DJANGO", "COVERAGE", "COV_", "TRACKMATE", "VIRTUAL_ENV")
THREE_LINES = """
INSTALLED_APPS += ["trackmate"]
MIDDLEWARE.insert(0, "trackmate.middleware.TrackmateMiddleware")
"""
URLS = """
from django.urls import include, path

urlpatterns += [path("trackmate/", include("trackmate.urls"))]
"""
ASK = """
from django.test import Client
from trackmate.models import ActivityLog

answer = Client(SERVER_NAME="localhost").get("/admin/login/?next=/admin/")
row = ActivityLog.objects.get(source="request")
print(answer.status_code, row.method, row.path, row.status_code, row.status)
"""


def run(*command, cwd=ROOT):
    """Run a command in a plain environment; what it says is part of the failure."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    command = [str(part) for part in command]
    done = subprocess.run(
        command, cwd=cwd, env=kept, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def clean_python(wheel, tmp_path_factory):
    """An interpreter that has the wheel and what it depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, with_pip=True)
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", wheel)
    return folder / "bin/python"


@pytest.fixture(scope="module")
def project(clean_python, tmp_path_factory):
    """A new Django project with the three lines of the README, migrated."""
    folder = tmp_path_factory.mktemp("project")
    run(clean_python, "-m", "django", "startproject", "site_of_a_stranger", ".", cwd=folder)
    with (folder / "site_of_a_stranger/settings.py").open("a") as settings:
        settings.write(THREE_LINES)
    with (folder / "site_of_a_stranger/urls.py").open("a") as urls:
        urls.write(URLS)
    run(clean_python, "manage.py", "migrate", cwd=folder)
    return folder


def shipped_files():
    """Return what the checkout has in the package, whether or not anything imports it."""
    files = (path for path in PACKAGE.rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if path.suffix not in {".pyc", ".pyo"}}


def test_the_wheel_holds_every_file_of_the_package(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == shipped_files()


@pytest.mark.parametrize("kind", ["py.typed", "migrations/0001_", "templates/", "static/"])
def test_the_wheel_holds_more_than_code(wheel, kind):
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith(f"trackmate/{kind}") for name in names)


def test_the_wheel_names_its_licence_and_python(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("dist-info/METADATA"))
        metadata = archive.read(name).decode()
    assert "License-Expression: MIT" in metadata
    assert "Requires-Python: >=3.11" in metadata


def test_the_installed_package_is_the_one_of_the_wheel(clean_python):
    where = run(clean_python, "-c", "import trackmate; print(trackmate.__file__)", cwd="/")
    assert where.stdout.startswith(str(clean_python.parent.parent))


def test_a_new_project_passes_its_checks(clean_python, project):
    run(clean_python, "manage.py", "check", "--fail-level", "WARNING", cwd=project)


def test_a_new_project_records_its_first_request(clean_python, project):
    said = run(clean_python, "manage.py", "shell", "-v0", "-c", ASK, cwd=project)
    assert said.stdout == "200 GET /admin/login/ 200 Success\n"


def test_a_new_project_passes_the_self_test(clean_python, project):
    said = run(clean_python, "manage.py", "test", "trackmate", cwd=project)
    assert re.search(r"Ran [1-9]\d* tests? in .*\n\nOK\n", said.stderr)
