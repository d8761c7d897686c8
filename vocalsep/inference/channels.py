"""Mono and stereo mixtures for networks of one or two channels."""

from __future__ import annotations

import numpy as np


def to_network(signal: np.ndarray, channels: int) -> np.ndarray:
    """Return a signal (1 or 2 channels, ...) as the batch (batch, channels, ...) that a network takes.

    A network of two channels hears a single one on both; one of a single channel hears each of two by itself.
    """
    if channels == 1:
        return signal[:, None]
    return signal[None] if signal.shape[0] == channels else np.repeat(signal, channels, axis=0)[None]


def from_network(estimates: np.ndarray, channels: int) -> np.ndarray:
    """Return what a network made of `to_network`, as (channels, ...)."""
    if estimates.shape[1] == 1:
        return estimates[:, 0]
    found: np.ndarray = estimates[0]
    return found if found.shape[0] == channels else found.mean(axis=0, keepdims=True)
