"""Masking of a stream: STFT, mask times mixture, inverse STFT with the mixture's phase."""

from __future__ import annotations

import collections
import concurrent.futures
from collections.abc import Callable

import numpy as np

from ..dsp.chunking import Chunk, Chunker
from ..dsp.front_end import FrontEndConfig
from ..dsp.streaming_stft import InverseStft, Stft
from ..system.cancellation import Cancellation
from .backend import MaskBackend
from .channels import from_network, to_network
from .one_sided import no_replacement, replace_quiet_side, restore_masks

# Frames that are transformed at a time: few enough to stay in the processor's cache.
STFT_FRAMES = 64
# Above the model's band, the mask is the mean of the top bins: one in this many of all.
TOP_SHARE = 8
# Of a hard mask: above it the vocals are the larger part.
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
        Frames of each chunk and of its context, see `Chunker`.
    hard : bool
        Binary masks: each bin belongs to the vocals or to the accompaniment, as in UNet-VocalSeparation-Chainer.
    wanted : tuple of int, optional
        First sample and end of the vocals that are needed. The rest may be silence, which saves most of its
        computation.
    cancellation : Cancellation, optional
        Ends the stream's computations early; what waits for them then raises CancelledError.
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
        cancellation: Cancellation | None = None,
    ):
        self.backend = backend
        self.front_end = front_end
        self.hard = hard
        self.wanted = wanted
        self.channels = channels
        # Weights of the frames that are not yet in a chunk, and the index in the song of the first of these frames.
        self._weights = no_replacement(0)
        self._weights_start = 0
        self._stft = Stft(front_end, channels)
        self._inverse = InverseStft(front_end, channels)
        self._chunker = Chunker(channels, front_end.all_bins, core, context, backend.shape.stride)
        # Chunks whose masks are being computed, the oldest first; None if they are not needed.
        self._pending: collections.deque[tuple[Chunk, concurrent.futures.Future[np.ndarray] | None]] = (
            collections.deque()
        )
        self._cancellation = cancellation or Cancellation()
        self._samples_in = 0
        self._samples_out = 0

    def push(self, samples: np.ndarray, side_weights: np.ndarray | None = None) -> np.ndarray:
        """Take mixture samples (channels, samples), float32; return the vocals' samples that are ready.

        `side_weights` (3, hops), see `one_sided`, has one column for each frame that these samples complete.
        """
        self._samples_in += samples.shape[1]
        if side_weights is not None:
            self._weights = np.concatenate([self._weights, side_weights], axis=1)
        out: list[np.ndarray] = []
        step = STFT_FRAMES * self.front_end.hop
        for start in range(0, samples.shape[1], step):
            for chunk in self._chunker.push(self._stft.push(samples[:, start : start + step])):
                out += self._start(chunk)
        while self._pending and _is_done(self._pending[0][1]):
            out += self._finish()
        return self._concatenate(out)

    def flush(self) -> np.ndarray:
        """Return the remaining samples, so that the vocals have as many samples as the mixture."""
        out: list[np.ndarray] = []
        for chunks in (self._chunker.push(self._stft.flush()), self._chunker.flush()):
            for chunk in chunks:
                out += self._start(chunk)
        while self._pending:
            out += self._finish()
        rest = self._concatenate(out)
        return rest[:, : rest.shape[1] - max(0, self._samples_out - self._samples_in)]

    def close(self) -> None:
        """End computations that are still running."""
        self._cancellation.cancel()
        concurrent.futures.wait([masks for _, masks in self._pending if masks is not None])

    def _concatenate(self, out: list[np.ndarray]) -> np.ndarray:
        vocals = np.concatenate(out, axis=1) if out else np.zeros((self.channels, 0), np.float32)
        self._samples_out += vocals.shape[1]
        return vocals

    def _start(self, chunk: Chunk) -> list[np.ndarray]:
        """Start to compute the masks of a chunk; finish the oldest one first if too many are being computed."""
        full = len(self._pending) == self.backend.parallel_calls
        if full and (masks := self._pending[0][1]) is not None:
            concurrent.futures.wait([masks])
        self._pending.append((chunk, self.backend.start(self._masks(chunk)) if self._is_wanted(chunk) else None))
        return self._finish() if full else []

    def _is_wanted(self, chunk: Chunk) -> bool:
        """Return whether samples that are needed depend on the core of a chunk."""
        if self.wanted is None:
            return True
        first, end = (chunk.first + frame for frame in (chunk.start, chunk.stop))
        hop, n_fft = self.front_end.hop, self.front_end.n_fft
        return (first + 1) * hop - n_fft < self.wanted[1] and end * hop > self.wanted[0]

    def _masks(self, chunk: Chunk) -> Callable[[], np.ndarray]:
        """Return a function that computes the masks (channels, bins, frames) of a chunk's core."""
        weights = self._weights_of(chunk)

        def compute() -> np.ndarray:
            self._cancellation.check()
            spectrum = chunk.spectrum if weights is None else replace_quiet_side(chunk.spectrum, weights)
            spectra = to_network(spectrum, self.backend.shape.channels)
            estimates = self.backend.masks(spectra, chunk.start, chunk.stop, self._cancellation)
            masks = from_network(estimates, self.channels)
            return masks if weights is None else restore_masks(masks, weights[:, chunk.start : chunk.stop])

        return compute

    def _weights_of(self, chunk: Chunk) -> np.ndarray | None:
        """Return the side weights of a chunk, (3, frames), None if nothing is replaced; drop those before it."""
        self._weights, self._weights_start = self._weights[:, chunk.first - self._weights_start :], chunk.first
        frames = chunk.spectrum.shape[2]
        weights = self._weights[:, :frames]
        if not weights[:2].any():
            return None
        # The last frames reach beyond the last hop of the song.
        return np.pad(weights, ((0, 0), (0, frames - weights.shape[1])), mode="edge")

    def _finish(self) -> list[np.ndarray]:
        chunk, masks = self._pending.popleft()
        if masks is None:
            return [self._inverse.push_silence(chunk.stop - chunk.start)]
        mask = masks.result()
        if self.hard:
            mask = (mask > THRESHOLD).astype(np.float32)
        core = chunk.spectrum[:, :, chunk.start : chunk.stop]
        out = []
        # The engine raises an error for values that are not finite; numpy's warnings would repeat it.
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, core.shape[2], STFT_FRAMES):
                part = slice(start, start + STFT_FRAMES)
                out.append(self._inverse.push(apply_mask(core[:, :, part], mask[:, :, part])))
        return out


def _is_done(masks: concurrent.futures.Future[np.ndarray] | None) -> bool:
    return masks is None or masks.done()


def apply_mask(spectrum: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Multiply a spectrum (channels, all_bins, frames) with a mask (channels, bins, frames).

    Above the model's band, the mask is continued with the mean of its top bins in each frame.
    """
    bins = mask.shape[1]
    # Frame by frame, which is the order of spectra in memory.
    whole = np.empty((spectrum.shape[0], spectrum.shape[2], spectrum.shape[1]), mask.dtype)
    whole[:, :, :bins] = mask.transpose(0, 2, 1)
    whole[:, :, bins:] = whole[:, :, bins - max(1, bins // TOP_SHARE) : bins].mean(axis=2, keepdims=True)
    product: np.ndarray = spectrum.transpose(0, 2, 1) * whole
    return product.transpose(0, 2, 1)
