"""Every page of the dashboard, in every dress it can wear, in the eyes of axe-core."""

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

from tests.sights import PAGES, world

pytest_plugins = ["tests.browsing"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.sights"),
]

MEDIA = {"color_scheme": "light", "forced_colors": "none", "reduced_motion": "no-preference"}
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 320, "height": 700}
DRESSES = {
    "light": (WIDE, {}),
    "dark": (WIDE, {"color_scheme": "dark"}),
    "forced colors": (WIDE, {"forced_colors": "active"}),
    "320 px, with reduced motion": (NARROW, {"reduced_motion": "reduce"}),
}
# By its tags, axe also runs what it leaves out by default, such as the size of targets.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
ASK = """async ([part, values]) => {
  const found = await axe.run(part || document, {runOnly: {type: "tag", values}});
  return found.violations.flatMap(({id, nodes}) => nodes.map((node) =>
    `${id}: ${node.target.join(" ")}\\n${node.html.slice(0, 300)}\\n${node.failureSummary}`));
}"""


@pytest.fixture(scope="module")
def axe(checkers):
    return (checkers / "axe-core/axe.min.js").read_text()


@pytest.fixture
def look(settings, static_root, live_server, log_in, page, axe, complaints):
    """Open one sight, and return a function that asks axe."""
    known = world()
    settings.STATIC_ROOT = static_root

    def go(sight):
        settings.TRACKMATE = sight.settings
        log_in(page, get_user_model().objects.get(username=sight.who))
        response = page.goto(live_server.url + sight.address.format(**known))
        assert response.status == sight.status
        expect(page.locator("#tm-figures > .tm-hidden > .tm-button")).to_have_count(
            0
        )  # they have come
        page.evaluate(axe)
        return lambda: page.evaluate(ASK, [sight.part, RULES])

    yield go
    # The browser itself notes the answers that are no success.
    complaints[:] = [each for each in complaints if "the server responded with" not in each]


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(settings, page, look, name):
    found = {}
    ask = look(PAGES[name])
    for dress, (size, media) in DRESSES.items():
        page.set_viewport_size(size)
        page.emulate_media(**MEDIA | media)
        found[dress] = ask()
    page.set_viewport_size(WIDE)
    settings.LANGUAGE_CODE = "ar"
    ask = look(PAGES[name])
    assert page.get_attribute("html", "dir") == "rtl" or PAGES[name].part
    found["right to left"] = ask()
    problems = [f"{dress}: {each}" for dress, all_of_it in found.items() for each in all_of_it]
    assert not problems, "\n".join(problems)
