"""Mono and stereo mixtures for networks of one or two channels."""

from __future__ import annotations

from torch import Tensor


def to_network(signal: Tensor, channels: int) -> Tensor:
    """Return a signal (1 or 2 channels, ...) as the batch (batch, channels, ...) that a network takes.

    A network of two channels hears a single one on both; one of a single channel hears each of two by itself.
    """
    if channels == 1:
        return signal[:, None]
    return signal.expand(channels, *signal.shape[1:])[None]


def from_network(estimates: Tensor, channels: int) -> Tensor:
    """Return what a network made of `to_network`, as (channels, ...)."""
    if estimates.shape[1] == 1:
        return estimates[:, 0]
    found = estimates[0]
    return found if found.shape[0] == channels else found.mean(dim=0, keepdim=True)
