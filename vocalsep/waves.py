"""A waveform model at work on a stream: tiles of samples with all that the network hears around them."""

from __future__ import annotations

import numpy as np

from .backends.backend import WaveBackend
from .channels import from_network, to_network


class WaveStream:
    """Vocals of one channel or one stereo pair at the model's rate, block by block.

    Tiles follow each other from the song's start. The last one is shifted back, so that it ends where the song ends
    (Stoller et al., ISMIR 2018), and gives only what no tile before it has given. Around the song there is silence.

    Parameters
    ----------
    backend : WaveBackend
    channels : int
        1 or 2.
    """

    def __init__(self, backend: WaveBackend, channels: int):
        self.backend = backend
        self.channels = channels
        self.tile, self.heard, self.reach = backend.shape.tile, backend.shape.heard, backend.shape.reach
        self._held = np.zeros((channels, 0), np.float32)
        self._first = 0  # place in the song of the first sample held
        self._given = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take mixture samples (channels, samples), float32; return the vocals' samples that are ready."""
        self._held = np.concatenate([self._held, samples], axis=1)
        out = []
        while self._end() >= self._given - self.reach + self.heard:
            out.append(self._tile(self._given))
            self._given += self.tile
            self._forget()
        return np.concatenate(out, axis=1) if out else np.zeros((self.channels, 0), np.float32)

    def flush(self) -> np.ndarray:
        """Return the vocals' last samples: all together are as many as the mixture's."""
        out = [np.zeros((self.channels, 0), np.float32)]
        end = self._end()
        while end - self._given >= self.tile:
            out.append(self._tile(self._given))
            self._given += self.tile
        rest = end - self._given
        if rest:
            start = max(0, end - self.tile)
            out.append(self._tile(start)[:, self._given - start : end - start])
            self._given = end
        return np.concatenate(out, axis=1)

    def close(self) -> None:
        """Nothing is left to wait for, see `MaskStream.close`."""

    def _end(self) -> int:
        return self._first + self._held.shape[1]

    def _tile(self, start: int) -> np.ndarray:
        """Return the vocals from a place in the song on, one tile of them."""
        first, last = start - self.reach, start - self.reach + self.heard
        known = self._held[:, max(0, first - self._first) : max(0, last - self._first)]
        before = max(0, self._first - first)
        mixture = np.pad(known, ((0, 0), (before, self.heard - before - known.shape[1])))
        return from_network(self.backend.vocals(to_network(mixture, self.backend.shape.channels)), self.channels)

    def _forget(self) -> None:
        """Drop what neither the next tile nor a last one, shifted back, will hear."""
        kept = max(self._first, self._given - self.tile - self.reach)
        self._held, self._first = self._held[:, kept - self._first :].copy(), kept
