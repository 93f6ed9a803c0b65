"""The screenshots of the README and of the documentation, made from the demo.

Run it in the checkout, in an environment with the groups `demo` and `test`:

    python docs/screenshots.py

It starts the demo with a database of its own in a temporary folder, opens the dashboard in
Chromium as somebody who may see everything, and writes `overview` and `dashboard`, each with
`-light.png` and `-dark.png`, to `docs/images`. `CHROMIUM` names the browser where it is not found
by itself.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = Path(__file__).parent / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
SIZE: ViewportSize = {"width": 1440, "height": 860}
USER = "auditor"
STOP_SECONDS = 20


def main() -> None:
    options = _options()
    IMAGES.mkdir(exist_ok=True)
    with _demo(options.activities) as (url, password), sync_playwright() as play:
        browser = play.chromium.launch(executable_path=_browser(), args=FLAGS)
        page = _log_in(browser, f"{url}trackmate/", password)
        time.sleep(options.seconds)
        page.reload()
        _shoot(page, "overview")
        page.goto(f"{url}trackmate/activity/")
        # The picture shows that the page is live: it offers the rows that came meanwhile.
        page.locator("#tm-pill :is(a, button)").wait_for()
        _shoot(page, "dashboard")
        browser.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--activities", type=int, default=20_000, help="history to make (20000)")
    parser.add_argument("--seconds", type=float, default=20, help="live traffic to wait for (20)")
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
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise SystemExit(f"No browser: none of {', '.join(BROWSERS)} is installed. Set CHROMIUM.")
    return found


def _log_in(browser: Browser, url: str, password: str) -> Page:
    page = browser.new_page(viewport=SIZE, device_scale_factor=1.25)
    page.goto(url)
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(url)
    return page


def _shoot(page: Page, name: str) -> None:
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        path = IMAGES / f"{name}-{scheme}.png"
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=path, animations="disabled")
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")  # noqa: T201 (a script)


if __name__ == "__main__":
    main()
