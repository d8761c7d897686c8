"""A studio, a browser and a page, shared by the tests of the page."""

import os
import pathlib
import shutil

import pytest
from conftest import DEMO
from test_studio import Studio

sync_api = pytest.importorskip("playwright.sync_api")
# The first takes a quarter less processor time.
CHROMIUM = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs the chromium program")
ARGUMENTS = (
    "--autoplay-policy=no-user-gesture-required",
    "--no-sandbox",
    "--mute-audio",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
PAGE_FOLDER = pathlib.Path(__file__).parents[2] / "vocalsep" / "studio" / "page"
# The level of the output over some seconds: root mean square.
LEVEL = """
async (seconds) => {
  const analyser = window.studio.player.analyser;
  const frame = new Float32Array(analyser.fftSize);
  let sum = 0, count = 0;
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    analyser.getFloatTimeDomainData(frame);
    for (const value of frame) { sum += value * value; count += 1; }
  }
  return Math.sqrt(sum / Math.max(1, count));
}
"""


@pytest.fixture(scope="session")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def page_studio(tmp_path_factory):
    served = Studio(tmp_path_factory.mktemp("page-library"), "--max-upload", 40)
    yield served
    served.close()


@pytest.fixture(scope="session")
def separated(page_studio):
    """The repository's song, separated."""
    added = page_studio.post(DEMO / "song.ogg", "song.ogg").json()
    return page_studio.until(added["id"], "done")


@pytest.fixture
def song(page_studio, separated):
    """The repository's song as it was when it was added: other tests have left it otherwise."""
    page_studio.http.put(f"api/songs/{separated['id']}/settings", json={})
    return separated


@pytest.fixture(scope="session")
def profile(browser, page_studio):
    """A profile of the browser, and a tab that stays: a process for a new profile takes longer than most tests."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True, locale="en-GB")
    tab = context.new_page()
    tab.goto(f"{page_studio.address}static/icon.svg")
    yield context, tab
    context.close()


@pytest.fixture
def context(profile):
    """The shared profile, without what other tests have left in it."""
    context, first_tab = profile
    first_tab.evaluate("localStorage.clear(); sessionStorage.clear()")
    yield context
    for tab in context.pages:
        if tab is not first_tab:
            tab.close()


@pytest.fixture
def page(context, page_studio):
    return open_page(context, page_studio.address)


def open_page(context, address):
    """Open the studio in a new tab, whose `problems` are errors of scripts and requests to other servers."""
    page = context.new_page()
    page.problems = []

    def note(message):
        # The browser notes each request that the studio refuses, which is part of some tests.
        if message.type == "error" and "/api/" not in message.location["url"]:
            page.problems.append(message.text)

    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", note)
    own = (address.split("?")[0].rstrip("/"), "blob:", "data:")
    page.on("request", lambda request: None if request.url.startswith(own) else page.problems.append(request.url))
    page.goto(address)
    page.wait_for_function("() => window.studio")
    return page


def open_song(page, song):
    """Open a song in the player."""
    page.locator(f"#songs li[data-id='{song['id']}'] button.name").click()
    page.wait_for_function("id => window.studio.songView.id === id", arg=song["id"], timeout=10000)


def upload(page, studio, path):
    """Choose a file on the page, and return the song once it is listed."""
    before = {one["id"] for one in studio.http.get("api/songs").json()}
    page.set_input_files("#file", path)
    page.wait_for_function(
        "known => [...document.querySelectorAll('#songs li[data-id]')].some(row => !known.includes(row.dataset.id))",
        arg=list(before),
        timeout=30000,
    )
    return next(one for one in studio.http.get("api/songs").json() if one["id"] not in before)


def play(page, position=None):
    """Play, from `position` on where one is given."""
    if position is not None:
        page.evaluate("seconds => window.studio.player.seek(seconds)", position)
    page.click("#play")
    wait_for_position(page, (position or 0) + 0.3)


def wait_for_position(page, seconds):
    page.wait_for_function(
        "seconds => window.studio.player.playing && window.studio.player.position > seconds", arg=seconds, timeout=15000
    )


def choose_from_menu(page, song, action):
    """Choose an action from the menu of a song in the list."""
    page.click(f"#songs li[data-id='{song['id']}'] button.menu")
    page.click(f"#song-menu [data-action='{action}']")


def answer(page, value):
    """Answer the question that the page asks."""
    page.click(f"#question [data-answer='{value}']")


def axe_script():
    """The path of axe-core, which checks accessibility; None where it is not installed."""
    folders = [os.environ.get("AXE_CORE", ""), "/usr/lib/node_modules/axe-core", "/usr/share/nodejs/axe-core"]
    folders += [str(folder / "node_modules" / "axe-core") for folder in pathlib.Path(__file__).parents]
    try:
        import axe_playwright_python

        folders.append(str(pathlib.Path(axe_playwright_python.__file__).parent))
    except ImportError:
        pass
    found = (pathlib.Path(folder) / "axe.min.js" for folder in folders if folder)
    return next((path for path in found if path.is_file()), None)
