"""The demo, in the eyes of Lighthouse: accessibility and best practices, on a phone and a desk."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import CHROMIUM_FLAGS
from tools import machine

pytest_plugins = ["tests.hostile.fixtures"]
pytestmark = pytest.mark.lighthouse

SCRIPT = Path(__file__).parent / "lighthouse.mjs"
PAGES = ["", "activity/", "activity/facets/"]


@pytest.fixture
def url(serve, file_desk):
    file_desk.manage("seed", "--activities=500", "--days=1")
    options = ("--threads=4",)
    return serve("config.wsgi:application", options=options, env=file_desk.environment).url


def test_the_main_pages_have_a_hundred_points(url, page, checkers, chromium_path):
    page.goto(f"{url}/accounts/login/?next=/trackmate/activity/")
    page.get_by_label("Username").fill("auditor")
    page.get_by_label("Password").fill("order-desk-demo")
    page.get_by_role("button", name="Log in").click()
    detail = page.locator("#tm-rows tbody a").first.get_attribute("href")
    names = ("name", "value", "domain", "path")
    cookies = json.dumps([{name: each[name] for name in names} for each in page.context.cookies()])
    addresses = [*(f"{url}/trackmate/{each}" for each in PAGES), f"{url}{detail}"]
    command = [machine.NODE.find(), SCRIPT, checkers, chromium_path, " ".join(CHROMIUM_FLAGS)]
    done = subprocess.run([*command, cookies, *addresses], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert {each["url"] for each in found} == set(addresses)
    lost = [each for each in found if each["scores"] != [100, 100]]
    assert lost == []
