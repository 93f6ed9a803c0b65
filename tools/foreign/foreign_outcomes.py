"""A plugin for pytest that notes the outcomes as `sitecustomize` does those of unittest."""

from sitecustomize import note


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        crash = getattr(report.longrepr, "reprcrash", None)
        error = getattr(crash, "message", "")
        note(
            report.nodeid,
            f"{report.when} {report.outcome}",
            error,
            is_count="queries executed" in error,
        )
