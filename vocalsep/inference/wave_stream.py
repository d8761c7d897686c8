"""A waveform model at work on a stream: tiles of samples with all that the network hears around them."""

from __future__ import annotations

import numpy as np

from .backend import WaveBackend
from .channels import from_network, to_network
from .one_sided import evened, straight, vocals_of

# Samples for which there is one value of how they lean.
LEAN_HOP = 1024


class WaveStream:
    """Vocals of one channel or one stereo pair at the model's rate, block by block.

    Tiles follow each other from the song's start. The last one is shifted back, so that it ends where the song ends
    (Stoller et al., ISMIR 2018), and gives only what no tile before it has given. Around the song there is silence.

    Parameters
    ----------
    backend : WaveBackend
    channels : int
        1 or 2.
    wanted : tuple of int, optional
        First sample and end of the vocals that are wanted. Outside them there may be silence, which costs little.
    """

    def __init__(self, backend: WaveBackend, channels: int, wanted: tuple[int, int] | None = None):
        self.backend = backend
        self.channels = channels
        self.wanted = wanted
        self.tile, self.heard, self.reach = backend.shape.tile, backend.shape.heard, backend.shape.reach
        self._last_lean = straight(0)
        # The mixture, and below it how its samples lean.
        self._held = np.zeros((channels + 3, 0), np.float32)
        self._first = 0  # place in the song of the first sample held
        self._given = 0

    def push(self, samples: np.ndarray, lean: np.ndarray | None = None) -> np.ndarray:
        """Take mixture samples (channels, samples), float32; return the vocals' samples that are ready.

        `lean` (3, hops) says how a stereo mixture leans, see `sides`; each hop has `LEAN_HOP` samples, the last may
        have fewer.
        """
        each = straight(samples.shape[1]) if lean is None else self._between(lean)[:, : samples.shape[1]]
        self._held = np.concatenate([self._held, np.concatenate([samples, each])], axis=1)
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

    def _between(self, lean: np.ndarray) -> np.ndarray:
        """Return how each sample leans (3, samples): on the way from its hop's predecessor to its hop."""
        # The first hop has no predecessor.
        before = self._last_lean if self._last_lean.size else lean[:, :1]
        corners = np.concatenate([before, lean], axis=1)
        self._last_lean = corners[:, -1:]
        share = np.arange(1, LEAN_HOP + 1, dtype=np.float32) / LEAN_HOP
        each: np.ndarray = (corners[:, :-1, None] * (1 - share) + corners[:, 1:, None] * share).reshape(3, -1)
        return each

    def _end(self) -> int:
        return self._first + self._held.shape[1]

    def _tile(self, start: int) -> np.ndarray:
        """Return the vocals from a place in the song on, one tile of them."""
        if self.wanted is not None and (start >= self.wanted[1] or start + self.tile <= self.wanted[0]):
            return np.zeros((self.channels, self.tile), np.float32)
        first, last = start - self.reach, start - self.reach + self.heard
        known = self._held[:, max(0, first - self._first) : max(0, last - self._first)]
        before = max(0, self._first - first)
        held = np.pad(known, ((0, 0), (before, self.heard - before - known.shape[1])))
        mixture, lean = held[: self.channels], held[self.channels :]
        leans = bool(lean[:2].any())
        given = to_network(evened(mixture, lean) if leans else mixture, self.backend.shape.channels)
        vocals = from_network(self.backend.vocals(given), self.channels)
        return vocals_of(vocals, lean[:, self.reach : self.reach + self.tile]) if leans else vocals

    def _forget(self) -> None:
        """Drop what neither the next tile nor a last one, shifted back, will hear."""
        kept = max(self._first, self._given - self.tile - self.reach)
        self._held, self._first = self._held[:, kept - self._first :].copy(), kept
