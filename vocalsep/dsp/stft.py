"""Short-time Fourier transform of whole signals in torch and its inverse, exact in length and with gradients.

Frames are those of `streaming_stft`, which transforms block by block.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .front_end import FrontEndConfig
from .streaming_stft import frame_count, synthesis_window


def stft(signal: Tensor, config: FrontEndConfig) -> Tensor:
    """Transform a whole signal.

    Parameters
    ----------
    signal : Tensor (..., samples), float32
    config : FrontEndConfig

    Returns
    -------
    Tensor (..., all_bins, frames), complex64, of `frame_count` frames
    """
    before = config.n_fft - config.hop
    after = frame_count(signal.shape[-1], config) * config.hop - signal.shape[-1]
    padded = torch.nn.functional.pad(signal, (before, after))
    return _frames(padded, torch.hann_window(config.n_fft, dtype=signal.dtype, device=signal.device), config)


def istft(spectrum: Tensor, config: FrontEndConfig, length: int) -> Tensor:
    """Invert `stft`: frames (..., all_bins, frames) to samples (..., length)."""
    window = torch.from_numpy(synthesis_window(config)).to(spectrum.device, spectrum.real.dtype)
    signal = _overlap_add(spectrum.reshape(-1, *spectrum.shape[-2:]), window, config)
    start = config.n_fft - config.hop
    return signal[:, start : start + length].reshape(*spectrum.shape[:-2], -1)


def frames_inside(signal: Tensor, config: FrontEndConfig) -> Tensor:
    """Transform only the frames that lie entirely inside a signal, without padding.

    Parameters
    ----------
    signal : Tensor (..., samples)
    config : FrontEndConfig

    Returns
    -------
    Tensor (..., all_bins, frames), complex
        Frame ``t`` covers the samples from ``t * hop`` to ``t * hop + n_fft``.
    """
    return _frames(signal, torch.hann_window(config.n_fft, dtype=signal.dtype, device=signal.device), config)


def samples_inside(spectrum: Tensor, config: FrontEndConfig) -> Tensor:
    """Invert `frames_inside`, (..., all_bins, frames), for the samples of which all frames are known.

    Returns
    -------
    Tensor (..., (frames + 1) * hop - n_fft)
        The signal from sample ``n_fft - hop`` on.
    """
    length = (spectrum.shape[-1] + 1) * config.hop - config.n_fft
    return istft(spectrum, config, length)


def _frames(signal: Tensor, window: Tensor, config: FrontEndConfig) -> Tensor:
    windowed = signal.unfold(-1, config.n_fft, config.hop) * window
    return torch.fft.rfft(windowed).transpose(-1, -2)


def _overlap_add(spectrum: Tensor, window: Tensor, config: FrontEndConfig) -> Tensor:
    channels, _, frames = spectrum.shape
    hops = -(-config.n_fft // config.hop)
    surplus = hops * config.hop - config.n_fft
    pieces = torch.fft.irfft(spectrum.transpose(1, 2), n=config.n_fft) * window
    if surplus:
        pieces = torch.nn.functional.pad(pieces, (0, surplus))
    pieces = pieces.view(channels, frames, hops, config.hop)
    signal = torch.zeros(channels, frames + hops - 1, config.hop, dtype=pieces.dtype, device=spectrum.device)
    for step in range(hops):
        signal[:, step : step + frames] += pieces[:, :, step]
    signal = signal.view(channels, -1)
    return signal[:, : signal.shape[1] - surplus]
