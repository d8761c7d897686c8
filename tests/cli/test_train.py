"""`vocalsep train` as a user runs it, on small songs made here."""

import csv
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from conftest import read, sdr, start_vocalsep, tones, vocalsep, write
from safetensors.torch import load_file, safe_open
from small_training import SMALL_RATE as RATE
from small_training import small_config

from vocalsep.errors import UsageError
from vocalsep.mixing.config import MixingConfig
from vocalsep.training.config import TrainingConfig, read_toml
from vocalsep.training.run import with_more_steps
from vocalsep.training.schedule import learning_rate

CONFIG = small_config(warmup=5, validate_every=20)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Songs, voices, instrumentals and noise, and a configuration for a network of a few thousand weights."""
    folder = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(0)
    for number in range(4):
        voice, rest = tones(6, RATE, 2, number), 0.05 * rng.standard_normal((2, 6 * RATE))
        write(folder / f"songs/s{number}/vocals.wav", voice, RATE)
        write(folder / f"songs/s{number}/accompaniment.wav", rest, RATE)
        write(folder / f"voices/v{number}.wav", voice[:1], RATE)
        write(folder / f"music/m{number}.flac", rest, RATE)
    write(folder / "noise/n.wav", 0.1 * rng.standard_normal((1, 4 * RATE)), RATE)
    (folder / "small.toml").write_text(CONFIG)
    return folder


def arguments(material, out, steps, *more):
    return ("train", "--config", material / "small.toml", "--steps", steps, "--workers", 0, "--out", out, *more)


def weights(run, name="last"):
    return load_file(run / f"{name}.safetensors")


def same(first, second):
    return set(first) == set(second) and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def finished(material):
    run = material / "finished"
    done = vocalsep(*arguments(material, run, 40, "--stems", material / "songs"))
    assert done.returncode == 0, done.stderr.decode()
    return run, done


def test_a_run_is_one_folder_with_all_in_it(finished):
    run, done = finished
    for name in ("config.toml", "data.json", "log.csv", "curve.png", "last.safetensors", "best.safetensors"):
        assert (run / name).stat().st_size > 0
    assert list((run / "tensorboard").glob("events*"))
    with (run / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["20", "40"]
    assert float(rows[-1]["vocals_usdr_db"]) > float(rows[0]["vocals_usdr_db"]) - 1
    assert b"waiting for data" in done.stderr
    assert [line.split(":")[0] for line in done.stderr.decode().splitlines()[1:3]] == ["step 20", "step 40"]
    data = json.loads((run / "data.json").read_text())
    trained, valid = data["train"][0]["items"], data["valid"]
    assert sorted([*trained, *valid]) == ["s0", "s1", "s2", "s3"]
    assert len(valid) == 1


def test_exported_model_separates_and_has_its_training_data(finished, material, tmp_path):
    run, _ = finished
    song = write(tmp_path / "song.wav", tones(3, RATE), RATE)
    done = vocalsep("split", song, "--model", run / "model.safetensors", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr.decode()
    stems = [read(tmp_path / f"out/song/{stem}.wav") for stem in ("vocals", "accompaniment")]
    assert np.abs(sum(stems) - read(song)).max() < 1e-4
    info = json.loads(vocalsep("info", run / "model.safetensors", "--json").stdout)
    assert "songs (3 items" in info["trained_on"]
    assert info["sample_rate"] == RATE


def test_same_seed_gives_same_weights_with_and_without_workers(finished, material):
    run, _ = finished
    done = vocalsep("train", "--config", run / "config.toml", "--workers", 2, "--out", material / "again")
    assert done.returncode == 0, done.stderr.decode()
    assert same(weights(run), weights(material / "again"))
    assert (run / "model.safetensors").read_bytes() == (material / "again/model.safetensors").read_bytes()


@pytest.mark.slow
def test_killed_and_resumed_training_gives_the_same_weights(material):
    config = material / "often.toml"
    config.write_text(CONFIG + "checkpoint_minutes = 0.000001\n")
    base = ("train", "--config", config, "--stems", material / "songs", "--workers", 0, "--steps", 120)
    whole, broken = material / "whole", material / "broken"
    assert vocalsep(*base, "--out", whole).returncode == 0
    steps = sorted(random.Random(1).sample(range(5, 110), 3))
    for step in steps:
        _run_until(broken, step, base if not broken.exists() else ("train", "--resume", "--workers", 0))
    done = vocalsep("train", "--resume", "--workers", 0, "--out", broken)
    assert done.returncode == 0, done.stderr.decode()
    for name in ("last", "best"):
        assert same(weights(whole, name), weights(broken, name))
    assert (whole / "model.safetensors").read_bytes() == (broken / "model.safetensors").read_bytes()
    assert _log(broken) == _log(whole)


def _log(run):
    with (run / "log.csv").open() as file:
        return [{**row, "seconds": "", "data_wait": ""} for row in csv.DictReader(file)]


def _run_until(run, step, command):
    process = subprocess.Popen(
        [sys.executable, "-m", "vocalsep", *map(str, command), "--out", str(run)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and _step(run) < step and process.poll() is None:
        time.sleep(0.005)
    assert process.poll() is None, "it ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()


def _step(run):
    try:
        with safe_open(run / "last.safetensors", "pt") as file:
            return json.loads(file.metadata()["vocalsep-training"])["step"]
    except (OSError, RuntimeError, KeyError, TypeError):
        return -1


def test_interrupted_training_saves_and_names_the_resume_command(material):
    run = material / "polite"
    process = start_vocalsep(*arguments(material, run, 5000, "--stems", material / "songs"))
    while not (run / "last.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"--resume" in error.splitlines()[-1]
    assert b"Traceback" not in error
    assert _step(run) > 20


@pytest.mark.slow
def test_two_processes_equal_one_at_the_doubled_batch(material):
    more = ("--stems", material / "songs", "--quiet")
    one, two = material / "one", material / "two"
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    single = [sys.executable, "-m", "vocalsep", *map(str, arguments(material, one, 10, *more))]
    subprocess.run(single, env=env, check=True, capture_output=True, timeout=300)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    double = [*launcher, "-m", "vocalsep", *map(str, arguments(material, two, 10, *more))]
    done = subprocess.run(double, env=env, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    first, second = weights(one), weights(two)
    assert set(first) == set(second)
    largest = {name: (first[name].double() - second[name].double()).abs().max().item() for name in first}
    assert max(largest.values()) < 1e-5
    assert not same(first, {name: torch.zeros_like(tensor) for name, tensor in first.items()})


def test_voices_instrumentals_and_noise(material):
    run = material / "solo"
    sets = ("--voices", material / "voices", "--instrumentals", material / "music", "--noise", material / "noise")
    done = vocalsep(*arguments(material, run, 20, *sets))
    assert done.returncode == 0, done.stderr.decode()
    data = json.loads((run / "data.json").read_text())
    assert [entry["kind"] for entry in data["train"]] == ["voices", "instrumentals", "noise"]
    assert [len(entry["items"]) for entry in data["train"]] == [3, 3, 1]
    assert "held-out" in data["valid"]


@pytest.mark.slow
def test_one_song_can_be_memorized(material, tmp_path):
    config = tmp_path / "heart.toml"
    plain = dataclasses.asdict(MixingConfig.plain())
    mixing = "\n".join(
        f"{name} = {list(value) if isinstance(value, tuple) else value}" for name, value in plain.items()
    )
    small = CONFIG.replace("[4, 8]", "[16, 32, 64]").replace("level_frames = 8", "level_frames = 8\ndropout = 0.0")
    small = small.replace("validate_every = 20", "validate_every = 100\nema = 0.98").replace(
        "[training]", '[training]\nloss = "sdr"\nlr = 0.003'
    )
    config.write_text(f"{small}\n[mixing]\n{mixing}\n")
    write(tmp_path / "song/one/vocals.wav", tones(6, RATE), RATE)
    drums = np.random.default_rng(0).standard_normal((2, 6 * RATE)) * (np.arange(6 * RATE) % 8000 < 400) * 0.3
    write(tmp_path / "song/one/accompaniment.wav", drums, RATE)
    done = vocalsep(
        "train",
        "--config",
        config,
        "--stems",
        tmp_path / "song",
        "--steps",
        400,
        "--workers",
        0,
        "--out",
        tmp_path / "run",
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"memorized" in done.stderr
    from vocalsep import Separator

    mixture = read(tmp_path / "song/one/vocals.wav") + read(tmp_path / "song/one/accompaniment.wav")
    vocals = Separator(tmp_path / "run/model.safetensors").separate(mixture, RATE).vocals
    truth = read(tmp_path / "song/one/vocals.wav")
    assert sdr(truth, mixture) < 5
    assert sdr(truth, vocals) > 15


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "nothing to train on"),
        (("--stems", "nowhere"), "no such folder"),
        (("--stems", "{songs}", "--batch-size", "0"), "batch_size must be above 0"),
        (("--stems", "{songs}", "--loss", "l3"), "unknown loss 'l3'"),
        (("--stems", "{songs}", "--arch", "vnet"), "unknown architecture 'vnet'"),
        (("--stems", "{songs}", "--precision", "8"), "unknown precision"),
        (("--stems", "{songs}", "--init", "nobody"), "unknown model 'nobody'"),
        (("--stems", "{songs}", "--init", "default"), "another STFT"),
        (
            (
                "--voices",
                "{voices}",
            ),
            "voices alone",
        ),
        (("--resume",), "holds no run to resume"),
        (("--resume", "--seed", "0"), "leave out those that it began with"),
        (("--stems", "{songs}", "--epochs", "-1"), "epochs must not be negative"),
    ],
)
def test_invalid_arguments_give_one_line(material, tmp_path, more, message):
    filled = [part.format(songs=material / "songs", voices=material / "voices") for part in more]
    base = () if "--resume" in filled else ("--config", material / "small.toml")
    done = vocalsep("train", *base, "--workers", 0, "--out", tmp_path / "run", *filled)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run/last.safetensors").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nsteeps = 3", "unknown setting training.steeps"),
        ("[training]\nsteps = 'many'", "training.steps must be a whole number"),
        ("[trainng]\n", "unknown table [trainng]"),
        ("[data]\nexclude = '*live*'", "data.exclude must be a list"),
        ("[data]\nframes = 33", "frames must be a multiple of 64"),
        ("[[data.sets]]\nkind = 'radio'\npath = 'x'", "unknown kind of data 'radio'"),
        ("[[data.sets]]\nkind = 'stems'", "lacks path"),
        ("[mixing]\nspeed_range = [1]", "must hold 2 values"),
        ("[model]\narchitecture = 3", "unknown architecture"),
        ("[model.front_end]\nhop = 3100", "three quarters of n_fft"),
        ("steps = = 3", "is not TOML"),
    ],
)
def test_a_wrong_configuration_is_one_line(tmp_path, text, message):
    (tmp_path / "c.toml").write_text(text)
    done = vocalsep("train", "--config", tmp_path / "c.toml", "--exclude", "*demo*", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nsteps = 9223372036854775808", "training.steps must lie within 64 bits"),
        (f"[training]\nlr = 1{'0' * 400}", "training.lr must lie within 64 bits"),
        ("[training]\nweight_decay = nan", "training.weight_decay must be a finite number"),
        ("[mixing]\nown_balance_db = inf", "mixing.own_balance_db must be a finite number"),
        ("[model]\narchitecture = ['unet']", "unknown architecture"),
    ],
)
def test_values_that_no_setting_can_hold_are_refused(tmp_path, text, message):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        TrainingConfig.from_dict(read_toml(tmp_path / "c.toml"))


def test_a_run_is_never_overwritten_and_keeps_its_settings(finished, material):
    run, _ = finished
    again = vocalsep(*arguments(material, run, 40, "--stems", material / "songs"))
    assert again.returncode == 2
    assert b"holds a run already" in again.stderr
    changed = vocalsep("train", "--resume", "--out", run, "--lr", "1")
    assert changed.returncode == 2
    assert b"own settings" in changed.stderr


def test_finished_training_resumes_with_more_steps(finished, material, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished[0], run)
    refused = vocalsep("train", "--resume", "--out", run, "--steps", 40, "--workers", 0)
    assert refused.returncode == 2
    assert b"has done 40 of 40 steps" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    done = vocalsep("train", "--resume", "--out", run, "--steps", 80, "--workers", 0)
    assert done.returncode == 0, done.stderr.decode()
    assert b"up to step 80: the learning rate follows the schedule" in done.stderr
    assert [row["step"] for row in _log(run)] == ["20", "40", "50", "60", "80"]
    config = TrainingConfig.from_dict(read_toml(run / "config.toml"))
    assert config.training.steps == 80
    assert float(_log(run)[2]["lr"]) == pytest.approx(learning_rate(config, 49))
    assert not same(weights(run), weights(finished[0]))


@pytest.mark.slow
def test_a_longer_run_that_is_killed_goes_on_exactly(finished, material, tmp_path):
    runs = [tmp_path / name for name in ("whole", "broken")]
    for run in runs:
        shutil.copytree(finished[0], run)
        text = (run / "config.toml").read_text()
        (run / "config.toml").write_text(text.replace("checkpoint_minutes = 3.0", "checkpoint_minutes = 0.000001"))
    base = ("train", "--resume", "--workers", 0)
    assert vocalsep(*base, "--steps", 90, "--out", runs[0]).returncode == 0
    _run_until(runs[1], 60, (*base, "--steps", 90))
    done = vocalsep(*base, "--out", runs[1])
    assert done.returncode == 0, done.stderr.decode()
    assert same(weights(runs[0]), weights(runs[1]))
    assert _log(runs[0]) == _log(runs[1])


@pytest.mark.parametrize(
    ("steps", "semi_steps", "done", "message"),
    [
        (50, None, 120, "supervised training is over"),
        (None, 10, 120, "has done 120 of 150 steps"),
        (20, None, 30, "has done 30 of 150 steps"),
    ],
)
def test_lengths_that_make_no_sense(steps, semi_steps, done, message):
    tables = {
        "data": {"sets": [{"kind": kind, "path": "x"} for kind in ("stems", "unlabelled")]},
        "training": {"steps": 100},
        "adversarial": {"steps": 50},
    }
    with pytest.raises(UsageError, match=message):
        with_more_steps(TrainingConfig.from_dict(tables), steps, semi_steps, done)
    with pytest.raises(UsageError, match="no semi-supervised steps"):
        with_more_steps(TrainingConfig(), None, 10, 5)
    assert with_more_steps(TrainingConfig.from_dict(tables), None, 90, 120).steps == 190
    assert with_more_steps(TrainingConfig.from_dict(tables), 200, None, 90).steps == 250


def test_a_checkpoint_of_another_architecture_is_refused(finished, material, tmp_path):
    run, _ = finished
    (tmp_path / "run").mkdir()
    for name in ("last.safetensors", "log.csv", "data.json"):
        (tmp_path / "run" / name).write_bytes((run / name).read_bytes())
    changed = (
        (run / "config.toml")
        .read_text()
        .replace("    4,\n    8,\n", "    4,\n    16,\n")
        .replace("steps = 40", "steps = 60")
    )
    (tmp_path / "run/config.toml").write_text(changed)
    done = vocalsep("train", "--resume", "--workers", 0, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert b"another architecture" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_corrupt_file_is_skipped_and_too_many_are_an_error(material, tmp_path):
    for number in range(12):
        for stem in ("vocals", "accompaniment"):
            source = material / f"songs/s{number % 4}/{stem}.wav"
            target = tmp_path / f"songs/s{number:02}/{stem}.wav"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    config = tmp_path / "c.toml"
    config.write_text(CONFIG.replace("batch_size = 4", "batch_size = 8\nmost_faulty = 0.5"))
    base = ("train", "--config", config, "--stems", tmp_path / "songs", "--workers", 0, "--steps", 40)
    # Damaged amid its sound: only reading it shows that it is.
    flac = write(tmp_path / "songs/s05/vocals.flac", tones(6, RATE), RATE)
    (tmp_path / "songs/s05/vocals.wav").unlink()
    data = bytearray(flac.read_bytes())
    start, stop = len(data) * 3 // 10, len(data) * 6 // 10
    data[start:stop] = bytes(stop - start)
    flac.write_bytes(bytes(data))
    done = vocalsep(*base, "--out", tmp_path / "one")
    assert done.returncode == 0, done.stderr.decode()
    assert b"could not be read" in done.stderr
    assert str(flac).encode() in done.stderr
    for number in range(12):
        if number != 5:
            (tmp_path / f"songs/s{number:02}/vocals.wav").unlink()
            (tmp_path / f"songs/s{number:02}/vocals.flac").write_bytes(bytes(data))
    config.write_text(CONFIG)
    failed = vocalsep(*base, "--out", tmp_path / "two")
    assert failed.returncode == 2
    assert b"Traceback" not in failed.stderr
    assert b"cannot be read" in failed.stderr or b"unreadable" in failed.stderr


def test_averaged_weights_have_new_batch_norm_statistics():
    """After measuring, every batch norm gives maps of mean 0 and variance 1 on the same data."""
    import torch

    from vocalsep.networks.table import build, config_class
    from vocalsep.training.norms import has_statistics, measure_statistics

    config = config_class("resunet")(channels=1, filters=(4, 6), level_frames=3)
    network = build("resunet", config).train()
    inputs = [torch.rand(3, 1, 16, 32) for _ in range(4)]
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(2, 3)
    assert has_statistics(network)
    assert not has_statistics(torch.nn.Conv2d(1, 1, 1))
    measure_statistics(network, inputs, lambda network, part: network(part))
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert not network.training
    assert {norm.momentum for norm in norms} == {0.1}
    seen = []
    handle = norms[0].register_forward_hook(lambda module, args, output: seen.append(output))
    network(torch.cat(inputs))
    handle.remove()
    variance, mean = torch.var_mean(seen[0], dim=(0, 2, 3))
    torch.testing.assert_close(mean, norms[0].bias, rtol=0, atol=1e-4)
    torch.testing.assert_close(variance.sqrt(), norms[0].weight, rtol=0, atol=0.05)
