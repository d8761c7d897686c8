"""Songs and sounds on disk: what is found, what is read, what is refused."""

import os
import shutil

import numpy as np
import pytest
import soundfile
from conftest import HERE, RATE, read, sdr, tones, write

from vocalsep.datasets.cache import Cache
from vocalsep.datasets.clips import open_clip
from vocalsep.datasets.musdb18 import find_tracks
from vocalsep.datasets.pairs import find_pairs
from vocalsep.datasets.pools import Collector, Pool, Pools, hold_out
from vocalsep.datasets.stems import find_songs, find_sounds
from vocalsep.errors import AudioError, OutputError, UsageError

MUSDB = HERE.parent.parent / "shared" / "data" / "musdb18-7s"
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="musdb needs the ffmpeg program")


def song(folder, seconds=2.0, rate=RATE, **stems):
    for name, scale in (stems or {"vocals": 1.0, "accompaniment": 0.5}).items():
        write(folder / f"{name}.wav", scale * tones(seconds, rate, seed=len(name)), rate, subtype="FLOAT")


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_an_excerpt_is_what_a_whole_read_holds_there(tmp_path, suffix):
    path = write(tmp_path / f"a.{suffix}", tones(3))
    clip = open_clip(path)
    whole = read(path, "float32")
    assert clip.seekable
    assert clip.samples == whole.shape[1]
    assert np.allclose(clip.read(70000, 5000), whole[:, 70000:75000], atol=1e-4)
    past = clip.read(whole.shape[1] - 10, 30)
    assert np.allclose(past[:, :10], whole[:, -10:], atol=1e-4)
    assert not past[:, 10:].any()
    assert not clip.read(whole.shape[1] + 5, 7).any()


def test_the_stems_of_a_song(tmp_path):
    song(tmp_path / "a", vocals=1.0, accompaniment=0.5)
    song(tmp_path / "b/inner", vocals=1.0, drums=0.2, bass=0.3, mixture=2.0)
    song(tmp_path / "c", vocals=1.0, mixture=1.5)
    write(tmp_path / "notasong/drums.wav", tones(1))
    first, second, third = find_songs(tmp_path)
    assert [first.name, second.name, third.name] == ["a", "b/inner", "c"]
    assert np.allclose(first.read("mixture"), first.read("vocals") + first.read("accompaniment"))
    drums_and_bass = read(tmp_path / "b/inner/drums.wav") + read(tmp_path / "b/inner/bass.wav")
    assert np.allclose(second.read("accompaniment"), drums_and_bass, atol=1e-6)
    assert np.allclose(second.read("mixture"), read(tmp_path / "b/inner/mixture.wav"), atol=1e-6)
    assert np.allclose(third.read("accompaniment", 100, 50), (third.read("mixture") - third.read("vocals"))[:, 100:150])


def test_mono_vocals_are_heard_on_both_sides(tmp_path):
    write(tmp_path / "s/vocals.wav", tones(1, channels=1))
    write(tmp_path / "s/accompaniment.wav", tones(1))
    (found,) = find_songs(tmp_path)
    assert found.read("vocals").shape == (2, RATE)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: write(f / "accompaniment.wav", tones(3)), "differ in length"),
        (lambda f: write(f / "accompaniment.wav", tones(2, 22050), 22050), "differ in rate"),
        (lambda f: (f / "accompaniment.wav").unlink(), "holds vocals alone"),
        (lambda f: (f / "accompaniment.wav").write_bytes(b"no audio at all"), "accompaniment.wav"),
        (lambda f: write(f / "vocals.flac", tones(2)), "two files are called vocals"),
        (lambda f: os.mkfifo(f / "drums.wav"), "is no file, but a pipe"),
        (lambda f: (f / "drums.wav").symlink_to("/dev/zero"), "is no file, but a pipe"),
        (lambda f: (f / "drums.wav").symlink_to("drums.wav"), "cannot be read"),
    ],
)
def test_a_bad_song_is_one_line_and_can_be_left_out(tmp_path, spoil, message):
    song(tmp_path / "bad")
    song(tmp_path / "good")
    spoil(tmp_path / "bad")
    with pytest.raises((UsageError, AudioError), match=message):
        find_songs(tmp_path)
    told = []
    assert [found.name for found in find_songs(tmp_path, told.append)] == ["good"]
    assert len(told) == 1
    assert "\n" not in told[0]


def test_a_full_disk_is_no_bad_song(tmp_path):
    def opener(path):
        raise OutputError("the copy cannot be written")

    song(tmp_path / "songs" / "a")
    song(tmp_path / "pairs" / "a", original=1.0, instrumental=0.5)
    for find, folder in ((find_songs, "songs"), (find_pairs, "pairs"), (find_sounds, "songs")):
        told = []
        with pytest.raises(OutputError, match="the copy cannot be written"):
            find(tmp_path / folder, told.append, opener)
        assert told == []


def test_only_what_is_called_vocals_makes_a_song(tmp_path):
    write(tmp_path / "other" / "vocals.stem.wav", tones(1))
    song(tmp_path / "good")
    assert [found.name for found in find_songs(tmp_path)] == ["good"]


def test_folders_without_songs_or_sounds(tmp_path):
    (tmp_path / "empty").mkdir()
    for find in (find_songs, find_sounds, find_pairs):
        with pytest.raises(UsageError, match="holds no"):
            find(tmp_path / "empty")
        with pytest.raises(UsageError, match="no such folder"):
            find(tmp_path / "missing")


def test_musdb18_hq_folders(tmp_path):
    pytest.importorskip("yaml")
    if shutil.which("ffmpeg") is None:
        pytest.skip("musdb needs the ffmpeg program")
    for name in ("A - One", "Actions - One Minute Smile"):
        song(tmp_path / "train" / name, vocals=1.0, drums=0.2, bass=0.3, other=0.4, mixture=1.9)
    assert [s.name for s in find_tracks(tmp_path, "train")] == ["A - One", "Actions - One Minute Smile"]
    assert [s.name for s in find_tracks(tmp_path, "train", "valid")] == ["Actions - One Minute Smile"]
    (track,) = find_tracks(tmp_path, "train", "train")
    parts = sum(read(tmp_path / f"train/A - One/{part}.wav") for part in ("drums", "bass", "other"))
    assert np.allclose(track.read("accompaniment"), parts, atol=1e-6)
    with pytest.raises(UsageError, match="no MUSDB18 tracks for test"):
        find_tracks(tmp_path, "test")


@needs_ffmpeg
@pytest.mark.skipif(not MUSDB.exists(), reason="the shared stems are not on this machine")
def test_stem_files_hold_what_musdb_says_they_hold():
    import musdb

    track = musdb.DB(root=str(MUSDB), subsets="train", split="valid").tracks[0]
    ours = find_tracks(MUSDB, "train", "valid")
    assert len(ours) == 14
    assert len(find_tracks(MUSDB, "train", "train", mixture=False)) == 80
    song = next(song for song in ours if song.name == track.name)
    for stem, audio in (
        ("vocals", track.targets["vocals"].audio),
        ("accompaniment", track.targets["accompaniment"].audio),
        ("mixture", track.audio),
    ):
        assert np.abs(song.read(stem) - audio.T).max() < 1e-4


def test_musdb_says_how_to_get_ffmpeg(tmp_path, monkeypatch):
    from conftest import vocalsep

    monkeypatch.setenv("PATH", str(tmp_path))
    done = vocalsep("train", "--musdb", tmp_path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert b"install ffmpeg" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@needs_ffmpeg
@pytest.mark.skipif(not MUSDB.exists(), reason="the shared stems are not on this machine")
def test_the_cache_holds_the_stem_and_checks_itself(tmp_path):
    path = sorted((MUSDB / "train").glob("*.stem.mp4"))[0]
    cache = Cache(tmp_path / "cache")
    slow, quick = open_clip(path, 4), cache.open_clip(path, 4)
    assert not slow.seekable
    assert quick.seekable
    assert quick.user_path == path
    assert np.abs(slow.read() - quick.read()).max() < 1e-4
    made = quick.path.stat().st_mtime_ns
    assert cache.open_clip(path, 4).path.stat().st_mtime_ns == made
    quick.path.write_bytes(quick.path.read_bytes()[:2000])
    again = cache.open_clip(path, 4)
    assert np.abs(slow.read() - again.read()).max() < 1e-4


def test_cache_detects_changed_files_and_does_not_clip(tmp_path):
    path = tmp_path / "a.mp3"
    soundfile.write(path, 3 * tones(2).T, RATE, format="MP3")
    cache = Cache(tmp_path / "cache")
    first = cache.open_clip(path)
    assert np.abs(first.read()).max() > 1.05
    assert sdr(open_clip(path).read(), first.read()) > 60
    soundfile.write(path, tones(1, seed=5).T, RATE, format="MP3")
    second = cache.open_clip(path)
    assert second.samples < first.samples
    plain = write(tmp_path / "b.wav", tones(1))
    assert cache.open_clip(plain).path == plain


def test_vocals_are_derived_from_a_pair_that_is_out_of_time(tmp_path):
    rng = np.random.default_rng(0)
    voice, rest = tones(8), np.repeat(rng.standard_normal((1, 8 * RATE)) * 0.05, 2, axis=0)
    late = 1234
    write(tmp_path / "one/original.wav", voice + rest, subtype="FLOAT")
    write(tmp_path / "one/instrumental.wav", np.pad(rest, ((0, 0), (late, 0))), subtype="FLOAT")
    (pair,) = find_pairs(tmp_path)
    assert pair.lag == late
    vocals, remainder = pair.stems(("vocals", "accompaniment"), RATE, 4 * RATE)
    original = (voice + rest)[:, RATE : 5 * RATE]
    assert np.allclose(vocals + remainder, original, atol=1e-6)
    assert sdr(voice[:, RATE : 5 * RATE], vocals) > sdr(voice[:, RATE : 5 * RATE], original) + 6


def test_exclusion_and_holding_out(tmp_path):
    for number in range(10):
        song(tmp_path / f"s{number}", 0.5)
    told = []
    found = Collector(open_clip, ["s3", "*/s4/*"], told.append).items("stems", str(tmp_path))
    assert [item.name for item in found] == ["s0", "s1", "s2", "s5", "s6", "s7", "s8", "s9"]
    kept, held = hold_out(found, 0.25)
    assert len(held) == 2
    assert set(kept) | set(held) == set(found)
    assert hold_out(found[:1], 0.5) == (found[:1], ())
    with pytest.raises(UsageError, match="excluded"):
        Collector(open_clip, ["*"], told.append).items("stems", str(tmp_path))


def test_pools_need_vocals_and_something_against_them(tmp_path):
    clip = open_clip(write(tmp_path / "v.wav", tones(1)))
    with pytest.raises(UsageError, match="voices alone"):
        Pools(voices=(Pool((clip,)),))
    with pytest.raises(UsageError, match="no data with vocals"):
        Pools(instrumentals=(Pool((clip,)),))
