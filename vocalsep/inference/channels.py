"""Mono and stereo mixtures for networks of one or two channels."""

from __future__ import annotations

import numpy as np


def to_network(signal: np.ndarray, channels: int) -> np.ndarray:
    """Return a signal (1 or 2 channels, ...) as a batch (batch, channels, ...) for a network.

    A mono signal is duplicated for a network of two channels. For a network of one channel, the channels of a stereo
    signal become two examples.
    """
    if channels == 1:
        return signal[:, None]
    # A view, not a copy: repeated spectra would be copied out of the order that they have in memory.
    return np.broadcast_to(signal, (channels, *signal.shape[1:]))[None]


def from_network(estimates: np.ndarray, channels: int) -> np.ndarray:
    """Return a network's estimates for the batch from `to_network` as a signal (channels, ...)."""
    if estimates.shape[1] == 1:
        return estimates[:, 0]
    signal: np.ndarray = estimates[0]
    return signal if signal.shape[0] == channels else signal.mean(axis=0, keepdims=True)
