"""Losses by name, and weighted sums of them.

All are computed on the scale of the mixture's own level, so that quiet and loud examples count the same, and only up to
the frequency up to which an example's vocals are known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import UsageError
from ..networks.level import EPSILON
from .estimate import Estimate

# Errors 30 dB below the mixture are good enough. It bounds logarithmic losses if the vocals are silent.
FLOOR = 1e-3
RESOLUTIONS = (512, 1024, 2048)
# Frames of a window of `windowed_sdr`; there, errors 20 dB below the mixture are good enough.
WINDOW_FRAMES = 32
WINDOW_FLOOR = 1e-2
# Windows are normalised by no less than this share of their example's energy.
QUIETEST = 0.02


Loss = Callable[[Estimate], Tensor]


def l1(result: Estimate) -> Tensor:
    """Mean absolute difference of magnitudes (Jansson et al., ISMIR 2017)."""
    return ((result.magnitude - result.target.abs()).abs() * result.valid).mean()


def mse(result: Estimate) -> Tensor:
    """Mean squared difference of magnitudes."""
    return ((result.magnitude - result.target.abs()).square() * result.valid).mean()


def log1p(result: Estimate) -> Tensor:
    """Mean squared difference of ``log(1 + magnitude)`` (Stoller, Ewert, Dixon, ICASSP 2018)."""
    estimate = torch.log1p(result.magnitude)
    return ((estimate - torch.log1p(result.target.abs())).square() * result.valid).mean()


def complex_l1(result: Estimate) -> Tensor:
    """Mean absolute difference of real and imaginary parts: sensitive to the phase."""
    difference = torch.view_as_real(result.estimate / result.level - result.target).abs().sum(-1)
    return (difference * result.valid).mean()


def sdr(result: Estimate) -> Tensor:
    """Mean over examples of the negative SDR of vocals and accompaniment in bels, of complex spectra.

    With one mask for both stems their errors are equal, so one logarithm serves both.
    """
    return _negative_sdr(result, _energy, lambda energy: energy + EPSILON, FLOOR)


def windowed_sdr(result: Estimate) -> Tensor:
    """As `sdr`, for windows of about a second, over which BSS Eval v4 takes its median: quiet passages count too."""

    def least(energy: Tensor) -> Tensor:
        return energy + QUIETEST * energy.mean(dim=1, keepdim=True) + EPSILON

    return _negative_sdr(result, _window_energy, least, WINDOW_FLOOR)


def waveform_l1(result: Estimate) -> Tensor:
    """Mean absolute difference of waveforms (Demucs)."""
    estimate, vocals, _ = result.waveforms()
    return (estimate - vocals).abs().mean()


def waveform_mse(result: Estimate) -> Tensor:
    """Mean squared difference of waveforms (Stoller, Ewert, Dixon, ISMIR 2018)."""
    estimate, vocals, _ = result.waveforms()
    return (estimate - vocals).square().mean()


def si_sdr(result: Estimate) -> Tensor:
    """Mean over examples of the negative scale-invariant SDR in bels (Le Roux et al., ICASSP 2019), of waveforms."""
    estimate, vocals, _ = (signal.flatten(1) for signal in result.waveforms())
    count = estimate.shape[1]
    scale = (estimate * vocals).sum(1, keepdim=True) / (vocals.square().sum(1, keepdim=True) + count * FLOOR**2)
    true = (scale * vocals).square().mean(1) + FLOOR
    wrong = (scale * vocals - estimate).square().mean(1) + FLOOR
    return (wrong.log10() - true.log10()).mean()


def multi_resolution(result: Estimate) -> Tensor:
    """Mean over window lengths of the L1 distance of magnitudes of the waveforms' STFTs (Yamamoto et al., 2020)."""
    estimate, vocals, _ = (signal.flatten(0, 1) for signal in result.waveforms())
    total = torch.zeros((), dtype=estimate.dtype, device=estimate.device)
    for n_fft in RESOLUTIONS:
        window = torch.hann_window(n_fft, dtype=estimate.dtype, device=estimate.device)
        spectra = (signal.unfold(-1, n_fft, n_fft // 4) * window for signal in (estimate, vocals))
        first, second = (
            torch.view_as_real(torch.fft.rfft(frames)).square().sum(-1).add(1e-8).sqrt() for frames in spectra
        )
        total = total + (first - second).abs().mean() / math.sqrt(n_fft)
    return total / len(RESOLUTIONS)


LOSSES: dict[str, Loss] = {
    "l1": l1,
    "mse": mse,
    "log1p": log1p,
    "complex-l1": complex_l1,
    "sdr": sdr,
    "windowed-sdr": windowed_sdr,
    "waveform-l1": waveform_l1,
    "waveform-mse": waveform_mse,
    "si-sdr": si_sdr,
    "multi-resolution": multi_resolution,
}


def parse(expression: str) -> Loss:
    """Turn ``l1`` or a weighted sum such as ``l1+0.1*si-sdr`` into a loss.

    Raises
    ------
    UsageError
        It is not such a sum, or a name is unknown.
    """
    terms: list[tuple[float, Loss]] = []
    for term in expression.replace(" ", "").split("+"):
        match = re.fullmatch(r"(?:(\d+(?:\.\d*)?(?:e-?\d+)?)\*)?([a-z][a-z0-9-]*)", term)
        if not match or match[2] not in LOSSES:
            raise UsageError(
                f"unknown loss {term!r} in {expression!r}; a loss is a sum such as l1+0.1*sdr of {', '.join(LOSSES)}"
            )
        terms.append((float(match[1] or 1), LOSSES[match[2]]))

    def total(result: Estimate) -> Tensor:
        return torch.stack([weight * loss(result) for weight, loss in terms]).sum()

    return total


def _negative_sdr(
    result: Estimate,
    energy: Callable[[Tensor], Tensor],
    reference: Callable[[Tensor], Tensor],
    floor: float,
) -> Tensor:
    """Mean negative SDR of both stems in bels; `reference` maps the mixture's energies to those that normalise all."""
    spectra = (result.mixture, result.vocals)
    mixture, vocals = (spectrum[:, :, : result.front_end.bins] * result.valid for spectrum in spectra)
    power = reference(energy(mixture))
    error = energy(result.estimate * result.valid - vocals) / power + floor
    own = energy(vocals) / power + floor
    rest = energy(mixture - vocals) / power + floor
    return (error.log10() - 0.5 * own.log10() - 0.5 * rest.log10()).mean()


def _energy(spectrum: Tensor) -> Tensor:
    return torch.view_as_real(spectrum).square().sum(dim=(1, 2, 3, 4))


def _window_energy(spectrum: Tensor) -> Tensor:
    """Return the energy of each window, (batch, windows); incomplete windows are left out."""
    frames = torch.view_as_real(spectrum).square().sum(dim=(1, 2, 4))
    size = min(WINDOW_FRAMES, frames.shape[1])
    return frames.unfold(1, size, size).sum(-1)
