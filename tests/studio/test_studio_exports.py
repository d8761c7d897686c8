"""The studio's downloads, tested against a real server: what is in them, and how they are made."""

import contextlib
import io
import json
import os
import signal
import time
import zipfile

import av
import numpy as np
import pytest
import soundfile
from conftest import DEMO, RATE, tones, write
from test_cli_karaoke import _video as film
from test_studio import client_of, opened, sound

from vocalsep.datasets.clips import open_clip
from vocalsep.studio.library import DONE, Library
from vocalsep.studio.stems import encode_pcm
from vocalsep.tags import read_tags

httpx = pytest.importorskip("httpx")
pytest.importorskip("fastapi")


LONG_S, LONG_RATE = 720, 16000


def add_long_song(folder):
    """Add a song of 12 minutes that is done to a library, without separating it, and return its id."""
    library = Library(folder)
    upload = write(library.temporary_folder / "long.flac", tones(1, LONG_RATE, 1), LONG_RATE)
    song = library.add(upload, "long.flac", state=DONE, channels=1, sample_rate=LONG_RATE)
    samples = encode_pcm(np.tile(tones(10, LONG_RATE, 1), LONG_S // 10), 16)
    for stem in ("vocals", "accompaniment"):
        library.stem(song, stem).write_bytes(samples)
    return library.update(song, samples=len(samples) // 2, ready=len(samples) // 2).id


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return tmp_path_factory.mktemp("library")


@pytest.fixture(scope="module")
def long(library):
    """A song whose exports take a while."""
    return {"id": add_long_song(library)}


@pytest.fixture(scope="module")
def studio(library, long):
    with opened(library) as served:
        yield served


@pytest.fixture(scope="module")
def done(studio):
    """The shipped song, separated."""
    return studio.until(studio.post(DEMO / "song.ogg", "A song?.ogg").json()["id"], "done", "failed")


def stems_of(studio, song):
    return [
        sound(studio.http.get(f"api/songs/{song['id']}/stems/{stem}.wav"))[0] for stem in ("vocals", "accompaniment")
    ]


@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "m4a"])
def test_a_mix_has_the_gains_of_the_sliders(studio, done, form):
    export, answer = studio.download(done["id"], kind="mix", format=form, vocals=0.25, accompaniment=0.5)
    assert export["name"] == f"vocalsep - Paper Lantern (voice at 25%, band at 50%).{form}"
    assert export["bytes"] == len(answer.content)
    assert "voice%20at%2025%25%2C%20band%20at%2050%25" in answer.headers["content-disposition"]
    if form in ("wav", "flac"):
        mixed, rate = sound(answer)
        stems = stems_of(studio, done)
        assert rate == RATE
        assert np.abs(mixed - 0.25 * stems[0] - 0.5 * stems[1]).max() < 2 / 32768
    else:
        with av.open(io.BytesIO(answer.content)) as container:
            seconds = sum(frame.samples for frame in container.decode(audio=0)) / RATE
        assert seconds == pytest.approx(done["samples"] / RATE, abs=0.2)


def test_names_of_downloads_tell_levels_key_tempo_and_passage(studio, done):
    base = "vocalsep - Paper Lantern"
    for request, name in (
        ({"kind": "mix"}, f"{base} (karaoke).wav"),
        ({"kind": "mix", "vocals": 1}, f"{base} (mix).wav"),
        ({"kind": "mix", "vocals": 1, "accompaniment": 0}, f"{base} (voice).wav"),
        ({"kind": "mix", "key": -2.5, "tempo": 90}, f"{base} (karaoke, key -2.5, tempo 90%).wav"),
        ({"kind": "stem", "stem": "accompaniment", "key": 1}, f"{base} (accompaniment, key +1).wav"),
        ({"kind": "mix", "start": 1.5, "end": 2}, f"{base} (karaoke, 0m01.5s to 0m02s).wav"),
    ):
        assert studio.download(done["id"], format="wav", **request)[0]["name"] == name


def test_a_passage_and_a_single_stem(studio, done):
    vocals, accompaniment = stems_of(studio, done)
    _, answer = studio.download(done["id"], kind="mix", format="wav", vocals=1, start=1.25, end=3)
    first, stop = round(1.25 * RATE), 3 * RATE
    assert np.abs(sound(answer)[0] - (vocals + accompaniment)[:, first:stop]).max() < 2 / 32768
    _, answer = studio.download(done["id"], kind="stem", stem="vocals", format="wav", start=20)
    assert np.array_equal(sound(answer)[0], vocals[:, 20 * RATE :])
    _, answer = studio.download(done["id"], kind="stem", stem="accompaniment", format="wav", end=2, tempo=80)
    assert sound(answer)[0].shape[1] == pytest.approx(2.5 * RATE, abs=2)


def test_both_stems_in_an_archive(studio, done):
    export, answer = studio.download(done["id"], kind="stems", format="flac")
    assert export["name"] == "vocalsep - Paper Lantern (stems).zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = [f"vocalsep - Paper Lantern - {stem}.flac" for stem in ("vocals", "accompaniment")]
        assert archive.namelist() == names
        for name, stem in zip(names, stems_of(studio, done), strict=True):
            packed, _ = soundfile.read(io.BytesIO(archive.read(name)), always_2d=True)
            assert np.array_equal(packed.T, stem)


def test_a_stem_file_holds_mixture_and_four_stems_and_names_them(studio, done, tmp_path):
    export, answer = studio.download(done["id"], kind="stem_file")
    assert export["name"] == "vocalsep - Paper Lantern.stem.mp4"
    path = tmp_path / "song.stem.mp4"
    path.write_bytes(answer.content)
    fields = read_tags(path).fields
    assert {name: fields[name] for name in ("title", "artist", "album")} == {
        "title": ("Paper Lantern",),
        "artist": ("vocalsep",),
        "album": ("vocalsep examples",),
    }
    sounds = [open_clip(path, stream).read() for stream in range(5)]
    length = min(sound.shape[1] for sound in sounds)
    assert length == pytest.approx(done["samples"], abs=4096)
    assert np.abs(sounds[1]).max() < 1e-3 > np.abs(sounds[2]).max()
    mixture, accompaniment, vocals = (sounds[index][:, :length] for index in (0, 3, 4))
    error = mixture - accompaniment - vocals
    assert (error**2).sum() < (mixture**2).sum() / 50
    at = answer.content.index(b"stem{") + 4
    size = int.from_bytes(answer.content[at - 8 : at - 4], "big")
    assert [stem["name"] for stem in json.loads(answer.content[at : at - 8 + size])["stems"]][-1] == "Vocals"


def test_a_renamed_song_has_its_new_title_in_names_and_tags(studio, tmp_path):
    song = studio.post(write(tmp_path / "s.wav", tones(0.5), RATE), "track 01.wav").json()
    assert song["title"] == "track 01"
    studio.until(song["id"], "done")
    changes = {"title": "Ave Maria", "artist": "The Choir", "album": "First"}
    assert studio.http.patch(f"api/songs/{song['id']}", json=changes).json()["title"] == "Ave Maria"
    export, answer = studio.download(song["id"], kind="stem_file")
    assert export["name"] == "The Choir - Ave Maria.stem.mp4"
    path = tmp_path / "s.stem.mp4"
    path.write_bytes(answer.content)
    fields = read_tags(path).fields
    assert [fields[name] for name in ("title", "artist", "album")] == [("Ave Maria",), ("The Choir",), ("First",)]
    export, answer = studio.download(song["id"], kind="mix", format="flac")
    path = tmp_path / "s.flac"
    path.write_bytes(answer.content)
    assert read_tags(path).fields["title"] == ("Ave Maria (Karaoke)",)


def test_what_a_format_cannot_hold_fails_with_a_sentence(studio, tmp_path):
    song = studio.post(write(tmp_path / "s.wav", tones(0.5, 8000, 3), 8000), "s.wav").json()
    assert studio.until(song["id"], "done", "failed")["state"] == "done"
    for request in ({"kind": "mix", "format": "mp3"}, {"kind": "stem_file"}, {"kind": "stems", "format": "mp3"}):
        export = studio.ended_export(studio.start_export(song["id"], **request)["id"])
        assert export["state"] == "failed"
        assert "3" in export["error"]
        assert export["url"] is None
        assert studio.http.get(f"api/exports/{export['id']}/file").status_code == 409


def test_eight_channels_come_out_as_m4a(studio, tmp_path):
    song = studio.post(write(tmp_path / "s.wav", tones(0.5, 8000, 8), 8000), "s.wav").json()
    assert studio.until(song["id"], "done", "failed")["state"] == "done"
    for request in ({"format": "m4a"}, {"format": "flac", "key": 2, "tempo": 90}):
        _, answer = studio.download(song["id"], kind="mix", **request)
        with av.open(io.BytesIO(answer.content)) as container:
            assert container.streams.audio[0].codec_context.layout.name == "7.1"


def test_a_video_keeps_its_picture_with_the_mix_as_its_sound(studio, tmp_path):
    path = film(tmp_path / "film.mp4")
    song = studio.until(studio.post(path, "film.mp4").json()["id"], "done", "failed")
    assert song["video"]
    export, answer = studio.download(song["id"], kind="video", key=2)
    assert export["name"] == "film (karaoke, key +2).mp4"
    assert answer.headers["content-type"] == "video/mp4"

    def pictures(source):
        with av.open(source) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]

    assert pictures(io.BytesIO(answer.content)) == pictures(str(path))
    with av.open(io.BytesIO(answer.content)) as container:
        seconds = sum(frame.samples for frame in container.decode(audio=0)) / song["sample_rate"]
    assert seconds == pytest.approx(song["duration"], abs=0.2)


def test_words_are_drawn_into_a_video_or_added_as_subtitles(studio, done):
    address = f"api/songs/{done['id']}"
    refused = studio.http.post(f"{address}/exports", json={"kind": "video", "words": "burnt"})
    assert refused.status_code == 422
    assert "no words" in refused.json()["detail"]
    studio.http.put(f"{address}/lyrics", content="[00:01.00]Paper lantern\n[00:03.00]in the rain")
    studio.http.patch(f"{address}/settings", json={"words_offset": 0.5})
    request = {"kind": "video", "words": "subtitles", "tempo": 200}
    export, answer = studio.download(done["id"], **request)
    assert export["name"] == "vocalsep - Paper Lantern (karaoke, with subtitles, tempo 200%).mp4"
    with av.open(io.BytesIO(answer.content)) as container:
        words = [(float(p.pts * p.time_base), bytes(p)[2:]) for p in container.demux(subtitles=0) if p.size > 2]
        assert container.streams.video[0].codec_context.name == "h264"
        seconds = float(container.streams.audio[0].duration * container.streams.audio[0].time_base)
    assert words == [(0.75, b"Paper lantern"), (1.75, b"in the rain")]
    assert seconds == pytest.approx(done["duration"] / 2, abs=0.1)
    # Other words or times make another file.
    assert studio.start_export(done["id"], **request)["id"] == export["id"]
    studio.http.patch(f"{address}/settings", json={"words_offset": 0})
    assert studio.start_export(done["id"], **request)["id"] != export["id"]
    burnt = studio.start_export(done["id"], kind="video", words="burnt")
    assert studio.http.delete(f"api/exports/{burnt['id']}").status_code == 204


def test_requests_that_cannot_be_met_are_refused(studio, done):
    for request, words in (
        ({}, "kind"),
        ({"kind": "drums"}, "kind"),
        ({"kind": "mix", "format": "exe"}, "format"),
        ({"kind": "mix", "vocals": 2}, "vocals"),
        ({"kind": "mix", "key": 99}, "key"),
        ({"kind": "mix", "tempo": "nan"}, "tempo"),
        ({"kind": "mix", "start": 2, "end": 1}, "end of the passage"),
        ({"kind": "mix", "start": 1000}, "song's end"),
        ({"kind": "mix", "other": 1}, "other"),
        ({"kind": "mix", "client": "x"}, "client"),
        ({"kind": "video"}, "no picture"),
        ({"kind": "recording"}, "recording"),
    ):
        answer = studio.http.post(f"api/songs/{done['id']}/exports", json=request)
        assert answer.status_code == 422, request
        assert words in answer.json()["detail"]
    unknown = {"kind": "recording", "recording": "0" * 16}
    assert studio.http.post(f"api/songs/{done['id']}/exports", json=unknown).status_code == 404
    assert studio.http.post(f"api/songs/{'0' * 16}/exports", json={"kind": "mix"}).status_code == 404
    for path in ("0" * 16, f"{'0' * 16}/file", "..%2f..%2fsong.json"):
        assert studio.http.get(f"api/exports/{path}").status_code in (404, 422)


def test_equal_requests_share_one_export(studio, done):
    first = studio.start_export(done["id"], kind="mix", format="wav", vocals=0.5, client="client-1")
    for same in (
        {"vocals": 0.5},
        {"vocals": 0.5000001, "stem": "accompaniment"},
        {"vocals": 0.5, "start": 0, "end": 1000, "key": -0.0, "client": "client-2"},
    ):
        assert studio.start_export(done["id"], kind="mix", format="wav", **same)["id"] == first["id"]
    other = studio.start_export(done["id"], kind="mix", format="wav", vocals=0.6)
    assert other["id"] != first["id"]
    listed = [export["id"] for export in studio.http.get("api/exports").json()]
    assert listed.index(other["id"]) < listed.index(first["id"])
    # Others asked for it too.
    for params, status in (({"client": "client-1"}, 200), ({"client": "client-2"}, 200), ({}, 404)):
        assert studio.http.delete(f"api/exports/{first['id']}", params=params).status_code == 204
        assert studio.http.get(f"api/exports/{first['id']}").status_code == status


def test_exports_tell_their_progress_and_place_and_can_be_cancelled(studio, long):
    running = [studio.start_export(long["id"], kind="mix", format="mp3", vocals=gain) for gain in (0.1, 0.2)]
    while any(studio.http.get(f"api/exports/{export['id']}").json()["state"] == "queued" for export in running):
        time.sleep(0.01)
    waiting = [studio.start_export(long["id"], kind="stem_file"), studio.start_export(long["id"], kind="stems")]
    assert [export["position"] for export in waiting] == [1, 2]
    deadline = time.monotonic() + 30
    shares = set()
    while len(shares) < 3 and time.monotonic() < deadline:
        shares.add(studio.http.get(f"api/exports/{running[0]['id']}").json()["progress"])
    assert len(shares) == 3
    assert max(shares) < 1
    for export in (waiting[0], *running, waiting[1]):
        assert studio.http.delete(f"api/exports/{export['id']}").status_code == 204
        assert studio.http.get(f"api/exports/{export['id']}").status_code == 404
    scratch = studio.library / ".scratch"
    kept = {export["bytes"] for export in studio.http.get("api/exports").json() if export["state"] == "done"}
    while {path.stat().st_size for path in scratch.iterdir()} - kept and time.monotonic() < deadline:
        time.sleep(0.05)
    assert {path.stat().st_size for path in scratch.iterdir()} <= kept


def test_another_key_does_not_wait_for_downloads(studio, done, long):
    exports = [studio.start_export(long["id"], kind="mix", format="mp3", vocals=0.01 * n) for n in range(1, 9)]
    made = studio.http.post(f"api/songs/{done['id']}/versions", params={"key": 3})
    assert made.status_code == 200
    states = [studio.http.get(f"api/exports/{export['id']}").json()["state"] for export in exports]
    assert states.count("done") <= 2 < states.count("queued")
    for export in exports:
        studio.http.delete(f"api/exports/{export['id']}")


def test_another_key_does_not_wait_for_a_separation(studio, long, tmp_path):
    other = studio.post(write(tmp_path / "other.flac", tones(400, 22050, 1), 22050), "other.flac").json()["id"]
    studio.until(other, "running")
    params = {"key": 2, "start": 300}
    assert studio.http.post(f"api/songs/{long['id']}/versions", params=params).status_code == 200
    assert studio.http.get(f"api/songs/{other}").json()["state"] == "running"
    studio.http.delete(f"api/songs/{other}")


def test_a_key_is_made_first_where_it_is_played(studio, long):
    start = 700
    made = studio.http.post(f"api/songs/{long['id']}/versions", params={"key": -5, "tempo": 50, "start": start}).json()
    address = f"api/songs/{long['id']}/stems/vocals.wav"
    version = {"key": -5, "tempo": 50}

    def part(first_s, last_s):
        first, last = (44 + 2 * LONG_RATE * seconds for seconds in (first_s, last_s))
        return studio.http.get(address, params=version, headers={"range": f"bytes={first}-{last - 1}"})

    first = part(2 * start, 2 * start + 10)
    assert (first.status_code, len(first.content)) == (206, 20 * LONG_RATE)
    # What is before it comes last, and is not sent until it is there.
    assert part(2 * start - 5, 2 * start - 1).status_code == 416
    assert studio.http.get(address, params=version).json()["code"] == "stem_growing"
    assert studio.http.post(f"api/songs/{long['id']}/versions", params=version).json() == made
    whole = studio.http.get(address, params=version).content
    assert len(whole) == 44 + 2 * made["samples"]
    assert part(2 * start, 2 * start + 10).content == first.content
    assert np.abs(np.frombuffer(whole[44:], "<i2").reshape(-1, LONG_RATE)).max(axis=1).min() > 0


def test_a_key_that_nobody_waits_for_is_not_made(studio, long):
    with contextlib.suppress(httpx.ReadTimeout):
        studio.http.post(f"api/songs/{long['id']}/versions", params={"key": 4, "tempo": 60}, timeout=0.2)
    deadline = time.monotonic() + 30
    while list((studio.library / ".scratch").glob("*.pcm")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list((studio.library / ".scratch").glob("*.pcm"))
    assert not list((studio.library / long["id"]).glob("*_+4.00_*"))


def test_events_tell_of_exports(studio, done):
    with (
        client_of(studio.http.base_url) as client,
        client.stream("GET", "api/events", params={"client": "events-1"}) as stream,
    ):
        seen, kind, ended = [], "", None
        for line in stream.iter_lines():
            if line.startswith("event:"):
                kind = line.split(": ")[1]
                if kind == "snapshot":
                    asked = studio.start_export(done["id"], kind="mix", format="flac", vocals=0.77)
            elif line.startswith("data:") and kind in ("export", "export_gone"):
                data = json.loads(line.removeprefix("data: "))
                if data["id"] == asked["id"] and kind == "export":
                    seen.append(data["state"])
                    if data["state"] == "done":
                        ended = data
                        studio.http.delete(f"api/exports/{asked['id']}")
                elif kind == "export_gone" and data["id"] == asked["id"]:
                    break
    assert seen[0] == "queued"
    assert seen[-1] == "done"
    assert "running" in seen
    assert ended["url"] == f"/api/exports/{asked['id']}/file"


def test_deleting_or_restarting_a_song_removes_its_exports(studio, tmp_path):
    song = studio.post(write(tmp_path / "s.wav", tones(0.5), RATE), "s.wav").json()
    studio.until(song["id"], "done")
    first = studio.download(song["id"], kind="mix", format="wav")[0]
    studio.http.post(f"api/songs/{song['id']}/restart", params={"audio_stream": "1"})
    assert studio.http.get(f"api/exports/{first['id']}").status_code == 404
    studio.until(song["id"], "done")
    second = studio.download(song["id"], kind="mix", format="wav")[0]
    studio.http.delete(f"api/songs/{song['id']}")
    assert studio.http.get(f"api/exports/{second['id']}").status_code == 404
    assert studio.http.get(second["url"]).status_code == 404


def test_a_recorded_voice_is_mixed_with_the_track_at_its_time(studio, done, tmp_path):
    address = f"api/songs/{done['id']}/recordings"
    rate, at = 48000, 0.5
    voice = np.zeros((1, rate), np.float32)
    voice[0, int(at * rate) : int(at * rate) + 4800] = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(4800) / rate)
    path = write(tmp_path / "take.wav", voice, rate)
    params = {"name": "Take 1.wav", "start": 2.0, "latency_ms": 100, "level": 0.5, "tempo": 80}
    posted = studio.http.post(address, params=params, content=path.read_bytes())
    assert posted.status_code == 201, posted.text
    recording = posted.json()
    assert (recording["name"], recording["duration"], recording["tempo"]) == ("Take 1", 1.0, 80)
    assert studio.http.get(address).json() == [recording]
    assert studio.http.get(f"{address}/{recording['id']}/file").content == path.read_bytes()
    # The latency is known better later.
    changed = studio.http.patch(f"{address}/{recording['id']}", json={"latency_ms": 150}).json()
    assert changed == {**recording, "latency_ms": 150}
    request = {"kind": "recording", "recording": recording["id"], "format": "wav", "accompaniment": 0.5}
    export, answer = studio.download(done["id"], **request)
    assert export["request"]["tempo"] == 80
    _, plain = studio.download(done["id"], kind="mix", format="wav", accompaniment=0.5, tempo=80)
    added = sound(answer)[0] - sound(plain)[0]
    begin = round((2.0 - 0.15 + at) * RATE)
    heard = added[:, begin : begin + RATE // 10]
    expected = 0.25 * np.sin(2 * np.pi * 1000 * np.arange(heard.shape[1]) / RATE)
    assert np.abs(heard - expected)[:, 200:-200].max() < 0.01
    assert np.abs(added[:, : begin - 200]).max() < 0.001 > np.abs(added[:, begin + RATE // 10 + 200 :]).max()
    # 1.6 s of the song are 2 s of the slower track.
    _, answer = studio.download(done["id"], **request, start=1.6, end=4.0)
    begin -= 2 * RATE
    assert sound(answer)[0].shape[1] == pytest.approx(3 * RATE, abs=2)
    assert studio.http.delete(f"{address}/{recording['id']}").status_code == 204
    assert studio.http.get(address).json() == []
    assert studio.http.get(f"{address}/{recording['id']}/file").status_code == 404


def test_loud_recordings_lower_the_mix_instead_of_clipping(studio, done, tmp_path):
    path = write(tmp_path / "loud.wav", 0.9 * np.ones((1, RATE), np.float32), RATE)
    posted = studio.http.post(f"api/songs/{done['id']}/recordings?level=4", content=path.read_bytes()).json()
    _, answer = studio.download(done["id"], kind="recording", recording=posted["id"], format="wav")
    mixed = sound(answer)[0]
    assert 0.99 < np.abs(mixed).max() <= 1
    assert (np.abs(mixed) > 0.9999).sum() < 5


def test_recordings_that_are_not_valid_are_refused(studio, done, tmp_path):
    address = f"api/songs/{done['id']}/recordings"
    path = write(tmp_path / "s.wav", tones(0.2), RATE)
    assert studio.http.post(address, content=b"no sound" * 99).status_code == 422
    for params in ({"latency_ms": -1}, {"latency_ms": 99999}, {"level": 9}, {"start": "nan"}, {"tempo": 1}):
        assert studio.http.post(address, params=params, content=path.read_bytes()).status_code == 422
    recording = studio.http.post(address, content=path.read_bytes()).json()
    for changes in ({"level": 99}, {"suffix": ".exe"}, {"name": ""}):
        assert studio.http.patch(f"{address}/{recording['id']}", json=changes).status_code == 422
    assert studio.http.patch(f"{address}/{'0' * 16}", json={}).status_code == 404
    assert studio.http.get(f"api/songs/{'0' * 16}/recordings").status_code == 404


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_exports_and_separation_at_once(tmp_path):
    long = add_long_song(tmp_path)
    with opened(tmp_path) as studio:
        song = studio.post(write(tmp_path / "song.wav", tones(100, 22050, 1), 22050), "song.wav").json()["id"]
        exports = [studio.start_export(long, kind="mix", vocals=gain) for gain in (0.1, 0.2, 0.3)]
        studio.until(song, "running")
        while studio.http.get(f"api/exports/{exports[1]['id']}").json()["progress"] == 0:
            time.sleep(0.01)
        with studio.http.stream("GET", "api/events") as stream:
            next(stream.iter_lines())
            started = time.monotonic()
            assert studio.close(signal.SIGINT) == 130
        # Without being ended they would take far longer, even on a busy machine.
        assert time.monotonic() - started < 15
    assert json.loads((tmp_path / song / "song.json").read_text())["state"] == "interrupted"
