"""Run a network on a batch; return an estimate for each of its sources."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..dsp.front_end import FrontEndConfig
from ..dsp.stft import frames_inside
from ..networks.level import EPSILON, local_level
from ..networks.network import MaskNetwork, Network, WaveNetwork, middle
from .estimate import Estimate, MaskEstimate, WaveEstimate

# The losses compare magnitudes relative to the mixture's level over this many frames to either side.
LEVEL_FRAMES = 64
# Smallest level of a frame, as a share of its example's mean level.
LEAST_LEVEL = 0.1


def estimates(
    network: Network,
    wrapped: Any,
    vocals: Tensor,
    mixture: Tensor,
    band: Tensor,
    front_end: FrontEndConfig,
    frames: int,
) -> list[Estimate]:
    """Run a network on a batch, on the batch's device.

    Parameters
    ----------
    network : Network
    wrapped : callable
        The network as Fabric wraps it.
    vocals, mixture : Tensor (batch, channels, samples)
        Including the context of the frames that count.
    band : Tensor (batch,)
        Frequency in Hz up to which the vocals are known.
    front_end : FrontEndConfig
    frames : int
        Number of frames in the middle that count.

    Returns
    -------
    list of Estimate
        For the vocals, and for the accompaniment if the network estimates it.
    """
    samples = (frames - 1) * front_end.hop + front_end.n_fft
    spectra = frames_inside(middle(torch.stack([vocals, mixture]), samples), front_end)
    true, mixture_spectrum = spectra
    level = local_level(mixture_spectrum[:, :, : front_end.bins].abs(), LEVEL_FRAMES) + EPSILON
    if isinstance(network, WaveNetwork):
        # An estimated waveform need not be silent in silent frames, where an error would count a million times.
        level = torch.maximum(level, LEAST_LEVEL * level.mean(dim=3, keepdim=True))
    common = {
        "mixture": mixture_spectrum,
        "level": level,
        "valid": _valid(band, front_end, level.dtype),
        "front_end": front_end,
    }
    truths = [true, mixture_spectrum - true][: network.sources]
    if isinstance(network, MaskNetwork):
        inputs = network.network_input(mixture_spectrum, front_end.bins).contiguous(memory_format=torch.channels_last)
        masks = wrapped(inputs).to(level.dtype).chunk(network.sources, dim=1)
        return [MaskEstimate(vocals=truth, mask=mask, **common) for truth, mask in zip(truths, masks, strict=True)]
    estimates = middle(wrapped(mixture).to(level.dtype), samples).chunk(network.sources, dim=1)
    return [
        WaveEstimate(vocals=truth, spectrum=frames_inside(estimate, front_end), **common)
        for truth, estimate in zip(truths, estimates, strict=True)
    ]


def _valid(band: Tensor, front_end: FrontEndConfig, dtype: torch.dtype) -> Tensor:
    """Return (batch, 1, bins, 1): 1 below 98% of each example's band in Hz, 0 above."""
    hertz = torch.arange(front_end.bins, device=band.device) * (front_end.sample_rate / front_end.n_fft)
    full = band >= front_end.sample_rate / 2
    return ((hertz[None] < band[:, None] * 0.98) | full[:, None]).to(dtype)[:, None, :, None]
