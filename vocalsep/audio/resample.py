"""Streaming sample-rate conversion (soxr) that keeps count of every sample."""

from __future__ import annotations

import numpy as np


class Resampler:
    """Convert a stream of blocks from one rate to another, aligned in time.

    Parameters
    ----------
    channels : int
    rate_in, rate_out : int
        Hz. Equal rates pass blocks through untouched.
    """

    def __init__(self, channels: int, rate_in: int, rate_out: int):
        self.channels = channels
        self._stream = None
        if rate_in != rate_out:
            import soxr

            self._stream = soxr.ResampleStream(rate_in, rate_out, channels, dtype="float32", quality="HQ")

    def push(self, block: np.ndarray) -> np.ndarray:
        """Take (channels, samples) at `rate_in`; return the float32 samples at `rate_out` that are ready."""
        return self._resample(block, last=False)

    def flush(self) -> np.ndarray:
        """Return the samples that the filter still holds; nothing may be pushed afterwards."""
        return self._resample(np.zeros((self.channels, 0), np.float32), last=True)

    def _resample(self, block: np.ndarray, last: bool) -> np.ndarray:
        block = block.astype(np.float32, copy=False)
        if self._stream is None:
            return block
        return self._stream.resample_chunk(np.ascontiguousarray(block.T), last=last).T
