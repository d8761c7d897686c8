"""Masks at work on a stream: STFT, mask times mixture, inverse STFT with the mixture's phase."""

from __future__ import annotations

import collections
import concurrent.futures

import numpy as np

from .backends.backend import MaskBackend
from .channels import from_network, to_network
from .chunking import Chunk, Chunker
from .config import FrontEndConfig
from .pipeline import begin
from .streaming_stft import InverseStft, Stft

# Frames that are transformed at a time: their copies stay in the processor's cache.
STFT_FRAMES = 64
# The mask above the model's band is the mean of this share of its topmost bins.
TOP_SHARE = 8
# Of a hard mask: where the vocals are the larger part.
THRESHOLD = 0.5


class MaskStream:
    """Vocals of one channel or one stereo pair at the model's rate, block by block.

    Parameters
    ----------
    backend : MaskBackend
    front_end : FrontEndConfig
    channels : int
        1 or 2.
    core, context : int
        Frames of each chunk and around it, see `Chunker`.
    hard : bool
        Each bin belongs to the vocals or to the accompaniment as a whole, as UNet-VocalSeparation-Chainer offers it.
    """

    def __init__(
        self,
        backend: MaskBackend,
        front_end: FrontEndConfig,
        channels: int,
        core: int,
        context: int,
        hard: bool = False,
    ):
        self.backend = backend
        self.front_end = front_end
        self.hard = hard
        self.channels = channels
        self._stft = Stft(front_end, channels)
        self._inverse = InverseStft(front_end, channels)
        self._chunker = Chunker(channels, front_end.all_bins, core, context, backend.shape.stride)
        # Chunks whose masks are being made, the oldest first.
        self._begun: collections.deque[tuple[Chunk, concurrent.futures.Future[np.ndarray]]] = collections.deque()
        self._heard = 0
        self._given = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take mixture samples (channels, samples), float32; return the vocals' samples that are ready."""
        self._heard += samples.shape[1]
        out: list[np.ndarray] = []
        step = STFT_FRAMES * self.front_end.hop
        for at in range(0, samples.shape[1], step):
            for chunk in self._chunker.push(self._stft.push(samples[:, at : at + step])):
                out += self._began(chunk)
        while self._begun and self._begun[0][1].done():
            out += self._finished()
        return self._collect(out)

    def flush(self) -> np.ndarray:
        """Return the vocals' last samples: all together are as many as the mixture's."""
        out: list[np.ndarray] = []
        for chunks in (self._chunker.push(self._stft.flush()), self._chunker.flush()):
            for chunk in chunks:
                out += self._began(chunk)
        while self._begun:
            out += self._finished()
        rest = self._collect(out)
        return rest[:, : rest.shape[1] - max(0, self._given - self._heard)]

    def close(self) -> None:
        """Wait for what is still computed."""
        concurrent.futures.wait([masks for _, masks in self._begun])

    def _collect(self, out: list[np.ndarray]) -> np.ndarray:
        vocals = np.concatenate(out, axis=1) if out else np.zeros((self.channels, 0), np.float32)
        self._given += vocals.shape[1]
        return vocals

    def _began(self, chunk: Chunk) -> list[np.ndarray]:
        """Begin with a chunk, and return the samples of the one whose place it takes."""
        spectra = to_network(chunk.spectrum, self.backend.shape.channels)
        full = len(self._begun) == self.backend.at_once
        if full:
            concurrent.futures.wait([self._begun[0][1]])
        self._begun.append((chunk, begin(lambda: self.backend.masks(spectra, chunk.start, chunk.stop))))
        return self._finished() if full else []

    def _finished(self) -> list[np.ndarray]:
        chunk, masks = self._begun.popleft()
        mask = from_network(masks.result(), self.channels)
        if self.hard:
            mask = (mask > THRESHOLD).astype(np.float32)
        core = chunk.spectrum[:, :, chunk.start : chunk.stop]
        out = []
        # The engine refuses what is not finite; numpy need not warn of it too.
        with np.errstate(over="ignore", invalid="ignore"):
            for at in range(0, core.shape[2], STFT_FRAMES):
                part = slice(at, at + STFT_FRAMES)
                out.append(self._inverse.push(masked(core[:, :, part], mask[:, :, part])))
        return out


def masked(spectrum: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Multiply a spectrum (channels, all_bins, frames) with a mask (channels, bins, frames).

    Above the model's band the mask goes on with the mean of its top bins, frame by frame.
    """
    bins = mask.shape[1]
    # Frame by frame, as spectra lie in memory.
    whole = np.empty((spectrum.shape[0], spectrum.shape[2], spectrum.shape[1]), mask.dtype)
    whole[:, :, :bins] = mask.transpose(0, 2, 1)
    whole[:, :, bins:] = whole[:, :, bins - max(1, bins // TOP_SHARE) : bins].mean(axis=2, keepdims=True)
    found: np.ndarray = spectrum.transpose(0, 2, 1) * whole
    return found.transpose(0, 2, 1)
