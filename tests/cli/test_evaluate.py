"""`vocalsep evaluate` as a researcher runs it."""

import csv
import json
import math
import shutil

import numpy as np
import pytest
from conftest import HERE, read, tones, vocalsep, write

from vocalsep.evaluation.oracles import ORACLES, oracle_vocals
from vocalsep.networks.unet import UNetConfig

RATE = 8000
# Of each song: two windows of BSS Eval.
SECONDS = 2
MUSDB = HERE.parent.parent / "shared" / "data" / "musdb18-7s"


def museval():
    """The reference implementation itself; it imports musdb, which needs the ffmpeg program."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("museval needs the ffmpeg program")
    import museval

    return museval


def median(values):
    values = values[np.isfinite(values)]
    return np.median(values) if values.size else math.nan


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    rng = np.random.default_rng(0)
    for number in range(3):
        write(folder / f"s{number}/vocals.wav", tones(SECONDS, RATE, 2, number), RATE, subtype="FLOAT")
        rest = 0.1 * rng.standard_normal((2, SECONDS * RATE))
        write(folder / f"s{number}/accompaniment.wav", rest, RATE, subtype="FLOAT")
    return folder


@pytest.fixture(scope="module")
def estimates(songs, tmp_path_factory):
    """Vocals with some of the rest, some noise, and a delay."""
    folder = tmp_path_factory.mktemp("estimates")
    rng = np.random.default_rng(1)
    for number in range(3):
        vocals, rest = (read(songs / f"s{number}/{stem}.wav") for stem in ("vocals", "accompaniment"))
        found = 0.8 * np.roll(vocals, 3, axis=1) + 0.1 * rest + 0.01 * rng.standard_normal(vocals.shape)
        write(folder / f"s{number}/vocals.wav", found, RATE, subtype="FLOAT")
    return folder


def run(*more):
    done = vocalsep("evaluate", "--json", "--jobs", 1, *more)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_scores_equal_those_of_museval(songs, estimates):
    reference = museval().metrics.bss_eval
    results = run(
        "--stems", songs, "--estimates", estimates, "--oracles", "IRM1", "--metrics", "bss,nsdr", "--limit", 1
    )
    assert len(results["tracks"]) == 1
    for number, track in enumerate(results["tracks"]):
        assert track["track"] == f"s{number}"
        vocals, rest = (read(songs / f"s{number}/{stem}.wav", "float32") for stem in ("vocals", "accompaniment"))
        mixture = vocals + rest
        found = read(estimates / f"s{number}/vocals.wav", "float32")
        ideal = oracle_vocals("IRM1", vocals, rest, mixture)
        for row, estimate in ((estimates.name, found), ("oracle IRM1", ideal), ("mixture", None)):
            pair = (mixture, mixture) if estimate is None else (estimate, mixture - estimate)
            true, estimated = (
                np.stack(stems).transpose(0, 2, 1).astype(np.float64) for stems in ((vocals, rest), pair)
            )
            windows = reference(true, estimated, window=RATE, hop=RATE, compute_permutation=False)
            for index, stem in enumerate(("vocals", "accompaniment")):
                for name, values in zip(("SDR", "ISR", "SIR", "SAR"), windows, strict=False):
                    figure = track["scores"][row][stem][name]
                    expected = median(values[index])
                    assert (figure is None and math.isnan(expected)) or figure == pytest.approx(expected, abs=1e-3)


def test_gnsdr_is_the_gain_over_the_mixture_weighted_by_length(songs, estimates, tmp_path):
    shutil.copytree(songs, tmp_path / "songs")
    for stem in ("vocals", "accompaniment"):
        path = tmp_path / f"songs/s0/{stem}.wav"
        write(path, read(path)[:, :RATE], RATE, subtype="FLOAT")
    shutil.copytree(estimates, tmp_path / "found")
    cut = tmp_path / "found/s0/vocals.wav"
    write(cut, read(cut)[:, :RATE], RATE, subtype="FLOAT")
    results = run(
        "--stems", tmp_path / "songs", "--estimates", tmp_path / "found", "--oracles", "none", "--metrics", "nsdr"
    )
    gains = [track["scores"]["found"]["vocals"]["NSDR"] for track in results["tracks"]]
    assert min(gains) > 5
    summary = results["summary"]["found"]["vocals"]
    assert summary["NSDR"] == pytest.approx(np.mean(gains))
    assert summary["GNSDR"] == pytest.approx(np.average(gains, weights=[1, 2, 2]))
    assert results["summary"]["mixture"]["vocals"]["GNSDR"] == pytest.approx(0, abs=1e-6)


def test_snr_option_mixes_the_stems_at_0_db(songs, estimates):
    results = run("--stems", songs, "--estimates", estimates, "--metrics", "usdr", "--snr", "0")
    assert len(results["rows"]) == 6
    for track in results["tracks"]:
        assert track["scores"]["mixture"]["vocals"]["uSDR"] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("name", ORACLES)
def test_oracles_score_better_than_the_mixture(name, songs):
    vocals, rest = (read(songs / f"s0/{stem}.wav", "float32") for stem in ("vocals", "accompaniment"))
    estimate = oracle_vocals(name, vocals, rest, vocals + rest)
    assert estimate.shape == vocals.shape

    def ratio(found):
        return 10 * np.log10((vocals**2).sum() / ((vocals - found) ** 2).sum())

    assert ratio(estimate) > ratio(vocals + rest) + 5


def test_silent_stems_and_short_clips_have_defined_scores(tmp_path):
    voice = tones(1, RATE)
    write(tmp_path / "songs/instrumental/vocals.wav", np.zeros_like(voice), RATE)
    write(tmp_path / "songs/instrumental/accompaniment.wav", voice, RATE)
    write(tmp_path / "songs/solo/vocals.wav", voice, RATE)
    write(tmp_path / "songs/solo/accompaniment.wav", np.zeros_like(voice), RATE)
    write(tmp_path / "songs/short/vocals.wav", voice[:, :3000], RATE)
    write(tmp_path / "songs/short/accompaniment.wav", tones(1, RATE, 2, 5)[:, -3000:], RATE)
    results = run("--stems", tmp_path / "songs", "--oracles", "IRM2")
    by_name = {track["track"]: track for track in results["tracks"]}
    assert by_name["instrumental"]["silent"] == ["vocals"]
    assert by_name["solo"]["silent"] == ["accompaniment"]
    for row in by_name["instrumental"]["scores"].values():
        assert set(row["vocals"].values()) == {None}
    assert by_name["instrumental"]["scores"]["mixture"]["accompaniment"]["uSDR"] == "inf"
    short = by_name["short"]["scores"]["oracle IRM2"]["vocals"]
    assert all(isinstance(figure, float) for figure in short.values())
    table = vocalsep("evaluate", "--stems", tmp_path / "songs", "--oracles", "none", "--metrics", "usdr", "--jobs", 1)
    assert b"instrumental: silent vocals, no score" in table.stdout


def test_reports_are_written_and_finished_tracks_are_reused(songs, estimates, tmp_path):
    out = tmp_path / "out"
    what = ("--stems", songs, "--estimates", estimates, "--oracles", "IRM1", "--metrics", "usdr,nsdr")
    command = ("evaluate", *what, "--jobs", 1, "--out", out)
    done = vocalsep(*command)
    assert done.returncode == 0, done.stderr.decode()
    page = (out / "report.html").read_text()
    assert page.count("data:image/") >= 4
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page.replace("https://www.w3.org", "")
    assert "<script src" not in page
    with (out / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 3 * 2
    assert set(rows[0]) > {"uSDR", "NSDR"}
    first = json.loads((out / "results.json").read_text())

    kept = {path: path.stat().st_mtime_ns for path in (out / "tracks").iterdir()}
    changed = estimates / "s1/vocals.wav"
    write(changed, 0.5 * read(changed), RATE, subtype="FLOAT")
    assert vocalsep(*command).returncode == 0
    again = {path: path.stat().st_mtime_ns for path in (out / "tracks").iterdir()}
    assert sum(again[path] != kept[path] for path in kept) == 2
    second = json.loads((out / "results.json").read_text())
    assert [a == b for a, b in zip(first["tracks"], second["tracks"], strict=True)] == [True, False, True]


def test_songs_that_cannot_be_scored_are_named_and_others_are_scored(songs, estimates, tmp_path):
    shutil.copytree(songs, tmp_path / "songs")
    shutil.copytree(estimates, tmp_path / "found")
    shutil.rmtree(tmp_path / "found/s1")
    write(tmp_path / "found/s2/vocals.wav", tones(1, RATE), RATE)
    command = ("evaluate", "--stems", tmp_path / "songs", "--estimates", tmp_path / "found")
    done = vocalsep(*command, "--oracles", "none", "--metrics", "usdr", "--jobs", 1)
    assert done.returncode == 1
    assert b"1 track;" in done.stdout
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 2
    assert "holds no estimate" in lines[0]
    assert "8000 samples, the track 16000" in lines[1]


def test_each_model_and_precision_is_a_method(tmp_path, songs):
    import torch

    from vocalsep.dsp.front_end import FrontEndConfig
    from vocalsep.model_files import checkpoint
    from vocalsep.model_files.config import ModelConfig
    from vocalsep.networks.table import build

    torch.manual_seed(0)
    config = ModelConfig(FrontEndConfig(RATE, 256, 64, 64), UNetConfig(filters=(4, 8)))
    checkpoint.save(tmp_path / "tiny.safetensors", build("unet", config.network), config, {})
    command = ["--stems", songs, "--model", tmp_path / "tiny.safetensors", "--oracles", "none", "--metrics", "usdr"]
    results = run(*command)
    assert [row["name"] for row in results["rows"]] == ["mixture", "tiny"]
    figures = results["summary"]["tiny"]["vocals"]["uSDR"], results["summary"]["mixture"]["vocals"]["uSDR"]
    assert figures[0] != figures[1]
    both = run(*command, "--precision", "float32", "--precision", "bfloat16")["summary"]
    assert list(both) == ["mixture", "tiny float32", "tiny bfloat16"]
    exact, rough = (both[f"tiny {one}"]["vocals"]["uSDR"] for one in ("float32", "bfloat16"))
    assert exact == figures[0]
    assert 0 < abs(exact - rough) < 0.1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "nothing to score"),
        (("--stems", "nowhere"), "no such folder"),
        (("--stems", "{songs}", "--metrics", "pesq"), "--metrics 'pesq' is unknown"),
        (("--stems", "{songs}", "--oracles", "MWF"), "--oracles 'MWF' is unknown"),
        (("--stems", "{songs}", "--model", "nobody"), "unknown model 'nobody'"),
        (("--stems", "{songs}", "--estimates", "nowhere"), "no such folder"),
        (("--stems", "{songs}", "--window", "0"), "above 0 seconds"),
        (("--stems", "{songs}", "--subset", "test"), "give --musdb too"),
    ],
)
def test_invalid_options_give_one_line(songs, more, message):
    done = vocalsep("evaluate", *(part.format(songs=songs) for part in more))
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1


def musdb18_scores(metrics, *more):
    """What `evaluate` says of a validation song of MUSDB18; and the song as musdb reads it, (samples, channels)."""
    if not MUSDB.is_dir():
        pytest.skip("the shared stems are not on this machine")
    if shutil.which("ffmpeg") is None:
        pytest.skip("musdb needs the ffmpeg program")
    import musdb

    (track,) = run("--musdb", MUSDB, "--split", "valid", "--limit", 1, "--metrics", metrics, *more)["tracks"]
    songs = {song.name: song for song in musdb.DB(root=str(MUSDB), subsets="train", split="valid")}
    return track["scores"], songs[track["track"]]


def test_musdb18_songs_are_scored():
    scores, song = musdb18_scores("usdr", "--oracles", "none", "--model", "default")
    for stem in ("vocals", "accompaniment"):
        true = song.targets[stem].audio
        expected = 10 * np.log10((true**2).sum() / ((song.audio - true) ** 2).sum())
        assert scores["mixture"][stem]["uSDR"] == pytest.approx(expected, abs=1e-2)
        assert scores["default"][stem]["uSDR"] > expected + 3


@pytest.mark.slow
def test_musdb18_scores_equal_those_of_museval():
    reference = museval()
    scores, song = musdb18_scores("bss", "--oracles", "IRM2")
    vocals, rest = (song.targets[stem].audio.T.astype(np.float32) for stem in ("vocals", "accompaniment"))
    mixture = song.audio.T.astype(np.float32)
    ideal = oracle_vocals("IRM2", vocals, rest, mixture)
    true = np.stack([vocals, rest]).transpose(0, 2, 1)
    for row, pair in (("oracle IRM2", (ideal, mixture - ideal)), ("mixture", (mixture, mixture))):
        estimated = np.stack(pair).transpose(0, 2, 1)
        windows = reference.metrics.bss_eval(
            true.astype(np.float64),
            estimated.astype(np.float64),
            window=song.rate,
            hop=song.rate,
            compute_permutation=False,
        )
        for index, stem in enumerate(("vocals", "accompaniment")):
            for name, values in zip(("SDR", "ISR", "SIR", "SAR"), windows, strict=False):
                expected = median(values[index])
                figure = scores[row][stem][name]
                assert (figure is None and math.isnan(expected)) or figure == pytest.approx(expected, abs=1e-3)
