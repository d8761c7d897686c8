"""Every architecture is trained, exported, and splits a song by the ordinary command; and they are compared."""

import json

import numpy as np
import pytest
from conftest import read, tones, vocalsep, write
from small_training import small_config
from test_networks import RATE, SMALL
from typer.testing import CliRunner

from vocalsep.cli.app import app
from vocalsep.networks.table import ARCHITECTURES

# What the others are trained on and by is the same as with these; test_networks.py tests the networks themselves.
DISTINCT = ("unet", "unet3d", "band-tfc-tdf", "wave-unet", "pair")
BASE = small_config(network="", valid_seconds=2.0, batch_size=2)


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml(item)}" for name, item in value.items()) + " }"
    return json.dumps(list(value) if isinstance(value, tuple) else value)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("family")
    rng = np.random.default_rng(0)
    for number in range(3):
        write(folder / f"songs/s{number}/vocals.wav", tones(2.5, RATE, 2, number), RATE)
        write(folder / f"songs/s{number}/accompaniment.wav", 0.05 * rng.standard_normal((2, int(2.5 * RATE))), RATE)
    return folder


def invoke(*arguments):
    """The command line, in this process: it would take longer to start than to run."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    "architecture", [name if name in DISTINCT else pytest.param(name, marks=pytest.mark.slow) for name in ARCHITECTURES]
)
def test_each_architecture_trains_exports_and_splits(architecture, material, tmp_path):
    network = {name: value for name, value in SMALL[architecture].items() if name != "bins"}
    config = tmp_path / "c.toml"
    config.write_text(f"{BASE}[model]\nnetwork = {toml(network)}\n")
    sets = ("--stems", material / "songs", "--steps", 3, "--workers", 0, "--loss", "l1+waveform-mse")
    run = invoke("train", "--config", config, "--arch", architecture, *sets, "--out", tmp_path / "run", "--quiet")
    assert run.exit_code == 0, run.output
    song = write(tmp_path / "song.wav", tones(1.7, RATE), RATE)
    model = tmp_path / "run/model.safetensors"
    split = invoke("split", song, "--model", model, "--out", tmp_path / "out", "--quiet")
    assert split.exit_code == 0, split.output
    vocals, rest = (read(tmp_path / f"out/song/{stem}.wav") for stem in ("vocals", "accompaniment"))
    assert np.abs(vocals + rest - read(song)).max() < 1e-4
    assert vocals.any()
    info = json.loads(invoke("info", model, "--estimate", "--json").stdout)
    assert info["architecture"] == architecture
    assert info["flops"] > 0


def test_comparison_writes_tables_and_reuses_finished_runs(material, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text(
        BASE
        + f"[models.unet]\nnetwork = {toml(SMALL['unet'])}\n"
        + f"[models.other]\narchitecture = 'resunet'\nloss = 'l1+sdr'\nnetwork = {toml(SMALL['resunet'])}\n"
    )
    base = ("--config", config, "--stems", material / "songs", "--workers", 0, "--out", tmp_path / "out")
    one = invoke("compare", *base, "--steps", 4, "--arch", "other", "--quiet")
    assert one.exit_code == 0, one.output
    weights = (tmp_path / "out/other/last.safetensors").read_bytes()
    both = invoke("compare", *base, "--steps", 4, "--model", tmp_path / "out/other/model.safetensors")
    assert both.exit_code == 0, both.output
    assert (tmp_path / "out/other/last.safetensors").read_bytes() == weights
    table = json.loads((tmp_path / "out/table.json").read_text())
    assert [row["name"] for row in table["rows"]] == ["unet", "other", "model"]
    assert [row["steps"] for row in table["rows"]] == [4, 4, 0]
    for row in table["rows"]:
        assert row["parameters"] > 0
        assert row["flops"] > 0
        assert row["speed"] > 0
        assert np.isfinite(row["vocals_usdr"])
    assert table["rows"][1]["vocals_usdr"] == table["rows"][2]["vocals_usdr"]
    for name in ("table.md", "table.csv", "table.png"):
        assert (tmp_path / "out" / name).stat().st_size > 0
    assert (tmp_path / "out/table.md").read_text() in both.stdout
    changed = invoke("compare", *base, "--steps", 4, "--lr", 0.1)
    assert changed.exit_code == 2
    assert "trained with another" in changed.output


def test_compare_minutes_are_converted_to_steps(material, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text(f"{BASE}[models.unet]\nnetwork = {toml(SMALL['unet'])}\n")
    base = ("--config", config, "--stems", material / "songs", "--workers", 0, "--out", tmp_path / "out")
    done = invoke("compare", *base, "--minutes", 0.02)
    assert done.exit_code == 0, done.output
    (row,) = json.loads((tmp_path / "out/table.json").read_text())["rows"]
    assert row["steps"] >= 1
    assert row["minutes"] < 0.5
    assert not list((tmp_path / "out").glob(".trial*"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--arch", "vnet", "--steps", 3), "unknown architecture 'vnet'"),
        (("--arch", "unet"), "either minutes or steps"),
        (("--arch", "unet", "--steps", 3, "--minutes", 1), "either minutes or steps"),
        (("--steps", 3), "nothing to compare"),
        (("--model", "nobody"), "unknown model 'nobody'"),
        (("--arch", "unet", "--arch", "unet", "--steps", 3), "named twice"),
        (("--arch", "unet", "--minutes", -1), "must be above 0"),
    ],
)
def test_invalid_comparisons_give_one_line(more, message, material, tmp_path):
    done = invoke("compare", "--stems", material / "songs", "--out", tmp_path / "out", *more)
    assert done.exit_code == 2
    assert message in done.output
    assert len(done.output.splitlines()) == 1


def test_compare_without_songs_is_an_error(tmp_path):
    done = vocalsep("compare", "--arch", "unet", "--steps", 3, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert b"nothing to train and score on" in done.stderr
