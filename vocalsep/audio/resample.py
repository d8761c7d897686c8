"""Sample-rate conversion of a stream (soxr)."""

from __future__ import annotations

import numpy as np


class Resampler:
    """Convert a stream of blocks from one rate to another, without delay.

    Parameters
    ----------
    channels : int
    rate_in, rate_out : int
        Hz. With equal rates blocks pass unchanged.
    """

    def __init__(self, channels: int, rate_in: int, rate_out: int):
        self.channels = channels
        self._stream = None
        if rate_in != rate_out:
            import soxr

            self._stream = soxr.ResampleStream(rate_in, rate_out, channels, dtype="float32", quality="HQ")

    def push(self, block: np.ndarray) -> np.ndarray:
        """Convert a block (channels, samples) at `rate_in`; return the float32 samples at `rate_out` that are ready."""
        return self._resample(block, last=False)

    def flush(self) -> np.ndarray:
        """Return the samples that the filter still buffers; nothing may be pushed afterwards."""
        return self._resample(np.zeros((self.channels, 0), np.float32), last=True)

    def _resample(self, block: np.ndarray, last: bool) -> np.ndarray:
        block = block.astype(np.float32, copy=False)
        if self._stream is None:
            return block
        return self._stream.resample_chunk(np.ascontiguousarray(block.T), last=last).T
