"""The rules of the test run itself: what is left out, what is skipped, what counts as a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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

@pytest.mark.browser
def test_with_a_browser():
    assert False

@pytest.mark.xfail
def test_that_is_known_to_fail():
    assert False
"""
SKIPPED_MODULE = 'import pytest\n\npytest.importorskip("no_such_module")\n'
BROKEN_FIXTURE = """
import pytest

@pytest.fixture
def broken():
    raise OSError

def test_needs_it(broken):
    pass
"""


@pytest.fixture
def run_tests(tmp_path):
    """Run a file of tests under the rules of this suite; return the summary."""

    def run(text, **environment):
        (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.conftest"]\n')
        (tmp_path / "test_rules.py").write_text(text)
        options = ["-c", ROOT / "pyproject.toml", "--rootdir", tmp_path, "-p", "no:cacheprovider"]
        environment = {"TRACKMATE_TEST_DATABASE": "sqlite", **environment}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, tmp_path],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.splitlines()[-1]

    return run


@pytest.mark.parametrize(
    ("text", "is_ci", "summary"),
    [
        (TESTS, False, "1 passed, 1 skipped, 2 deselected, 1 xfailed"),
        (TESTS, True, "1 failed, 1 passed, 2 deselected, 1 xfailed"),
        (SKIPPED_MODULE, True, "1 error"),
        (BROKEN_FIXTURE, False, "1 error"),
    ],
    ids=[
        "a skip is a skip on a machine of one's own",
        "a skip is a failure where nothing may be skipped",
        "a module cannot be skipped there either",
        "a fixture that breaks is a failure",
    ],
)
def test_the_rules(run_tests, text, is_ci, summary):
    assert summary in run_tests(text, CI="true" if is_ci else "")
