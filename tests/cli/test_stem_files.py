"""`split --format stem.mp4`: mixture and stems in one file."""

import json

import numpy as np
import pytest
from conftest import RATE, tones, vocalsep, write

from vocalsep import AudioError, UsageError
from vocalsep.datasets.clips import open_clip
from vocalsep.tags import Tags, read_tags, write_tags


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("song") / "Duo - One.flac", tones(3))
    write_tags(path, Tags({"title": ("One",), "artist": ("Duo",), "album": ("Two",)}))
    return path


def _names(path) -> list[str]:
    data = path.read_bytes()
    at = data.index(b"stem{") + 4
    size = int.from_bytes(data[at - 8 : at - 4], "big")
    return [stem["name"] for stem in json.loads(data[at : at - 8 + size])["stems"]]


def test_one_file_a_song_with_all_stems_and_its_tags(separator, song, tmp_path):
    done = vocalsep("split", song, "-o", tmp_path, "--format", "stem.mp4", "--json")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "Duo - One.stem.mp4"
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path]
    assert json.loads(done.stdout)["files"][0]["outputs"] == {"stems": str(path)}
    mixture, drums, bass, accompaniment, vocals = (open_clip(path, stream).read() for stream in range(5))
    assert mixture.shape[1] == pytest.approx(3 * RATE, abs=2048)
    assert np.abs(drums).max() < 1e-3 > np.abs(bass).max()
    for found, expected in zip((vocals, accompaniment), separator.separate(tones(3), RATE), strict=True):
        error = found[:, : 3 * RATE] - expected
        assert (error**2).sum() < (expected**2).sum() / 20
    assert ((mixture - vocals - accompaniment) ** 2).sum() < (mixture**2).sum() / 50
    fields = read_tags(path).fields
    assert [fields[name] for name in ("title", "artist", "album")] == [("One",), ("Duo",), ("Two",)]
    assert _names(path) == ["Drums", "Bass", "Accompaniment", "Vocals"]


def test_names_passages_and_standard_output(song, tmp_path):
    options = ["--format", "stem.mp4", "-q"]
    done = vocalsep("split", song, "-o", tmp_path, *options, "--name", "{name}/{stem}-{model}.{ext}", "--start", "2")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "Duo - One" / "stems-default.stem.mp4"
    assert open_clip(path).samples == pytest.approx(RATE, abs=2048)
    assert _names(path)[-1] == "Vocals"
    streamed = vocalsep("split", song, "-o", "-", *options, "--start", "2")
    assert streamed.stdout == path.read_bytes()


def test_the_library_makes_them_too(separator, song, tmp_path):
    paths = separator.separate_file(song, tmp_path, format="stem.mp4")
    assert paths == {"stems": tmp_path / "Duo - One.stem.mp4"}
    assert _names(paths["stems"])[-1] == "Vocals"
    with pytest.raises(UsageError, match="holds all stems"):
        separator.separate_file(song, tmp_path, format="stem.mp4", stems=["vocals"])
    wide = write(tmp_path / "wide.wav", tones(0.5, channels=3))
    with pytest.raises(AudioError, match=r"stem\.mp4 holds at most 2 channels, not 3"):
        separator.separate_file(wide, tmp_path / "out", format="stem.mp4")
    assert not (tmp_path / "out").exists()


def test_what_makes_no_sense_is_refused(song, tmp_path):
    for command in (["split", "--stem", "vocals"], ["karaoke"], ["split", "--subtype", "pcm_16"]):
        done = vocalsep(*command, song, "-o", tmp_path / "out", "--format", "stem.mp4")
        assert done.returncode == 2
        assert done.stderr.startswith(b"vocalsep: ")
        assert not (tmp_path / "out").exists()
