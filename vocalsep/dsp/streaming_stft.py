"""Short-time Fourier transform and its inverse of a signal that arrives in blocks, without torch.

Frame ``t`` covers the samples from ``(t + 1) * hop - n_fft`` up to ``(t + 1) * hop``: the signal counts as silent
before its start and after its end. So the sum of the squared windows over a sample depends only on its position within
a hop, and the transform of a stream equals that of the whole signal.

In memory, spectra are stored frame by frame; they are returned as views (channels, all_bins, frames).
"""

from __future__ import annotations

import numpy as np

from .front_end import FrontEndConfig


class Stft:
    """Transforms a signal that arrives in blocks of any length.

    Frames are returned as soon as their last sample is known.
    """

    def __init__(self, config: FrontEndConfig, channels: int):
        self.config = config
        self._window = (config.n_fft * hann_window(config.n_fft)).astype(np.float32)
        self._tail = np.zeros((channels, config.n_fft - config.hop), np.float32)
        self._windowed = np.zeros((channels, 0, config.n_fft), np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take samples of shape (channels, samples); return frames of shape (channels, all_bins, frames)."""
        config = self.config
        signal = np.concatenate([self._tail, samples], axis=1)
        frames = max(0, (signal.shape[1] - config.n_fft) // config.hop + 1)
        self._tail = signal[:, frames * config.hop :].copy()
        if frames == 0:
            return np.zeros((samples.shape[0], config.all_bins, 0), np.complex64)
        if self._windowed.shape[1] < frames:
            self._windowed = np.empty((samples.shape[0], frames, config.n_fft), np.float32)
        pieces = np.lib.stride_tricks.sliding_window_view(signal, config.n_fft, axis=1)[:, :: config.hop]
        windowed = np.multiply(pieces, self._window, out=self._windowed[:, :frames])
        # The window is multiplied by the length that this norm divides by: with any other, numpy computes in 64 bits,
        # which takes at least four times as long.
        spectrum: np.ndarray = np.fft.rfft(windowed, norm="forward")
        return spectrum.transpose(0, 2, 1)

    def flush(self) -> np.ndarray:
        """Return the frames that contain the end of the signal, padded with silence."""
        length = self._tail.shape[1]
        missing = frame_count(length, self.config) * self.config.hop - length if length else 0
        return self.push(np.zeros((self._tail.shape[0], missing), np.float32))


class InverseStft:
    """Inverts `Stft` by overlap-add, for frames that arrive in blocks."""

    def __init__(self, config: FrontEndConfig, channels: int):
        self.config = config
        self._window = synthesis_window(config).astype(np.float32)
        self._tail = np.zeros((channels, config.n_fft - config.hop), np.float32)
        self._skip = config.n_fft - config.hop

    def push(self, spectrum: np.ndarray) -> np.ndarray:
        """Take frames of shape (channels, all_bins, frames); return the finished samples (channels, samples)."""
        config = self.config
        channels, _, frames = spectrum.shape
        if frames == 0:
            return np.zeros((channels, 0), np.float32)
        pieces = np.fft.irfft(spectrum.transpose(0, 2, 1), config.n_fft)
        pieces *= self._window
        return self._finished(self._overlap_add(pieces), frames)

    def push_silence(self, frames: int) -> np.ndarray:
        """Do the same as `push` of `frames` frames of zeros."""
        config = self.config
        samples = (frames - 1 + -(-config.n_fft // config.hop)) * config.hop
        return self._finished(np.zeros((self._tail.shape[0], samples), np.float32), frames)

    def _finished(self, signal: np.ndarray, frames: int) -> np.ndarray:
        """Return the finished samples of overlapped frames; keep the others."""
        signal[:, : self._tail.shape[1]] += self._tail
        finished = frames * self.config.hop
        self._tail = signal[:, finished : finished + self._tail.shape[1]].copy()
        dropped = min(self._skip, finished)
        self._skip -= dropped
        return signal[:, dropped:finished]

    def _overlap_add(self, pieces: np.ndarray) -> np.ndarray:
        """Return the sum of windows (channels, frames, n_fft), one hop apart, padded to a whole number of hops."""
        hop = self.config.hop
        channels, frames, n_fft = pieces.shape
        hops = -(-n_fft // hop)
        signal = np.zeros((channels, frames + hops - 1, hop), np.float32)
        for step in range(hops):
            part = pieces[:, :, step * hop : (step + 1) * hop]
            signal[:, step : step + frames, : part.shape[2]] += part
        return signal.reshape(channels, -1)


def frame_count(samples: int, config: FrontEndConfig) -> int:
    """Return the number of frames that cover a signal of `samples` samples."""
    if samples == 0:
        return 0
    return -(-(samples + config.n_fft - config.hop) // config.hop)


def hann_window(length: int) -> np.ndarray:
    """Return a periodic Hann window, float64."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def synthesis_window(config: FrontEndConfig) -> np.ndarray:
    """Return the window of the inverse transform, float64, with which the overlapping frames sum to the signal."""
    window = hann_window(config.n_fft)
    hops = -(-config.n_fft // config.hop)
    padded = np.pad(window**2, (0, hops * config.hop - config.n_fft))
    overlap: np.ndarray = padded.reshape(hops, config.hop).sum(axis=0)
    return window / np.tile(overlap, hops)[: config.n_fft]
