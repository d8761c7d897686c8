"""The studio's page in Firefox: what other browsers may do in another way."""

import pytest
from conftest import DEMO
from firefox import FIREFOX, Firefox
from studio_page import LEVEL
from test_studio import opened

pytestmark = pytest.mark.skipif(FIREFOX is None, reason="needs the firefox program")
HAS_SOUND = """
async () => {
  const context = new AudioContext();
  await Promise.race([context.resume(), new Promise((resolve) => setTimeout(resolve, 5000))]);
  const { state } = context;
  await context.close();
  return state === "running";
}
"""


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("library")) as served:
        yield served


@pytest.fixture(scope="module")
def song(studio):
    return studio.until(studio.post(DEMO / "song.ogg", "song.ogg").json()["id"], "done")


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    with Firefox(tmp_path_factory.mktemp("profile"), "de-DE") as driven:
        driven.resize(1280, 900)
        yield driven


@pytest.fixture
def page(firefox, studio, song):
    # A page that is left keeps how its song was left.
    firefox.open("about:blank")
    studio.http.put(f"api/songs/{song['id']}/settings", json={})
    firefox.open(studio.address)
    firefox.until("window.studio?.songView.id")
    firefox.run(
        """() => {
          window.problems = [];
          for (const name of ["error", "unhandledrejection", "securitypolicyviolation"])
            addEventListener(name, (event) => window.problems.push(String(event.message ?? event.reason ?? event)));
        }"""
    )
    yield firefox
    assert firefox.run("window.problems ?? []") == []


@pytest.fixture
def sounding(page):
    """The page, on a machine with loudspeakers, or something that the browser takes for them."""
    if not page.run(HAS_SOUND):
        pytest.skip("Firefox finds nothing to play sound on")
    return page


def test_the_karaoke_file_is_made_and_what_is_chosen_is_kept(page, studio, song):
    assert page.run("document.querySelector('#download-karaoke').textContent") == "Karaoke herunterladen"
    page.click("#download-karaoke")
    page.until("document.querySelector('#jobs li')?.dataset.state === 'done'")
    page.click("#key-up")
    page.until("window.studio.songView.keyTempo.current.key === 1")
    page.run("window.studio.player.seek(12)")
    page.until("document.querySelector('#messages').textContent === ''")
    while studio.http.get(f"api/songs/{song['id']}/settings").json()["position"] != 12:
        page.run("new Promise((resolve) => setTimeout(resolve, 100))")
    page.send("WebDriver:Refresh")
    page.until("window.studio?.songView.keyTempo.current.key === 1")
    assert page.run("window.studio.player.position") == pytest.approx(12, abs=0.01)


def test_what_has_the_focus_is_not_under_the_bar(page):
    page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    hidden = page.run(
        """() => [...document.querySelectorAll("main button, main input, main select, main summary")]
          .filter((one) => one.checkVisibility() && !one.disabled && !one.closest(".bar"))
          .filter((one) => {
            document.activeElement.blur();
            // At the lower edge of the window, where the bar is.
            scrollBy(0, one.getBoundingClientRect().bottom - innerHeight);
            one.focus();
            const { bottom } = one.getBoundingClientRect();
            return bottom > document.querySelector(".bar").getBoundingClientRect().top + 1;
          })
          .map((one) => one.id || one.textContent)"""
    )
    assert hidden == []


def test_both_stems_are_heard_in_sync_also_in_another_key(sounding):
    page = sounding
    page.click("#play")
    page.until("window.studio.player.playing && window.studio.player.position > 1")
    assert page.run(LEVEL, 1) > 0.01
    page.click("#key-up")
    page.until("window.studio.songView.keyTempo.current.key === 1")
    page.run("window.studio.player.seek(10)")
    page.until("window.studio.player.position > 10.5")
    assert page.run(LEVEL, 1) > 0.01
    positions = page.run("window.studio.player.stemPositions()")
    assert positions["vocals"] == positions["accompaniment"] > 10
    page.click("#play")
    page.until("!window.studio.player.playing")


def test_a_voice_is_recorded_although_the_loudspeakers_open_late(sounding, studio, song):
    page = sounding
    page.run("document.querySelector('#record-section').open = true")
    page.click("#record")
    # As when the beats of a song become known: what is scheduled is scheduled anew, and nothing is heard yet.
    page.until("window.studio.player.playing")
    page.run("window.studio.player.setClicks([0.5, 1.0])")
    page.until("window.studio.player.position > 1.5")
    page.click("#record")
    page.until("document.querySelector('#recordings li')")
    (recording,) = studio.http.get(f"api/songs/{song['id']}/recordings").json()
    assert recording["start"] == 0
    assert recording["duration"] > 1
    assert not page.run("window.studio.player.playing")


def test_a_player_that_cannot_be_heard_says_so(page):
    page.run("() => { AudioContext.prototype.resume = async () => {}; }")
    page.run("() => { Object.defineProperty(AudioContext.prototype, 'state', { get: () => 'suspended' }); }")
    page.click("#play")
    page.until("document.querySelector('#messages').textContent.includes('keinen Ton')")
    assert not page.run("window.studio.player.playing")
