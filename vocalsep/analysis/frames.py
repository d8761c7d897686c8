"""Windows of a stream of samples, and how sure an estimate from many passages is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# How often the passages are drawn anew.
DRAWS = 200


class MagnitudeFrames:
    """Magnitudes of a stream's short-time spectrum (Hann window).

    Parameters
    ----------
    size, hop : int
        Samples of a window, and between two.
    """

    def __init__(self, size: int, hop: int):
        self.size, self.hop = size, hop
        self._window = np.hanning(size + 1)[:-1].astype(np.float32)
        self._rest = np.zeros(0, np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take samples (samples,), and return the frames that are complete, (frames, size // 2 + 1)."""
        buffer = np.concatenate([self._rest, samples.astype(np.float32, copy=False)])
        count = max(0, (len(buffer) - self.size) // self.hop + 1)
        self._rest = buffer[count * self.hop :]
        if count == 0:
            return np.zeros((0, self.size // 2 + 1), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(buffer, self.size)[:: self.hop][:count]
        return np.abs(np.fft.rfft(windows * self._window, axis=1)).astype(np.float32) / self.size


def agreement(passages: np.ndarray, agrees: Callable[[np.ndarray], bool]) -> float:
    """Return how often an estimate comes out the same when a song's passages are drawn anew (bootstrap).

    Parameters
    ----------
    passages : ndarray (passages, values)
        What the estimate is made of: the sum over all passages.
    agrees : callable
        Whether the estimate from such a sum is the same.

    Returns
    -------
    float
        0 to 1.
    """
    rng = np.random.default_rng(0)
    draws = rng.multinomial(len(passages), np.full(len(passages), 1 / len(passages)), DRAWS)
    return float(np.mean([agrees(sums) for sums in draws @ passages]))
