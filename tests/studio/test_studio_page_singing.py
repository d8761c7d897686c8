"""The studio's page in a headless browser: words on the screen, practice, recordings, and the line of singers."""

import numpy as np
import pytest
import soundfile
from conftest import RATE
from studio_page import choose_from_menu, needs_chromium, open_page, open_song, play, wait_for_position

pytest_plugins = ["studio_page"]
pytestmark = needs_chromium
# Loudness around the beats and elsewhere, with the stems silent.
CLICK_TIMES = """
async (seconds) => {
  const { player, songView } = window.studio;
  const frame = new Float32Array(player.analyser.fftSize);
  const heard = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    player.analyser.getFloatTimeDomainData(frame);
    if (Math.max(...frame) > 0.1) heard.push(player.position);
  }
  return heard;
}
"""


def test_a_singer_is_added_on_a_phone_and_sings_on_the_page(browser, page, page_studio, song):
    page_studio.http.delete("api/party")
    open_song(page, song)
    play(page, 3)
    phone = browser.new_context(viewport={"width": 360, "height": 740}, locale="en-GB").new_page()
    phone.goto(page_studio.address + "static/remote.html")
    phone.get_by_role("heading", name=song["title"]).wait_for()
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    phone.fill("#singer", "Ana")
    phone.click("#songs button")
    phone.wait_for_function("() => document.querySelector('#party-line').textContent.includes('Ana')")
    page.wait_for_function("() => document.querySelector('#open-party').textContent === 'Singers: 1'")
    phone.click("#remote-play")
    page.wait_for_function("() => !window.studio.player.playing")
    phone.fill("#remote-vocals", "60")
    page.wait_for_function("() => window.studio.mixer.gains().vocals === 0.6")
    phone.click("#remote-next")
    page.wait_for_function("() => window.studio.player.playing && window.studio.player.position < 3")
    page.click("#open-party")
    assert "Ana" in page.text_content("#party-now")
    phone.wait_for_function("() => document.querySelector('#remote-play').textContent === 'Pause'")
    page.keyboard.press("Escape")
    page_studio.http.delete("api/party")
    phone.context.close()
    assert page.problems == []


def test_the_line_of_singers_is_ordered_on_the_page(page, page_studio, song):
    page_studio.http.delete("api/party")
    open_song(page, song)
    for singer, first in (("Ben", False), ("Cleo", False), ("Dora", True)):
        choose_from_menu(page, song, "sing")
        page.fill("#sing-name", singer)
        page.set_checked("#sing-next", first)
        page.keyboard.press("Enter")
        page.wait_for_function("name => document.querySelector('#party-line').textContent.includes(name)", arg=singer)
    page.click("#open-party")
    line = "[...document.querySelectorAll('#party-line .name')].map((name) => name.textContent.split(' ')[0])"
    assert page.evaluate(line) == ["Dora", "Ben", "Cleo"]
    page.click("#party-line li:nth-child(3) button[aria-label^='Sing earlier']")
    page.wait_for_function(f"() => {line}[1] === 'Cleo'")
    page.click("#party-line li:nth-child(1) button[aria-label^='Delete']")
    page.wait_for_function(f"() => {line}.length === 2")
    page.keyboard.press("Escape")
    page_studio.http.delete("api/party")
    assert page.problems == []


def test_a_voice_is_recorded_over_the_track_and_mixed(page, page_studio, song):
    open_song(page, song)
    page.click("#record-section summary")
    page.fill("#record-latency", "120")
    page.evaluate("window.studio.player.seek(4)")
    page.click("#record")
    wait_for_position(page, 6.2)
    page.click("#record")
    page.wait_for_selector("#recordings li")
    (recording,) = page_studio.http.get(f"api/songs/{song['id']}/recordings").json()
    assert (recording["start"], recording["latency_ms"]) == (4, 120)
    assert 2 < recording["duration"] < 6
    sound = page_studio.http.get(f"api/songs/{song['id']}/recordings/{recording['id']}/file").content
    assert sound[:4] == b"RIFF"
    page.select_option("#karaoke-format", "wav")
    with page.expect_download(timeout=30000) as download:
        page.click("#recordings [data-action=download_mix]")
    mixed, rate = soundfile.read(download.value.path(), always_2d=True)
    assert rate == RATE
    assert len(mixed) >= song["samples"]
    page.click("#recordings [data-action=delete]")
    page.wait_for_function("() => !document.querySelector('#recordings li')")
    assert page.problems == []


def test_the_latency_is_the_delay_of_the_clicks_that_are_heard(page):
    rate, delay = 8000, 0.137
    times = [0.5 + 0.6 * index for index in range(8)]
    heard = np.random.default_rng(0).normal(0, 0.001, round(rate * 5.5))
    for time in times:
        start = round((time + delay) * rate)
        heard[start : start + 160] += 0.2 * np.sin(np.arange(160)) * np.exp(-np.arange(160) / 40)
    measure = """
    async ([samples, rate, times]) => {
      const { measureDelay } = await import("/static/recorder.js");
      return measureDelay(new Float32Array(samples), rate, times);
    }
    """
    assert abs(page.evaluate(measure, [heard.tolist(), rate, times]) - delay) < 0.002
    noise = np.random.default_rng(1).normal(0, 0.01, len(heard))
    assert page.evaluate(measure, [noise.tolist(), rate, times]) is None
