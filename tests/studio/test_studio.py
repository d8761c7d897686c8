"""The studio's HTTP interface, tested against a real server on a free port."""

import contextlib
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import av
import numpy as np
import pytest
import soundfile
import torch
from conftest import DEMO, RATE, read, start_vocalsep, tones, write

from vocalsep.model_files.checkpoint import save
from vocalsep.model_files.config import ModelConfig
from vocalsep.networks.table import build, config_class

httpx = pytest.importorskip("httpx")
pytest.importorskip("fastapi")


def client_of(address, timeout=30):
    """Return a client of an HTTP server; to read the system's certificates would take longer than most requests."""
    return httpx.Client(base_url=address, timeout=timeout, verify=False)


class Studio:
    """A studio in a subprocess, and a client of its HTTP interface."""

    def __init__(self, library, *options, port=0, command="serve"):
        self.process = start_vocalsep(command, "--port", port, "--library", library, *options)
        self.library = library
        self.stderr = io.TextIOWrapper(self.process.stderr, "utf-8")
        self.stderr_lines = []
        while not self.stderr_lines or not self.stderr_lines[-1].startswith("studio: "):
            line = self.stderr.readline()
            assert line, "".join(self.stderr_lines)
            self.stderr_lines.append(line)
        self.address = self.stderr_lines[-1].split()[1]
        self.http = client_of(self.address.split("?")[0], timeout=60)

    def post(self, path_or_bytes, name):
        data = path_or_bytes if isinstance(path_or_bytes, bytes) else path_or_bytes.read_bytes()
        return self.http.post("api/songs", params={"name": name}, content=data)

    def until(self, song_id, *states, timeout=120):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            song = self.http.get(f"api/songs/{song_id}").json()
            if song["state"] in states:
                return song
            time.sleep(0.05)
        raise AssertionError(f"still {song}")

    def start_export(self, song_id, **request):
        answer = self.http.post(f"api/songs/{song_id}/exports", json=request)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def ended_export(self, export_id, timeout=60):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            export = self.http.get(f"api/exports/{export_id}").json()
            if export["state"] not in ("queued", "running"):
                return export
            time.sleep(0.02)
        raise AssertionError(f"still {export}")

    def download(self, song_id, **request):
        """Make an export, and return it and the answer with its file."""
        export = self.ended_export(self.start_export(song_id, **request)["id"])
        assert export["state"] == "done", export["error"]
        return export, self.http.get(export["url"])

    def close(self, how=signal.SIGINT):
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout=20)
        finally:
            self.process.kill()
            self.stderr.close()


@contextlib.contextmanager
def opened(library, *options, **more):
    studio = Studio(library, *options, **more)
    try:
        yield studio
    finally:
        studio.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("library"), "--max-upload", 3, "--max-minutes", 2) as served:
        yield served


@pytest.fixture(scope="module")
def done(studio):
    """The shipped song, separated."""
    song = studio.post(DEMO / "song.ogg", "../../A song?.ogg")
    assert song.status_code == 201, song.text
    return studio.until(song.json()["id"], "done", "failed")


def test_idle_connections_are_kept_open(studio):
    """Clients reuse connections for some seconds; a request that meets the closing of its connection is lost."""
    address = httpx.URL(studio.address)
    with contextlib.closing(http.client.HTTPConnection(address.host, address.port)) as connection:
        for pause in (0, 6):
            time.sleep(pause)
            connection.request("GET", "/api/songs")
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()


def sound(response):
    """Samples (channels, samples) and rate of a WAV or FLAC that was answered."""
    assert response.status_code in (200, 206), response.text
    audio, rate = soundfile.read(io.BytesIO(response.content), always_2d=True)
    return audio.T, rate


def test_a_song_becomes_two_stems_that_add_up(studio, done):
    assert done["state"] == "done", done["error"]
    assert done["name"] == "A song?.ogg"
    mixture = read(DEMO / "song.ogg")
    assert (done["channels"], done["sample_rate"], done["samples"]) == (2, RATE, mixture.shape[1])
    assert done["ready"] == done["samples"]
    assert "suffix" not in done
    stems = [
        sound(studio.http.get(f"api/songs/{done['id']}/stems/{stem}.wav"))[0] for stem in ("vocals", "accompaniment")
    ]
    assert stems[0].shape == mixture.shape
    gain = float(np.vdot(sum(stems), mixture) / np.vdot(mixture, mixture))
    assert np.abs(sum(stems) - gain * mixture).max() < 2 / 32768
    assert 0.5 < gain < 1.001
    assert stems[0].any()


def test_ranges_give_the_same_bytes(studio, done):
    address = f"api/songs/{done['id']}/stems/vocals.wav"
    whole = studio.http.get(address).content
    for first, last in ((0, 43), (0, 99), (44, 44), (40, 50), (1000, 70000), (len(whole) - 7, len(whole) + 50)):
        part = studio.http.get(address, headers={"range": f"bytes={first}-{last}"})
        assert part.status_code == 206
        assert part.content == whole[first : last + 1]
        assert part.headers["content-range"] == f"bytes {first}-{min(last, len(whole) - 1)}/{len(whole)}"
    assert studio.http.get(address, headers={"range": "bytes=-9"}).content == whole[-9:]
    for header in (f"bytes={len(whole)}-", "bytes=9-3", "bytes=", "lines=1-2", "bytes=1-2,4-5"):
        refused = studio.http.get(address, headers={"range": header})
        assert refused.status_code == 416
        assert refused.json()["detail"]


def test_peaks_are_those_of_the_stems(studio, done):
    peaks = studio.http.get(f"api/songs/{done['id']}/peaks").json()
    vocals, _ = sound(studio.http.get(f"api/songs/{done['id']}/stems/vocals.wav"))
    step = peaks["samples_per_peak"]
    assert len(peaks["vocals"]) == len(peaks["accompaniment"]) == -(-vocals.shape[1] // step)
    expected = [np.abs(vocals[:, start : start + step]).max() for start in range(0, vocals.shape[1], step)]
    assert np.abs(np.array(peaks["vocals"]) - expected).max() < 1e-3


def test_another_key_and_tempo(studio, done):
    params = {"key": -2, "tempo": 80}
    address = f"api/songs/{done['id']}/stems/accompaniment.wav"
    assert studio.http.get(address, params=params).status_code == 409
    made = studio.http.post(f"api/songs/{done['id']}/versions", params=params).json()
    assert made["samples"] == pytest.approx(done["samples"] / 0.8, abs=2)
    stem, _ = sound(studio.http.get(address, params=params))
    assert stem.shape[1] == made["samples"]
    _, answer = studio.download(done["id"], kind="mix", format="wav", **params)
    assert sound(answer)[0].shape[1] == made["samples"]


def test_the_original_can_be_downloaded_in_ranges(studio, done):
    data = (DEMO / "song.ogg").read_bytes()
    assert studio.http.get(f"api/songs/{done['id']}/original").content == data
    part = studio.http.get(f"api/songs/{done['id']}/original", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, data[10:20])


@pytest.mark.parametrize(
    ("data", "name", "status", "problem"),
    [
        (b"", "empty.mp3", 422, {"detail": "this file is empty (0 bytes)", "code": "file_empty", "values": {}}),
        (b"Dear diary, today I sang.\n" * 50, "diary.txt", 422, {"code": "file_not_audio"}),
        (b"<html><p>Dear diary, today I sang.\n" * 50, "diary.mp3", 422, {"code": "file_unusable"}),
        (b"\0" * 3_100_000, "huge.wav", 413, {"code": "file_too_large", "values": {"megabytes": "3"}}),
    ],
)
def test_files_that_are_not_audio_are_refused_and_deleted(studio, done, data, name, status, problem):
    before = studio.http.get("api/songs").json()
    answer = studio.post(data, name)
    assert answer.status_code == status
    assert problem.items() <= answer.json().items()
    assert "Traceback" not in answer.text
    assert studio.http.get("api/songs").json() == before


def test_an_upload_without_content_length_is_bounded_too(studio):
    def parts():
        for _ in range(40):
            yield b"\0" * 100_000

    with contextlib.suppress(httpx.WriteError):
        answer = studio.http.post("api/songs", params={"name": "x.wav"}, content=parts())
        assert answer.status_code == 413


def test_an_aborted_upload_is_deleted(studio):
    before = studio.http.get("api/songs").json()
    scratch = studio.library / ".scratch"
    # Downloads are kept there.
    kept = set(scratch.iterdir())
    with socket.create_connection((studio.http.base_url.host, studio.http.base_url.port)) as line:
        head = f"POST /api/songs?name=x.wav HTTP/1.1\r\nHost: 127.0.0.1:{studio.http.base_url.port}\r\n"
        line.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode() + b"RIFF" * 100)
        time.sleep(0.2)
    deadline = time.monotonic() + 20
    while set(scratch.iterdir()) - kept and time.monotonic() < deadline:
        time.sleep(0.05)
    assert set(scratch.iterdir()) == kept
    assert studio.http.get("api/songs").json() == before


def test_a_truncated_song_fails_with_a_message(studio, tmp_path):
    whole = write(tmp_path / "s.flac", tones(4), RATE).read_bytes()
    song = studio.post(whole[: len(whole) // 2], "cut.flac").json()
    ended = studio.until(song["id"], "done", "failed")
    assert ended["state"] == "failed"
    assert ended["error"]
    assert ended["ready"] == 0
    assert studio.http.get(f"api/songs/{song['id']}/stems/vocals.wav").status_code == 409
    again = studio.http.post(f"api/songs/{song['id']}/restart")
    assert again.status_code == 200
    assert studio.until(song["id"], "failed")["error"] == ended["error"]


def write_dubbed(path):
    """Write a file with a mono stream in English and a stereo one in Japanese, the default."""
    with av.open(str(path), "w") as container:
        streams = []
        for layout, language in (("mono", "eng"), ("stereo", "jpn")):
            stream = container.add_stream("pcm_s16le", rate=RATE)
            stream.codec_context.layout = layout
            stream.metadata["language"] = language
            stream.disposition = av.stream.Disposition.default if language == "jpn" else av.stream.Disposition(0)
            streams.append((stream, layout))
        for stream, layout in streams:
            channels = 1 if layout == "mono" else 2
            samples = np.ascontiguousarray((tones(2, channels=channels) * 32767).astype(np.int16).T.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            frame.sample_rate = RATE
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def test_an_audio_stream_is_chosen_at_upload_and_another_with_a_restart(studio, tmp_path):
    dubbed = write_dubbed(tmp_path / "dubbed.mkv")

    def ended(answer):
        assert answer.status_code in (200, 201), answer.text
        return studio.until(answer.json()["id"], "done", "failed")

    usual = ended(studio.post(dubbed, "dubbed.mkv"))
    assert (usual["channels"], usual["audio_taken"]) == (2, 2)
    assert [one["language"] for one in usual["audio_streams"]] == ["eng", "jpn"]
    params = {"name": "dubbed.mkv", "audio_stream": "en"}
    english = ended(studio.http.post("api/songs", params=params, content=dubbed.read_bytes()))
    assert (english["channels"], english["audio_taken"]) == (1, 1)
    params["audio_stream"] = "3"
    refused = studio.http.post("api/songs", params=params, content=dubbed.read_bytes())
    assert refused.status_code == 422
    assert "no audio stream 3" in refused.json()["detail"]
    address = f"api/songs/{english['id']}"
    assert studio.http.post(f"{address}/versions", params={"key": 2}).status_code == 200
    assert studio.http.post(f"{address}/restart", params={"audio_stream": "fr"}).status_code == 422
    assert studio.http.post(f"{address}/restart").status_code == 409
    japanese = ended(studio.http.post(f"{address}/restart", params={"audio_stream": "2"}))
    assert (japanese["channels"], japanese["audio_taken"]) == (2, 2)
    assert studio.http.get(f"{address}/stems/vocals.wav", params={"key": 2}).status_code == 409
    assert sound(studio.http.get(f"{address}/stems/vocals.wav"))[0].shape[0] == 2


def test_remarks_about_a_file_come_with_the_song(studio, tmp_path):
    loud = tones(1)
    path = write(tmp_path / "loud.wav", loud * (2 / np.abs(loud).max()), RATE, subtype="FLOAT")
    song = studio.until(studio.post(path, "loud.wav").json()["id"], "done", "failed")
    assert song["remarks"] == ["peaks at +6.0 dB: all stems are lowered by that much"]
    record = json.loads((studio.library / song["id"] / "song.json").read_text())
    assert record["remarks"] == song["remarks"]
    quiet = studio.until(studio.post(write(tmp_path / "s.wav", tones(1)), "s.wav").json()["id"], "done", "failed")
    assert quiet["remarks"] == []


def test_a_song_beyond_the_limit_is_refused_with_a_message(studio, tmp_path):
    silence = np.zeros((1, 8000 * 130), np.float32)
    refused = studio.post(write(tmp_path / "long.flac", silence, 8000), "long.flac")
    assert refused.status_code == 413
    assert "longer than 2 minutes" in refused.json()["detail"]
    # Such a stream does not say how long it is: that shows only while it is decoded.
    with av.open(str(tmp_path / "long.aac"), "w", format="adts") as container:
        stream = container.add_stream("aac", rate=8000)
        stream.codec_context.layout = "mono"
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    posted = studio.post(tmp_path / "long.aac", "long.aac").json()
    ended = studio.until(posted["id"], "done", "failed")
    assert ended["state"] == "failed"
    assert "longer than 2 minutes" in ended["error"]


def test_many_uploads_at_once_all_get_their_own_stems(studio, tmp_path):
    files = [write(tmp_path / f"{n}.wav", tones(0.1 + 0.01 * n, RATE, 1 + n % 2, n), RATE) for n in range(50)]
    answers = [None] * len(files)

    def post(index):
        with client_of(studio.http.base_url, timeout=120) as client:
            answers[index] = client.post(
                "api/songs", params={"name": f"{index}.wav"}, content=files[index].read_bytes()
            )

    threads = [threading.Thread(target=post, args=(index,)) for index in range(len(files))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, answer in enumerate(answers):
        assert answer.status_code == 201, answer.text
        song = studio.until(answer.json()["id"], "done", "failed")
        assert song["name"] == f"{index}.wav"
        stems = [
            sound(studio.http.get(f"api/songs/{song['id']}/stems/{stem}.wav"))[0]
            for stem in ("vocals", "accompaniment")
        ]
        assert np.abs(sum(stems) - read(files[index])).max() < 2 / 32768
        assert studio.http.delete(f"api/songs/{song['id']}").status_code == 204


def test_queue_positions_cancelling_and_deleting(studio, tmp_path):
    long = write(tmp_path / "long.wav", tones(110, 8000, 1), 8000)
    short = write(tmp_path / "short.wav", tones(5, 8000, 1), 8000)
    first, second, third = (studio.post(path, f"{n}.wav").json()["id"] for n, path in enumerate((long, short, short)))
    assert studio.http.post(f"api/songs/{third}/cancel").json()["state"] == "cancelled"
    assert studio.http.post(f"api/songs/{first}/cancel").json()["state"] in ("cancelled", "done")
    assert studio.until(second, "done")["position"] is None
    assert studio.http.post(f"api/songs/{second}/restart").status_code == 409
    assert studio.http.post(f"api/songs/{third}/restart").json()["state"] in ("queued", "running", "done")
    studio.until(third, "done")
    for song_id in (first, second, third):
        assert studio.http.delete(f"api/songs/{song_id}").status_code == 204
        assert studio.http.get(f"api/songs/{song_id}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "api/songs/0123456789abcdef",
        "api/songs/..%2F..%2Fetc",
        "api/songs/../../../etc/passwd",
        "static/..%2f..%2fapi.py",
        "static/%2e%2e/server.py",
        "api/songs/0123456789abcdef/stems/..%2fsong.json.wav",
        "nothing",
    ],
)
def test_paths_outside_the_library_are_not_served(studio, path):
    answer = studio.http.get(path)
    assert answer.status_code in (404, 422)
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_invalid_parameters_are_refused(studio, done):
    base = f"api/songs/{done['id']}"
    for path in ("stems/vocals.wav?key=99", "stems/vocals.wav?tempo=nan", "stems/drums.wav", "stems/vocals.wav?key=x"):
        answer = studio.http.get(f"{base}/{path}")
        assert answer.status_code in (404, 422), path
        assert isinstance(answer.json()["detail"], str)
    assert studio.http.get(f"{base}/stems/vocals.wav?key=99").json()["detail"].startswith("key: ")


def test_requests_of_other_pages_and_for_other_hosts_are_refused(studio, done):
    address = f"api/songs/{done['id']}/cancel"
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
    ):
        assert studio.http.post(address, headers=headers).status_code == 403
        assert studio.http.get("api/songs", headers=headers).status_code == 403
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert studio.http.get("", headers=followed).status_code == 200
    assert studio.http.post(address, headers=followed).status_code == 403
    own = str(studio.http.base_url).rstrip("/")
    assert studio.http.post(address, headers={"origin": own}).status_code == 200
    for host in ("evil.example", "evil.example:8765", "127.0.0.1.evil.example", ""):
        assert studio.http.get("api/songs", headers={"host": host}).status_code in (400, 421)
    assert studio.http.get("api/songs", headers={"host": f"localhost:{studio.http.base_url.port}"}).status_code == 200


def test_nothing_is_loaded_from_other_servers(studio):
    page = studio.http.get("")
    assert page.status_code == 200
    for answer in (page, studio.http.get("api/songs"), studio.http.get("api/nothing")):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text
    described = studio.http.get("api/openapi.json").json()
    assert "/api/songs/{song_id}/stems/{stem}.wav" in described["paths"]
    schemas = described["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described))) <= set(schemas)


def test_every_change_is_sent_as_an_event(studio, tmp_path):
    song = write(tmp_path / "s.wav", tones(1.0), RATE)
    seen = []
    with (
        client_of(studio.http.base_url) as client,
        client.stream("GET", "api/events") as stream,
    ):
        lines = stream.iter_lines()
        posted = studio.post(song, "song.wav").json()
        kind = ""
        for line in lines:
            if line.startswith("event:"):
                kind = line.split(": ")[1]
            elif line.startswith("data:"):
                data = json.loads(line.removeprefix("data: "))
                if data.get("id") == posted["id"]:
                    seen.append(data.get("state", kind))
                    if seen[-1] == "done":
                        studio.http.delete(f"api/songs/{posted['id']}")
                    if kind == "gone":
                        break
    assert [state for index, state in enumerate(seen) if index == 0 or state != seen[index - 1]] == [
        "queued",
        "running",
        "done",
        "gone",
    ]


@pytest.mark.slow
def test_a_killed_studio_continues_its_queue(tmp_path):
    library = tmp_path / "library"
    song = write(tmp_path / "song.wav", tones(100, 22050, 1), 22050)
    with opened(library) as first:
        finished = first.post(write(tmp_path / "short.wav", tones(0.5)), "short.wav").json()["id"]
        first.until(finished, "done")
        long = first.post(song, "long.wav").json()["id"]
        waiting = first.post(song, "waiting.wav").json()["id"]
        first.until(long, "running", "done")
        first.close(signal.SIGKILL)
    shutil.copyfile(song, library / "not ours.wav")
    (library / "0000000000000000").mkdir()
    with opened(library) as second:
        assert second.http.get(f"api/songs/{finished}").json()["state"] == "done"
        interrupted = second.http.get(f"api/songs/{long}").json()
        assert interrupted["state"] == "interrupted"
        assert interrupted["error"]
        assert second.http.post(f"api/songs/{long}/restart").status_code == 200
        assert second.until(waiting, "done", "failed")["state"] == "done"
        assert second.until(long, "done", "failed")["state"] == "done"
        assert len(second.http.get("api/songs").json()) == 3
    assert (library / "not ours.wav").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make a small disk")
def test_a_full_disk_is_reported_and_leaves_no_incomplete_files(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with opened(small / "library") as studio:
            fits = write(tmp_path / "fits.flac", tones(15), RATE)
            song = studio.post(fits, "fits.flac").json()
            ended = studio.until(song["id"], "done", "failed")
            assert (ended["state"], ended["ready"]) == ("failed", 0)
            assert "disk is full" in ended["error"]
            large = write(tmp_path / "large.wav", tones(40), RATE)
            assert studio.post(large, "large.wav").status_code == 507
            assert studio.http.get(f"api/songs/{song['id']}/stems/vocals.wav").status_code == 409
            assert studio.http.delete(f"api/songs/{song['id']}").status_code == 204
            short = studio.post(write(tmp_path / "short.wav", tones(1), RATE), "short.wav").json()
            assert studio.until(short["id"], "done", "failed")["state"] == "done"
            names = {path.name for path in (small / "library").iterdir()}
            assert names == {".scratch", short["id"]}
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_broken_model_fails_each_song(tmp_path):
    model = tmp_path / "model.safetensors"
    network = build("unet", config_class("unet")(filters=(2, 2)))
    torch.nn.init.constant_(network.head.bias, float("nan"))
    save(model, network, ModelConfig(network=network.config), {})
    song = write(tmp_path / "song.wav", tones(0.5))
    with opened(tmp_path / "library", "--model", model) as studio:
        for _ in range(2):
            failed = studio.until(studio.post(song, "song.wav").json()["id"], "failed", "done")
            assert "NaN" in failed["error"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--host", "256.1.1.1"), "cannot listen"),
        (("--model", "nobody"), "unknown model 'nobody'"),
        (("--max-upload", "0"), "the largest upload must be above 0"),
        (("--model", __file__), "not a safetensors file"),
        (("--library", "/dev/null/x"), "cannot be used as a library"),
    ],
)
def test_a_studio_that_cannot_start_prints_one_line(options, message, tmp_path):
    command = [sys.executable, "-m", "vocalsep", "serve", "--port", "0", "--library", str(tmp_path), *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
