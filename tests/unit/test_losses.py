import math

import pytest
import torch

from vocalsep.dsp.front_end import FrontEndConfig
from vocalsep.dsp.stft import frames_inside
from vocalsep.errors import UsageError
from vocalsep.training.estimate import MaskEstimate
from vocalsep.training.losses import LOSSES, parse

FRONT_END = FrontEndConfig(sample_rate=8000, n_fft=256, hop=64, bins=64)


def result(mask, vocals_gain=1.0, gain=1.0, valid_bins=64, seed=0, rest_gain=1.0):
    """A batch of two examples of noise; `mask` is a number, or makes the mask of mixture and vocals."""
    generator = torch.Generator().manual_seed(seed)
    stems = torch.randn(2, 2, 2, 63 * 64 + 256, generator=generator, dtype=torch.float64) * gain
    vocals, mixture = frames_inside(
        torch.stack([stems[0] * vocals_gain, stems[0] * vocals_gain + stems[1] * rest_gain]), FRONT_END
    )
    inside = mixture[:, :, :64]
    made = torch.full(inside.shape, float(mask), dtype=torch.float64) if isinstance(mask, int | float) else mask
    level = inside.abs().square().mean(dim=(1, 2, 3), keepdim=True).sqrt().expand(-1, 1, 1, inside.shape[-1])
    valid = (torch.arange(64) < valid_bins).double()[None, None, :, None].expand(2, 1, 64, 1)
    return MaskEstimate(mixture, vocals, level, valid, FRONT_END, made)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_decrease_towards_the_true_mask(name):
    before = result(0.5)
    ideal = (before.vocals[:, :, :64] / before.mixture[:, :, :64]).real.clamp(0, 1)
    loss = LOSSES[name]
    assert loss(result(ideal)) < loss(result(0.5)) < loss(result(1 - ideal))
    mask = torch.full_like(before.mask, 0.4, requires_grad=True)
    loss(result(mask)).backward()
    assert mask.grad.isfinite().all()
    assert mask.grad.abs().sum() > 0


@pytest.mark.parametrize("name", LOSSES)
def test_loud_and_quiet_examples_count_alike(name):
    torch.testing.assert_close(LOSSES[name](result(0.3)), LOSSES[name](result(0.3, gain=0.01)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_silent_vocals_and_silent_mixtures_stay_finite(name):
    for made in (result(0.3, vocals_gain=0.0), result(0.3, rest_gain=0.0)):
        assert LOSSES[name](made).isfinite()
    silent = result(0.3)
    zeros = torch.zeros_like(silent.mixture)
    mask = torch.full_like(silent.mask, 0.4, requires_grad=True)
    nothing = MaskEstimate(zeros, zeros, torch.full_like(silent.level, 1e-8), silent.valid, FRONT_END, mask)
    LOSSES[name](nothing).backward()
    assert mask.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_bins_above_the_vocals_own_band_do_not_count(name):
    made = result(0.5, valid_bins=32)
    other = made.mask.clone()
    other[:, :, 32:] = 0.1
    torch.testing.assert_close(LOSSES[name](made), LOSSES[name](result(other, valid_bins=32)), rtol=1e-6, atol=1e-9)


def test_l1_and_sdr_are_what_their_formulas_say():
    made = result(0.5)
    mixture, vocals = made.mixture[:, :, :64], made.vocals[:, :, :64]
    expected = (0.5 * mixture.abs() - vocals.abs()).abs() / made.level
    torch.testing.assert_close(LOSSES["l1"](made), expected.mean())
    ratios = []
    for example in range(2):
        error = (0.5 * mixture[example] - vocals[example]).abs().square().sum()
        energies = (vocals[example].abs().square().sum(), (mixture - vocals)[example].abs().square().sum())
        ratios.append(sum(math.log10(energy / error) for energy in energies) / 2)
    assert float(LOSSES["sdr"](made)) == pytest.approx(-sum(ratios) / 2, abs=0.01)


def test_sums_of_losses():
    made = result(0.5)
    total = parse("sdr + 2*l1+1e-1*mse")(made)
    torch.testing.assert_close(total, LOSSES["sdr"](made) + 2 * LOSSES["l1"](made) + 0.1 * LOSSES["mse"](made))


@pytest.mark.parametrize("expression", ["", "l3", "2*", "l1+", "x*l1", "1e*l1", "l1*2", "-1*l1"])
def test_invalid_loss_expressions_are_refused(expression):
    with pytest.raises(UsageError):
        parse(expression)
