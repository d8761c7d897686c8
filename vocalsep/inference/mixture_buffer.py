"""A part of a mixture with its side weights, for networks on waveforms, whose inputs overlap."""

from __future__ import annotations

import numpy as np

from .channels import to_network
from .one_sided import no_replacement, replace_quiet_side

# Samples per column of side weights.
WEIGHT_HOP = 1024


class MixtureBuffer:
    """The last samples of a mixture of 1 or 2 channels. Around the song there is silence.

    Attributes
    ----------
    end : int
        Samples of the song so far.
    """

    def __init__(self, channels: int):
        self.channels = channels
        self.end = 0
        self._last_weights = no_replacement(0)
        # Rows of the mixture, followed by three rows of its side weights.
        self._rows = np.zeros((channels + 3, 0), np.float32)

    def push(self, samples: np.ndarray, side_weights: np.ndarray | None = None) -> None:
        """Append mixture samples (channels, samples), float32.

        `side_weights` (3, hops), see `one_sided`, has one column for `WEIGHT_HOP` samples; the last hop may be shorter.
        """
        if side_weights is None:
            each = no_replacement(samples.shape[1])
        else:
            each = self._interpolated(side_weights)[:, : samples.shape[1]]
        self._rows = np.concatenate([self._rows, np.concatenate([samples, each])], axis=1)
        self.end += samples.shape[1]

    def drop_before(self, start: int) -> None:
        """Drop the samples of the song before `start`."""
        dropped = max(0, start - self._first)
        if dropped:
            self._rows = self._rows[:, dropped:].copy()

    def part(self, start: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the mixture (channels, samples) and its side weights (3, samples) from sample `start` of the song."""
        known = self._rows[:, max(0, start - self._first) : max(0, start + samples - self._first)]
        before = min(samples, max(0, self._first - start))
        padded = np.pad(known, ((0, 0), (before, samples - before - known.shape[1])))
        return padded[: self.channels], padded[self.channels :]

    @property
    def _first(self) -> int:
        """Index in the song of the first sample that is kept."""
        return self.end - self._rows.shape[1]

    def _interpolated(self, weights: np.ndarray) -> np.ndarray:
        """Return the weights of each sample (3, samples), interpolated between those of its hop and the one before."""
        # The first hop has no predecessor.
        before = self._last_weights if self._last_weights.size else weights[:, :1]
        corners = np.concatenate([before, weights], axis=1)
        self._last_weights = corners[:, -1:]
        share = np.arange(1, WEIGHT_HOP + 1, dtype=np.float32) / WEIGHT_HOP
        each: np.ndarray = (corners[:, :-1, None] * (1 - share) + corners[:, 1:, None] * share).reshape(3, -1)
        return each


def network_input(mixture: np.ndarray, weights: np.ndarray, channels: int) -> np.ndarray:
    """Return a part of a mixture as a batch (batch, channels, samples) for a network, without its quiet side."""
    return to_network(replace_quiet_side(mixture, weights) if is_one_sided(weights) else mixture, channels)


def is_one_sided(weights: np.ndarray) -> bool:
    """Return whether a side is replaced anywhere, by side weights (3, samples)."""
    return bool(weights[:2].any())
