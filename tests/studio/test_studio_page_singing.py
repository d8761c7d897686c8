"""The studio's page in a headless browser: words on the screen, practice, recordings, and the line of singers."""

import re

import av
import numpy as np
import pytest
import soundfile
from conftest import RATE
from studio_page import choose_from_menu, needs_chromium, open_song, play, wait_for_position

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


LRC = """[00:01.00]<00:01.00>Paper <00:02.00>lantern <00:03.00>glow
[00:05.00]Second line
[00:14.00]After a pause
"""
SHOWN = """
() => ({
  now: document.querySelector(".words-now").textContent,
  sung: [...document.querySelectorAll(".words-now .sung")].map((word) => word.textContent.trim()),
  next: document.querySelector(".words-next").textContent,
  dots: document.querySelector(".words-pause").textContent.length,
})
"""


@pytest.fixture
def words(page, page_studio, song, tmp_path):
    """A page with a song whose words were added as an LRC file, word by word."""
    open_song(page, song)
    page.click("#words-section summary")
    (tmp_path / "song.lrc").write_text(LRC, "utf-8")
    page.set_input_files("#words-file", tmp_path / "song.lrc")
    page.wait_for_selector("#words")
    yield page
    page_studio.http.delete(f"api/songs/{song['id']}/lyrics")


def seek(page, seconds):
    page.evaluate("seconds => window.studio.player.seek(seconds)", seconds)
    return page.evaluate(SHOWN)


def test_words_are_shown_when_they_are_sung(words, song):
    title = song["title"]
    assert seek(words, 0) == {"now": "Paper lantern glow", "sung": [], "next": "Second line", "dots": 0}
    assert seek(words, 2.5)["sung"] == ["Paper", "lantern"]
    assert seek(words, 5.5) == {"now": "Second line", "sung": ["Second line"], "next": "After a pause", "dots": 0}
    assert seek(words, 12)["dots"] == 2
    assert seek(words, 14.5)["now"] == "After a pause"
    play(words, 1.5)
    wait_for_position(words, 2.1)
    words.wait_for_function("() => document.querySelectorAll('.words-now .sung').length === 2")
    words.click("#play")
    # Half a second later, and kept.
    for _ in range(5):
        words.click("#words-later")
    assert words.text_content("#words-offset") == "+0.5 s"
    assert seek(words, 2.4)["sung"] == ["Paper"]
    assert seek(words, 2.6)["sung"] == ["Paper", "lantern"]
    words.wait_for_timeout(1000)
    words.reload()
    words.wait_for_selector("#words")
    assert words.text_content("#words-offset") == "+0.5 s"
    words.click("#words-full")
    words.wait_for_function("() => document.fullscreenElement?.id === 'words'")
    assert title
    assert words.problems == []


def test_a_second_window_shows_the_same_words(words, context, song):
    with context.expect_page() as opened:
        words.click("#words-window")
    stage = opened.value
    stage.wait_for_function("title => document.querySelector('h1')?.textContent.includes(title)", arg=song["title"])
    words.evaluate("window.studio.player.seek(2.5)")
    stage.wait_for_function("() => document.querySelectorAll('.words-now .sung').length === 2")
    size = stage.evaluate("parseFloat(getComputedStyle(document.querySelector('.words-now')).fontSize)")
    assert size >= 32
    assert words.problems == []


def test_pasted_words_are_tapped_in_time_and_saved(page, page_studio, song):
    open_song(page, song)
    page.click("#words-section summary")
    page.click("#words-tap")
    page.fill("#tap-text", "One two\n\nthree")
    page.check("#tap-words")
    page.click("#tap-start")
    tapped = []
    for position in (0.6, 1.2, 1.8):
        wait_for_position(page, position)
        tapped.append(page.evaluate("window.studio.player.position"))
        page.keyboard.press("Space")
    assert page.text_content("#tap-count") == "3 of 3"
    page.click("#tap-save")
    page.wait_for_selector("#words")
    lyrics = page_studio.http.get(f"api/songs/{song['id']}/lyrics").json()
    assert [line["text"] for line in lyrics["lines"]] == ["One two", "three"]
    starts = [word["start"] for line in lyrics["lines"] for word in line["words"] or [line]]
    assert np.abs(np.array(starts) - tapped).max() < 0.25
    with page.expect_download() as saved:
        page.click("#words-save")
    assert saved.value.suggested_filename.endswith(".lrc")
    assert "three" in saved.value.path().read_text("utf-8")
    page.click("#words-remove")
    page.wait_for_selector("#words", state="hidden")
    assert page.problems == []


def test_a_file_of_words_in_an_old_encoding_is_read(page):
    read = """
    async ([bytes, code]) => {
      const { readTextFile } = await import("/static/words.js");
      return readTextFile(new File([new Uint8Array(bytes)], "song.lrc"), code);
    }
    """
    for text, encoding, code in (
        ("桜さくら", "shift_jis", "ja"),
        ("月亮", "gb18030", "zh"),
        ("Größe", "cp1252", "de"),
        ("Größe 桜", "utf-8", "en"),
        ("\ufeffcanción", "utf-16-le", "es"),
    ):
        assert page.evaluate(read, [list(text.encode(encoding)), code]).lstrip("\ufeff") == text.lstrip("\ufeff")


@pytest.mark.slow
def test_a_karaoke_video_is_downloaded(words, song):
    words.select_option("#download-what", "none")
    assert words.is_disabled("#download")
    words.select_option("#download-what", "burnt")
    with words.expect_download(timeout=90000) as download:
        words.click("#download")
    with av.open(str(download.value.path())) as video:
        assert video.streams.video[0].codec_context.name == "h264"
        assert video.streams.audio[0].codec_context.name == "aac"
        assert abs(video.duration / 1e6 - song["duration"]) < 0.2
    assert words.problems == []


def test_key_and_tempo_are_shown_and_beats_are_heard(page, page_studio, song):
    open_song(page, song)
    page.wait_for_function("() => document.querySelector('#analysis').checkVisibility()", timeout=60000)
    analysis = page_studio.http.get(f"api/songs/{song['id']}/analysis").json()
    shown = page.text_content("#analysis")
    assert f"{round(analysis['tempo'])} beats per minute" in shown
    assert re.search(r"[A-G][♯♭]? (major|minor) \(\d+ % sure\)", shown)
    transpose = """
    async ([key, semitones]) => (await import("/static/practice.js")).transposeKey(key, semitones)
    """
    assert page.evaluate(transpose, ["A minor", 3]) == {"pitch": "C", "mode": "minor"}
    assert page.evaluate(transpose, ["Bb major", -2]) == {"pitch": "A♭", "mode": "major"}
    # With both stems silent only the clicks are heard, and those at the beats.
    for name in ("vocals", "accompaniment"):
        page.locator(f"#{name}").fill("0")
    page.check("#click")
    play(page, 3)
    heard = page.evaluate(CLICK_TIMES, 2.5)
    assert heard
    beats = np.array(analysis["beats"])
    assert max(np.abs(beats - time).min() for time in heard) < 0.12
    page.click("#play")
    # The count-in: four clicks, and the song after them.
    page.uncheck("#click")
    page.check("#count-in")
    page.evaluate("window.studio.player.seek(3)")
    page.click("#play")
    page.wait_for_timeout(300)
    assert page.evaluate("window.studio.player.position") == 3
    # What changes meanwhile does not end it.
    page.check("#click")
    page.wait_for_timeout(300)
    assert page.evaluate("window.studio.player.position") == 3
    wait_for_position(page, 3.1)
    assert page.problems == []


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
    # The turn begins in the singer's key, from the start of the song.
    (entry,) = page_studio.http.get("api/party").json()["entries"]
    page_studio.http.patch(f"api/party/entries/{entry['id']}", json={"key": -1})
    phone.click("#remote-next")
    page.wait_for_function(
        """() => window.studio.player.playing && window.studio.player.position < 3
             && window.studio.keyTempo.current.key === -1""",
        timeout=60000,
    )
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
