"""Screenshots of every page, light and dark, made from the demo: `make screenshots`.

It starts the demo with a database of its own in a temporary folder, opens the dashboard in
Chromium as somebody who may see everything, and writes NAME-light.png and NAME-dark.png: those
that the README and the documentation use to `docs/images`, the others to `build/screenshots`.
`CHROMIUM` names the browser where it is not found by itself.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tools import machine

ROOT = Path(__file__).parent.parent
USED = ROOT / "docs" / "images"
OTHERS = ROOT / "build" / "screenshots"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
WIDE: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
SCALE = 1
USER = "auditor"
STOP_SECONDS = 20


@dataclass(frozen=True)
class Shot:
    """One picture: where it is taken, and where it goes."""

    name: str
    address: str
    """Below the dashboard's own."""
    follow: tuple[str, ...] = ()
    """Links to go along from there, as selectors: each page's first one."""
    wait_for: str = "main"
    size: ViewportSize = field(default_factory=lambda: WIDE)
    is_used: bool = False
    """Whether the README or the documentation shows it."""


CHANGED = "activity/?range=30d&source=custom&action_type=Update&object=desk.order"
CHART = "#tm-facets figure"
ROW = "#tm-rows tbody th a"
EXPORT = '.tm-list-head a[href*="/export/"]'
SHOTS = (
    Shot("overview", "", is_used=True),
    # It shows that the page is live: it offers the rows that came meanwhile.
    Shot("dashboard", "activity/", wait_for="#tm-new button", is_used=True),
    Shot("activity", CHANGED, (ROW,), is_used=True),
    Shot("top-values", "activity/facets/"),
    Shot("query", "activity/?q=code:>=400 -type:read&range=7d&actor=alice", wait_for=CHART),
    Shot("actor", CHANGED, (ROW, 'dd a[href*="/actor/"]'), wait_for=CHART),
    Shot("object", CHANGED, (ROW, 'dd a[href*="/object/"]'), wait_for=CHART),
    Shot("route", CHANGED, (ROW, 'dd a[href*="/route/"]'), wait_for=CHART),
    Shot("address", CHANGED, (ROW, 'dd a[href*="/address/"]'), wait_for=CHART),
    Shot("request", CHANGED, (ROW, 'dd a[href*="/request/"]')),
    Shot("export", "activity/?range=7d&actor=alice&method=POST", (EXPORT,)),
    Shot("views", "views/"),
    Shot("no-match", "activity/?q=nothing-like-it"),
    Shot("wrong-filters", "activity/?address=garbage&range=custom"),
    Shot("missing", "activity/00000000-0000-7000-8000-000000000000/"),
    Shot("overview-phone", "", size=PHONE),
    Shot("dashboard-phone", "activity/", wait_for=CHART, size=PHONE),
    Shot("activity-phone", CHANGED, (ROW,), size=PHONE),
)


def main() -> None:
    options = _options()
    with _demo(options.activities) as (url, password), sync_playwright() as play:
        browser = play.chromium.launch(executable_path=_browser(), args=FLAGS)
        page = _log_in(browser, f"{url}trackmate/", password)
        time.sleep(options.seconds)
        for shot in SHOTS:
            if shot.name in (options.only or shot.name):
                _go(page, f"{url}trackmate/", shot)
                _shoot(page, shot)
        browser.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--activities", type=int, default=20_000, help="history to make (20000)")
    parser.add_argument("--seconds", type=float, default=20, help="live traffic to wait for (20)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these pictures")
    return parser.parse_args()


@contextmanager
def _demo(activities: int) -> Iterator[tuple[str, str]]:
    """Serve the demo, with traffic, and give its address and the password of its logins."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "DEMO_DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3",
            "DEMO_SPOOL_DIR": f"{folder}/spool",
            "PYTHONUNBUFFERED": "1",
        }
        manage = [sys.executable, str(ROOT / "demo" / "manage.py")]
        command = [*manage, "demo", "--activities", str(activities)]
        demo = subprocess.Popen(  # noqa: S603 (our own demo)
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            yield _greeting(demo)
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(STOP_SECONDS)


def _greeting(demo: "subprocess.Popen[str]") -> tuple[str, str]:
    """Read what the demo tells people: where the shop is, and how to log in."""
    url = password = ""
    for line in demo.stdout or ():
        if found := re.match(r"\s+Shop\s+(http\S+)", line):
            url = found[1]
        if found := re.match(rf"\s+{USER}\s+(\S+)", line):
            password = found[1]
        if "Ctrl-C" in line:
            return url, password
    raise SystemExit(f"The demo ended by itself, with status {demo.wait()}.")


def _browser() -> str:
    found = os.environ.get("CHROMIUM") or machine.CHROMIUM.find()
    if found is None:
        raise SystemExit(f"{machine.advice([machine.CHROMIUM])}\nOr set CHROMIUM.")
    return str(found)


def _log_in(browser: Browser, url: str, password: str) -> Page:
    page = browser.new_page(viewport=WIDE, device_scale_factor=SCALE)
    page.goto(url)
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(url)
    return page


def _go(page: Page, url: str, shot: Shot) -> None:
    page.set_viewport_size(shot.size)
    page.goto(url + shot.address)
    for link in shot.follow:
        page.goto(urljoin(url, page.locator(link).first.get_attribute("href")))
    page.locator(shot.wait_for).first.wait_for()


def _shoot(page: Page, shot: Shot) -> None:
    folder = USED if shot.is_used else OTHERS
    folder.mkdir(parents=True, exist_ok=True)
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        path = folder / f"{shot.name}-{scheme}.png"
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=path, animations="disabled")
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")  # noqa: T201 (a script)


if __name__ == "__main__":
    main()
