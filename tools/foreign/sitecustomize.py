"""Puts trackmate into the projects of other people's tests, and writes down how each test ended.

Python imports this module at its start where its folder is on `PYTHONPATH`. What it does is in two
variables: `FOREIGN_TRACKMATE=1` installs the app and its middleware, `FOREIGN_OUTCOMES` is the file
in which the outcome of each test is noted.
"""

import json
import linecache
import os
import unittest
from functools import wraps
from traceback import extract_tb

MIDDLEWARE = "trackmate.middleware.TrackmateMiddleware"
NEEDED = ("django.contrib.auth", "django.contrib.contenttypes")


def note(test, outcome, error="", *, is_count=False):
    """Write down how a test ended, and whether it failed by counting queries."""
    with open(os.environ["FOREIGN_OUTCOMES"], "a") as file:  # noqa: PTH123 (as light as can be)
        file.write(f"{json.dumps([test, outcome, error[:500], is_count])}\n")


def counts_queries(error, traceback):
    """Return True if what failed is an assertion about the queries of a block."""
    statements = [
        "".join(linecache.getlines(frame.filename)[frame.lineno - 1 : frame.end_lineno])
        for frame in extract_tb(traceback)
    ]
    return "queries executed" in str(error) or "captured_queries" in "".join(statements)


def note_outcomes():
    """Note what unittest is told of a test."""

    def noting(name, method):
        @wraps(method)
        def add(self, test, *arguments):
            info = arguments[-1] if name in ("addFailure", "addError", "addSubTest") else None
            if info is not None:
                _kind, error, traceback = info
                note(test.id(), name, str(error), is_count=counts_queries(error, traceback))
            elif name != "addSubTest":
                note(test.id(), name)
            return method(self, test, *arguments)

        return add

    for name in (
        "addSuccess",
        "addFailure",
        "addError",
        "addSkip",
        "addExpectedFailure",
        "addUnexpectedSuccess",
        "addSubTest",
    ):
        setattr(unittest.TestResult, name, noting(name, getattr(unittest.TestResult, name)))


def install_trackmate():
    """Let each project have the app and, in front of its own, the middleware."""
    from django.apps.registry import Apps, apps
    from django.conf import settings

    populate = Apps.populate

    @wraps(populate)
    def populate_with_trackmate(self, installed_apps=None):
        if self is apps and installed_apps is not None and not self.ready:
            named = [str(each) for each in installed_apps]
            if "trackmate" not in named and all(
                any(each.startswith(need) for each in named) for need in NEEDED
            ):
                installed_apps = [*installed_apps, "trackmate"]
                # Many a suite migrates nothing, and has its tables made from the models.
                modules = settings.MIGRATION_MODULES
                if isinstance(modules, dict) and modules.get("auth", "") is None:
                    settings.MIGRATION_MODULES = modules | {"trackmate": None}
        populate(self, installed_apps)
        if self is apps and self.ready:
            install_middleware()

    Apps.populate = populate_with_trackmate


def install_middleware():
    from django.conf import settings
    from django.core.handlers.base import BaseHandler

    load_middleware = BaseHandler.load_middleware
    if hasattr(load_middleware, "__wrapped__"):
        return

    @wraps(load_middleware)
    def load_with_ours(self, *arguments, **options):
        given = settings.MIDDLEWARE
        settings.MIDDLEWARE = [MIDDLEWARE, *given]
        try:
            load_middleware(self, *arguments, **options)
        finally:
            settings.MIDDLEWARE = given

    BaseHandler.load_middleware = load_with_ours


if os.environ.get("FOREIGN_OUTCOMES"):
    note_outcomes()
if os.environ.get("FOREIGN_TRACKMATE") == "1":
    install_trackmate()
