"""Masks at work on a stream: STFT, mask times mixture, inverse STFT with the mixture's phase."""

from __future__ import annotations

import collections
import concurrent.futures
from collections.abc import Callable

import numpy as np

from ..dsp.chunking import Chunk, Chunker
from ..dsp.front_end import FrontEndConfig
from ..dsp.streaming_stft import InverseStft, Stft
from ..system.background import run_in_thread
from .backend import MaskBackend
from .channels import from_network, to_network
from .one_sided import evened, masks_of, straight

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
    wanted : tuple of int, optional
        First sample and end of the vocals that are wanted. Outside them there may be silence, which costs little.
    """

    def __init__(
        self,
        backend: MaskBackend,
        front_end: FrontEndConfig,
        channels: int,
        core: int,
        context: int,
        hard: bool = False,
        wanted: tuple[int, int] | None = None,
    ):
        self.backend = backend
        self.front_end = front_end
        self.hard = hard
        self.wanted = wanted
        self.channels = channels
        # How the frames lean that chunks are yet to come of, and the index in the song of the first.
        self._lean = straight(0)
        self._lean_from = 0
        self._stft = Stft(front_end, channels)
        self._inverse = InverseStft(front_end, channels)
        self._chunker = Chunker(channels, front_end.all_bins, core, context, backend.shape.stride)
        # Chunks whose masks are being made, the oldest first; None where they are not wanted.
        self._begun: collections.deque[tuple[Chunk, concurrent.futures.Future[np.ndarray] | None]] = collections.deque()
        self._heard = 0
        self._given = 0

    def push(self, samples: np.ndarray, lean: np.ndarray | None = None) -> np.ndarray:
        """Take mixture samples (channels, samples), float32; return the vocals' samples that are ready.

        `lean` (3, hops) says how a stereo mixture leans, see `sides`: the frames that these samples complete are those
        of its hops.
        """
        self._heard += samples.shape[1]
        if lean is not None:
            self._lean = np.concatenate([self._lean, lean], axis=1)
        out: list[np.ndarray] = []
        step = STFT_FRAMES * self.front_end.hop
        for at in range(0, samples.shape[1], step):
            for chunk in self._chunker.push(self._stft.push(samples[:, at : at + step])):
                out += self._began(chunk)
        while self._begun and _is_done(self._begun[0][1]):
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
        concurrent.futures.wait([masks for _, masks in self._begun if masks is not None])

    def _collect(self, out: list[np.ndarray]) -> np.ndarray:
        vocals = np.concatenate(out, axis=1) if out else np.zeros((self.channels, 0), np.float32)
        self._given += vocals.shape[1]
        return vocals

    def _began(self, chunk: Chunk) -> list[np.ndarray]:
        """Begin with a chunk, and return the samples of the one whose place it takes."""
        full = len(self._begun) == self.backend.at_once
        if full and (masks := self._begun[0][1]) is not None:
            concurrent.futures.wait([masks])
        self._begun.append((chunk, run_in_thread(self._masks(chunk)) if self._is_wanted(chunk) else None))
        return self._finished() if full else []

    def _is_wanted(self, chunk: Chunk) -> bool:
        """Whether a chunk's core has frames that wanted samples are made of."""
        if self.wanted is None:
            return True
        first, end = (chunk.first + frame for frame in (chunk.start, chunk.stop))
        hop, n_fft = self.front_end.hop, self.front_end.n_fft
        return (first + 1) * hop - n_fft < self.wanted[1] and end * hop > self.wanted[0]

    def _masks(self, chunk: Chunk) -> Callable[[], np.ndarray]:
        """Return what makes the masks (channels, bins, frames) of a chunk's core."""
        lean = self._lean_of(chunk)

        def make() -> np.ndarray:
            given = chunk.spectrum if lean is None else evened(chunk.spectrum, lean)
            spectra = to_network(given, self.backend.shape.channels)
            masks = from_network(self.backend.masks(spectra, chunk.start, chunk.stop), self.channels)
            return masks if lean is None else masks_of(masks, lean[:, chunk.start : chunk.stop])

        return make

    def _lean_of(self, chunk: Chunk) -> np.ndarray | None:
        """Return how a chunk's frames lean, (3, frames), None where none does, and forget those before it."""
        self._lean, self._lean_from = self._lean[:, chunk.first - self._lean_from :], chunk.first
        frames = chunk.spectrum.shape[2]
        lean = self._lean[:, :frames]
        if not lean[:2].any():
            return None
        # The last frames are those that the end of the song rings out in.
        return np.pad(lean, ((0, 0), (0, frames - lean.shape[1])), mode="edge")

    def _finished(self) -> list[np.ndarray]:
        chunk, masks = self._begun.popleft()
        if masks is None:
            return [self._inverse.push_silence(chunk.stop - chunk.start)]
        mask = masks.result()
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


def _is_done(masks: concurrent.futures.Future[np.ndarray] | None) -> bool:
    return masks is None or masks.done()


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
