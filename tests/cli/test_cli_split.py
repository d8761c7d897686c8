"""The real command line on real files."""

import json
import os
import pathlib
import signal
import sys
import time

import av
import numpy as np
import pytest
import soundfile
from conftest import RATE, read, start_vocalsep, tones, vocalsep, write

from vocalsep.benchmark.processes import run

STEMS = ("vocals", "accompaniment")


def stems_of(folder: pathlib.Path, name: str, suffix: str = "wav") -> dict[str, np.ndarray]:
    return {stem: read(folder / name / f"{stem}.{suffix}") for stem in STEMS}


def leftovers(folder: pathlib.Path) -> list[str]:
    return [path.name for path in folder.rglob(".vocalsep-*")]


LONG = "длинное имя с пробелами 🎤 " * 7


@pytest.mark.parametrize(
    ("name", "rate", "channels", "options"),
    [
        ("plain.wav", 44100, 2, {"subtype": "PCM_16"}),
        ("with spaces and (brackets) [x].flac", 48000, 2, {"subtype": "PCM_24"}),
        ("Кириллица.ogg", 22050, 1, {}),
        ("🎵 emoji.wav", 96000, 2, {"subtype": "FLOAT"}),
        ("surround.wav", 44100, 6, {"subtype": "PCM_24", "format": "WAVEX"}),
        (f"{LONG[:120]}.mp3", 44100, 2, {}),
        ("deep.wav", 48000, 1, {"subtype": "PCM_32"}),
        ("old.wav", 11025, 1, {"subtype": "PCM_U8"}),
        ("speech.opus", 48000, 2, {"format": "OGG", "subtype": "OPUS"}),
        ("mac.aiff", 44100, 2, {"subtype": "PCM_16"}),
    ],
)
def test_outputs_match_the_input_and_sum_to_it(tmp_path, name, rate, channels, options):
    song = write(tmp_path / name, tones(1.7, rate, channels), rate, **options)
    done = vocalsep("split", song, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr.decode()
    mixture = read(song)
    stems = stems_of(tmp_path / "out", song.stem)
    info = soundfile.info(tmp_path / "out" / song.stem / "vocals.wav")
    assert info.samplerate == rate
    integer = options.get("subtype", "").startswith("PCM")
    assert info.subtype == (options["subtype"] if integer else "FLOAT")
    for stem in stems.values():
        assert stem.shape == mixture.shape
    error = np.abs(stems["vocals"] + stems["accompaniment"] - mixture).max()
    assert error == 0 if integer else error < 1e-6
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("suffix", ["m4a", "mp4", "mkv", "mov"])
def test_what_only_ffmpeg_reads(tmp_path, suffix):
    path = tmp_path / f"song.{suffix}"
    audio = tones(1.5, 48000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(audio, format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        mixture = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert vocalsep("split", path, "-o", tmp_path / "out").returncode == 0
    stems = stems_of(tmp_path / "out", "song")
    assert stems["vocals"].shape == mixture.shape
    assert np.abs(stems["vocals"] + stems["accompaniment"] - mixture).max() < 1e-6


@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "opus", "mp3", "m4a"])
def test_every_output_format_is_playable(tmp_path, form):
    from vocalsep.audio.decoding import open_source

    song = write(tmp_path / "song.wav", tones(1.5, 48000), 48000)
    assert vocalsep("split", song, "-o", tmp_path, "--format", form, "--bitrate", "192k").returncode == 0
    for stem in STEMS:
        with open_source(tmp_path / "song" / f"{stem}.{form}") as source:
            assert source.info.sample_rate == 48000
            heard = np.concatenate(list(source.blocks()), axis=1)
        assert 0 <= heard.shape[1] - 72000 < (1024 if form == "m4a" else 1)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are always text")
@pytest.mark.parametrize("form", ["wav", "mp3"])
def test_names_that_are_no_text(tmp_path, form):
    song = write(tmp_path / "song.wav", tones(0.5))
    odd = pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \xff.wav"))
    song.rename(odd)
    done = vocalsep("split", odd, "-o", tmp_path / "out", "--format", form)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / odd.stem / f"vocals.{form}").stat().st_size > 1000


def test_loud_integer_songs_keep_their_sum_and_never_wrap(tmp_path):
    rng = np.random.default_rng(1)
    loud = np.clip(tones(2, seed=4) * 9 + rng.standard_normal((2, 2 * RATE)), -1, 1 - 2**-15)
    song = write(tmp_path / "loud.flac", loud, subtype="PCM_16")
    assert vocalsep("split", song, "-o", tmp_path, "--format", "flac").returncode == 0
    stems = stems_of(tmp_path, "loud", "flac")
    assert np.array_equal(stems["vocals"] + stems["accompaniment"], read(song))


def test_clip_guard_lowers_the_mixture_and_adds_a_remark(tmp_path):
    mixture = tones(1.5) * 4
    song = write(tmp_path / "hot.wav", mixture, subtype="FLOAT")
    done = vocalsep("split", song, "-o", tmp_path, "--subtype", "pcm_16", "--json")
    file = json.loads(done.stdout)["files"][0]
    gain = 1 / np.abs(mixture).max()
    assert file["gain_db"] == pytest.approx(20 * np.log10(gain), abs=1e-3)
    assert b"lowered" in done.stderr
    stems = stems_of(tmp_path, "hot")
    assert np.abs(stems["vocals"] + stems["accompaniment"] - mixture * gain).max() < 1.1 / 32768


def test_two_runs_are_bit_identical(tmp_path):
    song = write(tmp_path / "song.wav", tones(2))
    for folder in "ab":
        assert vocalsep("split", song, "-o", tmp_path / folder).returncode == 0
    for stem in STEMS:
        first, second = (tmp_path / folder / "song" / f"{stem}.wav" for folder in "ab")
        assert first.read_bytes() == second.read_bytes()


def test_a_batch_survives_broken_files_and_says_which(tmp_path):
    songs = tmp_path / "songs"
    for number in range(4):
        write(songs / f"good {number}.wav", tones(0.5, seed=number))
    write(songs / "sub" / "deep.flac", tones(0.5))
    (songs / "text.mp3").write_text("la la la" * 100)
    (songs / "empty.wav").write_bytes(b"")
    write(songs / "nothing.wav", np.zeros((2, 0), np.float32))
    done = vocalsep("split", songs, "--recursive", "-o", tmp_path / "out", "--json", "--quiet")
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 3
    assert [pathlib.Path(line.split(":")[0]).name for line in lines] == ["empty.wav", "nothing.wav", "text.mp3"]
    summary = json.loads(done.stdout)
    assert (summary["done"], summary["failed"], summary["skipped"]) == (5, 3, 0)
    assert len(list((tmp_path / "out").rglob("*.wav"))) == 10
    assert (tmp_path / "out" / "sub" / "deep" / "vocals.wav").exists()
    assert not (tmp_path / "out" / "text").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.mp3"], "no such file"),
        (["."], "no audio files in this folder"),
        (["*.wav"], "no audio file matches"),
        (["song", "--model", "nope"], "unknown model"),
        (["song", "--model", "broken.safetensors"], "broken.safetensors"),
        (["song", "--format", "midi"], "unknown format"),
        (["song", "--format", "flac", "--subtype", "float"], "cannot hold float"),
        (["song", "--bitrate", "fast"], "--bitrate"),
        (["song", "--name", "{who}/{stem}"], "unknown field"),
        (["song", "--overwrite", "--skip-existing"], "exclude each other"),
        (["song", "-o", "-"], "--stem"),
        (["song", "-o", "file.txt"], "cannot write to"),
    ],
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(tmp_path, arguments, words):
    write(tmp_path / "folder" / "song.wav", tones(0.3))
    (tmp_path / "broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    (tmp_path / "file.txt").write_text("in the way")
    arguments = ["folder/song.wav" if a == "song" else a for a in arguments]
    done = vocalsep("split", *arguments, "--quiet", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.decode().splitlines()) == 1, done.stderr.decode()
    assert words in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.safetensors", "file.txt", "folder"]


def test_existing_outputs_are_refused_skipped_or_replaced(tmp_path):
    song = write(tmp_path / "song.wav", tones(0.5))
    out = tmp_path / "out"
    assert vocalsep("split", song, "-o", out).returncode == 0
    vocals = out / "song" / "vocals.wav"
    vocals.write_bytes(b"precious")
    refused = vocalsep("split", song, "-o", out)
    assert refused.returncode == 2
    assert b"--overwrite" in refused.stderr
    assert vocalsep("split", song, "-o", out, "--skip-existing").returncode == 0
    assert vocals.read_bytes() == b"precious"
    (out / "song" / "accompaniment.wav").unlink()
    assert vocalsep("split", song, "-o", out, "--skip-existing").returncode == 0
    assert vocals.read_bytes() == b"precious"
    assert (out / "song" / "accompaniment.wav").exists()
    assert vocalsep("split", song, "-o", out, "--overwrite").returncode == 0
    assert vocals.read_bytes() != b"precious"


def test_standard_input_to_standard_output(tmp_path):
    song = write(tmp_path / "song.flac", tones(1.0))
    piped = vocalsep("split", "-", "-o", "-", "--stem", "vocals", "--format", "flac", stdin=song.read_bytes())
    assert piped.returncode == 0
    (tmp_path / "piped.flac").write_bytes(piped.stdout)
    vocalsep("split", song, "-o", tmp_path, "--format", "flac")
    assert np.array_equal(read(tmp_path / "piped.flac"), read(tmp_path / "song" / "vocals.flac"))


def test_name_template_and_single_stem(tmp_path):
    song = write(tmp_path / "song.wav", tones(0.5))
    done = vocalsep(
        "split", song, "-o", tmp_path / "o", "--stem", "accompaniment", "--name", "{model}/{name}_{stem}.{ext}"
    )
    assert done.returncode == 0
    assert [p.name for p in (tmp_path / "o").rglob("*.wav")] == ["song_accompaniment.wav"]
    assert done.stdout.decode().strip() == str(tmp_path / "o" / "default" / "song_accompaniment.wav")


@pytest.mark.parametrize(
    "audio",
    [
        np.zeros((2, RATE), np.float32),
        np.full((2, RATE), 0.7, np.float32),
        np.sign(np.sin(np.arange(RATE) * 0.06)).astype(np.float32)[None] * (1 - 2**-15),
        tones(0.01),
        tones(0.5)[:, :1],
    ],
    ids=["silence", "dc", "square", "10 ms", "one sample"],
)
def test_odd_but_valid_songs(tmp_path, audio):
    song = write(tmp_path / "song.wav", audio, subtype="PCM_16")
    done = vocalsep("split", song, "-o", tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    stems = stems_of(tmp_path, "song")
    assert np.array_equal(stems["vocals"] + stems["accompaniment"], read(song))


def test_nan_samples_are_silenced_and_counted(tmp_path):
    audio = tones(0.5)
    audio[0, 100:103] = np.nan
    song = write(tmp_path / "song.wav", audio, subtype="FLOAT")
    done = vocalsep("split", song, "-o", tmp_path)
    assert done.returncode == 0
    assert b"3 samples are NaN" in done.stderr
    assert np.isfinite(stems_of(tmp_path, "song")["vocals"]).all()


def _start(song: pathlib.Path, out: pathlib.Path):
    process = start_vocalsep("split", song, "-o", out)
    deadline = time.monotonic() + 60
    while not leftovers(out) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    return process


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGKILL, marks=pytest.mark.slow),
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_interrupted_split_leaves_no_incomplete_outputs(tmp_path, number):
    song = write(tmp_path / "song.wav", np.tile(tones(10), 30), subtype="PCM_16")
    process = _start(song, tmp_path / "out")
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == (-9 if number == signal.SIGKILL else 130)
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file() and not p.name.startswith(".")]
    if number != signal.SIGKILL:
        assert leftovers(tmp_path) == []
        assert b"Traceback" not in stderr
        assert b"interrupted" in stderr
    assert vocalsep("split", song, "-o", tmp_path / "out", "--duration", 1).returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_read_only_folder(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    song = write(tmp_path / "song.wav", tones(0.5))
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    done = vocalsep("split", song, "-o", locked)
    assert done.returncode == 2
    assert b"permission denied" in done.stderr


@pytest.mark.slow
def test_memory_does_not_depend_on_the_length(tmp_path):
    """Peak resident memory of the whole command for 3 minutes and for 12."""
    peaks = []
    for minutes in (3, 12):
        song = write(tmp_path / f"{minutes}.wav", np.tile(tones(20), 3 * minutes), subtype="PCM_16")
        command = [
            sys.executable,
            "-m",
            "vocalsep",
            "split",
            str(song),
            "-o",
            str(tmp_path),
            "--quiet",
            "--overlap",
            "0",
            # With more, chance says whether two chunks need their memory at the same moment.
            "--threads",
            "1",
        ]
        peaks.append(run(command).memory / 2**20)
    assert max(peaks) < 1100
    assert peaks[1] < peaks[0] * 1.15
