"""The rules of the test run itself: what is left out, what is skipped, what counts as a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import suite

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
TESTS = """
import pytest

def test_passes():
    pass

def test_skips():
    pytest.skip("no such server")

@pytest.mark.only_on("nothing-that-exists")
def test_of_another_database():
    assert False

@pytest.mark.xfail
def test_that_is_known_to_fail():
    assert False
"""


@pytest.fixture
def run_tests(tmp_path):
    """Run a file of tests under the rules of this suite, and count."""

    def run(text, **environment):
        (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.conftest"]\n')
        (tmp_path / "test_rules.py").write_text(text)
        options = ["-c", ROOT / "pyproject.toml", "--rootdir", tmp_path]
        report = tmp_path / "report.xml"
        command = [sys.executable, "-m", "pytest", *options, f"--junit-xml={report}", tmp_path]
        subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, capture_output=True, check=False
        )
        return suite._count(report)

    return run


def test_a_skip_is_a_skip_on_a_machine_of_ones_own(run_tests):
    assert str(run_tests(TESTS, CI="")) == "2 passed, 0 failed, 1 skipped"


def test_a_skip_is_a_failure_where_nothing_may_be_skipped(run_tests):
    assert str(run_tests(TESTS, CI="true")) == "2 passed, 1 failed"


def test_a_module_cannot_be_skipped_there_either(run_tests):
    text = 'import pytest\n\npytest.importorskip("no_such_module")\n'
    assert run_tests(text, CI="true").failed == 1


def test_a_fixture_that_breaks_is_a_failure(run_tests):
    text = "import pytest\n\n@pytest.fixture\ndef broken():\n    raise OSError\n\n"
    text += "def test_needs_it(broken):\n    pass\n"
    assert str(run_tests(text)) == "0 passed, 1 failed"


@pytest.mark.parametrize(
    ("names", "served", "once"),
    [
        (["sqlite", "uuid", "postgresql", "mariadb"], "postgresql", "sqlite"),
        (["uuid", "sqlite"], "sqlite", "sqlite"),
        (["uuid", "postgresql"], "postgresql", "postgresql"),
        (["mariadb"], "mariadb", "mariadb"),
    ],
)
def test_what_no_database_changes_runs_once_and_whole(names, served, once):
    jobs = suite._jobs(names, fast=False)
    assert sorted(name for name, what in jobs if what == suite.EACH_TIME) == sorted(names)
    assert [each for each in jobs if each[1] != suite.EACH_TIME] == [
        (served, suite.SERVED),
        (once, suite.ONCE),
    ]
    assert suite._jobs(names, fast=True) == jobs[1:]


@pytest.mark.parametrize(
    ("counts", "covered", "status"),
    [
        ({"sqlite": suite.Count(passed=3)}, True, 0),
        ({"sqlite": suite.Count(passed=3)}, False, 1),
        ({"sqlite": suite.Count(passed=3), "mariadb": suite.Count(failed=1)}, True, 1),
    ],
)
def test_the_closing_line_and_the_status_agree(capsys, counts, covered, status):
    assert suite._close(counts, [], covered=covered) == status
    total = sum((count.failed for count in counts.values()), start=0)
    assert capsys.readouterr().out.endswith(f"\n3 passed, {total} failed\n")


def test_a_missing_server_is_a_failure_where_nothing_may_be_skipped(monkeypatch, capsys):
    monkeypatch.setenv("CI", "true")
    assert suite._close({"sqlite": suite.Count(passed=1)}, ["postgresql"], covered=True) == 1
    assert capsys.readouterr().out.endswith("\n1 passed, 1 failed\n")
