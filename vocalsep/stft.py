"""Short-time Fourier transform and its inverse, exact in length, whole or streamed.

Frame ``t`` covers the samples from ``(t + 1) * hop - n_fft`` up to ``(t + 1) * hop``: the signal counts as silent
before its start and after its end, so the squared windows over a sample sum to what its place within a hop says, to
one constant where `hop` divides `n_fft` at least three times. That is what makes a stream equal the whole.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .config import FrontEndConfig


def frame_count(samples: int, config: FrontEndConfig) -> int:
    """Number of frames in which a signal of `samples` samples is heard in full."""
    if samples == 0:
        return 0
    return -(-(samples + config.n_fft - config.hop) // config.hop)


class Stft:
    """Analysis of a signal that arrives in blocks.

    The blocks may have any length; frames come out as soon as their last sample is known.
    """

    def __init__(self, config: FrontEndConfig, channels: int):
        self.config = config
        self.window = torch.hann_window(config.n_fft)
        self.tail = torch.zeros(channels, config.n_fft - config.hop)

    def push(self, samples: Tensor) -> Tensor:
        """Take samples of shape (channels, samples); return frames of shape (channels, all_bins, frames)."""
        config = self.config
        signal = torch.cat([self.tail, samples], dim=1)
        frames = max(0, (signal.shape[1] - config.n_fft) // config.hop + 1)
        self.tail = signal[:, frames * config.hop :].clone()
        if frames == 0:
            return torch.zeros(samples.shape[0], config.all_bins, 0, dtype=torch.complex64)
        return _frames(signal, self.window, config)

    def flush(self) -> Tensor:
        """Return the frames that hear the end of the signal; silence follows it."""
        config = self.config
        held = self.tail.shape[1]
        missing = frame_count(held, config) * config.hop - held if held else 0
        return self.push(torch.zeros(self.tail.shape[0], missing))


class InverseStft:
    """Overlap-add synthesis of frames that arrive in blocks, the inverse of `Stft`."""

    def __init__(self, config: FrontEndConfig, channels: int):
        self.config = config
        self.window = _synthesis_window(torch.hann_window(config.n_fft), config)
        self.tail = torch.zeros(channels, config.n_fft - config.hop)
        self.skip = config.n_fft - config.hop

    def push(self, spectrum: Tensor) -> Tensor:
        """Take frames of shape (channels, all_bins, frames); return the finished samples (channels, samples)."""
        config = self.config
        channels, _, frames = spectrum.shape
        if frames == 0:
            return torch.zeros(channels, 0)
        signal = _overlap_add(spectrum, self.window, config)
        signal[:, : self.tail.shape[1]] += self.tail
        finished = frames * config.hop
        self.tail = signal[:, finished:].clone()
        dropped = min(self.skip, finished)
        self.skip -= dropped
        return signal[:, dropped:finished]


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
    window = _synthesis_window(
        torch.hann_window(config.n_fft, dtype=spectrum.real.dtype, device=spectrum.device), config
    )
    signal = _overlap_add(spectrum.reshape(-1, *spectrum.shape[-2:]), window, config)
    start = config.n_fft - config.hop
    return signal[:, start : start + length].reshape(*spectrum.shape[:-2], -1)


def frames_inside(signal: Tensor, config: FrontEndConfig) -> Tensor:
    """Transform only the frames that lie wholly inside a signal, so that none hears the silence around it.

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
    """Invert `frames_inside`, (..., all_bins, frames) to samples, where every frame of a sample is known.

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


def _synthesis_window(window: Tensor, config: FrontEndConfig) -> Tensor:
    """Return the window of the inverse transform: with it, all that lies over a sample sums to the sample."""
    if config.n_fft % config.hop == 0 and config.n_fft // config.hop >= 3:
        return window / (float(torch.hann_window(config.n_fft).square().sum()) / config.hop)
    hops = -(-config.n_fft // config.hop)
    padded = torch.nn.functional.pad(window.square(), (0, hops * config.hop - config.n_fft))
    return window / padded.view(hops, config.hop).sum(0).repeat(hops)[: config.n_fft]
