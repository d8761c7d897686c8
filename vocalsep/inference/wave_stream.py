"""Separation of a stream by a waveform model: tiles of samples with their context."""

from __future__ import annotations

import numpy as np

from .backend import WaveBackend
from .channels import from_network, to_network
from .one_sided import no_replacement, replace_quiet_side, restore_vocals

# Samples per column of side weights.
WEIGHT_HOP = 1024


class WaveStream:
    """Vocals of one channel or one stereo pair at the model's rate, block by block.

    Tiles follow each other from the start of the song. The last one is shifted back to end where the song ends (Stoller
    et al., ISMIR 2018); only its samples that no earlier tile has estimated are used. Around the song there is silence.

    Parameters
    ----------
    backend : WaveBackend
    channels : int
        1 or 2.
    wanted : tuple of int, optional
        First sample and end of the vocals that are needed. The rest may be silence, which saves most of its
        computation.
    """

    def __init__(self, backend: WaveBackend, channels: int, wanted: tuple[int, int] | None = None):
        self.backend = backend
        self.channels = channels
        self.wanted = wanted
        shape = backend.shape
        self.tile, self.input_samples, self.context = shape.tile, shape.input_samples, shape.context_samples
        self._last_weights = no_replacement(0)
        # Rows of the mixture, followed by three rows of its side weights.
        self._buffer = np.zeros((channels + 3, 0), np.float32)
        self._first = 0  # index in the song of the first sample in the buffer
        self._done = 0

    def push(self, samples: np.ndarray, side_weights: np.ndarray | None = None) -> np.ndarray:
        """Take mixture samples (channels, samples), float32; return the vocals' samples that are ready.

        `side_weights` (3, hops), see `one_sided`, has one column for `WEIGHT_HOP` samples; the last hop may be shorter.
        """
        if side_weights is None:
            each = no_replacement(samples.shape[1])
        else:
            each = self._interpolated(side_weights)[:, : samples.shape[1]]
        self._buffer = np.concatenate([self._buffer, np.concatenate([samples, each])], axis=1)
        out = []
        while self._end() >= self._done - self.context + self.input_samples:
            out.append(self._tile(self._done))
            self._done += self.tile
            self._drop_old()
        return np.concatenate(out, axis=1) if out else np.zeros((self.channels, 0), np.float32)

    def flush(self) -> np.ndarray:
        """Return the remaining samples, so that the vocals have as many samples as the mixture."""
        out = [np.zeros((self.channels, 0), np.float32)]
        end = self._end()
        while end - self._done >= self.tile:
            out.append(self._tile(self._done))
            self._done += self.tile
        rest = end - self._done
        if rest:
            start = max(0, end - self.tile)
            out.append(self._tile(start)[:, self._done - start : end - start])
            self._done = end
        return np.concatenate(out, axis=1)

    def close(self) -> None:
        """Do nothing: unlike `MaskStream`, it has no computations in other threads."""

    def _interpolated(self, weights: np.ndarray) -> np.ndarray:
        """Return the weights of each sample (3, samples), interpolated between those of its hop and the one before."""
        # The first hop has no predecessor.
        before = self._last_weights if self._last_weights.size else weights[:, :1]
        corners = np.concatenate([before, weights], axis=1)
        self._last_weights = corners[:, -1:]
        share = np.arange(1, WEIGHT_HOP + 1, dtype=np.float32) / WEIGHT_HOP
        each: np.ndarray = (corners[:, :-1, None] * (1 - share) + corners[:, 1:, None] * share).reshape(3, -1)
        return each

    def _end(self) -> int:
        return self._first + self._buffer.shape[1]

    def _tile(self, start: int) -> np.ndarray:
        """Return one tile of vocals, starting at sample `start` of the song."""
        if self.wanted is not None and (start >= self.wanted[1] or start + self.tile <= self.wanted[0]):
            return np.zeros((self.channels, self.tile), np.float32)
        first, last = start - self.context, start - self.context + self.input_samples
        known = self._buffer[:, max(0, first - self._first) : max(0, last - self._first)]
        before = max(0, self._first - first)
        padded = np.pad(known, ((0, 0), (before, self.input_samples - before - known.shape[1])))
        mixture, weights = padded[: self.channels], padded[self.channels :]
        one_sided = bool(weights[:2].any())
        inputs = to_network(replace_quiet_side(mixture, weights) if one_sided else mixture, self.backend.shape.channels)
        vocals = from_network(self.backend.vocals(inputs), self.channels)
        return restore_vocals(vocals, weights[:, self.context : self.context + self.tile]) if one_sided else vocals

    def _drop_old(self) -> None:
        """Drop samples that are input of neither the next tile nor the last one, which is shifted back."""
        kept = max(self._first, self._done - self.tile - self.context)
        self._buffer, self._first = self._buffer[:, kept - self._first :].copy(), kept
