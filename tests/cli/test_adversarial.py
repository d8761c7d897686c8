"""Semi-supervised training, as a user runs it and in its parts."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from conftest import tones, vocalsep, write
from safetensors.torch import load_file
from small_training import SMALL_RATE as RATE
from small_training import small_config
from test_train import _step

from vocalsep.dsp.front_end import FrontEndConfig
from vocalsep.dsp.stft import frames_inside
from vocalsep.networks.critic import Critic
from vocalsep.training.adversarial import Adversary
from vocalsep.training.config import AdversarialConfig
from vocalsep.training.estimate import MaskEstimate
from vocalsep.training.loader import UnpairedBatch

FRONT_END = FrontEndConfig(RATE, 256, 64, 64)
# Supervised steps; as many semi-supervised ones follow.
STEPS = 8
SUPERVISED = small_config(batch_size=2, warmup=2, validate_every=4, checkpoint_minutes=0.000001)
CONFIG = SUPERVISED + "[adversarial]\ncritic_steps = 2\n"


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("semi")
    rng = np.random.default_rng(0)
    for number in range(3):
        voice, rest = tones(5, RATE, 2, number), 0.05 * rng.standard_normal((2, 5 * RATE))
        write(folder / f"songs/s{number}/vocals.wav", voice, RATE)
        write(folder / f"songs/s{number}/accompaniment.wav", rest, RATE)
        write(folder / f"unlabelled/u{number}.wav", voice + rest, RATE)
    (folder / "small.toml").write_text(CONFIG)
    return folder


def arguments(material, out):
    sets = ("--stems", material / "songs", "--unlabelled", material / "unlabelled")
    return ("train", "--config", material / "small.toml", *sets, "--steps", STEPS, "--workers", 0, "--out", out)


@pytest.fixture(scope="module")
def finished(material):
    run = material / "whole"
    done = vocalsep(*arguments(material, run))
    assert done.returncode == 0, done.stderr.decode()
    return run, done


def test_semi_supervised_training_follows_and_both_models_are_kept(finished):
    run, done = finished
    assert f"then {STEPS} semi-supervised ones".encode() in done.stderr
    first, second = done.stdout.decode().splitlines()
    assert "supervised.safetensors: supervised, best" in first
    assert f"model.safetensors: {2 * STEPS} steps" in second
    supervised, model = (load_file(run / f"{name}.safetensors") for name in ("supervised", "model"))
    assert any(not torch.equal(supervised[name], model[name]) for name in supervised)


@pytest.mark.slow
def test_a_killed_run_that_is_resumed_ends_with_the_same_weights(finished, material):
    whole, broken = finished[0], material / "broken"
    command = [sys.executable, "-m", "vocalsep", *map(str, arguments(material, broken))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while _step(broken) < STEPS + 3 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert STEPS < _step(broken) < 2 * STEPS
    again = vocalsep("train", "--resume", "--workers", 0, "--out", broken)
    assert again.returncode == 0, again.stderr.decode()
    weights, expected = (load_file(run / "last.safetensors") for run in (broken, whole))
    assert set(weights) == set(expected)
    assert any(name.startswith("critics/") for name in weights)
    assert all(torch.equal(weights[name], expected[name]) for name in weights)
    for name in ("supervised", "model"):
        assert (whole / f"{name}.safetensors").read_bytes() == (broken / f"{name}.safetensors").read_bytes()


def test_supervised_model_does_not_depend_on_what_follows(finished, material, tmp_path):
    config = tmp_path / "plain.toml"
    config.write_text(SUPERVISED)
    base = ("train", "--config", config, "--stems", material / "songs", "--steps", STEPS, "--workers", 0)
    done = vocalsep(*base, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr.decode()
    plain, kept = (
        load_file(path) for path in (tmp_path / "run/model.safetensors", finished[0] / "supervised.safetensors")
    )
    assert all(torch.equal(plain[name], kept[name]) for name in plain)


def test_semi_supervised_steps_need_songs_without_stems(material, tmp_path):
    base = ("train", "--config", material / "small.toml", "--stems", material / "songs", "--out", tmp_path / "run")
    done = vocalsep(*base, "--semi-steps", 5)
    assert done.returncode == 2
    assert b"needs a data set of unlabelled songs" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def unpaired(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return UnpairedBatch(*(torch.randn(6, 2, 63 * 64 + 256, generator=generator) for _ in range(3)), (), 3)


def separate_with(mask):
    def separate(mixture):
        spectrum = frames_inside(mixture, FRONT_END)
        level = torch.ones(mixture.shape[0], 1, 1, spectrum.shape[3])
        valid = torch.ones(mixture.shape[0], 1, 64, 1)
        shape = spectrum[:, :, :64].shape
        return [MaskEstimate(spectrum, torch.zeros_like(spectrum), level, valid, FRONT_END, mask.expand(shape))]

    return separate


def test_estimates_of_one_mask_learn_from_the_critics_only():
    torch.manual_seed(0)
    mask = torch.full((1,), 0.4, requires_grad=True)
    with_critics = Adversary(AdversarialConfig(additivity=1.0), FRONT_END, 2, torch.device("cpu"))
    with_critics.loss_term(unpaired(), separate_with(mask)).backward()
    assert mask.grad.isfinite().all()
    assert mask.grad.abs() > 0
    without = Adversary(AdversarialConfig(additivity=1.0, weight=0.0), FRONT_END, 2, torch.device("cpu"))
    assert without.loss_term(unpaired(), separate_with(mask)).item() == pytest.approx(0, abs=1e-6)


def test_critics_learn_to_distinguish_estimates_from_real_sources():
    torch.manual_seed(0)
    config = AdversarialConfig(critic_lr=1e-3, critic_steps=1)
    adversary = Adversary(config, FRONT_END, 2, torch.device("cpu"))
    reals = [torch.rand(4, 2, 64, 32), torch.rand(4, 2, 64, 32) ** 2]
    fakes = [torch.rand(4, 2, 64, 1).expand(-1, -1, -1, 32), torch.rand(4, 2, 1, 32).expand(-1, -1, 64, -1)]

    def lead():
        with torch.no_grad():
            return [
                float(critic(real).mean() - critic(fake).mean())
                for critic, real, fake in zip(adversary.critics, reals, fakes, strict=True)
            ]

    before = lead()
    for _ in range(40):
        adversary._train_critics(fakes, reals)
    assert all(after > max(0.1, start) for after, start in zip(lead(), before, strict=True))


def test_a_critic_scores_each_excerpt_by_itself():
    critic = Critic(2)
    magnitude = torch.rand(3, 2, 64, 40)
    alone = torch.cat([critic(magnitude[index : index + 1]) for index in range(3)])
    torch.testing.assert_close(critic(magnitude), alone, rtol=1e-4, atol=1e-6)
