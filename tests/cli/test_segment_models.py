"""Commands with a model that takes segments and separates several sources."""

import json

import numpy as np
import pytest
from conftest import read, tones, vocalsep, write
from segment_models import write_htdemucs
from test_stem_files import _names

from vocalsep import Separator
from vocalsep.datasets.clips import open_clip
from vocalsep.evaluation.methods import Method, ReferenceTrack

RATE = 8000
PARTS = ("drums", "bass", "other")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("segments")


@pytest.fixture(scope="module")
def model(folder):
    return write_htdemucs(folder / "small.onnx")


@pytest.fixture(scope="module")
def song(folder):
    return write(folder / "song.wav", tones(2.5, RATE) * 1.5, RATE, subtype="PCM_16")


@pytest.fixture(scope="module")
def stems(folder, model, song):
    done = vocalsep("split", song, "--model", model, "-o", folder / "out", "--stem", "all", "--json")
    assert done.returncode == 0, done.stderr
    outputs = json.loads(done.stdout)["files"][0]["outputs"]
    assert list(outputs) == ["vocals", *PARTS]
    return {name: read(path) for name, path in outputs.items()}


def test_all_stems_sum_to_the_song_to_the_bit(stems, song):
    assert np.array_equal(sum(stems.values()), read(song))
    assert all(np.abs(stem).max() > 0.01 for stem in stems.values())


def test_a_stem_is_the_same_whichever_others_are_written(stems, model, song, tmp_path):
    done = vocalsep("split", song, "--model", model, "-o", tmp_path / "default")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(read(tmp_path / "default" / "song" / "vocals.wav"), stems["vocals"])
    accompaniment = read(tmp_path / "default" / "song" / "accompaniment.wav")
    assert np.array_equal(accompaniment, sum(stems[name] for name in PARTS))
    options = ["--stem", "Drums", "--stem", "instrumental", "--start", "0.75", "--duration", "1"]
    done = vocalsep("split", song, "--model", model, "-o", tmp_path / "part", *options)
    assert done.returncode == 0, done.stderr
    passage = slice(6000, 14_000)
    assert sorted(path.name for path in (tmp_path / "part" / "song").iterdir()) == ["drums.wav", "instrumental.wav"]
    assert np.array_equal(read(tmp_path / "part" / "song" / "drums.wav"), stems["drums"][:, passage])
    assert np.array_equal(read(tmp_path / "part" / "song" / "instrumental.wav"), accompaniment[:, passage])


def test_several_processes_make_the_same(stems, model, song, tmp_path):
    other = write(tmp_path / "other.wav", tones(1, RATE, seed=1), RATE)
    done = vocalsep("split", song, other, "--model", model, "-o", tmp_path, "--jobs", "2", "--stem", "drums")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(read(tmp_path / "song" / "drums.wav"), stems["drums"])


def test_karaoke_knows_nothing_of_it(stems, model, song, tmp_path):
    done = vocalsep("karaoke", song, "--model", model, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(read(tmp_path / "song (karaoke).wav"), sum(stems[name] for name in PARTS))


def test_a_stem_file_has_drums_and_bass(model, tmp_path):
    song = write(tmp_path / "song.wav", tones(2))
    done = vocalsep("split", song, "--model", model, "-o", tmp_path, "--format", "stem.mp4", "--name", "{name}.{ext}")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "song.stem.mp4"
    assert _names(path) == ["Drums", "Bass", "Other", "Vocals"]
    expected = Separator(model).separate(tones(2), 44100, stems=["drums", "bass", "other", "vocals"])
    for stream, stem in enumerate(expected.values(), 1):
        error = open_clip(path, stream).read()[:, : stem.shape[1]] - stem
        assert (error**2).sum() < (stem**2).sum() / 10


def test_evaluate_separates_with_it(model):
    mixture = tones(1, RATE)
    track = ReferenceTrack("one", RATE, mixture / 2, mixture / 2, mixture)
    vocals, accompaniment = Method("model", "small", str(model)).separate(track, "cpu", 1)
    assert np.array_equal(vocals, Separator(model).separate(mixture, RATE).vocals)
    assert vocals + accompaniment == pytest.approx(mixture, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--stem", "piano"], b"unknown stem 'piano'; this model has vocals, accompaniment, drums, bass, other"),
        (["--overlap", "2"], b"overlap of this model is a share of a segment, from 0 to less than 1, not 2"),
        (["--hard-mask"], b"hard masks: this model works on segments and has no such option"),
    ],
)
def test_what_makes_no_sense_is_one_line(model, song, tmp_path, options, reason):
    done = vocalsep("split", song, "--model", model, "-o", tmp_path / "out", *options)
    assert (done.returncode, done.stderr.strip()) == (2, b"vocalsep: " + reason)
    assert not (tmp_path / "out").exists()


def test_models_of_two_stems_have_no_drums(song, tmp_path):
    done = vocalsep("split", song, "-o", tmp_path, "--stem", "drums")
    assert (done.returncode, done.stderr.strip()) == (
        2,
        b"vocalsep: unknown stem 'drums'; this model has vocals, accompaniment",
    )
