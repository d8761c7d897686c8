"""Stereo with sound on one side only, as recordings of mono sources have it.

A network of two channels takes what comes from one side for an instrument that is panned there, and hardly finds a
voice in it. Where one side has next to nothing of its own, the network is given the other side on both.

How a stream leans is an array (3, hops). The first two rows are weights 0..1 with which the right and the left side
are replaced by the other, one of the two being 0; the third row is the gain at which the quieter side holds a copy of
the louder.
"""

from __future__ import annotations

import numpy as np

# Seconds to either side that decide. A passage of an ordinary song with one side only is mostly shorter.
REACH_S = 5.0
# The quieter side's level in dB relative to the louder: below the first it begins to count as quiet, below the second
# it does so fully. Over ten seconds, no stereo song that was measured has a side 4 dB below the other.
QUIET_DB = (-5.0, -7.0)
# The same of what the quieter side holds besides a copy of the louder one: hiss, crosstalk, or another sound.
OWN_DB = (-16.0, -19.0)
LEAST = 1e-30


class Sides:
    """Find how a stereo stream leans, with a delay of `REACH_S`.

    Parameters
    ----------
    sample_rate : int
        Hz.
    hop : int
        Samples for which there is one value.
    """

    def __init__(self, sample_rate: int, hop: int):
        self.hop = hop
        self._reach = round(REACH_S * sample_rate / hop)
        self._samples = np.zeros((2, 0), np.float32)
        # Powers of left and right and their product, hop by hop. Before the song there is silence.
        self._powers = np.zeros((3, self._reach))
        self._measured = 0  # hops of `_samples` that are among the powers

    def push(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take samples (2, samples), float32; return whole hops (2, hops * hop) and how they lean (3, hops)."""
        self._samples = np.concatenate([self._samples, samples], axis=1)
        fresh = self._samples[:, self._measured * self.hop :]
        self._measure(fresh[:, : fresh.shape[1] // self.hop * self.hop])
        return self._ready()

    def flush(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rest of the samples, whose last hop may not be whole, and how it leans."""
        fresh = self._samples[:, self._measured * self.hop :]
        self._measure(np.pad(fresh, ((0, 0), (0, -fresh.shape[1] % self.hop))))
        self._powers = np.pad(self._powers, ((0, 0), (0, self._reach)))
        return self._ready()

    def _measure(self, samples: np.ndarray) -> None:
        hops = samples.astype(np.float64).reshape(2, -1, self.hop)
        # A constant offset is no sound.
        left, right = hops - hops.mean(axis=2, keepdims=True)
        pairs = ((left, left), (right, right), (left, right))
        found = np.stack([np.einsum("hs,hs->h", one, other) for one, other in pairs])
        self._powers = np.concatenate([self._powers, found], axis=1)
        self._measured += found.shape[1]

    def _ready(self) -> tuple[np.ndarray, np.ndarray]:
        around = 2 * self._reach + 1
        hops = max(0, self._powers.shape[1] - around + 1)
        if hops == 0:
            return self._samples[:, :0], straight(0)
        windows = np.lib.stride_tricks.sliding_window_view(self._powers, around, axis=1)
        lean = _lean(*windows.sum(axis=2))
        ready, self._samples = self._samples[:, : hops * self.hop], self._samples[:, hops * self.hop :]
        self._powers = self._powers[:, hops:]
        self._measured -= hops
        return ready, lean


def straight(hops: int) -> np.ndarray:
    """Return how a stream leans that does not, (3, hops)."""
    return np.zeros((3, hops), np.float32)


def evened(signal: np.ndarray, lean: np.ndarray) -> np.ndarray:
    """Return what a network is given of a signal (2, ..., hops) that leans so."""
    right, left, _ = lean
    return np.stack([(1 - left) * signal[0] + left * signal[1], (1 - right) * signal[1] + right * signal[0]])


def masks_of(masks: np.ndarray, lean: np.ndarray) -> np.ndarray:
    """Return both sides' masks (2, ..., hops) from those that a network makes of what `evened` gives."""
    weight = lean[0] + lean[1]
    found: np.ndarray = (1 - weight) * masks + weight * masks.mean(axis=0)
    return found


def vocals_of(estimates: np.ndarray, lean: np.ndarray) -> np.ndarray:
    """Return both sides' vocals (2, samples) from those that a network makes of what `evened` gives.

    `lean` has a value for each sample here.
    """
    right, left, copy = lean
    weight = right + left
    gains = np.stack([np.where(left > 0, copy, 1), np.where(right > 0, copy, 1)])
    found: np.ndarray = (1 - weight) * estimates + weight * gains * estimates.mean(axis=0)
    return found


def _lean(left: np.ndarray, right: np.ndarray, product: np.ndarray) -> np.ndarray:
    """Return how hops lean, from the powers around them and from the sides' product, (hops,) each."""
    loud, quiet = np.maximum(left, right), np.minimum(left, right)
    # Of two silent sides none is the quieter.
    divisor = np.where(loud > LEAST, loud, np.inf)
    own = np.maximum(quiet - product * product / divisor, 0)
    weight = _share(quiet / divisor, QUIET_DB) * _share(own / divisor, OWN_DB) * (loud > LEAST)
    return np.stack([weight * (right < left), weight * (left < right), product / divisor]).astype(np.float32)


def _share(ratio: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Return 0 for ratios above the first bound in dB, 1 for those below the second, and what is between for others."""
    level = 10 * np.log10(np.maximum(ratio, LEAST))
    found: np.ndarray = np.clip((bounds[0] - level) / (bounds[0] - bounds[1]), 0, 1)
    return found
