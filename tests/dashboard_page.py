"""Parts of a page of the dashboard in the browser."""

import time

DRAWER = "#tm-drawer"


def wait_until(page, expression):
    """Wait until a JavaScript expression is true.

    Playwright's ``wait_for_function()`` polls inside the page, where the strict Content Security
    Policy forbids ``eval()``: it fails unless the expression is true at once.
    """
    deadline = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(20)


def small_targets(page, selector):
    """Return the start of each visible element that is smaller than 24 by 24 px (WCAG 2.5.8)."""
    return page.evaluate(
        """(selector) => [...document.querySelectorAll(selector)]
          .filter((each) => each.checkVisibility())
          .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
          .filter(([, box]) => box.height < 24 || box.width < 24)
          .map(([html]) => html)""",
        selector,
    )


def row(page, stored):
    """Return the row of an activity in the list."""
    return page.locator(f"#tm-row-{stored.pk}")


def live_state(page):
    return page.locator("[data-tm-state]")


def query_line(page):
    return page.locator("#tm-filters").get_by_label("Search", exact=True)


def filter_field(page, label):
    """Open the menu with the filters and return the field with a label."""
    menu = page.locator("#tm-filters details")
    if menu.get_attribute("open") is None:
        menu.locator("summary").click()
    return menu.get_by_label(label, exact=True)


def chips(page):
    """Return the active filters above the list."""
    return page.locator(".tm-chip > span")


def suggestions(page):
    return page.locator("#tm-options [role=option]")
