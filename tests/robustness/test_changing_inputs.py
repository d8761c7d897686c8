"""Songs that vanish, are cut short or replaced while they are read: a whole result or one line, never half a song."""

import functools
import os
import subprocess
import time

import numpy as np
import pytest
from conftest import RATE, read, start_vocalsep, tones, vocalsep, write
from faults.cases import TRAINING, write_stems

from vocalsep.audio.decoding import open_source
from vocalsep.datasets.clips import open_clip
from vocalsep.errors import AudioError

SONG_S = 40


def vanish(path):
    path.unlink()


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path):
    # In place, as a sloppy copy does: readers see the old beginning and the new end.
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(path.stat().st_size // 2))


def replace(path):
    other = write(path.with_name(f"other{path.suffix}"), tones(SONG_S / 4, channels=1, seed=9), RATE)
    other.replace(path)


def grow(path):
    with path.open("ab") as file:
        file.write(path.read_bytes()[44:])


@pytest.fixture(scope="module")
def song_content(tmp_path_factory):
    """Gives the bytes of a song in a format."""
    folder = tmp_path_factory.mktemp("songs")
    return functools.cache(lambda suffix: write(folder / f"song{suffix}", tones(SONG_S, channels=1), RATE).read_bytes())


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".ogg"])
@pytest.mark.parametrize("change", [vanish, truncate, overwrite, replace, grow])
def test_files_that_change_while_read_are_complete_or_refused(change, suffix, song_content, tmp_path):
    path = tmp_path / f"song{suffix}"
    path.write_bytes(song_content(suffix))
    with open_source(path) as source:
        whole = sum(block.shape[1] for block in source.blocks())
    with open_source(path) as source:
        blocks = source.blocks()
        next(blocks)
        time.sleep(0.01)
        change(path)
        if change is vanish:
            assert sum(1 for _ in blocks)
            assert source.read == whole
        else:
            with pytest.raises(AudioError, match=r"^[^\n]*(changed|damaged)[^\n]*$"):
                list(blocks)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_truncated_clips_are_errors(suffix, tmp_path):
    path = write(tmp_path / f"stem{suffix}", tones(6), RATE)
    clip = open_clip(path)
    truncate(path)
    for start, count in ((5 * RATE, RATE), (0, None)):
        with pytest.raises(AudioError, match="stem"):
            clip.read(start, count)


@pytest.mark.parametrize(
    "change", [truncate, *(pytest.param(change, marks=pytest.mark.slow) for change in (vanish, replace))]
)
def test_a_song_that_changes_amid_a_batch(change, tmp_path):
    for number, times in enumerate((6, 1)):
        write(tmp_path / f"songs/{number}.wav", np.tile(tones(20, seed=number), times), RATE, subtype="PCM_16")
    out = tmp_path / "out"
    process = start_vocalsep("split", tmp_path / "songs", "--out", out, "--quiet", "--overlap", 0)
    _wait_for(lambda: list(out.rglob(".vocalsep-*")) or process.poll() is not None)
    change(tmp_path / "songs/0.wav")
    _, stderr = process.communicate(timeout=120)
    lines = stderr.decode().splitlines()
    assert process.returncode in (0, 1), lines
    assert len(lines) == process.returncode, lines
    assert {path.name for path in (out / "1").iterdir()} == {"vocals.wav", "accompaniment.wav"}
    made = sorted((out / "0").glob("*.wav")) if (out / "0").exists() else []
    assert len(made) == (0 if process.returncode else 2)
    if made:
        stems = [read(path) for path in made]
        assert np.abs(sum(stems) - np.tile(tones(20, seed=0), 6)).max() < 1e-3
    assert not list(out.rglob(".vocalsep-*"))


@pytest.fixture(scope="module")
def stems(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stems")
    write_stems(folder / "songs", 4, 6)
    (folder / "small.toml").write_text(TRAINING.replace("steps = 300", "steps = 60"))
    return folder


def test_an_evaluation_never_scores_half_a_song(stems, tmp_path):
    songs = tmp_path / "songs"
    subprocess.run(["cp", "-r", str(stems / "songs"), str(songs)], check=True)
    for stem in ("vocals", "accompaniment"):
        truncate(songs / f"1/{stem}.wav")
    done = vocalsep("evaluate", "--stems", songs, "--oracles", "IRM1", "--metrics", "usdr", "--jobs", 1)
    assert done.returncode == 1, done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert b"1 was not scored" in done.stderr


@pytest.mark.slow
def test_a_training_whose_songs_change_goes_on_or_says_so(stems, tmp_path):
    songs, run = tmp_path / "songs", tmp_path / "run"
    subprocess.run(["cp", "-r", str(stems / "songs"), str(songs)], check=True)
    options = ("--threads", 1, "--stems", songs, "--workers", 0, "--out", run)
    process = start_vocalsep("train", "--config", stems / "small.toml", *options)
    _wait_for(lambda: (run / "last.safetensors").exists() or process.poll() is not None)
    trained = next(iter(sorted(songs.iterdir())))
    vanish(trained / "vocals.wav")
    truncate(trained / "accompaniment.wav")
    _, stderr = process.communicate(timeout=120)
    assert b"Traceback" not in stderr
    assert process.returncode in (0, 2), stderr.decode()
    assert str(trained).encode() in stderr


def test_truncated_upload_in_the_library_fails_with_one_line(tmp_path):
    pytest.importorskip("httpx")
    from test_studio import opened

    library = tmp_path / "library"
    with opened(library) as studio:
        song = studio.post(write(tmp_path / "s.wav", np.tile(tones(20), 6), RATE), "s.wav").json()
        studio.until(song["id"], "running", "done")
        truncate(library / song["id"] / "original.wav")
        ended = studio.until(song["id"], "done", "failed")
        stems = list((library / song["id"]).glob("*.pcm"))
        assert (ended["state"] == "failed" and ended["error"] and not stems) or ended["ready"] == 120 * RATE


def _wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
