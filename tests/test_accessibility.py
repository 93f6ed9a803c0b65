"""Every page of the dashboard, in every dress it can wear, in the eyes of axe-core."""

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

from tests.page_states import PAGES, world

pytest_plugins = ["tests.browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.page_states"),
]

MEDIA = {"color_scheme": "light", "forced_colors": "none", "reduced_motion": "no-preference"}
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 320, "height": 700}
EVERY_MODE = {
    "light": (WIDE, {}),
    "dark": (WIDE, {"color_scheme": "dark"}),
    "forced colors": (WIDE, {"forced_colors": "active"}),
    "320 px, with reduced motion": (NARROW, {"reduced_motion": "reduce"}),
}
TWO_MODES = {"light": (WIDE, {}), "dark, 320 px": (NARROW, {"color_scheme": "dark"})}
IN_EVERY_MODE = ["overview", "explorer, every filter", "activity", "actor", "facets"]
"""Between them, these pages have every part that a page can have."""
# By its tags, axe also runs what it leaves out by default, such as the size of targets.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
ASK = """async ([part, values]) => {
  const found = await axe.run(part || document, {runOnly: {type: "tag", values}});
  return found.violations.flatMap(({id, nodes}) => nodes.map((node) =>
    `${id}: ${node.target.join(" ")}\\n${node.html.slice(0, 300)}\\n${node.failureSummary}`));
}"""


@pytest.fixture(scope="session")
def axe(checkers):
    return (checkers / "axe-core/axe.min.js").read_text()


@pytest.fixture
def open_state(settings, static_root, live_server, log_in, page, axe, complaints):
    """Open a page in one of its states, and return a function that asks axe."""
    known = world()
    settings.STATIC_ROOT = static_root

    def go(sight):
        settings.TRACKMATE = sight.settings
        log_in(page, get_user_model().objects.get(username=sight.who))
        response = page.goto(live_server.url + sight.address.format(**known))
        assert response.status == sight.status
        # The histogram has arrived.
        expect(page.locator("#tm-facets > .tm-hidden > .tm-button")).to_have_count(0)
        page.evaluate(axe)
        return lambda: page.evaluate(ASK, [sight.part, RULES])

    yield go
    # The browser itself notes the answers that are no success.
    complaints[:] = [each for each in complaints if "the server responded with" not in each]


def problems(page, ask, modes):
    found = []
    for mode, (size, media) in modes.items():
        page.set_viewport_size(size)
        page.emulate_media(**MEDIA | media)
        found += [f"{mode}: {each}" for each in ask()]
    return "\n".join(found)


@pytest.mark.parametrize("name", [name for name in PAGES if name not in IN_EVERY_MODE])
def test_axe_finds_nothing(page, open_state, name):
    assert not problems(page, open_state(PAGES[name]), TWO_MODES)


@pytest.mark.parametrize("name", IN_EVERY_MODE)
def test_axe_finds_nothing_in_any_mode(page, open_state, name):
    assert not problems(page, open_state(PAGES[name]), EVERY_MODE)


@pytest.mark.parametrize("name", IN_EVERY_MODE)
def test_axe_finds_nothing_from_right_to_left(settings, page, open_state, name):
    settings.LANGUAGE_CODE = "ar"
    ask = open_state(PAGES[name])
    assert page.get_attribute("html", "dir") == "rtl"
    assert not problems(page, ask, {"right to left": (WIDE, {})})
