"""The studio's page as a singer uses it, in a real browser without a window (Chromium, Playwright)."""

import io
import json
import shutil
import signal

import numpy as np
import pytest
import soundfile
from conftest import DEMO, RATE, tones, write
from test_cli_karaoke import _video as film
from test_studio import Studio, write_dubbed

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs the chromium program")
ARGUMENTS = ("--autoplay-policy=no-user-gesture-required", "--no-sandbox", "--mute-audio")
SIZES = ((360, 740), (1024, 768), (1920, 1080))
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


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    served = Studio(tmp_path_factory.mktemp("library"), "--max-upload", 40)
    yield served
    served.close()


@pytest.fixture
def page(browser, studio):
    context = browser.new_context(viewport={"width": 1024, "height": 768}, accept_downloads=True)
    page = context.new_page()
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda said: page.wrong.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: page.wrong.append(asked.url) if not asked.url.startswith(_own(studio)) else None)
    page.goto(studio.address)
    yield page
    context.close()


def _own(studio):
    return (studio.address.rstrip("/"), "blob:", "data:")


def dropped(page, studio, path):
    """Drop a file on the page and return the song once its row is there."""
    before = {song["id"] for song in studio.http.get("api/songs").json()}
    page.set_input_files("#file", path)
    page.wait_for_function(
        "known => [...document.querySelectorAll('#songs li[data-id]')].some(row => !known.includes(row.dataset.id))",
        arg=list(before),
        timeout=30000,
    )
    return next(song for song in studio.http.get("api/songs").json() if song["id"] not in before)


def chosen(page, song):
    """Open a song in the player."""
    row = page.locator(f"#songs li[data-id='{song['id']}']")
    row.locator("button.name").click()
    page.wait_for_function("id => window.studio.player.song?.id === id", arg=song["id"], timeout=10000)


def slide(page, name, value):
    page.locator(f"#{name}").fill(str(value))


def play(page):
    page.click("#play")
    page.wait_for_function("() => window.studio.player.playing && window.studio.player.position > 0.3", timeout=15000)


def test_drop_wait_play_and_turn_the_voice_down(page, studio):
    song = dropped(page, studio, DEMO / "song.ogg")
    studio.until(song["id"], "done")
    chosen(page, song)
    slide(page, "accompaniment", 0)
    slide(page, "vocals", 100)
    page.evaluate("window.studio.player.seek(8)")
    page.click("#play")
    page.wait_for_function("() => window.studio.player.playing && window.studio.player.position > 8.3", timeout=15000)
    loud = page.evaluate(LEVEL, 1.5)
    slide(page, "vocals", 10)
    page.wait_for_timeout(300)
    page.evaluate("window.studio.player.seek(8)")
    page.wait_for_function("() => window.studio.player.position > 8.3", timeout=15000)
    quiet = page.evaluate(LEVEL, 1.5)
    assert loud > 1e-3
    assert quiet < loud / 4
    slide(page, "vocals", 0)
    page.wait_for_timeout(400)
    assert page.evaluate(LEVEL, 0.5) < loud / 100
    page.keyboard.press("Escape")
    page.click("#play")
    page.wait_for_function("() => !window.studio.player.playing")
    assert page.wrong == []


def test_stems_stay_together_after_ten_seeks(page, studio):
    song = studio.http.get("api/songs").json()[-1]
    chosen(page, song)
    play(page)
    length = song["samples"] / RATE
    apart = []
    for turn in range(10):
        page.evaluate("seconds => window.studio.player.seek(seconds)", (turn * 0.37 + 0.11) % 1 * (length - 3))
        page.wait_for_timeout(250)
        places = page.evaluate("window.studio.player.stemPositions()")
        assert places["vocals"] is not None
        apart.append(abs(places["vocals"] - places["accompaniment"]))
    assert max(apart) < 1e-3
    assert page.wrong == []


def test_the_downloaded_mix_has_the_samples_of_the_sliders(page, studio):
    song = studio.http.get("api/songs").json()[-1]
    chosen(page, song)
    slide(page, "vocals", 50)
    slide(page, "accompaniment", 100)
    page.select_option("#download-format", "wav")
    with page.expect_download(timeout=30000) as begun:
        page.click("#download-mix")
    mixed, _ = soundfile.read(begun.value.path(), always_2d=True)
    stems = [
        soundfile.read(io.BytesIO(studio.http.get(f"api/songs/{song['id']}/stems/{stem}.wav").content), always_2d=True)[
            0
        ]
        for stem in ("vocals", "accompaniment")
    ]
    assert mixed.shape == stems[0].shape
    assert np.abs(mixed - 0.5 * stems[0] - stems[1]).max() < 2 / 32768
    assert page.wrong == []


def test_a_queue_survives_a_refresh_and_a_song_can_be_cancelled(page, studio, tmp_path):
    long = write(tmp_path / "long.flac", tones(150, 16000, 1), 16000)
    first = dropped(page, studio, long)
    second = dropped(page, studio, write(tmp_path / "next.flac", tones(2), RATE))
    page.reload()
    page.wait_for_selector(f"#songs li[data-id='{first['id']}']")
    page.wait_for_selector(f"#songs li[data-id='{second['id']}']")
    studio.until(first["id"], "running", "done")
    cancel = page.locator(f"#songs li[data-id='{first['id']}'] [data-testid='cancel']")
    if cancel.count() and cancel.is_visible():
        cancel.click()
    assert studio.until(first["id"], "cancelled", "done")
    assert studio.until(second["id"], "done")
    page.wait_for_function(
        "id => document.querySelector(`#songs li[data-id='${id}']`)?.dataset.state === 'done'", arg=second["id"]
    )
    for song in (first, second):
        studio.http.delete(f"api/songs/{song['id']}")
        page.wait_for_function("id => !document.querySelector(`#songs li[data-id='${id}']`)", arg=song["id"])
    assert page.wrong == []


def test_a_bad_file_is_a_line_on_the_page(page, tmp_path):
    (tmp_path / "diary.mp3").write_text("Dear diary\n" * 100)
    page.set_input_files("#file", tmp_path / "diary.mp3")
    page.wait_for_function("() => document.querySelector('#messages').textContent.includes('diary.mp3')", timeout=20000)
    # The browser itself notes the refusal.
    assert all("422" in line for line in page.wrong)


def test_a_video_keeps_its_picture_and_its_time(page, studio, tmp_path):
    song = dropped(page, studio, film(tmp_path / "film.webm", seconds=12))
    studio.until(song["id"], "done")
    chosen(page, song)
    page.wait_for_function("() => !document.querySelector('#picture').hidden", timeout=10000)
    play(page)
    page.evaluate("window.studio.player.seek(6)")
    page.wait_for_function("() => window.studio.player.position > 7", timeout=15000)
    assert page.evaluate("document.querySelector('#picture').videoWidth") == 64
    apart = page.evaluate("document.querySelector('#picture').currentTime - window.studio.player.position")
    assert abs(apart) < 0.25
    page.click("#play")
    studio.http.delete(f"api/songs/{song['id']}")
    assert page.wrong == []


def test_another_audio_stream_can_be_chosen(page, studio, tmp_path):
    song = dropped(page, studio, write_dubbed(tmp_path / "dubbed.mkv"))
    studio.until(song["id"], "done")
    chosen(page, song)
    page.wait_for_function("() => document.querySelector('#audio-stream').value === '2'", timeout=10000)
    options = page.locator("#audio-stream option").all_text_contents()
    assert options == ["1: eng, 1 channel", "2: jpn, 2 channels, default"]
    page.select_option("#audio-stream", "1")
    page.wait_for_function("() => window.studio.player.song?.channels === 1", timeout=30000)
    restarted = studio.until(song["id"], "done")
    assert (restarted["audio_taken"], restarted["channels"]) == (1, 1)
    page.wait_for_function("() => document.querySelector('#audio-stream').disabled === false", timeout=10000)
    assert page.locator("#audio-stream").input_value() == "1"
    other = dropped(page, studio, DEMO / "song.ogg")
    chosen(page, other)
    assert not page.locator("#audio-stream-field").is_visible()
    for one in (song, other):
        studio.http.delete(f"api/songs/{one['id']}")
    assert page.wrong == []


def test_remarks_about_a_file_are_shown(page, studio, tmp_path):
    loud = tones(2)
    song = dropped(page, studio, write(tmp_path / "loud.wav", loud * (2 / np.abs(loud).max()), RATE, subtype="FLOAT"))
    remarks = studio.until(song["id"], "done")["remarks"]
    assert remarks == ["peaks at +6.0 dB: all stems are lowered by that much"]
    chosen(page, song)
    page.wait_for_function("() => !document.querySelector('#remarks').hidden", timeout=10000)
    assert page.locator("#remarks li").all_text_contents() == remarks
    studio.http.delete(f"api/songs/{song['id']}")
    assert page.wrong == []


def test_key_tempo_loop_spectrogram_and_keyboard(page, studio):
    song = studio.http.get("api/songs").json()[-1]
    chosen(page, song)
    page.locator("#key").fill("-2")
    page.locator("#tempo").fill("80")
    page.click("#apply-version")
    page.wait_for_function(
        "want => Math.abs(window.studio.player.duration - want) < 0.1", arg=song["samples"] / RATE / 0.8
    )
    page.locator("#waveform").focus()
    page.keyboard.press("Space")
    page.wait_for_function("() => window.studio.player.playing && window.studio.player.position > 0.2", timeout=15000)
    page.click("#spectrogram-toggle")
    page.wait_for_function(
        """() => {
          const canvas = document.querySelector('#spectrogram');
          if (!canvas || !canvas.width) return false;
          const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          const seen = new Set();
          for (let at = 0; at < data.length; at += 4 * 97) seen.add(data[at] << 16 | data[at + 1] << 8 | data[at + 2]);
          return seen.size > 20;
        }""",
        timeout=20000,
    )
    page.keyboard.press("Space")
    page.wait_for_function("() => !window.studio.player.playing")
    page.keyboard.press("Shift+Slash")
    assert page.locator("dialog[open]").count() == 1
    page.keyboard.press("Escape")
    assert page.wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_any_window(browser, studio, scheme, tmp_path_factory):
    song = studio.http.get("api/songs").json()[-1]
    for width, height in SIZES:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = context.new_page()
        page.goto(studio.address)
        chosen(page, song)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll('button, input, select, canvas[role], a[href]')]
              .filter((control) => control.checkVisibility() && !(control.ariaLabel || control.labels?.length
                || control.textContent.trim() || control.title || control.getAttribute('aria-labelledby')))
              .map((control) => control.outerHTML)"""
        )
        assert unnamed == []
        page.screenshot(path=tmp_path_factory.getbasetemp() / f"studio-{scheme}-{width}.png", full_page=True)
        context.close()


def test_the_library_is_there_again_after_a_restart(browser, tmp_path):
    first = Studio(tmp_path / "library")
    song = first.post(write(tmp_path / "kept.wav", tones(3), RATE), "kept <b>song<b>.wav").json()
    first.until(song["id"], "done")
    assert first.close(signal.SIGTERM) is not None
    second = Studio(tmp_path / "library")
    try:
        page = browser.new_page()
        page.goto(second.address)
        row = page.locator(f"#songs li[data-id='{song['id']}']")
        row.wait_for()
        assert "kept <b>song<b>.wav" in row.text_content()
        chosen(page, song)
        page.click("#play")
        page.wait_for_function("() => window.studio.player.position > 0.2", timeout=15000)
        page.close()
    finally:
        second.close()
    assert json.loads((tmp_path / "library" / song["id"] / "song.json").read_text())["state"] == "done"
