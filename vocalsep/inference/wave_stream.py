"""Separation of a stream by a waveform model: tiles of samples with their context."""

from __future__ import annotations

import numpy as np

from ..system.cancellation import Cancellation
from .backend import WaveBackend
from .channels import from_network
from .mixture_buffer import MixtureBuffer, is_one_sided, network_input
from .one_sided import restore_vocals


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
    cancellation : Cancellation, optional
        See `MaskStream`.
    """

    def __init__(
        self,
        backend: WaveBackend,
        channels: int,
        wanted: tuple[int, int] | None = None,
        cancellation: Cancellation | None = None,
    ):
        self.backend = backend
        self.channels = channels
        self.wanted = wanted
        shape = backend.shape
        self.tile, self.input_samples, self.context = shape.tile, shape.input_samples, shape.context_samples
        self._buffer = MixtureBuffer(channels)
        self._cancellation = cancellation or Cancellation()
        self._done = 0

    def push(self, samples: np.ndarray, side_weights: np.ndarray | None = None) -> np.ndarray:
        """Take mixture samples (channels, samples), float32; return the vocals' samples that are ready.

        `side_weights`: see `MixtureBuffer.push`.
        """
        self._buffer.push(samples, side_weights)
        out = []
        while self._buffer.end >= self._done - self.context + self.input_samples:
            out.append(self._tile(self._done))
            self._done += self.tile
            self._drop_old()
        return np.concatenate(out, axis=1) if out else np.zeros((self.channels, 0), np.float32)

    def flush(self) -> np.ndarray:
        """Return the remaining samples, so that the vocals have as many samples as the mixture."""
        out = [np.zeros((self.channels, 0), np.float32)]
        end = self._buffer.end
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

    def _tile(self, start: int) -> np.ndarray:
        """Return one tile of vocals, starting at sample `start` of the song."""
        self._cancellation.check()
        if self.wanted is not None and (start >= self.wanted[1] or start + self.tile <= self.wanted[0]):
            return np.zeros((self.channels, self.tile), np.float32)
        mixture, weights = self._buffer.part(start - self.context, self.input_samples)
        inputs = network_input(mixture, weights, self.backend.shape.channels)
        estimates = self.backend.start(lambda: self.backend.vocals(inputs, self._cancellation)).result()
        vocals = from_network(estimates, self.channels)
        if not is_one_sided(weights):
            return vocals
        return restore_vocals(vocals, weights[:, self.context : self.context + self.tile])

    def _drop_old(self) -> None:
        """Drop samples that are input of neither the next tile nor the last one, which is shifted back."""
        self._buffer.drop_before(self._done - self.tile - self.context)
