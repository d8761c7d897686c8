"""The studio's page in a headless browser (Chromium, Playwright): the player, the downloads, and what is kept."""

import io
import json
import signal

import numpy as np
import pytest
import soundfile
from conftest import RATE, tones, write
from studio_page import LEVEL, needs_chromium, open_page, open_song, play, upload, wait_for_position
from test_cli_karaoke import _video as film
from test_studio import Studio, write_dubbed

pytest_plugins = ["studio_page"]
pytestmark = needs_chromium
SING_S = 8


def stem(studio, song, name):
    content = studio.http.get(f"api/songs/{song['id']}/stems/{name}.wav").content
    return soundfile.read(io.BytesIO(content), always_2d=True)[0]


def loaded(download):
    return soundfile.read(download.value.path(), always_2d=True)


def set_slider(page, name, percent):
    page.locator(f"#{name}").fill(str(percent))


def test_one_click_chooses_the_voice_and_it_is_heard(page, song):
    open_song(page, song)
    assert page.is_checked("input[value=karaoke]")
    levels = {}
    for voice in ("original", "karaoke", "guide", "voice"):
        page.check(f"input[value={voice}]", force=True)
        if voice == "original":
            set_slider(page, "accompaniment", 0)
            assert page.is_checked("input[value=voice]")
            page.check("input[value=original]", force=True)
            play(page, SING_S)
        page.evaluate("seconds => window.studio.player.seek(seconds)", SING_S)
        wait_for_position(page, SING_S + 0.4)
        levels[voice] = page.evaluate(LEVEL, 1)
        assert page.evaluate("window.studio.mixer.gains()") == {
            "vocals": {"karaoke": 0, "guide": 0.25}.get(voice, 1),
            "accompaniment": 0 if voice == "voice" else 1,
        }
    assert levels["original"] > levels["guide"] > levels["karaoke"] > 1e-3
    page.check("input[value=karaoke]", force=True)
    set_slider(page, "accompaniment", 0)
    page.wait_for_timeout(300)
    assert page.evaluate(LEVEL, 0.3) < levels["voice"] / 100
    page.click("#play")
    page.wait_for_function("() => !window.studio.player.playing")
    assert page.problems == []


def test_stems_stay_in_sync_after_ten_seeks(page, song):
    open_song(page, song)
    play(page, 0)
    length = song["samples"] / RATE
    apart = []
    for turn in range(10):
        page.evaluate("seconds => window.studio.player.seek(seconds)", (turn * 0.37 + 0.11) % 1 * (length - 3))
        page.wait_for_timeout(250)
        positions = page.evaluate("window.studio.player.stemPositions()")
        assert positions["vocals"] is not None
        apart.append(abs(positions["vocals"] - positions["accompaniment"]))
    assert max(apart) < 1e-3
    assert page.problems == []


def test_the_karaoke_download_is_a_job_with_progress_and_a_link(page, page_studio, song):
    open_song(page, song)
    page.select_option("#karaoke-format", "wav")
    with page.expect_download(timeout=30000) as download:
        page.click("#download-karaoke")
    mix, _ = loaded(download)
    assert np.abs(mix - stem(page_studio, song, "accompaniment")).max() < 2 / 32768
    assert download.value.suggested_filename.endswith(".wav")
    link = page.locator("#jobs a.button")
    link.wait_for()
    assert link.get_attribute("href").startswith("/api/exports/")
    # The same request again is the same file, and is saved at once.
    with page.expect_download(timeout=30000) as again:
        page.click("#download-karaoke")
    assert again.value.url == download.value.url
    page.reload()
    page.locator("#jobs a.button").wait_for()
    page.click("#jobs button:has-text('Dismiss')")
    assert page.locator("#jobs li").count() == 0
    assert page.problems == []


def test_downloads_are_of_the_mix_a_stem_and_a_passage(page, page_studio, song):
    open_song(page, song)
    set_slider(page, "vocals", 50)
    page.evaluate("window.studio.loopRegion.set(5, 7)")
    page.select_option("#download-format", "wav")
    with page.expect_download(timeout=30000) as download:
        page.click("#download")
    vocals = stem(page_studio, song, "vocals")
    mixed = 0.5 * vocals + stem(page_studio, song, "accompaniment")
    assert np.abs(loaded(download)[0] - mixed).max() < 2 / 32768
    page.select_option("#download-what", "vocals")
    page.check("#download-loop")
    assert "0:05.0 to 0:07.0" in page.text_content("#download-text")
    with page.expect_download(timeout=30000) as download:
        page.click("#download")
    passage, _ = loaded(download)
    assert np.abs(passage - vocals[5 * RATE : 7 * RATE]).max() < 2 / 32768
    assert page.problems == []


@pytest.mark.slow
def test_five_downloads_and_a_seek_do_not_stop_the_player(page, song):
    open_song(page, song)
    play(page, 0)
    for what in ("mix", "vocals", "accompaniment", "stems", "stem.mp4"):
        page.select_option("#download-what", what)
        page.click("#download")
    page.evaluate("window.studio.player.seek(15)")
    wait_for_position(page, 15.5)
    page.wait_for_function("() => document.querySelectorAll('#jobs li[data-state=done]').length >= 5", timeout=60000)
    assert page.evaluate("window.studio.player.playing")
    assert page.problems == []


def test_seven_tabs_share_one_event_stream_and_only_one_plays(context, page_studio, song):
    tabs = [open_page(context, page_studio.address) for _ in range(7)]
    for tab in (tabs[0], tabs[-1]):
        tab.bring_to_front()
        open_song(tab, song)
        play(tab, 2)
    tabs[0].wait_for_function("() => !window.studio.player.playing")
    assert tabs[-1].evaluate("window.studio.player.playing")
    # All hear of a change.
    page_studio.http.patch(f"api/songs/{song['id']}", json={"title": "Renamed"})
    for tab in tabs:
        tab.wait_for_function("() => document.querySelector('#songs').textContent.includes('Renamed')", timeout=10000)
    page_studio.http.patch(f"api/songs/{song['id']}", json={"title": "Paper Lantern"})
    assert [tab.problems for tab in tabs] == [[]] * 7


def test_a_hidden_tab_gets_no_events_and_catches_up_when_it_is_shown(page, page_studio, song):
    open_song(page, song)
    show = """(state) => {
      Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(
        "() => { window.heard = 0; window.studio.events.addEventListener('song', () => { window.heard += 1; }); }"
    )
    page.evaluate(show, "hidden")
    page.wait_for_timeout(300)
    page_studio.http.patch(f"api/songs/{song['id']}", json={"title": "Unheard"})
    page.wait_for_timeout(500)
    assert page.evaluate("window.heard") == 0
    page.evaluate(show, "visible")
    page.wait_for_function("() => document.querySelector('#title').textContent === 'Unheard'")
    page_studio.http.patch(f"api/songs/{song['id']}", json={"title": "Paper Lantern"})
    page.wait_for_function("() => document.querySelector('#title').textContent === 'Paper Lantern'")
    assert page.problems == []


def test_position_loop_levels_key_and_tempo_are_kept_for_each_song(page, page_studio, song, tmp_path):
    other = upload(page, page_studio, write(tmp_path / "other.flac", tones(6), RATE))
    page_studio.until(other["id"], "done")
    open_song(page, song)
    page.check("input[value=guide]", force=True)
    page.evaluate("window.studio.loopRegion.set(4, 9); window.studio.player.seek(6)")
    page.click("#mute-accompaniment")
    page.click("#key-down")
    page.click("#tempo-down")
    page.click("#tempo-down")
    long = song["samples"] / RATE
    longer = "want => Math.abs(window.studio.player.duration - want) < 0.1"
    page.wait_for_function(longer, arg=long / 0.9, timeout=30000)
    open_song(page, other)
    assert page.is_checked("input[value=karaoke]")
    assert page.input_value("#tempo") == "100"
    page.wait_for_timeout(100)
    page.reload()
    page.wait_for_function("() => window.studio?.songView.id")
    open_song(page, song)
    page.wait_for_function(longer, arg=long / 0.9, timeout=30000)
    assert (page.input_value("#key"), page.input_value("#tempo"), page.input_value("#vocals")) == ("-1", "90", "25")
    assert page.get_attribute("#mute-accompaniment", "aria-pressed") == "true"
    region = page.evaluate("window.studio.loopRegion.range")
    assert (region["enabled"], round(region["start"] * 0.9, 1), round(region["end"] * 0.9, 1)) == (True, 4, 9)
    assert abs(page.evaluate("window.studio.songView.songPosition") - 6) < 0.2
    page_studio.http.put(f"api/songs/{song['id']}/settings", json={})
    page_studio.http.delete(f"api/songs/{other['id']}")
    assert page.problems == []


def test_settings_that_could_not_be_sent_are_sent_again(page, page_studio, song):
    open_song(page, song)
    lost = []

    def lose_first(route):
        if route.request.method == "PATCH" and not lost:
            lost.append(route.request.post_data_json)
            route.abort()
        else:
            route.continue_()

    page.route("**/settings*", lose_first)
    page.click("#mute-accompaniment")
    page.evaluate("window.studio.songView.settings.flush()")
    page.wait_for_timeout(100)
    assert lost == [{"muted": ["accompaniment"]}]
    page.click("#key-down")
    with page.expect_response(lambda response: "/settings" in response.url, timeout=20000):
        page.evaluate("window.studio.songView.settings.flush()")
    kept = page_studio.http.get(f"api/songs/{song['id']}/settings").json()
    assert (kept["muted"], kept["key"]) == (["accompaniment"], -1)


def test_the_waveform_zooms_shows_times_and_has_edges_to_drag(page, song):
    open_song(page, song)
    length = song["samples"] / RATE
    page.evaluate("window.studio.loopRegion.set(5, 10)")
    box = page.locator("#waveform").bounding_box()
    at = lambda seconds: box["x"] + seconds / length * box["width"]  # noqa: E731
    middle = box["y"] + box["height"] / 2
    page.mouse.move(at(12.5), middle)
    assert page.text_content("#hover-time").startswith("0:12.")
    page.mouse.move(at(10), middle)
    page.mouse.down()
    page.mouse.move(at(14), middle, steps=4)
    page.mouse.up()
    region = page.evaluate("window.studio.loopRegion.range")
    assert abs(region["start"] - 5) < 0.01
    assert abs(region["end"] - 14) < 0.2
    page.mouse.click(at(20), middle)
    assert abs(page.evaluate("window.studio.player.position") - 20) < 0.2
    page.click("#zoom-in")
    page.click("#zoom-in")
    shown = page.evaluate("window.studio.waveform.shown")
    assert abs(shown["end"] - shown["start"] - length / 4) < 0.01
    assert shown["start"] < 20 < shown["end"]
    # The part that is shown follows the playhead.
    page.evaluate("window.studio.player.seek(1)")
    assert page.evaluate("window.studio.waveform.shown.start") < 1
    page.evaluate("window.studio.loopRegion.clear()")
    assert page.problems == []


def test_arrow_keys_are_the_pages_unless_the_waveform_has_the_focus(page, song):
    open_song(page, song)
    page.evaluate("window.studio.player.seek(10)")
    page.locator("#waveform").focus()
    for key, position in (("ArrowRight", 15), ("ArrowLeft", 10), ("Home", 0), ("PageUp", song["samples"] / RATE)):
        page.keyboard.press(key)
        assert abs(page.evaluate("window.studio.player.position") - position) < 0.01
    page.evaluate("document.activeElement.blur(); window.studio.player.seek(10); scrollTo(0, 200)")
    before = page.evaluate("window.studio.mixer.gains()")
    for key in ("ArrowRight", "ArrowUp", "Home"):
        page.keyboard.press(key)
    assert page.evaluate("window.studio.player.position") == 10
    assert page.evaluate("window.studio.mixer.gains()") == before
    page.wait_for_function("() => scrollY === 0")


def test_shortcuts_of_a_single_key_can_be_switched_off(page, song):
    open_song(page, song)
    muted = "document.querySelector('#mute-vocals').getAttribute('aria-pressed')"
    page.keyboard.press("m")
    assert page.evaluate(muted) == "true"
    # After a click on a choice, Space plays.
    page.click("#voices label:first-of-type")
    page.keyboard.press("Space")
    assert page.evaluate("window.studio.player.playing")
    page.keyboard.press("Shift+Slash")
    page.uncheck("#use-shortcuts")
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    assert page.evaluate(muted) == "true"
    page.keyboard.press("Shift+Slash")
    assert page.locator("dialog[open]").count() == 0
    page.reload()
    page.wait_for_function("() => window.studio?.songView.id")
    assert not page.is_checked("#use-shortcuts")


def test_the_tab_and_the_system_show_the_song(page, song):
    open_song(page, song)
    label = f"{song['title']} – {song['artist']}"
    page.wait_for_function("label => document.title.includes(label)", arg=label)
    about = "[navigator.mediaSession.metadata.title, navigator.mediaSession.metadata.artist]"
    assert page.evaluate(about) == [song["title"], song["artist"]]
    play(page, 0)
    assert page.title().startswith("▶ ")
    assert page.evaluate("navigator.mediaSession.playbackState") == "playing"


@pytest.mark.slow
def test_the_picture_of_a_video_is_in_sync_at_other_tempos_too(page, page_studio, tmp_path):
    song = upload(page, page_studio, film(tmp_path / "film.webm", seconds=12))
    page_studio.until(song["id"], "done")
    open_song(page, song)
    page.wait_for_function("() => !document.querySelector('#picture').hidden", timeout=10000)
    for tempo in (1, 0.8):
        if tempo != 1:
            for _ in range(4):
                page.click("#tempo-down")
            page.wait_for_function("() => window.studio.player.duration > 14.5", timeout=30000)
        page.evaluate("seconds => window.studio.player.seek(seconds)", 6 / tempo)
        if not page.evaluate("window.studio.player.playing"):
            page.click("#play")
        wait_for_position(page, 7 / tempo)
        assert page.evaluate("document.querySelector('#picture').videoWidth") == 64
        apart = page.evaluate("document.querySelector('#picture').currentTime - window.studio.songView.songPosition")
        assert abs(apart) < 0.25
    page_studio.http.delete(f"api/songs/{song['id']}")
    assert page.problems == []


def test_another_audio_stream_can_be_chosen(page, page_studio, song, tmp_path):
    dubbed = upload(page, page_studio, write_dubbed(tmp_path / "dubbed.mkv"))
    page_studio.until(dubbed["id"], "done")
    open_song(page, dubbed)
    page.wait_for_function("() => document.querySelector('#audio-stream').value === '2'", timeout=10000)
    options = page.locator("#audio-stream option").all_text_contents()
    assert options == ["1: eng, 1 channel", "2: jpn, 2 channels, default"]
    page.select_option("#audio-stream", "1")
    page.wait_for_function("() => window.studio.player.song?.channels === 1", timeout=30000)
    restarted = page_studio.until(dubbed["id"], "done")
    assert (restarted["audio_taken"], restarted["channels"]) == (1, 1)
    page.wait_for_function("() => document.querySelector('#audio-stream').disabled === false", timeout=10000)
    assert page.locator("#audio-stream").input_value() == "1"
    open_song(page, song)
    assert not page.locator("#audio-stream-field").is_visible()
    page_studio.http.delete(f"api/songs/{dubbed['id']}")
    assert page.problems == []


def test_remarks_about_a_file_are_shown(page, page_studio, tmp_path):
    loud = tones(2)
    path = write(tmp_path / "loud.wav", loud * (2 / np.abs(loud).max()), RATE, subtype="FLOAT")
    song = upload(page, page_studio, path)
    remarks = page_studio.until(song["id"], "done")["remarks"]
    assert remarks == ["peaks at +6.0 dB: all stems are lowered by that much"]
    open_song(page, song)
    page.wait_for_function("() => !document.querySelector('#remarks').hidden", timeout=10000)
    assert page.locator("#remarks li").all_text_contents() == remarks
    page_studio.http.delete(f"api/songs/{song['id']}")
    assert page.problems == []


def test_the_spectrogram_is_drawn(page, song):
    open_song(page, song)
    page.click("#spectrogram-section summary")
    page.evaluate("window.studio.player.seek(8)")
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
    assert page.problems == []


def test_the_library_is_the_same_after_a_restart(browser, tmp_path):
    first = Studio(tmp_path / "library")
    song = first.post(write(tmp_path / "kept.wav", tones(3), RATE), "kept <b>song<b>.wav").json()
    first.until(song["id"], "done")
    assert first.close(signal.SIGTERM) is not None
    second = Studio(tmp_path / "library")
    try:
        page = open_page(browser, second.address)
        row = page.locator(f"#songs li[data-id='{song['id']}']")
        row.wait_for()
        assert "kept <b>song<b>" in row.text_content()
        open_song(page, song)
        play(page)
        page.close()
    finally:
        second.close()
    assert json.loads((tmp_path / "library" / song["id"] / "song.json").read_text())["state"] == "done"
