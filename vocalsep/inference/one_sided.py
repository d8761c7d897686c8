"""Stereo with sound on one side only, such as transfers of mono recordings.

A network of two channels treats sound on one side as an instrument that is panned there, and hardly detects a voice in
it. If one side has almost no sound of its own, the network is given the other side on both channels.

Side weights are an array (3, hops). The first two rows are weights 0..1 with which the right and the left side are
replaced by the other; one of the two is 0. The third row is the gain of the copy of the louder side that the quieter
side contains.
"""

from __future__ import annotations

import numpy as np

from .sample_queue import SampleQueue

# Seconds to either side over which levels are measured. Ordinary songs are rarely one-sided for as long.
RADIUS_S = 5.0
# Level of the quieter side relative to the louder in dB: the weight rises from 0 at the first to 1 at the second. Over
# ten seconds, no stereo song that was measured has a side 4 dB below the other.
QUIET_DB = (-5.0, -7.0)
# The same for what the quieter side contains besides a copy of the louder one: hiss, crosstalk, or another sound.
OWN_DB = (-16.0, -19.0)
LEAST = 1e-30
# Hops that are measured at a time: few enough to stay in the processor's cache.
MEASURED_HOPS = 8


class OneSidedDetector:
    """Compute the side weights of a stereo stream, with a delay of `RADIUS_S`.

    Parameters
    ----------
    sample_rate : int
        Hz.
    hop : int
        Samples per column of weights.
    """

    def __init__(self, sample_rate: int, hop: int):
        self.hop = hop
        self._radius = round(RADIUS_S * sample_rate / hop)
        self._queue = SampleQueue()
        # The samples after the last whole hop.
        self._rest = np.zeros((2, 0), np.float32)
        # Powers of left and right and their product for each hop. Before the song there is silence.
        self._powers = np.zeros((3, self._radius))
        self._buffer = np.empty((2, MEASURED_HOPS, hop))

    def push(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take samples (2, samples), float32; return whole hops (2, hops * hop) and their weights (3, hops)."""
        self._queue.put(samples)
        samples = np.concatenate([self._rest, samples], axis=1) if self._rest.size else samples
        hops = samples.shape[1] // self.hop
        self._rest = samples[:, hops * self.hop :].copy()
        self._measure(samples[:, : hops * self.hop].reshape(2, hops, self.hop))
        return self._ready(self._ready_hops() * self.hop)

    def flush(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the remaining samples, whose last hop may be shorter, and their weights."""
        self._measure(np.pad(self._rest, ((0, 0), (0, -self._rest.shape[1] % self.hop))).reshape(2, -1, self.hop))
        self._powers = np.pad(self._powers, ((0, 0), (0, self._radius)))
        return self._ready(self._queue.samples)

    def _measure(self, hops: np.ndarray) -> None:
        """Append the powers of hops (2, hops, hop)."""
        powers = np.empty((3, hops.shape[1]))
        for start in range(0, hops.shape[1], MEASURED_HOPS):
            part = hops[:, start : start + MEASURED_HOPS]
            buffer = self._buffer[:, : part.shape[1]]
            buffer[:] = part
            # A constant offset is inaudible.
            buffer -= buffer.mean(axis=2, keepdims=True)
            left, right = buffer
            for row, (one, other) in zip(powers, ((left, left), (right, right), (left, right)), strict=True):
                np.einsum("hs,hs->h", one, other, out=row[start : start + MEASURED_HOPS])
        self._powers = np.concatenate([self._powers, powers], axis=1)

    def _ready_hops(self) -> int:
        return max(0, self._powers.shape[1] - 2 * self._radius)

    def _ready(self, samples: int) -> tuple[np.ndarray, np.ndarray]:
        hops = self._ready_hops()
        if hops == 0:
            return np.zeros((2, 0), np.float32), no_replacement(0)
        windows = np.lib.stride_tricks.sliding_window_view(self._powers, 2 * self._radius + 1, axis=1)
        weights = _weights(*windows.sum(axis=2))
        self._powers = self._powers[:, hops:]
        return self._queue.take(samples), weights


def no_replacement(hops: int) -> np.ndarray:
    """Return the weights (3, hops) with which no side is replaced."""
    return np.zeros((3, hops), np.float32)


def replace_quiet_side(signal: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Replace the quiet side of a signal (2, ..., hops) by the other, as the weights say."""
    right, left, _ = weights
    return np.stack([(1 - left) * signal[0] + left * signal[1], (1 - right) * signal[1] + right * signal[0]])


def restore_masks(masks: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the masks (2, ..., hops) of both sides from those estimated after `replace_quiet_side`."""
    weight = weights[0] + weights[1]
    restored: np.ndarray = (1 - weight) * masks + weight * masks.mean(axis=0)
    return restored


def restore_vocals(estimates: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the vocals (2, samples) of both sides from those estimated after `replace_quiet_side`.

    Here, `weights` has a column for each sample.
    """
    right, left, copy = weights
    weight = right + left
    gains = np.stack([np.where(left > 0, copy, 1), np.where(right > 0, copy, 1)])
    restored: np.ndarray = (1 - weight) * estimates + weight * gains * estimates.mean(axis=0)
    return restored


def _weights(left: np.ndarray, right: np.ndarray, product: np.ndarray) -> np.ndarray:
    """Return the weights of hops from the powers of both sides and their product around each hop, (hops,) each."""
    loud, quiet = np.maximum(left, right), np.minimum(left, right)
    # Of two silent sides, neither is quieter.
    divisor = np.where(loud > LEAST, loud, np.inf)
    own = np.maximum(quiet - product * product / divisor, 0)
    weight = _share(quiet / divisor, QUIET_DB) * _share(own / divisor, OWN_DB) * (loud > LEAST)
    return np.stack([weight * (right < left), weight * (left < right), product / divisor]).astype(np.float32)


def _share(ratio: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Return 0 for ratios above the first bound in dB, 1 below the second, and interpolate between."""
    level = 10 * np.log10(np.maximum(ratio, LEAST))
    share: np.ndarray = np.clip((bounds[0] - level) / (bounds[0] - bounds[1]), 0, 1)
    return share
