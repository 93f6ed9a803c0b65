"""A plugin for pytest that notes the outcomes as `sitecustomize` does those of unittest."""

from sitecustomize import note

COUNTS = ("queries executed", "queries but")
"""What Django's and pytest-django's assertions about the number of queries say."""


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        crash = getattr(report.longrepr, "reprcrash", None)
        error = getattr(crash, "message", "")
        note(
            report.nodeid,
            f"{report.when} {report.outcome}",
            error,
            is_count=any(each in error for each in COUNTS),
        )
